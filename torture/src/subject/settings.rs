//! Settings of a run: remotes that are added, changed and removed, and which are found.
//!
//! Each remote is owed by itself: what one writer added another one's change must not take away. Not for
//! when which value is owed: see `owed`.

use faultfs::{Fs, SimFs};
use plugpull_store::{Known, ObjectId, Reached, Result, Store};

use super::perform::Writer;
use super::plan::{Bytes, Draw, Killed, Moment, Plan, Step};
use super::workload::alone;

/// Names of remotes, and what they are called in Marks.
const REMOTES: [(&str, &str); 4] =
    [("a", "remote-a"), ("b", "remote-b"), ("c", "remote-c"), ("shared", "remote-shared")];

impl<F: Fs> Writer<'_, F> {
    /// Says where a remote is, or removes it.
    pub(super) fn remote(&self, name: &'static str, url: Option<&Bytes>) -> Result<()> {
        let Some((_, what)) = REMOTES.into_iter().find(|(known, _)| *known == name) else {
            return Ok(());
        };
        let id = url.map(|url| self.journal.writing(url, Vec::new()));
        self.change(what, id, || {
            let Some(url) = url else {
                let removed = self.store.remove_remote(name)?;
                return Ok(removed.map_or(Reached::Durable, |receipt| receipt.reached));
            };
            let url = String::from_utf8_lossy(url);
            self.store.set_remote(name, &url, Known::Any).map(|receipt| receipt.reached)
        })
    }
}

/// The remotes of a store, by the names in Marks.
pub(super) fn found(
    store: &Store<SimFs>,
) -> impl Iterator<Item = (&'static str, Result<Option<ObjectId>>)> {
    REMOTES.into_iter().map(|(name, what)| {
        let url = store.config().and_then(|config| config.remote(name));
        (what, url.map(|url| url.map(|url| ObjectId::of(url.as_bytes()))))
    })
}

/// One or two writers; in some seeds after one who is killed when so many of its calls are missing.
pub(super) fn plan(draw: &mut Draw, seed: u64, size: usize) -> Plan {
    let before = vec![set(draw, "a"), set(draw, "shared")];
    // Who changes what another one changes too must compare: only one of two changes the shared one.
    let mut writer = |own, count: usize| {
        let mut steps = vec![set(draw, own)];
        let other = if own == "c" { own } else { "shared" };
        steps.extend((1..count).map(|_| step(draw, own, other)));
        steps
    };
    match seed % 3 {
        0 => {
            let each = size.div_ceil(2);
            Plan { before, writers: vec![writer("b", each), writer("c", each)], ..Plan::default() }
        }
        1 => {
            let at = Moment::BeforeEnd(seed / 3);
            let killed = vec![Killed { init: false, steps: writer("b", 1), at }];
            Plan { before, killed, ..alone(writer("c", size)) }
        }
        _ => Plan { before, ..alone(writer("b", size)) },
    }
}

/// What one of several writers may do: each has a remote of its own.
pub(super) fn step_of(draw: &mut Draw, writer: usize) -> Step {
    let (own, _) = REMOTES[writer % 3];
    step(draw, own, if writer == 0 { "shared" } else { own })
}

fn step(draw: &mut Draw, own: &'static str, other: &'static str) -> Step {
    match draw.rng.u32(0..6) {
        0 => Step::Remote { name: own, url: None },
        1 => Step::Remote { name: other, url: None },
        2..4 => set(draw, other),
        _ => set(draw, own),
    }
}

/// A remote with a new address.
pub(super) fn set(draw: &mut Draw, name: &'static str) -> Step {
    Step::Remote {
        name,
        url: Some(format!("http://host-{}", draw.rng.u32(..)).into_bytes().into()),
    }
}
