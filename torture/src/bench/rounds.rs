//! The measuring: every strategy is prepared and warmed up, then rounds are made in which each has its turn.
//!
//! The turns of a round come in an order that is drawn anew for each, so that what drifts (a disk that gets warm,
//! another program) hits all alike, and none always follows the same one. How often a strategy runs in its turn is
//! taken from how long it took before: the turns are equally long, and all of them together take the budget. One round
//! is always made whole. Not for the figures (`figures`).

use std::io;
use std::time::Duration;

use nix::errno::Errno;

use super::figures::Figures;
use super::plan::Plan;
use super::scratch::Scratch;
use super::stopwatch::{nanoseconds, time};
use super::strategies::Known;
use super::strategy::{Site, Strategy};
use crate::clock::Heartbeat;
use crate::signals::Stop;

/// Rounds to be made: the interval of the median comes from their medians.
const ROUNDS: u32 = 10;

/// Runs of each strategy before anything counts.
const WARM_UP: u64 = 4;

/// The order of turns is drawn from it.
const SEED: u64 = 1;

/// What one strategy at one size came to.
pub struct Lane {
    /// Which strategy.
    pub known: Known,
    /// Where, and how much.
    pub site: Site,
    /// What was measured.
    pub figures: Figures,
    /// What the system answered, if it does not have what the strategy needs.
    pub not_there: Option<io::Error>,
}

/// A lane while it is measured: with its files open.
struct Runner {
    lane: Lane,
    strategy: Box<dyn Strategy>,
    /// What one run takes with all that is not measured, in nanoseconds.
    run_ns: u64,
}

/// What came of it.
pub struct Measured {
    /// In the order of the plan.
    pub lanes: Vec<Lane>,
    /// Rounds that were made whole.
    pub rounds: u32,
    /// Why it ended, if not because it was done.
    pub ended: Option<Ended>,
}

/// Why the measuring ended early.
pub enum Ended {
    /// By Ctrl-C.
    Interrupted,
    /// By an error of the system, in this strategy at this size.
    Failed(&'static str, usize, io::Error),
}

/// Measures all that is planned, in this directory. Of its files none is open afterwards.
pub fn measure(plan: &Plan, scratch: &Scratch, stop: &Stop) -> Measured {
    let (mut runners, mut made) = (Vec::new(), 0);
    let (done, spent) = time(|| warm_up(plan, scratch, stop, &mut runners));
    let left = plan.budget.saturating_sub(spent);
    let done = done.and_then(|()| rounds(left, stop, &mut runners, &mut made));
    let lanes = runners.into_iter().map(|runner| runner.lane).collect();
    Measured { lanes, rounds: made, ended: done.err() }
}

/// Prepares all strategies and lets each run a few times.
fn warm_up(
    plan: &Plan,
    scratch: &Scratch,
    stop: &Stop,
    runners: &mut Vec<Runner>,
) -> Result<(), Ended> {
    for (n, &(known, size)) in plan.cases.iter().enumerate() {
        let failed = |e| Ended::Failed(known.name, size, e);
        let dir = scratch.room(&n.to_string()).map_err(failed)?;
        let site = Site { dir, size, batch: plan.batch, threads: plan.threads };
        let strategy = known.at(&site);
        let (figures, not_there) = (Figures::new(), None);
        let lane = Lane { known, site, figures, not_there };
        let mut runner = Runner { lane, strategy, run_ns: 1 };
        match runner.begin(stop) {
            Err(e) if is_not_there(&e) => runner.lane.not_there = Some(e),
            begun => begun.map_err(failed)?,
        }
        runners.push(runner);
        if stop.asked() {
            return Err(Ended::Interrupted);
        }
    }
    Ok(())
}

/// Makes rounds, and counts those that are whole.
fn rounds(
    budget: Duration,
    stop: &Stop,
    runners: &mut [Runner],
    made: &mut u32,
) -> Result<(), Ended> {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut heart = Heartbeat::new();
    let mut left = nanoseconds(budget);
    while *made < ROUNDS && (left > 0 || *made == 0) {
        let mut turns = shares(runners, left / u64::from(ROUNDS - *made));
        rng.shuffle(&mut turns);
        for (runner, runs) in turns {
            let Some(runner) = runners.get_mut(runner) else { continue };
            let (done, took) = time(|| runner.turn(runs, stop));
            left = left.saturating_sub(nanoseconds(took));
            let Lane { known, site, .. } = &runner.lane;
            done.map_err(|e| Ended::Failed(known.name, site.size, e))?;
            if stop.asked() {
                return Err(Ended::Interrupted);
            }
            heart.beat(|_| format!("{made} of {ROUNDS} rounds"));
        }
        *made += 1;
    }
    Ok(())
}

/// How often each lane runs in a round that takes so many nanoseconds. What a lane does not need, since it may only run
/// so often, is for the others.
fn shares(runners: &[Runner], round_ns: u64) -> Vec<(usize, u64)> {
    let there = runners.iter().enumerate().filter(|(_, runner)| runner.lane.not_there.is_none());
    let mut needs: Vec<_> = there.map(|(n, runner)| (runner.most_ns(), n, runner.run_ns)).collect();
    needs.sort_unstable();
    let mut left = round_ns;
    let mut others = needs.len() as u64;
    let mut shares = Vec::new();
    for (most_ns, runner, run_ns) in needs {
        let share = most_ns.min(left / others.max(1));
        left = left.saturating_sub(share);
        others -= 1;
        shares.push((runner, (share / run_ns).max(1)));
    }
    shares
}

impl Runner {
    fn begin(&mut self, stop: &Stop) -> io::Result<()> {
        self.strategy.prepare()?;
        // Once without looking: what is made at the first run is made.
        self.strategy.burst(1, stop)?;
        self.burst(WARM_UP, stop).map(drop)
    }

    /// A turn that counts.
    fn turn(&mut self, runs: u64, stop: &Stop) -> io::Result<()> {
        let samples = self.burst(runs, stop)?;
        self.lane.figures.add(&samples);
        Ok(())
    }

    fn burst(&mut self, runs: u64, stop: &Stop) -> io::Result<super::stopwatch::Samples> {
        let strategy = &mut self.strategy;
        let (done, took) = time(|| {
            let samples = strategy.burst(runs, stop)?;
            strategy.settle()?;
            Ok::<_, io::Error>(samples)
        });
        let samples = done?;
        let made = u64::try_from(samples.runs.len()).unwrap_or(1).max(1);
        self.run_ns = (nanoseconds(took) / made).max(1);
        Ok(samples)
    }

    fn most_ns(&self) -> u64 {
        self.lane.known.most_runs(&self.lane.site).saturating_mul(self.run_ns)
    }
}

/// Whether an error says that there is no such call here, rather than that the disk failed.
fn is_not_there(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
            Errno::ENOSYS
                | Errno::EOPNOTSUPP
                | Errno::EINVAL
                | Errno::EPERM
                | Errno::EACCES
                | Errno::ENOMEM
                | Errno::EISDIR
                | Errno::ESPIPE
                | Errno::ENOTTY
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::strategies::named;

    fn runner(name: &str, run_ns: u64) -> Runner {
        let known = *named(name).unwrap();
        let site = Site { dir: "/nowhere".into(), size: 4096, batch: 1, threads: 1 };
        let strategy = known.at(&site);
        let lane = Lane { known, site, figures: Figures::new(), not_there: None };
        Runner { lane, strategy, run_ns }
    }

    #[test]
    fn turns_are_equally_long_and_what_one_does_not_need_is_for_the_others() {
        let runners = [
            runner("append/none", 1_000),
            runner("append/fsync", 1_000_000),
            runner("append/fdatasync", 500_000),
        ];
        let mut shares = shares(&runners, 205_000_000);
        shares.sort_unstable();
        // 5000 runs of 1 us are all that the first may make.
        assert_eq!(shares, [(0, 5000), (1, 100), (2, 200)]);
    }

    #[test]
    fn each_lane_runs_at_least_once_and_those_that_are_not_there_never() {
        let mut runners = [runner("append/none", 1_000_000), runner("append/io_uring", 1_000)];
        runners[1].lane.not_there = Some(io::Error::from(io::ErrorKind::Unsupported));
        assert_eq!(shares(&runners, 0), [(0, 1)]);
    }

    fn plan(budget: Duration) -> Plan {
        let cases = ["append/fdatasync", "replace/fsync", "append/group"]
            .map(|name| (*named(name).unwrap(), 512));
        Plan { cases: cases.to_vec(), batch: 2, threads: 2, budget }
    }

    #[test]
    fn one_round_is_made_whole_whatever_the_budget() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path()).unwrap();
        let measured = measure(&plan(Duration::ZERO), &scratch, &Stop::default());
        assert_eq!(measured.rounds, 1);
        assert!(
            measured.ended.is_none() && measured.lanes.iter().all(|lane| !lane.figures.is_empty())
        );
    }

    #[test]
    fn who_asks_for_an_end_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(dir.path()).unwrap();
        let measured = measure(&plan(Duration::from_mins(1)), &scratch, &Stop::asked_already());
        assert!(matches!(measured.ended, Some(Ended::Interrupted)));
        assert_eq!(measured.rounds, 0);
    }
}
