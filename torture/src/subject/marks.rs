//! Marks of the store's workloads: what was promised, and what was about to be taken back.
//!
//! One line of text each. The line stands in the trace behind the last call of what it acknowledges,
//! or before the first call of what it announces:
//!
//! | line | says |
//! |---|---|
//! | `init` | the store is there and durable |
//! | `opened` | an open succeeded; a collection that was interrupted before it is finished |
//! | `put ID` | the object is durable |
//! | `pin`, `unpin` | from here to there one more pin is held |
//! | `moving BRANCH from ID\|absent to ID\|absent` | the branch may change from now on |
//! | `ref BRANCH ID\|absent` | that change is durable |
//! | `refused BRANCH ID\|absent` | that change was not made: another writer came first, or it failed |
//! | `setting head VALUE`, `head VALUE` | as with branches; VALUE is `branch NAME` or `commit ID` |
//! | `kept head VALUE` | that change of HEAD was not made |
//! | `restoring PATH ID`, `restored PATH ID` | as with branches, for a file of the work directory |
//! | `kept PATH ID` | that file was not changed |
//! | `removing PATH`, `removed PATH` | the file may go from now on; it is gone |
//! | `changing WHAT ID\|absent`, `changed ...` | as with branches, for the merge or rebase in progress, a remote in the settings, or what is checked out |
//! | `unchanged WHAT ID\|absent` | that change was not made |
//! | `claiming RUN ADDRESS...` | it may be reserved from now on; what has expired of that may go |
//! | `claimed RUN ID`, `unclaimed RUN` | it is, durably; it is not: somebody holds it, or it failed |
//! | `intending RUN DETAIL`, `intended ...`, `unintended DETAIL` | the same with an intent |
//! | `releasing RUN`, `released RUN` | its reservation may go with its intents; it is gone |
//! | `expiring`, `expired` | expired reservations may go; they are gone |
//! | `logging ID`, `logged SEQ ID`, `unlogged ID` | as with objects, for a text in the operation log |
//! | `checkpointing SEQ`, `checkpointed SEQ` | as with branches, for the checkpoint of that log |
//! | `uncheckpointed SEQ` | that checkpoint was not written |
//! | `compacting` | what the checkpoint covers may go |
//! | `gc begins`, `gc` | between them objects that nothing leads to may vanish |
//! | `packed KEY MS` | the pack is there until so many milliseconds since 1970 |
//! | `sweeping MS` | packs may vanish whose time is over then |
//! | `unpacked KEY` | the pack and its lease are gone |
//! | `told ERROR` | a deletion of a pack failed, and the caller was given the error |
//! | `killed` | the process was killed, some calls before this Mark |
//! | `doubted ID` | a put of it failed: if it is there, it may be marked as not durable |
//! | `trusted ID` | a put failed, and the next one of the same bytes took what was there for durable |
//! | `failed WHAT: ERROR` | an operation gave an error; what it announced may or may not be there |
//!
//! Not for reading them back: whoever checks has recorded them as values.

use std::fmt;

use plugpull_store::{Head, ObjectId, PackKey};

use super::claims::Wanted;

/// One Mark.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says what each is")]
pub enum Mark {
    Init,
    Opened,
    Put(ObjectId),
    Pin,
    Unpin,
    Moving { branch: String, from: Option<ObjectId>, to: Option<ObjectId> },
    Ref { branch: String, at: Option<ObjectId> },
    Refused { branch: String, to: Option<ObjectId> },
    SettingHead(Head),
    Head(Head),
    KeptHead(Head),
    Restoring { path: String, id: ObjectId },
    Restored { path: String, id: ObjectId },
    Kept { path: String, id: ObjectId },
    Removing { path: String },
    Removed { path: String },
    Changing { what: &'static str, to: Option<ObjectId> },
    Changed { what: &'static str, to: Option<ObjectId> },
    Unchanged { what: &'static str, to: Option<ObjectId> },
    Claiming(Wanted),
    Claimed { run: String, id: String },
    Unclaimed { run: String },
    Intending { run: String, detail: String },
    Intended { run: String, detail: String },
    Unintended { detail: String },
    Releasing { run: String },
    Released { run: String },
    Expiring { by: String },
    Expired { by: String },
    Logging(ObjectId),
    Logged { seq: u64, id: ObjectId },
    Unlogged(ObjectId),
    Checkpointing(u64),
    Checkpointed(u64),
    Uncheckpointed(u64),
    Compacting,
    GcBegins,
    Gc,
    Packed { key: PackKey, due: u64 },
    Sweeping(u64),
    Unpacked(PackKey),
    Told(String),
    Killed,
    Doubted(ObjectId),
    Trusted(ObjectId),
    Failed(String),
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("init"),
            Self::Opened => f.write_str("opened"),
            Self::Put(id) => write!(f, "put {id}"),
            Self::Pin => f.write_str("pin"),
            Self::Unpin => f.write_str("unpin"),
            Self::Moving { branch, from, to } => {
                write!(f, "moving {branch} from {} to {}", or_absent(*from), or_absent(*to))
            }
            Self::Ref { branch, at } => write!(f, "ref {branch} {}", or_absent(*at)),
            Self::Refused { branch, to } => write!(f, "refused {branch} {}", or_absent(*to)),
            Self::SettingHead(head) => write!(f, "setting head {}", of_head(head)),
            Self::Head(head) => write!(f, "head {}", of_head(head)),
            Self::KeptHead(head) => write!(f, "kept head {}", of_head(head)),
            Self::Restoring { path, id } => write!(f, "restoring {path} {id}"),
            Self::Restored { path, id } => write!(f, "restored {path} {id}"),
            Self::Kept { path, id } => write!(f, "kept {path} {id}"),
            Self::Removing { path } => write!(f, "removing {path}"),
            Self::Removed { path } => write!(f, "removed {path}"),
            Self::Changing { what, to } => write!(f, "changing {what} {}", or_absent(*to)),
            Self::Changed { what, to } => write!(f, "changed {what} {}", or_absent(*to)),
            Self::Unchanged { what, to } => write!(f, "unchanged {what} {}", or_absent(*to)),
            Self::Claiming(wanted) => write!(f, "claiming {wanted}"),
            Self::Claimed { run, id } => write!(f, "claimed {run} {id}"),
            Self::Unclaimed { run } => write!(f, "unclaimed {run}"),
            Self::Intending { run, detail } => write!(f, "intending {run} {detail}"),
            Self::Intended { run, detail } => write!(f, "intended {run} {detail}"),
            Self::Unintended { detail } => write!(f, "unintended {detail}"),
            Self::Releasing { run } => write!(f, "releasing {run}"),
            Self::Released { run } => write!(f, "released {run}"),
            Self::Expiring { by } => write!(f, "expiring {by}"),
            Self::Expired { by } => write!(f, "expired {by}"),
            Self::Logging(id) => write!(f, "logging {id}"),
            Self::Logged { seq, id } => write!(f, "logged {seq} {id}"),
            Self::Unlogged(id) => write!(f, "unlogged {id}"),
            Self::Checkpointing(seq) => write!(f, "checkpointing {seq}"),
            Self::Checkpointed(seq) => write!(f, "checkpointed {seq}"),
            Self::Uncheckpointed(seq) => write!(f, "uncheckpointed {seq}"),
            Self::Compacting => f.write_str("compacting"),
            Self::GcBegins => f.write_str("gc begins"),
            Self::Gc => f.write_str("gc"),
            Self::Packed { key, due } => write!(f, "packed {key} {due}"),
            Self::Sweeping(now) => write!(f, "sweeping {now}"),
            Self::Unpacked(key) => write!(f, "unpacked {key}"),
            Self::Told(error) => write!(f, "told {}", error.replace('\n', " ")),
            Self::Killed => f.write_str("killed"),
            Self::Doubted(id) => write!(f, "doubted {id}"),
            Self::Trusted(id) => write!(f, "trusted {id}"),
            // One line, whatever is in a path or a system's message.
            Self::Failed(what) => write!(f, "failed {}", what.replace('\n', " ")),
        }
    }
}

/// A branch's value in words.
pub(super) fn or_absent(id: Option<ObjectId>) -> String {
    id.map_or_else(|| "absent".to_owned(), |id| id.to_string())
}

/// HEAD in words.
pub(super) fn of_head(head: &Head) -> String {
    match head {
        Head::Branch(branch) => format!("branch {branch}"),
        Head::Detached(id) => format!("commit {id}"),
    }
}
