//! Directories of results: recording and verdicts of each program, for a run that goes on later or
//! shards that are put together.
//!
//! Not for the files themselves (`verdicts`, `record`).
#![expect(clippy::disallowed_methods, reason = "directories of the user's")]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::check::Verdict;
use crate::cli::ResultArgs;
use crate::exit::Failure;
use crate::outcome::Bound;
use crate::record::Recording;
use crate::search::{Key, Partition};
use crate::verdicts::{Header, Keeping, Place, Verdicts};

/// A directory of results, and what to do with what it holds.
#[derive(Clone, Debug)]
pub struct Results {
    dir: PathBuf,
    resume: bool,
}

impl Results {
    /// What the command line says; a directory that is used already is taken up only if that is asked for.
    pub fn from_args(args: &ResultArgs) -> Result<Option<Self>, Failure> {
        let Some(dir) = &args.results else { return Ok(None) };
        let name = dir.display();
        match fs::create_dir(dir) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let entries = fs::read_dir(dir).map_err(|e| {
                    Failure::Usage(format!("{name}: {e}; --results names a directory"))
                })?;
                if !args.resume && entries.count() > 0 {
                    return Err(Failure::Usage(format!(
                        "{name} is not empty; go on with what is there with --resume, or name another \
                         directory"
                    )));
                }
            }
            Err(e) => return Err(Failure::system(format!("create {name}"), e)),
        }
        Ok(Some(Self { dir: dir.clone(), resume: args.resume }))
    }

    /// The recording of a program that an earlier run left.
    pub fn recorded(&self, subject: &str) -> Result<Option<Recording>, Failure> {
        let path = self.recording(subject);
        if !self.resume || !path.exists() {
            return Ok(None);
        }
        Recording::load(&path).map(Some)
    }

    /// Where the recording of a program is.
    pub fn recording(&self, subject: &str) -> PathBuf {
        Place::of(&self.dir, subject).recording
    }

    /// Where recoveries in states of a program are.
    pub fn recoveries(&self, subject: &str) -> PathBuf {
        Place::of(&self.dir, subject).recoveries
    }

    /// Keeps a recording, unless there is one already: verdicts say which run they are of.
    pub fn take_in(&self, recording: &Recording) -> Result<(), Failure> {
        let path = self.recording(&recording.about.subject);
        if path.exists() { Ok(()) } else { recording.save(&path) }
    }

    /// The verdicts of an earlier run, and where new ones go.
    pub fn open(
        &self,
        recording: &Recording,
        bound: &Bound,
    ) -> Result<(BTreeMap<Key, Verdict>, Keeping), Failure> {
        let path = Place::of(&self.dir, &recording.about.subject).verdicts;
        let header = Header::new(recording, bound);
        if !path.exists() {
            return Ok((BTreeMap::new(), Keeping::begin(&path, &header)?));
        }
        let read = Verdicts::load(&path)?;
        read.header.is_of_one_run_with(&header).map_err(Failure::Usage)?;
        if read.header.bound.partition != header.bound.partition {
            let of = read.header.bound.partition.as_deref().unwrap_or("all states");
            return Err(Failure::Usage(format!(
                "{} holds verdicts on {of}; go on with the same --partition, or copy the recording alone",
                path.display()
            )));
        }
        let keeping = Keeping::go_on(&path, &read)?;
        Ok((read.known, keeping))
    }
}

/// The results of one program on several machines.
pub struct Gathered {
    /// Its recording.
    pub recording: Recording,
    /// Where that is.
    pub path: PathBuf,
    /// How far was looked.
    pub bound: Bound,
    /// All verdicts.
    pub known: BTreeMap<Key, Verdict>,
    /// Where the shards' recoveries are.
    pub recoveries: Vec<PathBuf>,
}

/// Puts directories of results together, program by program in the order of their names. Says which parts
/// of the states are missing.
pub fn gather(dirs: &[PathBuf]) -> Result<(Vec<Gathered>, Vec<String>), Failure> {
    let mut all: BTreeMap<String, (Vec<Place>, Vec<Verdicts>)> = BTreeMap::new();
    for dir in dirs {
        for place in Place::all(dir)? {
            let read = Verdicts::load(&place.verdicts)?;
            let (places, parts) = all.entry(read.header.subject.clone()).or_default();
            places.push(place);
            parts.push(read);
        }
    }
    if all.is_empty() {
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let text =
            format!("no results in {}; plugpull check --results makes them", dirs.join(", "));
        return Err(Failure::Usage(text));
    }
    let mut missing = Vec::new();
    let mut gathered = Vec::new();
    for (subject, (places, parts)) in all {
        missing.extend(absent(&subject, &parts)?);
        gathered.push(one(&places, parts)?);
    }
    Ok((gathered, missing))
}

fn one(places: &[Place], parts: Vec<Verdicts>) -> Result<Gathered, Failure> {
    let mut parts = parts.into_iter();
    let (Some(place), Some(first)) = (places.first(), parts.next()) else {
        return Err(Failure::Usage("no results".to_owned()));
    };
    let recording = Recording::load(&place.recording)?;
    let Verdicts { header, mut known, .. } = first;
    for part in parts {
        header.is_of_one_run_with(&part.header).map_err(Failure::Usage)?;
        let apart = |bound: &Bound| Bound { partition: None, jobs: 0, ..bound.clone() };
        if apart(&header.bound) != apart(&part.header.bound) {
            return Err(Failure::Usage(format!(
                "the results of {} have other bounds: all parts need the same models, tier, window, \
                 budget, seed and --recrash",
                header.subject
            )));
        }
        known.extend(part.known);
    }
    let (path, bound) = (place.recording.clone(), header.bound);
    let recoveries = places.iter().map(|place| place.recoveries.clone()).collect();
    Ok(Gathered { recording, path, bound, known, recoveries })
}

/// Which parts nobody brought, in words. Parts of several partitions are not mixed.
fn absent(subject: &str, parts: &[Verdicts]) -> Result<Vec<String>, Failure> {
    let named: Vec<_> = parts.iter().map(|part| part.header.bound.partition.as_deref()).collect();
    if named.contains(&None) {
        return Ok(Vec::new());
    }
    let parse = |text: &&str| text.parse::<Partition>().map_err(Failure::Usage);
    let there: Vec<_> = named.iter().flatten().map(parse).collect::<Result<_, _>>()?;
    let all = there.first().map_or_else(Vec::new, |first| first.siblings());
    if there.iter().any(|part| !all.contains(part)) {
        return Err(Failure::Usage(format!(
            "the results of {subject} are parts of several wholes"
        )));
    }
    let absent = all.into_iter().filter(|part| !there.contains(part));
    Ok(absent.map(|part| format!("{subject}: nobody brought {part}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_used_is_taken_up_only_when_asked() {
        let above = tempfile::tempdir().unwrap();
        let results = Some(above.path().join("results"));
        let args = ResultArgs { results, ..ResultArgs::default() };
        assert!(Results::from_args(&args).unwrap().is_some());
        assert!(Results::from_args(&args).unwrap().is_some(), "empty as it was");
        fs::write(args.results.as_ref().unwrap().join("x.verdicts"), "").unwrap();
        let refused = Results::from_args(&args).unwrap_err().to_string();
        assert!(refused.contains("--resume"), "{refused}");
        assert!(Results::from_args(&ResultArgs { resume: true, ..args }).unwrap().is_some());
        assert!(Results::from_args(&ResultArgs::default()).unwrap().is_none());
        assert!(gather(&[above.path().to_owned()]).is_err());
    }
}
