//! One state judged once more, with all that the checkers write recorded: a checker that writes is a
//! recovery, and the power may go while it is at it.
//!
//! The state is the start of a simulated disk that is mounted where the checkers look for it, for a
//! thread of its own with its own mounts: neither the workers nor anybody else see it. Not for what
//! a power cut leaves of the record (`recrash`).
#![expect(clippy::disallowed_methods, reason = "the file of Marks is none of a store's")]

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::Builder;

use faultfs::{Mount, MountHelper, MountOptions, SimFs, Trace};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, getgid, getuid};
use tempfile::TempDir;

use super::checkers::State;
use super::judge::Verdict;
use super::pool::{Setup, canonical};
use super::spawn::Spawner;
use super::tree::outside;
use super::worker::{DIR_VARIABLE, MARKS_VARIABLE, write_marks};
use crate::namespace;
use crate::record::first_cpu;
use crate::search::Asked;

/// Most bytes that a recovery may write.
const MEMORY: u64 = 64 << 20;

/// Whether one of the checkers looks at the state on disk, so that it could write.
pub fn can_write(setup: &Setup) -> bool {
    setup.checkers.iter().any(super::Prepared::needs_disk)
}

/// The verdict on a state, and what the checkers did to its disk. An error says why it was not measured.
pub fn record_checkers(setup: &Setup, asked: &Asked) -> io::Result<(Verdict, Trace)> {
    std::thread::scope(|scope| {
        let thread = Builder::new().name("recovery".to_owned());
        let thread = thread.spawn_scoped(scope, || recorded(setup, asked))?;
        let panicked = |_| Err(io::Error::other("the recorder of a recovery panicked"));
        thread.join().unwrap_or_else(panicked)
    })
}

fn recorded(setup: &Setup, asked: &Asked) -> io::Result<(Verdict, Trace)> {
    namespace::enter_thread()?;
    let dir = canonical(&setup.dir);
    let beside = TempDir::with_prefix_in("plugpull-", outside(&dir)?)?;
    std::fs::set_permissions(beside.path(), Permissions::from_mode(0o755))?;
    let marks_file = beside.path().join("marks");
    write_marks(setup, asked.marks, &marks_file)?;
    // Checkers and simulated disk take turns, and no other processor has to be woken.
    let cpu = first_cpu();
    pin(cpu);
    let disk = SimFs::on_machine_clock(asked.image.clone());
    let options = MountOptions {
        at: dir.clone(),
        cpu,
        memory: MEMORY,
        owner: (getuid().as_raw(), getgid().as_raw()),
        helper: MountHelper::Direct,
        allow_other: getuid().is_root(),
        name: MountOptions::NAME.to_owned(),
        check_permissions: false,
    };
    let mount = Mount::open(&disk, &options, Box::new(|_| {}))?;
    let verdict = judged(setup, asked, &dir, &marks_file);
    let seen = mount.close()?;
    if seen.out_of_memory {
        return Err(io::Error::other(format!("a recovery wrote more than {MEMORY} bytes")));
    }
    Ok((verdict?, disk.trace()))
}

/// As a worker asks them.
fn judged(setup: &Setup, asked: &Asked, dir: &Path, marks_file: &Path) -> io::Result<Verdict> {
    let variable = |name: &str, path: &Path| (OsString::from(name), path.as_os_str().to_owned());
    let env = vec![variable(MARKS_VARIABLE, marks_file), variable(DIR_VARIABLE, dir)];
    let spawner = Spawner::new(dir, setup.timeout, env, setup.orphans)?;
    let mut spawner = spawner.until(setup.stop.clone());
    for checker in &setup.checkers {
        let (image, marks) = (&asked.image, asked.marks as usize);
        let verdict = checker.judge(&mut State { image, marks, dir, spawner: &mut spawner })?;
        if setup.stop.asked() {
            // The checker may have been killed.
            return Ok(Verdict::given_up());
        }
        if verdict != Verdict::Survived {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Survived)
}

/// This thread, and all that it starts, on one processor; where it is refused all is slower, no more.
fn pin(cpu: Option<usize>) {
    let mut one = CpuSet::new();
    if cpu.is_some_and(|cpu| one.set(cpu).is_ok()) {
        let _ = sched_setaffinity(Pid::from_raw(0), &one);
    }
}
