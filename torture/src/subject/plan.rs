//! Plans: what each writer of a run does, step by step, drawn from a seed beforehand.
//!
//! Not for the ids of commits: those follow from what a branch holds when its turn comes.

use std::sync::Arc;

use super::claims::Wanted;

/// Bytes of one object or file.
pub(super) type Bytes = Arc<[u8]>;

/// One thing a writer does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Stores bytes; under a pin of its own or under one around it.
    Put { bytes: Bytes, pinned: bool },
    /// Stores the source file with this number.
    PutFromPath(usize),
    /// A commit of these files on top of what the branch holds.
    Commit { branch: &'static str, files: Vec<(&'static str, Bytes)> },
    /// The same in one call, together with other threads that do it.
    GroupCommit { branch: &'static str, files: Vec<(&'static str, Bytes)> },
    /// Commits of one file each, imported in batches of so many.
    ImportCommits { branch: &'static str, files: Vec<(&'static str, Bytes)>, batch: usize },
    /// As a commit, but takes what a killed writer has made visible as it is, and then does this.
    GoOn { branch: &'static str, files: Vec<(&'static str, Bytes)>, then: Then },
    /// Points a branch at where another one is.
    Point { branch: &'static str, at: &'static str },
    /// Deletes a branch.
    Delete { branch: &'static str },
    /// HEAD to a branch.
    Attach { branch: &'static str },
    /// HEAD to the commit that a branch holds.
    Detach { branch: &'static str },
    /// Writes an object's bytes to a file of the work directory.
    Restore { bytes: Bytes, to: String, executable: bool },
    /// Writes a text file of the work directory, or a JSON file of one string. Only where the writers
    /// have no store.
    Text { text: Bytes, to: String, json: bool },
    /// A garbage collection without grace.
    Gc,
    /// A pack of what the branch leads to and the other one does not, to be read for so many seconds; or
    /// its bytes at once, with 0.
    Fetch { branch: &'static str, have: Option<&'static str>, ttl: u64 },
    /// Stores the bytes of that pack as an object.
    KeepPack { branch: &'static str },
    /// Deletes the packs whose time is over so many seconds after the run began.
    SweepPacks { after: u64 },
    /// Takes in a pack of another store with one commit of these files, and points the branch at it.
    Import { branch: &'static str, files: Vec<(&'static str, Bytes)> },
    /// Begins a merge of one branch into another with a conflict at a path, or goes on with the one in
    /// progress.
    Merge { ours: &'static str, theirs: &'static str, path: &'static str },
    /// Ends the merge in progress.
    EndMerge,
    /// Begins a rebase, or does the next step of the one in progress.
    Rebase { branch: &'static str, onto: &'static str },
    /// Ends the rebase in progress.
    EndRebase,
    /// Checks out the commit of a branch.
    Checkout { branch: &'static str },
    /// Ends the merge in progress with a commit on the branch.
    Conclude { branch: &'static str },
    /// Says in the settings where a remote is, or removes it.
    Remote { name: &'static str, url: Option<Bytes> },
    /// Reserves addresses.
    Claim(Wanted),
    /// Says what the run of this name is about to do with an address.
    Intend { run: String, address: String, detail: String },
    /// Ends the reservation of the run of this name.
    Release { run: String },
    /// Removes reservations that have expired.
    SweepReservations,
    /// Writes a text to the operation log.
    Append(Bytes),
    /// A checkpoint of the operation log.
    Checkpoint,
    /// Drops what the checkpoint covers.
    Compact,
}

/// What is done with a commit that a killed writer may have made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// The branch is moved to it.
    Move,
    /// HEAD is set to it.
    Head,
    /// It becomes the parent of another one, which the branch is moved to.
    Child,
    /// It is merged into itself.
    Merge,
    /// It is checked out.
    Checkout,
}

/// What is wrong with the disk when the recorded run begins.
#[derive(Clone, Debug, Default)]
pub(super) enum Damage {
    #[default]
    None,
    /// The objects with these bytes are corrupt.
    Corrupt(Vec<Bytes>),
    /// What killed writers and a killed collection leave.
    Leftovers,
    /// A record of a directory restored into that is none.
    BadRecord,
    /// Packs whose time is over, and leases that have none any more.
    OldPacks,
    /// The operation log ends with the half of a record.
    TornLog,
    /// The store has the format before the present one.
    OlderFormat,
}

/// How the writers of a run begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Begin {
    /// They open the store, one after the other.
    #[default]
    Open,
    /// They are threads of one process and share an open store.
    OpenShared,
    /// They take turns from their open on.
    OpenInTurns,
    /// They open it before those that are killed, and go on after them.
    OpenFirst,
    /// There is one, which makes the store and does nothing else.
    Init,
    /// There is one, which raises an older store and does nothing else.
    Raise,
    /// They write texts and have no store, nor do those that are killed.
    Texts,
}

/// A process that is killed in the recorded run, before its writers begin.
#[derive(Clone, Debug)]
pub(super) struct Killed {
    /// Whether it makes the store; else it opens it.
    pub(super) init: bool,
    /// What it then does.
    pub(super) steps: Vec<Step>,
    /// When it is killed.
    pub(super) at: Moment,
}

/// A moment of a process, in calls that can change the disk or wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// After so many of them.
    After(u64),
    /// So many before its end; when it has fewer, counted from the end again.
    BeforeEnd(u64),
}

impl Moment {
    /// After how many calls that is, of a process that would make so many.
    pub(super) fn of(self, calls: u64) -> u64 {
        match self {
            Self::After(made) => made,
            Self::BeforeEnd(missing) => calls - missing % (calls + 1),
        }
    }
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// How the writers begin.
    pub(super) begin: Begin,
    /// Done, and made durable, before the recording.
    pub(super) before: Vec<Step>,
    /// Files outside the store.
    pub(super) sources: Vec<Bytes>,
    pub(super) damage: Damage,
    /// Those that were killed one after the other.
    pub(super) killed: Vec<Killed>,
    /// When the init before the recorded one was killed; what it had done is durable.
    pub(super) init_before: Option<Moment>,
    /// What each writer does.
    pub(super) writers: Vec<Vec<Step>>,
}

/// A plan that draws no more contents than this is to make a small trace.
const SMALL: usize = 6;

/// Draws contents and choices.
pub(super) struct Draw {
    pub(super) rng: fastrand::Rng,
    drawn: Vec<Bytes>,
    claims: Vec<Wanted>,
}

/// What agents want to hold.
const ADDRESSES: [&str; 3] = ["a.rs", "b.rs", "c.rs"];

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), drawn: Vec::new(), claims: Vec::new() }
    }

    /// New bytes, unlike all others: mostly less than a sector, a few of two or three sectors, rarely
    /// more than a page.
    pub(super) fn bytes(&mut self) -> Bytes {
        let mut bytes = format!("content {} ", self.drawn.len()).into_bytes();
        let len = match self.rng.u32(0..100) {
            0..80 => self.rng.usize(bytes.len()..512),
            80..97 => self.rng.usize(1024..1536),
            _ => self.rng.usize(4097..4700),
        };
        bytes.resize_with(len, || self.rng.u8(..));
        let bytes = Bytes::from(bytes);
        self.drawn.push(Arc::clone(&bytes));
        bytes
    }

    /// As [`Draw::bytes`], but letters, digits and spaces only.
    pub(super) fn text(&mut self) -> Bytes {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
        let letter = |byte: &u8| if plain(byte) { *byte } else { b'a' + byte % 26 };
        self.bytes().iter().map(letter).collect()
    }

    /// A text to one of a few files.
    pub(super) fn write_text(&mut self) -> Step {
        let name = self.of(&["deep/er/a", "deep/b", "c", "other/er/d"]);
        let to = format!("{}/{name}", super::TEXTS);
        Step::Text { text: self.text(), to, json: self.rng.bool() }
    }

    /// Bytes that were drawn before, if there are any.
    pub(super) fn known(&mut self) -> Bytes {
        match self.rng.choice(&self.drawn).cloned() {
            Some(bytes) => bytes,
            None => self.bytes(),
        }
    }

    /// New bytes four times out of five.
    pub(super) fn some(&mut self) -> Bytes {
        if self.rng.u8(0..5) == 0 { self.known() } else { self.bytes() }
    }

    pub(super) fn of(&mut self, names: &[&'static str]) -> &'static str {
        self.rng.choice(names).copied().unwrap_or("main")
    }

    pub(super) fn put(&mut self, pinned: bool) -> Step {
        Step::Put { bytes: self.some(), pinned }
    }

    /// A commit of one file; in a plan that has drawn enough not to be small, sometimes of two.
    pub(super) fn commit(&mut self, branch: &'static str) -> Step {
        let mut files = vec![("file", self.bytes())];
        if self.drawn.len() > SMALL && self.rng.u8(0..3) == 0 {
            files.push(("folder/other", self.known()));
        }
        Step::Commit { branch, files }
    }

    /// A claim of one or two addresses.
    pub(super) fn claim(&mut self, short: bool) -> Step {
        let addresses = [self.of(&ADDRESSES), self.of(&ADDRESSES)].map(str::to_owned).into();
        let run = format!("run-{}", self.claims.len());
        let wanted = Wanted { run, addresses, short };
        self.claims.push(wanted.clone());
        Step::Claim(wanted)
    }

    /// An intent of the last claim.
    pub(super) fn intend(&mut self) -> Step {
        let detail = format!("detail-{}", self.rng.u32(..));
        match self.claims.last() {
            Some(Wanted { run, addresses, .. }) => {
                let (run, address) = (run.clone(), addresses.first().cloned().unwrap_or_default());
                Step::Intend { run, address, detail }
            }
            None => self.claim(false),
        }
    }

    /// The release of one of the claims.
    pub(super) fn release(&mut self) -> Step {
        match self.rng.choice(&self.claims) {
            Some(Wanted { run, .. }) => Step::Release { run: run.clone() },
            None => self.claim(false),
        }
    }

    /// As [`Draw::commit`], together with other threads. In a small run its file is one that was there.
    pub(super) fn group_commit(&mut self, branch: &'static str, small: bool) -> Step {
        if small {
            return Step::GroupCommit { branch, files: vec![("file", self.known())] };
        }
        match self.commit(branch) {
            Step::Commit { branch, files } => Step::GroupCommit { branch, files },
            other => other,
        }
    }

    /// So many commits, two in a batch. In a small run their files are such as were there.
    pub(super) fn import_commits(
        &mut self,
        branch: &'static str,
        commits: usize,
        small: bool,
    ) -> Step {
        let file = |_| {
            let bytes = if small { self.known() } else { self.bytes() };
            (self.of(&["file", "folder/other"]), bytes)
        };
        Step::ImportCommits { branch, files: (0..commits.max(1)).map(file).collect(), batch: 2 }
    }

    /// A restore of something that the plan puts, to one of a few files of `folder`.
    pub(super) fn restore(&mut self, folder: &str) -> Step {
        let to = format!("{}/{folder}/{}", super::WORK, self.of(&["a", "b", "deep/er/c"]));
        Step::Restore { bytes: self.known(), to, executable: self.rng.bool() }
    }
}
