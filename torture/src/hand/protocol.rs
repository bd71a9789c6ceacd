//! What is said over the control socket: one JSON object a line, a request and its answer in turn.
//!
//! docs/formats.md has it for programs in other languages. Not for carrying it (`socket`, `server`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use faultfs::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::inject::{Failing, Kind};

/// The version of the protocol; every line has it.
pub(crate) const VERSION: u64 = 1;

/// What the disk is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    PowerCut {
        #[serde(default)]
        keep: Keep,
        seed: Option<u64>,
        model: Option<String>,
    },
    Pending {
        model: Option<String>,
    },
    Drop {
        file: PathBuf,
        pages: Option<Pages>,
    },
    Truncate {
        file: PathBuf,
        len: u64,
    },
    Fail {
        calls: Vec<Kind>,
        path: Option<String>,
        error: Option<Failing>,
        #[serde(default)]
        times: Times,
    },
    Faults {},
    Heal {},
    Mark {
        text: String,
    },
    Save {
        dir: PathBuf,
    },
    Status {},
    Unmount {},
}

/// What it answers when that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub(crate) enum Answer {
    PowerCut(Cut),
    Pending { model: String, effects: usize, files: Vec<PendingFile> },
    Drop { file: String, pages: Vec<u64>, kept: Vec<u64> },
    Truncate { file: String, before: u64, after: u64 },
    Fail { fault: FaultTold },
    Faults { faults: Vec<FaultTold> },
    Heal { healed: usize, fired: u64 },
    Mark { marks: usize },
    Save { dir: PathBuf, files: usize, bytes: u64 },
    Status(Status),
    Unmount { recording: Option<PathBuf> },
}

/// What became of a power cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cut {
    pub(crate) model: String,
    pub(crate) keep: Keep,
    pub(crate) seed: u64,
    /// Effects that were not durable.
    pub(crate) pending: usize,
    /// How many of them were lost.
    pub(crate) lost: usize,
    /// Events of which something was lost, in their order.
    pub(crate) events: Vec<LostEvent>,
    /// Events that are not listed, as they are too many.
    pub(crate) more: usize,
    pub(crate) token: String,
    pub(crate) recording: PathBuf,
}

/// An event of which something was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostEvent {
    pub(crate) event: usize,
    pub(crate) what: String,
    pub(crate) fate: String,
}

/// A file of which something is not durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingFile {
    pub(crate) file: String,
    /// What was done to it and is not durable, or not all of it.
    pub(crate) what: Vec<String>,
    /// What is not listed, as it is too much.
    pub(crate) more: usize,
    /// The barriers that would make all of it durable; none if no fsync does.
    pub(crate) barriers: Vec<String>,
}

/// A fault that was planned, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultTold {
    pub(crate) calls: Vec<Kind>,
    pub(crate) path: String,
    pub(crate) error: Failing,
    pub(crate) times: Times,
    pub(crate) fired: u64,
}

/// How the disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) plugpull: String,
    pub(crate) dir: PathBuf,
    pub(crate) pid: u32,
    pub(crate) model: String,
    pub(crate) seed: u64,
    pub(crate) power_cuts: u64,
    /// Changes and barriers since the last power cut.
    pub(crate) operations: usize,
    pub(crate) marks: usize,
    /// Requests of the kernel since the mount.
    pub(crate) requests: u64,
    /// How many faults are planned, and how often they hit.
    pub(crate) faults: usize,
    pub(crate) fired: u64,
    /// Whether writes fail as `--memory` is used up.
    pub(crate) out_of_memory: bool,
    /// Calls that the mount refused: what, and how often.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) recordings: Vec<PathBuf>,
}

/// The line that answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Done(Box<Answer>),
    /// Nothing was done, and why; the exit code is that of docs and `--help`.
    Refused {
        error: String,
        exit: Exit,
    },
}

impl Request {
    pub(crate) fn to_line(&self) -> Result<String, Failure> {
        let mut line = serde_json::to_value(self)?;
        line["version"] = VERSION.into();
        Ok(format!("{line}\n"))
    }

    /// A request of another version, or none at all, is refused with the reason.
    pub(crate) fn of_line(line: &[u8]) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("this is no request: {why}"));
        let mut line: Value = serde_json::from_slice(line).map_err(|e| wrong(e.to_string()))?;
        let version = line.as_object_mut().and_then(|line| line.remove("version"));
        match version.as_ref().and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(wrong(format!(
                    "it has version {other}, and this plugpull knows {VERSION}"
                )));
            }
            None => return Err(wrong(format!("it has no \"version\": {VERSION}"))),
        }
        serde_json::from_value(line).map_err(|e| wrong(e.to_string()))
    }
}

impl Response {
    pub(crate) fn to_line(&self) -> Result<String, Failure> {
        let line = match self {
            Self::Done(answer) => {
                json!({ "version": VERSION, "answer": serde_json::to_value(answer)? })
            }
            Self::Refused { error, exit } => {
                json!({ "version": VERSION, "error": error, "exit": exit })
            }
        };
        Ok(format!("{line}\n"))
    }

    pub(crate) fn of_line(line: &str) -> Result<Self, Failure> {
        let strange = || {
            let version = env!("CARGO_PKG_VERSION");
            Failure::Usage(format!("plugpull {version} does not understand this answer: {line}"))
        };
        let mut value: Value = serde_json::from_str(line).map_err(|_| strange())?;
        if let Some(error) = value["error"].as_str() {
            let exit = serde_json::from_value(value["exit"].clone()).map_err(|_| strange())?;
            return Ok(Self::Refused { error: error.to_owned(), exit });
        }
        let answer = serde_json::from_value(value["answer"].take()).map_err(|_| strange())?;
        Ok(Self::Done(Box::new(answer)))
    }
}

impl From<Result<Answer, Failure>> for Response {
    fn from(done: Result<Answer, Failure>) -> Self {
        match done {
            Ok(answer) => Self::Done(Box::new(answer)),
            Err(failure) => Self::Refused { error: failure.to_string(), exit: failure.exit() },
        }
    }
}

/// What survives a power cut of that which is not durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nothing: only the durable survives
    #[default]
    Durable,
    /// Everything, as if the disk had been in time
    All,
    /// What a seed draws of what the model allows
    Random,
}

impl Keep {
    /// How it is spelled.
    pub(crate) fn name(self) -> String {
        crate::inject::name_of(&self)
    }
}

/// The file systems as which an fsync can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailedAs {
    /// Pages are marked clean; memory shows the new bytes, the disk keeps the old ones
    Ext4,
    /// The same with journaled data: the next fsync tells
    Ext4Data,
    /// As ext4
    Xfs,
    /// Memory goes back to what was synced last
    Btrfs,
    /// Pages stay dirty, and another fsync tries again
    Freebsd,
}

impl From<FailedAs> for Failing {
    fn from(like: FailedAs) -> Self {
        match like {
            FailedAs::Ext4 => Self::Ext4Ordered,
            FailedAs::Ext4Data => Self::Ext4Data,
            FailedAs::Xfs => Self::Xfs,
            FailedAs::Btrfs => Self::Btrfs,
            FailedAs::Freebsd => Self::Redirty,
        }
    }
}

/// How many calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Times {
    /// The next so many.
    Next(u64),
    /// All of them.
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Self::Next(1)
    }
}

impl Times {
    /// Which of the calls of a rule it hits.
    pub(crate) fn pattern(self) -> Pattern {
        match self {
            Self::Next(times) => {
                let pattern = format!("x{{{times}}}").parse();
                pattern.expect("a number that is not 0 makes a pattern")
            }
            Self::Always => Pattern::always(),
        }
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "always" => Ok(Self::Always),
            Ok(times @ 1..) => Ok(Self::Next(times)),
            _ => Err(format!("{text:?} is not how often; say a number from 1 on, or always")),
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Next(times) => write!(f, "{times}"),
            Self::Always => f.write_str("always"),
        }
    }
}

/// Pages of a file, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pages(Vec<(u64, u64)>);

impl Pages {
    /// Whether a page is one of them.
    pub(crate) fn contains(&self, page: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&page))
    }
}

impl FromStr for Pages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = (first.parse().ok()?, last.parse().ok()?);
            (range.0 <= range.1).then_some(range)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.map(Self).ok_or_else(|| format!("{text:?} are no pages; say 0, 3-5, or 0,3-5"))
    }
}

impl std::fmt::Display for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range = |(first, last): &(u64, u64)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&self.0.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

/// A value that is text in the protocol as on the command line.
macro_rules! text {
    ($kind:ty) => {
        impl TryFrom<String> for $kind {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.to_string()
            }
        }
    };
}

text!(Times);
text!(Pages);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let requests = [
            Request::PowerCut { keep: Keep::Random, seed: Some(7), model: Some("xfs".to_owned()) },
            Request::Drop { file: "a/b".into(), pages: Some("0,3-5".parse().unwrap()) },
            Request::Fail {
                calls: vec![Kind::Fsync, Kind::FsyncDir],
                path: None,
                error: Some(Failing::Enospc),
                times: Times::Always,
            },
            Request::Status {},
        ];
        for request in requests {
            let line = request.to_line().unwrap();
            assert_eq!(Request::of_line(line.as_bytes()).unwrap(), request, "{line}");
        }
        let short = br#"{"version":1,"command":"power-cut"}"#;
        let cut = Request::PowerCut { keep: Keep::Durable, seed: None, model: None };
        assert_eq!(Request::of_line(short).unwrap(), cut);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        for (line, why) in [
            ("power-cut", "expected value"),
            ("[]", "no \"version\""),
            (r#"{"command":"status"}"#, "no \"version\""),
            (r#"{"version":2,"command":"status"}"#, "version 2"),
            (r#"{"version":1,"command":"explode"}"#, "explode"),
            (r#"{"version":1,"command":"status","loud":true}"#, "loud"),
            (r#"{"version":1,"command":"truncate","file":"a"}"#, "len"),
            (r#"{"version":1,"command":"drop","file":"a","pages":"5-3"}"#, "no pages"),
            (r#"{"version":1,"command":"fail","calls":["sneeze"]}"#, "sneeze"),
            (r#"{"version":1,"command":"fail","calls":["fsync"],"times":"0"}"#, "how often"),
        ] {
            let refused = Request::of_line(line.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }

    #[test]
    fn pages_are_told_as_they_were_said() {
        for text in ["0", "3-5", "0,3-5,9"] {
            assert_eq!(text.parse::<Pages>().unwrap().to_string(), text);
        }
        let pages: Pages = "0,3-5".parse().unwrap();
        let contained: Vec<_> = (0..7).filter(|page| pages.contains(*page)).collect();
        assert_eq!(contained, [0, 3, 4, 5]);
        for bad in ["", "a", "1-", "-1", "5-3", "1,,2"] {
            assert!(bad.parse::<Pages>().is_err(), "{bad}");
        }
    }
}
