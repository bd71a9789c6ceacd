//! When a round ends and how, drawn from the seed and from what earlier rounds did.
//!
//! Not for making it happen.

use fastrand::Rng;
use faultfs::{Event, Op};

/// How many rounds are remembered.
const REMEMBERED: usize = 16;

/// How a round is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The program is killed; nothing is lost.
    Kill,
    /// The power goes, under the model with this place in the list.
    Cut(usize),
    /// It may end by itself.
    Finish,
}

/// The plan of a round.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) what: What,
    /// After how many events of the round.
    pub(super) after: Option<usize>,
    /// For what the power cut leaves.
    pub(super) seed: u64,
}

/// What a round did that ended by itself.
struct Seen {
    events: usize,
    /// The places of barriers and Marks.
    telling: Vec<usize>,
}

/// Draws plans.
pub(super) struct Plans {
    rng: Rng,
    seen: Vec<Seen>,
}

impl Plans {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), seen: Vec::new() }
    }

    /// These are the events of a round that ended by itself.
    pub(super) fn learn(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let telling = |event: &Event| match event {
            Event::Mark(_) => true,
            Event::Op { op, .. } => {
                matches!(op, Op::SyncAll { .. } | Op::SyncData { .. } | Op::SyncRange { .. })
            }
        };
        let places = (0..events.len()).filter(|place| telling(&events[*place]));
        if self.seen.len() == REMEMBERED {
            // The first one began on a fresh disk, which is seldom seen again.
            self.seen.remove(1);
        }
        self.seen.push(Seen { events: events.len(), telling: places.collect() });
    }

    /// Two of five rounds are killed, two lose power, one may end by itself. Half of the moments are
    /// right before or after a barrier or Mark.
    pub(super) fn draw(&mut self, models: usize) -> Plan {
        let rng = &mut self.rng;
        let what = match rng.u32(..5) {
            0 | 1 => What::Kill,
            2 | 3 => What::Cut(rng.usize(..models)),
            _ => What::Finish,
        };
        let seed = rng.u64(..);
        let after = match (what, self.seen.len()) {
            (What::Finish, _) => None,
            (_, 0) => Some(rng.usize(1..=64)),
            (_, rounds) => {
                let round = &self.seen[rng.usize(..rounds)];
                let telling = rng.bool() && !round.telling.is_empty();
                let after = if telling {
                    round.telling[rng.usize(..round.telling.len())] + rng.usize(..2)
                } else {
                    rng.usize(1..=round.events)
                };
                Some(after.max(1))
            }
        };
        Plan { what, after, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let plans = |seed| {
            let mut plans = Plans::new(seed);
            plans.learn(&[Event::Mark(b"1".as_slice().into())]);
            (0..40).map(|_| format!("{:?}", plans.draw(3))).collect::<Vec<_>>()
        };
        assert_eq!(plans(7), plans(7));
        assert_ne!(plans(7), plans(8));
    }
}
