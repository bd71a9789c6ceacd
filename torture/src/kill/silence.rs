//! How long the writers have been silent: the time that was waited for them in vain.
//!
//! Not the time since they were last heard: the runner audits between two of their words, and a full audit may take
//! minutes where the machine is busy with something else.
#![expect(clippy::disallowed_methods, reason = "waiting is measured by a clock")]

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Silence(Duration);

impl Silence {
    /// Takes what comes, or nothing when nothing comes for so long.
    pub(super) fn listen<T>(&mut self, from: &Receiver<T>, wait: Duration) -> Option<T> {
        let began = Instant::now();
        let heard = from.recv_timeout(wait).ok();
        self.0 = if heard.is_some() { Duration::ZERO } else { self.0 + began.elapsed() };
        heard
    }

    /// How long it lasts.
    pub(super) fn lasts(&self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread::sleep;

    use super::*;

    /// A run of 50,000 commits on a starved machine was told to be stuck: its audit before a collection had
    /// taken more than a minute, and nobody had been listened to meanwhile.
    #[test]
    fn while_nobody_listens_nobody_is_silent() {
        let (says, hears) = channel();
        let mut silence = Silence::default();
        let tick = Duration::from_millis(20);
        assert_eq!(silence.listen(&hears, tick), None);
        let before = silence.lasts();
        assert!(before >= tick);
        sleep(10 * tick);
        assert_eq!(silence.lasts(), before);
        assert_eq!(silence.listen(&hears, tick), None);
        assert!(silence.lasts() >= 2 * tick);
        says.send("a word").expect("somebody listens");
        assert_eq!(silence.listen(&hears, tick), Some("a word"));
        assert_eq!(silence.lasts(), Duration::ZERO);
    }
}
