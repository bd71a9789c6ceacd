//! `plugpull doctor`: what this machine lets plugpull do, and how to mend what it does not.
//!
//! Everything is tried, not guessed from versions. Not for the store and its torture run, which need
//! nothing but a disk.
#![expect(clippy::disallowed_methods, reason = "looks at the machine, not at a store")]

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use faultfs::{Probe, probe};
use serde_json::json;

use crate::check::{NoProgram, look_up};
use crate::cli::{DoctorArgs, MessageFormat};
use crate::exit::{Exit, Failure};
use crate::hand::{Listed, left_behind};
use crate::namespace::{self, Namespace};

/// Programs that built-in checkers start.
const PROGRAMS: [&str; 2] = ["sqlite3", "git"];

/// One thing that was tried.
struct Finding {
    /// What it is about.
    what: &'static str,
    /// How it is.
    state: State,
    /// What was seen.
    seen: String,
    /// What mends it, if it needs mending.
    mend: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// It works less well without.
    Lacking,
    /// Nothing can be recorded without.
    Missing,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Lacking => "lacking",
            Self::Missing => "MISSING",
        }
    }
}

/// Runs it.
pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    // Before mounts that others make are out of sight.
    let left = left_behind();
    let namespace = namespace::enter()?;
    let probe = probe();
    let mut findings = vec![
        device(&probe),
        mounts(namespace, &probe),
        maps(namespace, &probe),
        fusermount(namespace, &probe),
    ];
    findings.extend(PROGRAMS.map(program));
    findings.extend(left.iter().map(left_over));
    let missing = findings.iter().any(|finding| finding.state == State::Missing);
    let mut out = io::stdout().lock();
    match args.message_format {
        MessageFormat::Human => human(&mut out, &probe, &findings, missing)?,
        MessageFormat::JsonLines => json_lines(&mut out, &probe, &findings, missing)?,
    }
    Ok(if missing { Exit::Environment } else { Exit::Clean })
}

fn device(probe: &Probe) -> Finding {
    let (state, seen, mend) = match &probe.dev_fuse {
        Ok(()) => (State::Good, "/dev/fuse can be opened".to_owned(), Vec::new()),
        Err(e) => {
            let mend = match e.kind() {
                ErrorKind::NotFound if in_container() => vec![container_flags()],
                ErrorKind::NotFound => vec!["sudo modprobe fuse".to_owned()],
                _ if in_container() => vec![container_flags()],
                _ => vec!["sudo chmod 0666 /dev/fuse, or run plugpull with sudo".to_owned()],
            };
            (State::Missing, format!("/dev/fuse cannot be opened: {e}"), mend)
        }
    };
    Finding { what: "device", state, seen, mend }
}

/// Whether a mount over the program's directory can be made that nobody else sees.
fn mounts(namespace: Namespace, probe: &Probe) -> Finding {
    let what = "private mounts";
    let good =
        |seen: &str| Finding { what, state: State::Good, seen: seen.to_owned(), mend: Vec::new() };
    match namespace {
        Namespace::Root => good("a mount namespace of our own, as root"),
        Namespace::User => good("a mount namespace of our own, inside a user namespace"),
        Namespace::None => {
            let helps = probe.fusermount.as_ref().is_some_and(|helper| helper.setuid);
            Finding {
                what,
                state: if helps { State::Lacking } else { State::Missing },
                seen: "neither root nor a user namespace: mounts are made by fusermount3 and seen by \
                       everybody, and checkers run in a directory of their own instead of the recorded \
                       one"
                    .to_owned(),
                mend: user_namespaces(),
            }
        }
    }
}

fn user_namespaces() -> Vec<String> {
    let setting = |name: &str| std::fs::read_to_string(Path::new("/proc/sys").join(name)).ok();
    let is = |name: &str, value: &str| setting(name).is_some_and(|text| text.trim() == value);
    let mut mend = vec!["run plugpull with sudo".to_owned()];
    if in_container() {
        mend.push(container_flags());
    }
    if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        mend.push("sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0".to_owned());
    }
    if is("kernel/unprivileged_userns_clone", "0") {
        mend.push("sudo sysctl kernel.unprivileged_userns_clone=1".to_owned());
    }
    if is("user/max_user_namespaces", "0") {
        mend.push("sudo sysctl user.max_user_namespaces=15000".to_owned());
    }
    mend
}

/// Whether each write is recorded as it was made.
fn maps(namespace: Namespace, probe: &Probe) -> Finding {
    let what = "direct writes";
    let (state, seen, mend) = match &probe.direct_mmap {
        Ok(true) => (State::Good, "each write is recorded as it was made".to_owned(), Vec::new()),
        Ok(false) => (
            State::Lacking,
            format!("Linux {} cuts writes at pages before they are recorded", probe.kernel),
            vec!["use Linux 6.6 or newer".to_owned()],
        ),
        Err(e) if namespace == Namespace::None => {
            (State::Lacking, format!("not tried, as we may not mount ({e})"), Vec::new())
        }
        Err(e) => {
            let mend = if in_container() { vec![container_flags()] } else { Vec::new() };
            (State::Missing, format!("a mount was tried and failed: {e}"), mend)
        }
    };
    Finding { what, state, seen, mend }
}

fn fusermount(namespace: Namespace, probe: &Probe) -> Finding {
    let what = "fusermount3";
    let install = vec!["sudo apt-get install fuse3 (or your distribution's package)".to_owned()];
    let good = |seen: String| Finding { what, state: State::Good, seen, mend: Vec::new() };
    match &probe.fusermount {
        _ if namespace.is_own() => good("not needed here".to_owned()),
        Some(helper) if helper.setuid => good(format!("{}", helper.path.display())),
        Some(helper) => Finding {
            what,
            state: State::Missing,
            seen: format!("{} has not the rights of root", helper.path.display()),
            mend: vec![format!("sudo chmod u+s {}", helper.path.display())],
        },
        None => {
            Finding { what, state: State::Missing, seen: "not installed".to_owned(), mend: install }
        }
    }
}

/// A program of a built-in checker; who does not use that checker does not need it.
fn program(name: &'static str) -> Finding {
    let lacking = |why: String, mend: String| {
        let seen = format!("{why}; the checker `{}` needs it", name.trim_end_matches('3'));
        Finding { what: name, state: State::Lacking, seen, mend: vec![mend] }
    };
    match look_up(name.as_ref()) {
        Ok(path) => Finding {
            what: name,
            state: State::Good,
            seen: path.display().to_string(),
            mend: Vec::new(),
        },
        Err(NoProgram::NotFound) => {
            lacking("not in PATH".to_owned(), format!("sudo apt-get install {name}"))
        }
        Err(NoProgram::NotExecutable(path)) => {
            let path = path.display();
            lacking(format!("{path} is not executable"), format!("chmod +x {path}"))
        }
    }
}

/// A disk of `plugpull mount` that was killed: whoever uses the directory gets errors.
fn left_over(disk: &Listed) -> Finding {
    Finding {
        what: "left behind",
        state: State::Lacking,
        seen: format!("the disk over {}, whose plugpull was killed", disk.at.display()),
        mend: vec![disk.mend()],
    }
}

fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
}

fn container_flags() -> String {
    "start the container with --device /dev/fuse --cap-add SYS_ADMIN --security-opt \
     apparmor=unconfined"
        .to_owned()
}

fn human(
    out: &mut dyn Write,
    probe: &Probe,
    findings: &[Finding],
    missing: bool,
) -> io::Result<()> {
    writeln!(out, "plugpull {} on Linux {}", env!("CARGO_PKG_VERSION"), probe.kernel)?;
    for finding in findings {
        writeln!(out, "  {:<8} {:<15} {}", finding.state.word(), finding.what, finding.seen)?;
        for mend in &finding.mend {
            writeln!(out, "  {:<8} {:<15} mend: {mend}", "", "")?;
        }
    }
    if missing {
        writeln!(out, "programs cannot be recorded here; `plugpull torture` and `explore` work")
    } else {
        writeln!(out, "programs can be recorded and checked here")
    }
}

fn json_lines(
    out: &mut dyn Write,
    probe: &Probe,
    findings: &[Finding],
    missing: bool,
) -> io::Result<()> {
    for finding in findings {
        let line = json!({
            "event": "doctor",
            "version": 1,
            "what": finding.what,
            "state": finding.state.word(),
            "seen": finding.seen,
            "mend": finding.mend,
        });
        writeln!(out, "{line}")?;
    }
    let works = !missing;
    let end = json!({ "event": "end", "kernel": probe.kernel, "works": works });
    writeln!(out, "{end}")
}
