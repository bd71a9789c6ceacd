//! `plugpull replay TOKEN`: one crash state again, in a directory to look at, and its checker.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use faultfs::{CrashState, Fs, PersistOrder, RealFs, StateError};
use serde_json::json;

use crate::check::Verdict;
use crate::checking::start_pool;
use crate::cli::{MessageFormat, ReplayArgs};
use crate::exit::{Exit, Failure};
use crate::findings::story::Story;
use crate::findings::tale::{Line, tale};
use crate::keep::write_out;
use crate::models_command::load;
use crate::namespace;
use crate::record::{Recording, find_by_token};
use crate::report::check::write_line;
use crate::search::{Asked, Judge};
use crate::signals::Stop;

/// Runs it.
pub fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let usage = |e: StateError| Failure::Usage(e.to_string());
    let state: CrashState = args.token.parse().map_err(usage)?;
    let model = load(args.model.as_deref().unwrap_or_else(|| state.model()))?;
    let mut recording = match &args.recording {
        Some(path) => Recording::load(path)?,
        None => find_by_token(&state, &model)?.1,
    };
    if !args.checker.is_empty() {
        recording.about.checkers.clone_from(&args.checker);
    }
    let order = PersistOrder::new(&recording.trace, &model);
    let image = state.image(&order).map_err(usage)?;
    let (window, _) = state.find(&order).map_err(usage)?;
    let lines = tale(&Story::of(&recording.trace), &order, &state).map_err(usage)?;
    let dir = directory(args.keep.as_deref());
    if exists(&dir) {
        let dir = dir.display();
        return Err(Failure::Usage(format!("{dir} exists; --keep names a new directory")));
    }
    let fault = recording.about.fault.as_ref().map(|fault| fault.what.clone());
    let marks = window.marks();
    let verdict = judge(args, &recording, Asked { image: image.clone(), marks })?;
    write_out(&image, &dir)?;
    let replay = Replay { fault, lines, events: order.events(), state, dir, verdict };
    let mut out = io::stdout().lock();
    match args.message_format {
        MessageFormat::Human => replay.human(&mut out)?,
        MessageFormat::JsonLines => replay.json_lines(&mut out)?,
    }
    Ok(replay.exit())
}

/// The verdict on the state, in a private copy of it; none where no checker is named.
fn judge(
    args: &ReplayArgs,
    recording: &Recording,
    asked: Asked,
) -> Result<Option<Verdict>, Failure> {
    if recording.about.checkers.is_empty() {
        return Ok(None);
    }
    namespace::enter()?;
    let stop = Stop::listen()?;
    let mut pool = start_pool(recording, args.timeout, 1, &stop)?;
    Ok(pool.judge(vec![asked], &|| stop.asked()).pop())
}

struct Replay {
    /// The fault that the run was recorded with.
    fault: Option<String>,
    lines: Vec<Line>,
    events: u32,
    state: CrashState,
    dir: PathBuf,
    verdict: Option<Verdict>,
}

impl Replay {
    fn exit(&self) -> Exit {
        match &self.verdict {
            Some(Verdict::Violated(_)) => Exit::Violation,
            Some(Verdict::Survived) | None => Exit::Clean,
            Some(verdict) if verdict.hindered().is_some() => Exit::Environment,
            Some(Verdict::NotMeasured(_)) => Exit::Interrupted,
            Some(Verdict::HarnessBroken(_)) => Exit::HarnessBroken,
        }
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(fault) = &self.fault {
            writeln!(out, "recorded with a fault: {fault}")?;
        }
        let (point, events) = (self.state.point(), self.events);
        writeln!(out, "under {}, power cut after event {point} of {events}:", self.state.model())?;
        for line in &self.lines {
            write_line(out, &line.into())?;
        }
        writeln!(out, "            --- power cut ---")?;
        writeln!(out, "  the state is in {}", self.dir.display())?;
        match &self.verdict {
            None => {
                writeln!(out, "  no checker is named in the recording; name one with --checker")
            }
            Some(Verdict::Survived) => writeln!(out, "  no violation in this state"),
            Some(Verdict::Violated(what)) => {
                for line in String::from_utf8_lossy(&what.output).lines() {
                    writeln!(out, "  | {line}")?;
                }
                writeln!(out, "VIOLATION {}", what.message)
            }
            Some(Verdict::NotMeasured(why)) => writeln!(out, "  not measured: {why}"),
            Some(Verdict::HarnessBroken(why)) => {
                writeln!(out, "  the checker could not be run: {why}")
            }
        }
    }

    fn json_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = |line: &Line| json!({ "event": line.event, "what": line.text, "fate": line.fate.word() });
        let (verdict, message) = match &self.verdict {
            None => ("none", String::new()),
            Some(Verdict::Survived) => ("survived", String::new()),
            Some(Verdict::Violated(what)) => ("violated", what.message.clone()),
            Some(Verdict::NotMeasured(why)) => ("not measured", why.clone()),
            Some(Verdict::HarnessBroken(why)) => ("harness broken", why.clone()),
        };
        let told = json!({
            "event": "replayed",
            "version": 1,
            "token": self.state.to_string(),
            "model": self.state.model(),
            "point": self.state.point(),
            "events": self.events,
            "fault": self.fault,
            "tale": self.lines.iter().map(line).collect::<Vec<_>>(),
            "verdict": verdict,
            "message": message,
            "kept": self.dir,
            "exit": self.exit() as u8,
        });
        writeln!(out, "{told}")
    }
}

/// Where the state is written to.
fn directory(named: Option<&Path>) -> PathBuf {
    named.map_or_else(
        || std::env::temp_dir().join(format!("plugpull-state-{:x}", RealFs.nonce())),
        Path::to_owned,
    )
}

#[expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]
fn exists(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok()
}
