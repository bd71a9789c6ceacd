//! `plugpull bench`: what durability costs on the disk of a directory, from arguments to exit code.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::bench::advise::{Asked, advise};
use crate::bench::compare::compare;
use crate::bench::machine::{Kind, Machine, Mounted};
use crate::bench::plan::Plan;
use crate::bench::plausible::warnings;
use crate::bench::result::{Bench, Case, NotThere, VERSION};
use crate::bench::rounds::{Ended, Lane, Measured, measure};
use crate::bench::scratch::Scratch;
use crate::bench::{page, table, words};
use crate::cli::{BenchArgs, MessageFormat};
use crate::exit::{Exit, Failure};
use crate::report::check::files::{replace, writable};
use crate::signals::Stop;

/// Runs it.
pub fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    if let [a, b] = args.compare.as_slice() {
        return compared(&Bench::read(a)?, &Bench::read(b)?, args.message_format);
    }
    for (option, path) in [("--json", &args.json), ("--html", &args.html)] {
        path.as_deref().map_or(Ok(()), |path| can_write(option, path))?;
    }
    let (bench, ended) = match &args.from {
        Some(path) => (Bench::read(path)?, None),
        None => measured(args)?,
    };
    tell(args, &bench)?;
    write(args, &bench)?;
    ended.map_or(Ok(Exit::Clean), |ended| how_it_ends(&ended))
}

/// The result of measuring, partial or whole.
fn measured(args: &BenchArgs) -> Result<(Bench, Option<Ended>), Failure> {
    let plan = Plan::from_args(args, args.advise.as_ref().and_then(|asked| asked.group))?;
    let dir = args.dir.as_deref().unwrap_or(Path::new("."));
    let stop = Stop::listen()?;
    let scratch = Scratch::new(dir)?;
    let machine = Machine::of(dir);
    announce(&plan, &machine);
    let mut measured = measure(&plan, &scratch, &stop);
    if let Err(e) = scratch.remove() {
        eprintln!("plugpull: what was written is still there, remove it by hand: {e}");
    }
    let ended = measured.ended.take();
    Ok((result(&plan, machine, &measured, ended.as_ref()), ended))
}

/// What begins, and what should be known before it does.
fn announce(plan: &Plan, machine: &Machine) {
    let (cases, budget) = (plan.cases.len(), humantime::format_duration(plan.budget));
    eprintln!("measuring {cases} cases on {} for {budget}", machine.dir);
    let kind = machine.mounted.as_ref().map(Mounted::kind);
    if let Some(Kind::Fuse | Kind::Network) = kind {
        let fs = machine.file_system();
        eprintln!("plugpull: {fs} is no disk of this machine; the figures are of that file system");
    }
}

fn result(plan: &Plan, machine: Machine, measured: &Measured, ended: Option<&Ended>) -> Bench {
    let there = measured.lanes.iter().filter(|lane| !lane.figures.is_empty());
    let not_there = measured.lanes.iter().filter_map(|lane| {
        let why = lane.not_there.as_ref()?.to_string();
        Some(NotThere { strategy: lane.known.name.to_owned(), size: lane.site.size, why })
    });
    let mut bench = Bench {
        event: Bench::event(),
        version: VERSION,
        plugpull: env!("CARGO_PKG_VERSION").to_owned(),
        machine,
        budget_ms: u64::try_from(plan.budget.as_millis()).unwrap_or(u64::MAX),
        rounds: measured.rounds,
        batch: plan.batch,
        threads: plan.threads,
        ended: ended.map(why),
        cases: there.map(case).collect(),
        not_there: not_there.collect(),
        warnings: Vec::new(),
    };
    bench.warnings = warnings(&bench);
    bench
}

fn case(lane: &Lane) -> Case {
    let items = lane.known.items(&lane.site);
    Case {
        strategy: lane.known.name.to_owned(),
        calls: lane.known.calls.to_owned(),
        size: lane.site.size,
        items,
        together: lane.known.together(&lane.site),
        gives: lane.known.gives,
        figures: lane.figures.summary(items, lane.site.size),
    }
}

fn why(ended: &Ended) -> String {
    match ended {
        Ended::Interrupted => "ended by a signal".to_owned(),
        Ended::Failed(strategy, size, error) => {
            format!("{strategy} of {} failed: {error}", words::size(*size))
        }
    }
}

/// After an early end, when everything was told.
fn how_it_ends(ended: &Ended) -> Result<Exit, Failure> {
    let Ended::Failed(_, _, error) = ended else { return Ok(Exit::Interrupted) };
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space or inodes, name a directory elsewhere, or measure less with --only and --size"
        }
        io::ErrorKind::ReadOnlyFilesystem => "it became read-only; look at the kernel's log",
        _ => "look at the kernel's log, or name a directory elsewhere",
    };
    Err(Failure::Machine(format!("{}; {remedy}", why(ended))))
}

fn tell(args: &BenchArgs, bench: &Bench) -> Result<(), Failure> {
    let advice = args.advise.as_ref().map(|asked| (asked, advise(bench, asked)));
    let mut out = io::stdout().lock();
    match args.message_format {
        MessageFormat::Human => {
            table::bench(&mut out, bench)?;
            advice.map_or(Ok(()), |(asked, advice)| table::advice(&mut out, asked, &advice))?;
        }
        MessageFormat::JsonLines => {
            line(&mut out, bench)?;
            for advice in advice.into_iter().flat_map(|(_, advice)| advice) {
                let enough = advice.enough;
                line(
                    &mut out,
                    &json!({
                        "event": "bench-advice", "version": VERSION, "size": advice.size, "enough": enough,
                    }),
                )?;
            }
        }
    }
    Ok(())
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    Ok(writeln!(out, "{}", serde_json::to_string(value)?)?)
}

fn compared(a: &Bench, b: &Bench, format: MessageFormat) -> Result<Exit, Failure> {
    let (pairs, alone) = compare(a, b);
    if pairs.is_empty() {
        let text = "A and B have no strategy in common at the same size; measure both with the same --only and --size";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut out = io::stdout().lock();
    match format {
        MessageFormat::Human => table::compared(&mut out, &pairs, &alone)?,
        MessageFormat::JsonLines => {
            for pair in &pairs {
                let mut told = serde_json::to_value(pair)?;
                told["event"] = json!("bench-ratio");
                told["version"] = json!(VERSION);
                line(&mut out, &told)?;
            }
        }
    }
    Ok(Exit::Clean)
}

fn can_write(option: &str, path: &Path) -> Result<(), Failure> {
    let refused = |why| Failure::Usage(format!("cannot write {option} {}: {why}", path.display()));
    writable(path).map(drop).map_err(refused)
}

/// The files that were asked for.
fn write(args: &BenchArgs, bench: &Bench) -> Result<(), Failure> {
    let failed = |path: &Path, e| Failure::system(format!("write {}", path.display()), e);
    if let Some(path) = &args.json {
        let text = serde_json::to_string(bench)? + "\n";
        replace(path, text.as_bytes()).map_err(|e| failed(path, e))?;
    }
    if let Some(path) = &args.html {
        let advice = |asked: &Asked| advise(bench, asked);
        let advice = args.advise.as_ref().map(advice).unwrap_or_default();
        let text = page::text(bench, &advice);
        replace(path, text.as_bytes()).map_err(|e| failed(path, e))?;
    }
    Ok(())
}
