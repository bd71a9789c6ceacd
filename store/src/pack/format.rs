//! The bytes of a pack: a head, the objects, a check sum. docs/formats.md tells the same to people.
//!
//! Objects stand in an order that follows from which they are, so equal content is equal bytes, and in
//! which each leads only to earlier ones. Not for which objects go into a pack.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::ObjectId;

const MAGIC: &[u8; 8] = b"plugpack";
const VERSION: u32 = 1;

/// Bytes before the first object, and behind the last one.
const HEAD: usize = 8 + 4 + 8;
const TAIL: usize = 32;

/// Largest pack that is made or read: it is held in memory.
pub(crate) const MOST_BYTES: usize = 1 << 30;

/// What an object of a pack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Blob,
    Snapshot,
    Commit,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::Blob => b'b',
            Self::Snapshot => b's',
            Self::Commit => b'c',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        [Self::Blob, Self::Snapshot, Self::Commit].into_iter().find(|kind| kind.letter() == letter)
    }
}

/// Writes a pack object by object.
pub(crate) struct PackWriter {
    bytes: Vec<u8>,
    count: u64,
}

impl PackWriter {
    pub(crate) fn new() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        // How many there are is written at the end.
        bytes.extend(0u64.to_le_bytes());
        Self { bytes, count: 0 }
    }

    /// Appends an object; fails when the pack becomes too large.
    pub(crate) fn add(&mut self, kind: Kind, id: &ObjectId, object: &[u8]) -> Result<()> {
        let len = self.bytes.len().saturating_add(object.len());
        if len > MOST_BYTES {
            return Err(Error::PackTooLarge { most: MOST_BYTES as u64 });
        }
        self.count += 1;
        self.bytes.push(kind.letter());
        self.bytes.extend(id.as_bytes());
        self.bytes.extend((object.len() as u64).to_le_bytes());
        self.bytes.extend(object);
        Ok(())
    }

    /// The whole pack.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if let Some(count) = self.bytes.get_mut(HEAD - 8..HEAD) {
            count.copy_from_slice(&self.count.to_le_bytes());
        }
        let sum = Sha256::digest(&self.bytes);
        self.bytes.extend(sum);
        self.bytes
    }
}

/// One object of a pack that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed<'b> {
    pub(crate) kind: Kind,
    pub(crate) id: ObjectId,
    pub(crate) bytes: &'b [u8],
}

/// Reads a whole pack: its check sum, its form and the hash of every object.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Packed<'_>>> {
    parse(bytes).map_err(|problem| Error::BadPack { problem })
}

fn parse(bytes: &[u8]) -> std::result::Result<Vec<Packed<'_>>, String> {
    if !bytes.starts_with(MAGIC) {
        return Err("it does not begin with `plugpack`".to_owned());
    }
    let len = bytes.len().checked_sub(TAIL).filter(|len| *len >= HEAD);
    let (body, sum) = bytes.split_at(len.ok_or("it is cut short")?);
    let mut rest = body.get(MAGIC.len()..).unwrap_or_default();
    let version = u32::from_le_bytes(take(&mut rest)?);
    if version != VERSION {
        return Err(format!("it is of version {version}, and this program reads {VERSION}"));
    }
    if Sha256::digest(body).as_slice() != sum {
        return Err("its check sum does not fit: it was cut short or changed".to_owned());
    }
    let count = u64::from_le_bytes(take(&mut rest)?);
    let mut objects = Vec::new();
    while !rest.is_empty() {
        objects.push(object(&mut rest)?);
    }
    if objects.len() as u64 != count {
        return Err(format!("it holds {} objects and says {count}", objects.len()));
    }
    Ok(objects)
}

fn object<'b>(rest: &mut &'b [u8]) -> std::result::Result<Packed<'b>, String> {
    let [letter] = take(rest)?;
    let kind = Kind::of(letter).ok_or_else(|| format!("it has an object of kind {letter:#04x}"))?;
    let id = ObjectId::from(take::<32>(rest)?);
    let len = u64::from_le_bytes(take(rest)?);
    let bytes = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
    let (bytes, behind) = bytes.ok_or_else(|| format!("{id} goes beyond its end"))?;
    *rest = behind;
    let actual = ObjectId::of(bytes);
    if actual != id {
        return Err(format!("the bytes of {id} hash to {actual}"));
    }
    Ok(Packed { kind, id, bytes })
}

/// The next bytes, as many as are asked for.
fn take<const N: usize>(rest: &mut &[u8]) -> std::result::Result<[u8; N], String> {
    let (taken, behind) = rest.split_first_chunk().ok_or("an object is cut short")?;
    *rest = behind;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(objects: &[(Kind, &[u8])]) -> Vec<u8> {
        let mut writer = PackWriter::new();
        for (kind, bytes) in objects {
            writer.add(*kind, &ObjectId::of(bytes), bytes).unwrap();
        }
        writer.finish()
    }

    /// Puts the right check sum behind bytes that were changed.
    fn sealed(mut body: Vec<u8>) -> Vec<u8> {
        let sum = Sha256::digest(&body);
        body.extend(sum);
        body
    }

    /// The test vector of docs/formats.md.
    #[test]
    fn the_bytes_of_a_known_pack_do_not_change() {
        let pack = pack(&[(Kind::Blob, b"hello")]);
        assert_eq!(pack.len(), HEAD + 1 + 32 + 8 + 5 + TAIL);
        assert_eq!(
            ObjectId::of(&pack).to_string(),
            "sha256:f60bf3734174b41c51fe9f7bc518ef41dbfcb68445de3b00c3214fd146b20525"
        );
    }

    #[test]
    fn a_pack_is_read_back() {
        let objects: [(Kind, &[u8]); 3] =
            [(Kind::Blob, b""), (Kind::Snapshot, b"one"), (Kind::Commit, &[7; 5000])];
        let bytes = pack(&objects);
        let read = read(&bytes).unwrap();
        let read: Vec<_> = read.iter().map(|object| (object.kind, object.bytes)).collect();
        assert_eq!(read, objects);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let whole = pack(&[(Kind::Blob, b"hello"), (Kind::Commit, b"x")]);
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                assert!(read(&bytes).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!(read(&[&whole[..], b"x"].concat()).is_err());
    }

    #[test]
    fn what_only_a_right_check_sum_hides_is_told_as_what_it_is() {
        let body = |at: usize, byte: u8| {
            let mut body = pack(&[(Kind::Blob, b"hello")]);
            body.truncate(body.len() - TAIL);
            body[at] = byte;
            read(&sealed(body)).unwrap_err().to_string()
        };
        for (at, byte, told) in [
            (8, 9, "version 9"),
            (12, 2, "holds 1 objects and says 2"),
            (HEAD, b'x', "kind 0x78"),
            (HEAD + 1, 0, "hash to"),
            (HEAD + 33, 200, "beyond its end"),
            (HEAD + 40, 255, "beyond its end"),
        ] {
            let error = body(at, byte);
            assert!(error.contains(told), "{error:?} and {told:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(tail: Vec<u8>) {
            let _ = read(&tail);
            let _ = read(&sealed([MAGIC, &VERSION.to_le_bytes()[..], &tail].concat()));
        }
    }
}
