//! The workloads: what each of them draws from a seed.
//!
//! A size is about how many operations of the store a run makes. An operation is 5 Ops (a put) to about
//! 20 (a commit of one file), so 2 makes a trace of at most 60 Ops and 100 one of about 1,000; only
//! `init` makes 300 Ops at any size. The same workload, seed and size is the same plan on every machine.

use super::plan::{Begin, Bytes, Damage, Draw, Plan, Step};
use super::{after_kill, operations, packs, pairs, settings, together};

/// What is done to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Puts bytes, some of them twice.
    Put,
    /// Puts files by their path.
    PutFromPath,
    /// Restores objects into a work directory, over older files.
    Restore,
    /// Commits on one branch.
    Commit,
    /// Makes, moves and deletes branches, and sets HEAD to branches and commits.
    Branches,
    /// Two writers that commit to one branch.
    CasRace,
    /// A garbage collection without grace beside a writer.
    GcBesideWriter,
    /// Puts the bytes of corrupt objects again.
    Repair,
    /// Opens a store that killed writers and a killed collection left, and goes on.
    OpenAfterCrash,
    /// Threads of one process whose commits share their barriers.
    Group,
    /// Imports commits in batches.
    Import,
    /// Makes the store on an empty disk.
    Init,
    /// One to three writers and all of the above.
    Mixed,
    /// Writes text and JSON files into directories that it makes.
    Text,
    /// Two that open a store with leftovers at the same time.
    OpenRace,
    /// A process that is killed before its last calls, and another that builds on what it left. The seed
    /// counts through what they do, and then through the call.
    AfterKill,
    /// An init that is killed, and another one; the seed counts through its calls from both ends.
    InitAfterKill,
    /// A store of the format before the present one is raised, after a first attempt that is killed. The
    /// seed counts through its calls from both ends.
    Raise,
    /// Fetches packs, sweeps them, and takes in packs of others.
    Packs,
    /// One that is killed while it fetches or sweeps, and another that does the same; the seed counts through
    /// what they do, and then through the call.
    PacksAfterKill,
    /// Merges and rebases that begin, go on and end. Some seeds kill the one who begins them, or collect
    /// garbage meanwhile.
    State,
    /// Two agents that reserve, intend, release and sweep. Some seeds kill the first one.
    Coordination,
    /// Two writers of the operation log, one of whom makes checkpoints and compacts. Some seeds kill a
    /// writer before them, or begin with a torn log.
    OpLog,
    /// One or two writers that change the settings. Some seeds kill a writer before them.
    Config,
    /// One writer that checks out commits and ends merges. Some seeds kill a writer before it.
    Operations,
    /// Two operations of any two kinds, at the same time or the second one after the first was killed. The
    /// seed counts through the pairs, and then through the ways.
    Pairs,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Put,
        Self::PutFromPath,
        Self::Restore,
        Self::Commit,
        Self::Branches,
        Self::CasRace,
        Self::GcBesideWriter,
        Self::Repair,
        Self::OpenAfterCrash,
        Self::Group,
        Self::Import,
        Self::Init,
        Self::Mixed,
        Self::Text,
        Self::OpenRace,
        Self::AfterKill,
        Self::InitAfterKill,
        Self::Raise,
        Self::Packs,
        Self::PacksAfterKill,
        Self::State,
        Self::Coordination,
        Self::OpLog,
        Self::Config,
        Self::Operations,
        Self::Pairs,
    ];

    /// Those whose runs can be small enough to look at every legal set of every crash point: all but
    /// those that make a store.
    pub const SMALL: [Self; 23] = [
        Self::Put,
        Self::PutFromPath,
        Self::Restore,
        Self::Commit,
        Self::Branches,
        Self::CasRace,
        Self::GcBesideWriter,
        Self::Repair,
        Self::OpenAfterCrash,
        Self::Mixed,
        Self::Text,
        Self::OpenRace,
        Self::AfterKill,
        Self::Packs,
        Self::PacksAfterKill,
        Self::State,
        Self::Coordination,
        Self::OpLog,
        Self::Config,
        Self::Operations,
        Self::Pairs,
        Self::Group,
        Self::Import,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutFromPath => "put-from-path",
            Self::Restore => "restore",
            Self::Commit => "commit",
            Self::Branches => "branches",
            Self::CasRace => "cas-race",
            Self::GcBesideWriter => "gc-beside-writer",
            Self::Repair => "repair",
            Self::OpenAfterCrash => "open-after-crash",
            Self::Group => "group",
            Self::Import => "import",
            Self::Init => "init",
            Self::Mixed => "mixed",
            Self::Text => "text",
            Self::OpenRace => "open-race",
            Self::AfterKill => "after-kill",
            Self::InitAfterKill => "init-after-kill",
            Self::Raise => "raise",
            Self::Packs => "packs",
            Self::PacksAfterKill => "packs-after-kill",
            Self::State => "state",
            Self::Coordination => "coordination",
            Self::OpLog => "oplog",
            Self::Config => "config",
            Self::Operations => "operations",
            Self::Pairs => "pairs",
        }
    }

    /// The workload of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What a run of it does.
    pub(super) fn plan(self, seed: u64, size: usize) -> Plan {
        let draw = &mut Draw::new(seed);
        match self {
            Self::Put => alone(times(size, || draw.put(false))),
            Self::PutFromPath => put_from_path(draw, size),
            Self::Restore => restore(draw, size),
            Self::Commit => alone(times(commits(size), || draw.commit("main"))),
            Self::Branches => branches(draw, size),
            Self::CasRace => cas_race(draw, size),
            Self::GcBesideWriter => gc_beside_writer(draw, size),
            Self::Repair => repair(draw, size),
            Self::OpenAfterCrash => open_after_crash(draw, size),
            Self::Group => group(draw, size),
            Self::Import => import(draw, size),
            Self::Init => Plan { begin: Begin::Init, ..Plan::default() },
            Self::Mixed => mixed(draw, size),
            Self::Text => text(draw, size),
            Self::OpenRace => open_race(draw, size),
            Self::AfterKill => after_kill::plan(draw, seed, size),
            Self::InitAfterKill => after_kill::init(seed),
            Self::Raise => after_kill::raise(draw, seed),
            Self::Packs => packs::plan(draw, size),
            Self::PacksAfterKill => packs::after_kill(draw, seed, size),
            Self::State => together::state(draw, seed, size),
            Self::Coordination => together::coordination(draw, seed, size),
            Self::OpLog => together::oplog(draw, seed, size),
            Self::Config => settings::plan(draw, seed, size),
            Self::Operations => operations::plan(draw, seed, size),
            Self::Pairs => pairs::plan(draw, seed, size),
        }
    }
}

/// A commit is three puts and a move.
pub(super) fn commits(size: usize) -> usize {
    size.div_ceil(4)
}

pub(super) fn times<T>(count: usize, make: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(make).take(count.max(1)).collect()
}

pub(super) fn alone(steps: Vec<Step>) -> Plan {
    Plan { writers: vec![steps], ..Plan::default() }
}

fn put_from_path(draw: &mut Draw, size: usize) -> Plan {
    let sources: Vec<_> = (0..size.max(1)).map(|_| draw.some()).collect();
    Plan { sources, ..alone((0..size.max(1)).map(Step::PutFromPath).collect()) }
}

fn restore(draw: &mut Draw, size: usize) -> Plan {
    let before = times(4, || draw.put(false));
    Plan { before, ..alone(times(size.div_ceil(2), || draw.restore("tree"))) }
}

const BRANCHES: [&str; 4] = ["main", "topic", "feature/one", "feature/two"];

fn branches(draw: &mut Draw, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.commit("main"), draw.commit("feature/one")];
    // Some steps find no branch to work on; the first one does not need any.
    let mut steps = vec![Step::Attach { branch: draw.of(&BRANCHES) }];
    steps.extend((1..size).map(|_| branch_step(draw, &BRANCHES)));
    Plan { before, ..alone(steps) }
}

fn branch_step(draw: &mut Draw, names: &[&'static str]) -> Step {
    let branch = draw.of(names);
    match draw.rng.u32(0..10) {
        0 => draw.commit(branch),
        1..5 => Step::Point { branch, at: draw.of(names) },
        5..7 => Step::Delete { branch },
        7 => Step::Attach { branch },
        _ => Step::Detach { branch },
    }
}

/// Up to this size a batch has few enough new objects to look at every legal set.
const SMALLEST: usize = 2;

fn cas_race(draw: &mut Draw, size: usize) -> Plan {
    let each = size.div_ceil(8);
    let mut writer = || times(each, || draw.commit("main"));
    Plan { writers: vec![writer(), writer()], ..Plan::default() }
}

/// Two threads, or three: each commits to a branch of its own and to one that all of them move.
fn group(draw: &mut Draw, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.commit("a")];
    let threads = 2 + size / 8 % 2;
    let own = ["a", "deep/b", "c"];
    let each = size.div_ceil(8);
    let thread = |own: &'static str| {
        times(each, || {
            let branch = if draw.rng.u8(0..3) == 0 { "main" } else { own };
            draw.group_commit(branch, size <= SMALLEST)
        })
    };
    let writers = own.into_iter().take(threads).map(thread).collect();
    Plan { before, writers, begin: Begin::OpenShared, ..Plan::default() }
}

/// Imports to a branch that is there and to a new one.
fn import(draw: &mut Draw, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.put(false)];
    let mut steps = vec![draw.import_commits("main", size.div_ceil(2), size <= SMALLEST)];
    if size > 4 {
        steps.push(draw.import_commits("deep/new", size.div_ceil(4), false));
    }
    Plan { before, ..alone(steps) }
}

fn gc_beside_writer(draw: &mut Draw, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.put(true), draw.put(true), draw.commit("topic")];
    let writer = times(size.div_ceil(3), || match draw.rng.u32(0..8) {
        0..3 => draw.put(true),
        3 => draw.commit("topic"),
        4 => Step::Delete { branch: "topic" },
        5 => Step::Detach { branch: "main" },
        _ => draw.commit("main"),
    });
    let collector = times(size.div_ceil(12), || Step::Gc);
    Plan { before, writers: vec![writer, collector], ..Plan::default() }
}

fn repair(draw: &mut Draw, size: usize) -> Plan {
    let corrupt: Vec<Bytes> = (0..size.max(1)).map(|_| draw.bytes()).collect();
    let file = [("file", Bytes::clone(&corrupt[0]))];
    let mut before: Vec<_> = corrupt.iter().map(put_again).collect();
    // One of them is part of a history.
    before.push(Step::Commit { branch: "main", files: file.to_vec() });
    let again = corrupt.iter().map(put_again).collect();
    Plan { before, damage: Damage::Corrupt(corrupt), ..alone(again) }
}

pub(super) fn put_again(bytes: &Bytes) -> Step {
    Step::Put { bytes: Bytes::clone(bytes), pinned: false }
}

/// A killed writer leaves its temp beside this file.
pub(super) const RESTORED: &str = "/work/tree/file";

/// A store with the leftovers of killed processes.
pub(super) fn leftovers(draw: &mut Draw) -> Plan {
    let commit = draw.commit("main");
    let restore = Step::Restore { bytes: draw.known(), to: RESTORED.to_owned(), executable: false };
    let mut before = vec![commit, restore];
    // Nothing leads to these: the collection that is killed was about to take them.
    before.extend(times(3, || Step::Put { bytes: draw.bytes(), pinned: true }));
    Plan { before, damage: Damage::Leftovers, ..Plan::default() }
}

fn open_after_crash(draw: &mut Draw, size: usize) -> Plan {
    let plan = leftovers(draw);
    let little = times(size.div_ceil(4), || {
        if draw.rng.bool() { draw.put(false) } else { draw.commit("main") }
    });
    Plan { writers: vec![little], ..plan }
}

fn open_race(draw: &mut Draw, size: usize) -> Plan {
    let plan = leftovers(draw);
    let mut writer = || times(size.div_ceil(6), || draw.put(false));
    Plan { writers: vec![writer(), writer()], begin: Begin::OpenInTurns, ..plan }
}

fn text(draw: &mut Draw, size: usize) -> Plan {
    Plan { begin: Begin::Texts, ..alone(times(size, || draw.write_text())) }
}

/// Each writer moves branches and restores files of its own, and commits to `main` as the others do.
const OWN: [[&str; 3]; 3] =
    [["a", "zero/a", "zero/b"], ["b", "one/a", "one/b"], ["c", "two/a", "two/b"]];

fn mixed(draw: &mut Draw, size: usize) -> Plan {
    let before = vec![draw.commit("main"), draw.commit("a"), draw.put(true)];
    let sources: Vec<_> = (0..3).map(|_| draw.bytes()).collect();
    let writers = draw.rng.usize(1..=OWN.len()).min(size.max(1));
    let [collects, sets_head] = [draw.rng.bool(), draw.rng.bool()];
    let each = size.div_ceil(3 * writers);
    let writer = |(n, own): (usize, &[&'static str; 3])| {
        times(each, || match draw.rng.u32(0..16) {
            // A file is put without a pin, so what it stored might be collected at once.
            0 if !collects => Step::PutFromPath(draw.rng.usize(0..3)),
            0..3 => {
                let pinned = collects || draw.rng.bool();
                draw.put(pinned)
            }
            3..5 => draw.restore(own[0]),
            5..7 => draw.commit("main"),
            7 => draw.group_commit(own[0], false),
            8 if collects => Step::Gc,
            12 => packs::fetch(draw, "main"),
            13 => packs::sweep(draw),
            9 => together::step(draw, n == 0),
            14 => settings::step_of(draw, n),
            15 if n == 0 => operations::step_among_others(draw),
            _ => match branch_step(draw, own) {
                // HEAD has no compare-and-swap: one writer sets it.
                Step::Attach { .. } | Step::Detach { .. } if n > 0 => draw.commit(own[1]),
                // A checkout says where HEAD is, and holds no longer when it is set without one.
                Step::Attach { .. } | Step::Detach { .. } if !sets_head => {
                    operations::step_among_others(draw)
                }
                step => step,
            },
        })
    };
    let mut writers: Vec<_> = OWN.iter().take(writers).enumerate().map(writer).collect();
    // Some steps find nothing to work on; this one does not need anything.
    writers[0][0] = draw.commit("main");
    Plan { before, sources, writers, ..Plan::default() }
}
