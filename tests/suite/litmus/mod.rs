//! Litmus tests: what a crash may leave of programs of a few calls, in pairs of a mistake and its
//! remedy, counted exactly under every preset.
//!
//! A pair has one checker and two programs. All legal sets of all crash points are made into disks;
//! an outcome is what the checker is shown: a disk (as told apart by its hash) with the number of
//! acknowledgements before the crash. Beside each pair is a table, `outcomes/violations` of the buggy
//! and of the fixed program for each preset. When a number is not as expected the test prints the
//! whole table as it is now. A changed number is a changed promise to users: understand it before
//! it is written down.
//!
//! `changes.rs` shows for each rule that it matters, `documented.rs` that the documentation agrees. Not
//! for programs with many states: everything here is exhaustive.

mod acknowledged;
mod changes;
mod commits;
mod content;
mod disk;
mod documented;
mod failures;
mod names;
mod overwrites;
mod synced;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::ops::ControlFlow;

use faultfs::{Fill, Legal, Model, PersistOrder, Trace, Window};

use disk::{Crash, Disk};

/// A mistake and its remedy.
struct Pair {
    /// What it shows, in one sentence.
    shows: &'static str,
    /// What is on the disk before, all of it durable.
    start: fn(&Disk),
    buggy: fn(&Disk),
    fixed: fn(&Disk),
    /// What the program owes to its user after a crash.
    holds: fn(&Crash) -> bool,
    /// A line for each preset: `outcomes/violations` of the buggy and of the fixed program; what comes
    /// after a `#` explains it.
    counts: &'static str,
}

/// A pair with its name.
type Named = (&'static str, fn() -> Pair);

/// Lists the pairs of a file, and makes two tests of each.
macro_rules! pairs {
    ($($name:ident,)*) => {
        pub(super) const PAIRS: &[super::Named] = &[$((stringify!($name), $name),)*];

        $(
            mod $name {
                use super::super::{Version, assert_counts};

                #[test]
                fn buggy() {
                    assert_counts(&super::$name(), Version::Buggy);
                }

                #[test]
                fn fixed() {
                    assert_counts(&super::$name(), Version::Fixed);
                }
            }
        )*
    };
}
use pairs;

/// All pairs.
fn all() -> impl Iterator<Item = &'static Named> {
    let themes = [
        names::PAIRS,
        acknowledged::PAIRS,
        synced::PAIRS,
        commits::PAIRS,
        content::PAIRS,
        overwrites::PAIRS,
        failures::PAIRS,
    ];
    themes.into_iter().flatten()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Buggy,
    Fixed,
}

impl Pair {
    fn trace(&self, version: Version, model: &Model) -> Trace {
        let before = Disk::new();
        (self.start)(&before);
        let disk = before.rebooted(model.rules.fsync_failure);
        match version {
            Version::Buggy => (self.buggy)(&disk),
            Version::Fixed => (self.fixed)(&disk),
        }
        disk.trace()
    }

    fn count(&self, version: Version, model: &Model) -> Count {
        let order = PersistOrder::new(&self.trace(version, model), model);
        let mut seen = BTreeSet::new();
        let mut violations = 0;
        let mut window = Window::first(&order);
        loop {
            let acks = window.marks();
            let _all = Legal::all(&window).visit::<()>(&mut |image, _| {
                if seen.insert((image.hash(), acks)) && !(self.holds)(&Crash::new(image, acks)) {
                    violations += 1;
                }
                ControlFlow::Continue(())
            });
            if !window.advance() {
                return Count { outcomes: seen.len(), violations };
            }
        }
    }

    /// The line of a preset in the table: the counts, and the explanation.
    fn expected(&self, model: &str) -> Option<([&str; 2], Option<&str>)> {
        let line =
            self.counts.lines().find(|line| line.split_whitespace().next() == Some(model))?;
        let (counts, why) = line.split_once('#').map_or((line, None), |(a, b)| (a, Some(b.trim())));
        let mut counts = counts.split_whitespace().skip(1);
        Some(([counts.next()?, counts.next()?], why))
    }

    /// The table as it is now, with the explanations it had.
    fn table(&self) -> String {
        let mut table = String::new();
        for model in Model::presets() {
            let name = &model.name;
            let [buggy, fixed] = [Version::Buggy, Version::Fixed].map(|v| self.count(v, model));
            let why = self.expected(name).and_then(|(_, why)| why);
            let why = why.map_or(String::new(), |why| format!("   # {why}"));
            let (buggy, fixed) = (buggy.to_string(), fixed.to_string());
            writeln!(table, "            {name:<18} {buggy:>8} {fixed:>8}{why}").unwrap();
        }
        table
    }
}

/// What came out: different outcomes, and how many of them the checker does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    outcomes: usize,
    violations: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.outcomes, self.violations)
    }
}

#[track_caller]
fn assert_counts(pair: &Pair, version: Version) {
    for model in Model::presets() {
        let expected = pair.expected(&model.name).map(|(counts, _)| counts[version as usize]);
        let found = pair.count(version, model).to_string();
        if expected != Some(&found) {
            let (shows, name, expected) = (pair.shows, &model.name, expected.unwrap_or("nothing"));
            panic!(
                "{shows}\n{version:?} under {name}: expected {expected}, found {found}; all counts now:\n{}",
                pair.table()
            );
        }
    }
}

#[test]
fn there_are_at_least_forty_and_each_pair_has_a_name_of_its_own() {
    let names: BTreeSet<_> = all().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all().count());
    assert!(names.len() * 2 >= 40, "{} pairs", names.len());
}

#[test]
fn every_mistake_shows_somewhere_and_no_remedy_fails_on_a_default_disk() {
    for (name, pair) in all() {
        let pair = pair();
        let violated = |version, model: &&Model| pair.count(version, model).violations > 0;
        assert!(Model::presets().iter().any(|model| violated(Version::Buggy, &model)), "{name}");
        for model in ["sequential", "posix", "ext4", "xfs", "btrfs"] {
            let model = Model::preset(model).unwrap();
            assert!(!violated(Version::Fixed, &model), "{name} under {}", model.name);
        }
    }
}

/// Every prefix of what is pending is legal, so it can be put in step by step and taken out again.
#[test]
fn effects_that_are_taken_out_again_leave_the_disk_as_it_was() {
    let writeback = Model::preset("ext4-writeback").unwrap();
    let garbage = writeback.with(|rules| rules.fill = Fill::Garbage);
    let models = Model::presets().iter().chain([&garbage]);
    for (model, (name, pair)) in models.flat_map(|model| all().map(move |named| (model, named))) {
        let order = PersistOrder::new(&pair().trace(Version::Buggy, model), model);
        let mut window = Window::first(&order);
        while window.advance() {
            let mut image = window.durable().clone();
            let mut hashes = Vec::new();
            for position in 0..window.pending().len() {
                hashes.push(image.hash());
                window.apply(position, &mut image);
            }
            assert_eq!(image.hash(), window.full().hash(), "{name}, {}", model.name);
            for (position, hash) in hashes.into_iter().enumerate().rev() {
                window.undo(position, &mut image);
                assert_eq!(image.hash(), hash, "{name}, {}: {position}", model.name);
            }
        }
    }
}
