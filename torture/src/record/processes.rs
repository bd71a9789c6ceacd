//! Processes that a program leaves behind: found, killed, buried.
//!
//! Not for the checkers, of which several run at a time.

use std::ffi::OsString;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

use crate::check::leftover::Leftovers;
use crate::orphans::Orphans;

/// How often we look again: a process that forks as fast as it is killed is given up.
const ROUNDS: u32 = 1000;

/// The variable by which the processes of a run are known where nothing else tells them from others.
const RUN_VARIABLE: &str = "PLUGPULL_RUN";

/// Runs of this process so far.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// What all that a program starts belongs to.
pub(super) enum Family {
    /// All children of this process, which has no others: what outlives its parent becomes our child,
    /// however it detached itself.
    Children,
    /// Of all processes that are younger than this one, those in the calling thread's mount namespace, and
    /// where that is nobody's own, those with the run's variable.
    Marked {
        /// The youngest process before the run.
        before: Pid,
        /// How they are found.
        leftovers: Leftovers,
        /// The variable.
        run: (OsString, OsString),
    },
}

impl Family {
    /// That of the run that comes next on the calling thread.
    pub(super) fn begin(orphans: Orphans) -> Self {
        if orphans == Orphans::Ours {
            // Where it is refused, what detaches itself is not found.
            let _ = orphans.settle();
            return Self::Children;
        }
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let run = (RUN_VARIABLE.into(), format!("{}-{number}", getpid()).into());
        let leftovers = Leftovers::new(vec![run.clone()], orphans);
        let before = leftovers.newest().unwrap_or(getpid());
        Self::Marked { before, leftovers, run }
    }

    /// Lets a program that is started, and all that it starts, be of this family.
    pub(super) fn adopt(&self, command: &mut Command) {
        if let Self::Marked { run: (name, value), .. } = self {
            command.env(name, value);
        }
    }

    /// Buries those that ended by themselves.
    pub(super) fn bury_dead(&self) {
        if matches!(self, Self::Children) {
            bury_dead();
        }
    }

    /// Kills all of it, and waits for their end. Returns how many there were.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Children => kill_children(),
            // Those that fork as fast as they are killed are given up here, too.
            Self::Marked { before, leftovers, .. } => {
                leftovers.end(*before).unwrap_or_default() as u64
            }
        }
    }
}

/// Buries the children that ended by themselves.
fn bury_dead() {
    while waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)).is_ok_and(|end| end.pid().is_some()) {}
}

/// Kills all children of this process, and what they leave behind. Returns how many there were.
fn kill_children() -> u64 {
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
