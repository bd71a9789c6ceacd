//! Deliberate mistakes, to show that the harness finds them.
//!
//! Without the feature `planted` (the default) there is none: [`Planted::has`] is a constant `false`
//! and the compiler drops the branches. A mistake sits beside the line it breaks, so that a reader
//! sees what the right line is for.

/// A mistake that can be switched on with [`crate::Options::planted`] (feature `planted`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An object gets its name before its bytes are written.
    RenameBeforeWrite,
    /// A branch file is overwritten in place.
    RefInPlace,
    /// The sweep at open takes every temp by its prefix, also that of a live writer.
    SweepLiveTemps,
    /// A branch update does not look whether the branch moved.
    LostUpdate,
    /// The runner's writers report a commit before the branch points at it.
    AckBeforeCommit,
}

impl Bug {
    /// All of them, with the names the hidden option of the runner takes.
    pub const ALL: [(&'static str, Bug); 5] = [
        ("rename-before-write", Bug::RenameBeforeWrite),
        ("ref-in-place", Bug::RefInPlace),
        ("sweep-live-temps", Bug::SweepLiveTemps),
        ("lost-update", Bug::LostUpdate),
        ("ack-before-commit", Bug::AckBeforeCommit),
    ];
}

/// The mistake switched on in one store, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planted {
    #[cfg(feature = "planted")]
    bug: Option<Bug>,
}

impl Planted {
    #[cfg(feature = "planted")]
    pub(crate) fn new(bug: Bug) -> Self {
        Self { bug: Some(bug) }
    }

    #[cfg_attr(
        not(feature = "planted"),
        expect(clippy::unused_self, reason = "with the feature it has a field")
    )]
    pub(crate) fn has(self, bug: Bug) -> bool {
        #[cfg(feature = "planted")]
        return self.bug == Some(bug);
        #[cfg(not(feature = "planted"))]
        {
            let _ = bug;
            false
        }
    }
}
