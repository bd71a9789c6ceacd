//! `plugpull mount DIR`: a simulated disk over a directory, for work by hand, until somebody ends it.
//!
//! It is mounted where everybody sees it, as the work is done in other terminals. Not for what it can be told
//! (`hand`), nor for programs that are recorded (`record`), whose mounts nobody else sees.
#![expect(clippy::disallowed_methods, reason = "a directory of the user's, which no store is over")]

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use faultfs::DiskImage;
use serde_json::json;

use crate::cli::{MessageFormat, MountArgs};
use crate::exit::{Exit, Failure};
use crate::hand::{
    Answer, Call, Door, Listed, Place, Request, Session, Settings, default_path, listen, place_of,
};
use crate::models_command::load;
use crate::options::seed_of;
use crate::record_command::{MEMORY, has_directory, usable};
use crate::signals::Stop;

/// How often we look whether somebody wants us to end.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Every how many looks we look whether we are mounted still.
const LOOKS: u32 = 20;

/// Runs it.
pub fn run(args: &MountArgs) -> Result<Exit, Failure> {
    let dir = free_directory(&args.dir)?;
    if let Some(record) = &args.record {
        has_directory(record)?;
    }
    let model = load(&args.model)?;
    let stop = Stop::listen()?.and_at_hangup()?;
    let (start, left_out) = start_of(&dir)?;
    let door = Door::open(&args.socket.clone().unwrap_or_else(|| default_path(&dir)))?;
    let found = std::fs::metadata(&dir);
    let found = found.map_err(|e| Failure::system(format!("look at {}", dir.display()), e))?;
    let settings = Settings {
        name: Listed::name(&door.path),
        model,
        seed: seed_of(&args.seed),
        memory: args.memory.unwrap_or(MEMORY),
        record: args.record.as_deref().map(std::path::absolute).transpose()?,
        owner: (found.uid(), found.gid()),
        dir: dir.clone(),
    };
    let words = Words { args, dir, door: &door };
    let session = Session::begin(settings, start)?;
    let calls = listen(&door.listener)?;
    words.begin(&left_out)?;
    let ended = keep(session, &calls, &stop, &words.dir);
    let recording = ended?;
    words.end(recording.as_deref())?;
    Ok(Exit::Clean)
}

/// A directory at which no disk of ours is.
fn free_directory(named: &Path) -> Result<PathBuf, Failure> {
    match place_of(named)? {
        (_, Place::Free) => usable(named, "mount over", "name the directory of a program's files"),
        (_, Place::LeftBehind(listed)) => Err(listed.left_behind()),
        (dir, Place::Kept(_)) => {
            let dir = dir.display();
            Err(Failure::Usage(format!(
                "a disk is mounted over {dir} already; `plugpull ctl {dir} status` tells of it, and \
                 `plugpull ctl {dir} unmount` ends it"
            )))
        }
    }
}

/// What the directory holds, and what of it no disk can hold. Its files are read once and stay where they are.
fn start_of(dir: &Path) -> Result<(DiskImage, Vec<PathBuf>), Failure> {
    let usage = |e: io::Error| Failure::Usage(format!("cannot mount over {}: {e}", dir.display()));
    let (mut start, left_out) = DiskImage::read_in_lazily(dir).map_err(usage)?;
    start.resolve().map_err(usage)?;
    Ok((start, left_out))
}

/// Does what it is told until it is to end. Returns where the recording is, if one was asked for.
fn keep(
    mut session: Session,
    calls: &Receiver<Call>,
    stop: &Stop,
    dir: &Path,
) -> Result<Option<PathBuf>, Failure> {
    let mut looks = 0;
    loop {
        match calls.recv_timeout(LOOK_AGAIN) {
            Ok(call) if call.request == (Request::Unmount {}) => {
                let ended = session.end();
                let told = ended.as_ref().map(Clone::clone).map_err(ToString::to_string);
                let answer = told.map(|recording| Answer::Unmount { recording });
                call.answer(answer.map_err(Failure::Machine).into(), true);
                return ended;
            }
            Ok(call) => {
                let done = session.done(call.request.clone());
                call.answer(done.into(), false);
            }
            Err(RecvTimeoutError::Disconnected) => {
                session.end()?;
                return Err(Failure::Machine("nobody listens at the control socket".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {
                looks += 1;
                if stop.asked() || looks % LOOKS == 0 && !is_mounted(dir) {
                    return session.end();
                }
            }
        }
    }
}

/// Whether nobody unmounted it behind our back.
fn is_mounted(dir: &Path) -> bool {
    !matches!(place_of(dir), Ok((_, Place::Free)))
}

/// What is told of it.
struct Words<'a> {
    args: &'a MountArgs,
    dir: PathBuf,
    door: &'a Door,
}

impl Words<'_> {
    fn begin(&self, left_out: &[PathBuf]) -> io::Result<()> {
        for path in left_out {
            let path = path.display();
            eprintln!("plugpull: {path} is not on the disk: no FIFO, socket or device can be");
        }
        let mut out = io::stdout().lock();
        match self.args.message_format {
            MessageFormat::Human => self.explain(&mut out)?,
            MessageFormat::JsonLines => {
                let line = json!({
                    "event": "mounted", "version": 1, "plugpull": env!("CARGO_PKG_VERSION"), "dir": self.dir,
                    "socket": self.door.path, "pid": std::process::id(), "model": self.args.model,
                    "seed": seed_of(&self.args.seed),
                });
                writeln!(out, "{line}")?;
            }
        }
        out.flush()
    }

    fn explain(&self, out: &mut dyn Write) -> io::Result<()> {
        let dir = self.dir.display();
        let version = env!("CARGO_PKG_VERSION");
        writeln!(out, "plugpull {version}: {dir} is a simulated disk now, in memory")?;
        writeln!(
            out,
            "  its files are those of the directory, which is not touched; `save` takes some with you"
        )?;
        writeln!(out, "  model {}, seed {}", self.args.model, seed_of(&self.args.seed))?;
        writeln!(out, "  control socket {}", self.door.path.display())?;
        writeln!(
            out,
            "in another terminal, work there (a shell that is there already must cd again), and"
        )?;
        for (command, what) in [
            ("pending", "what a power cut could lose now, and which fsync prevents it"),
            ("power-cut", "cut the power"),
            ("fail fsync,fdatasync", "let the next one fail"),
            ("save OUT_DIR", "copy what is on the disk now"),
            ("unmount", "end this; so does Ctrl-C here"),
        ] {
            writeln!(out, "  plugpull ctl {dir} {command:<22} {what}")?;
        }
        Ok(())
    }

    fn end(&self, recording: Option<&Path>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.args.message_format == MessageFormat::JsonLines {
            let line = json!({ "event": "unmounted", "version": 1, "recording": recording });
            return writeln!(out, "{line}");
        }
        writeln!(out, "{} is as it was before", self.dir.display())?;
        match recording {
            Some(path) => writeln!(
                out,
                "  what happened since the last power cut is in {path}: plugpull explore {path} --checker ...",
                path = path.display()
            ),
            None => Ok(()),
        }
    }
}
