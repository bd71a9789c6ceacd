//! The block device below a mount, as sysfs describes it: cache, FUA, medium, model, and what a loop device
//! is on.
//!
//! Not for file systems that are on none.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};

use super::mounts::Mounted;
use super::read;

/// A disk, or what plays one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name below /dev.
    pub name: String,
    /// What its maker calls it.
    pub model: String,
    /// Bytes.
    pub bytes: u64,
    /// `write back`: a flush is needed; `write through`: the disk says that it keeps what it took.
    pub write_cache: String,
    /// Whether one write can be made to reach the medium without a flush of all.
    pub fua: bool,
    /// Whether it says that it rotates.
    pub rotational: bool,
    /// The I/O scheduler at work.
    pub scheduler: String,
    /// The bus it hangs on, or what makes it.
    pub bus: String,
    /// Of a loop device: the file that it is on.
    pub backing_file: Option<String>,
    /// The type of the file system that this file is on.
    pub backing_kind: Option<String>,
}

impl Device {
    /// The device that is mounted; of several that make up one file system, the first.
    pub fn below(mounted: &Mounted) -> Option<Self> {
        // btrfs has numbers of its own, but names a device.
        let numbers = numbers_of(Path::new(&mounted.source)).unwrap_or(mounted.device.clone());
        let place = resolved(&Path::new("/sys/dev/block").join(numbers))?;
        // A partition has no queue; its disk has.
        let is_part = !read(place.join("partition")).is_empty();
        let disk = if is_part { place.parent()?.to_owned() } else { place.clone() };
        Some(Self::at(&place, &disk))
    }

    fn at(place: &Path, disk: &Path) -> Self {
        let queue = |name: &str| read(disk.join("queue").join(name));
        let backing_file = read(disk.join("loop/backing_file"));
        let backing_file = (!backing_file.is_empty()).then_some(backing_file);
        let backing = backing_file.as_ref().and_then(|file| Mounted::at(Path::new(file)));
        Self {
            name: name_of(place),
            model: read(disk.join("device/model")),
            bytes: read(place.join("size")).parse::<u64>().unwrap_or_default() * 512,
            write_cache: queue("write_cache"),
            fua: queue("fua") == "1",
            rotational: queue("rotational") == "1",
            scheduler: chosen(&queue("scheduler")).to_owned(),
            bus: bus_of(disk),
            backing_file,
            backing_kind: backing.map(|mounted| mounted.kind),
        }
    }

    /// Whether what it keeps is in memory, as far as one can tell.
    pub fn is_memory(&self) -> bool {
        let of_memory = |kind: &str| matches!(kind, "tmpfs" | "ramfs");
        self.name.starts_with("ram")
            || self.name.starts_with("zram")
            || self.backing_kind.as_deref().is_some_and(of_memory)
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let model = if self.model.is_empty() { String::new() } else { format!(" {}", self.model) };
        let medium = if self.rotational { "says it rotates" } else { "says it does not rotate" };
        let fua = if self.fua { "FUA" } else { "no FUA" };
        let size = indicatif::BinaryBytes(self.bytes);
        let Self { name, bus, write_cache, scheduler, .. } = self;
        let mut lines = vec![(
            "device",
            format!(
                "{name}{model}, {size}, {bus}, cache {write_cache}, {fua}, {medium}, scheduler {scheduler}"
            ),
        )];
        if let (Some(file), Some(kind)) = (&self.backing_file, &self.backing_kind) {
            lines.push(("on the file", format!("{file} ({kind})")));
        }
        lines
    }
}

#[expect(clippy::disallowed_methods, reason = "a device")]
fn numbers_of(device: &Path) -> Option<String> {
    let found = fs::metadata(device).ok()?;
    let number = found.rdev();
    found.file_type().is_block_device().then(|| format!("{}:{}", major(number), minor(number)))
}

#[expect(clippy::disallowed_methods, reason = "links of sysfs")]
fn resolved(link: &Path) -> Option<PathBuf> {
    fs::canonicalize(link).ok()
}

fn name_of(place: &Path) -> String {
    place.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The one in brackets: `none [mq-deadline] kyber`.
fn chosen(schedulers: &str) -> &str {
    let inside = schedulers.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or(schedulers, |(chosen, _)| chosen)
}

/// What is above `block` in the path of the device: virtio, nvme, usb, or `virtual`.
fn bus_of(disk: &Path) -> String {
    const BUSES: [&str; 8] = ["usb", "nvme", "virtio", "ata", "mmc", "xen", "vmbus", "virtual"];
    let names = disk.components().rev().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let bus = |name: String| BUSES.into_iter().find(|bus| name.starts_with(bus));
    let found: Vec<_> = names.skip(1).filter_map(bus).collect();
    // A disk behind a USB bridge is one behind a USB bridge first.
    let usb = found.contains(&"usb").then_some("usb");
    usb.or(found.first().copied()).unwrap_or("unknown bus").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_is_read_from_the_path() {
        let bus = |path: &str| bus_of(Path::new(path));
        assert_eq!(bus("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda"), "virtio");
        assert_eq!(bus("/sys/devices/virtual/block/loop0"), "virtual");
        assert_eq!(bus("/sys/devices/pci0/usb2/2-1/host6/target6:0:0/block/sdb"), "usb");
        assert_eq!(bus("/sys/devices/pci0/0000:01:00.0/nvme/nvme0/nvme0n1"), "nvme");
    }

    #[test]
    fn the_scheduler_is_the_one_in_brackets() {
        assert_eq!((chosen("none [mq-deadline] bfq"), chosen("none")), ("mq-deadline", "none"));
    }

    #[test]
    fn a_loop_device_on_a_tmpfs_is_memory() {
        let device = Device { backing_kind: Some("tmpfs".to_owned()), ..Device::default() };
        assert!(device.is_memory());
        assert!(!Device { name: "vda".to_owned(), ..Device::default() }.is_memory());
        assert!(Device { name: "zram0".to_owned(), ..Device::default() }.is_memory());
    }
}
