//! Calls of real programs that fail as a plan says, through a real kernel: which call, with which error, and
//! what is there afterwards.
//!
//! Each test counts what fired. Not for what a plan means over the seam (unit tests of faultfs).

use std::io::ErrorKind;
use std::sync::Arc;

use faultfs::{CallKind, Errno, Fault, FaultPlan, FaultRule, Faults, FsyncFailure, Op, Pattern};

use super::{Mounted, mounted};

/// Lets calls fail from now on.
#[track_caller]
fn inject(here: &Mounted, rules: &[FaultRule]) -> Arc<Faults> {
    let faults = Arc::new(Faults::new(&FaultPlan { rules: rules.to_vec() }));
    here.mount.inject(Arc::clone(&faults)).unwrap();
    faults
}

/// A rule for the n-th call of a kind.
fn nth(fault: Fault, call: CallKind, n: u64) -> FaultRule {
    FaultRule::new(fault).on(&[call]).when(Pattern::nth(n))
}

/// Says for each of several tries whether it went well, or with which error it ended.
const TRIES: &str = "\
import errno, os, sys
def tried(make):
    try:
        make()
        return 'ok'
    except OSError as e:
        return errno.errorcode[e.errno]
def tries(*makes):
    print(' '.join(tried(make) for make in makes))
";

impl Mounted {
    /// Runs python, which prints one line.
    #[track_caller]
    fn tries(&self, code: &str) -> String {
        self.python(&format!("{TRIES}{code}")).trim().to_owned()
    }
}

#[test]
fn exactly_the_planned_call_fails_with_exactly_the_planned_error() {
    let kinds = [
        (CallKind::CreateNew, "open(f'new{n}', 'x').close()"),
        (CallKind::Open, "os.close(os.open('f', os.O_RDONLY))"),
        (CallKind::WriteAt, "os.pwrite(fd, b'some', n)"),
        (CallKind::Append, "os.write(end, b'some')"),
        (CallKind::ReadAt, "os.pread(fd, 4, 0)"),
        (CallKind::SyncAll, "os.fsync(fd)"),
        (CallKind::SyncData, "os.fdatasync(fd)"),
        (CallKind::SyncDir, "os.fsync(dir)"),
        (CallKind::Rename, "os.rename('f', 'g') if n % 2 else os.rename('g', 'f')"),
        (CallKind::Link, "os.link('f', f'link{n}')"),
        (CallKind::Symlink, "os.symlink('f', f'symlink{n}')"),
        (CallKind::ReadLink, "os.readlink('l')"),
        (CallKind::Unlink, "os.unlink(f'a{n}')"),
        (CallKind::Mkdir, "os.mkdir(f'new{n}')"),
        (CallKind::Rmdir, "os.rmdir(f'd{n}')"),
        (CallKind::ReadDir, "os.listdir('.')"),
        (CallKind::SetLen, "os.truncate(fd, n)"),
        (CallKind::SetLen, "os.posix_fallocate(fd, 0, n)"),
        (CallKind::SetLen, "os.close(os.open('f', os.O_RDWR | os.O_TRUNC))"),
        (CallKind::SetMode, "os.chmod('f', 0o600 + n)"),
        (CallKind::SetModified, "os.utime('f', (n, n))"),
    ];
    let errors = [
        (Errno::Eio, "EIO"),
        (Errno::Enospc, "ENOSPC"),
        (Errno::Edquot, "EDQUOT"),
        (Errno::Eintr, "EINTR"),
        (Errno::Emfile, "EMFILE"),
        (Errno::Erofs, "EROFS"),
        (Errno::Exdev, "EXDEV"),
        (Errno::Einval, "EINVAL"),
        // The same number as EOPNOTSUPP.
        (Errno::Eopnotsupp, "ENOTSUP"),
    ];
    for (n, (kind, call)) in kinds.into_iter().enumerate() {
        let (errno, name) = errors[n % errors.len()];
        // Python makes a call again that a signal interrupted, and the C library gives space itself where
        // the file system does not.
        let hidden = errno == Errno::Eintr || call.contains("fallocate");
        let (errno, name) = if hidden { errors[0] } else { (errno, name) };
        mounted(move |here| {
            here.python(
                "import os\n\
                 open('f', 'w').close(); os.symlink('f', 'l')\n\
                 for n in range(1, 6): open(f'a{n}', 'w').close(); os.mkdir(f'd{n}')\n",
            );
            let faults = inject(&here, &[nth(Fault::Errno(errno), kind, 3)]);
            let told = here.tries(&format!(
                "fd = os.open('f', os.O_RDWR); dir = os.open('.', os.O_RDONLY)\n\
                 end = os.open('f', os.O_WRONLY | os.O_APPEND)\n\
                 def make(n): {call}\n\
                 print([tried(lambda: make(n)) for n in range({first}, 6)])\n",
                // Two calls of the kind came before.
                first = if kind == CallKind::Open { 3 } else { 1 },
            ));
            let hit = format!("'{name}'");
            let before = if kind == CallKind::Open { 0 } else { 2 };
            let mut expected = vec!["'ok'"; before + 3];
            expected[before] = &hit;
            // What stayed in its place cannot go back from where it did not come.
            if kind == CallKind::Rename {
                expected[before + 1] = "'ENOENT'";
            }
            assert_eq!(told, format!("[{}]", expected.join(", ")), "{kind:?}: {call}");
            assert_eq!(faults.fired(), [1], "{kind:?}");
            if kind.can_be_op() {
                let calls = here.mount.calls();
                assert_eq!(
                    calls.since_fault.first().map(|call| (call.kind, call.hit)),
                    Some((kind, true))
                );
            }
            here.assert_recorded();
        });
    }
}

#[test]
fn a_rule_is_for_its_paths_only_and_for_ever_if_it_says_so() {
    mounted(|here| {
        here.python("import os\nos.makedirs('d/e')\n");
        let full = FaultRule::new(Fault::Errno(Errno::Enospc)).at("/d/**");
        let full = full.on(&[CallKind::WriteAt]).when("..x*".parse().unwrap());
        let faults = inject(&here, &[full]);
        let told = here.tries(
            "def write(fd): return lambda: os.write(fd, b'abc')\n\
             one, other = [os.open(p, os.O_RDWR | os.O_CREAT) for p in ['d/e/f', 'f']]\n\
             tries(*[write(fd) for fd in [one, other, one, other, one, other, one]])\n",
        );
        assert_eq!(told, "ok ok ok ok ENOSPC ok ENOSPC");
        assert_eq!(faults.fired(), [2]);
        let calls = here.mount.calls();
        assert_eq!((calls.counts[&CallKind::WriteAt], calls.counts[&CallKind::CreateNew]), (7, 2));
        let paths = calls.since_fault.iter().map(|call| (call.path.to_str().unwrap(), call.hit));
        assert_eq!(paths.collect::<Vec<_>>(), [("/d/e/f", true), ("/f", false), ("/d/e/f", true)]);
    });
}

#[test]
fn a_short_write_writes_the_beginning_and_says_how_much() {
    mounted(|here| {
        let faults = inject(&here, &[nth(Fault::ShortWrite, CallKind::WriteAt, 2).seed(3)]);
        let told = here.tries(
            "fd = os.open('f', os.O_RDWR | os.O_CREAT)\n\
             print(*[os.write(fd, b'x' * 1000) for n in range(3)], os.fstat(fd).st_size)\n",
        );
        let told: Vec<u64> = told.split(' ').map(|n| n.parse().unwrap()).collect();
        let [first, short, last, size] = told[..] else { panic!("{told:?}") };
        assert_eq!((first, last, size), (1000, 1000, 2000 + short));
        assert!((1..1000).contains(&short), "{short}");
        assert_eq!(faults.fired(), [1]);
        assert_eq!(here.mount.calls().since_fault[0].written as u64, short);
        here.assert_recorded();
    });
}

/// What a program sees of a failed sync, and of another one behind it.
fn failed_sync(how: FsyncFailure, expected: &'static [&'static str]) {
    mounted(move |here| {
        let faults = inject(&here, &[nth(Fault::FailedSync(how), CallKind::SyncAll, 2)]);
        let told = here.tries(
            "fd = os.open('f', os.O_RDWR | os.O_CREAT); other = os.open('f', os.O_RDWR)\n\
             print(os.pwrite(fd, b'old' * 2000, 0), tried(lambda: os.fsync(fd)))\n\
             print(os.pwrite(fd, b'NEW' * 3000, 0), tried(lambda: os.fsync(fd)))\n\
             look = os.pread(fd, 3, 0).decode()\n\
             print(look, os.fstat(fd).st_size, os.stat('f').st_size, os.lseek(fd, 0, 2))\n\
             print(*[tried(lambda: os.fsync(h)) for h in [fd, fd, other, other]])\n\
             late = os.open('f', os.O_RDWR); print(tried(lambda: os.fsync(late)))\n",
        );
        assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{how:?}");
        assert_eq!(faults.fired(), [1]);
        let dropped = here.ops().iter().any(|op| matches!(op, Op::SyncFailed { drops: true, .. }));
        assert_eq!(dropped, how != FsyncFailure::Redirty);
        here.assert_recorded();
    });
}

#[test]
fn a_failed_sync_does_what_its_file_system_does() {
    let ext4 = &["6000 ok", "9000 EIO", "NEW 9000 9000 9000", "ok ok EIO ok", "ok"];
    failed_sync(FsyncFailure::Ext4Ordered, ext4);
    failed_sync(FsyncFailure::Xfs, ext4);
    let late = &["6000 ok", "9000 ok", "NEW 9000 9000 9000", "EIO ok EIO ok", "ok"];
    failed_sync(FsyncFailure::Ext4Data, late);
    let back = &["6000 ok", "9000 EIO", "old 6000 6000 6000", "ok ok EIO ok", "ok"];
    failed_sync(FsyncFailure::Btrfs, back);
    let dirty = &["6000 ok", "9000 EIO", "NEW 9000 9000 9000", "ok ok ok ok", "ok"];
    failed_sync(FsyncFailure::Redirty, dirty);
}

#[test]
fn on_btrfs_a_write_goes_on_where_it_was_and_an_append_at_the_end_that_went_back() {
    mounted(|here| {
        let failed = Fault::FailedSync(FsyncFailure::Btrfs);
        inject(&here, &[nth(failed, CallKind::SyncData, 2)]);
        let told = here.tries(
            "f = os.open('f', os.O_RDWR | os.O_CREAT); g = os.open('g', os.O_RDWR | os.O_CREAT | os.O_APPEND)\n\
             os.write(f, b'one'); os.write(f, b'two'); print(tried(lambda: os.fsync(f)))\n\
             os.write(g, b'one'); os.fdatasync(g); os.write(g, b'two')\n\
             print(tried(lambda: os.fdatasync(g)))\n\
             os.write(g, b'three'); print(open('g', 'rb').read())\n",
        );
        assert_eq!(told, "ok\nEIO\nb'onethree'");
        here.assert_recorded();
    });
    mounted(|here| {
        let failed = Fault::FailedSync(FsyncFailure::Btrfs);
        inject(&here, &[nth(failed, CallKind::SyncAll, 1)]);
        let told = here.tries(
            "f = os.open('f', os.O_RDWR | os.O_CREAT)\n\
             os.write(f, b'one'); print(tried(lambda: os.fsync(f)))\n\
             os.write(f, b'two'); print(open('f', 'rb').read())\n",
        );
        assert_eq!(told, "EIO\nb'\\x00\\x00\\x00two'");
        here.assert_recorded();
    });
}

#[test]
fn a_write_that_is_a_barrier_is_a_write_and_a_sync() {
    let run = |rule: FaultRule, expected: &'static str, written: u64| {
        mounted(move |here| {
            let faults = inject(&here, &[rule]);
            let told = here.tries(
                "fd = os.open('f', os.O_RDWR | os.O_CREAT | os.O_DSYNC)\n\
                 tries(*[lambda: os.write(fd, b'abc')] * 3)\n\
                 print(os.fstat(fd).st_size)\n",
            );
            assert_eq!(told, format!("{expected}\n{written}"));
            assert_eq!(faults.fired(), [1]);
            let calls = here.mount.calls().counts;
            assert_eq!(calls[&CallKind::WriteAt], 3);
            here.assert_recorded();
        });
    };
    // The write is not made.
    run(nth(Fault::Errno(Errno::Enospc), CallKind::WriteAt, 2), "ok ENOSPC ok", 6);
    // It is made, and not durable; the program goes on where it was, over it.
    run(nth(Fault::Errno(Errno::Eio), CallKind::SyncData, 2), "ok EIO ok", 6);
    let failed = Fault::FailedSync(FsyncFailure::Ext4Ordered);
    run(nth(failed, CallKind::SyncData, 2), "ok EIO ok", 6);
    // This one is told of by the write behind it.
    let late = Fault::FailedSync(FsyncFailure::Ext4Data);
    run(nth(late, CallKind::SyncData, 1), "ok EIO ok", 6);
}

#[test]
fn pages_of_a_map_are_lost_by_the_sync_that_fails() {
    mounted(|here| {
        let failed = Fault::FailedSync(FsyncFailure::Ext4Ordered);
        let all = FaultRule::new(Fault::Errno(Errno::Enospc)).on(&[CallKind::WriteAt]);
        let faults = inject(&here, &[nth(failed, CallKind::SyncData, 1), all]);
        let told = here.tries(
            "import mmap\n\
             f = os.open('f', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 8192); m = mmap.mmap(f, 8192)\n\
             m[0:3] = b'new'\n\
             tries(m.flush, m.flush, lambda: os.write(f, b'abc'))\n",
        );
        // No rule for writes hits what the kernel writes back.
        assert_eq!(told, "EIO ok ENOSPC");
        assert_eq!(faults.fired(), [1, 1]);
        assert!(here.ops().iter().any(|op| matches!(op, Op::SyncFailed { drops: true, .. })));
        here.assert_recorded();
    });
}

#[test]
fn after_a_power_cut_nothing_works_and_nothing_is_recorded() {
    mounted(|here| {
        let cut = nth(Fault::PowerCut, CallKind::SyncAll, 2);
        let faults = inject(&here, &[cut]);
        let told = here.tries(
            "marks = os.open('.plugpull-marks', os.O_WRONLY | os.O_APPEND)\n\
             fd = os.open('f', os.O_RDWR | os.O_CREAT); os.mkdir('d')\n\
             def make(): os.write(fd, b'abc'); os.fsync(fd); os.write(marks, b'done\\n')\n\
             tries(make, make, make)\n\
             tries(lambda: os.write(fd, b'x'), lambda: os.pread(fd, 3, 0), lambda: os.mkdir('e'),\n\
             \x20     lambda: os.write(marks, b'y\\n'), lambda: open('g', 'w'), lambda: os.listdir('d'),\n\
             \x20     lambda: os.chmod('d', 0o700), lambda: os.stat('h'), lambda: os.statvfs('.'),\n\
             \x20     lambda: os.setxattr('f', 'user.a', b'b'), lambda: os.open('f', os.O_RDONLY))\n",
        );
        let (first, then) = told.split_once('\n').unwrap();
        assert_eq!(first, "ok EIO EIO");
        assert!(then.split(' ').all(|error| error == "EIO"), "{then}");
        assert_eq!((faults.fired(), faults.power_is_off()), (vec![1], true));
        let trace = here.trace();
        assert_eq!((trace.ops().count(), trace.events.len()), (5, 6));
    });
}

#[test]
fn a_slow_call_is_made_later() {
    mounted(|here| {
        let slow = Fault::SlowCall { micros: 200_000 };
        let faults = inject(&here, &[nth(slow, CallKind::SyncData, 2)]);
        let told = here.tries(
            "import time\n\
             fd = os.open('f', os.O_RDWR | os.O_CREAT)\n\
             def took(): begun = time.monotonic(); os.fdatasync(fd); return time.monotonic() - begun\n\
             first, second = took(), took(); print(second >= 0.2)\n",
        );
        assert_eq!((told.as_str(), faults.fired()), ("True", vec![1]));
    });
}

#[test]
fn a_read_may_have_one_bit_wrong_and_the_file_stays_as_it_was() {
    mounted(|here| {
        let faults = inject(&here, &[nth(Fault::BitFlip, CallKind::ReadAt, 2)]);
        let told = here.tries(
            "fd = os.open('f', os.O_RDWR | os.O_CREAT); os.write(fd, bytes(100))\n\
             print(*[sum(bin(byte).count('1') for byte in os.pread(fd, 100, 0)) for n in range(3)])\n",
        );
        assert_eq!((told.as_str(), faults.fired()), ("0 1 0", vec![1]));
        here.assert_recorded();
    });
}

#[test]
fn what_no_mount_can_play_is_refused() {
    mounted(|here| {
        let stale = Fault::StaleSector;
        for fault in [Fault::Sigkill, Fault::Errno(Errno::Enosys), stale] {
            let plan = FaultPlan { rules: vec![FaultRule::new(fault)] };
            let refused = here.mount.inject(Arc::new(Faults::new(&plan))).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
            assert!(refused.to_string().starts_with("no mount can "), "{refused}");
        }
        inject(&here, &[]);
        let again = here.mount.inject(Arc::new(Faults::new(&FaultPlan::default()))).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn a_plan_without_rules_only_counts_and_no_plan_does_nothing() {
    const WORK: &str = "import os\n\
        for n in range(20):\n\
        \x20   with open('f.tmp', 'wb') as f: f.write(b'x' * 5000); f.flush(); os.fsync(f.fileno())\n\
        \x20   os.rename('f.tmp', 'f'); d = os.open('.', 0); os.fsync(d); os.close(d)\n";
    mounted(|here| {
        here.python(WORK);
        let plain = here.ops().len();
        assert_eq!(here.mount.calls(), faultfs::Calls::default());
        inject(&here, &[]);
        here.python(WORK);
        assert_eq!(here.ops().len(), 2 * plain);
        let calls = here.mount.calls();
        for kind in [CallKind::CreateNew, CallKind::WriteAt, CallKind::SyncAll, CallKind::Rename] {
            assert_eq!(calls.counts[&kind], 20, "{kind:?}");
        }
        assert_eq!((calls.counts[&CallKind::SyncDir], calls.since_fault.len()), (20, 0));
        here.assert_recorded();
    });
}
