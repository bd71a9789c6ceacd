//! A crash state against the disk that the program saw at that moment: paths, and the bytes around the
//! first one that differs.

use faultfs::{Differs, DiskImage};
use serde::{Deserialize, Serialize};

/// Most paths that are told; the others are counted.
const MOST: usize = 50;

/// How many bytes of a file are shown, from a little before the first one that differs.
const SHOWN: usize = 64;

/// How many of them come before it.
const BEFORE: u64 = 16;

/// In what a crash state differs from what the program saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// The first paths that differ.
    pub paths: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
    /// Files and directories that are in both, and the same.
    pub same: usize,
}

/// One path that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where.
    pub path: String,
    /// How: `missing after the power cut`, `bytes differ from offset 4096`.
    pub what: String,
    /// Where the bytes begin that are shown.
    pub offset: u64,
    /// What the program saw there, in hexadecimal digits.
    pub saw: String,
    /// What is left there.
    pub left: String,
}

/// Compares what the program `saw` with what is `left`.
pub(crate) fn differing(saw: &DiskImage, left: &DiskImage) -> Differing {
    let all = saw.diff(left);
    let paths = all.iter().take(MOST).map(|difference| {
        let path = difference.path.to_string_lossy().into_owned();
        let path = if path.is_empty() { ".".to_owned() } else { path };
        let what = words(&difference.what);
        let first = match difference.what {
            Differs::Bytes { offset } => offset,
            Differs::Length { here, there } => here.min(there),
            _ => return Difference { path, what, ..Difference::default() },
        };
        let offset = first.saturating_sub(BEFORE);
        let bytes = |image: &DiskImage| {
            let found = image.find(&difference.path);
            found.map_or_else(String::new, |inode| {
                let mut bytes = [0; SHOWN];
                let n = image.read(inode, &mut bytes, offset);
                hex(&bytes[..n])
            })
        };
        Difference { saw: bytes(saw), left: bytes(left), path, what, offset }
    });
    let paths: Vec<_> = paths.collect();
    let changed: std::collections::BTreeSet<_> = all.iter().map(|found| &found.path).collect();
    let same = left.files().iter().filter(|(path, _)| !changed.contains(path)).count();
    Differing { more: all.len() - paths.len(), same, paths }
}

fn words(what: &Differs) -> String {
    match what {
        Differs::OnlyHere(_) => "missing after the power cut".to_owned(),
        Differs::OnlyThere(_) => "there again after the power cut".to_owned(),
        Differs::Kind { .. } => "of another kind".to_owned(),
        Differs::Bytes { offset } => format!("bytes differ from offset {offset}"),
        Differs::Length { here, there } => format!("{there} bytes long, not {here}"),
        Differs::Mode { here, there } => format!("mode {there:04o}, not {here:04o}"),
        Differs::Xattr { name } => format!("extended attribute {} differs", name.escape_ascii()),
        Differs::Target => "a symbolic link to elsewhere".to_owned(),
        Differs::HardLinks => "other hard links".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultfs::{Fs, FsFile, SimFs};
    use std::path::Path;

    #[test]
    fn lost_names_and_bytes_are_told_as_seen_from_the_program() {
        let disk = SimFs::new();
        let file = disk.create_new(Path::new("/kept"), 0o644).unwrap();
        file.write_at(b"old", 0).unwrap();
        let left = disk.image();
        file.write_at(b"new and more", 0).unwrap();
        disk.create_new(Path::new("/lost"), 0o644).unwrap();
        let told = differing(&disk.image(), &left);
        let told: Vec<_> = told.paths.iter().map(|d| (d.path.as_str(), d.what.as_str())).collect();
        assert!(told.contains(&("lost", "missing after the power cut")), "{told:?}");
        assert!(told.contains(&("kept", "3 bytes long, not 12")), "{told:?}");
        assert_eq!(hex(b"\x00\xff"), "00ff");
    }
}
