//! Findings: small programs with one missing barrier each, run on the simulated disk and checked in
//! process; the barrier that their mended form has must be the one that is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use faultfs::{Access, DiskImage, Fs, FsFile, ImageHash, Model, PersistOrder, SimFs, Trace};
use plugpull::check::{Verdict, Violation};
use plugpull::explore::{Bounds, Tier};
use plugpull::findings::{Finding, Findings, Inquiry, Remedy, Trial};
use plugpull::search::{Asked, Book, Judge, Time, search};

/// A checker in process: what is wrong on a disk after so many Marks, if anything.
struct InProcess(fn(&DiskImage, u32) -> Option<String>);

impl Judge for InProcess {
    fn judge(&mut self, states: Vec<Asked>, _: &dyn Fn() -> bool) -> Vec<Verdict> {
        let verdict = |state: Asked| match (self.0)(&state.image, state.marks) {
            None => Verdict::Survived,
            Some(message) => Verdict::Violated(Violation { message, ..Violation::default() }),
        };
        states.into_iter().map(verdict).collect()
    }
}

fn at(name: &str) -> &Path {
    Path::new(name)
}

/// The bytes of a file in the root of an image.
fn content(image: &DiskImage, name: &str) -> Option<Vec<u8>> {
    let inode = image.lookup(DiskImage::ROOT, name.as_bytes())?;
    let mut bytes = vec![0; usize::try_from(image.len(inode)).unwrap()];
    image.read(inode, &mut bytes, 0);
    Some(bytes)
}

fn findings_of(
    trace: &Trace,
    models: &[&str],
    checker: fn(&DiskImage, u32) -> Option<String>,
) -> Findings {
    let orders: Vec<_> =
        models.iter().map(|name| PersistOrder::new(trace, Model::preset(name).unwrap())).collect();
    let mut judge = InProcess(checker);
    let mut book = Book::new(&mut judge);
    let bounds = Bounds::of(Tier::T2);
    let go_on = || false;
    let searched = search(&orders, bounds, &mut book, &go_on, &mut |_| {});
    assert!(searched.iter().all(|searched| searched.is_complete(Tier::T2)));
    let fail_on = ["ext4".to_owned(), "xfs".to_owned(), "btrfs".to_owned()];
    let inquiry = Inquiry {
        trace,
        orders: &orders,
        searched: &searched,
        fail_on: &fail_on,
        bounds,
        book: &mut book,
        stop: &go_on,
    };
    inquiry.findings()
}

fn barrier_of(finding: &Finding) -> &Trial {
    match &finding.remedy {
        Remedy::Barriers(trial) => trial,
        other => panic!("no barrier was found: {other:?}"),
    }
}

/// Three versions of `conf`, each by a temp and a rename.
fn replaced(synced: bool, dir_synced: bool) -> Trace {
    let disk = SimFs::new();
    for version in 1..=3u8 {
        let temp = disk.create_new(at("/conf.tmp"), 0o644).unwrap();
        temp.write_at(&[version; 5000], 0).unwrap();
        if synced {
            temp.sync_all().unwrap();
        }
        disk.rename(at("/conf.tmp"), at("/conf")).unwrap();
        if dir_synced {
            disk.sync_dir(at("/")).unwrap();
        }
        disk.mark(format!("committed {version}").as_bytes());
    }
    disk.trace()
}

/// `conf` is the version that was committed last, or a later one, whole.
fn check_replaced(image: &DiskImage, marks: u32) -> Option<String> {
    let Some(bytes) = content(image, "conf") else {
        return (marks > 0).then(|| format!("LOST: conf is gone, {marks} was committed"));
    };
    let version = bytes.first().copied().unwrap_or(0);
    if bytes != [version; 5000] || version == 0 {
        return Some(format!("TORN: conf is no version ({} bytes)", bytes.len()));
    }
    (u32::from(version) < marks).then(|| format!("LOST: conf is {version}, {marks} was committed"))
}

/// The same, whatever is wrong with it: all losses are told in one way.
fn check_committed(image: &DiskImage, marks: u32) -> Option<String> {
    check_replaced(image, marks).map(|_| "what was committed is lost".to_owned())
}

/// A shell script that takes an order had this: neither sync was enough alone, as the checker says the same
/// of both losses, and no finding told what to do. And with the directory synced, more crash points are small enough to be
/// looked at whole, and more violations are seen than without it: all violations are nothing to compare it by.
#[test]
fn two_losses_that_are_told_alike_need_both_barriers() {
    let found = findings_of(&replaced(false, false), &["posix"], check_committed);
    assert!(found.list.len() > 1, "{:#?}", found.list);
    for finding in &found.list {
        let trial = barrier_of(finding);
        for part in ["fsync(conf.tmp) before", "fsync(.) after `rename conf.tmp -> conf`"] {
            assert!(trial.text.contains(part), "{}", trial.text);
        }
        assert_eq!((trial.places, trial.after, trial.at.len()), (6, 0, 6));
        assert!(trial.before > 0);
    }
}

const DEFAULT: [&str; 4] = ["ext4", "xfs", "btrfs", "posix"];

#[test]
fn a_directory_that_is_not_synced_after_a_rename() {
    let found = findings_of(&replaced(true, false), &DEFAULT, check_replaced);
    assert_eq!(found.unexplained, 0);
    for finding in &found.list {
        let trial = barrier_of(finding);
        assert_eq!(trial.text, "fsync(.) after `rename conf.tmp -> conf`");
        assert_eq!((trial.places, trial.after), (3, 0));
        assert!(trial.before > 0 && trial.states > 0);
    }
    let models = &found.list[0].models;
    assert_eq!(models.keys().collect::<Vec<_>>(), ["btrfs", "ext4", "posix", "xfs"]);
    assert!(found.list[0].gate);
    assert!(findings_of(&replaced(true, true), &DEFAULT, check_replaced).list.is_empty());
}

#[test]
fn a_temp_that_is_not_synced_before_a_rename() {
    let found = findings_of(&replaced(false, true), &DEFAULT, check_replaced);
    let torn: Vec<_> =
        found.list.iter().filter(|f| f.violation.message.starts_with("TORN")).collect();
    assert!(!torn.is_empty());
    for finding in torn {
        assert_eq!(barrier_of(finding).text, "fsync(conf.tmp) before `rename conf.tmp -> conf`");
    }
}

/// A log that is acknowledged without any barrier.
#[test]
fn a_log_that_is_not_synced_before_it_is_acknowledged() {
    let disk = SimFs::new();
    let log = disk.create_new(at("/log"), 0o644).unwrap();
    disk.sync_dir(at("/")).unwrap();
    for record in 1..=3u8 {
        log.append(&[record; 100]).unwrap();
        disk.mark(format!("record {record}").as_bytes());
    }
    let found = findings_of(&disk.trace(), &DEFAULT, |image, marks| {
        let bytes = content(image, "log").unwrap_or_default();
        let whole = (1..=marks).all(|n| {
            let range = (n as usize - 1) * 100..n as usize * 100;
            bytes.get(range).is_some_and(|record| record.iter().all(|b| u32::from(*b) == n))
        });
        (!whole).then(|| format!("LOST: not all of {marks} records are there"))
    });
    assert!(found.list[0].gate);
    let barriers: BTreeMap<_, _> =
        found.list.iter().map(|f| (barrier_of(f).text.clone(), barrier_of(f).after)).collect();
    assert!(
        barriers.keys().all(|text| text.starts_with("fsync(log) before `mark ")),
        "{barriers:?}"
    );
}

/// A file written in place: no barrier makes that atomic.
#[test]
fn where_no_barrier_helps_none_is_named() {
    let disk = SimFs::new();
    let file = disk.create_new(at("/conf"), 0o644).unwrap();
    file.write_at(&[1; 5000], 0).unwrap();
    file.sync_all().unwrap();
    disk.sync_dir(at("/")).unwrap();
    disk.mark(b"committed 1");
    file.write_at(&[2; 5000], 0).unwrap();
    file.sync_all().unwrap();
    disk.mark(b"committed 2");
    let found = findings_of(&disk.trace(), &["ext4"], |image, marks| {
        (marks > 0).then(|| check_replaced(image, marks)).flatten()
    });
    let [finding] = &found.list[..] else { panic!("{} findings", found.list.len()) };
    assert!(finding.violation.message.starts_with("TORN"));
    assert!(matches!(finding.remedy, Remedy::None { tried: 1.., .. }), "{:?}", finding.remedy);
}

fn ids(trace: &Trace, checker: fn(&DiskImage, u32) -> Option<String>) -> BTreeSet<String> {
    let found = findings_of(trace, &DEFAULT, checker);
    let ids: BTreeSet<_> = found.list.iter().map(|finding| finding.id.clone()).collect();
    assert_eq!(ids.len(), found.list.len(), "two findings of a run have one id");
    ids
}

#[test]
fn one_cause_has_one_id_and_another_cause_another() {
    let of = |synced, dir_synced| ids(&replaced(synced, dir_synced), check_replaced);
    let (file, dir) = (of(false, true), of(true, false));
    assert!(!file.is_empty() && !dir.is_empty() && file.is_disjoint(&dir), "{file:?} {dir:?}");
    // Whoever misses both barriers has both causes, and may have one of both together.
    let both = of(false, false);
    assert!(both.is_superset(&file) && both.is_superset(&dir), "{both:?} {file:?} {dir:?}");
    // What the checker says of a loss, and in how many words, is no part of its cause.
    let other = |image: &DiskImage, marks| check_replaced(image, marks).map(|_| "bad".to_owned());
    assert_eq!(ids(&replaced(true, false), other), dir);
}

/// A kill alone is enough here: what is lost tells nothing, so it is told after what.
#[test]
fn where_nothing_need_be_lost_an_id_says_after_what_the_power_went() {
    let made = |again: fn(&SimFs)| {
        let disk = SimFs::new();
        let file = disk.create_new(at("/conf"), 0o644).unwrap();
        file.write_at(&[1; 5000], 0).unwrap();
        file.sync_all().unwrap();
        disk.sync_dir(at("/")).unwrap();
        disk.mark(b"committed 1");
        again(&disk);
        disk.trace()
    };
    let checker =
        |image: &DiskImage, marks| (marks > 0).then(|| check_replaced(image, 1)).flatten();
    let cut = made(|disk| {
        let file = disk.open(at("/conf"), Access::ReadWrite).unwrap();
        file.set_len(0).unwrap();
        file.sync_all().unwrap();
        file.write_at(&[2; 5000], 0).unwrap();
        file.sync_all().unwrap();
    });
    let removed = made(|disk| {
        disk.unlink(at("/conf")).unwrap();
        disk.sync_dir(at("/")).unwrap();
    });
    let (cut, removed) = (ids(&cut, checker), ids(&removed, checker));
    assert!(!cut.is_empty() && !removed.is_empty());
    assert!(cut.is_disjoint(&removed), "{cut:?} {removed:?}");
}

/// A checker that looks at more than the state is told apart: this one fails once in each.
#[test]
fn a_checker_that_is_not_steady_shows() {
    struct Moody(BTreeSet<(u32, ImageHash)>);
    impl Judge for Moody {
        fn judge(&mut self, states: Vec<Asked>, _: &dyn Fn() -> bool) -> Vec<Verdict> {
            let verdict = |state: Asked| {
                if !self.0.insert((state.marks, state.image.hash())) {
                    return Verdict::Survived;
                }
                let message = "bad mood".to_owned();
                Verdict::Violated(Violation { message, ..Violation::default() })
            };
            states.into_iter().map(verdict).collect()
        }
    }
    let trace = replaced(true, true);
    let orders = [PersistOrder::new(&trace, Model::preset("ext4").unwrap())];
    let mut moody = Moody(BTreeSet::new());
    let mut book = Book::new(&mut moody);
    let bounds = Bounds::of(Tier::T1);
    let go_on = || false;
    let searched = search(&orders, bounds, &mut book, &go_on, &mut |_| {});
    let fail_on = ["ext4".to_owned()];
    let (orders, searched, book, stop) = (&orders, &searched, &mut book, &go_on);
    let inquiry =
        Inquiry { trace: &trace, orders, searched, fail_on: &fail_on, bounds, book, stop };
    let found = inquiry.findings();
    assert!(!found.list.is_empty() && found.list.iter().all(|finding| !finding.steady));
}

/// Gives each part of a search a few questions, however many states it has.
struct Few;

impl Time for Few {
    fn is_over(&self) -> bool {
        false
    }

    fn share(&self, _: u32) -> Box<dyn Fn() -> bool + '_> {
        let asked = std::cell::Cell::new(0);
        Box::new(move || asked.replace(asked.get() + 1) >= 4)
    }
}

/// The first model took all the time of a long run, and the others were not looked at.
#[test]
fn every_model_gets_its_share_of_the_time() {
    let disk = SimFs::new();
    for n in 0..500 {
        let file = disk.create_new(at(&format!("/{n}")), 0o644).unwrap();
        file.write_all_at(b"x", 0).unwrap();
    }
    let models = ["ext4", "xfs", "btrfs", "posix"].map(|name| Model::preset(name).unwrap().clone());
    let orders = PersistOrder::all(&disk.trace(), &models);
    let mut judge = InProcess(|_, _| None);
    let mut book = Book::new(&mut judge);
    let searched = search(&orders, Bounds::of(Tier::T2), &mut book, &Few, &mut |_| {});
    for searched in searched {
        assert!(searched.judged() > 0, "{}", searched.model.name);
        assert!(!searched.coverage.is_complete());
    }
}
