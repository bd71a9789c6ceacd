//! `plugpull store fetch-pack`, `import-pack`, `sweep-packs` and `leases`, over the store's own directory
//! of packs.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use faultfs::{Access, Fs, FsFile, RealFs};
use plugpull_store::{
    Error, Lease, LeaseState, ObjectId, PackAccess, PackSweep, Reached, SweptPacks, Ttl,
};

use super::{Store, tip};
use crate::cli::FetchPackArgs;
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
    let place = store.pack_directory(args.served_at.as_deref());
    let fetched = store.fetch_pack(&place, &want, &have, Ttl::new(args.ttl)?)?;
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
pub(super) fn sweep(out: &mut dyn Write, store: &Store, dead: bool) -> Result<(), Failure> {
    let sweep = PackSweep { dead, ..PackSweep::at(RealFs.now()) };
    let swept = store.sweep_packs_with(&store.pack_directory(None), sweep)?;
    let SweptPacks { deleted, failed, dead, kept, busy, mended, others } = &swept;
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
