//! Crash states as values, and the tokens that name them.
//!
//! Not for making images of many neighbours: `legal` does that.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::Window;
use crate::DiskImage;
use crate::order::PersistOrder;

/// A crash point, and the pending effects that did not survive there.
///
/// Its text is a replay token, `pp1:MODEL:DIGEST:POINT:LOST`: the model's name, a digest of trace and
/// rules, the number of events before the crash, and what was lost of the effects that were not
/// durable there, by their place among them (`-3.7` these were lost, `+3.7` all but these, `-` none).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrashState {
    model: String,
    digest: u64,
    point: u32,
    /// Whether the positions are those of the effects that survived; else of those that were lost.
    /// The shorter list is kept.
    kept: bool,
    positions: Vec<u32>,
}

/// Why a token names no crash state of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is not a token at all.
    #[error("`{0}` is no replay token; one looks like pp1:ext4:0123456789abcdef:17:-0.2")]
    Token(String),
    /// It is one of another run, or of other rules.
    #[error(
        "the token is of another run: it says {expected:016x}, this trace under model {model} is {found:016x}"
    )]
    OtherRun {
        /// The digest in the token.
        expected: u64,
        /// The digest of the trace and the rules.
        found: u64,
        /// The model in use.
        model: String,
    },
    /// The run has no such state.
    #[error("the token names a state that cannot be: {0}")]
    Impossible(String),
}

impl CrashState {
    /// The state of a window in which these pending effects survived.
    pub fn new(window: &Window, survives: &[bool]) -> Self {
        let lost = survives.iter().filter(|survives| !**survives).count();
        let kept = lost * 2 > survives.len();
        let positions = (0..).zip(survives).filter(|(_, survives)| **survives == kept);
        Self {
            model: window.order.model().name.clone(),
            digest: window.order.digest(),
            point: window.point(),
            kept,
            positions: positions.map(|(position, _)| position).collect(),
        }
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The number of events before the crash.
    pub fn point(&self) -> u32 {
        self.point
    }

    /// Whether the disk is nearer to the one on which only the durable survived than to the one on which
    /// everything did.
    pub fn is_mostly_lost(&self) -> bool {
        self.kept
    }

    /// In how many effects the disk differs from the nearer one of these two.
    pub fn differs_in(&self) -> usize {
        self.positions.len()
    }

    /// Which of so many pending effects survive.
    pub fn survives(&self, pending: usize) -> Vec<bool> {
        let mut survives = vec![!self.kept; pending];
        for position in &self.positions {
            if let Some(survives) = survives.get_mut(*position as usize) {
                *survives = self.kept;
            }
        }
        survives
    }

    /// The disk in this state of this run, as the kernel finds it after the crash.
    pub fn image(&self, order: &PersistOrder) -> Result<DiskImage, StateError> {
        let (window, survives) = self.find(order)?;
        let mut image = window.image(&survives);
        image.discard_hidden();
        Ok(image)
    }

    /// The window of this state in its run, and which of its effects survive.
    pub fn find<'o>(&self, order: &'o PersistOrder) -> Result<(Window<'o>, Vec<bool>), StateError> {
        if self.digest != order.digest() {
            let model = order.model().name.clone();
            let (expected, found) = (self.digest, order.digest());
            return Err(StateError::OtherRun { expected, found, model });
        }
        if self.point > order.events() {
            let text = format!("the run has {} events, not {}", order.events(), self.point);
            return Err(StateError::Impossible(text));
        }
        let window = Window::at(order, self.point);
        let pending = window.pending().len();
        if self.positions.iter().any(|position| *position as usize >= pending) {
            let text = format!("{pending} effects are pending at {}", self.point);
            return Err(StateError::Impossible(text));
        }
        let survives = self.survives(pending);
        if window.is_legal(&survives) {
            Ok((window, survives))
        } else {
            let text = "an effect survived without what it needs".to_owned();
            Err(StateError::Impossible(text))
        }
    }
}

impl fmt::Display for CrashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pp1:{}:{:016x}:{}:", self.model, self.digest, self.point)?;
        f.write_char(if self.kept { '+' } else { '-' })?;
        let mut separator = "";
        for position in &self.positions {
            write!(f, "{separator}{position}")?;
            separator = ".";
        }
        Ok(())
    }
}

impl FromStr for CrashState {
    type Err = StateError;

    fn from_str(token: &str) -> Result<Self, StateError> {
        parse(token.trim()).ok_or_else(|| StateError::Token(token.to_owned()))
    }
}

fn parse(token: &str) -> Option<CrashState> {
    // A model of one's own may have any name.
    let (rest, effects) = token.rsplit_once(':')?;
    let (rest, point) = rest.rsplit_once(':')?;
    let (rest, digest) = rest.rsplit_once(':')?;
    let model = rest.strip_prefix("pp1:")?.to_owned();
    let digest = u64::from_str_radix(digest, 16).ok()?;
    let point = point.parse().ok()?;
    let kept = effects.starts_with('+');
    let numbers = effects.strip_prefix(['+', '-'])?;
    let positions = numbers.split('.').filter(|number| !number.is_empty());
    let positions = positions.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(CrashState { model, digest, point, kept, positions })
}
