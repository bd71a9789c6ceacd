//! Who makes the calls of a disk, numbered in the order of their first one.
//!
//! Callers are threads of this process, or, on a disk that is served to others, threads of the whole
//! machine. Not for asking who they are: a number is all that a trace keeps.

use std::collections::BTreeMap;
use std::thread::ThreadId;

/// The numbers given so far.
#[derive(Default)]
pub(super) struct Callers {
    /// For whom the calls are made now; for the running thread itself if nobody is named.
    pub(super) task: Option<u32>,
    threads: Vec<(ThreadId, u32)>,
    tasks: BTreeMap<u32, u32>,
    given: u32,
}

impl Callers {
    /// The number of who makes calls now.
    pub(super) fn number(&mut self) -> u32 {
        let me = std::thread::current().id();
        let known = match self.task {
            Some(task) => self.tasks.get(&task).copied(),
            None => self.threads.iter().find(|(thread, _)| *thread == me).map(|known| known.1),
        };
        known.unwrap_or_else(|| {
            let number = self.given;
            self.given = number.saturating_add(1);
            match self.task {
                Some(task) => drop(self.tasks.insert(task, number)),
                None => self.threads.push((me, number)),
            }
            number
        })
    }
}
