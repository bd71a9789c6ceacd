//! A crash state in words: what was pending when the power went, and which of it was lost.

use faultfs::{Change, CrashState, DiskImage, Effect, Inode, PersistOrder, StateError, Trace};

/// One pending effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The event that made it.
    pub event: u32,
    /// What it is.
    pub what: String,
    /// Whether it was lost.
    pub lost: bool,
}

/// The pending effects of a crash state, in their order.
pub fn losses(
    trace: &Trace,
    order: &PersistOrder,
    state: &CrashState,
) -> Result<Vec<Lost>, StateError> {
    let (window, survives) = state.find(order)?;
    let image = trace.image_after(state.point() as usize);
    let effects = window.pending().iter().map(|id| order.effect(*id));
    let tell = |(effect, survives): (&Effect, bool)| {
        let changes: Vec<_> = effect.changes.iter().map(|change| tell(&image, change)).collect();
        Lost { event: effect.event, what: changes.join(", "), lost: !survives }
    };
    Ok(effects.zip(survives).map(tell).collect())
}

fn tell(image: &DiskImage, change: &Change) -> String {
    let of = |inode: &Inode| path(image, *inode);
    match change {
        Change::Name { at, after, .. } => {
            let dir = path(image, at.dir);
            let name = String::from_utf8_lossy(&at.name);
            let dir = dir.trim_end_matches('/');
            match after {
                Some(_) => format!("name {dir}/{name}"),
                None => format!("removal of the name {dir}/{name}"),
            }
        }
        Change::Page { inode, index, .. } => format!("page {index} of {}", of(inode)),
        Change::Bytes { inode, offset, len, .. } => {
            format!("bytes {offset}..{} of {}", offset + u64::from(*len), of(inode))
        }
        Change::Len { inode, after, .. } => format!("length {after} of {}", of(inode)),
        Change::Attributes { inode, after, .. } => {
            format!("mode {:o} and time of {}", after.mode, of(inode))
        }
    }
}

/// A path to an inode, or its number when it has none any more.
fn path(image: &DiskImage, inode: Inode) -> String {
    let mut parts = Vec::new();
    let mut next = inode;
    while next != DiskImage::ROOT {
        let Some((dir, name)) = image.names(next).next() else {
            return format!("the unnamed file {}", inode.0);
        };
        parts.push(String::from_utf8_lossy(name).into_owned());
        next = dir;
    }
    parts.reverse();
    format!("/{}", parts.join("/"))
}
