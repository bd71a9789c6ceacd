//! Plans of two operations: every kind beside every other one, and after one that is killed in it.
//!
//! The seed counts through the pairs, and then through the ways: two writers at the same time, a writer that
//! opens the store after one that is killed at a drawn call, and one that had it open before. Not for runs of
//! many kinds: see `mixed` in `workload`.

use super::packs::{FETCH, SWEEP};
use super::plan::{Begin, Draw, Killed, Moment, Plan, Step};
use super::settings;
use super::together::{MERGE, REBASE};
use super::workload::times;

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Put,
    PutFromPath,
    Restore,
    Commit,
    GroupCommit,
    ImportCommits,
    Point,
    Delete,
    Attach,
    Checkout,
    Merge,
    EndMerge,
    Conclude,
    Rebase,
    EndRebase,
    Claim,
    Intend,
    Release,
    SweepReservations,
    Append,
    Checkpoint,
    Compact,
    SetRemote,
    RemoveRemote,
    Fetch,
    SweepPacks,
    ImportPack,
    Gc,
}

const KINDS: [Kind; 28] = [
    Kind::Put,
    Kind::PutFromPath,
    Kind::Restore,
    Kind::Commit,
    Kind::GroupCommit,
    Kind::ImportCommits,
    Kind::Point,
    Kind::Delete,
    Kind::Attach,
    Kind::Checkout,
    Kind::Merge,
    Kind::EndMerge,
    Kind::Conclude,
    Kind::Rebase,
    Kind::EndRebase,
    Kind::Claim,
    Kind::Intend,
    Kind::Release,
    Kind::SweepReservations,
    Kind::Append,
    Kind::Checkpoint,
    Kind::Compact,
    Kind::SetRemote,
    Kind::RemoveRemote,
    Kind::Fetch,
    Kind::SweepPacks,
    Kind::ImportPack,
    Kind::Gc,
];

/// So many pairs; the seed counts through them first.
pub const PAIRS: u64 = (KINDS.len() * KINDS.len()) as u64;

/// In so many ways the two come together.
const WAYS: u64 = 3;

/// As many seeds, from 0 on, are every pair in every way.
pub const ALL_PAIRS: u64 = PAIRS * WAYS;

/// What only one writer may change, since nobody else's change of it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owned {
    Head,
    Merge,
    Rebase,
    Log,
    /// Objects that nothing leads to yet.
    Unpinned,
}

/// A branch, a remote and a folder of each writer's own.
const OWN: [&str; 2] = ["a", "b"];

impl Kind {
    fn owned(self) -> Option<Owned> {
        match self {
            Self::Attach | Self::Checkout => Some(Owned::Head),
            Self::Merge | Self::EndMerge | Self::Conclude => Some(Owned::Merge),
            Self::Rebase | Self::EndRebase => Some(Owned::Rebase),
            Self::Checkpoint | Self::Compact => Some(Owned::Log),
            // A file is put without a pin, so what it stored might be collected at once.
            Self::PutFromPath | Self::Gc => Some(Owned::Unpinned),
            _ => None,
        }
    }

    /// What must be there for it, for one of the two.
    fn before(self, draw: &mut Draw, who: usize) -> Vec<Step> {
        let own = OWN[who];
        match self {
            Self::Restore => vec![draw.put(true)],
            Self::Point | Self::Delete | Self::ImportCommits => {
                vec![Step::Point { branch: own, at: "topic" }]
            }
            Self::EndMerge | Self::Conclude => vec![MERGE],
            Self::EndRebase => vec![REBASE],
            Self::Intend | Self::Release => vec![draw.claim(false)],
            Self::SweepReservations => vec![draw.claim(true)],
            Self::Checkpoint => vec![Step::Append(draw.text())],
            Self::Compact => vec![Step::Append(draw.text()), Step::Checkpoint],
            Self::RemoveRemote => vec![settings::set(draw, own)],
            Self::SweepPacks => vec![FETCH],
            Self::Gc => vec![draw.put(false)],
            _ => Vec::new(),
        }
    }

    fn step(self, draw: &mut Draw, who: usize) -> Step {
        let own = OWN[who];
        match self {
            Self::Put => draw.put(true),
            Self::PutFromPath => Step::PutFromPath(who),
            Self::Restore => draw.restore(own),
            Self::Commit => draw.commit("main"),
            Self::GroupCommit => draw.group_commit("main", true),
            Self::ImportCommits => draw.import_commits(own, 1, true),
            Self::Point => Step::Point { branch: own, at: "main" },
            Self::Delete => Step::Delete { branch: own },
            Self::Attach => Step::Attach { branch: "topic" },
            Self::Checkout => Step::Checkout { branch: "topic" },
            Self::Merge => MERGE,
            Self::EndMerge => Step::EndMerge,
            Self::Conclude => Step::Conclude { branch: "main" },
            Self::Rebase => REBASE,
            Self::EndRebase => Step::EndRebase,
            Self::Claim => draw.claim(false),
            Self::Intend => draw.intend(),
            Self::Release => draw.release(),
            Self::SweepReservations => Step::SweepReservations,
            Self::Append => Step::Append(draw.text()),
            Self::Checkpoint => Step::Checkpoint,
            Self::Compact => Step::Compact,
            Self::SetRemote => settings::set(draw, own),
            Self::RemoveRemote => Step::Remote { name: own, url: None },
            Self::Fetch => FETCH,
            Self::SweepPacks => SWEEP,
            Self::ImportPack => Step::Import { branch: own, files: vec![("file", draw.bytes())] },
            Self::Gc => Step::Gc,
        }
    }
}

/// The pair of the seed, in the way of the seed.
pub(super) fn plan(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    // Less than the number of pairs, so it fits.
    let pair = usize::try_from(seed % PAIRS).unwrap_or_default();
    let [first, second] = [pair / KINDS.len(), pair % KINDS.len()].map(|kind| KINDS[kind]);
    let mut before = vec![draw.commit("main"), draw.commit("topic")];
    let sources = vec![draw.bytes(), draw.bytes()];
    let way = seed / PAIRS % WAYS;
    // Whoever comes after a dead one works on the same branch, remote and files.
    let who = usize::from(way == 0);
    before.extend(first.before(draw, 0));
    before.extend(second.before(draw, who));
    let each = size.div_ceil(2);
    let one = times(each, || first.step(draw, 0));
    let other = times(each, || second.step(draw, who));
    let plan = Plan { before, sources, ..Plan::default() };
    let begin = match way {
        0 => {
            let in_turn = first.owned().is_some() && first.owned() == second.owned();
            let writers = if in_turn { vec![[one, other].concat()] } else { vec![one, other] };
            return Plan { writers, ..plan };
        }
        1 => Begin::Open,
        _ => Begin::OpenFirst,
    };
    let at = Moment::BeforeEnd(draw.rng.u64(0..64));
    let killed = vec![Killed { init: false, steps: one, at }];
    Plan { begin, killed, writers: vec![other], ..plan }
}
