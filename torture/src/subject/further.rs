//! Going on after the recovery: the next open has nothing to mend, and the store can be worked with.

use std::path::Path;

use faultfs::{DiskImage, Op, SimFs};
use plugpull_store::{
    Audit, Branch, Claim, Commit, Error, Expected as Old, ProblemKind, Recovery, Snapshot, Store,
};

use super::STORE;
use super::expected::Expected;

/// The branch of the commit made here; no workload has one below `after`.
const BRANCH: &str = "after/the/power-cut";

/// Opens a recovered disk once more, makes a commit and audits. Costs more than [`super::check`], which
/// must have found nothing.
pub fn check_further(expected: &Expected, recovered: &DiskImage) -> Vec<String> {
    let disk = SimFs::on(recovered.clone());
    let mut violations = Vec::new();
    match Store::open_on(disk.clone(), Path::new(STORE), expected.options) {
        Ok(store) => {
            let mended = store.recovery() != &Recovery::default();
            // An open may wait for the disk, but has nothing to change.
            if mended || !disk.trace().ops().all(Op::is_barrier) {
                let what = "the second open changed something; expected nothing to mend";
                violations.push(format!("{STORE}: {what}: {:?}", store.recovery()));
            }
            if let Err(error) = use_it(&store) {
                violations.push(format!("{STORE}: {error}; expected that a commit can be made"));
            }
        }
        Err(error) => violations.push(format!("{STORE}: {error}; expected a second open")),
    }
    violations.extend(audit(expected, &disk));
    violations
}

fn use_it(store: &Store<SimFs>) -> Result<(), Error> {
    let _pin = store.pin()?;
    let blob = store.put(b"written after the power cut")?;
    let snapshot = store.put_snapshot(&Snapshot::of([("file", blob.id)])?)?;
    let tip = store.read_branch(&Branch::new("main")?)?;
    let commit = Commit::new(tip, snapshot.id, "writer", "after the power cut", 0);
    let commit = store.put_commit(&commit)?;
    let branch = Branch::new(BRANCH)?;
    let _receipt = store.update_branch(&branch, commit.id, Old::Absent)?;
    let (record, _receipt) = store.append_log("after", "written after the power cut")?;
    let last = store.log(record.seq - 1)?.records;
    if last != [record] {
        let problem = "what was appended is not the end of it".to_owned();
        return Err(Error::Corrupt { path: store.layout().log(), problem });
    }
    let claim = Claim::new("after", Branch::new(BRANCH)?, ["after the power cut"], "write");
    let (reservation, _receipt) = store.reserve(&claim)?;
    store.release(&reservation.reservation_id)?;
    let found = store.read_branch(&branch)?.map(|id| store.read_commit(&id)).transpose()?;
    found.flatten().map(|_| ()).ok_or_else(|| Error::Dangling {
        from: format!("branch {BRANCH}"),
        what: "commit",
        id: commit.id,
    })
}

/// Damage that was there before the run and was never repaired is known already.
fn audit(expected: &Expected, disk: &SimFs) -> Vec<String> {
    let audit = match Audit::run(disk, Path::new(STORE)) {
        Ok(audit) => audit,
        Err(error) => return vec![format!("{STORE}: {error}; expected an audit after a commit")],
    };
    let problems = audit.problems.into_iter().filter(|problem| {
        let known = match problem.kind {
            ProblemKind::CorruptObject => !expected.corrupt.is_empty(),
            ProblemKind::BadList => expected.bad_record.is_some(),
            _ => false,
        };
        !known
    });
    let tell = |problem: plugpull_store::Problem| {
        let (path, kind) = (problem.path.display(), problem.kind.name());
        format!("{path}: {kind}: {}; expected a clean audit after a commit", problem.detail)
    };
    problems.map(tell).collect()
}
