//! A program that is run again and again on one simulated disk, and killed on the way.
//!
//! Each run goes on with the record of the last one, so what was pending when the program was killed is
//! still pending. Not for choosing when it is killed, nor for what a power cut leaves (`campaign`).

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use faultfs::{DiskImage, Event, SimFs};

use super::processes::Family;
use super::program::{Ended, command_of, end, first_cpu, mount, set_up, start};
use super::{About, Program, Recording};
use crate::exit::Failure;
use crate::namespace::Namespace;
use crate::orphans::Orphans;
use crate::signals::Stop;

/// How often we look whether the moment has come. What the program does meanwhile is taken back.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// At the event that was asked for.
    Killed,
    /// By itself, before that.
    Finished,
    /// By itself, before that, and not well; how.
    Failed(String),
}

/// A disk and the program that runs on it.
pub(crate) struct Live<'p> {
    program: &'p Program,
    namespace: Namespace,
    disk: SimFs,
}

/// What the directory holds after the setup: all in memory, and durable.
pub(crate) fn start_of(
    program: &Program,
    namespace: Namespace,
    stop: &Stop,
) -> Result<DiskImage, Failure> {
    let (start, _) = DiskImage::read_in_lazily(&program.dir)
        .map_err(|e| Failure::Usage(format!("cannot record there: {e}")))?;
    let disk = SimFs::on_machine_clock(start);
    if program.setup.is_some() {
        let cpu = first_cpu();
        let mount = mount(program, namespace, &disk, cpu)?;
        let family = Family::begin(Orphans::Ours);
        let ran = set_up(program, (&disk, &family), cpu, stop);
        family.end();
        let seen = mount.close();
        ran?;
        seen.map_err(|e| Failure::system("keep the simulated disk mounted", e))?;
    }
    let mut start = disk.trace().start;
    start.resolve().map_err(|e| Failure::Usage(e.to_string()))?;
    Ok(start)
}

impl<'p> Live<'p> {
    /// On a disk that holds this, where so much was promised before.
    pub(crate) fn new(
        program: &'p Program,
        namespace: Namespace,
        start: &DiskImage,
        marks: &[Arc<[u8]>],
    ) -> Self {
        let disk = SimFs::on_machine_clock(start.clone());
        for mark in marks {
            disk.mark(mark);
        }
        Self { program, namespace, disk }
    }

    /// How many events are recorded.
    pub(crate) fn events(&self) -> usize {
        self.disk.recorded_events()
    }

    /// Runs the program, and kills it after so many events of all runs together.
    pub(crate) fn run(&self, until: usize, stop: &Stop) -> Result<RunEnd, Failure> {
        let cpu = first_cpu();
        let mount = mount(self.program, self.namespace, &self.disk, cpu)?;
        let family = Family::begin(Orphans::Ours);
        let mut command = command_of(self.program, &mount)?;
        command.stdin(Stdio::null());
        let child = start(command, (self.program, &family), cpu)?;
        let ran = self.wait(child, until, stop);
        family.end();
        let seen = mount.close().map_err(|e| Failure::system("keep the disk mounted", e))?;
        if seen.out_of_memory && !stop.asked() {
            return Err(Failure::Machine(format!(
                "the program wrote more than {} bytes, which are kept in memory; allow more with --memory",
                self.program.memory
            )));
        }
        let ran = ran?;
        if self.events() < until {
            return Ok(ran);
        }
        // However late we looked, and whatever became of it: it was killed there.
        self.disk.back_to(until);
        Ok(RunEnd::Killed)
    }

    #[expect(clippy::disallowed_methods, reason = "a program that hangs is a matter of time")]
    fn wait(&self, mut child: Child, until: usize, stop: &Stop) -> Result<RunEnd, Failure> {
        let began = Instant::now();
        loop {
            let ended = child.try_wait().map_err(|e| Failure::system("wait for the program", e))?;
            match ended {
                Some(status) if status.success() => return Ok(RunEnd::Finished),
                Some(status) => return Ok(RunEnd::Failed(Ended::from(status).to_string())),
                None => {}
            }
            if stop.asked() {
                end(&mut child);
                return Err(Failure::Interrupted);
            }
            if self.events() >= until {
                end(&mut child);
                return Ok(RunEnd::Killed);
            }
            if began.elapsed() > self.program.timeout {
                end(&mut child);
                let limit = humantime::format_duration(self.program.timeout);
                return Ok(RunEnd::Failed(format!(
                    "it did not end within {limit} (--run-timeout)"
                )));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// All that was recorded since the disk was made, for a replay.
    pub(crate) fn recording(&self, checkers: &[String]) -> Recording {
        let command = self.program.command.iter().map(|arg| arg.to_string_lossy().into_owned());
        let about = About {
            plugpull: env!("CARGO_PKG_VERSION").to_owned(),
            subject: self.program.name(),
            command: command.collect(),
            dir: self.program.dir.clone(),
            checkers: checkers.to_vec(),
            ..About::default()
        };
        Recording { about, trace: self.disk.trace() }
    }
}

/// What was promised in a record.
pub(crate) fn marks_of(recording: &Recording) -> Vec<Arc<[u8]>> {
    let marks = recording.trace.events.iter().filter_map(|event| match event {
        Event::Mark(text) => Some(Arc::clone(text)),
        Event::Op { .. } => None,
    });
    marks.collect()
}
