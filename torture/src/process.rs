//! One writer process as the runner sees it: started, listened to, killed, waited for.
//!
//! A writer is never far ahead of what the runner has heard: its pipe holds one page, and the events
//! of all writers few. Else a fast disk would have thousands of commits made before their kill is due.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};
use plugpull_store::GcReport;

use crate::exit::Failure;
use crate::plan::Fate;
use crate::wire::{Part, Phase, Say, Step};

/// Bytes that a writer's pipe holds: the least there is, about ten commits.
const PIPE_SIZE: i32 = 4096;

/// Bytes read from it at a time: what was read counts as said, and is ahead as well.
const READ_SIZE: usize = 512;

/// What reaches the runner.
#[derive(Debug)]
pub enum Event {
    /// From one of its writers.
    Writer {
        /// Which slot.
        slot: u32,
        /// What happened.
        news: News,
    },
    /// From the garbage collection beside them.
    Collected(plugpull_store::Result<GcReport>),
}

/// What one writer did.
#[derive(Debug)]
pub enum News {
    /// It said something.
    Said(Say),
    /// It said something that is not of our language.
    Gibberish(String),
    /// It closed its output: it is dead or about to be.
    Ended,
}

/// A writer at work.
#[derive(Debug)]
pub struct Writer {
    child: Child,
    /// How it is to end; none for those that the end of the run kills.
    pub fate: Option<Fate>,
    /// Commits acknowledged in this life.
    pub acks: u64,
    /// What it is doing, while a commit is under way.
    pub phase: Option<Phase>,
    /// When the runner shall kill it.
    pub deadline: Option<Instant>,
    /// Whether the runner has killed it.
    pub killed: bool,
    /// Where it said that it kills itself.
    pub dying: Option<(Step, PathBuf)>,
    /// What the store told it, and whether the machine is to blame.
    pub failed: Option<(String, bool)>,
}

impl Writer {
    /// Starts a writer; its words arrive at `events`.
    pub fn start(
        part: &Part,
        fate: Option<Fate>,
        events: SyncSender<Event>,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::system("find plugpull", e))?;
        let mut child = Command::new(program)
            .arg("torture-writer")
            .arg(serde_json::to_string(part)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal is the runner's to handle.
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::system("start a writer", e))?;
        if let Some(out) = child.stdout.take() {
            // Where the kernel keeps the pipe as it was, the run is only less exact.
            let _ = fcntl(&out, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
            let slot = part.slot;
            std::thread::spawn(move || listen(slot, out, &events));
        }
        Ok(Self {
            child,
            fate,
            acks: 0,
            phase: None,
            deadline: None,
            killed: false,
            dying: None,
            failed: None,
        })
    }

    /// SIGKILL; the death shows as [`News::Ended`].
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.killed = true;
        self.deadline = None;
        self.child.kill().map_err(|e| Failure::system("kill a writer", e))
    }

    /// Waits for the end of a writer that has closed its output.
    pub fn wait(&mut self) -> Result<ExitStatus, Failure> {
        self.child.wait().map_err(|e| Failure::system("wait for a writer", e))
    }
}

/// Whether a process ended by SIGKILL.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(nix::sys::signal::Signal::SIGKILL as i32)
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whatever ends the runner early must leave no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(slot: u32, out: ChildStdout, events: &SyncSender<Event>) {
    let tell = |news| events.send(Event::Writer { slot, news }).is_ok();
    for line in BufReader::with_capacity(READ_SIZE, out).lines() {
        let Ok(line) = line else { break };
        let news = serde_json::from_str(&line).map_or(News::Gibberish(line), News::Said);
        if !tell(news) {
            return;
        }
    }
    tell(News::Ended);
}
