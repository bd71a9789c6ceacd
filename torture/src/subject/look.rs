//! Looking at a disk image by paths, without the store and without its file system.

use faultfs::{DiskImage, FileKind, Inode};

/// An image, with the directory of objects at hand.
pub(super) struct Look<'i> {
    image: &'i DiskImage,
    objects: Option<Inode>,
}

impl<'i> Look<'i> {
    pub(super) fn at(image: &'i DiskImage) -> Self {
        let mut look = Self { image, objects: None };
        look.objects = look.find(&["store", "objects", "sha256"]);
        look
    }

    /// What lies at the path of these parts.
    pub(super) fn find(&self, parts: &[&str]) -> Option<Inode> {
        let step = |dir, part: &&str| self.image.lookup(dir, part.as_bytes());
        parts.iter().try_fold(DiskImage::ROOT, step)
    }

    /// The entries of the directory at this path; none where there is none.
    pub(super) fn entries(&self, parts: &[&str]) -> Vec<(String, Inode)> {
        self.find(parts).map_or_else(Vec::new, |dir| self.entries_of(dir))
    }

    fn entries_of(&self, dir: Inode) -> Vec<(String, Inode)> {
        let entries = self.image.entries(dir);
        entries.map(|(name, inode)| (String::from_utf8_lossy(name).into_owned(), inode)).collect()
    }

    /// An object's file.
    pub(super) fn object(&self, shard: &str, name: &str) -> Option<Inode> {
        let shard = self.image.lookup(self.objects?, shard.as_bytes())?;
        self.image.lookup(shard, name.as_bytes())
    }

    /// The shard and name of every object.
    pub(super) fn objects(&self) -> Vec<(String, String)> {
        let shards = self.objects.map_or_else(Vec::new, |dir| self.entries_of(dir));
        let names = |(shard, dir): (String, Inode)| {
            let entries = self.entries_of(dir).into_iter();
            entries.map(move |(name, _)| (shard.clone(), name)).collect::<Vec<_>>()
        };
        shards.into_iter().flat_map(names).collect()
    }

    /// Everything but directories below one at the top, by absolute path.
    pub(super) fn files_below(&self, top: &str) -> Vec<(String, Inode)> {
        let mut files = Vec::new();
        let start = self.find(&[top]).map(|inode| (format!("/{top}"), inode));
        let mut open: Vec<_> = start.into_iter().collect();
        while let Some((path, inode)) = open.pop() {
            if self.image.kind(inode) == Some(FileKind::Dir) {
                let entries = self.entries_of(inode).into_iter();
                open.extend(entries.map(|(name, child)| (format!("{path}/{name}"), child)));
            } else {
                files.push((path, inode));
            }
        }
        files
    }

    /// Whether a regular file has exactly these bytes.
    pub(super) fn holds(&self, inode: Inode, bytes: &[u8]) -> bool {
        if self.image.kind(inode) != Some(FileKind::File)
            || self.image.len(inode) != bytes.len() as u64
        {
            return false;
        }
        let mut found = vec![0; bytes.len()];
        self.image.read(inode, &mut found, 0) == bytes.len() && found == bytes
    }

    /// A file's bytes.
    pub(super) fn bytes(&self, inode: Inode) -> Vec<u8> {
        let mut found = vec![0; usize::try_from(self.image.len(inode)).unwrap_or_default()];
        self.image.read(inode, &mut found, 0);
        found
    }

    /// Its permission bits.
    pub(super) fn mode(&self, inode: Inode) -> u32 {
        self.image.attributes(inode).map_or(0, |attributes| attributes.mode)
    }
}
