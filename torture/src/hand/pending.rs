//! What a power cut could still lose, file by file, and the barriers that would make it durable.
//!
//! A barrier is told if the model says that, made now, it would make these effects durable. Not for
//! choosing what is lost (`cut`).

use std::collections::{BTreeMap, BTreeSet};

use faultfs::{Change, DiskImage, Effect, EffectId, Inode, Model, PersistOrder, Trace, Window};

use super::protocol::PendingFile;
use super::{Answer, Session};
use crate::exit::Failure;
use crate::findings::story::{Story, path_of};

/// Most things that are told of one file.
const MOST_TOLD: usize = 100;

impl Session {
    /// Lists it.
    pub(super) fn pending(&self, model: Option<&str>) -> Result<Answer, Failure> {
        let model = self.model(model)?;
        let trace = self.disk.trace();
        let order = PersistOrder::new(&trace, &model);
        let window = Window::at(&order, order.events());
        let mut files: BTreeMap<Inode, Group> = BTreeMap::new();
        for id in window.pending() {
            let effect = order.effect(*id);
            let group = files.entry(file_of(effect)).or_default();
            group.effects.insert(*id);
            group.dirs.extend(dirs_of(effect));
        }
        let story = Story::of(&trace);
        let now = trace.image_after(usize::MAX);
        let barriers_now = Barriers::of(&trace, &model, &files, &now);
        let files = files.iter().map(|(inode, group)| {
            let events: BTreeSet<_> =
                group.effects.iter().map(|id| order.effect(*id).event as usize).collect();
            let what = events.iter().filter_map(|event| story.steps.get(*event));
            let what: Vec<_> = what.map(|step| step.text.clone()).take(MOST_TOLD).collect();
            let name = |inode| name_of(&story, &now, inode);
            let barriers = barriers_now.enough(*inode, group);
            let barriers = barriers.into_iter().map(|inode| format!("fsync({})", name(inode)));
            PendingFile {
                file: name(*inode),
                more: events.len() - what.len(),
                what,
                barriers: barriers.collect(),
            }
        });
        let files = files.collect();
        Ok(Answer::Pending { model: model.name.clone(), effects: window.pending().len(), files })
    }
}

/// What is pending of one file.
#[derive(Default)]
struct Group {
    effects: BTreeSet<EffectId>,
    /// The directories of which a name is pending.
    dirs: BTreeSet<Inode>,
}

/// The file or directory that an effect is about: for names, what has one by it.
fn file_of(effect: &Effect) -> Inode {
    let named = effect.changes.iter().find_map(|change| match change {
        Change::Name { after, .. } => *after,
        _ => None,
    });
    let about = |change: &Change| match change {
        Change::Name { at, before, after } => after.or(*before).unwrap_or(at.dir),
        Change::Page { inode, .. }
        | Change::Bytes { inode, .. }
        | Change::Len { inode, .. }
        | Change::Attributes { inode, .. } => *inode,
    };
    named.or_else(|| effect.changes.first().map(about)).unwrap_or(DiskImage::ROOT)
}

fn dirs_of(effect: &Effect) -> impl Iterator<Item = Inode> {
    effect.changes.iter().filter_map(|change| match change {
        Change::Name { at, .. } => Some(at.dir),
        _ => None,
    })
}

/// As it is called now, or was called first.
fn name_of(story: &Story, now: &DiskImage, inode: Inode) -> String {
    path_of(now, inode).unwrap_or_else(|| format!("{} (removed)", story.path(inode)))
}

/// Barriers at the end of the record, and what each would make durable.
struct Barriers(BTreeMap<Inode, BTreeSet<EffectId>>);

impl Barriers {
    /// Of all files that can be opened, and all directories, of which something is pending.
    fn of(trace: &Trace, model: &Model, files: &BTreeMap<Inode, Group>, now: &DiskImage) -> Self {
        let can_sync = |file: &Inode| *file == DiskImage::ROOT || now.is_reachable(*file);
        let own = files.keys().copied().filter(can_sync);
        let dirs = files.values().flat_map(|group| group.dirs.iter().copied());
        let inodes: BTreeSet<Inode> = own.chain(dirs).collect();
        let inodes: Vec<_> = inodes.into_iter().collect();
        let durable = PersistOrder::fsyncs(trace, model, &inodes);
        let durable = durable.into_iter().map(BTreeSet::from_iter);
        Self(inodes.into_iter().zip(durable).collect())
    }

    /// The fewest that make all of a group durable: of the file, of its directories, of both. None if not even
    /// these do.
    fn enough(&self, file: Inode, group: &Group) -> Vec<Inode> {
        let all_by = |inodes: &[Inode]| {
            let by =
                |id| inodes.iter().any(|inode| self.0.get(inode).is_some_and(|d| d.contains(id)));
            group.effects.iter().all(by)
        };
        let dirs: Vec<_> = group.dirs.iter().copied().collect();
        let own = if self.0.contains_key(&file) { vec![file] } else { Vec::new() };
        let both = [own.as_slice(), dirs.as_slice()].concat();
        [own, dirs, both].into_iter().find(|inodes| all_by(inodes)).unwrap_or_default()
    }
}
