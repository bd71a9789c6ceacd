//! Reading an object piece by piece, with its hash checked at the end.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use faultfs::{Access, FileKind, Fs, FsFile, Metadata};
use sha2::{Digest, Sha256};

use crate::error::{At, ELOOP, Error, Result, found};
use crate::id::ObjectId;
use crate::open::Store;

/// Bytes read or written at a time when an object is streamed.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Reads an object of any size. What it yields is checked only at the end: the read that would report
/// the end of the file fails instead when the bytes do not have the object's id.
pub struct ObjectReader<H> {
    file: H,
    path: PathBuf,
    id: ObjectId,
    metadata: Metadata,
    hasher: Sha256,
    offset: u64,
}

impl<H: FsFile> ObjectReader<H> {
    /// Length in bytes of the object's file.
    pub fn len(&self) -> u64 {
        self.metadata.len
    }

    /// Whether the object has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn mode(&self) -> u32 {
        self.metadata.mode
    }

    pub(crate) fn file(&self) -> &H {
        &self.file
    }

    /// Hands every piece to `sink`, then checks the hash.
    pub(crate) fn copy(mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<H> {
        let mut buf = vec![0; CHUNK.min(usize::try_from(self.len()).unwrap_or(CHUNK)).max(1)];
        loop {
            let n = match self.file.read_at(&mut buf, self.offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read.at("read", &self.path)?,
            };
            if n == 0 {
                break;
            }
            self.advance(&buf[..n]);
            sink(&buf[..n])?;
            if self.offset == self.len() {
                break;
            }
        }
        match self.problem() {
            None => Ok(self.file),
            Some(problem) => Err(Error::Corrupt { path: self.path, problem }),
        }
    }

    /// All bytes, checked.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.len()).unwrap_or(0));
        self.copy(&mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn advance(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
        self.offset += piece.len() as u64;
    }

    /// What is wrong with the bytes read so far, taken as the whole object.
    fn problem(&self) -> Option<String> {
        let actual = ObjectId::from(self.hasher.clone());
        (actual != self.id).then(|| wrong_hash(self.offset, &actual))
    }
}

impl<H: FsFile> Read for ObjectReader<H> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.offset)?;
        self.advance(&buf[..n]);
        if n == 0
            && !buf.is_empty()
            && let Some(problem) = self.problem()
        {
            let corrupt = Error::Corrupt { path: self.path.clone(), problem };
            return Err(io::Error::new(io::ErrorKind::InvalidData, corrupt));
        }
        Ok(n)
    }
}

impl<F: Fs> Store<F> {
    /// Opens an object for reading piece by piece; `None` when there is no such object.
    pub fn reader(&self, id: &ObjectId) -> Result<Option<ObjectReader<F::File>>> {
        open_object(self.fs(), self.layout().object(id), id)
    }

    /// The bytes of an object, checked; `None` when there is no such object. For objects that fit
    /// into memory; [`Store::reader`] is for the others.
    pub fn get(&self, id: &ObjectId) -> Result<Option<Vec<u8>>> {
        self.reader(id)?.map(ObjectReader::into_bytes).transpose()
    }
}

/// Opens the file of an object, whatever is in it.
pub(crate) fn open_object<F: Fs>(
    fs: &F,
    path: PathBuf,
    id: &ObjectId,
) -> Result<Option<ObjectReader<F::File>>> {
    let file = match found(fs.open(&path, Access::Read)) {
        Err(e) if e.raw_os_error() == Some(ELOOP) => return Err(not_a_file(&path)),
        opened => opened.at("open", &path)?,
    };
    let Some(file) = file else { return Ok(None) };
    let metadata = file.metadata().at("stat", &path)?;
    if metadata.kind != FileKind::File {
        return Err(not_a_file(&path));
    }
    Ok(Some(ObjectReader { file, path, id: *id, metadata, hasher: Sha256::new(), offset: 0 }))
}

/// How it is told that an object of `len` bytes has another hash than its name.
pub(crate) fn wrong_hash(len: u64, actual: &ObjectId) -> String {
    format!("its {len} bytes hash to {actual}, not to its name")
}

fn not_a_file(path: &Path) -> Error {
    let problem = "something else than a regular file stands in its place; move it away".to_owned();
    Error::Corrupt { path: path.to_owned(), problem }
}
