//! Many runs under many models: what is explored, and what came of it, counted.
//!
//! Not for printing.

use faultfs::{Barriers, Model, PersistOrder};

use super::{Lost, Outcome, Plan, Violation, explore, label, losses};
use crate::explore::Coverage;
use crate::subject::Run;

/// Most states of a model whose barriers do nothing. It is a control: that something is found there
/// is enough.
const MOST_OF_CONTROL: u64 = 300;

/// What to explore.
pub struct Campaign {
    /// The runs, in their order.
    pub runs: Vec<Run>,
    /// The models, in their order.
    pub models: Vec<Model>,
    /// How.
    pub plan: Plan,
}

/// One run under one model.
pub struct Row<'c> {
    /// The run.
    pub run: &'c Run,
    /// Events of its trace.
    pub events: u32,
    /// The model.
    pub model: &'c Model,
    /// What was looked at.
    pub coverage: &'c Coverage,
    /// Crash states of recoveries that were looked at.
    pub recrashed: u64,
    /// States in which something was wrong.
    pub violations: u64,
}

/// What came of a model.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The model's name.
    pub model: String,
    /// Whether its barriers do nothing, so that violations are expected.
    pub control: bool,
    /// Runs that were explored.
    pub runs: u64,
    /// Runs of which every legal set of every crash point was looked at.
    pub exhaustive: u64,
    /// Legal sets that were made.
    pub sets: u64,
    /// Distinct crash states that were recovered and checked.
    pub states: u64,
    /// Crash states of recoveries that were looked at.
    pub recrashed: u64,
    /// Crash points whose legal sets were too many.
    pub skipped: u64,
    /// States in which something was wrong.
    pub violations: u64,
    /// Whether the search of each run came to its end.
    pub complete: bool,
}

/// The first violation of a run under a model.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The run, as [`label`] tells it.
    pub run: String,
    /// The arguments that make this state again.
    pub replay: String,
    /// The model's name.
    pub model: String,
    /// The number of events before the crash.
    pub point: u32,
    /// Events of the run.
    pub events: u32,
    /// What is wrong.
    pub violation: Violation,
    /// What was pending when the power went, and which of it was lost.
    pub pending: Vec<Lost>,
    /// How many states of this run and model have a violation.
    pub states: u64,
}

/// What came of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// For each model, in their order.
    pub models: Vec<Tally>,
    /// What was found under models that are no control.
    pub findings: Vec<Finding>,
    /// Runs that were explored under every model.
    pub runs: u64,
    /// Runs that were asked for.
    pub of_runs: u64,
    /// The names of runs that the control found nothing in: their checks have shown no teeth.
    pub toothless: Vec<String>,
}

impl Summary {
    /// Distinct states checked under models that are no control.
    pub fn states(&self) -> u64 {
        self.gate().map(|tally| tally.states + tally.recrashed).sum()
    }

    /// Whether all that was asked for was looked at.
    pub fn is_complete(&self) -> bool {
        self.runs == self.of_runs && self.gate().all(|tally| tally.complete && tally.skipped == 0)
    }

    /// The models that are no control.
    pub fn gate(&self) -> impl Iterator<Item = &Tally> {
        self.models.iter().filter(|tally| !tally.control)
    }
}

impl Campaign {
    /// Explores, until `stop` says so; `each` hears of every row.
    pub fn run<E>(
        &self,
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let mut summary = Summary {
            models: self.models.iter().map(Tally::new).collect(),
            of_runs: self.runs.len() as u64,
            ..Summary::default()
        };
        for run in &self.runs {
            if stop() {
                break;
            }
            self.explore(run, stop, &mut summary, each)?;
        }
        Ok(summary)
    }

    fn explore<E>(
        &self,
        run: &Run,
        stop: &dyn Fn() -> bool,
        summary: &mut Summary,
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let recorded = run.record();
        let events = u32::try_from(recorded.trace.events.len()).unwrap_or(u32::MAX);
        for (model, tally) in self.models.iter().zip(&mut summary.models) {
            if stop() {
                return Ok(());
            }
            let mut plan = self.plan;
            if tally.control {
                plan.bounds.budget = plan.bounds.budget.min(MOST_OF_CONTROL);
            }
            let Outcome { coverage, recrashed, found } = explore(&recorded, model, plan, stop);
            let violations = found.len() as u64;
            each(&Row { run, events, model, coverage: &coverage, recrashed, violations })?;
            tally.add(&coverage, recrashed, violations);
            match (found.into_iter().next(), tally.control) {
                (None, true) => summary.toothless.push(label(run)),
                (Some(_), true) | (None, false) => {}
                (Some(first), false) => {
                    let order = PersistOrder::new(&recorded.trace, model);
                    let pending = losses(&recorded.trace, &order, &first.state);
                    summary.findings.push(Finding {
                        run: label(run),
                        replay: replay(run, &first.state.to_string()),
                        model: model.name.clone(),
                        point: first.state.point(),
                        events,
                        violation: first.what,
                        pending: pending.unwrap_or_default(),
                        states: violations,
                    });
                }
            }
        }
        summary.runs += 1;
        Ok(())
    }
}

fn replay(run: &Run, token: &str) -> String {
    format!(
        "--workload {} --seed {} --size {} --replay {token}",
        run.workload.name(),
        run.seed,
        run.size
    )
}

impl Tally {
    fn new(model: &Model) -> Self {
        Self {
            model: model.name.clone(),
            control: model.rules.barriers == Barriers::Ignored,
            runs: 0,
            exhaustive: 0,
            sets: 0,
            states: 0,
            recrashed: 0,
            skipped: 0,
            violations: 0,
            complete: true,
        }
    }

    fn add(&mut self, coverage: &Coverage, recrashed: u64, violations: u64) {
        self.runs += 1;
        self.exhaustive += u64::from(coverage.is_exhaustive());
        self.sets += coverage.enumerated();
        self.states += coverage.states();
        self.recrashed += recrashed;
        self.skipped += coverage.skipped.len() as u64;
        self.violations += violations;
        self.complete &= coverage.is_complete();
    }
}
