//! Ctrl-C and SIGTERM: the first one asks the run to end with a partial report, the second one ends
//! the process at once (its writers die with it).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// Whether the user asked to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on.
    pub fn listen() -> Result<Self, Failure> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            let code = Exit::Interrupted as i32;
            // The order matters: this one looks at the flag that the next one sets.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&stop.0))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.0)))
                .map_err(|e| Failure::system("listen for signals", e))?;
        }
        Ok(stop)
    }

    /// Whether to end now.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
