//! `plugpull store fetch-pack`, `import-pack`, `sweep-packs` and `leases`. Not for where packs are kept: see `pack_place`.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use faultfs::{Access, Fs, FsFile, RealFs};
use plugpull_store::{
    Error, Lease, LeaseState, ObjectId, PackAccess, PackSweep, PackTimers, Reached, SweptPacks, Ttl,
};

use super::{Store, pack_place, tip};
use crate::cli::FetchPackArgs;
use crate::clock::{Deadline, MachineClock};
use crate::exit::Failure;
use crate::signals::{Stdin, Stop};

/// Prints the pack, or the URL of one.
pub(super) fn fetch(
    out: &mut dyn Write,
    store: &Store,
    args: &FetchPackArgs,
) -> Result<(), Failure> {
    let want = commits(store, &args.want)?;
    let have = commits(store, &args.have)?;
    let place = pack_place::named(store, args.packs.as_deref(), args.served_at.as_deref())?;
    let fetched = store.fetch_pack(&*place, &want, &have, Ttl::new(args.ttl)?)?;
    eprintln!(
        "pack {}: {} objects, {} of them commits, {} bytes",
        fetched.id, fetched.objects, fetched.commits, fetched.bytes
    );
    match fetched.access {
        PackAccess::Inline(bytes) => {
            out.write_all(&bytes)?;
            Ok(out.flush()?)
        }
        PackAccess::Url { url, due, .. } => {
            eprintln!("it is kept until {}", time(due));
            Ok(writeln!(out, "{url}")?)
        }
    }
}

fn commits(store: &Store, names: &[String]) -> Result<Vec<ObjectId>, Failure> {
    let none = |name: &str| Failure::Usage(format!("there is no branch {name:?}"));
    names.iter().map(|name| tip(store, Some(name))?.ok_or_else(|| none(name))).collect()
}

/// Prints the commits of the pack, parents first.
pub(super) fn import(
    out: &mut dyn Write,
    store: &Store,
    file: &Path,
    stop: &Stop,
) -> Result<(), Failure> {
    let imported = store.import_pack(&bytes_of(file, stop)?)?;
    eprintln!("{} objects, {} of them new", imported.objects, imported.new);
    if imported.reached == Reached::Degraded {
        eprintln!("a barrier failed: a power cut may lose them");
    }
    imported.commits.iter().try_for_each(|commit| Ok(writeln!(out, "{commit}")?))
}

fn bytes_of(file: &Path, stop: &Stop) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        let read = Stdin(stop).read_to_end(&mut bytes);
        read.map_err(|e| Failure::system("read standard input", e))?;
        return Ok(bytes);
    }
    let failed = |source| Error::Io { op: "read", path: file.to_owned(), source };
    let opened = RealFs.open(file, Access::Read).map_err(failed)?;
    let len = opened.metadata().map_err(failed)?.len;
    bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
    let n = opened.read_full_at(&mut bytes, 0).map_err(failed)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// Deletes what is due now.
pub(super) fn sweep(
    out: &mut dyn Write,
    store: &Store,
    place: Option<&str>,
    dead: bool,
) -> Result<(), Failure> {
    let place = pack_place::named(store, place, None)?;
    let sweep = PackSweep { dead, ..PackSweep::at(RealFs.now()) };
    let swept = store.sweep_packs_with(&*place, sweep)?;
    tell(out, &swept)
}

fn tell(out: &mut dyn Write, swept: &SweptPacks) -> Result<(), Failure> {
    let SweptPacks { deleted, failed, dead, kept, busy, mended, others } = swept;
    writeln!(out, "deleted {} packs, kept {}", deleted.len(), kept.len() - failed.len())?;
    let notes = [
        (failed.len() as u64, "deletions failed and are tried again later"),
        (dead.len() as u64, "deletions were given up; mend the cause, and sweep with --dead"),
        (busy.len() as u64, "packs are being worked with"),
        (*mended, "leases could not be read and now end in two hours"),
        (*others, "leases are of packs in other places"),
    ];
    for (count, what) in notes.iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "note: {count} {what}")?;
    }
    Ok(())
}

/// Packs that are deleted at the same time.
const AT_ONCE: usize = 4;

/// How often somebody who waits looks whether to end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Deletes each pack at its time, until the user asks to end, which is an error as in every command.
pub(super) fn watch(
    out: &mut dyn Write,
    store: &Store,
    place: Option<&str>,
    stop: &Stop,
) -> Result<(), Failure> {
    let place = pack_place::named(store, place, None)?;
    let mut timers = PackTimers::new(store, &*place, AT_ONCE);
    let clock = MachineClock::new();
    let told = RefCell::new(Ok(()));
    let mut done = |swept: Result<SweptPacks, Error>| match swept {
        Ok(swept) if swept.deleted.is_empty() && swept.failed.is_empty() => {}
        Ok(swept) => *told.borrow_mut() = tell(out, &swept),
        Err(_) if stop.asked() => {}
        Err(error) => eprintln!("plugpull: {error}; it is tried again"),
    };
    done(timers.step(&clock).map(|(swept, _)| swept));
    eprintln!("waiting for {} leases; Ctrl-C ends this", timers.len());
    let mut go_on = |pause| told.borrow().is_ok() && wait(pause, stop);
    timers.run(&clock, &mut go_on, &mut done);
    told.into_inner()?;
    Err(Failure::system("go on", io::ErrorKind::Interrupted.into()))
}

/// Sleeps; false when the user asks to end meanwhile.
fn wait(pause: Duration, stop: &Stop) -> bool {
    let end = Deadline::after(Some(pause));
    while !end.is_over() && !stop.asked() {
        thread::sleep(pause.min(LOOK_AGAIN));
    }
    !stop.asked()
}

/// A line for each lease.
pub(super) fn leases(out: &mut dyn Write, store: &Store) -> Result<(), Failure> {
    for entry in store.leases()? {
        match entry.lease {
            Ok(lease) => writeln!(out, "{} {}", entry.key, told(&lease))?,
            Err(problem) => writeln!(out, "{} unreadable: {problem}", entry.key)?,
        }
    }
    Ok(())
}

fn told(lease: &Lease) -> String {
    let Lease { backend, due, state, attempts, retry, error, .. } = lease;
    match state {
        LeaseState::Live => format!("until {} in {backend}", time(*due)),
        LeaseState::Deleting => format!(
            "being deleted from {backend}, {attempts} attempts failed, next at {}: {error}",
            time(*retry)
        ),
        LeaseState::Dead => {
            format!("not deleted from {backend}, given up after {attempts} attempts: {error}")
        }
    }
}

/// Milliseconds since 1970 for people.
fn time(millis: u64) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    let time = time.filter(|time| *time < SystemTime::UNIX_EPOCH + Duration::from_hours(1 << 26));
    time.map_or("some day".to_owned(), |time| humantime::format_rfc3339_seconds(time).to_string())
}
