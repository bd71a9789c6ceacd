//! The name of a pack where packs lie: its id and a generation.

use std::fmt;
use std::str::FromStr;

use crate::id::ObjectId;

/// Which pack: what is in it, and when a pack of that content was begun. A key is not used again once
/// its deletion has begun: a request to delete it may still act after it was taken for failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackKey {
    /// The SHA-256 of the pack's bytes.
    pub id: ObjectId,
    /// When it was begun, in seconds since 1970, and in the lower 32 bits a number that no other pack of
    /// that second has.
    pub generation: u64,
}

impl fmt::Display for PackKey {
    /// As a file name: 64 hex digits, `-`, 16 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.id.hex(), self.generation)
    }
}

impl FromStr for PackKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, generation) = text.split_once('-').ok_or("it has no `-`")?;
        let id = ObjectId::from_hex(id)?;
        let generation = u64::from_str_radix(generation, 16).map_err(|_| "it has no generation")?;
        let key = Self { id, generation };
        if key.to_string() == text { Ok(key) } else { Err("it is written in another way") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_nothing_else_is_one() {
        let key = PackKey { id: ObjectId::of(b"pack"), generation: 0x19b_7650_2a80 };
        let text = key.to_string();
        assert_eq!(text.len(), 64 + 1 + 16);
        assert_eq!(text.parse(), Ok(key));
        for bad in ["", "-", &text[1..], &text[..80], &text.to_uppercase(), &format!("{text}0")] {
            assert!(bad.parse::<PackKey>().is_err(), "{bad}");
        }
        assert!(text.replace("-0", "-+").parse::<PackKey>().is_err());
    }
}
