//! All strategies: name, what each does, what it gives, and how it is made. One file for each family.
//!
//! Names have two parts, `what/how`, so that `--only 'append/*'` chooses a family.

mod batch;
mod group;
mod in_place;
mod linked;
mod nameless;
mod new_file;
mod replace;

use self::batch::{Batch, Together};
use self::group::Group;
use self::in_place::{InPlace, Place};
use self::linked::Linked;
use self::nameless::Nameless;
use self::new_file::NewFile;
use self::replace::Replace;
use super::files::Barrier;
use super::gives::Gives;
use super::strategy::{Site, Strategy};

/// A row of the table of strategies.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What it is called.
    pub name: &'static str,
    /// The calls that it makes.
    pub calls: &'static str,
    /// What it gives when it returns.
    pub gives: Gives,
    kind: Kind,
}

/// How a strategy is made.
#[derive(Clone, Copy, Debug)]
enum Kind {
    InPlace(Place, Barrier),
    Linked(Place),
    NewFile(Barrier, bool),
    Replace(Barrier, bool),
    Nameless(bool),
    Batch(Together),
    Group,
}

impl Known {
    /// Makes it.
    pub fn at(&self, site: &Site) -> Box<dyn Strategy> {
        match self.kind {
            Kind::InPlace(place, barrier) => Box::new(InPlace::new(site, place, barrier)),
            Kind::Linked(place) => Box::new(Linked::new(site, place)),
            Kind::NewFile(barrier, dir) => Box::new(NewFile::new(site, barrier, dir)),
            Kind::Replace(barrier, dir) => Box::new(Replace::new(site, barrier, dir)),
            Kind::Nameless(dir) => Box::new(Nameless::new(site, dir)),
            Kind::Batch(together) => Box::new(Batch::new(site, together)),
            Kind::Group => Box::new(Group::new(site)),
        }
    }

    /// How many items one run makes durable.
    pub fn items(&self, site: &Site) -> u32 {
        if matches!(self.kind, Kind::Batch(_)) { site.batch } else { 1 }
    }

    /// How many items must be under way at once.
    pub fn together(&self, site: &Site) -> u32 {
        if matches!(self.kind, Kind::Group) { site.threads } else { self.items(site) }
    }

    /// Most runs of a burst: what new files leave behind is removed only after it.
    pub fn most_runs(&self, site: &Site) -> u64 {
        const MOST: u64 = 5000;
        const FILES: u64 = 1000;
        const BYTES: u64 = 16 << 20;
        match self.kind {
            Kind::NewFile(..) | Kind::Nameless(_) => (BYTES / site.step()).clamp(1, FILES),
            Kind::Group => (BYTES / site.step()).clamp(1, MOST),
            _ => MOST,
        }
    }
}

const fn known(name: &'static str, calls: &'static str, gives: Gives, kind: Kind) -> Known {
    Known { name, calls, gives, kind }
}

/// All strategies, in the order of the table.
pub const ALL: [Known; 27] = {
    use Barrier::{Dsync, Fdatasync, Fsync, None, Range};
    use Kind as K;
    use Place::{Allocated, End, Over};
    const KILL: Gives = Gives::KILL;
    const DURABLE: Gives = Gives::DURABLE;
    [
        known("overwrite/none", "write", KILL, K::InPlace(Over, None)),
        known(
            "overwrite/sync_file_range",
            "write, sync_file_range (not durable)",
            KILL,
            K::InPlace(Over, Range),
        ),
        known("overwrite/fdatasync", "write, fdatasync", DURABLE, K::InPlace(Over, Fdatasync)),
        known("overwrite/fsync", "write, fsync", DURABLE, K::InPlace(Over, Fsync)),
        known("overwrite/o_dsync", "write to an O_DSYNC file", DURABLE, K::InPlace(Over, Dsync)),
        known("overwrite/io_uring", "write linked to fdatasync", DURABLE, K::Linked(Over)),
        known("append/none", "write", KILL, K::InPlace(End, None)),
        known(
            "append/sync_file_range",
            "write, sync_file_range (not durable)",
            KILL,
            K::InPlace(End, Range),
        ),
        known("append/fdatasync", "write, fdatasync", DURABLE, K::InPlace(End, Fdatasync)),
        known("append/fsync", "write, fsync", DURABLE, K::InPlace(End, Fsync)),
        known("append/o_dsync", "write to an O_DSYNC file", DURABLE, K::InPlace(End, Dsync)),
        known("append/io_uring", "write linked to fdatasync", DURABLE, K::Linked(End)),
        known(
            "append/preallocated",
            "write into fallocated room, fdatasync",
            DURABLE,
            K::InPlace(Allocated, Fdatasync),
        ),
        known("append/group", "threads write, one fdatasyncs for all", DURABLE, K::Group),
        known("new-file/none", "open, write", KILL, K::NewFile(None, false)),
        known(
            "new-file/sync_file_range",
            "open, write, sync_file_range (not durable)",
            KILL,
            K::NewFile(Range, false),
        ),
        known(
            "new-file/fdatasync",
            "open, write, fdatasync",
            Gives::CONTENT,
            K::NewFile(Fdatasync, false),
        ),
        known("new-file/fsync", "open, write, fsync", Gives::CONTENT, K::NewFile(Fsync, false)),
        known("new-file/o_dsync", "open O_DSYNC, write", Gives::CONTENT, K::NewFile(Dsync, false)),
        known(
            "new-file/fsync+dirsync",
            "open, write, fsync, fsync of the directory",
            DURABLE,
            K::NewFile(Fsync, true),
        ),
        known("replace/none", "open, write, rename", Gives::WHOLE, K::Replace(None, false)),
        known(
            "replace/fsync",
            "open, write, fsync, rename",
            Gives::ORDERED,
            K::Replace(Fsync, false),
        ),
        known(
            "replace/fsync+dirsync",
            "open, write, fsync, rename, fsync of the directory",
            Gives::ALL,
            K::Replace(Fsync, true),
        ),
        known(
            "tmpfile/fsync",
            "open O_TMPFILE, write, fsync, linkat (new names only)",
            Gives::ORDERED,
            K::Nameless(false),
        ),
        known(
            "tmpfile/fsync+dirsync",
            "open O_TMPFILE, write, fsync, linkat (new names only), fsync of the directory",
            Gives::ALL,
            K::Nameless(true),
        ),
        known(
            "batch/syncfs",
            "write k files, syncfs and an fsync, rename all, fsync of the directory",
            Gives::ALL,
            K::Batch(Together::Syncfs),
        ),
        known(
            "batch/fsync",
            "write k files, fsync each, rename all, fsync of the directory",
            Gives::ALL,
            K::Batch(Together::FsyncEach),
        ),
    ]
};

/// What is known of the strategy of this name.
pub fn named(name: &str) -> Option<&'static Known> {
    static KNOWN: [Known; ALL.len()] = ALL;
    KNOWN.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::gives::PowerCut;
    use crate::signals::Stop;

    #[test]
    fn each_strategy_runs_and_settles() {
        for known in ALL {
            let dir = tempfile::tempdir().unwrap();
            let site = Site { dir: dir.path().to_owned(), size: 600, batch: 3, threads: 3 };
            let mut strategy = known.at(&site);
            // What the machine does not have is not there; all else works.
            if strategy.prepare().is_err() {
                assert!(known.name.contains("io_uring"), "{}", known.name);
                continue;
            }
            for _ in 0..2 {
                let samples = strategy.burst(5, &Stop::default()).unwrap();
                assert!(samples.runs.len() >= 5 && samples.runs.len() <= 6, "{}", known.name);
                strategy.settle().unwrap();
            }
        }
    }

    #[test]
    fn a_file_that_is_full_begins_anew() {
        for kind in [Place::End, Place::Over, Place::Allocated] {
            let dir = tempfile::tempdir().unwrap();
            let dir_of_it = dir.path().to_owned();
            let site = Site { dir: dir_of_it, size: 1 << 20, batch: 1, threads: 1 };
            let mut strategy = InPlace::new(&site, kind, Barrier::None);
            strategy.prepare().unwrap();
            assert_eq!(strategy.burst(20, &Stop::default()).unwrap().runs.len(), 20);
            let len =
                Barrier::None.open(&dir.path().join("file")).unwrap().metadata().unwrap().len();
            assert!(len <= 16 << 20, "{len}");
        }
    }

    #[test]
    fn what_is_named_not_durable_gives_nothing_after_a_power_cut() {
        for known in ALL {
            let durable = known.gives.power_cut != PowerCut::Nothing;
            let barred = !known.name.ends_with("/none") && !known.name.ends_with("sync_file_range");
            assert_eq!(durable, barred, "{}", known.name);
            assert_eq!(known.calls.contains("not durable"), known.name.ends_with("_range"));
            assert_eq!(named(known.name).map(|found| found.calls), Some(known.calls));
        }
    }
}
