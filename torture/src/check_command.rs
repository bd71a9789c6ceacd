//! `plugpull check`: record, explore, check, report; and `plugpull explore RECORDING`, which leaves the
//! recording to an earlier run.

use std::io;
use std::path::{Path, PathBuf};

use crate::baseline::Ratchet;
use crate::checking::Checking;
use crate::cli::{CheckArgs, ExploreArgs, ReportArgs};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::namespace;
use crate::record::Recording;
use crate::report::check::{self as report, Reports};
use crate::request::{Look, Request};
use crate::results::Results;
use crate::signals::Stop;

/// `plugpull check`.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let format = args.search.message_format;
    let config = Config::of(args)?;
    let ratchet = Ratchet::of(args, config.as_ref())?;
    let requests = Request::all(args, config.as_ref())?;
    let reports = Reports::from_args(&reports(args, config.as_ref())?, format)?;
    let results = Results::from_args(&args.results)?;
    let (record_only, partition) = (args.record_only, args.results.partition);
    let several = requests.len() > 1;
    let checking = Checking { format, results, partition, record_only, reports, ratchet, several };
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let outcomes = requests.iter().enumerate().map(|(n, request)| {
        if several && !stop.asked() {
            let name = &request.look.subject;
            report::heading(&mut io::stdout().lock(), format, name, n + 1, requests.len())?;
        }
        checking.check(request, namespace, &stop)
    });
    checking.finish(outcomes.collect::<Result<_, _>>()?, &stop)
}

/// `plugpull explore RECORDING`.
pub(crate) fn explore(path: &Path, args: &ExploreArgs) -> Result<Exit, Failure> {
    let mut recording = Recording::load(path)?;
    let look = Look::from_args(recording.about.subject.clone(), &args.judge, &args.search)?;
    if !look.checkers.is_empty() {
        recording.about.checkers.clone_from(&look.checkers);
    }
    if recording.about.checkers.is_empty() {
        let text = "the recording names no checker; name one with --checker";
        return Err(Failure::Usage(text.to_owned()));
    }
    let checking = Checking {
        reports: Reports::from_args(&args.report, args.search.message_format)?,
        results: Results::from_args(&args.results)?,
        partition: args.results.partition,
        ..Checking::new(args.search.message_format)
    };
    namespace::enter()?;
    let stop = Stop::listen()?;
    let outcome = checking.explore(&look, &recording, path, &stop);
    checking.finish(vec![checking.tell(&look, outcome, &stop)?], &stop)
}

/// What reports are asked for: where the command line names none, the configuration may.
fn reports(args: &CheckArgs, config: Option<&Config>) -> Result<ReportArgs, Failure> {
    let Some(config) = config else { return Ok(args.report.clone()) };
    let profile = config.profile(args.project.profile.as_deref())?;
    let said = config.reports(&profile);
    let or = |named: &Option<PathBuf>, said: Option<PathBuf>| named.clone().or(said);
    Ok(ReportArgs {
        junit: or(&args.report.junit, said.junit),
        sarif: or(&args.report.sarif, said.sarif),
        html: or(&args.report.html, said.html),
        ..args.report.clone()
    })
}
