//! A recorded run, examined: the control, the search under every model, the checker's teeth, the causes
//! of what was found.
//!
//! Not for recording, for running checkers (`check`), or for printing (`report`).

use std::time::Duration;

use fastrand::Rng;
use faultfs::{Model, PersistOrder, Window};

use crate::check::Verdict;
use crate::clock::Deadline;
use crate::exit::{Exit, Failure};
use crate::explore::{Bounds, Tier, random_set};
use crate::findings::{Findings, Inquiry};
use crate::record::Recording;
use crate::search::{Asked, Book, Searched, Time, search};
use crate::signals::Stop;

/// Random states of the control at each of these parts of the run: in some of them the checker should
/// fail.
const DRAWS: usize = 64;
const QUARTERS: u32 = 4;

/// Those of them that are made at once: each differs from what others share in half of all that was done.
const AT_ONCE: usize = 8;

/// The model of the control: no barrier holds.
const CONTROL: &str = "lying-disk";

/// How long the checker's teeth are looked for at least.
const LEAST_TEETH: Duration = Duration::from_secs(3);

/// How long the causes are looked into at least, however short the budget of the search is.
const LEAST_INQUIRY: Duration = Duration::from_secs(20);

/// What to look at.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The models.
    pub models: Vec<Model>,
    /// The names of those to fail on.
    pub fail_on: Vec<String>,
    /// How far to look.
    pub bounds: Bounds,
    /// How long to search, if not without an end.
    pub time: Option<Duration>,
}

/// Whether the checker can fail at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teeth {
    /// It found something in the search.
    Shown,
    /// It failed in so many states of a disk whose barriers do nothing.
    OnControl(u64),
    /// It failed nowhere, in so many states of such a disk.
    None(u64),
    /// The search ended before.
    NotTried,
}

/// What was found out about a run.
pub struct Examined {
    /// The orders of the run, one for each model.
    pub orders: Vec<PersistOrder>,
    /// What each search showed.
    pub searched: Vec<Searched>,
    /// Whether the checker can fail.
    pub teeth: Teeth,
    /// The causes of the violations.
    pub findings: Findings,
    /// States that were judged, each once.
    pub judged: u64,
    /// How the program ends.
    pub exit: Exit,
}

/// Examines a run.
pub fn examine(
    recording: &Recording,
    plan: &Plan,
    book: &mut Book<'_>,
    stop: &Stop,
    progress: &mut dyn FnMut(&Searched, u64),
) -> Result<Examined, Failure> {
    control(recording, book, stop)?;
    let trace = &recording.trace;
    let orders = PersistOrder::all(trace, &plan.models);
    let time = Budget { stop, deadline: Deadline::after(plan.time) };
    let mut told = 0;
    let searched = search(&orders, plan.bounds, book, &time, &mut |searched| {
        told += 1;
        progress(searched, told);
    });
    if let Some(why) = searched.iter().find_map(|searched| searched.broken.clone()) {
        return Err(Failure::Harness(format!("the checker could not be run: {why}")));
    }
    let deadline = Deadline::after(plan.time.map(|time| (time / 4).max(LEAST_TEETH)));
    let ends = || stop.asked() || deadline.is_over();
    let teeth = teeth(recording, &searched, book, &ends);
    let more = plan.time.map(|time| (time / 2).max(LEAST_INQUIRY));
    let deadline = Deadline::after(more);
    let inquiry = Inquiry {
        trace,
        orders: &orders,
        searched: &searched,
        fail_on: &plan.fail_on,
        bounds: reached(plan.bounds, &searched),
        book: &mut *book,
        stop: &|| stop.asked() || deadline.is_over(),
    };
    let findings = inquiry.findings();
    let judged = book.asked();
    let mut examined = Examined { orders, searched, teeth, findings, judged, exit: Exit::Clean };
    examined.exit = examined.judge(plan, stop);
    Ok(examined)
}

/// The time of a search, which also ends when somebody asks for it.
struct Budget<'s> {
    stop: &'s Stop,
    deadline: Deadline,
}

impl Time for Budget<'_> {
    fn is_over(&self) -> bool {
        self.stop.asked() || self.deadline.is_over()
    }

    fn share(&self, parts: u32) -> Box<dyn Fn() -> bool + '_> {
        let deadline = self.deadline.share(parts);
        Box::new(move || self.stop.asked() || deadline.is_over())
    }
}

/// The finished run with everything on disk must pass: else no verdict tells anything.
fn control(recording: &Recording, book: &mut Book<'_>, stop: &Stop) -> Result<(), Failure> {
    let image = recording.trace.image_after(recording.trace.events.len());
    let marks = u32::try_from(recording.marks()).unwrap_or(u32::MAX);
    match book.verdict(Asked { image, marks }, &|| stop.asked()) {
        Verdict::Survived => Ok(()),
        _ if stop.asked() => Err(Failure::Interrupted),
        Verdict::Violated(what) => Err(Failure::Harness(format!(
            "the checker fails on the finished run, from which nothing is lost: {}",
            what.message
        ))),
        Verdict::NotMeasured(why) => Err(Failure::Machine(why)),
        Verdict::HarnessBroken(why) => {
            Err(Failure::Harness(format!("the checker could not be run: {why}")))
        }
    }
}

/// The last tier that was begun under every model: a barrier that is tried is held to it.
fn reached(bounds: Bounds, searched: &[Searched]) -> Bounds {
    let last = |s: &Searched| s.coverage.tiers.last().map_or(Tier::T0, |count| count.tier);
    let tier = searched.iter().map(last).min().unwrap_or(bounds.tier);
    Bounds { tier, ..bounds }
}

fn teeth(
    recording: &Recording,
    searched: &[Searched],
    book: &mut Book<'_>,
    ends: &dyn Fn() -> bool,
) -> Teeth {
    if searched.iter().any(|searched| !searched.violated.is_empty()) {
        return Teeth::Shown;
    }
    let Ok(model) = Model::preset(CONTROL) else { return Teeth::NotTried };
    let order = PersistOrder::new(&recording.trace, model);
    let mut rng = Rng::with_seed(1);
    let mut judged = 0;
    for quarter in (1..=QUARTERS).rev() {
        let point = u64::from(order.events()) * u64::from(quarter) / u64::from(QUARTERS);
        let window = Window::at(&order, u32::try_from(point).unwrap_or(u32::MAX));
        let mut failed = 0;
        for _ in 0..DRAWS / AT_ONCE {
            let states = (0..AT_ONCE).map(|_| draw(&window, &mut rng)).collect();
            let verdicts = book.verdicts(states, ends);
            let is_judged = |v: &&Verdict| matches!(v, Verdict::Survived | Verdict::Violated(_));
            judged += verdicts.iter().filter(is_judged).count() as u64;
            failed += verdicts.iter().filter(|v| matches!(v, Verdict::Violated(_))).count() as u64;
            if ends() {
                break;
            }
        }
        if failed > 0 {
            return Teeth::OnControl(failed);
        }
        if ends() {
            return Teeth::NotTried;
        }
    }
    Teeth::None(judged)
}

/// A state of a window in which some of what is pending survived.
fn draw(window: &Window<'_>, rng: &mut Rng) -> Asked {
    let mut image = window.image(&random_set(window, rng));
    image.discard_hidden();
    Asked { image, marks: window.marks() }
}

impl Examined {
    /// Whether the bound was covered under every model.
    pub fn is_complete(&self, tier: Tier) -> bool {
        self.searched.iter().all(|searched| searched.is_complete(tier))
    }

    fn judge(&self, plan: &Plan, stop: &Stop) -> Exit {
        let gate = |s: &Searched| plan.fail_on.contains(&s.model.name) && !s.violated.is_empty();
        match () {
            () if self.searched.iter().any(gate) => Exit::Violation,
            () if stop.asked() => Exit::Interrupted,
            () if self.searched.iter().all(|searched| searched.judged() == 0) => Exit::NothingDone,
            () if !self.is_complete(plan.bounds.tier) => Exit::Partial,
            () => Exit::Clean,
        }
    }
}
