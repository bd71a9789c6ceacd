//! One crash state of a recorded run again, by its token.

use std::io::{self, Write};

use faultfs::{CrashState, PersistOrder, StateError};
use plugpull_store::Options as StoreOptions;
use serde_json::json;

use super::{run_of, workloads};
use crate::cli::{ExploreArgs, MessageFormat};
use crate::exit::{Exit, Failure};
use crate::keep::write_out;
use crate::models_command::load;
use crate::options::seed_of;
use crate::power_cut::{label, losses};
use crate::report::power_cut::{effects, effects_json};
use crate::request::SEED;
use crate::subject::{Run, check};

/// One crash state again: what was pending, what was lost, what is wrong.
pub(super) fn run(args: &ExploreArgs, store: StoreOptions, token: &str) -> Result<Exit, Failure> {
    let usage = |e: StateError| Failure::Usage(e.to_string());
    let state: CrashState = token.parse().map_err(usage)?;
    let [workload] = workloads(args)?[..] else {
        let text = "--replay needs the --workload, --seed and --size that its line names";
        return Err(Failure::Usage(text.to_owned()));
    };
    let model = match args.search.model.as_slice() {
        [] => load(state.model())?,
        [name] => load(name)?,
        _ => return Err(Failure::Usage("a token is of one model".to_owned())),
    };
    let run = Run {
        options: store,
        ..run_of(workload, seed_of(args.search.seed.as_deref().unwrap_or(SEED)), args)
    };
    let recorded = run.record();
    let order = PersistOrder::new(&recorded.trace, &model);
    let image = state.image(&order).map_err(usage)?;
    let (window, _) = state.find(&order).map_err(usage)?;
    let pending = losses(&recorded.trace, &order, &state).map_err(usage)?;
    let checked = check(&recorded.expected, &image, window.marks() as usize);
    if let Some(dir) = &args.keep {
        write_out(&image, dir)?;
    }
    let what = checked.violations;
    let exit = if what.is_empty() { Exit::Clean } else { Exit::Violation };
    let mut out = io::stdout().lock();
    match args.search.message_format {
        MessageFormat::Human => {
            let events = recorded.trace.events.len();
            let point = state.point();
            let (run, name) = (label(&run), &model.name);
            writeln!(out, "{run} under {name}, power cut after event {point} of {events}")?;
            if pending.is_empty() {
                writeln!(out, "    nothing was pending")?;
            }
            effects(&mut out, &pending)?;
            for what in &what {
                writeln!(out, "  VIOLATION {what}")?;
            }
            if what.is_empty() {
                writeln!(out, "  no violation in this state")?;
            }
            if let Some(dir) = &args.keep {
                writeln!(out, "  the disk of this state was written to {}", dir.display())?;
            }
        }
        MessageFormat::JsonLines => {
            let line = json!({
                "event": "replay",
                "version": 1,
                "run": label(&run),
                "model": model.name,
                "point": state.point(),
                "pending": effects_json(&pending),
                "violations": what,
                "kept": args.keep,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(exit)
}
