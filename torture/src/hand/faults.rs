//! Faults by hand: which calls are to fail and how, and what came of it.
//!
//! Not for what a fault does to a call (`faultfs`).

use std::path::Path;

use faultfs::{Fault, FaultRule, FsyncFailure};

use super::protocol::FaultTold;
use super::{Answer, Session, Times};
use crate::exit::Failure;
use crate::inject::{Failing, Kind, name_of};

/// A fault as it was asked for.
pub(super) struct Planned {
    calls: Vec<Kind>,
    path: String,
    error: Failing,
    times: Times,
    /// How often it had hit when that was written into a recording last.
    pub(super) told: u64,
}

impl Planned {
    /// For people: `fsync failed with EIO, btrfs 2 times`.
    pub(super) fn words(&self, fired: u64) -> String {
        let calls: Vec<_> = self.calls.iter().map(Kind::to_string).collect();
        format!("{} failed with {}, {fired} times", calls.join(","), self.error)
    }

    fn told(&self, fired: u64) -> FaultTold {
        FaultTold {
            calls: self.calls.clone(),
            path: self.path.clone(),
            error: self.error,
            times: self.times,
            fired,
        }
    }
}

impl Session {
    /// Lets the next calls of these kinds fail, which count together.
    pub(super) fn fail(
        &mut self,
        calls: Vec<Kind>,
        path: Option<&str>,
        error: Option<Failing>,
        times: Times,
    ) -> Result<Answer, Failure> {
        if calls.is_empty() {
            return Err(Failure::Usage("no call is named that is to fail".to_owned()));
        }
        let error = error.unwrap_or_else(|| self.usual_error(&calls));
        calls.iter().try_for_each(|call| fits(*call, error))?;
        let path = self.pattern(path);
        let kinds: Vec<_> = calls.iter().flat_map(|call| call.calls()).copied().collect();
        let rule = FaultRule::new(error.fault()).on(&kinds).at(&path).when(times.pattern());
        self.mount.add_fault(rule).map_err(|e| Failure::Usage(e.to_string()))?;
        let planned = Planned { calls, path, error, times, told: 0 };
        let fault = planned.told(0);
        self.planned.push(planned);
        Ok(Answer::Fail { fault })
    }

    /// A sync of files fails as on the file system of the model; everything else with EIO.
    fn usual_error(&self, calls: &[Kind]) -> Failing {
        if !calls.iter().all(|call| matches!(call, Kind::Fsync | Kind::Fdatasync)) {
            return Failing::Eio;
        }
        match self.settings.model.rules.fsync_failure {
            FsyncFailure::Ext4Ordered => Failing::Ext4Ordered,
            FsyncFailure::Ext4Data => Failing::Ext4Data,
            FsyncFailure::Xfs => Failing::Xfs,
            FsyncFailure::Btrfs => Failing::Btrfs,
            FsyncFailure::Redirty => Failing::Redirty,
        }
    }

    /// The pattern of paths as rules have it, whose root is that of the mount.
    fn pattern(&self, path: Option<&str>) -> String {
        let Some(path) = path else { return "**".to_owned() };
        let below = Path::new(path).strip_prefix(&self.settings.dir).ok();
        match below.and_then(Path::to_str) {
            Some(below) => format!("/{below}"),
            None if path.starts_with('/') || path.starts_with("**") => path.to_owned(),
            None => format!("/{path}"),
        }
    }

    pub(super) fn told_faults(&self) -> Vec<FaultTold> {
        let fired = self.planned.iter().zip(self.faults.fired());
        fired.map(|(planned, fired)| planned.told(fired)).collect()
    }

    /// No call fails any more.
    pub(super) fn heal(&mut self) -> Answer {
        let fired = self.faults.fired().iter().sum();
        self.faults.clear();
        let healed = std::mem::take(&mut self.planned).len();
        Answer::Heal { healed, fired }
    }
}

/// Whether a call can fail like that.
fn fits(call: Kind, error: Failing) -> Result<(), Failure> {
    let fits = match error.fault() {
        Fault::FailedSync(_) => matches!(call, Kind::Fsync | Kind::Fdatasync),
        Fault::ShortWrite => call == Kind::Write,
        _ => true,
    };
    if fits {
        return Ok(());
    }
    let error = name_of(&error);
    Err(Failure::Usage(format!(
        "{call} cannot fail as {error}; that is for {}",
        if error == name_of(&Failing::ShortWrite) { "write" } else { "fsync and fdatasync" }
    )))
}
