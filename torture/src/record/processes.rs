//! Processes that a program leaves behind: found, killed, buried.
//!
//! We are the subreaper of all that we start (`PR_SET_CHILD_SUBREAPER`, prctl(2)): what outlives its
//! parent becomes our child, however it detached itself. Not for the checkers, of which several run at
//! a time.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

/// How often we look again: a process that forks as fast as it is killed is given up.
const ROUNDS: u32 = 1000;

/// Buries the children that ended by themselves.
pub(super) fn bury_dead() {
    while waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)).is_ok_and(|end| end.pid().is_some()) {}
}

/// Kills all children of this process, and what they leave behind. Returns how many there were.
pub(super) fn kill_children() -> u64 {
    let mut killed = 0;
    for _ in 0..ROUNDS {
        for child in children() {
            // Dead ones are buried below; ours to kill are all others.
            let _ = kill(child, Signal::SIGKILL);
        }
        match waitpid(None::<Pid>, None) {
            Ok(_) => killed += 1,
            Err(Errno::EINTR) => {}
            Err(_) => break,
        }
        while let Ok(status) = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            if status.pid().is_none() {
                break;
            }
            killed += 1;
        }
    }
    killed
}

/// The children of this process, of all its threads: those whose parent it is by the fourth field of
/// /proc/PID/stat (proc(5)), as not every kernel lists them.
#[expect(clippy::disallowed_methods, reason = "the kernel's files, not a store's")]
fn children() -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = getpid();
    pids.filter(|pid| parent(*pid) == Some(ours.as_raw())).map(Pid::from_raw).collect()
}

#[expect(clippy::disallowed_methods, reason = "the kernel's files, not a store's")]
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}
