//! What judging a crash state costs beside the bare start of its checker.
//!
//! `cargo bench -p plugpull-benches --bench check`. States that differ in a few pages and names are judged
//! by a pool of one worker; the other side starts the same program in a plain directory on tmpfs that
//! holds one of the states, and waits for it. The limit: a pool has at least 85 % of that rate.
//!
//! `diff` is the change of the tree alone, of three files, against the same writes by hand.
#![expect(clippy::disallowed_methods, reason = "the bare side does without the seam")]

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use faultfs::{Attributes, DiskImage, Inode, Trace};
use plugpull::check::{Builtin, Checker, Pool, Prepared, Setup, Tree, Verdict};
use plugpull::orphans::Orphans;
use plugpull::search::{Asked, Judge};
use plugpull::signals::Stop;
use plugpull_benches::{Limit, Pairs, Place, Table, quick};

const RATE: Limit = Limit::Ratio(1.0 / 0.85);

/// Design: 40 to 100 us for three files.
const DIFF: Limit = Limit::Median(Duration::from_micros(100));

/// States that are judged in one go.
const STATES: u32 = 32;

fn main() -> io::Result<ExitCode> {
    let mut criterion = quick();
    let mut table = Table::new("check");
    if let Some(place) = Place::tmpfs()? {
        for (name, checker, program, args) in [
            ("true", Checker::Command(vec!["true".into()]), "/bin/true", &[][..]),
            (
                "sqlite",
                Checker::Builtin(Builtin::Sqlite(Some("x.db".into()))),
                "/usr/bin/sqlite3",
                &["-batch", "./x.db", "PRAGMA integrity_check"],
            ),
        ] {
            if !Path::new(program).exists() {
                println!("{name}: not measured, there is no {program}");
                continue;
            }
            let dir = place.join(name);
            let start = sample(&dir)?;
            let checker = checker.prepare(&Trace { start: start.clone(), events: Vec::new() });
            let checker = checker.map_err(io::Error::other)?;
            let states = states(&start);
            let pool = RefCell::new(warm_pool(&dir, &checker, &states));
            let judged = |(): &()| judge(&mut pool.borrow_mut(), &states);
            let bare = |(): &()| (0..STATES).for_each(|_| spawn(program, args, &dir));
            let pairs = RATE.best(|| measure(&mut criterion, name, judged, bare));
            table.add_rate(name, &pairs, RATE, (STATES, "states"));
            let counts = pool.into_inner().end();
            assert_eq!(counts.rebuilt, 0, "the tree was brought from state to state");
        }
        let pairs = DIFF.best(|| diff(&mut criterion, &place));
        table.add("diff", &pairs, DIFF);
    }
    criterion.final_summary();
    Ok(table.finish())
}

fn measure(criterion: &mut Criterion, name: &str, one: impl Fn(&()), other: impl Fn(&())) -> Pairs {
    let mut pairs = Pairs::default();
    let mut run = |count| pairs.run(count, || (), &one, &other);
    let mut group = criterion.benchmark_group(format!("check/{name}"));
    group.bench_function("pool", |b| b.iter_custom(|count| run(count).0));
    group.bench_function("bare", |b| b.iter_custom(|count| run(count).1));
    group.finish();
    pairs
}

/// A directory with a database, and 20 files beside it.
fn sample(dir: &Path) -> io::Result<DiskImage> {
    std::fs::create_dir_all(dir)?;
    for number in 0..20 {
        std::fs::write(dir.join(format!("file-{number}")), vec![7; 3000])?;
    }
    let fill = "create table t(a, b); insert into t select value, hex(randomblob(20)) \
                from generate_series(1, 1000)";
    let _ = Command::new("sqlite3").args(["x.db", fill]).current_dir(dir).status();
    DiskImage::read_in(dir)
}

/// States that differ from their neighbours in the bytes of two files and in a name.
fn states(start: &DiskImage) -> Vec<DiskImage> {
    let files: Vec<Inode> =
        (0..3).filter_map(|n| start.find(Path::new(&format!("file-{n}")))).collect();
    let state = |number: u32| {
        let mut image = start.clone();
        image.write(files[0], &number.to_be_bytes(), u64::from(number) * 8);
        image.write(files[1], &number.to_be_bytes(), 100);
        if number.is_multiple_of(2) {
            image.set_entry(DiskImage::ROOT, b"file-2", None);
        }
        image
    };
    (0..STATES).map(state).collect()
}

/// A pool that has seen all states once.
fn warm_pool(dir: &Path, checker: &Prepared, states: &[DiskImage]) -> Pool {
    let setup = Setup {
        dir: dir.to_owned(),
        checkers: vec![checker.clone()],
        marks: Arc::new([]),
        timeout: Duration::from_secs(10),
        jobs: 1,
        orphans: Orphans::Ours,
        stop: Stop::default(),
    };
    let mut pool = Pool::start(setup).expect("the pool starts");
    judge(&mut pool, states);
    pool
}

fn judge(pool: &mut Pool, states: &[DiskImage]) {
    let asked = states.iter().map(|image| Asked { image: image.clone(), marks: 0 }).collect();
    let judged = pool.judge(asked, &|| false);
    assert!(judged.iter().all(|verdict| *verdict == Verdict::Survived), "{:?}", judged[0]);
}

/// A checker as anybody would start it who wants to see what it says.
fn spawn(program: &str, args: &[&str], dir: &Path) {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null());
    let ended = command.output().expect("the program starts");
    assert!(ended.status.success());
}

/// Three files, of one page each, go back and forth between two contents.
fn diff(criterion: &mut Criterion, place: &Place) -> Pairs {
    let mut start = DiskImage::new();
    let nodes = [2, 3, 4].map(Inode);
    for (number, node) in nodes.into_iter().enumerate() {
        start.insert_file(node, Attributes::new(0o644));
        start.write(node, &[7; 4096], 0);
        start.set_entry(DiskImage::ROOT, format!("file-{number}").as_bytes(), Some(node));
    }
    let mut other = start.clone();
    for node in nodes {
        other.write(node, b"other", 10);
    }
    let tree_place = place.join("diff");
    std::fs::create_dir_all(&tree_place).expect("the place takes a directory");
    let tree = RefCell::new(Tree::scratch(&tree_place).expect("the tree is made"));
    let turn = Cell::new(false);
    let both = [&start, &other];
    let shown = |(): &()| {
        turn.set(!turn.get());
        let mut tree = tree.borrow_mut();
        tree.undo();
        tree.show(both[usize::from(turn.get())]).expect("the tree shows it");
    };
    let bare = |(): &()| {
        for number in 0..3 {
            let path = tree_place.join(format!("bare-{number}"));
            let file = std::fs::File::options().write(true).create(true).truncate(false).open(path);
            file.and_then(|file| file.write_all_at(&[7; 4096], 0)).expect("the file is written");
        }
    };
    measure(criterion, "diff", shown, bare)
}
