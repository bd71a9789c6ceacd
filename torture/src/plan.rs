//! The kill plan: when each writer of the run shall die, drawn from the seed before the run begins.
//!
//! Every second kill is at an exact call, and these sweep the steps of a commit one after the other,
//! so that with at least twice as many kills as steps each is hit. The others are at a random time
//! within a commit. The same seed gives the same plan; how far the other writers are when a kill
//! comes is up to the machine.

use plugpull_store::ObjectId;

use crate::wire::{Die, Step};

/// Share of the commits that is over when the last kill of the plan comes, so that the run ends with
/// writers that nobody disturbs.
const KILLS_OVER: f64 = 0.9;

/// Mean commits of one life at most, so that a run that a time limit ends sees kills from its start.
const LONGEST_LIFE: f64 = 25.0;

/// Commits in which the call of a kill is awaited: an errand may be seldom, and another writer may keep
/// it from making a call at all. Then the runner kills, and the call stays among those that were not hit.
const PATIENCE: u64 = 500;

/// How one writer ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It kills itself at an exact call.
    AtCall(Die),
    /// The runner kills it.
    AtTime {
        /// Commits of this life that come before.
        after: u64,
        /// How much later, in mean commit times: 0.0 to 2.0.
        delay: f64,
    },
}

impl Fate {
    /// Whether the runner is to kill a writer that has `acks` commits of this life behind it, and how much
    /// later, in mean commit times.
    pub fn due(&self, acks: u64) -> Option<f64> {
        match self {
            Self::AtTime { after, delay } => (acks >= *after).then_some(*delay),
            Self::AtCall(die) => (acks >= die.after.saturating_add(PATIENCE)).then_some(0.0),
        }
    }
}

/// The fates of the writers, in the order in which they are started.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One for each kill.
    pub fates: Vec<Fate>,
}

impl Plan {
    /// Draws a plan of `kills` kills over `commits` commits that make `steps` each.
    pub fn draw(seed: u64, kills: u64, commits: u64, steps: &[Step]) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut delays = rng.fork();
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no 53 bits")]
        let mean = (commits as f64 * KILLS_OVER / kills.max(1) as f64).min(LONGEST_LIFE);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number of commits below 2^53"
        )]
        let mut after = || (rng.f64() * 2.0 * mean) as u64;
        let mut sweep = steps.iter().cycle();
        let mut fates = Vec::new();
        for kill in 0..kills {
            let after = after();
            let step = if kill % 2 == 0 { sweep.next() } else { None };
            fates.push(match step {
                Some(step) => Fate::AtCall(Die { after, step: step.clone() }),
                None => Fate::AtTime { after, delay: delays.f64() * 2.0 },
            });
        }
        Self { fates }
    }

    /// A short name of the plan: equal for equal plans.
    pub fn digest(&self) -> String {
        ObjectId::of(format!("{:?}", self.fates).as_bytes()).short()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Phase;

    fn steps(count: u32) -> Vec<Step> {
        let step = |nth| Step { phase: Phase::Commit, call: "write_at".to_owned(), nth };
        (1..=count).map(step).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        let draw = |seed| Plan::draw(seed, 100, 1000, &steps(30));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).digest(), draw(8).digest());
    }

    #[test]
    fn twice_as_many_kills_as_steps_sweep_every_step() {
        let plan = Plan::draw(1, 60, 1000, &steps(30));
        let swept = plan.fates.into_iter().filter_map(|fate| match fate {
            Fate::AtCall(die) => Some(die.step),
            Fate::AtTime { .. } => None,
        });
        assert_eq!(swept.collect::<Vec<_>>(), steps(30));
    }

    /// A run waited for ever for calls that its writers never made, while they committed on and on.
    #[test]
    fn a_call_that_never_comes_is_not_awaited_for_ever() {
        let [step] = &steps(1)[..] else { panic!("one step") };
        let fate = Fate::AtCall(Die { after: 7, step: step.clone() });
        assert_eq!(fate.due(7 + PATIENCE - 1), None);
        assert_eq!(fate.due(7 + PATIENCE), Some(0.0));
        let fate = Fate::AtTime { after: 7, delay: 1.5 };
        assert_eq!((fate.due(6), fate.due(7)), (None, Some(1.5)));
    }

    #[test]
    fn the_kills_are_spread_over_the_run_and_over_before_its_end() {
        let plan = Plan::draw(3, 400, 10_000, &steps(40));
        let total: u64 = plan
            .fates
            .iter()
            .map(|fate| match fate {
                Fate::AtCall(die) => die.after,
                Fate::AtTime { after, .. } => *after,
            })
            .sum();
        assert!((7_000..10_000).contains(&total), "{total}");
    }
}
