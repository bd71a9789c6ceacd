//! What is mounted at a directory, from /proc/self/mountinfo (proc(5)).
//!
//! Not for the device below (`device`).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::read;

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Type of the file system.
    pub kind: String,
    /// Where it is mounted.
    pub point: String,
    /// What is mounted: a device, a server, or a word.
    pub source: String,
    /// Options of the mount and of the file system.
    pub options: String,
    /// Numbers of the device, `major:minor`.
    pub device: String,
}

/// Where files really are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory only.
    Memory,
    /// Behind a program.
    Fuse,
    /// On another machine.
    Network,
    /// On a disk of this machine, as far as one can tell.
    Local,
}

impl Mounted {
    /// What is mounted at a directory, which is absolute and has no links.
    pub fn at(dir: &Path) -> Option<Self> {
        of(&read("/proc/self/mountinfo"), dir)
    }

    /// Where its files really are.
    pub fn kind(&self) -> Kind {
        const NETWORK: [&str; 25] = [
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "ceph",
            "9p",
            "afs",
            "lustre",
            "glusterfs",
            "virtiofs",
            "ocfs2",
            "gfs2",
            "beegfs",
            // Programs that stand for a server.
            "fuse.sshfs",
            "fuse.glusterfs",
            "fuse.ceph",
            "fuse.ceph-fuse",
            "fuse.s3fs",
            "fuse.rclone",
            "fuse.gcsfuse",
            "fuse.juicefs",
            "fuse.davfs",
            "fuse.curlftpfs",
            "fuse.seaweedfs",
        ];
        match self.kind.as_str() {
            "tmpfs" | "ramfs" | "devtmpfs" | "hugetlbfs" => Kind::Memory,
            kind if NETWORK.contains(&kind) => Kind::Network,
            "fuse" | "fuseblk" => Kind::Fuse,
            kind if kind.starts_with("fuse.") => Kind::Fuse,
            _ => Kind::Local,
        }
    }

    /// Whether it is mounted with this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|given| given == option)
    }
}

/// The last of the mounts that are nearest to the directory: it lies over the others.
fn of(mountinfo: &str, dir: &Path) -> Option<Mounted> {
    let mounts = mountinfo.lines().filter_map(parse);
    let above = mounts.filter(|mounted| dir.starts_with(&mounted.point));
    above.max_by_key(|mounted| PathBuf::from(&mounted.point).components().count())
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS] - TYPE SOURCE OPTIONS`
fn parse(line: &str) -> Option<Mounted> {
    let (mount, super_block) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(2);
    let (device, _root, point) = (mount.next()?, mount.next()?, mount.next()?);
    let options = mount.next()?;
    let mut super_block = super_block.split(' ');
    let (kind, source) = (super_block.next()?, super_block.next()?);
    let of_all = super_block.next().unwrap_or_default();
    Some(Mounted {
        kind: kind.to_owned(),
        point: plain(point),
        source: plain(source),
        options: merged(options, of_all),
        device: device.to_owned(),
    })
}

/// Both lists as one, each option once.
fn merged(options: &str, more: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for option in options.split(',').chain(more.split(',')) {
        if !option.is_empty() && !all.contains(&option) {
            all.push(option);
        }
    }
    all.join(",")
}

/// Without the escapes of mountinfo: blank, tab, newline and backslash.
fn plain(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 25 0:27 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=1k
40 27 0:30 / /data rw shared:1 - nfs4 host:/x rw,vers=4.2
41 27 0:31 / /data/my\\040disk rw - fuse.sshfs me@host: rw
42 27 0:32 / /data rw - btrfs /dev/vdb rw,nobarrier
";

    #[test]
    fn the_nearest_and_last_mount_counts() {
        let at = |dir| of(INFO, Path::new(dir)).unwrap();
        assert_eq!(at("/home").kind(), Kind::Local);
        assert_eq!(at("/home").options, "rw,relatime,discard");
        assert_eq!(
            (at("/dev/shm/x").kind(), at("/dev/shm/x").kind),
            (Kind::Memory, "tmpfs".into())
        );
        assert_eq!(at("/data/my disk/x").kind(), Kind::Network);
        assert_eq!(at("/datax").point, "/");
        let data = at("/data");
        assert_eq!(
            (data.kind.as_str(), data.has("nobarrier"), data.has("no")),
            ("btrfs", true, false)
        );
    }

    #[test]
    fn a_server_is_told_from_a_disk() {
        let nfs = parse("40 27 0:30 / /data rw shared:1 - nfs4 host:/x rw").unwrap();
        assert_eq!((nfs.kind(), nfs.source.as_str()), (Kind::Network, "host:/x"));
        let windows = parse("43 27 0:33 / /win rw - fuse.ntfs-3g /dev/sdb1 rw").unwrap();
        assert_eq!(windows.kind(), Kind::Fuse);
        assert_eq!(parse("no mount"), None);
    }
}
