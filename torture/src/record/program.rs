//! The run that is recorded: mount, setup, program, and the end of all that it started.

use std::ffi::OsStr;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use faultfs::{Calls, DiskImage, FaultPlan, Faults, Mount, MountHelper, MountOptions, Seen, SimFs};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getgid, getuid};

use super::last_words::LastWords;
use super::noticed::{about, unseen, warnings};
use super::processes::Family;
use super::{Marks, Prints, Program, Recording};
use crate::exit::Failure;
use crate::namespace::{self, Namespace};
use crate::orphans::Orphans;
use crate::signals::Stop;

/// How often we look whether the program has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What a shell says of a program that it cannot start.
const NOT_STARTED: i32 = 126;

/// How a recorded program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It did not, and was killed.
    TimedOut,
}

/// A recorded run, however it ended.
#[derive(Debug)]
pub struct Ran {
    /// What it did.
    pub recording: Recording,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
    /// The calls that it made, where a plan was at work.
    pub calls: Calls,
    /// How often the faults of the plan hit.
    pub fired: u64,
    /// The last line of its standard error, where that was kept.
    pub last_words: String,
}

/// Runs the program on a simulated disk over its directory and records it.
///
/// Its files stay in memory: the directory is only read, and nothing of the run is left on disk.
pub fn record(program: &Program, namespace: Namespace, stop: &Stop) -> Result<Recording, Failure> {
    Ok(record_well(program, (namespace, Orphans::Ours), None, stop)?.recording)
}

/// The same in a process that has other threads and children, none of which notices: only what the program
/// started is ended. Where this process may mount, nobody else sees the disk.
pub fn record_beside(program: &Program, stop: &Stop) -> Result<Recording, Failure> {
    let record = || {
        let how = (namespace::of_thread(), Orphans::OfInit);
        Ok(record_well(program, how, None, stop)?.recording)
    };
    thread::scope(|scope| {
        let recorder = thread::Builder::new().name("plugpull-record".to_owned());
        let recorder = recorder.spawn_scoped(scope, record);
        let recorder = recorder.map_err(|e| Failure::system("start a thread", e))?;
        recorder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The same with the program's calls counted.
pub fn record_counting(
    program: &Program,
    namespace: Namespace,
    stop: &Stop,
) -> Result<Ran, Failure> {
    let counting = Some(Arc::new(Faults::new(&FaultPlan::default())));
    record_well(program, (namespace, Orphans::Ours), counting, stop)
}

/// Runs the program, without its setup, on a disk that holds `start`, with calls that fail as the plan
/// says, and records it however it ends.
pub fn record_failing(
    program: &Program,
    namespace: Namespace,
    (start, plan): (DiskImage, &FaultPlan),
    stop: &Stop,
) -> Result<Ran, Failure> {
    let program = Program { setup: None, ..program.clone() };
    let faults = Some(Arc::new(Faults::new(plan)));
    let how = (namespace, Orphans::Ours);
    let (finished, seen) = perform(&program, how, start, faults, stop)?;
    finished.ran(&program, &seen)
}

/// A run that ends well, or else is a failure.
fn record_well(
    program: &Program,
    how: (Namespace, Orphans),
    faults: Option<Arc<Faults>>,
    stop: &Stop,
) -> Result<Ran, Failure> {
    let (start, special) = DiskImage::read_in_lazily(&program.dir)
        .map_err(|e| Failure::Usage(format!("cannot record there: {e}")))?;
    let (finished, seen) = perform(program, how, start, faults, stop)?;
    // Before how the program ended, as that is why it failed.
    if seen.out_of_memory {
        return Err(Failure::Machine(format!(
            "the program wrote more than {} bytes, which are kept in memory; allow more with --memory",
            program.memory
        )));
    }
    match finished.ended {
        Ended::Exited(0) => {}
        Ended::TimedOut => return Err(did_not_end(program)),
        ended => {
            let last_words = match finished.last_words.as_str() {
                "" => String::new(),
                words => format!("; its last words: {words}"),
            };
            return Err(Failure::Program(format!(
                "the program failed by itself, without any fault: {ended}{last_words}"
            )));
        }
    }
    let mut ran = finished.ran(program, &seen)?;
    if !special.is_empty() {
        let paths: Vec<_> = special.iter().map(|path| path.display().to_string()).collect();
        let paths = paths.join(", ");
        let warning = format!("left out, as no FIFO, socket or device can be recorded: {paths}");
        ran.recording.about.warnings.push(warning);
    }
    Ok(ran)
}

fn did_not_end(program: &Program) -> Failure {
    Failure::Program(format!(
        "the program did not end within {}; allow more with --run-timeout",
        humantime::format_duration(program.timeout)
    ))
}

/// A run that is over, with its mount gone.
struct Finished {
    disk: SimFs,
    ended: Ended,
    took: Duration,
    last_words: String,
    /// Processes that outlived the program.
    left: u64,
    calls: Calls,
    faults: Option<Arc<Faults>>,
}

impl Finished {
    fn ran(self, program: &Program, seen: &Seen) -> Result<Ran, Failure> {
        let mut trace = self.disk.trace();
        trace.start.resolve().map_err(|e| {
            Failure::Usage(format!("{e}; record again while nobody else changes the directory"))
        })?;
        let about = about(program, self.took.as_secs_f64());
        let mut recording = Recording { about, trace };
        recording.about.unseen = unseen(seen);
        recording.about.warnings = warnings(&recording, seen, self.left);
        let fired = self.faults.map_or(0, |faults| faults.fired().iter().sum());
        let (ended, took, calls, last_words) = (self.ended, self.took, self.calls, self.last_words);
        Ok(Ran { recording, ended, took, calls, fired, last_words })
    }
}

/// Mounts, runs, and unmounts.
fn perform(
    program: &Program,
    (namespace, orphans): (Namespace, Orphans),
    start: DiskImage,
    faults: Option<Arc<Faults>>,
    stop: &Stop,
) -> Result<(Finished, Seen), Failure> {
    let disk = SimFs::on_machine_clock(start);
    let cpu = first_cpu();
    let mount = mount(program, namespace, &disk, cpu)?;
    let family = Family::begin(orphans);
    let ran = run_all(program, (&disk, &mount, faults.as_ref(), &family), cpu, stop);
    let left = family.end();
    let calls = mount.calls();
    let hits: u64 = faults.iter().flat_map(|faults| faults.fired()).sum();
    let out_of_memory = mount.seen().out_of_memory;
    let seen = mount.close();
    let (ended, took, last_words) = match ran {
        // That the setup failed has this reason.
        Err(Failure::Program(_)) if out_of_memory => {
            (Ended::TimedOut, Duration::ZERO, String::new())
        }
        // A program in the directory may not be started when reads of it fail.
        Err(Failure::Usage(why)) if hits > 0 => (Ended::Exited(NOT_STARTED), Duration::ZERO, why),
        ran => ran?,
    };
    let seen = seen.map_err(|e| Failure::system("keep the simulated disk mounted", e))?;
    Ok((Finished { disk, ended, took, last_words, left, calls, faults }, seen))
}

pub(super) fn mount(
    program: &Program,
    namespace: Namespace,
    disk: &SimFs,
    cpu: Option<usize>,
) -> Result<Mount, Failure> {
    let prints = program.prints;
    let options = MountOptions {
        at: program.dir.clone(),
        cpu,
        memory: program.memory,
        owner: (getuid().as_raw(), getgid().as_raw()),
        helper: if namespace.is_own() { MountHelper::Direct } else { MountHelper::Fusermount },
        allow_other: namespace == Namespace::Root,
        name: MountOptions::NAME.to_owned(),
        check_permissions: false,
    };
    let output = Box::new(move |bytes: &[u8]| {
        // Whoever closes our output has seen enough.
        let _ = match prints {
            Prints::ToStdout => {
                std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush())
            }
            Prints::ToStderr => std::io::stderr().write_all(bytes),
            Prints::Nowhere => Ok(()),
        };
    });
    Mount::open(disk, &options, output).map_err(|e| {
        Failure::Machine(format!(
            "cannot mount a simulated disk over {}: {e}; `plugpull doctor` tells what is missing",
            program.dir.display()
        ))
    })
}

/// Setup and program, one after the other; how the program ended, when, and with what last words.
fn run_all(
    program: &Program,
    (disk, mount, faults, family): (&SimFs, &Mount, Option<&Arc<Faults>>, &Family),
    cpu: Option<usize>,
    stop: &Stop,
) -> Result<(Ended, Duration, String), Failure> {
    set_up(program, (disk, family), cpu, stop)?;
    if let Some(faults) = faults {
        let injected = mount.inject(Arc::clone(faults));
        injected.map_err(|e| Failure::system("let calls fail", e))?;
    }
    let mut command = command_of(program, mount)?;
    let errors = match program.prints {
        Prints::Nowhere => Some(LastWords::new(&mut command)?),
        _ => None,
    };
    let (ended, took) = run(command, (program, family), cpu, stop)?;
    family.bury_dead();
    Ok((ended, took, errors.map(LastWords::read).unwrap_or_default()))
}

/// Prepares the directory; what is there then is durable.
pub(super) fn set_up(
    program: &Program,
    (disk, family): (&SimFs, &Family),
    cpu: Option<usize>,
    stop: &Stop,
) -> Result<(), Failure> {
    let Some(setup) = &program.setup else { return Ok(()) };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(setup).stdout(std::io::stderr());
    let (ended, _) = run(command, (program, family), cpu, stop)?;
    family.end();
    match ended {
        Ended::Exited(0) => {}
        Ended::TimedOut => return Err(did_not_end(program)),
        ended => return Err(Failure::Program(format!("the setup failed: {ended}"))),
    }
    disk.begin_anew();
    Ok(())
}

/// The program's command line, with its promises going where they are heard.
pub(super) fn command_of(program: &Program, mount: &Mount) -> Result<Command, Failure> {
    let name = program.command.first().map_or(OsStr::new(""), |name| name);
    let mut command = Command::new(absolute(name));
    command.args(program.command.get(1..).unwrap_or_default());
    match program.marks {
        Marks::Stdout => drop(command.stdout(open_for_marks(&mount.stdout_path())?)),
        // What it prints is no promise, and not part of a report for machines.
        _ => match program.prints {
            Prints::ToStdout => {}
            Prints::ToStderr => drop(command.stdout(std::io::stderr())),
            Prints::Nowhere => drop(command.stdout(Stdio::null())),
        },
    }
    if program.marks != Marks::None {
        command.env("PLUGPULL_MARK", mount.marks_path());
    }
    Ok(command)
}

#[expect(clippy::disallowed_methods, reason = "a file of the mount, which no store is over")]
fn open_for_marks(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = std::fs::OpenOptions::new().append(true).open(path);
    opened.map_err(|e| Failure::system("open the program's output in the mount", e))
}

/// A program named by a path, from here; one named without a slash is searched for in `PATH`.
pub(crate) fn absolute(name: &OsStr) -> PathBuf {
    let path = Path::new(name);
    if path.is_absolute()
        || path.components().count() < 2 && !name.as_encoded_bytes().contains(&b'/')
    {
        return path.to_owned();
    }
    std::env::current_dir().map_or_else(|_| path.to_owned(), |here| here.join(path))
}

/// Starts a command in the directory, in a process group of its own.
pub(super) fn start(
    mut command: Command,
    (program, family): (&Program, &Family),
    cpu: Option<usize>,
) -> Result<Child, Failure> {
    for (name, value) in &program.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(&program.dir).env("PLUGPULL_DIR", &program.dir).process_group(0);
    family.adopt(&mut command);
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        // In a process group of its own it would be stopped when it reads from the terminal.
        command.stdin(Stdio::null());
    }
    on_cpu(cpu, || command.spawn()).map_err(|e| {
        let name = command.get_program().to_string_lossy().into_owned();
        let remedy = match e.kind() {
            ErrorKind::NotFound if name.contains('/') => "there is no such program",
            ErrorKind::NotFound => "it was not found in PATH",
            ErrorKind::PermissionDenied => "make it executable with chmod +x",
            _ => return Failure::Usage(format!("cannot start {name}: {e}")),
        };
        Failure::Usage(format!("cannot start {name}: {e}; {remedy}"))
    })
}

#[expect(clippy::disallowed_methods, reason = "a program that hangs is a matter of time")]
fn run(
    command: Command,
    (program, family): (&Program, &Family),
    cpu: Option<usize>,
    stop: &Stop,
) -> Result<(Ended, Duration), Failure> {
    let began = Instant::now();
    let mut child = start(command, (program, family), cpu)?;
    loop {
        if let Some(status) =
            child.try_wait().map_err(|e| Failure::system("wait for the program", e))?
        {
            return Ok((status.into(), began.elapsed()));
        }
        if stop.asked() {
            end(&mut child);
            return Err(Failure::Interrupted);
        }
        if began.elapsed() > program.timeout {
            end(&mut child);
            return Ok((Ended::TimedOut, began.elapsed()));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Kills the program and its process group; what left the group is killed later.
pub(super) fn end(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Killed(signal),
            None => Self::Exited(status.code().unwrap_or(-1)),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Killed(signal) => match Signal::try_from(signal) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => f.write_str("killed by a signal"),
            },
            Self::TimedOut => f.write_str("it did not end"),
        }
    }
}

/// The first processor we may run on. Program and simulated disk take turns on one: waking another
/// processor for each call costs several times the call.
pub(crate) fn first_cpu() -> Option<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
    (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false))
}

/// Does something that starts a process, which inherits the processor.
fn on_cpu<T>(cpu: Option<usize>, start: impl FnOnce() -> T) -> T {
    let here = Pid::from_raw(0);
    let before = sched_getaffinity(here).ok();
    let mut one = CpuSet::new();
    if let (Some(_), Some(cpu)) = (&before, cpu)
        && one.set(cpu).is_ok()
    {
        // Where it is refused the recording is slower, no more.
        let _ = sched_setaffinity(here, &one);
    }
    let started = start();
    if let Some(before) = before {
        let _ = sched_setaffinity(here, &before);
    }
    started
}
