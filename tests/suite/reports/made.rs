//! Reports that are made up: one with every case, one that is large. Not for how they come about.

use std::collections::BTreeMap;

use plugpull::exit::Exit;
use plugpull::outcome::{
    Bound, Comparison, Difference, Differing, FindingTold, Outcome, RemedyTold, SearchedTold,
    SecondCrash, StoryLine, TaleLine, TierTold, TooLarge, TrialTold,
};
use plugpull::report::check::Report;

/// What a checker may say that is made to break a page, a log or a file of XML.
pub(crate) const NASTY: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> \
    a|b `c` {{data}} ::error::no %0A \u{1b}[31mred\u{1b}[0m \0 \u{2028} \u{202e}gnp.exe \u{fffd}\u{ffff} \
    \u{645}\u{631}\u{62d}\u{628}\u{627} [x](http://evil.example)";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn line(what: &str, kind: &str) -> StoryLine {
    StoryLine { what: what.to_owned(), kind: kind.to_owned() }
}

/// A program that saves its settings, of which it forgets to sync the new file.
fn story() -> Vec<StoryLine> {
    let mut story = Vec::new();
    for n in 1..=6 {
        story.push(line("create settings.tmp", "change"));
        story.push(line("write settings.tmp 0..48", "change"));
        if n != 5 {
            story.push(line("fsync settings.tmp", "barrier"));
        }
        story.push(line("rename settings.tmp -> settings", "change"));
        story.push(line("fsync .", "barrier"));
        story.push(line(&format!("mark \"saved {n}\""), "mark"));
    }
    story
}

fn bound() -> Bound {
    Bound {
        models: texts(&["ext4", "xfs", "btrfs", "posix"]),
        fail_on: texts(&["ext4", "xfs", "btrfs"]),
        tier: "T2".to_owned(),
        window: 4096,
        seed: 1,
        jobs: 2,
        ..Bound::default()
    }
}

fn searched(model: &str, violated: u64) -> SearchedTold {
    let tier =
        |tier: &str, sets, states| TierTold { tier: tier.to_owned(), sets, states, complete: true };
    SearchedTold {
        model: model.to_owned(),
        crash_points: 36,
        tiers: vec![tier("T0", 72, 40), tier("T1", 214, 61), tier("T2", 1_544, 112)],
        too_large: Vec::new(),
        survived: 213 - violated,
        violated,
        complete: true,
        ..SearchedTold::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn differing() -> Differing {
    let saw = b"color=green\nfont=mono\nsize=14\nlast=2026-11-20T21:0";
    let left = b"color=green\nfont=mono\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let torn = Difference {
        path: "settings".to_owned(),
        what: "bytes differ from offset 4118".to_owned(),
        offset: 4096,
        saw: hex(saw),
        left: hex(left),
    };
    let short = Difference {
        path: "log/2026-11.txt".to_owned(),
        what: "0 bytes long, not 12".to_owned(),
        saw: hex(b"saved 5 <ok>"),
        ..Difference::default()
    };
    let gone = Difference {
        path: "settings.tmp".to_owned(),
        what: "there again after the power cut".to_owned(),
        ..Difference::default()
    };
    Differing { paths: vec![torn, short, gone], more: 2, same: 7 }
}

fn trial(barrier: &str, before_events: &[usize], after: u64) -> TrialTold {
    TrialTold {
        barrier: barrier.to_owned(),
        places: before_events.len(),
        before_events: before_events.to_vec(),
        violated_before: 6,
        violated_after: after,
        states: 318,
    }
}

/// The finding of the settings: the fifth file was renamed before its bytes were on disk.
pub(crate) fn finding() -> FindingTold {
    let tale = [
        (24, "create settings.tmp", "kept"),
        (25, "write settings.tmp 0..48", "LOST"),
        (26, "rename settings.tmp -> settings", "kept"),
        (27, "fsync .", ""),
        (28, "mark \"saved 5\"", ""),
    ];
    let tale = tale.map(|(event, what, fate)| TaleLine {
        event,
        what: what.to_owned(),
        fate: fate.to_owned(),
    });
    let fates = [(24, "kept"), (25, "LOST"), (26, "kept")];
    FindingTold {
        id: "5a63d600abbe".to_owned(),
        gate: true,
        known: false,
        message: "settings is neither old nor new: 48 bytes, wrong from 22".to_owned(),
        output: "checking settings\nsettings is neither old nor new: 48 bytes, wrong from 22\n"
            .to_owned(),
        also: texts(&["settings is neither old nor new: # bytes, wrong from #"]),
        models: BTreeMap::from([
            ("ext4".to_owned(), 2),
            ("xfs".to_owned(), 4),
            ("posix".to_owned(), 11),
        ]),
        model: "ext4".to_owned(),
        point: 29,
        events: story().len(),
        tale: tale.to_vec(),
        fates: fates.iter().map(|(event, fate)| (*event, (*fate).to_owned())).collect(),
        differs: differing(),
        recrash: None,
        remedy: Some(RemedyTold::Found {
            found: trial("fsync(settings.tmp) before rename settings.tmp -> settings", &[26], 0),
        }),
        steady: true,
        token: "pp1:ext4:bcf9216d72d37d5a:29:-3".to_owned(),
        replay: "plugpull replay pp1:ext4:bcf9216d72d37d5a:29:-3 --recording \
                 /tmp/plugpull-recordings/settings-f2a5554a.plug"
            .to_owned(),
        kept: None,
    }
}

fn outcome(subject: &str, exit: Exit) -> Outcome {
    Outcome {
        subject: subject.to_owned(),
        command: texts(&["python3", "tools/save.py", "--times", "6"]),
        dir: "/srv/app/data".into(),
        operations: 29,
        marks: 6,
        seconds: 0.08,
        checkers: texts(&["old-or-new:settings"]),
        bound: bound(),
        searched: vec![
            searched("ext4", 0),
            searched("xfs", 0),
            searched("btrfs", 0),
            searched("posix", 0),
        ],
        judged: 512,
        control: "control: the finished run passes, and the checker was seen to fail".to_owned(),
        not_looked_at: texts(&["calls that fail, a second power cut during recovery"]),
        story: story(),
        exit,
        ..Outcome::default()
    }
}

/// Findings of every kind.
fn settings() -> Outcome {
    let gate = finding();
    let models = |names: &[(&str, u64)]| names.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect();
    let order = FindingTold {
        id: "0d31f9a2c4e7".to_owned(),
        message: "GONE: neither settings nor its backup is there".to_owned(),
        models: models(&[("btrfs", 3)]),
        remedy: Some(RemedyTold::None { tried: 9, best: None }),
        steady: false,
        ..finding()
    };
    let warning = FindingTold {
        id: "9e77a0b1c2d3".to_owned(),
        gate: false,
        message: "LOST: \"saved 3\" was promised, settings is from before it".to_owned(),
        models: models(&[("posix", 5)]),
        model: "posix".to_owned(),
        remedy: Some(RemedyTold::Found {
            found: trial(
                "fsync(settings.tmp) after create settings.tmp, and fsync(.) after rename",
                &[25, 27],
                0,
            ),
        }),
        ..finding()
    };
    let nasty = FindingTold {
        id: "badbadbadbad".to_owned(),
        message: NASTY.to_owned(),
        output: format!("{NASTY}\n\n{NASTY}"),
        models: models(&[("ext4", 1)]),
        remedy: Some(RemedyTold::None { tried: 4, best: Some(trial(NASTY, &[26], 2)) }),
        ..finding()
    };
    let known = FindingTold {
        id: "c0ffee000001".to_owned(),
        known: true,
        gate: false,
        message: "TORN: settings ends in the middle of a line".to_owned(),
        models: models(&[("ext4", 2)]),
        remedy: None,
        ..finding()
    };
    let untried = FindingTold {
        id: "c0ffee000002".to_owned(),
        gate: false,
        message: "CORRUPT: settings holds zeros".to_owned(),
        models: models(&[("posix", 1)]),
        remedy: Some(RemedyTold::None { tried: 0, best: None }),
        ..finding()
    };
    let (mut ext4, xfs, btrfs, posix) =
        (searched("ext4", 5), searched("xfs", 4), searched("btrfs", 3), searched("posix", 17));
    ext4.too_large = vec![TooLarge { point: 12, pending: 31 }];
    Outcome {
        warnings: texts(&["a process of the program was still running at its end"]),
        searched: vec![ext4, xfs, btrfs, posix],
        findings: vec![gate, order, nasty, warning, untried, known],
        unexplained: 3,
        recording: Some("/tmp/plugpull-recordings/settings-f2a5554a.plug".into()),
        ..outcome("settings", Exit::Violation)
    }
}

/// A program under whose models not everything was looked at.
fn unfinished() -> Outcome {
    let mut posix = searched("posix", 0);
    posix.complete = false;
    posix.tiers[2].complete = false;
    let nothing = SearchedTold {
        model: "btrfs".to_owned(),
        crash_points: 36,
        not_measured: 40,
        ..SearchedTold::default()
    };
    Outcome {
        searched: vec![searched("ext4", 0), nothing, posix],
        ..outcome("queue <script>alert(3)</script>", Exit::Partial)
    }
}

/// Every case.
pub(crate) fn every_case() -> Report {
    let failed = Outcome {
        subject: "importer".to_owned(),
        exit: Exit::ProgramFailed,
        error: Some(
            "`./importer --all` failed by itself: exit status 3\nno such table: orders".to_owned(),
        ),
        ..Outcome::default()
    };
    let outcomes = vec![settings(), unfinished(), failed, outcome("cache", Exit::Clean)];
    let baseline = Comparison {
        file: "plugpull.baseline".into(),
        worse: texts(&["settings: 5a63d600abbe is new"]),
        better: texts(&["cache: 77aa00bb11cc is gone"]),
    };
    Report { baseline: Some(baseline), ..Report::of(outcomes) }
}

/// Nothing was found.
pub(crate) fn clean() -> Report {
    Report::of(vec![outcome("cache", Exit::Clean)])
}

/// Only the finding of the settings.
pub(crate) fn one() -> Report {
    let mut only = settings();
    only.findings.truncate(1);
    Report::of(vec![only])
}

/// One that takes a second power cut, while the checker puts the settings back.
pub(crate) fn twice() -> Report {
    let tale = [(0, "write settings 0..48", "LOST"), (1, "fsync .", ""), (2, "unlink old", "kept")];
    let tale = tale.map(|(event, what, fate)| TaleLine {
        event,
        what: what.to_owned(),
        fate: fate.to_owned(),
    });
    let second = SecondCrash {
        first: "pp1:ext4:bcf9216d72d37d5a:29:+".to_owned(),
        point: 3,
        events: 4,
        tale: tale.to_vec(),
        barriers: vec![1],
        before_events: vec![2],
        recording: "/tmp/plugpull-recordings/recovery-5554a00a.plug".into(),
    };
    let remedy = RemedyTold::Found {
        found: trial("fsync(settings) before unlink old, in recovery", &[], 0),
    };
    let finding = FindingTold { recrash: Some(second), remedy: Some(remedy), ..finding() };
    Report::of(vec![Outcome { findings: vec![finding], ..settings() }])
}

/// Five hundred findings of a run with five thousand events.
pub(crate) fn large() -> Report {
    let event = |n: usize| match n % 5 {
        0 => line(&format!("create segment-{:04}", n / 5), "change"),
        1 | 2 => line(
            &format!("write segment-{:04} {}..{}", n / 5, n % 5 * 4096, n % 5 * 4096 + 4096),
            "change",
        ),
        3 => line("fsync wal", "barrier"),
        _ => line(&format!("mark \"committed {}\"", n / 5), "mark"),
    };
    let story: Vec<_> = (0..5000).map(event).collect();
    let found = |n: usize| {
        let point = 4990 - n * 7;
        let fate = |event: usize| match event % 5 {
            2 if event + 60 > point => Some((event, "LOST".to_owned())),
            0..=2 => Some((event, "kept".to_owned())),
            _ => None,
        };
        let fates: BTreeMap<_, _> = (0..point).filter_map(fate).collect();
        let tale = (point - 14..point).map(|event| TaleLine {
            event,
            what: story[event].what.clone(),
            fate: fates.get(&event).cloned().unwrap_or_default(),
        });
        FindingTold {
            id: format!("{n:012x}"),
            gate: n % 3 != 2,
            message: format!(
                "LOST: \"committed {}\" was promised, and segment-{:04} is not there",
                point / 5,
                n
            ),
            models: [("ext4", 1), ("posix", 3)][n % 3 / 2..]
                .iter()
                .map(|(name, states)| ((*name).to_owned(), *states))
                .collect(),
            point: u32::try_from(point).unwrap(),
            events: story.len(),
            tale: tale.collect(),
            fates,
            remedy: Some(RemedyTold::Found {
                found: trial("fsync(segment) before mark", &[point - 1], 0),
            }),
            ..finding()
        }
    };
    let findings = (0..500).map(found).collect();
    let exit = Exit::Violation;
    Report::of(vec![Outcome {
        findings,
        story: story.clone(),
        operations: 4000,
        marks: 1000,
        ..outcome("segments", exit)
    }])
}
