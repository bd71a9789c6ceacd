//! Small files of state that know whether they are whole: one line of JSON with a checksum in it.
//!
//! The text is canonical: keys in byte order, no white space, all keys there and no other, so one value
//! has one text. `checksum` is the id of that text without this key, so a flipped bit is corrupt and never
//! another value; `jq -cS 'del(.checksum)' | tr -d '\n' | sha256sum` computes it by hand. `schema_version`
//! is 1. A file of a later schema is told by its number, and never rewritten: no field of it is lost.
//!
//! Not for objects, whose names are their checksums, and not for where such a file lies.

use std::collections::BTreeMap;
use std::path::Path;

use faultfs::Fs;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::open::read_up_to;

/// The schema of all such files that this program writes, and the only one that it reads.
const SCHEMA: u32 = 1;

/// Longest file, in bytes: a rebase of 200,000 commits.
const MAX_SEALED: u64 = 16 << 20;

/// The keys that each file has beside those of its value.
const CHECKSUM: &str = "checksum";
const SCHEMA_VERSION: &str = "schema_version";

/// A kind of state that is kept in such a file. Its type denies unknown fields.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    /// What it is, for a person.
    const KIND: &'static str;

    /// Rules that the types do not hold; run on reading and before writing.
    fn check(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

type Fields = BTreeMap<String, Value>;

/// The text of a value, with its closing newline.
pub(crate) fn seal<T: Sealed>(value: &T) -> Result<Vec<u8>> {
    encode(value).map_err(|problem| Error::BadValue { kind: T::KIND, problem })
}

fn encode<T: Sealed>(value: &T) -> std::result::Result<Vec<u8>, String> {
    value.check()?;
    let Ok(Value::Object(fields)) = serde_json::to_value(value) else {
        return Err("it cannot be written as JSON".to_owned());
    };
    let mut fields: Fields = fields.into_iter().collect();
    fields.insert(SCHEMA_VERSION.to_owned(), SCHEMA.into());
    fields.insert(CHECKSUM.to_owned(), checksum(&fields).into());
    let mut text = text(&fields);
    text.push(b'\n');
    if text.len() as u64 > MAX_SEALED {
        return Err(format!("it has more than {MAX_SEALED} bytes"));
    }
    Ok(text)
}

/// Reads such a file; `None` when it is not there.
pub(crate) fn read_sealed<F: Fs, T: Sealed>(fs: &F, path: &Path) -> Result<Option<T>> {
    let bytes = read_up_to(fs, path, MAX_SEALED)?;
    bytes.map(|bytes| unseal(path, &bytes)).transpose()
}

/// The value of a text, and only of one that [`seal`] would write.
pub(crate) fn unseal<T: Sealed>(path: &Path, bytes: &[u8]) -> Result<T> {
    let corrupt = |problem| Error::Corrupt { path: path.to_owned(), problem };
    let fields = checked_fields(bytes).map_err(corrupt)?;
    match fields.get(SCHEMA_VERSION).and_then(Value::as_u64) {
        Some(version) if version == u64::from(SCHEMA) => {}
        Some(version) if version > u64::from(SCHEMA) => {
            let (path, found) = (path.to_owned(), u32::try_from(version).unwrap_or(u32::MAX));
            return Err(Error::NewerFormat { path, found, supported: SCHEMA });
        }
        _ => return Err(corrupt("it has no schema version".to_owned())),
    }
    decode(fields, bytes).map_err(corrupt)
}

/// The fields of a text whose checksum is right, without that.
fn checked_fields(bytes: &[u8]) -> std::result::Result<Fields, String> {
    let mut fields: Fields = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let found = fields.remove(CHECKSUM).ok_or("it has no checksum")?;
    let expected = checksum(&fields);
    if found.as_str() != Some(&expected) {
        return Err(format!("its checksum is {found}, and its content has {expected}"));
    }
    Ok(fields)
}

fn decode<T: Sealed>(mut fields: Fields, bytes: &[u8]) -> std::result::Result<T, String> {
    fields.remove(SCHEMA_VERSION);
    let value = Value::Object(fields.into_iter().collect());
    let value: T = serde_json::from_value(value).map_err(|e| e.to_string())?;
    if encode(&value)? != bytes {
        return Err(format!("it is a {} but not in canonical form", T::KIND));
    }
    Ok(value)
}

fn checksum(fields: &Fields) -> String {
    ObjectId::of(&text(fields)).to_string()
}

/// Maps of texts to values cannot fail to be written.
fn text(fields: &Fields) -> Vec<u8> {
    serde_json::to_vec(fields).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::MergeState;
    use proptest::prelude::*;

    fn state() -> MergeState {
        let [base_commit, ours_commit, theirs_commit] = [b"b", b"o", b"t"].map(|c| ObjectId::of(c));
        let conflict_paths = ["b.py", "a.py", "\u{7f}\"\\"].map(str::to_owned).into();
        let other_branch = Some(crate::name::Branch::new("topic/one").unwrap());
        MergeState { base_commit, ours_commit, theirs_commit, conflict_paths, other_branch }
    }

    fn read(bytes: &[u8]) -> Result<MergeState> {
        unseal(Path::new("/state"), bytes)
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        assert_eq!(read(&seal(&state()).unwrap()).unwrap(), state());
    }

    /// The test vector of docs/formats.md.
    #[test]
    fn the_text_of_a_known_state_does_not_change() {
        let id = ObjectId::of(b"");
        let conflict_paths = ["b.py", "a.py"].map(str::to_owned).into();
        let [base_commit, ours_commit, theirs_commit] = [id; 3];
        let state = MergeState {
            base_commit,
            ours_commit,
            theirs_commit,
            conflict_paths,
            other_branch: None,
        };
        let text = String::from_utf8(seal(&state).unwrap()).unwrap();
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let checksum = "sha256:ef73ef023b679d552042bc6bc32785614249015971c338075d881e96717b8710";
        let expected = format!(
            "{{\"base_commit\":\"{empty}\",\"checksum\":\"{checksum}\",\"conflict_paths\":[\"a.py\",\
             \"b.py\"],\"other_branch\":null,\"ours_commit\":\"{empty}\",\"schema_version\":1,\
             \"theirs_commit\":\"{empty}\"}}\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_read() {
        let text = seal(&state()).unwrap();
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&flipped), Err(Error::Corrupt { .. })), "bit {bit}");
        }
        for len in 0..text.len() {
            assert!(matches!(read(&text[..len]), Err(Error::Corrupt { .. })), "cut at {len}");
        }
    }

    /// A text of these fields with the right checksum.
    fn with(change: impl FnOnce(&mut Fields)) -> Vec<u8> {
        let mut fields: Fields = serde_json::from_slice(&seal(&state()).unwrap()).unwrap();
        fields.remove(CHECKSUM);
        change(&mut fields);
        fields.insert(CHECKSUM.to_owned(), checksum(&fields).into());
        [text(&fields), vec![b'\n']].concat()
    }

    #[test]
    fn what_this_program_would_not_write_is_refused_also_with_the_right_checksum() {
        assert!(read(&with(|_| ())).is_ok());
        let unknown = with(|fields| drop(fields.insert("new".to_owned(), 1.into())));
        assert!(matches!(read(&unknown), Err(Error::Corrupt { .. })));
        let missing = with(|fields| drop(fields.remove("other_branch")));
        assert!(matches!(read(&missing), Err(Error::Corrupt { .. })));
        let unsorted = with(|fields| {
            fields.insert("conflict_paths".to_owned(), vec!["b", "a"].into());
        });
        assert!(matches!(read(&unsorted), Err(Error::Corrupt { .. })));
        let newer = with(|fields| drop(fields.insert(SCHEMA_VERSION.to_owned(), 2.into())));
        assert!(matches!(read(&newer), Err(Error::NewerFormat { found: 2, supported: 1, .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
