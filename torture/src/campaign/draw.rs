//! When a round ends and how, drawn from the seed and from what earlier rounds did.
//!
//! Not for making it happen.

use fastrand::Rng;
use faultfs::Event;

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
    /// The places of barriers.
    barriers: Vec<usize>,
    /// Those of Marks.
    marks: Vec<usize>,
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
        let places = |is: fn(&Event) -> bool| {
            let all = events.iter().enumerate().filter(|(_, event)| is(event));
            all.map(|(place, _)| place).collect()
        };
        let seen = Seen {
            events: events.len(),
            barriers: places(|event| matches!(event, Event::Op { op, .. } if op.is_barrier())),
            marks: places(|event| matches!(event, Event::Mark(_))),
        };
        if self.seen.len() == REMEMBERED {
            // The first one began on a fresh disk, which is seldom seen again.
            self.seen.remove(1);
        }
        self.seen.push(seen);
    }

    /// Two of five rounds are killed, two lose power, one may end by itself.
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
            (_, rounds) => Some(self.seen[rng.usize(..rounds)].moment(what, rng).max(1)),
        };
        Plan { what, after, seed }
    }
}

impl Seen {
    /// After how many events. Right before a barrier most is pending, so five of eight power cuts come there;
    /// where the program has all its barriers they lose little elsewhere. One comes right after a Mark, before
    /// which everything should be durable. Of the kills half are right before or after one of both. All
    /// others are anywhere.
    fn moment(&self, what: What, rng: &mut Rng) -> usize {
        let one_of = |places: &[usize], rng: &mut Rng| rng.choice(places).copied();
        let chosen = match (what, rng.u32(..8)) {
            (What::Cut(_), 0..=4) => one_of(&self.barriers, rng),
            (What::Cut(_), 5) => one_of(&self.marks, rng).map(|mark| mark + 1),
            (What::Kill, 0..=3) => {
                let places = if rng.bool() { &self.barriers } else { &self.marks };
                one_of(places, rng).map(|place| place + rng.usize(..2))
            }
            _ => None,
        };
        chosen.unwrap_or_else(|| rng.usize(1..=self.events))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use faultfs::{Inode, Op};

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

    #[test]
    fn most_power_cuts_come_right_before_a_barrier_and_some_right_after_a_mark() {
        let (root, time) = (Inode(0), SystemTime::UNIX_EPOCH);
        let op = |op| Event::Op { op, time, thread: 0 };
        let change = || op(Op::SetLen { inode: root, len: 0 });
        let mut events: Vec<_> = (0..100).map(|_| change()).collect();
        events[60] = op(Op::SyncAll { inode: root });
        events[70] = Event::Mark(b"1".as_slice().into());
        let mut plans = Plans::new(3);
        plans.learn(&events);
        let drawn = (0..2000).map(|_| plans.draw(3));
        let cuts: Vec<_> = drawn.filter(|plan| matches!(plan.what, What::Cut(_))).collect();
        let share = |after| {
            let there = cuts.iter().filter(|plan| plan.after == Some(after)).count();
            there * 100 / cuts.len()
        };
        assert!((55..70).contains(&share(60)), "{}", share(60));
        assert!((8..18).contains(&share(71)), "{}", share(71));
        assert!(cuts.iter().any(|plan| plan.after > Some(90)));
    }
}
