//! What a run of a checker says about a state.
//!
//! The contract is as small as it can be: exit code 0 is content, everything else is a violation, and the
//! last line says which. 126 and 127 are what a shell says when it could not start the program:
//! then nothing was checked, and the harness is to be mended. Not for grouping violations.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::spawn::{PAUSES, Ran, Status, is_shortage};

/// One state judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every checker was content.
    Survived,
    /// A checker was not.
    Violated(Violation),
    /// The state was not looked at, and why.
    NotMeasured(String),
    /// No checker could say anything, and why.
    HarnessBroken(String),
}

/// Why a checker was not content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    /// One line.
    pub message: String,
    /// The beginning of what it printed.
    pub output: Vec<u8>,
    /// How many bytes it printed after that.
    pub dropped: u64,
}

/// Why a state was not looked at when somebody asked to end.
const GIVEN_UP: &str = "the check was given up";

impl Verdict {
    /// Somebody asked to end before the state was looked at.
    pub(crate) fn given_up() -> Self {
        Self::NotMeasured(GIVEN_UP.to_owned())
    }

    /// Why the machine did not let us look at the state, if that is so.
    pub(crate) fn hindered(&self) -> Option<&str> {
        match self {
            Self::NotMeasured(why) if why != GIVEN_UP => Some(why),
            _ => None,
        }
    }

    /// A violation that a line tells.
    pub(super) fn violated(message: impl Into<String>) -> Self {
        Self::Violated(Violation { message: message.into(), ..Violation::default() })
    }

    /// A violation with all that the program printed.
    pub(super) fn violated_with(message: String, ran: &Ran) -> Self {
        let (output, dropped) = (ran.output.head().to_vec(), ran.output.dropped());
        Self::Violated(Violation { message, output, dropped })
    }
}

/// What a panic said.
pub(super) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Judges what a closure says of a state; a panic is a violation, too.
pub(crate) fn judge_closure(check: impl FnOnce() -> Result<(), String>) -> Verdict {
    let message = match catch_unwind(AssertUnwindSafe(check)) {
        Ok(Ok(())) => return Verdict::Survived,
        Ok(Err(message)) => message,
        Err(panic) => format!("the check panicked: {}", said(&*panic)),
    };
    let line = message.lines().next_back().unwrap_or_default().to_owned();
    let output = if line == message { Vec::new() } else { message.into_bytes() };
    Verdict::Violated(Violation { message: line, output, ..Violation::default() })
}

/// Codes by which a shell says that it could not start a program.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Judges a program that was run for at most `timeout`.
pub fn judge(ran: &Ran, timeout: Duration) -> Verdict {
    let line = ran.output.last_line();
    let or_line = |otherwise: String| if line.is_empty() { otherwise } else { line.clone() };
    match ran.status {
        Status::Exited(0) => Verdict::Survived,
        Status::Exited(code @ (NOT_EXECUTABLE | NOT_FOUND)) => {
            let why = or_line("the program cannot be started".to_owned());
            Verdict::HarnessBroken(format!("the checker exited with {code}: {why}"))
        }
        Status::NotStarted(errno) if is_shortage(Errno::from_raw(errno)) => {
            Verdict::NotMeasured(format!(
                "the checker could not be started, not in {} tries: {}; allow more processes and memory \
                 (ulimit -u, pids.max, memory.max), or check fewer states at the same time (--jobs)",
                PAUSES.len() + 1,
                io::Error::from_raw_os_error(errno)
            ))
        }
        Status::NotStarted(errno) => {
            let errno = Errno::from_raw(errno);
            Verdict::HarnessBroken(format!("the checker cannot be started: {}", errno.desc()))
        }
        Status::Exited(code) => Verdict::violated_with(or_line(format!("exit status {code}")), ran),
        // A program that was killed did not get to say its last word.
        Status::Signaled(signal) => {
            let name = Signal::try_from(signal).map_or("a real-time signal", Signal::as_str);
            Verdict::violated_with(format!("killed by {name}"), ran)
        }
        Status::TimedOut => Verdict::violated_with(format!("did not end within {timeout:?}"), ran),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Output;

    fn judged(status: Status, text: &str) -> Verdict {
        let mut output = Output::default();
        output.add(text.as_bytes());
        judge(&Ran { status, output, time: Duration::ZERO }, Duration::from_secs(10))
    }

    fn message(status: Status, text: &str) -> String {
        match judged(status, text) {
            Verdict::Violated(violation) => violation.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_zero_is_content() {
        assert_eq!(judged(Status::Exited(0), "whatever\n"), Verdict::Survived);
        assert_eq!(message(Status::Exited(1), "one\nlost row 7\n\n"), "lost row 7");
        assert_eq!(message(Status::Exited(3), ""), "exit status 3");
        assert_eq!(message(Status::Signaled(11), "half a li"), "killed by SIGSEGV");
        assert_eq!(message(Status::TimedOut, ""), "did not end within 10s");
    }

    /// The machine says nothing about the state, and may have more to give later.
    #[test]
    fn a_machine_that_is_short_of_processes_is_no_violation() {
        for errno in [Errno::EAGAIN, Errno::ENOMEM] {
            let verdict = judged(Status::NotStarted(errno as i32), "");
            let why = verdict.hindered().unwrap();
            let errno = io::Error::from(errno).to_string();
            assert!(why.contains(&errno) && why.contains("--jobs"), "{why}");
        }
        assert_eq!(Verdict::given_up().hindered(), None);
        assert_eq!(Verdict::Survived.hindered(), None);
    }

    #[test]
    fn what_never_started_says_nothing_about_the_state() {
        for (status, why) in [
            (Status::Exited(127), "the checker exited with 127: sh: x: not found"),
            (Status::Exited(126), "the checker exited with 126: sh: x: not found"),
            (Status::NotStarted(2), "the checker cannot be started: No such file or directory"),
        ] {
            let expected = Verdict::HarnessBroken(why.to_owned());
            assert_eq!(judged(status, "sh: x: not found\n"), expected);
        }
    }
}
