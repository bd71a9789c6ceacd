//! What the figures are of: file system, mount options, device and its cache, kernel, virtual or not.
//!
//! Read from /proc and /sys; what is not told there is left out, never guessed. Not for judging (`plausible`).

mod device;
mod mounts;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use device::Device;
pub use mounts::{Kind, Mounted};

/// The machine below a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The directory.
    pub dir: String,
    /// What is mounted there.
    pub mounted: Option<Mounted>,
    /// What that is on, if it is on a block device.
    pub device: Option<Device>,
    /// Whether ext4 has a journal.
    pub journal: Option<bool>,
    /// What the kernel calls itself.
    pub kernel: String,
    /// The processor.
    pub cpu: String,
    /// How many of them.
    pub cpus: usize,
    /// Whether the machine is a virtual one.
    pub virtual_machine: bool,
}

impl Machine {
    /// Looks at what is below a directory.
    pub fn of(dir: &Path) -> Self {
        let dir = absolute(dir);
        let mounted = Mounted::at(&dir);
        let device = mounted.as_ref().and_then(Device::below);
        let cpu = read("/proc/cpuinfo");
        Self {
            journal: journal(mounted.as_ref(), device.as_ref()),
            dir: dir.display().to_string(),
            mounted,
            device,
            kernel: read("/proc/sys/kernel/osrelease"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            virtual_machine: is_virtual(&cpu),
            cpu: model(&cpu),
        }
    }

    /// Name of the file system's type; empty where it is not known.
    pub fn file_system(&self) -> &str {
        self.mounted.as_ref().map_or("", |mounted| &mounted.kind)
    }

    /// For people, a fact a line: what it is about, and what is so.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("directory", self.dir.clone())];
        if let Some(mounted) = &self.mounted {
            let journal = if self.journal == Some(false) { ", no journal" } else { "" };
            let Mounted { kind, options, source, point, .. } = mounted;
            lines
                .push(("file system", format!("{kind}{journal}, {source} on {point} ({options})")));
        }
        if let Some(device) = &self.device {
            lines.extend(device.lines());
        }
        let virtual_machine = if self.virtual_machine { ", a virtual machine" } else { "" };
        let (cpus, cpu) = (self.cpus, &self.cpu);
        lines.push(("machine", format!("{cpus} x {cpu}, Linux {}{virtual_machine}", self.kernel)));
        lines
    }
}

#[expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]
fn absolute(dir: &Path) -> std::path::PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

/// A file of the kernel's, without the newline; empty where there is none.
#[expect(clippy::disallowed_methods, reason = "files of the kernel")]
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn model(cpuinfo: &str) -> String {
    let field = |line: &str| line.strip_prefix("model name").map(|rest| rest.trim().to_owned());
    let named = cpuinfo.lines().find_map(field);
    named.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |name| name.trim_start_matches([':', ' ']).to_owned(),
    )
}

/// As the processor says, or the firmware where it does not.
fn is_virtual(cpuinfo: &str) -> bool {
    const MAKERS: [&str; 6] = ["QEMU", "VMware", "Xen", "innotek", "Amazon EC2", "Google"];
    let told = cpuinfo
        .lines()
        .any(|line| line.starts_with("flags") && line.split(' ').any(|flag| flag == "hypervisor"));
    let maker = read("/sys/class/dmi/id/sys_vendor");
    told || MAKERS.iter().any(|known| maker.starts_with(known))
}

/// ext4 with a journal shows it below /proc/fs/jbd2.
#[expect(clippy::disallowed_methods, reason = "a directory of the kernel")]
fn journal(mounted: Option<&Mounted>, device: Option<&Device>) -> Option<bool> {
    let (mounted, device) = (mounted?, device?);
    let journals = fs::read_dir("/proc/fs/jbd2").ok()?;
    let of_device = format!("{}-", device.name);
    let mut names = journals.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    (mounted.kind == "ext4").then(|| names.any(|name| name.starts_with(&of_device)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temp_directory_is_on_something() {
        let machine = Machine::of(&std::env::temp_dir());
        assert!(!machine.file_system().is_empty() && !machine.kernel.is_empty());
        assert!(machine.cpus > 0 && machine.lines().len() >= 3, "{machine:?}");
    }

    #[test]
    fn the_processor_tells_its_name_and_whether_it_is_virtual() {
        let text = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu hypervisor lahf_lm\n";
        assert_eq!(model(text), "A CPU");
        assert!(is_virtual(text));
        assert_eq!(model(""), std::env::consts::ARCH);
    }
}
