//! Every workload with each of its calls failing, in every way that the call can fail.
//!
//! Two halves. While the power is on: the run goes on, leaves no temp, and what it leaves passes the
//! check with all its promises and can be worked with. When the power is cut anywhere behind the
//! fault: what was acknowledged is there. A fault that had no effect on the disk leaves the trace that
//! another one left, and equal traces are looked at once; crash states before the fault are those of
//! the run without it, and are looked at elsewhere.
//!
//! CI takes a part, by these rules: one seed; not the inside of long runs of one kind of call; of the
//! errnos EIO at every call, the other five in turn; crash states of tier 1, and of a trace the first
//! [`STATES`] under each model, which are those next to barriers and Marks. With `PLUGPULL_CASES=n` it
//! is n seeds, all calls, all errnos, and [`MORE_STATES`]. Of two operations at the same time CI takes some kinds, each
//! beside itself, and `PLUGPULL_CASES` every pair, by the same rules.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use faultfs::{
    CallKind, DiskImage, Errno, Event, Fault, FaultPlan, FaultRule, Faults, Faulty, FsyncFailure,
    Model, Pattern, PersistOrder, Trace, Watched,
};
use plugpull::explore::{Bounds, Tier, explore};
use plugpull::subject::{PAIRS, Recorded, Run, Workload, check};
use plugpull_store::{Layout, ObjectId};

use super::{check_after, files};
use crate::taps::{Recorder, Seen, worth_a_failure};

/// Kinds of operations, of which the workload `pairs` has any two.
const KINDS: u64 = PAIRS.isqrt();

/// CI takes one of so many kinds.
const SOME: u64 = 3;

/// About how many operations.
const SIZE: usize = 2;

/// Crash states of one trace under one model that CI looks at.
const STATES: u64 = 16;

/// The same without haste.
const MORE_STATES: u64 = 400;

/// Of a trace of more events only tier 0 is made: that of an `init`.
const LONG: usize = 250;

/// Every how many-th call is also tried with all later ones failing as well.
const FOR_EVER: usize = 16;

/// The models for faults that are no file system's own.
const MODELS: [&str; 3] = ["ext4", "posix", "btrfs"];

const ERRNOS: [Errno; 5] =
    [Errno::Enospc, Errno::Edquot, Errno::Eintr, Errno::Emfile, Errno::Erofs];

/// The ways of a sync to fail that tell its caller, and the models that they belong to.
const FAILURES: [(FsyncFailure, [&str; 2]); 4] = [
    (FsyncFailure::Ext4Ordered, ["ext4", "posix"]),
    (FsyncFailure::Xfs, ["xfs", "posix"]),
    (FsyncFailure::Btrfs, ["btrfs", "posix"]),
    (FsyncFailure::Redirty, ["posix", "sequential"]),
];

/// A writer whose barrier of an object fails marks the object, whoever else had it acknowledged: the
/// next put writes it anew. Nothing is lost by that.
const UNSETTLED: &str = "mode 440; expected 444 of what was acknowledged";

/// How many seeds are run in full; `None` for the part that CI takes.
fn full() -> Option<u64> {
    std::env::var("PLUGPULL_CASES").ok().map(|cases| cases.parse().unwrap())
}

fn is_sync(kind: CallKind) -> bool {
    matches!(kind, CallKind::SyncData | CallKind::SyncAll)
}

fn is_write(kind: CallKind) -> bool {
    matches!(kind, CallKind::WriteAt | CallKind::Append)
}

/// A run, what it is without any fault, and what the faults did to it so far.
struct Trials {
    run: Run,
    /// Whether nothing is left out that can be looked at.
    thorough: bool,
    clean: Recorded,
    calls: Vec<Seen>,
    /// Temps that were there at the start.
    temps: BTreeSet<PathBuf>,
    /// Digests of the traces that were looked at.
    digests: BTreeSet<ObjectId>,
    runs: u64,
    told: u64,
    states: u64,
    /// Searches that were ended by the number of states.
    cut_short: u64,
}

/// A fault at one call.
struct Trial {
    rule: FaultRule,
    /// The call, counted from 0.
    call: usize,
    models: Vec<&'static str>,
    for_ever: bool,
}

impl Trials {
    fn of(workload: Workload, seed: u64, thorough: bool) -> Self {
        let run = Run::new(workload, seed, SIZE);
        let recorder = Arc::new(Recorder::default());
        let clean = run.record_over(&|disk| Watched::new(disk, Arc::clone(&recorder)));
        let temps = temps(&clean.trace.start);
        let (calls, digests) = (recorder.take(), BTreeSet::new());
        let (runs, told, states, cut_short) = (0, 0, 0, 0);
        Self { run, thorough, clean, calls, temps, digests, runs, told, states, cut_short }
    }

    fn kinds(&self) -> Vec<CallKind> {
        self.calls.iter().map(|call| call.kind).collect()
    }

    /// The calls to try.
    fn worth(&self) -> Vec<usize> {
        if self.thorough {
            return (0..self.calls.len()).collect();
        }
        let worth = worth_a_failure(&self.kinds()).into_iter();
        worth.map(|n| usize::try_from(n).unwrap()).collect()
    }

    fn errnos(&mut self) {
        for (turn, call) in self.worth().into_iter().enumerate() {
            let in_turn = [ERRNOS[turn % ERRNOS.len()]];
            let others = if self.thorough { &ERRNOS[..] } else { &in_turn };
            for errno in others.iter().chain([&Errno::Eio]) {
                let rule = FaultRule::new(Fault::Errno(*errno)).when(nth(call));
                self.try_one(&Trial { rule, call, models: MODELS.to_vec(), for_ever: false });
            }
            if self.thorough || turn % FOR_EVER == 0 {
                let rule = FaultRule::new(Fault::Errno(Errno::Eio)).when(from(call));
                self.try_one(&Trial { rule, call, models: MODELS.to_vec(), for_ever: true });
            }
        }
    }

    fn short_writes(&mut self) {
        for (n, call) in self.calls_that(is_write) {
            let rule = FaultRule::new(Fault::ShortWrite).when(nth(n)).seed(n as u64);
            self.try_one(&Trial { rule, call, models: MODELS.to_vec(), for_ever: false });
        }
    }

    fn failed_syncs(&mut self) {
        for (n, call) in self.calls_that(is_sync) {
            for (how, models) in FAILURES {
                let rule = FaultRule::new(Fault::FailedSync(how)).when(nth(n));
                self.try_one(&Trial { rule, call, models: models.to_vec(), for_ever: false });
            }
        }
    }

    /// Calls of a kind: their number among these, and among all.
    fn calls_that(&self, is: fn(CallKind) -> bool) -> Vec<(usize, usize)> {
        let calls = self.calls.iter().enumerate().filter(|(_, call)| is(call.kind));
        calls.map(|(call, _)| call).enumerate().collect()
    }

    fn try_one(&mut self, trial: &Trial) {
        let faults = Faults::new(&FaultPlan { rules: vec![trial.rule.clone()] });
        let faults = Arc::new(faults);
        let recorded = self.run.record_over(&|disk| Faulty::new(disk, Arc::clone(&faults)));
        let what = self.tell(trial);
        assert_eq!(faults.unfired(), [], "{what}");
        self.runs += 1;
        let told = failed(&recorded.trace) > 0;
        self.told += u64::from(told);
        let kind = self.calls[trial.call].kind;
        let is_barrier = is_sync(kind) || matches!(kind, CallKind::SyncDir | CallKind::SyncFs);
        assert!(told || !is_barrier, "{what}: a failed barrier was told to nobody");
        if self.digests.insert(digest(&recorded.trace)) {
            self.assert_end(&what, trial, &recorded);
            for model in &trial.models {
                self.cut_power(&what, &recorded, model);
            }
        }
    }

    fn tell(&self, trial: &Trial) -> String {
        let Run { workload, seed, .. } = self.run;
        let (call, rule) = (&self.calls[trial.call], &trial.rule);
        let to = call.to.as_ref().map_or_else(String::new, |to| format!(" to {}", to.display()));
        let at = format!("{} {}{to}", call.kind.name(), call.path.display());
        format!("{} seed {seed}, {:?} at `{}`: {at}", workload.name(), rule.fault, rule.when)
    }

    /// The disk of the running machine after the run.
    fn assert_end(&self, what: &str, trial: &Trial, recorded: &Recorded) {
        let events = recorded.trace.events.len();
        let end = recorded.trace.image_after(events);
        let call = &self.calls[trial.call];
        let mut left = temps(&end);
        left.retain(|temp| !self.temps.contains(temp));
        left.retain(|temp| call.kind != CallKind::Unlink || call.path != *temp);
        assert!(left.is_empty() || trial.for_ever, "{what}: {left:?}");
        let mut wrong = check_after(recorded, &end, events);
        wrong.retain(|violation| !violation.ends_with(UNSETTLED));
        assert_eq!(wrong, [""; 0], "{what}");
    }

    /// Cuts the power at every point behind the fault.
    fn cut_power(&mut self, what: &str, recorded: &Recorded, model: &str) {
        let events = recorded.trace.events.iter().zip(&self.clean.trace.events);
        let same = events.take_while(|(one, other)| one == other).count();
        let order = PersistOrder::new(&recorded.trace, Model::preset(model).unwrap());
        let mut left = if self.thorough { MORE_STATES } else { STATES };
        let tier = if recorded.trace.events.len() > LONG { Tier::T0 } else { Tier::T1 };
        let _coverage = explore(&order, Bounds::of(tier), &mut |state| {
            if (state.window.point() as usize) <= same {
                return ControlFlow::Continue(());
            }
            if left == 0 {
                self.cut_short += 1;
                return ControlFlow::Break(());
            }
            left -= 1;
            self.states += 1;
            let mut image = state.image.clone();
            image.discard_hidden();
            let marks = state.window.marks() as usize;
            let mut wrong = check(&recorded.expected, &image, marks).violations;
            wrong.retain(|violation| !violation.ends_with(UNSETTLED));
            let point = state.window.point();
            assert_eq!(wrong, [""; 0], "{what}: power cut at {point} under {model}");
            ControlFlow::Continue(())
        });
    }
}

fn nth(call: usize) -> Pattern {
    Pattern::nth(call as u64 + 1)
}

/// This call, counted from 0, and all after it.
fn from(call: usize) -> Pattern {
    let made = if call == 0 { String::new() } else { format!(".{{{call}}}") };
    format!("{made}x*").parse().unwrap()
}

fn temps(image: &DiskImage) -> BTreeSet<PathBuf> {
    let all = files(image, "/").into_iter().map(|path| PathBuf::from(path.replacen("//", "/", 1)));
    all.filter(|path| Layout::is_temp(path)).collect()
}

fn is_failed(event: &Event) -> bool {
    matches!(event, Event::Mark(text) if text.starts_with(b"failed"))
}

fn failed(trace: &Trace) -> usize {
    trace.events.iter().filter(|event| is_failed(event)).count()
}

/// The same for traces that differ in the texts of errors only.
fn digest(trace: &Trace) -> ObjectId {
    let mut trace = trace.clone();
    for event in trace.events.iter_mut().filter(|event| is_failed(event)) {
        *event = Event::Mark(Arc::from(&b"failed"[..]));
    }
    ObjectId::of(&trace.write_to(Vec::new()).unwrap())
}

/// Tries all faults at the run of this seed. Returns how many were told by an error, and how many crash
/// states were looked at.
fn at_every_call(workload: Workload, seed: u64, thorough: bool) -> (u64, u64) {
    let begun = std::time::Instant::now();
    let mut trials = Trials::of(workload, seed, thorough);
    assert_eq!(failed(&trials.clean.trace), 0, "the run without faults");
    trials.errnos();
    trials.short_writes();
    trials.failed_syncs();
    let Trials { calls, runs, told, digests, states, cut_short, .. } = trials;
    println!(
        "{} seed {seed}: {} calls, {runs} faults, {told} of them told by an error, {} traces, \
         {states} crash states, {cut_short} searches cut short, {:?}",
        workload.name(),
        calls.len(),
        digests.len(),
        begun.elapsed()
    );
    (told, states)
}

fn at_all_calls(workload: Workload) {
    for seed in 0..full().unwrap_or(1) {
        let (told, states) = at_every_call(workload, seed, full().is_some());
        assert!(told > 20 && states > 100, "the faults did nothing");
    }
}

/// Two operations at the same time, of which one finds a call failing: neither may take harm by it.
#[test]
fn two_of_any_kinds() {
    // Seeds count through the second kind first: so many kinds, each beside itself, or every pair.
    let each = if full().is_some() { 1 } else { SOME * (KINDS + 1) };
    for seed in (0..PAIRS).filter(|seed| seed % each == 0) {
        let (told, states) = at_every_call(Workload::Pairs, seed, false);
        assert!(told > 5 && states > 20, "the faults did nothing");
    }
}

/// One test for each workload.
macro_rules! workloads {
    ($($name:ident: $workload:ident,)*) => {
        $(
            #[test]
            fn $name() {
                at_all_calls(Workload::$workload);
            }
        )*

        /// A process that is killed at a call has its fault already. And when one of two opens cannot
        /// make the removal of a temp durable, the other one does not see that: the temp may come back,
        /// for the next open to remove. Pairs have a test of their own.
        #[test]
        fn no_other_workload_is_left_out() {
            let after_kill = [
                Workload::AfterKill,
                Workload::InitAfterKill,
                Workload::Raise,
                Workload::PacksAfterKill,
            ];
            let left_out = [&after_kill[..], &[Workload::OpenRace, Workload::Pairs]].concat();
            let mut all = Workload::ALL.to_vec();
            all.retain(|workload| !left_out.contains(workload));
            assert_eq!([$(Workload::$workload),*], all[..]);
        }
    };
}

workloads! {
    a_put: Put,
    a_put_from_a_path: PutFromPath,
    a_restore: Restore,
    a_commit: Commit,
    branches_and_head: Branches,
    two_writers_of_one_branch: CasRace,
    a_collection_beside_a_writer: GcBesideWriter,
    a_repair: Repair,
    an_open_after_a_crash: OpenAfterCrash,
    commits_of_a_group: Group,
    an_import: Import,
    an_init: Init,
    all_of_it_at_once: Mixed,
    texts: Text,
    packs: Packs,
    merges_and_rebases: State,
    reservations: Coordination,
    an_operation_log: OpLog,
    settings: Config,
    checkouts_and_ends_of_merges: Operations,
}
