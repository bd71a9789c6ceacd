//! Recording a run: from a workload, a seed and a size to a trace and what it owes.

use std::cell::OnceCell;
use std::sync::Arc;

use faultfs::{Fs, SimFs, Trace, Watched};
use plugpull_store::{Options, Store};

use super::expected::Expected;
use super::interleave::{Turns, interleave};
use super::journal::Journal;
use super::mortal::Mortal;
use super::perform::{Writer, init, write_texts};
use super::plan::{Begin, Killed, Plan};
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
        let kill =
            || plan.killed.iter().for_each(|one| self.kill(&plan, one, &disk, wrap, &journal));
        if plan.begin != Begin::OpenFirst {
            kill();
        }
        let threads = plan.writers.len().max(1);
        let first = OnceCell::new();
        let open = |n, fs| {
            let begun = match first.get() {
                None => self.open(&plan, n, fs, &journal),
                Some(store) => self.share(&plan, n, store, &journal),
            };
            if let (Begin::OpenShared, Begun::Opened(Some(writer))) = (plan.begin, &begun) {
                let _ = first.set(writer.store());
            }
            if plan.begin == Begin::OpenFirst && n + 1 == threads {
                kill();
            }
            begun
        };
        let body = |n, writer| self.write(&plan, n, writer, &journal);
        interleave(self.seed, threads, &|| wrap(disk.clone()), &open, &body);
        let (marks, contents) = journal.close();
        let expected = Expected::new(start, &marks, contents, self.options);
        Recorded { trace: disk.trace(), expected }
    }

    /// One process that is killed, and leaves to the next what it has made visible.
    fn kill<F: Fs>(
        &self,
        plan: &Plan,
        killed: &Killed,
        disk: &SimFs,
        wrap: &(dyn Fn(SimFs) -> F + Sync),
        journal: &Journal,
    ) {
        // How many calls it would make is seen on a copy of the disk.
        let copy = SimFs::on(disk.image());
        let whole = Arc::new(Mortal::new(u64::MAX, Arc::default()));
        self.live(plan, killed, Watched::new(copy.clone(), Arc::clone(&whole)), &Journal::of(copy));
        let mortal = Arc::new(Mortal::new(killed.at.of(whole.made()), journal.dead()));
        self.live(plan, killed, Watched::new(wrap(disk.clone()), mortal), journal);
        journal.killed();
    }

    fn live<F: Fs>(&self, plan: &Plan, killed: &Killed, fs: F, journal: &Journal) {
        if plan.begin == Begin::Texts {
            return write_texts(&fs, self.options, journal, &killed.steps);
        }
        if killed.init {
            return drop(init(fs, self.options, journal));
        }
        let name = first_name();
        if let Some(mut writer) = Writer::open(fs, self.options, journal, name, &plan.sources) {
            killed.steps.iter().for_each(|step| writer.step(step));
        }
    }

    /// Each writer has opened the store before the first of them goes on: opening takes turns, too.
    fn open<'j, F: Fs>(
        &self,
        plan: &'j Plan,
        n: usize,
        fs: Turns<F>,
        journal: &'j Journal,
    ) -> Begun<'j, F> {
        match plan.begin {
            Begin::Open | Begin::OpenFirst | Begin::OpenShared => {
                Begun::Opened(self.open_store(plan, n, fs, journal).map(Box::new))
            }
            Begin::OpenInTurns | Begin::Init | Begin::Raise | Begin::Texts => {
                Begun::WithoutStore(fs)
            }
        }
    }

    /// A further thread on a store that is open.
    fn share<'j, F: Fs>(
        &self,
        plan: &'j Plan,
        n: usize,
        store: &Arc<Store<Turns<F>>>,
        journal: &'j Journal,
    ) -> Begun<'j, F> {
        let name = name_of(n);
        let store = Arc::clone(store);
        let writer = Writer::on(store, self.options, journal, name, &plan.sources);
        Begun::Opened(Some(Box::new(writer)))
    }

    fn open_store<'j, F: Fs>(
        &self,
        plan: &'j Plan,
        n: usize,
        fs: Turns<F>,
        journal: &'j Journal,
    ) -> Option<Writer<'j, Turns<F>>> {
        Writer::open(fs, self.options, journal, name_of(n), &plan.sources)
    }

    fn write<'j, F: Fs>(
        &self,
        plan: &'j Plan,
        n: usize,
        begun: Begun<'j, F>,
        journal: &'j Journal,
    ) {
        let steps = plan.writers.get(n).map_or(&[][..], Vec::as_slice);
        let writer = match begun {
            Begun::Opened(writer) => writer,
            Begun::WithoutStore(fs) => match plan.begin {
                Begin::Texts => return write_texts(&fs, self.options, journal, steps),
                Begin::Init | Begin::Raise => return drop(init(fs, self.options, journal)),
                _ => self.open_store(plan, n, fs, journal).map(Box::new),
            },
        };
        if let Some(mut writer) = writer {
            for step in steps {
                writer.step(step);
            }
        }
    }
}

/// The name of the first writer, and of those that were killed before it: who goes on with a dead
/// writer's work makes the same commits.
fn first_name() -> String {
    "writer 0".to_owned()
}

fn name_of(n: usize) -> String {
    if n == 0 { first_name() } else { format!("writer {n}") }
}

/// A writer before its first step.
enum Begun<'j, F: Fs> {
    /// It is to make the store, to open it in turn, or to write texts.
    WithoutStore(Turns<F>),
    /// `None` if the open failed.
    Opened(Option<Box<Writer<'j, Turns<F>>>>),
}
