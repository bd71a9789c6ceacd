//! Each kind of fault does what it says, on the real disk and on the simulated one, and is counted.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::{Access, DiskImage, Fs, FsFile, LockMode, PAGE, RealFs, SimFs};

/// A disk under a plan of these rules.
fn under<F: Fs>(rules: &[FaultRule], inner: F) -> (Faulty<F>, Arc<Faults>) {
    let faults = Arc::new(Faults::new(&FaultPlan { rules: rules.to_vec() }));
    (Faulty::new(inner, Arc::clone(&faults)), faults)
}

/// Runs the body on both disks in an empty directory; all rules must fire.
macro_rules! on_both_disks {
    ($rules:expr, |$disk:ident, $faults:ident, $dir:ident| $body:block) => {{
        let rules: &[FaultRule] = $rules;
        let temp = tempfile::tempdir().unwrap();
        let ($disk, $faults) = under(rules, RealFs);
        let $dir = temp.path();
        $body
        assert_eq!($faults.unfired(), []);
        let ($disk, $faults) = under(rules, SimFs::new());
        let $dir = Path::new("/");
        $body
        assert_eq!($faults.unfired(), []);
    }};
}

fn errno_of<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

fn read(file: &impl FsFile, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    let n = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(n);
    bytes
}

const EIO: Option<i32> = Some(5);

#[test]
fn a_call_fails_with_the_errno_of_its_rule_and_is_not_made() {
    let cases = [
        (Errno::Eio, 5),
        (Errno::Enospc, 28),
        (Errno::Edquot, 122),
        (Errno::Eintr, 4),
        (Errno::Emfile, 24),
        (Errno::Erofs, 30),
        (Errno::Exdev, 18),
        (Errno::Einval, 22),
        (Errno::Enosys, 38),
        (Errno::Eopnotsupp, 95),
    ];
    for (errno, number) in cases {
        let rule = FaultRule::new(Fault::Errno(errno)).on(&[CallKind::Mkdir]).when(Pattern::nth(2));
        on_both_disks!(&[rule], |disk, faults, dir| {
            disk.mkdir(&dir.join("a"), 0o755).unwrap();
            assert_eq!(errno_of(disk.mkdir(&dir.join("b"), 0o755)), Some(number));
            disk.metadata(&dir.join("b")).unwrap_err();
            disk.mkdir(&dir.join("b"), 0o755).unwrap();
            assert_eq!(faults.fired(), [1]);
        });
    }
}

#[test]
fn a_rule_is_for_its_kinds_of_calls_and_its_paths() {
    let eio = FaultRule::new(Fault::Errno(Errno::Eio));
    let rule = eio.on(&[CallKind::Rename, CallKind::Unlink]).at("**/b*").when(pattern("(.x)*"));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let at = |name| dir.join(name);
        for name in ["a", "b"] {
            disk.create_new(&at(name), 0o644).unwrap();
        }
        disk.rename(&at("a"), &at("c")).unwrap();
        disk.rename(&at("b"), &at("d")).unwrap();
        // The new name counts, too.
        assert_eq!(errno_of(disk.rename(&at("d"), &at("bb"))), EIO);
        disk.rename(&at("d"), &at("bb")).unwrap();
        disk.unlink(&at("c")).unwrap();
        assert_eq!(errno_of(disk.unlink(&at("bb"))), EIO);
        assert_eq!(faults.fired(), [2]);
    });
}

#[test]
fn a_call_that_one_rule_answers_is_not_counted_by_those_behind() {
    let rule = |errno, when| FaultRule::new(Fault::Errno(errno)).on(&[CallKind::Mkdir]).when(when);
    let rules = [rule(Errno::Enospc, Pattern::nth(1)), rule(Errno::Erofs, Pattern::nth(2))];
    on_both_disks!(&rules, |disk, faults, dir| {
        let tries = [0; 4].map(|_| errno_of(disk.mkdir(&dir.join("a"), 0o755)));
        assert_eq!(tries, [Some(28), None, Some(30), Some(17)]);
        assert_eq!(faults.fired(), [1, 1]);
    });
}

#[test]
fn a_short_write_writes_a_part_and_says_so() {
    let rule = FaultRule::new(Fault::ShortWrite).when(pattern("x.x"));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let path = dir.join("f");
        let file = disk.create_new(&path, 0o644).unwrap();
        // One byte is never short, and no call that counts.
        assert_eq!(file.write_at(b"0", 0).unwrap(), 1);
        let n = file.write_at(b"0123456789", 0).unwrap();
        assert!((1..10).contains(&n), "{n}");
        assert_eq!(read(&file, 20), b"0123456789"[..n]);
        file.write_all_at(b"0123456789", 0).unwrap();
        let log = disk.open(&path, Access::Append).unwrap();
        let n = log.append(b"0123456789").unwrap();
        assert_eq!(read(&file, 20), [b"0123456789", &b"0123456789"[..n]].concat());
        assert_eq!(faults.fired(), [2]);
    });
}

#[test]
fn a_flipped_bit_is_in_what_a_read_returns_and_not_in_the_file() {
    let rule = FaultRule::new(Fault::BitFlip).when(pattern(".x"));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let file = disk.create_new(&dir.join("f"), 0o644).unwrap();
        assert_eq!(read(&file, 100), b"");
        file.write_all_at(&[0; 1000], 0).unwrap();
        let bits = || read(&file, 1000).iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert_eq!([bits(), bits(), bits()], [0, 1, 0]);
        assert_eq!(faults.fired(), [1]);
    });
}

#[test]
fn a_stale_sector_shows_what_was_there_before_the_last_overwrite() {
    let rule = FaultRule::new(Fault::StaleSector).when(pattern("x.x*"));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let path = dir.join("f");
        let file = disk.create_new(&path, 0o644).unwrap();
        // No byte is what it is at the same place in another version.
        let version = |n: u8| (0..1100).map(|at| 3 * u8::try_from(at % 83).unwrap() + n).collect();
        let [first, old, new]: [Vec<u8>; 3] = [0, 1, 2].map(version);
        for bytes in [&first, &old, &new] {
            file.write_all_at(bytes, 0).unwrap();
        }
        let mut seen = vec![0; 1000];
        assert_eq!(file.read_at(&mut seen, 100).unwrap(), 1000);
        let stale: Vec<usize> = (0..1000).filter(|at| seen[*at] == old[100 + at]).collect();
        // Sector 0 from the read's start, sector 1, or sector 2 up to the end.
        let sectors = [0..412, 412..924, 924..1000].map(Vec::from_iter);
        assert!(sectors.contains(&stale), "{stale:?}");
        assert!((0..1000).all(|at| seen[at] == new[100 + at] || stale.contains(&at)));
        assert_eq!(read(&file, 1100), new);
        // What was never overwritten is never stale, and such a read does not count.
        let new = disk.create_new(&dir.join("new"), 0o644).unwrap();
        new.write_all_at(&[b'n'; 5000], 0).unwrap();
        assert_eq!(read(&new, 5000), [b'n'; 5000]);
        // The end of a sector that was appended to.
        let log = disk.open(&dir.join("new"), Access::Append).unwrap();
        log.append(b"tail").unwrap();
        assert_eq!(read(&new, 6000), [&[b'n'; 5000][..], &[0; 4]].concat());
        assert_eq!(faults.fired(), [2]);
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long a call takes is what is measured")]
fn a_slow_call_is_made_later() {
    let rule = FaultRule::new(Fault::SlowCall { micros: 20_000 }).when(Pattern::nth(1));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let begin = std::time::Instant::now();
        disk.mkdir(&dir.join("a"), 0o755).unwrap();
        assert!(begin.elapsed().as_micros() >= 20_000);
        disk.metadata(&dir.join("a")).unwrap();
        assert_eq!(faults.fired(), [1]);
    });
}

#[test]
fn after_a_power_cut_every_call_fails_and_nothing_changes() {
    // Reads are no Ops: the cut is at the third call that is one.
    let rule = FaultRule::new(Fault::PowerCut).when(Pattern::nth(3));
    on_both_disks!(&[rule], |disk, faults, dir| {
        let path = dir.join("f");
        let file = disk.create_new(&path, 0o644).unwrap();
        file.write_all_at(b"one", 0).unwrap();
        assert_eq!(read(&file, 10), b"one");
        assert!(!faults.power_is_off());
        assert_eq!(errno_of(file.write_at(b"two", 0)), EIO);
        assert!(faults.power_is_off());
        let answers = [
            errno_of(file.read_at(&mut [0], 0)),
            errno_of(file.write_at(b"two", 0)),
            errno_of(file.sync_all()),
            errno_of(file.set_len(0)),
            errno_of(file.lock(LockMode::Shared)),
            errno_of(disk.unlink(&path)),
            errno_of(disk.metadata(&path)),
        ];
        assert_eq!(answers, [EIO; 7]);
        assert_eq!(faults.fired(), [1]);
        assert_eq!(faults.fired_by_kind(), [("power_cut", 1)].into());
    });
    let sim = SimFs::new();
    let (disk, _) = under(&[FaultRule::new(Fault::PowerCut).when(Pattern::nth(2))], sim.clone());
    let file = disk.create_new(Path::new("/f"), 0o644).unwrap();
    file.write_at(b"lost", 0).unwrap_err();
    drop((file, disk));
    assert_eq!(sim.trace().ops().count(), 1);
}

/// Where the child of the test below works.
const CHILD_DIR: &str = "FAULTFS_TEST_CHILD_DIR";

#[test]
fn sigkill_comes_before_the_call_is_made() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let rule = FaultRule::new(Fault::Sigkill).when(Pattern::nth(2));
        let (disk, _) = under(&[rule], RealFs);
        for name in ["a", "b"] {
            disk.mkdir(&Path::new(&dir).join(name), 0o755).unwrap();
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "fault::tests::sigkill_comes_before_the_call_is_made"]);
    let output = child.env(CHILD_DIR, dir.path()).output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    let names = RealFs.read_dir(dir.path()).unwrap().into_iter().map(|entry| entry.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_failed_sync_returns_eio_whatever_the_disk() {
    let rule = FaultRule::new(Fault::FailedSync(FsyncFailure::Xfs)).on(&[CallKind::SyncData]);
    on_both_disks!(&[rule.when(pattern(".x"))], |disk, faults, dir| {
        let file = disk.create_new(&dir.join("f"), 0o644).unwrap();
        file.sync_data().unwrap();
        assert_eq!(errno_of(file.sync_data()), EIO);
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        assert_eq!(faults.fired(), [1]);
    });
}

/// A disk with two files of four pages of `o`, and the same disk with all of it `n`, and one page
/// longer.
fn crash_images() -> [DiskImage; 2] {
    let disk = SimFs::new();
    let files = ["/a", "/b"].map(|path| disk.create_new(Path::new(path), 0o644).unwrap());
    for file in &files {
        file.write_all_at(&vec![b'o'; 4 * PAGE], 0).unwrap();
    }
    let before = disk.image();
    for file in &files {
        file.write_all_at(&vec![b'n'; 5 * PAGE], 0).unwrap();
    }
    [before, disk.image()]
}

/// The first byte of every block of a file, in an image.
fn blocks(image: &DiskImage, name: &[u8], block: usize) -> String {
    let inode = image.lookup(DiskImage::ROOT, name).unwrap();
    let mut bytes = vec![0; usize::try_from(image.len(inode)).unwrap()];
    image.read(inode, &mut bytes, 0);
    let told = |block: &[u8]| {
        assert!(block.iter().all(|byte| *byte == block[0]), "a block was torn");
        if block[0] == 0 { '0' } else { char::from(block[0]) }
    };
    bytes.chunks(block).map(told).collect()
}

#[test]
fn a_torn_write_leaves_a_prefix_or_a_subset_of_the_sectors() {
    let [before, after] = crash_images();
    let mut seen = [Vec::new(), Vec::new()];
    for seed in 0..20 {
        for (tear, seen) in [Torn::Prefix, Torn::Subset].into_iter().zip(&mut seen) {
            let rule = FaultRule::new(Fault::TornWrite(tear)).at("/b").seed(seed);
            let faults = Faults::new(&FaultPlan { rules: vec![rule] });
            let mut image = after.clone();
            faults.crash(&before, &mut image);
            assert_eq!(faults.fired(), [1]);
            assert_eq!(blocks(&image, b"a", PAGE), "nnnnn");
            let sectors = blocks(&image, b"b", 512);
            assert_eq!(sectors.len(), 40);
            let old = sectors.find(|sector| sector != 'n').expect("all was written");
            if tear == Torn::Prefix {
                assert!(!sectors[old..].contains('n'), "{sectors}");
            }
            assert!(!sectors[..32].contains('0') && !sectors[32..].contains('o'), "{sectors}");
            seen.push(sectors);
        }
    }
    for seen in &mut seen {
        seen.sort();
        seen.dedup();
        assert!(seen.len() > 10, "{seen:?}");
    }
}

#[test]
fn a_dropped_page_is_what_it_was_before() {
    let [before, mut image] = crash_images();
    let rule = FaultRule::new(Fault::DroppedPage).when(pattern(".x...x...x"));
    let faults = Faults::new(&FaultPlan { rules: vec![rule] });
    faults.crash(&before, &mut image);
    assert_eq!([blocks(&image, b"a", PAGE), blocks(&image, b"b", PAGE)], ["nonnn", "onnn0"]);
    assert_eq!(faults.fired(), [3]);
    // Nothing changed, nothing to drop.
    faults.crash(&image.clone(), &mut image);
    assert_eq!(faults.fired(), [3]);
}

#[test]
fn a_truncated_file_loses_its_end() {
    let [before, mut image] = crash_images();
    let rule = FaultRule::new(Fault::TruncatedFile).when(Pattern::nth(2));
    let faults = Faults::new(&FaultPlan { rules: vec![rule] });
    faults.crash(&before, &mut image);
    let len = |name: &[u8]| image.len(image.lookup(DiskImage::ROOT, name).unwrap());
    assert_eq!(len(b"a"), 5 * PAGE as u64);
    assert!(len(b"b") < 5 * PAGE as u64);
    assert_eq!(faults.fired(), [1]);
}

#[test]
fn a_rule_that_did_not_fire_is_reported() {
    let fired = FaultRule::new(Fault::Errno(Errno::Eio)).on(&[CallKind::Mkdir]);
    let late = FaultRule::new(Fault::Errno(Errno::Eio)).when(Pattern::nth(9));
    let crash = FaultRule::new(Fault::DroppedPage);
    let (disk, faults) = under(&[fired, late.clone(), crash.clone()], SimFs::new());
    disk.mkdir(Path::new("/a"), 0o755).unwrap_err();
    disk.metadata(Path::new("/")).unwrap();
    assert_eq!(faults.unfired(), [late, crash]);
    assert_eq!(faults.fired(), [1, 0, 0]);
    assert_eq!(faults.fired_by_kind(), [("dropped_page", 0), ("errno", 1)].into());
}

#[test]
fn without_rules_nothing_happens() {
    assert_eq!(FaultPlan::default().rules, []);
    on_both_disks!(&[], |disk, faults, dir| {
        let file = disk.create_new(&dir.join("f"), 0o644).unwrap();
        file.write_all_at(b"bytes", 0).unwrap();
        file.sync_all().unwrap();
        assert_eq!(read(&file, 9), b"bytes");
        assert!(faults.fired().is_empty());
    });
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let often = |fault, seed| FaultRule::new(fault).when(pattern("30%")).seed(seed);
        let rules = [
            often(Fault::Errno(Errno::Enospc), seed).on(&[CallKind::WriteAt]),
            often(Fault::ShortWrite, seed + 1),
            often(Fault::BitFlip, seed + 2),
            often(Fault::FailedSync(FsyncFailure::Btrfs), seed + 3),
        ];
        let sim = SimFs::new();
        let (disk, faults) = under(&rules, sim.clone());
        let file = disk.create_new(Path::new("/f"), 0o644).unwrap();
        let mut answers = Vec::new();
        for n in 0..100 {
            let wrote = file.write_at(&[7; 100], n * 50).ok();
            answers.push((wrote, read(&file, 200), file.sync_all().is_ok()));
        }
        assert_eq!(faults.unfired(), []);
        (answers, faults.fired(), sim.trace().events, sim.image().hash())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn a_plan_is_printed_and_read_back() {
    let faults = [
        (Fault::Errno(Errno::Enospc), r#"{"errno":"ENOSPC"}"#),
        (Fault::ShortWrite, r#""short_write""#),
        (Fault::FailedSync(FsyncFailure::Ext4Ordered), r#"{"failed_sync":"ext4_ordered"}"#),
        (Fault::FailedSync(FsyncFailure::Ext4Data), r#"{"failed_sync":"ext4_data"}"#),
        (Fault::FailedSync(FsyncFailure::Xfs), r#"{"failed_sync":"xfs"}"#),
        (Fault::FailedSync(FsyncFailure::Btrfs), r#"{"failed_sync":"btrfs"}"#),
        (Fault::FailedSync(FsyncFailure::Redirty), r#"{"failed_sync":"redirty"}"#),
        (Fault::TornWrite(Torn::Prefix), r#"{"torn_write":"prefix"}"#),
        (Fault::DroppedPage, r#""dropped_page""#),
        (Fault::TruncatedFile, r#""truncated_file""#),
        (Fault::BitFlip, r#""bit_flip""#),
        (Fault::StaleSector, r#""stale_sector""#),
        (Fault::SlowCall { micros: 9 }, r#"{"slow_call":{"micros":9}}"#),
        (Fault::PowerCut, r#""power_cut""#),
        (Fault::Sigkill, r#""sigkill""#),
    ];
    for (fault, text) in faults {
        assert!(text.contains(fault.kind()), "{text}");
        let short = format!(r#"{{"rules":[{{"fault":{text}}}]}}"#);
        let plan: FaultPlan = serde_json::from_str(&short).unwrap();
        assert_eq!(plan.rules, [FaultRule::new(fault)]);
        let on = [CallKind::FileMetadata, CallKind::RenameNoReplace];
        let rule = FaultRule::new(fault).on(&on).at("/a/*").when(pattern("(..x)*")).seed(7);
        let full = format!(
            r#"{{"fault":{text},"calls":["{}","{}"],"path":"/a/*","when":"(..x)*","seed":7}}"#,
            on[0].name(),
            on[1].name(),
        );
        assert_eq!(serde_json::to_string(&rule).unwrap(), full);
        assert_eq!(serde_json::from_str::<FaultRule>(&full).unwrap(), rule);
    }
    for (bad, problem) in [
        (r#"{"rules":[{"fault":"bit_flip","whem":"x"}]}"#, "unknown field `whem`"),
        (r#"{"rules":[{"fault":"bit_flip","when":"y"}]}"#, "allowed are `.` (made)"),
        (r#"{"rules":[{"fault":"bitflip"}]}"#, "expected one of `errno`"),
        (r#"{"rules":[{"fault":{"errno":"ENOENT"}}]}"#, "expected one of `EIO`"),
    ] {
        let told = serde_json::from_str::<FaultPlan>(bad).unwrap_err().to_string();
        assert!(told.contains(problem), "{told}");
    }
}
