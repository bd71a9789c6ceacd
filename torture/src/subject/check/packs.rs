//! The packs of a disk that a power cut may have left.
//!
//! A promised pack is there with its bytes, and its lease says so; what was deleted is gone; each pack has
//! the bytes that its name says; and a sweep at a late time leaves nothing.

use std::path::Path;

use faultfs::SimFs;
use plugpull_store::{LeaseState, ObjectId, Options, PackKey, Store};

use super::Check;
use crate::subject::STORE;
use crate::subject::look::Look;
use crate::subject::packs::LATE;
use crate::subject::perform::after;

const PLACES: [&str; 2] = ["packs", "leases"];

impl Check<'_> {
    /// Before the recovery: what a sweep or an open has deleted does not come back.
    pub(super) fn unpacked(&mut self, look: &Look<'_>) {
        for key in self.owed.unpacked.iter().copied().collect::<Vec<PackKey>>() {
            for place in PLACES {
                if look.find(&["store", place, &key.to_string()]).is_some() {
                    let path = format!("{STORE}/{place}/{key}");
                    self.wrong(path, "there", "that the sweep has removed it");
                }
            }
        }
    }

    /// Before the recovery, which would mend it: a lease is whole or not there.
    pub(super) fn torn_leases(&mut self, look: &Look<'_>) {
        for (name, inode) in look.entries(&["store", "leases"]) {
            let text = look.bytes(inode);
            let parts = text.split_at_checked(64).filter(|(_, json)| json.len() > 2);
            let whole = parts.is_some_and(|(sum, json)| {
                ObjectId::of(&json[1..json.len() - 1]).hex().as_bytes() == sum
            });
            if !whole && name.parse::<PackKey>().is_ok() {
                self.wrong(format!("{STORE}/leases/{name}"), "torn", "a whole lease");
            }
        }
    }

    pub(super) fn packs(&mut self, disk: &SimFs, store: &Store<SimFs>, look: &Look<'_>) {
        self.promised(store, look);
        for (name, inode) in look.entries(&["store", "packs"]) {
            let right = name
                .split_once('-')
                .is_some_and(|(id, _)| ObjectId::of(&look.bytes(inode)).hex() == id);
            if !right {
                let expected = "the bytes that its name says";
                self.wrong(format!("{STORE}/packs/{name}"), "other bytes", expected);
            }
        }
        if PLACES.iter().any(|place| !look.entries(&["store", place]).is_empty()) {
            self.late_sweep(disk);
        }
    }

    fn promised(&mut self, store: &Store<SimFs>, look: &Look<'_>) {
        if self.owed.packs.is_empty() {
            return;
        }
        let leases = store.leases().unwrap_or_default();
        for (key, due) in &*self.owed.packs {
            if look.find(&["store", "packs", &key.to_string()]).is_none() {
                let expected = format!("the promised pack, until {due}");
                self.wrong(format!("{STORE}/packs/{key}"), "missing", expected);
            }
            let lease = leases.iter().find(|entry| entry.key == *key);
            let lease = lease.and_then(|entry| entry.lease.as_ref().ok());
            let kept = lease.filter(|lease| lease.state == LeaseState::Live && lease.due >= *due);
            if kept.is_none() {
                let found = lease.map_or("missing".to_owned(), |l| format!("due {}", l.due));
                self.wrong(format!("{STORE}/leases/{key}"), found, format!("due {due} or later"));
            }
        }
    }

    /// On a disk of its own: the recovery itself is not to sweep what is not due.
    fn late_sweep(&mut self, disk: &SimFs) {
        let disk = SimFs::on(disk.image());
        let swept = Store::open_on(disk.clone(), Path::new(STORE), Options::default())
            .and_then(|store| store.sweep_packs(&store.pack_directory(None), after(LATE)));
        if let Err(error) = swept {
            return self.wrong(STORE, error, "that its packs can be swept");
        }
        let image = disk.image();
        let look = Look::at(&image);
        for place in PLACES {
            for (name, _) in look.entries(&["store", place]) {
                let path = format!("{STORE}/{place}/{name}");
                self.wrong(path, "there after a sweep at a late time", "nothing");
            }
        }
    }
}
