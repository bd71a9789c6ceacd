//! A closure of whoever uses this as a library: it looks at the directory of the state, and says what is wrong.
//!
//! It runs on a worker's thread, whose time nobody can limit. Not for programs over the seam (`test`).

use std::io;
use std::path::Path;

use super::super::judge::{Verdict, judge_closure};
use super::{Judge, State};

/// What is asked of each state: its directory, and the promises made before the power cut.
pub(crate) type Ask = dyn Fn(&Path, &[String]) -> Result<(), String> + Send + Sync;

pub(super) struct Closure {
    ask: Box<Ask>,
    /// All promises of the run.
    marks: Vec<String>,
}

impl Closure {
    pub(super) fn new(ask: Box<Ask>, marks: Vec<String>) -> Self {
        Self { ask, marks }
    }
}

impl Judge for Closure {
    fn is_told_where(&self) -> bool {
        true
    }

    fn judge(&self, state: &mut State) -> io::Result<Verdict> {
        let marks = self.marks.get(..state.marks).unwrap_or(&self.marks);
        Ok(judge_closure(|| (self.ask)(state.dir, marks)))
    }
}
