//! What makes figures doubtful: memory that plays a disk, acknowledgements faster than a medium can be, a machine
//! that had other things to do.
//!
//! A warning changes no figure and no exit code. Not for what cannot be measured at all (`scratch`).

use serde::{Deserialize, Serialize};

use super::figures::as_f64;
use super::gives::PowerCut;
use super::machine::Kind;
use super::machine::Machine;
use super::result::{Bench, Case};
use super::words::time;

/// A system call that starts no I/O returns within this.
const NO_IO_NS: u64 = 10_000;

/// The quickest flash, by a flush of its cache.
const FLASH_NS: u64 = 15_000;

/// A quarter of a turn at 15,000 a minute: the quickest that a write to a rotating disk can be at the median.
const ROTATION_NS: u64 = 1_000_000;

/// From which factor between rounds on a strategy was disturbed.
const UNSTEADY: u64 = 3;

/// One in so many strategies may be unsteady without a word.
const UNSTEADY_SHARE: usize = 4;

/// Something that a reader should know before believing the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A short name of the rule, which stays the same.
    pub rule: String,
    /// What is so, for people.
    pub text: String,
}

/// A rule: what it is called, and what it has to say of a result.
type Rule = (&'static str, fn(&Bench) -> Option<String>);

/// All rules.
const RULES: [Rule; 8] = [
    ("memory", memory),
    ("fuse", fuse),
    ("network", network),
    ("no-barrier", no_barrier),
    ("nothing-kept", nothing_kept),
    ("faster-than-medium", faster_than_medium),
    ("free-barrier", free_barrier),
    ("unsteady", unsteady),
];

/// All that is to be said of a result.
pub fn warnings(bench: &Bench) -> Vec<Warning> {
    let told =
        |&(rule, judge): &Rule| judge(bench).map(|text| Warning { rule: rule.to_owned(), text });
    RULES.iter().filter_map(told).collect()
}

fn kind(machine: &Machine) -> Kind {
    machine.mounted.as_ref().map_or(Kind::Local, super::machine::Mounted::kind)
}

fn memory(bench: &Bench) -> Option<String> {
    let machine = &bench.machine;
    let fs = machine.file_system();
    if kind(machine) == Kind::Memory {
        return Some(format!(
            "{fs} is memory: nothing on it survives a power cut, whatever is called"
        ));
    }
    let device = machine.device.as_ref().filter(|device| device.is_memory())?;
    let name = &device.name;
    Some(format!("{fs} is on {name}, which is memory: nothing on it survives a power cut"))
}

fn fuse(bench: &Bench) -> Option<String> {
    let fs = bench.machine.file_system();
    (kind(&bench.machine) == Kind::Fuse).then(|| {
        format!("{fs} is a file system in a program (FUSE): the figures are of that program, and whether fsync \
                 reaches a disk is up to it")
    })
}

fn network(bench: &Bench) -> Option<String> {
    let fs = bench.machine.file_system();
    (kind(&bench.machine) == Kind::Network).then(|| {
        format!("{fs} is a network file system: the figures are of the network and the server, and what survives \
                 a power cut there is up to the server")
    })
}

fn no_barrier(bench: &Bench) -> Option<String> {
    let mounted = bench.machine.mounted.as_ref()?;
    let off = ["nobarrier", "barrier=0", "fsync_mode=nobarrier"];
    let option = off.into_iter().find(|option| mounted.has(option))?;
    Some(format!(
        "mounted with {option}: fsync does not empty the disk's cache, which a power cut may"
    ))
}

/// What waits for a disk: the durable cases, but for those that share the wait.
fn durable(bench: &Bench) -> impl Iterator<Item = &Case> {
    bench.cases.iter().filter(|case| case.gives.power_cut == PowerCut::New && case.together == 1)
}

fn quickest(bench: &Bench) -> Option<&Case> {
    durable(bench).min_by_key(|case| case.figures.p50_ns)
}

fn nothing_kept(bench: &Bench) -> Option<String> {
    let case = quickest(bench)?;
    let p50 = case.figures.p50_ns;
    (p50 < NO_IO_NS).then(|| {
        format!("{} returns in {}: this file system keeps nothing", case.strategy, time(p50))
    })
}

fn faster_than_medium(bench: &Bench) -> Option<String> {
    let device = bench.machine.device.as_ref()?;
    let case = quickest(bench)?;
    let p50 = case.figures.p50_ns;
    if p50 < NO_IO_NS {
        return None;
    }
    let (medium, limit) =
        if device.rotational { ("it rotates", ROTATION_NS) } else { ("it is flash", FLASH_NS) };
    (p50 < limit).then(|| {
        let (name, strategy, p50) = (&device.name, &case.strategy, time(p50));
        let host = if bench.machine.virtual_machine {
            " (a virtual disk may say so of anything)"
        } else {
            ""
        };
        format!("the disk acknowledges faster than its medium can: {name} says {medium}{host}, and {strategy} takes {p50}. \
                 There is a cache that outlives a power cut, a disk of another kind behind it, or one that does not \
                 do what it is told")
    })
}

/// A barrier that costs nothing does nothing.
fn free_barrier(bench: &Bench) -> Option<String> {
    let size = bench.shown_size()?;
    let free = ["overwrite", "append"].into_iter().find_map(|family| {
        let bare = bench.case(&format!("{family}/none"), size)?;
        let barred = bench.case(&format!("{family}/fdatasync"), size)?;
        (barred.figures.p50_ns < 3 * bare.figures.p50_ns / 2).then_some((bare, barred))
    });
    let (bare, barred) = free?;
    let (bare, barred) = (time(bare.figures.p50_ns), time(barred.figures.p50_ns));
    Some(format!(
        "fdatasync costs next to nothing: {bare} without it, {barred} with it; it does not reach a disk"
    ))
}

fn unsteady(bench: &Bench) -> Option<String> {
    let factor = |case: &Case| {
        let rounds = &case.figures.round_medians_ns;
        let (low, high) = (rounds.iter().min()?, rounds.iter().max()?);
        (*high > UNSTEADY * low).then(|| as_f64(*high) / as_f64(*low))
    };
    let factors: Vec<_> = durable(bench).filter_map(factor).collect();
    let of = durable(bench).count();
    let most = factors.iter().copied().fold(0.0, f64::max);
    (factors.len() * UNSTEADY_SHARE > of).then(|| {
        format!("unsteady: the rounds of {} of {of} durable cases differ by more than {UNSTEADY} times, up to \
                 {most:.0} times; other programs use the disk, or it has a cache that fills up", factors.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::{Device, Mounted};
    use crate::bench::result::tests::made;

    fn on(kind: &str, device: Option<Device>, cases: &[(&str, u64)]) -> Vec<String> {
        let mounted = Mounted { kind: kind.to_owned(), ..Mounted::default() };
        let mut bench = made(cases);
        bench.machine = Machine { mounted: Some(mounted), device, ..Machine::default() };
        warnings(&bench).into_iter().map(|warning| warning.rule).collect()
    }

    fn disk(rotational: bool) -> Device {
        Device { name: "sda".to_owned(), rotational, ..Device::default() }
    }

    const ORDINARY: [(&str, u64); 2] = [("append/none", 2_000), ("append/fdatasync", 400_000)];

    #[test]
    fn an_ordinary_disk_has_no_warning() {
        assert_eq!(on("ext4", Some(disk(false)), &ORDINARY), [""; 0]);
        assert_eq!(on("ext4", Some(disk(true)), &[("append/fdatasync", 8_000_000)]), [""; 0]);
    }

    #[test]
    fn memory_is_told_whatever_it_costs() {
        assert_eq!(on("tmpfs", None, &ORDINARY), ["memory"]);
        let both = ["memory", "nothing-kept", "free-barrier"];
        assert_eq!(on("tmpfs", None, &[("append/none", 900), ("append/fdatasync", 1_000)]), both);
        let device = Device { backing_kind: Some("tmpfs".to_owned()), ..Device::default() };
        assert_eq!(on("ext4", Some(device), &ORDINARY), ["memory"]);
    }

    #[test]
    fn what_no_medium_can_do_is_told() {
        assert_eq!(on("ext4", Some(disk(true)), &ORDINARY), ["faster-than-medium"]);
        assert_eq!(
            on("ext4", Some(disk(false)), &[("overwrite/fsync", 12_000)]),
            ["faster-than-medium"]
        );
        assert_eq!(on("ext4", Some(disk(false)), &[("overwrite/fsync", 2_000)]), ["nothing-kept"]);
        // A batch shares its wait, and without a barrier there is none.
        assert_eq!(
            on("ext4", Some(disk(false)), &[("batch/fsync", 2_000), ("append/none", 900)]),
            [""; 0]
        );
    }

    #[test]
    fn servers_and_programs_are_told() {
        assert_eq!(on("nfs4", None, &ORDINARY), ["network"]);
        assert_eq!(on("fuse.sshfs", None, &ORDINARY), ["network"]);
        assert_eq!(on("fuse.ntfs-3g", None, &ORDINARY), ["fuse"]);
    }

    #[test]
    fn barriers_that_are_switched_off_are_told() {
        let mut bench = made(&ORDINARY);
        let options = "rw,nobarrier".to_owned();
        bench.machine.mounted =
            Some(Mounted { kind: "xfs".to_owned(), options, ..Mounted::default() });
        assert_eq!(warnings(&bench)[0].rule, "no-barrier");
    }

    #[test]
    fn rounds_that_differ_are_told() {
        let mut bench = made(&ORDINARY);
        bench.cases[1].figures.round_medians_ns = vec![100, 100, 1000];
        let told = warnings(&bench);
        assert_eq!(told.len(), 1);
        assert!(told[0].text.contains("1 of 1") && told[0].text.contains("10 times"), "{told:?}");
    }
}
