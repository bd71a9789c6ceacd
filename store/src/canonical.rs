//! The one written form of a snapshot or a commit.
//!
//! Canonical JSON: no white space, keys in byte order, strings escaped as little as JSON allows,
//! integers only, no unknown key. One value has one text, hence one id; a text that says the same in
//! another way is refused on reading.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of object that is written as canonical JSON.
///
/// Fields must be declared in byte order of their names: serde writes them in that order.
pub(crate) trait Canonical: Serialize + DeserializeOwned {
    /// The value of the key `kind`.
    const KIND: &'static str;

    /// How every text of this kind starts, since keys are sorted.
    const START: &'static [u8];

    /// Rules that the types do not hold; run on reading and before writing.
    fn check(&self) -> Result<(), String>;
}

/// The canonical text.
pub(crate) fn encode<T: Canonical>(value: &T) -> Result<Vec<u8>, String> {
    value.check()?;
    serde_json::to_vec(value).map_err(|e| e.to_string())
}

/// Reads a canonical text, and only that.
pub(crate) fn decode<T: Canonical>(bytes: &[u8]) -> Result<T, String> {
    if !bytes.starts_with(T::START) {
        return Err(format!("it does not start as a {} does", T::KIND));
    }
    let value: T = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if encode(&value)? != bytes {
        return Err(format!("it is a {} but not in canonical form", T::KIND));
    }
    Ok(value)
}
