//! A power cut by hand: what the disk becomes, and what was lost by that.
//!
//! The state is one that the model allows, as a legal set of a crash point of a recording. Not for the kernel,
//! which must forget what it knew (`Mount::power_cut`).

use fastrand::Rng;
use faultfs::{CrashState, DiskImage, Model, PersistOrder, Trace, Window};

use super::protocol::{Cut, LostEvent};
use super::session::below;
use super::{Answer, Keep, Session};
use crate::exit::Failure;
use crate::explore::random_set;
use crate::findings::story::Story;
use crate::findings::tale::{Fate, tale};

/// Most events that are told.
const MOST_TOLD: usize = 200;

/// What a power cut left, before it is told.
struct Left {
    trace: Trace,
    order: PersistOrder,
    state: CrashState,
    pending: usize,
    lost: usize,
}

impl Session {
    /// Cuts the power, and keeps what happened until then. Without a seed each power cut has its own.
    pub(super) fn cut(
        &mut self,
        keep: Keep,
        seed: Option<u64>,
        model: Option<&str>,
    ) -> Result<Answer, Failure> {
        let model = self.model(model)?;
        let seed = seed.unwrap_or(self.settings.seed.wrapping_add(self.power_cuts));
        let left =
            self.mount.power_cut(|trace| leave(trace, &model, keep, seed)).map_err(below)??;
        self.power_cuts += 1;
        let lines = tale(&Story::of(&left.trace), &left.order, &left.state);
        let lines = lines.map_err(|e| Failure::Usage(e.to_string()))?;
        let lost = lines.iter().filter(|line| matches!(line.fate, Fate::Lost | Fate::LostInPart));
        let (count, listed) = (lost.clone().count(), lost.take(MOST_TOLD));
        let event = |line: &crate::findings::tale::Line| LostEvent {
            event: line.event,
            what: line.text.clone(),
            fate: line.fate.word().to_owned(),
        };
        let events: Vec<_> = listed.map(event).collect();
        Ok(Answer::PowerCut(Cut {
            model: model.name.clone(),
            keep,
            seed,
            pending: left.pending,
            lost: left.lost,
            more: count - events.len(),
            events,
            token: left.state.to_string(),
            recording: self.keep(left.trace)?,
        }))
    }
}

/// What the disk holds after the power cut. Every call waits while this runs.
fn leave(
    trace: &Trace,
    model: &Model,
    keep: Keep,
    seed: u64,
) -> Result<(DiskImage, Left), Failure> {
    let order = PersistOrder::new(trace, model);
    let window = Window::at(&order, order.events());
    let pending = window.pending().len();
    let survives = match keep {
        Keep::Durable => vec![false; pending],
        Keep::All => vec![true; pending],
        Keep::Random => random_set(&window, &mut Rng::with_seed(seed)),
    };
    let state = CrashState::new(&window, &survives);
    let image = state.image(&order).map_err(|e| Failure::Usage(e.to_string()))?;
    let lost = survives.iter().filter(|survives| !**survives).count();
    Ok((image, Left { trace: trace.clone(), order, state, pending, lost }))
}
