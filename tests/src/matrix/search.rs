//! The search for the first violation of a mistake, and which presets show it.
//!
//! One run's states are mostly the same under all presets, so each disk is checked once for a run.
//! States are counted as they are looked at under one preset. Not for choosing the runs.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use faultfs::{DiskImage, Event, ImageHash, Model, PersistOrder, SimFs};
use plugpull::explore::{Bounds, explore};
use plugpull::subject::{Recorded, STORE, check};
use plugpull_store::{Audit, ProblemKind, Run};

use super::{Mistake, Try, runs};

/// The presets, those of the gate first, the strangest last.
pub(super) const PRESETS: [&str; 10] = [
    "ext4",
    "xfs",
    "btrfs",
    "posix",
    "ext4-bob",
    "ext4-writeback",
    "ext4-data-journal",
    "ext4-nodelalloc",
    "sequential",
    "posix-split-rename",
];

/// Where a violation was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// With everything kept: every preset allows that, and so does a kill.
    Kill,
    /// In a state that a power cut leaves under this preset.
    PowerCut(&'static str),
    /// In the answers of the store itself, on a disk that did not crash.
    Answer,
}

impl Place {
    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::PowerCut(preset) => preset,
            Self::Answer => "own answer",
        }
    }
}

/// How a mistake was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// In which run.
    pub run: String,
    /// States that were looked at until then, those of the runs before it included.
    pub states: u64,
    /// What is wrong.
    pub what: String,
}

/// One row of the matrix.
#[derive(Clone, Debug)]
pub struct Row {
    /// The mistake.
    pub mistake: Mistake,
    /// The first finding, if there is one.
    pub found: Option<Finding>,
    /// The presets under which it is found. All, when a kill is enough.
    pub presets: Vec<&'static str>,
}

/// Searches for a mistake in its runs.
pub fn search(mistake: Mistake) -> Row {
    let runs = runs(mistake);
    let mut searches: Vec<_> = runs.iter().map(|run| Search::new(mistake, run)).collect();
    let kills = match mistake {
        Mistake::Planted(bug) => bug.found_by() != Run::PowerCut,
        Mistake::Without(_) => false,
    };
    for place in [Place::Answer, Place::Kill].into_iter().filter(|_| kills) {
        if let Some(found) = first(&mut searches, place) {
            return Row { mistake, found: Some(found), presets: PRESETS.to_vec() };
        }
    }
    let mut row = Row { mistake, found: None, presets: Vec::new() };
    for preset in PRESETS {
        if let Some(found) = first(&mut searches, Place::PowerCut(preset)) {
            row.presets.push(preset);
            row.found.get_or_insert(found);
        }
    }
    row
}

/// Looks only in the run of this name; what is wrong there first.
pub fn reproduce(mistake: Mistake, run: &str, place: &str) -> Option<String> {
    let runs = runs(mistake);
    let run = runs.iter().find(|found| found.name() == run)?;
    let cut = PRESETS.into_iter().map(Place::PowerCut);
    let mut places = [Place::Answer, Place::Kill].into_iter().chain(cut);
    let place = places.find(|found| found.name() == place)?;
    Search::new(mistake, run).first(place).1
}

fn first(searches: &mut [Search<'_>], place: Place) -> Option<Finding> {
    let mut states = 0;
    for search in searches {
        let (looked_at, what) = search.first(place);
        states += looked_at;
        if let Some(what) = what {
            return Some(Finding { place, run: search.run.name(), states, what });
        }
    }
    None
}

/// One run with one mistake; it is recorded when it is first looked at.
struct Search<'r> {
    mistake: Mistake,
    run: &'r Try,
    recorded: OnceCell<Option<Recorded>>,
    checked: Checks,
}

/// What each disk showed, by its Marks and hash.
pub(super) type Checks = BTreeMap<(u32, ImageHash), Option<String>>;

impl<'r> Search<'r> {
    fn new(mistake: Mistake, run: &'r Try) -> Self {
        Self { mistake, run, recorded: OnceCell::new(), checked: Checks::new() }
    }

    /// The states looked at there, and what is wrong in the last of them.
    fn first(&mut self, place: Place) -> (u64, Option<String>) {
        let make = || self.run.record(self.mistake.options());
        let Some(recorded) = self.recorded.get_or_init(make) else { return (0, None) };
        match place {
            Place::Answer => (1, answers(recorded, self.run.fault.is_some())),
            Place::Kill => killed(recorded, &mut self.checked),
            Place::PowerCut(preset) => cut(recorded, preset, self.run.bounds(), &mut self.checked),
        }
    }
}

/// What the run told of itself, and what it left behind at its end.
pub(super) fn answers(recorded: &Recorded, faulty: bool) -> Option<String> {
    let marks = recorded.trace.events.iter().filter_map(|event| match event {
        Event::Mark(text) => std::str::from_utf8(text).ok(),
        Event::Op { .. } => None,
    });
    for mark in marks {
        if let Some(id) = mark.strip_prefix("trusted ") {
            let what = format!("{id}: a put of it failed, and the next took it for durable");
            return Some(shorten(&what));
        }
        if mark.starts_with("told ") {
            let what =
                format!("{mark}; expected that a failed deletion of a pack is told to nobody");
            return Some(shorten(&what));
        }
        if mark.starts_with("failed ") && !faulty {
            return Some(shorten(&format!("{mark}; expected no failure on a disk without faults")));
        }
    }
    if !faulty {
        return None;
    }
    let end = SimFs::on(recorded.trace.image_after(recorded.trace.events.len()));
    let audit = Audit::run(&end, Path::new(STORE)).ok()?;
    let temp = audit.problems.into_iter().find(|found| found.kind == ProblemKind::OrphanTemp)?;
    Some(shorten(&format!("{}: left there by a write that failed", temp.path.display())))
}

/// Every crash point with everything kept.
pub(super) fn killed(recorded: &Recorded, checks: &mut Checks) -> (u64, Option<String>) {
    let mut image = recorded.trace.start.clone();
    let mut seen = BTreeSet::new();
    let mut marks = 0;
    for event in std::iter::once(None).chain(recorded.trace.events.iter().map(Some)) {
        match event {
            Some(Event::Op { op, time, .. }) => op.apply(&mut image, *time),
            Some(Event::Mark(_)) => marks += 1,
            None => {}
        }
        if seen.insert((marks, image.hash()))
            && let Some(what) = look(recorded, &image, marks, checks)
        {
            return (seen.len() as u64, Some(what));
        }
    }
    (seen.len() as u64, None)
}

/// The crash states under a preset.
pub(super) fn cut(
    recorded: &Recorded,
    preset: &str,
    bounds: Bounds,
    checks: &mut Checks,
) -> (u64, Option<String>) {
    let model = Model::preset(preset).expect("it is one of the presets");
    let order = PersistOrder::new(&recorded.trace, model);
    let mut found = None;
    let coverage = explore(&order, bounds, &mut |state| {
        found = look(recorded, state.image, state.window.marks(), checks);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (coverage.states(), found)
}

/// The first violation on a disk.
fn look(recorded: &Recorded, image: &DiskImage, marks: u32, checks: &mut Checks) -> Option<String> {
    let checked = checks.entry((marks, image.hash())).or_insert_with(|| {
        let mut image = image.clone();
        image.discard_hidden();
        let violations = check(&recorded.expected, &image, marks as usize).violations;
        violations.into_iter().next().map(|what| shorten(&what))
    });
    checked.clone()
}

/// Long hashes cut, and nothing that breaks a table.
fn shorten(what: &str) -> String {
    const KEPT: usize = 6;
    let mut short = String::new();
    let mut rest = what;
    while !rest.is_empty() {
        let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (word, behind) = rest.split_at(hex.max(1).min(rest.len()));
        if hex > 40 {
            short.push_str(&word[..KEPT]);
            short.push_str("..");
        } else {
            short.push_str(if word == "|" { "/" } else { word });
        }
        rest = behind;
    }
    short.replace('\n', " ")
}
