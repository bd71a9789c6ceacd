//! The kill plan: when each writer of the run shall die, drawn from the seed before the run begins.
//!
//! Every second kill is at an exact call, and these sweep the calls of a commit one after the other,
//! so that with at least twice as many kills as calls each is hit. The others are at a random time
//! within a commit. The same seed gives the same plan; how far the other writers are when a kill
//! comes is up to the machine.

use plugpull_store::ObjectId;

use crate::wire::Die;

/// Share of the commits that is over when the last kill of the plan comes, so that the run ends with
/// writers that nobody disturbs.
const KILLS_OVER: f64 = 0.9;

/// How one writer ends.
#[derive(Clone, Copy, Debug, PartialEq)]
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

/// The fates of the writers, in the order in which they are started.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One for each kill.
    pub fates: Vec<Fate>,
}

impl Plan {
    /// Draws a plan of `kills` kills over `commits` commits of `calls` calls each.
    pub fn draw(seed: u64, kills: u64, commits: u64, calls: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        #[expect(clippy::cast_precision_loss, reason = "a mean needs no 53 bits")]
        let mean = commits as f64 * KILLS_OVER / kills.max(1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number of commits below 2^53"
        )]
        let fates = (0..kills)
            .map(|kill| {
                let after = (rng.f64() * 2.0 * mean) as u64;
                if kill % 2 == 0 {
                    Fate::AtCall(Die { after, call: (kill / 2) % calls.max(1) + 1 })
                } else {
                    Fate::AtTime { after, delay: rng.f64() * 2.0 }
                }
            })
            .collect();
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

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        assert_eq!(Plan::draw(7, 100, 1000, 30), Plan::draw(7, 100, 1000, 30));
        assert_ne!(Plan::draw(7, 100, 1000, 30).digest(), Plan::draw(8, 100, 1000, 30).digest());
    }

    #[test]
    fn twice_as_many_kills_as_calls_sweep_every_call() {
        let plan = Plan::draw(1, 60, 1000, 30);
        let mut calls: Vec<_> = plan
            .fates
            .iter()
            .filter_map(|fate| match fate {
                Fate::AtCall(die) => Some(die.call),
                Fate::AtTime { .. } => None,
            })
            .collect();
        calls.sort_unstable();
        assert_eq!(calls, (1..=30).collect::<Vec<_>>());
    }

    #[test]
    fn the_kills_are_over_before_the_commits_are() {
        let plan = Plan::draw(3, 400, 10_000, 40);
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
