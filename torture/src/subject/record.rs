//! Recording a run: from a workload, a seed and a size to a trace and what it owes.

use faultfs::{Fs, SimFs, Trace};
use plugpull_store::Options;

use super::expected::Expected;
use super::interleave::{Turns, interleave};
use super::journal::Journal;
use super::perform::{Writer, init};
use super::plan::Plan;
use super::start;
use super::workload::Workload;

/// What is to be recorded. The same `Run` gives the same trace, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What is done.
    pub workload: Workload,
    /// Draws the contents, the choices and the order of the writers' calls.
    pub seed: u64,
    /// About how many operations.
    pub size: usize,
    /// How the recorded writers open the store.
    pub options: Options,
}

/// A recorded run.
pub struct Recorded {
    /// What happened.
    pub trace: Trace,
    /// What was owed meanwhile.
    pub expected: Expected,
}

impl Run {
    /// With the store's default options.
    pub fn new(workload: Workload, seed: u64, size: usize) -> Self {
        Self { workload, seed, size, options: Options::default() }
    }

    /// Makes the run on a simulated disk.
    pub fn record(&self) -> Recorded {
        self.record_over(&|disk| disk)
    }

    /// As [`Run::record`], with something between the store and the disk, such as an injected fault.
    /// It is called once for each writer, and hands over what that writer uses.
    pub fn record_over<F: Fs>(&self, wrap: &(dyn Fn(SimFs) -> F + Sync)) -> Recorded {
        let plan = self.workload.plan(self.seed, self.size);
        let start = start::make(&plan);
        let disk = SimFs::on(start.image.clone());
        let journal = Journal::of(disk.clone());
        let threads = plan.writers.len().max(1);
        let open = |n, fs| self.open(&plan, n, fs, &journal);
        let body = |n, writer| self.write(&plan, n, writer, &journal);
        interleave(self.seed, threads, &|| wrap(disk.clone()), &open, &body);
        let (marks, contents) = journal.close();
        let expected = Expected::new(start, &marks, contents);
        Recorded { trace: disk.trace(), expected }
    }

    /// Each writer has opened the store before the first of them goes on: opening takes turns, too.
    fn open<'j, F: Fs>(
        &self,
        plan: &'j Plan,
        n: usize,
        fs: Turns<F>,
        journal: &'j Journal,
    ) -> Begun<'j, F> {
        if plan.init {
            return Begun::WithoutStore(fs);
        }
        let name = format!("writer {n}");
        Begun::Opened(Writer::open(fs, self.options, journal, name, &plan.sources))
    }

    fn write<F: Fs>(&self, plan: &Plan, n: usize, begun: Begun<'_, F>, journal: &Journal) {
        let steps = plan.writers.get(n).into_iter().flatten();
        match begun {
            Begun::WithoutStore(fs) => drop(init(fs, self.options, journal)),
            Begun::Opened(Some(mut writer)) => steps.for_each(|step| writer.step(step)),
            Begun::Opened(None) => {}
        }
    }
}

/// A writer before its first step.
enum Begun<'j, F: Fs> {
    /// It is to make the store.
    WithoutStore(Turns<F>),
    /// `None` if the open failed.
    Opened(Option<Writer<'j, Turns<F>>>),
}
