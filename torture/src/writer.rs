//! A writer process: commits and runs errands through the store's real protocol until it is killed.
//!
//! It reports each acknowledgement only after the store returned success, and knows nothing of what
//! is checked. Not for judging: an error of the store is reported and ends the writer.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use faultfs::{Fs, RealFs, Watched};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use plugpull_store::{Bug, Options, Store};

use crate::cli::WriterArgs;
use crate::errand::Errand;
use crate::errand::perform::perform;
use crate::exit::{Exit, Failure, is_environment};
use crate::steps::StepWatcher;
use crate::timing::stopwatch::Stopwatch;
use crate::wire::{Part, Phase, Say, Step};
use crate::workload::{self, Work};

/// Runs the writer; ends only by an error, a kill, or the runner's end.
pub fn run(args: &WriterArgs) -> Result<Exit, Failure> {
    let part: Part = serde_json::from_str(&args.part)?;
    end_with_runner(&part)?;
    let watcher = Arc::new(StepWatcher::new(part.die.clone(), Box::new(die)));
    match work(&part, &watcher) {
        Ok(never) => match never {},
        Err(Failure::Store(error)) => {
            let environment = is_environment(&error);
            say(&Say::Failed { message: error.to_string(), environment })?;
            Ok(Exit::Unexpected)
        }
        Err(other) => Err(other),
    }
}

/// Asks the kernel to kill this process with the runner, so that none is ever left behind.
fn end_with_runner(part: &Part) -> Result<(), Failure> {
    let asked = set_pdeathsig(Signal::SIGKILL);
    asked.map_err(|e| Failure::system("tie a writer to its runner", e.into()))?;
    if getppid().as_raw().cast_unsigned() == part.runner {
        return Ok(());
    }
    let orphaned = "a torture writer is started by `plugpull torture`, not by hand";
    Err(Failure::Usage(orphaned.to_owned()))
}

fn work(part: &Part, watcher: &Arc<StepWatcher>) -> Result<std::convert::Infallible, Failure> {
    let stopwatch = Arc::new(Stopwatch::new(part.timing));
    let fs = Watched::new(RealFs, Arc::clone(&stopwatch));
    let fs = Watched::new(fs, Arc::clone(watcher));
    let store = Store::open_on(fs, &part.dir, options(part))?;
    let orphans = store.recovery().orphans.len() as u64;
    say(&Say::Ready { orphans, condemned: store.recovery().condemned })?;
    let early = part.bug() == Some(Bug::AckBeforeCommit);
    for n in 0.. {
        let work = Work { slot: part.slot, life: part.life, n };
        watcher.begin();
        if let Some(errand) = part.errands.before(part.seed, work) {
            run_errand(&store, part, watcher, errand, work)?;
        }
        let mut lost_pipe = Ok(());
        let mut phase = |phase| {
            watcher.enter(phase);
            if lost_pipe.is_ok() {
                lost_pipe = say(&Say::Phase { phase });
            }
        };
        let mut written = |branch: &plugpull_store::Branch, id| {
            // The planted mistake: the promise is made before the branch leads to the commit.
            if early {
                let _ = say(&Say::Ack { branch: branch.to_string(), id });
            }
        };
        stopwatch.begin();
        let (branch, id) = workload::commit(&store, part.seed, work, &mut phase, &mut written)?;
        let took = stopwatch.end();
        watcher.before_telling();
        watcher.leave();
        lost_pipe?;
        if !early {
            say(&Say::Ack { branch: branch.to_string(), id })?;
        }
        if let Some(times) = took {
            say(&Say::Took { times })?;
        }
    }
    unreachable!("the loop over all numbers ends only by an error")
}

/// An errand, from saying that it begins to saying that it is done.
fn run_errand<F: Fs>(
    store: &Store<F>,
    part: &Part,
    watcher: &StepWatcher,
    errand: Errand,
    work: Work,
) -> Result<(), Failure> {
    let phase = Phase::Errand(errand);
    say(&Say::Phase { phase })?;
    watcher.enter(phase);
    let pack = perform(store, errand, work, &part.desk)?;
    watcher.before_telling();
    watcher.leave();
    say(&Say::Done { errand, pack: pack.map(|key| key.to_string()) })
}

#[cfg(feature = "planted")]
fn options(part: &Part) -> Options {
    let options = Options::durability(part.durability());
    part.bug().map_or(options, |bug| options.planted(bug))
}

#[cfg(not(feature = "planted"))]
fn options(part: &Part) -> Options {
    Options::durability(part.durability())
}

/// Kills this process as the kernel would at a power switch: no destructor, no flush.
fn die(step: &Step, path: &Path) {
    let told = say(&Say::Dying { step: step.clone(), path: path.to_owned() });
    if told.is_ok() && kill(Pid::this(), Signal::SIGKILL).is_ok() {
        loop {
            std::thread::park();
        }
    }
}

/// One line on standard output, whole or not at all: it is shorter than the pipe's atomic size.
fn say(what: &Say) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}
