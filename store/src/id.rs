//! Object ids: the SHA-256 of the bytes in the object's file.
//!
//! Written `sha256:` and 64 lower-case hex digits, so that `sha256sum` audits a store. The same rule
//! for blobs, snapshots and commits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;

const PREFIX: &str = "sha256:";

/// The name of an object, derived from its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectId([u8; 32]);

impl ObjectId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 hex digits without the prefix.
    pub fn hex(&self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            hex.push(digit(byte >> 4));
            hex.push(digit(byte & 15));
        }
        hex
    }

    /// The 32 bytes that the digits stand for.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hex digits: enough for a person, never for a machine.
    pub fn short(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(12);
        hex
    }

    /// Reads 64 lower-case hex digits without the prefix.
    pub(crate) fn from_hex(hex: &str) -> Result<Self, &'static str> {
        if hex.len() != 64 {
            return Err("it has not 64 digits");
        }
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = byte_of(pair).ok_or("it has something else than the digits 0-9 and a-f")?;
        }
        Ok(Self(id))
    }

    /// The id with this first byte and these 62 further digits.
    pub(crate) fn from_parts(first: u8, rest: &str) -> Option<Self> {
        let mut id = [first; 32];
        for (byte, pair) in id.iter_mut().skip(1).zip(rest.as_bytes().chunks_exact(2)) {
            *byte = byte_of(pair)?;
        }
        (rest.len() == 62).then_some(Self(id))
    }
}

impl From<[u8; 32]> for ObjectId {
    /// The id that these bytes are, not the id of these bytes.
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Sha256> for ObjectId {
    fn from(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// The byte that two lower-case hex digits stand for; nothing else stands for one.
pub(crate) fn byte_of(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    Some((value(*high)? << 4) | value(*low)?)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.strip_prefix(PREFIX)
            .ok_or("it does not start with `sha256:`")
            .and_then(Self::from_hex)
            .map_err(|problem| Error::BadId { text: text.to_owned(), problem })
    }
}

impl TryFrom<String> for ObjectId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_id_is_what_sha256sum_prints() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ObjectId::of(b"").to_string(), empty);
    }

    #[test]
    fn only_the_written_form_is_an_id() {
        let good = ObjectId::of(b"x").to_string();
        for bad in ["", "abc123", &"z".repeat(64), &good[7..], &good.to_uppercase(), &good[..70]] {
            let error = bad.parse::<ObjectId>().unwrap_err();
            assert!(error.to_string().contains("sha256"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_from_its_text(bytes: Vec<u8>) {
            let id = ObjectId::of(&bytes);
            prop_assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text: String) {
            if let Ok(id) = text.parse::<ObjectId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
