//! The runner behind the command `plugpull`.
//!
//! The main job, step by step: [`probe`] finds out which calls a commit makes; [`plan`] draws from the
//! seed when each writer shall die; [`kill`] starts the [`writer`] processes, which commit and run
//! [errands](errand), kills and restarts them; [`oracle`] holds the store to every acknowledgement; [`report`] tells it.
//!
//! SIGKILL keeps the page cache. The power is cut elsewhere: [`subject`] records small runs of the store
//! on a simulated disk and checks what is left of them, [`explore`] chooses the crash states, and
//! [`power_cut`] brings both together.
//!
//! What a pass means: no violation was seen in the audits of this run and in the crash states that were
//! looked at, under these models, with this seed.
//!
//! # In one's own tests
//!
//! A store that is written over the seam [`faultfs::Fs`] is checked in a `#[test]`, in process:
//!
//! ```
//! use std::path::Path;
//!
//! use faultfs::{Fs, FsFile};
//! use plugpull::test::Explore;
//!
//! let outcome = Explore::new("a log").run(
//!     |disk| {
//!         let log = disk.create_new(Path::new("/log"), 0o644)?;
//!         disk.sync_dir(Path::new("/"))?;
//!         for entry in 0..3_u64 {
//!             log.write_all_at(b"entry\n", entry * 6)?;
//!             log.sync_data()?;
//!             disk.mark(b"written");
//!         }
//!         Ok(())
//!     },
//!     |disk, marks| match disk.metadata(Path::new("/log")) {
//!         Ok(log) if log.len >= marks.len() as u64 * 6 => Ok(()),
//!         Ok(log) => Err(format!("{} entries were promised, {} bytes are left", marks.len(), log.len)),
//!         Err(_) if marks.is_empty() => Ok(()),
//!         Err(e) => Err(format!("the log is gone: {e}")),
//!     },
//! )?;
//! outcome.assert_no_violation();
//! # Ok::<(), plugpull::exit::Failure>(())
//! ```
//!
//! A program that makes its system calls itself, in whatever language, runs on a mounted disk:
//! `Explore::new("app").program(&command).check(|dir, marks| ..)`. [`mod@test`] has more.
#![forbid(unsafe_code)]

/// The Rust of the guide compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
mod guide {}

pub mod audit_command;
pub mod baseline;
pub mod bench;
pub mod bench_command;
mod campaign;
pub mod check;
pub mod check_command;
mod checking;
pub mod cli;
pub mod clock;
pub mod config;
pub mod ctl_command;
pub mod doctor_command;
pub mod errand;
pub mod examine;
pub mod exit;
pub mod explore;
pub mod explore_command;
pub mod findings;
pub mod hand;
pub mod init;
pub mod inject;
pub mod inject_command;
mod keep;
pub mod kill;
pub mod manual_command;
mod memory;
pub mod merge_command;
pub mod models_command;
pub mod mount_command;
pub mod namespace;
pub mod options;
pub mod oracle;
pub mod orphans;
pub mod outcome;
pub mod plan;
pub mod power_cut;
pub mod probe;
pub mod process;
pub mod record;
pub mod record_command;
pub mod recrash;
pub mod replay_command;
pub mod report;
pub mod request;
pub mod results;
pub mod search;
pub mod signals;
pub mod steps;
pub mod store_command;
mod store_import;
pub mod subject;
pub mod tally;
pub mod test;
pub mod timing;
pub mod torture_command;
pub mod verdicts;
pub mod wire;
pub mod workdir;
pub mod workload;
pub mod writer;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

/// The program: arguments, one command, an exit code; errors go to standard error.
pub fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit();
            if exit != Exit::Clean {
                eprintln!("plugpull: {failure}");
            }
            exit.into()
        }
    }
}

fn run(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Torture(args) => torture_command::run(args),
        Command::Audit(args) => audit_command::run(args),
        Command::Check(args) => check_command::run(args),
        Command::Inject(args) => inject_command::run(args),
        Command::Init(args) => init::run(args),
        Command::Record(args) => record_command::run(args),
        Command::Merge(args) => merge_command::run(args),
        Command::Replay(args) => replay_command::run(args),
        Command::Doctor(args) => doctor_command::run(args),
        Command::Mount(args) => mount_command::run(args),
        Command::Ctl(args) => ctl_command::run(args),
        Command::Bench(args) => bench_command::run(args),
        Command::Explore(args) => explore_command::run(args),
        Command::Models(args) => models_command::run(args),
        Command::Store(args) => store_command::run(args),
        Command::Completions(args) => manual_command::completions(args),
        Command::Man(args) => manual_command::man(args),
        Command::TortureWriter(args) => writer::run(args),
    }
}
