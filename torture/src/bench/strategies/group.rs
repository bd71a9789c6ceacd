//! Group commit: threads append to one log, and one of them syncs it for all that wrote before.
//!
//! Who finds nobody syncing leads: it syncs what is written by then, and wakes the others. Whose bytes were written
//! later waits for the next one. A failed sync fails all that waited for it. The store has the same in its own
//! terms; this is the bare form, to be measured.

use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::in_place::{LOG, opened};
use crate::bench::files::{Barrier, allocate, open_dir};
use crate::bench::stopwatch::{Samples, each, time};
use crate::bench::strategy::{Site, Strategy};
use crate::signals::Stop;

/// A log that threads share.
pub(crate) struct Group {
    site: Site,
    bytes: Vec<u8>,
    file: Option<File>,
    log: Log,
}

impl Group {
    pub(crate) fn new(site: &Site) -> Self {
        Self { site: site.clone(), bytes: site.bytes(), file: None, log: Log::default() }
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        self.log = Log::default();
        allocate(opened(self.file.as_ref())?, 0)
    }

    /// How far the log goes when so many more were written.
    fn end_after(&self, runs: u64) -> u64 {
        self.log.state().end + runs * self.site.step()
    }
}

impl Strategy for Group {
    fn prepare(&mut self) -> io::Result<()> {
        self.file = Some(Barrier::None.open(&self.site.dir.join("log"))?);
        self.begin_anew()?;
        open_dir(&self.site.dir)?.sync_all()
    }

    fn once(&mut self) -> io::Result<()> {
        self.log.commit(opened(self.file.as_ref())?, &self.bytes)
    }

    fn settle(&mut self) -> io::Result<()> {
        opened(self.file.as_ref())?.sync_all()
    }

    fn burst(&mut self, runs: u64, stop: &Stop) -> io::Result<Samples> {
        if self.end_after(runs) > LOG {
            self.begin_anew()?;
        }
        let share = runs.div_ceil(u64::from(self.site.threads)).max(1);
        let (log, file, bytes) = (&self.log, opened(self.file.as_ref())?, &self.bytes);
        let write = || each(share, stop, &mut (), |()| Ok(()), |()| log.commit(file, bytes));
        let work = || {
            thread::scope(|scope| {
                let threads: Vec<_> = (0..self.site.threads).map(|_| scope.spawn(write)).collect();
                let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
                let fell = |_| Err(io::Error::other("a thread of the group panicked"));
                ended.map(|ended| ended.unwrap_or_else(fell)).collect::<io::Result<Vec<_>>>()
            })
        };
        let (measured, elapsed) = time(work);
        let mut all = Samples::default();
        measured?.iter().for_each(|samples| all.add(samples));
        Ok(Samples { elapsed, ..all })
    }
}

/// How far a log is written and synced.
#[derive(Default)]
struct Log {
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Default)]
struct State {
    /// Where the next bytes go.
    end: u64,
    /// Bytes that are being written, by their offset.
    writing: Vec<u64>,
    durable: u64,
    leading: bool,
    /// The error of the first sync that failed: nothing behind it is known.
    failed: Option<i32>,
}

impl State {
    /// Up to where all is written.
    fn written(&self) -> u64 {
        self.writing.iter().copied().min().unwrap_or(self.end)
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, and returns when it is durable.
    fn commit(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let offset = self.reserve(bytes.len());
        let written = Barrier::None.write(file, bytes, offset);
        let mut state = self.state();
        state.writing.retain(|at| *at != offset);
        if let Err(e) = written {
            state.failed = state.failed.or(e.raw_os_error());
            self.synced.notify_all();
            return Err(e);
        }
        while state.durable <= offset {
            if let Some(errno) = state.failed {
                return Err(io::Error::from_raw_os_error(errno));
            }
            state = if state.leading || state.written() <= offset {
                self.synced.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.lead(state, file)
            };
        }
        // Whoever waited for this one's bytes may lead now.
        self.synced.notify_all();
        Ok(())
    }

    fn reserve(&self, len: usize) -> u64 {
        let mut state = self.state();
        let offset = state.end;
        state.end += u64::try_from(len).unwrap_or_default();
        state.writing.push(offset);
        offset
    }

    fn lead<'s>(&'s self, mut state: MutexGuard<'s, State>, file: &File) -> MutexGuard<'s, State> {
        state.leading = true;
        let written = state.written();
        drop(state);
        let synced = file.sync_data();
        let mut state = self.state();
        state.leading = false;
        match synced {
            Ok(()) => state.durable = state.durable.max(written),
            Err(e) => state.failed = state.failed.or(e.raw_os_error()),
        }
        self.synced.notify_all();
        state
    }
}
