//! Ctrl-C and SIGTERM: the first one asks for an orderly end, the second one ends the process at once
//! (its writers die with it).
//!
//! A torture run ends with a partial report. A store command fails at its next call of the file
//! system and takes its temp away.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use faultfs::{Call, CallKind, Watcher};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// Whether the user asked to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on.
    pub fn listen() -> Result<Self, Failure> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            let code = Exit::Interrupted as i32;
            // The order matters: this one looks at the flag that the next one sets.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&stop.0))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.0)))
                .map_err(|e| Failure::system("listen for signals", e))?;
        }
        Ok(stop)
    }

    /// Asks for an orderly end as well when the terminal is closed.
    pub fn and_at_hangup(self) -> Result<Self, Failure> {
        flag::register(SIGHUP, Arc::clone(&self.0))
            .map_err(|e| Failure::system("listen for signals", e))?;
        Ok(self)
    }

    /// As if somebody had asked: what is left to do is told as not done.
    pub fn asked_already() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether to end now.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn check(&self) -> io::Result<()> {
        if self.asked() { Err(io::Error::other("ended by a signal")) } else { Ok(()) }
    }
}

impl Watcher for Stop {
    /// Refuses every call once the user asked to end, except the ones that clean up.
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        match call.kind {
            CallKind::Unlink | CallKind::Unlock => Ok(()),
            _ => self.check(),
        }
    }
}

/// Standard input that does not keep a Ctrl-C waiting.
pub struct Stdin<'s>(pub &'s Stop);

impl Read for Stdin<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        const LOOK_AGAIN_MS: u16 = 100;
        let stdin = io::stdin();
        loop {
            self.0.check()?;
            let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::from(LOOK_AGAIN_MS)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => return stdin.lock().read(buf),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
