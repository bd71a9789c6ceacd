//! Ending processes that left a program's process group, such as daemons: a checker's must not touch the
//! next state.
//!
//! In the ordinary case this costs one read: the kernel tells the number of the newest process, and
//! when it is the checker itself, there is no other. Otherwise the numbers since then are looked at. One
//! of ours is known by the worker's mount namespace, and where it has none of its own, by the
//! variables that only this worker's checkers have. Where killed orphans become our children they are waited
//! for, each by its number, so that no child of another thread is taken away from it.
//!
//! Not seen: a process that both gave up these variables and left the group, where there are no namespaces;
//! and any, where /proc is not mounted.
#![expect(clippy::disallowed_methods, reason = "/proc is no file of a store")]

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getsid};

use crate::orphans::Orphans;

/// How often all candidates are looked at before it is given up: a process that forks faster than it
/// is killed.
const PASSES: u32 = 2000;

/// How long a pass waits for killed processes that are no children of ours yet.
const PAUSE: Duration = Duration::from_millis(1);

/// A field of /proc/PID/stat, counted behind the name in parentheses.
const STATE: usize = 0;
const PARENT: usize = 1;
const SESSION: usize = 3;

#[derive(Debug)]
pub(crate) struct Leftovers {
    orphans: Orphans,
    /// /proc/loadavg, whose last field is the newest process's number.
    newest: Option<File>,
    /// This thread's mount namespace, if it is not that of the process.
    namespace: Option<PathBuf>,
    /// Variables of this thread's checkers, as they stand in /proc/PID/environ.
    env: Vec<Vec<u8>>,
    most: i32,
}

impl Leftovers {
    /// For the programs that the calling thread starts with these variables.
    pub(crate) fn new(env: Vec<(OsString, OsString)>, orphans: Orphans) -> Self {
        let newest = File::open("/proc/loadavg").ok();
        let own = std::fs::read_link("/proc/thread-self/ns/mnt").ok();
        let process = std::fs::read_link("/proc/self/ns/mnt").ok();
        let namespace = own.filter(|own| process.as_ref() != Some(own));
        let line =
            |(name, value): (OsString, OsString)| [name.into_vec(), value.into_vec()].join(&b'=');
        let most = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok();
        let most = most.and_then(|most| most.trim().parse().ok()).unwrap_or(1 << 22);
        Self { orphans, newest, namespace, env: env.into_iter().map(line).collect(), most }
    }

    /// Kills and waits for all that came after `first` and are ours. Returns how many there were.
    pub(crate) fn end(&self, first: Pid) -> io::Result<usize> {
        let mut found = BTreeSet::new();
        let mut newest = self.newest();
        if newest == Some(first) {
            return Ok(0);
        }
        for _ in 0..PASSES {
            let Some(last) = newest else { return Ok(found.len()) };
            let ours = self.end_pass(first.as_raw(), last.as_raw())?;
            if ours.is_empty() {
                return Ok(found.len());
            }
            found.extend(ours);
            newest = self.newest();
        }
        Err(io::Error::other("processes that were left behind cannot be ended"))
    }

    /// The process or thread that was started last, by anybody.
    pub(crate) fn newest(&self) -> Option<Pid> {
        let mut text = [0; 128];
        let count = self.newest.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = str::from_utf8(&text[..count]).ok()?;
        text.split_ascii_whitespace().last()?.parse().ok().map(Pid::from_raw)
    }

    /// Looks once at all that came after the first, and kills those of ours.
    fn end_pass(&self, first: i32, last: i32) -> io::Result<Vec<i32>> {
        let (mut found, mut waited) = (Vec::new(), true);
        let mut number = first;
        while number != last {
            // Numbers start again at the beginning when they are used up.
            number = if number >= self.most { 1 } else { number + 1 };
            let pid = Pid::from_raw(number);
            if self.is_ours(number) {
                found.push(number);
                let _ = kill(pid, Signal::SIGKILL);
                waited &= wait(pid)?;
            } else if self.orphans == Orphans::Ours && is_forgotten(number) {
                wait(pid)?;
            }
        }
        if !waited {
            std::thread::sleep(PAUSE);
        }
        Ok(found)
    }

    /// Whether a program of this thread started the process, or a descendant of it.
    fn is_ours(&self, pid: i32) -> bool {
        let ours = match &self.namespace {
            Some(own) => {
                std::fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|its| its == *own)
            }
            None => std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                let its: Vec<_> = environ.split(|byte| *byte == 0).collect();
                !self.env.is_empty() && self.env.iter().all(|line| its.contains(&&line[..]))
            }),
        };
        // Threads have numbers, too, and one of our own must not be taken for a stranger.
        ours && !std::fs::exists(format!("/proc/self/task/{pid}")).unwrap_or(true)
    }
}

/// Waits for a killed child; false if it is nobody's child of ours yet.
fn wait(pid: Pid) -> io::Result<bool> {
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED) {
            Ok(_) => return Ok(true),
            Err(Errno::ECHILD) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether it is an ended orphan that nobody else waits for: a child of ours in a session that is not ours
/// (all that we start ourselves stay in it).
fn is_forgotten(pid: i32) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else { return false };
    let Some(name_end) = stat.iter().rposition(|byte| *byte == b')') else { return false };
    let text = OsStr::from_bytes(&stat[name_end + 1..]).to_string_lossy();
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    let own = getsid(None).map(Pid::as_raw);
    let number = |field: usize| fields.get(field).and_then(|field| field.parse::<i32>().ok());
    fields.get(STATE) == Some(&"Z")
        && number(PARENT) == i32::try_from(std::process::id()).ok()
        && number(SESSION) != own.ok()
}
