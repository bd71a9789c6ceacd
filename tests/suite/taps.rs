//! Watchers for tests: one that writes down, one that lets calls fail, one that runs a closure.
//!
//! A fault that never fired proves nothing, so [`Failing`] counts and its users assert the count.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use faultfs::{Call, CallKind, Watcher};

pub(crate) const EINTR: i32 = 4;
pub(crate) const EIO: i32 = 5;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EROFS: i32 = 30;
pub(crate) const ENOSYS: i32 = 38;
pub(crate) const EOPNOTSUPP: i32 = 95;
pub(crate) const EDQUOT: i32 = 122;

/// A call that was seen, with its paths owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: CallKind,
    pub(crate) path: PathBuf,
    pub(crate) to: Option<PathBuf>,
}

/// Writes down every call.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Seen>>);

impl Recorder {
    /// What was seen since the last call of this.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Watcher for Recorder {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let to = call.to.map(Path::to_owned);
        self.0.lock().unwrap().push(Seen { kind: call.kind, path: call.path.to_owned(), to });
        Ok(())
    }
}

/// Which of the calls that a fault is meant for it lets fail.
enum Which {
    All,
    None,
    /// Only this one, counted from 0.
    Nth(u64),
    /// This one and every later one, as if the program had been killed there.
    From(u64),
    /// Each with this chance.
    Percent(u8, fastrand::Rng),
}

/// What a fault is: which calls it is meant for, and what they answer.
pub(crate) struct Fault {
    kinds: Option<Vec<CallKind>>,
    names: Box<dyn Fn(&Path) -> bool + Send>,
    which: Which,
    errno: i32,
    met: Vec<CallKind>,
    fired: Vec<CallKind>,
}

impl Fault {
    /// Every call of any kind, until told otherwise.
    pub(crate) fn with(errno: i32) -> Self {
        let names = Box::new(|_: &Path| true);
        Self { kinds: None, names, which: Which::All, errno, met: Vec::new(), fired: Vec::new() }
    }

    pub(crate) fn on(mut self, kinds: &[CallKind]) -> Self {
        self.kinds = Some(kinds.to_owned());
        self
    }

    /// Only calls for a path (the old one, of a rename) that passes.
    pub(crate) fn at(mut self, names: impl Fn(&Path) -> bool + Send + 'static) -> Self {
        self.names = Box::new(names);
        self
    }

    /// The fault that never fires, for [`Failing::probe`].
    fn never() -> Self {
        Self { which: Which::None, ..Self::with(EIO) }
    }

    pub(crate) fn nth(mut self, n: u64) -> Self {
        self.which = Which::Nth(n);
        self
    }

    pub(crate) fn from(mut self, n: u64) -> Self {
        self.which = Which::From(n);
        self
    }

    pub(crate) fn percent(mut self, percent: u8, seed: u64) -> Self {
        self.which = Which::Percent(percent, fastrand::Rng::with_seed(seed));
        self
    }

    fn hits(&mut self, call: &Call<'_>) -> bool {
        let meant = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&call.kind));
        if !meant || !(self.names)(call.path) {
            return false;
        }
        let n = self.met.len() as u64;
        self.met.push(call.kind);
        let hit = match &mut self.which {
            Which::All => true,
            Which::None => false,
            Which::Nth(nth) => n == *nth,
            Which::From(first) => n >= *first,
            Which::Percent(percent, rng) => rng.u8(0..100) < *percent,
        };
        self.fired.extend(hit.then_some(call.kind));
        hit
    }
}

/// All calls but those inside a long run of one kind, of which the ends tell as much; counted from 0.
pub(crate) fn worth_a_failure(calls: &[CallKind]) -> Vec<u64> {
    const NEAR: usize = 4;
    let inside = |n: usize| {
        let near = n.checked_sub(NEAR).and_then(|from| calls.get(from..=n + NEAR));
        near.is_some_and(|near| near.iter().all(|kind| *kind == calls[n]))
    };
    (0..calls.len()).filter(|n| !inside(*n)).map(|n| n as u64).collect()
}

/// Lets calls fail while a fault is set; without one it does nothing.
#[derive(Default)]
pub(crate) struct Failing(Mutex<Option<Fault>>);

impl Failing {
    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().unwrap() = Some(fault);
    }

    /// Runs `operation` without a fault and says which of its calls are worth a failure each.
    pub(crate) fn probe(&self, operation: impl FnOnce()) -> Vec<u64> {
        self.set(Fault::never());
        operation();
        let met = self.0.lock().unwrap().take().expect("the fault was set").met;
        worth_a_failure(&met)
    }

    /// Removes the fault and says how often it fired.
    pub(crate) fn clear(&self) -> u64 {
        self.end().len() as u64
    }

    /// Removes the fault and says which calls it let fail.
    pub(crate) fn end(&self) -> Vec<CallKind> {
        self.0.lock().unwrap().take().map_or_else(Vec::new, |fault| fault.fired)
    }
}

impl Watcher for Failing {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        let mut fault = self.0.lock().unwrap();
        match fault.as_mut().and_then(|fault| fault.hits(call).then_some(fault.errno)) {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }
}

/// Runs a closure before each call; what it does to the disk is done by the time of the call.
pub(crate) struct Hook<H>(pub(crate) H);

impl<H: Fn(&Call<'_>) + Send + Sync> Watcher for Hook<H> {
    fn before(&self, call: &Call<'_>) -> io::Result<()> {
        (self.0)(call);
        Ok(())
    }
}
