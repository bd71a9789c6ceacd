//! `plugpull ctl DIR COMMAND`: tells a disk that `plugpull mount` keeps what to do, and what came of it.
//!
//! Not for doing it (`hand`).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::{CtlArgs, CtlCommand, MessageFormat};
use crate::exit::{Exit, Failure};
use crate::hand::{Place, Request, Response, ask, place_of, tell};
use crate::options::seed_of;

/// Runs it.
pub fn run(args: &CtlArgs) -> Result<Exit, Failure> {
    let (dir, place) = place_of(&args.dir)?;
    let disk = match place {
        Place::Kept(listed) => listed,
        Place::LeftBehind(listed) => return Err(listed.left_behind()),
        Place::Free => {
            let shown = dir.display();
            return Err(Failure::Usage(format!(
                "no disk is mounted over {shown}; `plugpull mount {shown}` does that, in another terminal"
            )));
        }
    };
    match ask(&disk, &request(&args.command)?, args.timeout)? {
        Response::Refused { error, exit } => {
            eprintln!("plugpull: {error}");
            Ok(exit)
        }
        Response::Done(answer) => {
            let mut out = io::stdout().lock();
            match args.message_format {
                MessageFormat::Human => tell(&mut out, &answer, &args.dir)?,
                MessageFormat::JsonLines => {
                    out.write_all(Response::Done(answer).to_line()?.as_bytes())?;
                }
            }
            Ok(Exit::Clean)
        }
    }
}

/// What is asked for. Paths outside the disk are made whole, as they are read by a process that runs elsewhere.
fn request(command: &CtlCommand) -> Result<Request, Failure> {
    Ok(match command {
        CtlCommand::PowerCut { keep, seed, model } => Request::PowerCut {
            keep: *keep,
            seed: seed.as_deref().map(seed_of),
            model: model.as_deref().map(model_named).transpose()?,
        },
        CtlCommand::Pending { model } => {
            Request::Pending { model: model.as_deref().map(model_named).transpose()? }
        }
        CtlCommand::Drop { file, pages } => {
            Request::Drop { file: file.clone(), pages: pages.clone() }
        }
        CtlCommand::Truncate { file, len } => Request::Truncate { file: file.clone(), len: *len },
        CtlCommand::Fail { call, path, errno, like, times } => Request::Fail {
            calls: call.clone(),
            path: path.clone(),
            error: errno.or(like.map(Into::into)),
            times: *times,
        },
        CtlCommand::Faults => Request::Faults {},
        CtlCommand::Heal => Request::Heal {},
        CtlCommand::Mark { text } => Request::Mark { text: text.clone() },
        CtlCommand::Save { out } => Request::Save { dir: whole(out)? },
        CtlCommand::Status => Request::Status {},
        CtlCommand::Unmount => Request::Unmount {},
    })
}

/// A preset is a name; a file of one's own is found from here.
fn model_named(name: &str) -> Result<String, Failure> {
    if !name.contains('/') && Path::new(name).extension().is_none() {
        return Ok(name.to_owned());
    }
    let path = whole(Path::new(name))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::Usage(format!("the path of the model is not UTF-8: {name}")))
}

fn whole(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::system("find out where we are", e))
}
