//! What a program did with a fault: reported it, tried again, went on as if nothing had been, or hung.
//!
//! Told by how it ended, and by the calls that it made after the one that failed. Not for whether its data
//! is still there (`states`).

use std::fmt;

use faultfs::{AskedCall, CallKind, DiskImage, Event, FileKind, Inode, Op, Trace};

use super::plan::{Attempt, Failing};
use crate::record::{Ended, Ran};

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Did {
    /// It ended with an exit status that is not 0, or by a signal: which.
    Reported(String),
    /// It made the same call on the same file again, and exited with 0.
    Retried,
    /// It exited with 0 and did not make the call again.
    Ignored,
    /// It exited with 0, and its call had not been told to fail: on ext4 with journaled data a sync fails
    /// late, and no later sync asked.
    NotTold,
    /// It did not end in time.
    Hung,
    /// There was no such call in this run.
    DidNotFire,
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(how) => f.pad(&format!("reported ({how})")),
            Self::Retried => f.pad("retried"),
            Self::Ignored => f.pad("ignored"),
            Self::NotTold => f.pad("not told"),
            Self::Hung => f.pad("hung"),
            Self::DidNotFire => f.pad("did not fire"),
        }
    }
}

impl Did {
    /// One word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reported(_) => "reported",
            Self::Retried => "retried",
            Self::Ignored => "ignored",
            Self::NotTold => "not told",
            Self::Hung => "hung",
            Self::DidNotFire => "did not fire",
        }
    }

    /// Of this run.
    pub(super) fn of(attempt: &Attempt, ran: &Ran) -> Self {
        let Some(first) = ran.calls.since_fault.first().filter(|call| call.hit) else {
            // Reads and opens are counted, and nothing is kept of them.
            return if ran.fired == 0 { Self::DidNotFire } else { Self::by_end(ran) };
        };
        if ran.ended != Ended::Exited(0) {
            return Self::by_end(ran);
        }
        let trace = &ran.recording.trace;
        if attempt.error == Failing::Ext4Data && !was_told(trace, first) {
            return Self::NotTold;
        }
        let again = Again { trace, first };
        let later = &ran.calls.since_fault[1..];
        if later.iter().any(|call| again.is(call)) { Self::Retried } else { Self::Ignored }
    }

    fn by_end(ran: &Ran) -> Self {
        match ran.ended {
            Ended::Exited(0) => Self::Ignored,
            Ended::TimedOut => Self::Hung,
            ended => Self::Reported(ended.to_string()),
        }
    }
}

/// Whether a sync that failed without a word was told of by a later one.
fn was_told(trace: &Trace, first: &AskedCall) -> bool {
    let later = trace.events.iter().skip(first.event);
    later.into_iter().any(|event| {
        let Event::Op { op: Op::SyncFailed { inode, drops, .. }, .. } = event else { return false };
        Some(*inode) == first.inode && !drops
    })
}

/// Whether a call is the one that failed, made again.
struct Again<'r> {
    trace: &'r Trace,
    first: &'r AskedCall,
}

impl Again<'_> {
    fn is(&self, call: &AskedCall) -> bool {
        use CallKind as K;
        let first = self.first;
        match first.kind {
            K::WriteAt | K::Append => {
                matches!(call.kind, K::WriteAt | K::Append)
                    && self.one_file(call)
                    && self.same_bytes(call)
            }
            K::SyncAll | K::SyncData => {
                matches!(call.kind, K::SyncAll | K::SyncData) && self.same_content(call)
            }
            K::SyncDir => call.kind == K::SyncDir && self.same_entries(call),
            // Who has promised something in between has gone on.
            K::SetLen | K::SetMode | K::SetModified => {
                call.kind == first.kind && self.one_file(call) && !self.promised_before(call)
            }
            kind => {
                let same = call.path == first.path && call.to == first.to;
                call.kind == kind && same && !self.promised_before(call)
            }
        }
    }

    fn one_file(&self, call: &AskedCall) -> bool {
        let named = !call.path.as_os_str().is_empty() && call.path == self.first.path;
        call.inode == self.first.inode || named
    }

    /// The same bytes at the same place, or, of a short write, those that are missing. A write of other
    /// bytes there is the next thing that the program does: its place in the file did not move.
    fn same_bytes(&self, call: &AskedCall) -> bool {
        let first = self.first;
        let whole = call.offset == first.offset && begin_alike(&call.bytes, &first.bytes);
        let written = first.written.min(first.bytes.len());
        let rest = &first.bytes[written..];
        let behind = first.offset + written as u64;
        whole || written > 0 && call.offset == behind && begin_alike(&call.bytes, rest)
    }

    /// A sync of the same file that holds what it held, or of which nothing was written since; or of
    /// another file in its place with the same bytes.
    fn same_content(&self, call: &AskedCall) -> bool {
        let (Some(was), Some(is)) = (self.first.inode, call.inode) else { return false };
        if was == is && !self.written_before(call, was) {
            return true;
        }
        if !self.one_file(call) {
            return false;
        }
        let before = self.trace.image_after(self.first.event);
        let now = self.trace.image_after(call.event);
        let files = [(&before, was), (&now, is)].iter().all(|(image, node)| is_file(image, *node));
        files && before.len(was) == now.len(is) && before.first_difference(was, &now, is).is_none()
    }

    fn written_before(&self, call: &AskedCall, file: Inode) -> bool {
        self.between(call).any(|event| match event {
            Event::Op { op: Op::Write { inode, .. } | Op::SetLen { inode, .. }, .. } => {
                *inode == file
            }
            _ => false,
        })
    }

    fn same_entries(&self, call: &AskedCall) -> bool {
        let Some(dir) = self.first.inode.filter(|dir| call.inode == Some(*dir)) else {
            return false;
        };
        let before = self.trace.image_after(self.first.event);
        let now = self.trace.image_after(call.event);
        before.entries(dir).eq(now.entries(dir))
    }

    fn promised_before(&self, call: &AskedCall) -> bool {
        self.between(call).any(|event| matches!(event, Event::Mark(_)))
    }

    fn between(&self, call: &AskedCall) -> impl Iterator<Item = &Event> {
        let count = call.event.saturating_sub(self.first.event);
        self.trace.events.iter().skip(self.first.event).take(count)
    }
}

fn is_file(image: &DiskImage, node: Inode) -> bool {
    image.kind(node) == Some(FileKind::File)
}

/// Of a call as much is known as was kept.
fn begin_alike(one: &[u8], other: &[u8]) -> bool {
    let len = one.len().min(other.len());
    len > 0 && one[..len] == other[..len]
}
