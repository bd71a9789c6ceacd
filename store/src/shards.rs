//! One look at all shards, the directories that hold the objects.
//!
//! A store has 256 of them and hardly any other directory. So whoever audits one looks at them once, and
//! learns which are missing, which temps lie in them, and, in a small store, what else does. Who only opens it
//! looks at their names: temps lie beside the shards, so that takes no longer where there are more objects.

use std::io;
use std::path::PathBuf;

use faultfs::{DirEntry, FileKind, Fs, Listed};

use crate::error::{At, Result};
use crate::layout::{Layout, OBJECT_TEMP, is_temp};
use crate::open::{Fault, dir_faults};
use crate::sweep::is_gone;

/// Of so many files the names are kept. With more, whoever needs them lists the shards again, so that
/// memory does not grow with the store.
const FEW: usize = 500;

/// What was there.
pub(crate) struct Shards {
    /// Where a shard, or a directory above, should be and none is.
    pub(crate) faults: Vec<Fault>,
    /// Temps.
    pub(crate) temps: Vec<PathBuf>,
    /// All else in the shards, each with its shard; `None` when it is too much, or was not looked at.
    pub(crate) few: Option<Vec<(u8, DirEntry)>>,
}

impl Shards {
    /// Into each shard: temps lie there that an older program has left.
    pub(crate) fn look<F: Fs>(fs: &F, layout: &Layout) -> Result<Self> {
        let objects = layout.objects();
        Self::of(fs, layout, Some(Vec::new()), || fs.read_dirs(&objects))
    }

    /// Not into the shards.
    pub(crate) fn look_from_above<F: Fs>(fs: &F, layout: &Layout) -> Result<Self> {
        let objects = layout.objects();
        let unseen = |entry| (entry, Ok(Vec::new()));
        Self::of(fs, layout, None, || Ok(fs.read_dir(&objects)?.into_iter().map(unseen)))
    }

    fn of<F: Fs, I: Iterator<Item = Listed>>(
        fs: &F,
        layout: &Layout,
        mut few: Option<Vec<(u8, DirEntry)>>,
        list: impl FnOnce() -> io::Result<I>,
    ) -> Result<Self> {
        let faults = dir_faults(fs, layout.upper_dirs())?;
        if !faults.is_empty() {
            return Ok(Self { faults, temps: Vec::new(), few: None });
        }
        let objects = layout.objects();
        let mut missing = [true; 256];
        let mut temps = Vec::new();
        for (entry, below) in list().at("list", &objects)? {
            if is_object_temp(&entry) {
                temps.push(objects.join(&entry.name));
            }
            let shard = Layout::shard_of(&entry.name).filter(|_| entry.kind == FileKind::Dir);
            let Some(shard) = shard else { continue };
            let below = match below {
                Err(e) if is_gone(&e) => continue,
                Err(e) => return Err(e).at("list", &layout.shard(shard)),
                Ok(below) => below,
            };
            missing[usize::from(shard)] = false;
            let (mine, others) = below.into_iter().partition::<Vec<_>, _>(is_object_temp);
            temps.extend(mine.into_iter().map(|temp| layout.in_shard(shard, &temp.name)));
            few = few.filter(|few: &Vec<_>| few.len() + others.len() <= FEW);
            if let Some(few) = &mut few {
                few.extend(others.into_iter().map(|entry| (shard, entry)));
            }
        }
        let missing = (0..=u8::MAX).filter(|shard| missing[usize::from(*shard)]);
        let faults = dir_faults(fs, missing.map(|shard| layout.shard(shard)))?;
        Ok(Self { faults, temps, few })
    }
}

fn is_object_temp(entry: &DirEntry) -> bool {
    entry.kind == FileKind::File && is_temp(&entry.name, OBJECT_TEMP)
}
