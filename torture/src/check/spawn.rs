//! Running one checker to its end, and to the end of all that it left behind.
//!
//! The start is `posix_spawn`, which does not copy the page tables of this large process; for that
//! nothing may be asked of `Command` that needs code between fork and exec. The program leads a process
//! group, which is killed when its time is over or it ended; processes that left the group are found
//! by `leftover`.
//!
//! Not for judging how it ended (`judge`).
#![expect(clippy::disallowed_methods, reason = "a checker gets a limited time")]

use std::ffi::OsString;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use super::leftover::Leftovers;
use super::output::Output;
use crate::orphans::Orphans;
use crate::signals::Stop;

/// Bytes read from a checker at once.
const CHUNK: usize = 16 << 10;

/// The most that is read after a checker ended: what a pipe can hold where nobody made it larger.
const LEFT_IN_PIPE: usize = 1 << 20;

/// How often it is looked whether to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many milliseconds to wait before a start is tried again that failed because the machine was
/// short of processes or memory: others may end meanwhile.
pub(super) const PAUSES: [u64; 6] = [5, 20, 50, 100, 250, 500];

/// Whether an error goes away when others give something back (fork(2)).
pub(super) fn is_shortage(errno: Errno) -> bool {
    matches!(errno, Errno::EAGAIN | Errno::ENOMEM)
}

/// Tries to start something; again after each pause, as long as the machine is short of what it takes.
fn patiently<T>(
    mut start: impl FnMut() -> io::Result<T>,
    mut wait: impl FnMut(Duration),
) -> io::Result<T> {
    for pause in PAUSES {
        match start() {
            Err(e) if e.raw_os_error().is_some_and(|errno| is_shortage(Errno::from_raw(errno))) => {
                wait(Duration::from_millis(pause));
            }
            other => return other,
        }
    }
    start()
}

/// What is run, and where.
#[derive(Clone, Debug)]
pub struct Task {
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Variables beside those of this process.
    pub env: Vec<(OsString, OsString)>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It did not, and was killed.
    TimedOut,
    /// It could not be started: the error of the system.
    NotStarted(i32),
}

/// A program that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub status: Status,
    /// What it printed.
    pub output: Output,
    /// From its start to its end.
    pub time: Duration,
}

/// Runs programs on one thread, one at a time.
#[derive(Debug)]
pub struct Spawner {
    leftovers: Leftovers,
    timeout: Duration,
    /// Where each program runs, and what it is told about the state.
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// Whether to kill what runs.
    stop: Stop,
}

impl Spawner {
    /// For programs that run in `dir` for at most `timeout`, with `env` beside this process's own
    /// variables.
    pub fn new(
        dir: &Path,
        timeout: Duration,
        env: Vec<(OsString, OsString)>,
        orphans: Orphans,
    ) -> io::Result<Self> {
        orphans.settle()?;
        let leftovers = Leftovers::new(env.clone(), orphans);
        Ok(Self { leftovers, timeout, dir: dir.to_owned(), env, stop: Stop::default() })
    }

    /// From the moment that this says so, programs are killed as if their time were over.
    #[must_use]
    pub fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Runs one. An error means that it is not known what still runs.
    pub fn run(&mut self, task: &Task) -> io::Result<Ran> {
        let wait = |pause| {
            // Whoever asked to end is not kept waiting.
            if !self.stop.asked() {
                std::thread::sleep(pause);
            }
        };
        let (reader, child) = match patiently(|| self.start(task), wait) {
            Ok(started) => started,
            Err(e) => {
                let Some(errno) = e.raw_os_error() else { return Err(e) };
                let (status, output) = (Status::NotStarted(errno), Output::default());
                return Ok(Ran { status, output, time: Duration::ZERO });
            }
        };
        let start = Instant::now();
        let mut running = Running { child, reader, output: Output::default(), open: true };
        let ended = running.wait(start, self.timeout, &self.stop);
        // Before the leader is waited for, as its number may be given away afterwards.
        let group = Pid::from_raw(running.child.id().cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        let status = running.child.wait()?;
        let time = start.elapsed();
        reap_group(group)?;
        self.leftovers.end(group)?;
        running.drain()?;
        let status = if ended? { of(status) } else { Status::TimedOut };
        Ok(Ran { status, output: running.output, time })
    }

    /// How long a program may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    fn start(&self, task: &Task) -> io::Result<(PipeReader, Child)> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&task.program);
        let env = self.env.iter().chain(&task.env).map(|(name, value)| (name, value));
        command.args(&task.args).envs(env).current_dir(&self.dir).process_group(0);
        command.stdin(Stdio::null()).stderr(writer.try_clone()?).stdout(writer);
        // The command holds our ends of the pipe, and ends here.
        Ok((reader, command.spawn()?))
    }
}

fn of(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Signaled(signal.unwrap_or_default()),
    }
}

/// Waits for what was killed with the group and became our child.
fn reap_group(group: Pid) -> io::Result<()> {
    loop {
        match waitid(Id::PGid(group), WaitPidFlag::WEXITED) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

struct Running {
    child: Child,
    reader: PipeReader,
    output: Output,
    /// Whether somebody can still write to the pipe.
    open: bool,
}

impl Running {
    /// Waits for the end of the program, not for that of its output; false if it did not come.
    fn wait(&mut self, start: Instant, timeout: Duration, stop: &Stop) -> io::Result<bool> {
        let pid = rustix::process::Pid::from_child(&self.child);
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() || stop.asked() {
                return Ok(false);
            }
            let [ended, readable] = self.poll(process.as_fd(), left.min(LOOK_AGAIN))?;
            if readable {
                self.read()?;
            }
            if ended {
                return Ok(true);
            }
        }
    }

    fn poll(&self, process: BorrowedFd, left: Duration) -> io::Result<[bool; 2]> {
        // Up, as a poll of 0 ms would not wait.
        let left = left.as_micros().div_ceil(1000);
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [
            PollFd::new(process, PollFlags::POLLIN),
            PollFd::new(self.reader.as_fd(), PollFlags::POLLIN),
        ];
        let watched = if self.open { &mut fds[..] } else { &mut fds[..1] };
        match poll(watched, left) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok([false, false]),
            Err(errno) => return Err(errno.into()),
        }
        let ready = |fd: &PollFd| fd.revents().is_some_and(|events| !events.is_empty());
        Ok([ready(&fds[0]), self.open && ready(&fds[1])])
    }

    /// Reads what is there, once.
    fn read(&mut self) -> io::Result<usize> {
        let mut bytes = [0; CHUNK];
        let count = self.reader.read(&mut bytes)?;
        self.open = count > 0;
        self.output.add(&bytes[..count]);
        Ok(count)
    }

    /// Reads what is left in the pipe, without waiting for more.
    fn drain(&mut self) -> io::Result<()> {
        let mut left = LEFT_IN_PIPE;
        while self.open && left > 0 {
            let mut fds = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO) {
                Ok(0) => return Ok(()),
                Ok(_) => left = left.saturating_sub(self.read()?),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts that fail with these errors, one after the other, and then succeed. Returns what came of
    /// them, how many there were, and how often was waited.
    fn started(errors: &[Errno]) -> (io::Result<()>, usize, usize) {
        let (mut starts, mut waits) = (0, Vec::new());
        let start = || {
            starts += 1;
            errors.get(starts - 1).map_or(Ok(()), |errno| Err((*errno).into()))
        };
        let ended = patiently(start, |pause| waits.push(pause));
        assert!(waits.is_sorted(), "{waits:?}");
        (ended, starts, waits.len())
    }

    #[test]
    fn a_start_is_tried_again_while_processes_or_memory_are_short() {
        assert!(matches!(started(&[]), (Ok(()), 1, 0)));
        let short = [Errno::EAGAIN, Errno::ENOMEM, Errno::EAGAIN];
        assert!(matches!(started(&short), (Ok(()), 4, 3)));
    }

    #[test]
    fn the_tries_come_to_an_end() {
        let (ended, starts, waits) = started(&[Errno::EAGAIN; 100]);
        assert_eq!(ended.unwrap_err().raw_os_error(), Some(Errno::EAGAIN as i32));
        assert_eq!((starts, waits), (PAUSES.len() + 1, PAUSES.len()));
    }

    #[test]
    fn what_no_waiting_mends_is_told_at_once() {
        let (ended, starts, waits) = started(&[Errno::EAGAIN, Errno::ENOENT]);
        assert_eq!(ended.unwrap_err().raw_os_error(), Some(Errno::ENOENT as i32));
        assert_eq!((starts, waits), (2, 1));
    }
}
