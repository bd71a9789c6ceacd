//! What a reservation and an intent say, and how their files are called.
//!
//! Not for who gets one: see `coordination`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::ObjectId;
use crate::name::Branch;
use crate::sealed::Sealed;
use crate::time::Time;

/// How long a reservation holds if nothing else is said.
const TTL: Duration = Duration::from_hours(1);

/// Longest address, run id or operation, in bytes.
const MAX_TEXT: usize = 4096;

/// How many hex digits the name of a reservation or intent has.
const ID_DIGITS: usize = 32;

/// How the file of one ends.
const SUFFIX: &str = ".json";

/// What is to be reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who wants it: one run of one agent.
    pub run_id: String,
    /// The branch it works on.
    pub branch: Branch,
    /// What it wants to hold.
    pub addresses: BTreeSet<String>,
    /// What it is for, in a word.
    pub operation: String,
    /// How long it holds; one hour if not told otherwise.
    pub ttl: Duration,
    /// Whether nobody else may hold any of it. Reservations that are not exclusive exclude only those
    /// that are.
    pub exclusive: bool,
}

impl Claim {
    /// An exclusive claim for an hour.
    pub fn new(
        run_id: impl Into<String>,
        branch: Branch,
        addresses: impl IntoIterator<Item = impl Into<String>>,
        operation: impl Into<String>,
    ) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        let (run_id, operation) = (run_id.into(), operation.into());
        Self { run_id, branch, addresses, operation, ttl: TTL, exclusive: true }
    }
}

/// A claim that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    /// Its name: 32 hex digits.
    pub reservation_id: String,
    /// Who holds it.
    pub run_id: String,
    /// The branch it is for.
    pub branch: Branch,
    /// What it holds.
    pub addresses: BTreeSet<String>,
    /// What it is for.
    pub operation: String,
    /// Whether nobody else may hold any of it.
    pub exclusive: bool,
    /// When it was made.
    pub created_at: Time,
    /// From when on it holds nothing.
    pub expires_at: Time,
}

impl Reservation {
    /// Whether it holds anything at this moment.
    pub fn is_live(&self, now: Time) -> bool {
        now < self.expires_at
    }
}

/// What the holder of a reservation is about to do. It ends with its reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Its name: 32 hex digits.
    pub intent_id: String,
    /// The reservation it belongs to.
    pub reservation_id: String,
    /// Whose that is.
    pub run_id: String,
    /// The branch of the reservation.
    pub branch: Branch,
    /// Which of the reserved addresses it is about.
    pub addresses: BTreeSet<String>,
    /// What is about to be done.
    pub operation: String,
    /// In the words of whoever does it.
    pub detail: String,
    /// When it was made.
    pub created_at: Time,
}

impl Sealed for Reservation {
    const KIND: &'static str = "reservation";

    fn check(&self) -> std::result::Result<(), String> {
        check_texts(&self.addresses, [&self.run_id, &self.operation])
    }
}

impl Sealed for Intent {
    const KIND: &'static str = "intent";

    fn check(&self) -> std::result::Result<(), String> {
        check_texts(&self.addresses, [&self.run_id, &self.operation])
    }
}

/// A reservation or an intent: its file has its name.
pub(crate) trait Named: Sealed {
    /// That name.
    fn id(&self) -> &str;
}

impl Named for Reservation {
    fn id(&self) -> &str {
        &self.reservation_id
    }
}

impl Named for Intent {
    fn id(&self) -> &str {
        &self.intent_id
    }
}

/// A name for this text that no other one has: its hash, together with a number used once.
pub(crate) fn fresh_id(text: &[u8], nonce: u64) -> String {
    let nonce = format!("{nonce:016x}");
    let mut hex = ObjectId::of(&[text, nonce.as_bytes()].concat()).hex();
    hex.truncate(ID_DIGITS);
    hex
}

/// The name of the file of one.
pub(crate) fn file_name(id: &str) -> String {
    format!("{id}{SUFFIX}")
}

/// The name that the file's name stands for, if it is one.
pub(crate) fn id_of(file_name: &OsStr) -> Option<&str> {
    file_name.to_str()?.strip_suffix(SUFFIX).filter(|id| is_id(id))
}

/// Whether this is the name of one; nothing else becomes part of a path.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn check_texts(
    addresses: &BTreeSet<String>,
    others: [&String; 2],
) -> std::result::Result<(), String> {
    let bad = |text: &&String| text.is_empty() || text.len() > MAX_TEXT;
    if addresses.is_empty() {
        return Err("it names no address".to_owned());
    }
    match addresses.iter().chain(others).find(bad) {
        None => Ok(()),
        Some(text) if text.is_empty() => Err("an address, run or operation is empty".to_owned()),
        Some(_) => Err(format!("an address, run or operation has more than {MAX_TEXT} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_file_of_ours_is_read_as_one() {
        let id = fresh_id(b"text", 7);
        assert_eq!(id_of(file_name(&id).as_ref()), Some(&*id));
        assert_ne!(id, fresh_id(b"text", 8));
        for other in ["", ".json", "notes.json", &id, "../../../etc/passwd.json"] {
            assert_eq!(id_of(other.as_ref()), None, "{other}");
        }
    }
}
