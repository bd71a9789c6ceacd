//! `plugpull check`: record, explore, check, report; and `plugpull explore RECORDING`, which leaves the
//! recording to an earlier run.

use std::path::Path;

use crate::checking::{Checking, finish};
use crate::cli::{CheckArgs, ExploreArgs};
use crate::exit::{Exit, Failure};
use crate::namespace;
use crate::record::Recording;
use crate::report::check::Reports;
use crate::request::{Look, Request};
use crate::signals::Stop;

/// `plugpull check`.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let requests = Request::all(args)?;
    let reports = Reports::from_args(&args.report, args.search.message_format)?;
    let checking = Checking::new(args.search.message_format, &args.results)?;
    let namespace = namespace::enter()?;
    let stop = Stop::listen()?;
    let checking = Checking { record_only: args.record_only, ..checking };
    let outcomes = requests.iter().map(|request| checking.check(request, namespace, &stop));
    finish(outcomes.collect::<Result<_, _>>()?, &reports)
}

/// `plugpull explore RECORDING`.
pub(crate) fn explore(path: &Path, args: &ExploreArgs) -> Result<Exit, Failure> {
    let mut recording = Recording::load(path)?;
    let reports = Reports::from_args(&args.report, args.search.message_format)?;
    let look = Look::from_args(recording.about.subject.clone(), &args.judge, &args.search)?;
    if !look.checkers.is_empty() {
        recording.about.checkers.clone_from(&look.checkers);
    }
    if recording.about.checkers.is_empty() {
        let text = "the recording names no checker; name one with --checker";
        return Err(Failure::Usage(text.to_owned()));
    }
    let checking = Checking::new(args.search.message_format, &args.results)?;
    namespace::enter()?;
    let stop = Stop::listen()?;
    let outcome = checking.explore(&look, &recording, path, &stop);
    finish(vec![checking.tell(&look, outcome)?], &reports)
}
