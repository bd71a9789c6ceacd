//! Tiny runs and models drawn at random: abstract steps, what they do to a `SimFs`, and the models
//! they are looked at under.
//!
//! A step that the disk refuses is no step. Not for comparing.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use faultfs::{
    Access, Allocation, Append, Barriers, DataOrder, Fdatasync, Fill, Fs, FsFile, FsyncDir,
    FsyncFile, MetadataOrder, Model, RenameAtomicity, Replace, Rules, SimFile, SimFs, Tear, Trace,
    Truncated,
};
use proptest::prelude::*;

use super::definition::Definition;

/// More pending effects than this have too many subsets.
const MOST_PENDING: usize = 10;

/// A set of effects is one word.
const MOST_EFFECTS: usize = 60;

const FILES: [&str; 6] = ["/a", "/b", "/d/a", "/d/b", "/d/e/a", "/e"];
const DIRS: [&str; 4] = ["/d", "/d/e", "/e", "/b"];
const MODES: [u32; 4] = [0o600, 0o644, 0o755, 0o444];

/// Units of a torn write that fit neither sectors nor pages, or are these by another name.
const UNITS: [u32; 8] = [1000, 4096, 512, 700, 6000, 8192, 10_000, 4095];

/// What is on some disks from the beginning.
const FURNITURE: [Step; 6] = [
    Step::Create("/a", 0o644),
    Step::Append(Target::Last, 5000),
    Step::Mkdir("/d"),
    Step::Create("/d/b", 0o600),
    Step::Append(Target::Last, 700),
    Step::Mkdir("/d/e"),
];

#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(&'static str, u32),
    Mkdir(&'static str),
    Write(Target, u64, u64),
    Append(Target, u64),
    SetLen(Target, u64),
    SetMode(Target, u32),
    SetModified(Target, u64),
    Rename(&'static str, &'static str),
    Exchange(&'static str, &'static str),
    Link(&'static str, &'static str),
    Symlink(&'static str),
    Unlink(&'static str),
    Rmdir(&'static str),
    SyncData(Target),
    SyncAll(Target),
    SyncDir(&'static str),
    Mark,
}

/// A file by its path, or the file that was looked at last, whatever its name is by now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    At(&'static str),
    Last,
}

/// One rule with another value.
pub(super) type Change = (u8, u8);

#[derive(Clone)]
pub(super) struct Case {
    pub(super) model: Model,
    pub(super) furnished: bool,
    pub(super) before: Vec<Step>,
    pub(super) steps: Vec<Step>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {:?}", self.model.name, self.model.rules)?;
        writeln!(f, "furnished {}", self.furnished)?;
        write!(f, "before {:?}\nsteps {:?}", self.before, self.steps)
    }
}

pub(super) fn case(changes: usize) -> impl Strategy<Value = Case> {
    // More often the rule with the most to go wrong, and those with values that no preset has.
    let rule = prop_oneof![4 => 0..13u8, 1 => Just(0), 1 => Just(6), 1 => Just(11)];
    let changes = prop::collection::vec((rule, any::<u8>()), 0..=changes);
    let model = (0..Model::presets().len(), changes).prop_map(|(preset, changes)| {
        let preset = &Model::presets()[preset];
        if changes.is_empty() {
            return preset.clone();
        }
        preset.with(|rules| changes.into_iter().for_each(|one| change(rules, one)))
    });
    let steps = prop::collection::vec(step(), 1..14);
    (model, any::<bool>(), prop::collection::vec(step(), 0..6), steps)
        .prop_map(|(model, furnished, before, steps)| Case { model, furnished, before, steps })
}

fn change(rules: &mut Rules, (rule, value): Change) {
    fn pick<T: Copy>(all: &[T], value: u8) -> T {
        all[usize::from(value) % all.len()]
    }
    match rule {
        0 => rules.metadata_order = pick(MetadataOrder::ALL, value),
        1 => rules.data_order = pick(DataOrder::ALL, value),
        2 => rules.rename = pick(RenameAtomicity::ALL, value),
        3 => rules.allocation = pick(Allocation::ALL, value),
        4 => rules.append = pick(Append::ALL, value),
        5 => rules.fill = pick(Fill::ALL, value),
        6 => {
            let bytes = Tear::Bytes(pick(&UNITS, value / 4));
            rules.tear = pick(&[Tear::None, Tear::Page, Tear::Sector, bytes], value);
        }
        7 => rules.fsync_file = pick(FsyncFile::ALL, value),
        8 => rules.fdatasync = pick(Fdatasync::ALL, value),
        9 => rules.fsync_dir = pick(FsyncDir::ALL, value),
        10 => rules.replace_by_rename = pick(Replace::ALL, value),
        11 => rules.replace_by_truncate = pick(Truncated::ALL, value),
        _ => rules.barriers = pick(Barriers::ALL, value),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let file = || (0..FILES.len()).prop_map(|n| FILES[n]);
    let dir = || (0..DIRS.len()).prop_map(|n| DIRS[n]);
    let path = || prop_oneof![3 => file(), 2 => dir()];
    let target = || prop_oneof![2 => Just(Target::Last), 1 => file().prop_map(Target::At)];
    let any_target = || prop_oneof![4 => target(), 1 => dir().prop_map(Target::At)];
    let mode = || (0..MODES.len()).prop_map(|n| MODES[n]);
    let synced_dir = prop_oneof![Just("/"), dir()];
    let names = prop_oneof![
        5 => (file(), mode()).prop_map(|(at, mode)| Step::Create(at, mode)),
        3 => dir().prop_map(Step::Mkdir),
        5 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(one, other)| Step::Exchange(one, other)),
        1 => (file(), file()).prop_map(|(old, new)| Step::Link(old, new)),
        1 => file().prop_map(Step::Symlink),
        2 => file().prop_map(Step::Unlink),
        1 => dir().prop_map(Step::Rmdir),
    ];
    let content = prop_oneof![
        6 => (target(), offset(), len()).prop_map(|(t, offset, len)| Step::Write(t, offset, len)),
        3 => (target(), len()).prop_map(|(target, len)| Step::Append(target, len)),
        1 => (target(), 0..2u64).prop_map(|(target, len)| Step::SetLen(target, len)),
        4 => (target(), offset()).prop_map(|(target, len)| Step::SetLen(target, len)),
        1 => (any_target(), mode()).prop_map(|(target, mode)| Step::SetMode(target, mode)),
        1 => (any_target(), 0..9u64).prop_map(|(target, time)| Step::SetModified(target, time)),
    ];
    let barriers = prop_oneof![
        3 => any_target().prop_map(Step::SyncData),
        3 => any_target().prop_map(Step::SyncAll),
        3 => synced_dir.prop_map(Step::SyncDir),
        1 => Just(Step::Mark),
    ];
    prop_oneof![4 => names, 4 => content, 2 => barriers]
}

/// Around the ends of sectors and pages.
fn offset() -> impl Strategy<Value = u64> {
    let edge = prop_oneof![
        4 => Just(0u64),
        2 => Just(512),
        1 => Just(1000),
        3 => Just(4096),
        1 => Just(4608),
        1 => Just(5000),
        2 => Just(8192),
    ];
    (edge, prop_oneof![2 => Just(0i64), 1 => -3..4i64, 1 => 0..300i64])
        .prop_map(|(edge, beside)| edge.saturating_add_signed(beside))
}

fn len() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..20u64, 4 => 500..530u64, 2 => 600..1400u64, 3 => 4090..4100u64, 1 => 4096..9000u64]
}

/// The run of a case, cut off where too much would be pending.
pub(super) fn run(case: &Case) -> Trace {
    let before = SimFs::new();
    if case.furnished {
        play(&before, &FURNITURE, 40);
    }
    play(&before, &case.before, 1);
    let disk = SimFs::on(before.image());
    play(&disk, &case.steps, 50);
    let mut trace = disk.trace();
    let definition = Definition::of(&trace, &case.model.rules);
    let fits = |point: &usize| {
        let so_far = definition.effects.iter().filter(|effect| effect.event < *point).count();
        so_far <= MOST_EFFECTS && definition.pending(*point).len() <= MOST_PENDING
    };
    let events = (0..=trace.events.len()).take_while(fits).last().unwrap_or(0);
    trace.events.truncate(events);
    trace
}

/// Makes the steps; the bytes of each write are its own.
fn play(disk: &SimFs, steps: &[Step], first_byte: u8) {
    let mut last = None;
    for (step, byte) in steps.iter().zip(first_byte..) {
        let _refused = play_one(disk, step, byte, &mut last);
    }
}

fn play_one(
    disk: &SimFs,
    step: &Step,
    byte: u8,
    last: &mut Option<SimFile>,
) -> std::io::Result<()> {
    let path = |path: &'static str| Path::new(path);
    let there = |wish: &'static str| Path::new(existing(disk, wish));
    let target = step.target().and_then(|target| match (target, &*last) {
        (Target::At(at), _) => Some(at),
        (Target::Last, None) => Some(FILES[0]),
        (Target::Last, Some(_)) => None,
    });
    if let Some(at) = target {
        let at = there(at);
        *last = Some(disk.open(at, Access::ReadWrite).or_else(|_| disk.open(at, Access::Read))?);
    }
    let bytes = |len: u64| vec![byte; usize::try_from(len).unwrap()];
    match (step, last.as_ref()) {
        (Step::Create(at, mode), _) => *last = Some(disk.create_new(path(at), *mode)?),
        (Step::Mkdir(at), _) => disk.mkdir(path(at), 0o755)?,
        (Step::Rename(from, to), _) => disk.rename(there(from), path(to))?,
        (Step::Exchange(one, other), _) => disk.exchange(there(one), there(other))?,
        (Step::Link(old, new), _) => disk.link(there(old), path(new))?,
        (Step::Symlink(at), _) => disk.symlink(path("a"), path(at))?,
        (Step::Unlink(at), _) => disk.unlink(there(at))?,
        (Step::Rmdir(at), _) => disk.rmdir(path(at))?,
        (Step::SyncDir(at), _) => disk.sync_dir(path(at))?,
        (Step::Mark, _) => disk.mark(b"done"),
        (_, None) => {}
        (Step::Write(_, offset, len), Some(file)) => drop(file.write_at(&bytes(*len), *offset)?),
        (Step::Append(_, len), Some(file)) => drop(file.append(&bytes(*len))?),
        (Step::SetLen(_, len), Some(file)) => file.set_len(*len)?,
        (Step::SetMode(_, mode), Some(file)) => file.set_mode(*mode)?,
        (Step::SetModified(_, time), Some(file)) => {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(*time))?;
        }
        (Step::SyncData(_), Some(file)) => file.sync_data()?,
        (Step::SyncAll(_), Some(file)) => file.sync_all()?,
    }
    Ok(())
}

/// What there is at this path or at one of the next ones, so that few steps are refused.
fn existing(disk: &SimFs, wish: &'static str) -> &'static str {
    let paths = FILES.iter().chain(&DIRS).copied();
    let from_wish = paths.clone().chain(paths.clone()).skip_while(|path| *path != wish);
    let mut found = from_wish.filter(|path| disk.metadata(Path::new(path)).is_ok());
    found.next().unwrap_or(wish)
}

impl Step {
    fn target(&self) -> Option<Target> {
        match self {
            Self::Write(target, ..)
            | Self::Append(target, _)
            | Self::SetLen(target, _)
            | Self::SetMode(target, _)
            | Self::SetModified(target, _)
            | Self::SyncData(target)
            | Self::SyncAll(target) => Some(*target),
            _ => None,
        }
    }
}
