//! The values one name was given, and which of them it may have after a crash.
//!
//! Every change is announced before it is tried and answered afterwards. A name must then be at the
//! newest acknowledged value, or at one that was announced on top of it and not refused. With several
//! writers answers come in any order; which value is newer follows from what each change replaced.

/// All values of one name: a branch, HEAD, a restored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence<V> {
    /// The value at the start, then every announced change.
    changes: Vec<Change<V>>,
    /// The newest acknowledged one.
    floor: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Change<V> {
    to: V,
    /// The change that it replaces; its own number for the start.
    after: usize,
    refused: bool,
}

impl<V: Clone + PartialEq> Sequence<V> {
    /// Durably at `start`.
    pub(super) fn at(start: V) -> Self {
        Self { changes: vec![Change { to: start, after: 0, refused: false }], floor: 0 }
    }

    /// A change that takes effect only if the name is at `from`.
    pub(super) fn announce(&mut self, from: &V, to: V) {
        // A value that nobody announced is found when the store is checked.
        let after = self.newest(from).unwrap_or(self.floor);
        self.changes.push(Change { to, after, refused: false });
    }

    /// A change that takes effect whatever is there.
    pub(super) fn announce_any(&mut self, to: V) {
        let after = self.changes.iter().rposition(|change| !change.refused).unwrap_or(0);
        self.changes.push(Change { to, after, refused: false });
    }

    /// The change to `to` is durable; false when it cannot be, because another change of the same value
    /// was acknowledged before.
    pub(super) fn acknowledge(&mut self, to: &V) -> bool {
        let Some(change) = self.newest(to) else { return false };
        if self.follows(change, self.floor) {
            self.floor = change;
            return true;
        }
        self.follows(self.floor, change)
    }

    /// The change to `to` was not made.
    pub(super) fn refuse(&mut self, to: &V) {
        if let Some(change) = self.newest(to) {
            self.changes[change].refused = true;
        }
    }

    /// Every value the name may have after a crash now, the acknowledged one first.
    pub(super) fn allowed(&self) -> Vec<V> {
        let floor = &self.changes[self.floor].to;
        let mut allowed = vec![floor.clone()];
        for (n, change) in self.changes.iter().enumerate().skip(self.floor) {
            if !change.refused && self.follows(n, self.floor) && !allowed.contains(&change.to) {
                allowed.push(change.to.clone());
            }
        }
        allowed
    }

    fn newest(&self, value: &V) -> Option<usize> {
        self.changes.iter().rposition(|change| !change.refused && change.to == *value)
    }

    /// Whether change `later` is `earlier` or was made on top of it.
    fn follows(&self, later: usize, earlier: usize) -> bool {
        let mut at = later;
        while at > earlier {
            at = self.changes[at].after;
        }
        at == earlier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_change_may_be_there_or_not() {
        let mut values = Sequence::at(0);
        values.announce(&0, 1);
        assert_eq!(values.allowed(), [0, 1]);
        assert!(values.acknowledge(&1));
        assert_eq!(values.allowed(), [1]);
    }

    #[test]
    fn a_late_answer_does_not_take_back_a_newer_one() {
        let mut values = Sequence::at(0);
        values.announce(&0, 1);
        values.announce(&1, 2);
        assert!(values.acknowledge(&2));
        assert!(values.acknowledge(&1));
        assert_eq!(values.allowed(), [2]);
    }

    #[test]
    fn who_lost_the_race_is_not_there() {
        let mut values = Sequence::at(0);
        values.announce(&0, 1);
        values.announce(&0, 2);
        assert_eq!(values.allowed(), [0, 1, 2]);
        assert!(values.acknowledge(&2));
        assert_eq!(values.allowed(), [2]);
        values.refuse(&1);
        values.announce(&2, 3);
        assert_eq!(values.allowed(), [2, 3]);
    }

    #[test]
    fn two_winners_of_one_race_are_a_contradiction() {
        let mut values = Sequence::at(0);
        values.announce(&0, 1);
        values.announce(&0, 2);
        assert!(values.acknowledge(&2));
        assert!(!values.acknowledge(&1));
    }

    #[test]
    fn a_value_may_come_again() {
        let mut values = Sequence::at(None);
        for to in [Some(1), None, Some(1)] {
            values.announce_any(to);
            assert!(values.acknowledge(&to));
        }
        values.announce(&Some(1), None);
        assert_eq!(values.allowed(), [Some(1), None]);
    }
}
