//! A disk that is kept: the mount, its faults and its recordings; one request after the other is done.
//!
//! Not for carrying requests (`server`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultfs::{
    DiskImage, Event, FaultPlan, Faults, Mount, MountHelper, MountOptions, SimFs, Trace,
};

use super::faults::Planned;
use super::protocol::Status;
use super::{Answer, Request};
use crate::exit::Failure;
use crate::keep::write_out;
use crate::models_command::load;
use crate::record::{About, MadeFault, Recording, unseen};

/// How a disk is to be kept.
pub(crate) struct Settings {
    /// Over which directory.
    pub(crate) dir: PathBuf,
    /// What the mount is called in the kernel's list.
    pub(crate) name: String,
    /// The model, where a request names none.
    pub(crate) model: faultfs::Model,
    /// Where random power cuts begin.
    pub(crate) seed: u64,
    /// Most bytes that may be written.
    pub(crate) memory: u64,
    /// Where the recording goes at the end.
    pub(crate) record: Option<PathBuf>,
    /// To whom the directory belongs.
    pub(crate) owner: (u32, u32),
}

/// The disk.
pub(crate) struct Session {
    pub(super) settings: Settings,
    pub(super) disk: SimFs,
    pub(super) mount: Mount,
    pub(super) faults: Arc<Faults>,
    /// The faults as they were asked for, in the order of the rules.
    pub(super) planned: Vec<Planned>,
    pub(super) power_cuts: u64,
    /// What was recorded before each power cut.
    pub(super) recordings: Vec<PathBuf>,
}

impl Session {
    /// Mounts a disk that begins with `start`, whose bytes are resolved, where everybody sees it.
    pub(crate) fn begin(settings: Settings, start: DiskImage) -> Result<Self, Failure> {
        let disk = SimFs::on_machine_clock(start);
        let is_root = nix::unistd::geteuid().is_root();
        let options = MountOptions {
            at: settings.dir.clone(),
            cpu: None,
            memory: settings.memory,
            owner: settings.owner,
            helper: if is_root { MountHelper::Direct } else { MountHelper::Fusermount },
            allow_other: is_root,
            name: settings.name.clone(),
            check_permissions: true,
        };
        let mount = Mount::open(&disk, &options, Box::new(|_| {})).map_err(|e| {
            Failure::Machine(format!(
                "cannot mount a simulated disk over {} where all can see it: {e}; root may, others need \
                 fusermount3 (Debian: fuse3); `plugpull doctor` tells what is missing",
                settings.dir.display()
            ))
        })?;
        let faults = Arc::new(Faults::new(&FaultPlan::default()));
        let injected = mount.inject(Arc::clone(&faults));
        injected.map_err(|e| Failure::system("let calls fail", e))?;
        let (planned, recordings) = (Vec::new(), Vec::new());
        Ok(Self { settings, disk, mount, faults, planned, power_cuts: 0, recordings })
    }

    /// Does what is asked for; unmounting is not done here but by [`Self::end`].
    pub(crate) fn done(&mut self, request: Request) -> Result<Answer, Failure> {
        match request {
            Request::PowerCut { keep, seed, model } => self.cut(keep, seed, model.as_deref()),
            Request::Pending { model } => self.pending(model.as_deref()),
            Request::Drop { file, pages } => self.drop_pages(&file, pages.as_ref()),
            Request::Truncate { file, len } => self.truncate(&file, len),
            Request::Fail { calls, path, error, times } => {
                self.fail(calls, path.as_deref(), error, times)
            }
            Request::Faults {} => Ok(Answer::Faults { faults: self.told_faults() }),
            Request::Heal {} => Ok(self.heal()),
            Request::Mark { text } => {
                self.disk.mark(text.as_bytes());
                Ok(Answer::Mark { marks: marks_in(&self.disk.trace()) })
            }
            Request::Save { dir } => self.save(&dir),
            Request::Status {} => Ok(Answer::Status(self.status())),
            Request::Unmount {} => Ok(Answer::Unmount { recording: None }),
        }
    }

    /// Unmounts, and writes the recording if one was asked for; returns where it is.
    pub(crate) fn end(self) -> Result<Option<PathBuf>, Failure> {
        let Self { settings, disk, mount, faults, planned, .. } = self;
        let seen = mount.close().map_err(|e| Failure::system("unmount", e))?;
        let Some(path) = settings.record else { return Ok(None) };
        let mut about = about(&settings.dir);
        about.unseen = unseen(&seen);
        about.fault = made_fault(&planned, &faults);
        Recording { about, trace: disk.trace() }.save(&path)?;
        Ok(Some(path))
    }

    /// The model that a request names, or that of the mount.
    pub(super) fn model(&self, named: Option<&str>) -> Result<faultfs::Model, Failure> {
        named.map_or_else(|| Ok(self.settings.model.clone()), load)
    }

    /// Keeps what happened until a power cut, beside the recording or where those without a name are.
    pub(super) fn keep(&mut self, trace: Trace) -> Result<PathBuf, Failure> {
        let mut about = about(&self.settings.dir);
        about.unseen = unseen(&self.mount.seen());
        about.fault = made_fault(&self.planned, &self.faults);
        for (planned, fired) in self.planned.iter_mut().zip(self.faults.fired()) {
            planned.told = fired;
        }
        let recording = Recording { about, trace };
        let path = match &self.settings.record {
            Some(path) => {
                let path = of_cut(path, self.power_cuts);
                recording.save(&path)?;
                path
            }
            None => recording.keep_as(&format!("-cut{}", self.power_cuts))?,
        };
        self.recordings.push(path.clone());
        Ok(path)
    }

    fn save(&self, dir: &Path) -> Result<Answer, Failure> {
        if !dir.is_absolute() {
            let dir = dir.display();
            return Err(Failure::Usage(format!("{dir} is no path from the root directory")));
        }
        if dir.starts_with(&self.settings.dir) {
            return Err(Failure::Usage(format!(
                "{} is on the simulated disk itself, where nothing survives; name a directory elsewhere",
                dir.display()
            )));
        }
        if is_there(dir) {
            return Err(Failure::Usage(format!("{} exists; name a new directory", dir.display())));
        }
        let image = self.disk.image();
        write_out(&image, dir)?;
        Ok(Answer::Save { dir: dir.to_owned(), files: image.files().len(), bytes: image.size() })
    }

    fn status(&self) -> Status {
        let (trace, seen) = (self.disk.trace(), self.mount.seen());
        let marks = marks_in(&trace);
        Status {
            plugpull: env!("CARGO_PKG_VERSION").to_owned(),
            dir: self.settings.dir.clone(),
            pid: std::process::id(),
            model: self.settings.model.name.clone(),
            seed: self.settings.seed,
            power_cuts: self.power_cuts,
            operations: trace.events.len() - marks,
            marks,
            requests: seen.calls,
            faults: self.planned.len(),
            fired: self.faults.fired().iter().sum(),
            out_of_memory: seen.out_of_memory,
            refused: seen.refused.into_iter().map(|(what, n)| (what.to_owned(), n)).collect(),
            recordings: self.recordings.clone(),
        }
    }
}

fn marks_in(trace: &Trace) -> usize {
    trace.events.iter().filter(|event| matches!(event, Event::Mark(_))).count()
}

/// The recording before a power cut, beside that of the end: `run.plug`, `run-cut1.plug`.
fn of_cut(path: &Path, number: u64) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let end =
        path.extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    path.with_file_name(format!("{name}-cut{number}{end}"))
}

fn about(dir: &Path) -> About {
    About {
        plugpull: env!("CARGO_PKG_VERSION").to_owned(),
        subject: "by hand".to_owned(),
        command: vec!["plugpull".to_owned(), "mount".to_owned(), dir.display().to_string()],
        dir: dir.to_owned(),
        ..About::default()
    }
}

/// The faults that hit since the last power cut.
fn made_fault(planned: &[Planned], faults: &Faults) -> Option<MadeFault> {
    let fired = faults.fired();
    let new = planned.iter().zip(faults.rules()).zip(fired);
    let new = new.filter(|((planned, _), fired)| *fired > planned.told);
    let (what, rules): (Vec<_>, Vec<_>) =
        new.map(|((planned, rule), fired)| (planned.words(fired - planned.told), rule)).unzip();
    let what = format!("by hand: {}", what.join("; "));
    (!rules.is_empty()).then_some(MadeFault { what, plan: FaultPlan { rules } })
}

#[expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]
fn is_there(dir: &Path) -> bool {
    std::fs::symlink_metadata(dir).is_ok()
}

/// A failure to reach the disk from below.
pub(super) fn below(e: io::Error) -> Failure {
    Failure::system("reach the simulated disk", e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_power_cut_has_a_recording_beside_the_last_one() {
        assert_eq!(of_cut(Path::new("a/run.plug"), 2), Path::new("a/run-cut2.plug"));
        assert_eq!(of_cut(Path::new("run"), 1), Path::new("run-cut1"));
    }
}
