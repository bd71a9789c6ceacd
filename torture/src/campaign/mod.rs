//! `plugpull torture -- PROGRAM`: the program is killed or loses power, again and again, is started on what
//! was left, and what was left is checked each time.
//!
//! A kill keeps all that was written, and it stays pending; a power cut leaves a random legal set of it.
//! The checker gets a copy: the program itself recovers at its next start. Not for all crash states of a
//! run (`search`), and not for the reference store (`kill`).

mod draw;
mod told;

use std::io;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use faultfs::{CrashState, DiskImage, Model, PersistOrder, Window};

use crate::check::Verdict;
use crate::checking::start_pool;
use crate::cli::{MessageFormat, TortureArgs};
use crate::clock::Deadline;
use crate::exit::{Exit, Failure};
use crate::explore::random_set;
use crate::models_command::load;
use crate::namespace::{self, Namespace};
use crate::options::seed_of;
use crate::record::{Live, Marks, Prints, Program, Recording, RunEnd, marks_of, start_of};
use crate::record_command::directory;
use crate::request::{checkers, usage};
use crate::search::{Asked, Judge};
use crate::signals::Stop;
use draw::{Plans, What};
use told::{Round, Tally, Teller};

/// The models of which power cuts draw, unless told otherwise.
const MODELS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// The model of a kill: nothing is lost there.
const KILL: &str = "sequential";

/// One in so many power cuts loses all that is pending.
const ALL_LOST: u32 = 8;

/// How often a set that loses nothing is drawn again.
const DRAWS: usize = 4;

/// The second start of the control.
const AGAIN: &str = "when it is started again on what it left itself";

/// What a campaign is to do.
struct Campaign<'a> {
    args: &'a TortureArgs,
    program: Program,
    namespace: Namespace,
    models: Vec<Model>,
    stop: Stop,
    /// The directory after the setup.
    start: DiskImage,
}

/// Runs it.
pub(crate) fn run(args: &TortureArgs) -> Result<Exit, Failure> {
    let live = &args.live;
    if live.checker.is_empty() {
        let text = "say what must pass after each round: --checker COMMAND, or one of those that are \
                    built in (plugpull check --help)";
        return Err(Failure::Usage(text.to_owned()));
    }
    for checker in checkers(&live.checker)? {
        checker.find_program().map_err(usage)?;
    }
    let names: Vec<&str> = match live.model.as_slice() {
        [] => MODELS.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let models = names.into_iter().map(load).collect::<Result<_, _>>()?;
    let program = Program {
        command: live.command.clone(),
        env: Vec::new(),
        dir: directory(args.dir.as_deref().unwrap_or_else(|| Path::new(".")))?,
        setup: live.setup.clone(),
        timeout: live.run_timeout,
        memory: live.memory,
        prints: Prints::ToStderr,
        marks: Marks::Stdout,
    };
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let start = start_of(&program, namespace, &stop)?;
    Campaign { args, program, namespace, models, stop, start }.run()
}

impl Campaign<'_> {
    fn run(&self) -> Result<Exit, Failure> {
        let seed = seed_of(&self.args.seed);
        let mut teller = Teller::new(self.args.message_format, io::stdout());
        teller.start(&self.program, &self.models, self.args, seed)?;
        let mut plans = Plans::new(seed);
        self.control(&mut plans)?;
        let (mut tally, mut number) = (Tally::default(), 0);
        let deadline = Deadline::after(self.args.duration);
        let mut live = self.live(&self.start, &[]);
        while number < self.args.live.rounds && !deadline.is_over() && !self.stop.asked() {
            number += 1;
            match self.round(&mut live, &mut plans, &mut tally, number) {
                Err(Failure::Interrupted) => break,
                Err(failure) => return Err(failure),
                Ok(round) => {
                    teller.round(&round)?;
                    let violated = round.violation.is_some();
                    // What comes after a broken start would tell nothing.
                    if violated || self.args.live.afresh {
                        live = self.live(&self.start, &[]);
                    }
                    if violated && !self.args.live.keep_going {
                        break;
                    }
                }
            }
        }
        let exit = if tally.violations > 0 {
            Exit::Violation
        } else if self.stop.asked() {
            Exit::Interrupted
        } else if tally.kills + tally.cuts == tally.missed {
            Exit::NothingDone
        } else {
            Exit::Clean
        };
        teller.end(&tally, exit, seed)?;
        Ok(exit)
    }

    fn live(&self, start: &DiskImage, marks: &[Arc<[u8]>]) -> Live<'_> {
        Live::new(&self.program, self.namespace, start, marks)
    }

    /// Twice without any fault, the second time on what the first left, unless that never comes: the program must
    /// end well, and the checker pass.
    fn control(&self, plans: &mut Plans) -> Result<(), Failure> {
        let live = self.live(&self.start, &[]);
        let again = (AGAIN, "; --afresh is for programs that do not go on where they were");
        let starts = [("by itself", ""), again];
        for (which, remedy) in starts.into_iter().take(if self.args.live.afresh { 1 } else { 2 }) {
            let before = live.events();
            if let RunEnd::Failed(how) = live.run(usize::MAX, &self.stop)? {
                return Err(Failure::Program(format!(
                    "the program failed {which}, without any fault: {how}{remedy}"
                )));
            }
            let recording = live.recording(&self.args.live.checker);
            plans.learn(&recording.trace.events[before..]);
            let image = recording.trace.image_after(usize::MAX);
            let why = match self.judge(&recording, image)? {
                Verdict::Survived => continue,
                Verdict::Violated(what) => what.message,
                Verdict::NotMeasured(why) | Verdict::HarnessBroken(why) => why,
            };
            if self.stop.asked() {
                return Err(Failure::Interrupted);
            }
            return Err(Failure::Harness(format!(
                "the checker fails where nothing was lost: {why}{remedy}"
            )));
        }
        Ok(())
    }

    /// One round; what comes next starts on what it left.
    fn round<'c>(
        &'c self,
        live: &mut Live<'c>,
        plans: &mut Plans,
        tally: &mut Tally,
        number: u64,
    ) -> Result<Round, Failure> {
        let plan = plans.draw(self.models.len());
        let begin = live.events();
        let until = plan.after.map_or(usize::MAX, |after| begin.saturating_add(after));
        let ran = live.run(until, &self.stop)?;
        let recording = live.recording(&self.args.live.checker);
        let new = &recording.trace.events[begin..];
        let mut round = Round::new(number, &plan, &ran, new);
        if ran != RunEnd::Killed {
            plans.learn(new);
        }
        let rng = &mut Rng::with_seed(plan.seed);
        let model = match plan.what {
            What::Cut(model) => self.models[model].clone(),
            What::Kill | What::Finish => load(KILL)?,
        };
        let order = PersistOrder::new(&recording.trace, &model);
        let window = Window::at(&order, order.events());
        let pending = window.pending().len();
        let survives = match plan.what {
            What::Kill | What::Finish => vec![true; pending],
            What::Cut(_) if rng.u32(..ALL_LOST) == 0 => vec![false; pending],
            What::Cut(_) => lossy_set(&window, rng),
        };
        let state = CrashState::new(&window, &survives);
        let image = state.image(&order).map_err(|e| Failure::Usage(e.to_string()))?;
        round.lost = survives.iter().filter(|survives| !**survives).count();
        round.model.clone_from(&model.name);
        let verdict = self.judge(&recording, image.clone())?;
        if self.stop.asked() && verdict == Verdict::given_up() {
            return Err(Failure::Interrupted);
        }
        round.violation = match (verdict, ran) {
            (Verdict::Violated(what), _) => Some(what.message),
            (Verdict::HarnessBroken(why), _) => {
                return Err(Failure::Harness(format!("the checker could not be run: {why}")));
            }
            (Verdict::NotMeasured(why), _) => return Err(Failure::Machine(why)),
            (Verdict::Survived, RunEnd::Failed(how)) => {
                Some(format!("the program failed on what the round before had left: {how}"))
            }
            (Verdict::Survived, _) => None,
        };
        if round.violation.is_some() {
            round.keep(&state, recording.keep()?);
        }
        tally.add(&round);
        if matches!(plan.what, What::Cut(_)) {
            *live = self.live(&image, &marks_of(&recording));
        }
        Ok(round)
    }

    /// The verdict on a copy of what is left, with all Marks until then.
    fn judge(&self, recording: &Recording, image: DiskImage) -> Result<Verdict, Failure> {
        let mut pool = start_pool(recording, self.args.live.timeout, 1, &self.stop)?;
        let marks = u32::try_from(recording.marks()).unwrap_or(u32::MAX);
        let asked = vec![Asked { image, marks }];
        let verdict = pool.judge(asked, &|| self.stop.asked()).pop();
        Ok(verdict.unwrap_or_else(Verdict::given_up))
    }
}

/// A random legal set, drawn again a few times where it loses nothing of what is pending: that is what kills
/// are for.
fn lossy_set(window: &Window<'_>, rng: &mut Rng) -> Vec<bool> {
    let mut survives = random_set(window, rng);
    for _ in 0..DRAWS {
        if survives.iter().any(|survives| !survives) {
            break;
        }
        survives = random_set(window, rng);
    }
    survives
}

/// Whether this is for machines.
fn is_json(format: MessageFormat) -> bool {
    format == MessageFormat::JsonLines
}
