//! Programs in another language, and calls that std does not have: memory maps, locks, extended
//! attributes, listings.

use std::fs;

use faultfs::Op;

use super::{mounted, mounted_with};

#[test]
fn a_store_through_a_map_is_written_back_and_then_synced() {
    mounted(|here| {
        here.python(
            "import mmap, os\n\
             f = open('a', 'w+b'); f.truncate(20000)\n\
             m = mmap.mmap(f.fileno(), 20000); m[5000] = 1; m.flush(4096, 4096)\n",
        );
        let ops = here.ops();
        let stored = ops.iter().position(|op| matches!(op, Op::WriteBack { offset: 4096, .. }));
        let synced = ops.iter().position(|op| matches!(op, Op::SyncData { .. }));
        assert!(stored.is_some() && stored < synced, "{ops:?}");
        assert!(here.mount.seen().mapped_writes > 0);
        here.assert_recorded();
    });
}

#[test]
fn a_store_that_nobody_syncs_is_written_when_the_file_is_closed() {
    mounted(|here| {
        here.python(
            "import mmap, os\n\
             f = open('a', 'w+b'); f.truncate(5000)\n\
             m = mmap.mmap(f.fileno(), 5000); m[4999] = 7; m.close(); f.close()\n",
        );
        assert_eq!(here.disk.image().hash(), here.trace().image_after(usize::MAX).hash());
        assert_eq!(fs::read(here.path("a")).unwrap()[4999], 7);
        assert!(here.ops().iter().any(|op| matches!(op, Op::WriteBack { .. })));
    });
}

#[test]
fn flags_of_single_writes_are_barriers() {
    mounted(|here| {
        here.python(
            "import os\n\
             f = os.open('a', os.O_RDWR | os.O_CREAT)\n\
             os.pwritev(f, [b'abc', b'de'], 3, os.RWF_DSYNC)\n\
             os.pwritev(f, [b'abc'], 9, os.RWF_SYNC)\n",
        );
        let ranges = here.ops().into_iter().filter_map(|op| match op {
            Op::SyncRange { offset, len, all, .. } => Some((offset, len, all)),
            _ => None,
        });
        assert_eq!(ranges.collect::<Vec<_>>(), [(3, 5, false), (9, 3, true)]);
    });
}

#[test]
fn unnamed_files_are_refused_and_temporary_ones_work() {
    mounted(|here| {
        here.python(
            "import errno, os, tempfile\n\
             try:\n    os.open('.', os.O_TMPFILE | os.O_RDWR); assert False\n\
             except OSError as e:\n    assert e.errno == errno.EOPNOTSUPP, e\n\
             with tempfile.TemporaryFile(dir='.') as f:\n\
             \x20   f.write(b'abc'); f.seek(0); assert f.read() == b'abc'\n",
        );
        here.assert_recorded();
    });
}

#[test]
fn locks_hold_between_processes() {
    mounted(|here| {
        here.python(
            "import fcntl, os, subprocess, sys\n\
             f = open('a', 'w+')\n\
             other = 'import fcntl; f = open(\"a\", \"r+\"); fcntl.%s(f, fcntl.LOCK_EX | fcntl.LOCK_NB)'\n\
             for how in ['flock', 'lockf']:\n\
             \x20   lock = getattr(fcntl, how)\n\
             \x20   run = lambda: subprocess.run([sys.executable, '-c', other % how], stderr=-3).returncode\n\
             \x20   assert run() == 0\n\
             \x20   lock(f, fcntl.LOCK_EX); assert run() != 0\n\
             \x20   lock(f, fcntl.LOCK_UN); assert run() == 0\n",
        );
    });
}

#[test]
fn attributes_of_programs_are_kept() {
    mounted(|here| {
        here.python(
            "import errno, os\n\
             def fails(code, call, *args):\n\
             \x20   try: call(*args)\n\
             \x20   except OSError as e: assert e.errno == code, e\n\
             \x20   else: assert False\n\
             open('a', 'w').close()\n\
             fails(errno.ENODATA, os.getxattr, 'a', 'user.x')\n\
             fails(errno.ENODATA, os.setxattr, 'a', 'user.x', b'1', os.XATTR_REPLACE)\n\
             os.setxattr('a', 'user.x', b'1', os.XATTR_CREATE)\n\
             fails(errno.EEXIST, os.setxattr, 'a', 'user.x', b'1', os.XATTR_CREATE)\n\
             os.setxattr('a', 'user.x', b'2' * 5000); os.setxattr('a', 'user.y', b'')\n\
             assert os.getxattr('a', 'user.x') == b'2' * 5000\n\
             assert os.listxattr('a') == ['user.x', 'user.y']\n\
             os.removexattr('a', 'user.y')\n\
             fails(errno.ENODATA, os.removexattr, 'a', 'user.y')\n\
             fails(errno.ENOTSUP, os.setxattr, 'a', 'trusted.x', b'1')\n",
        );
        let set = here.ops().iter().filter(|op| matches!(op, Op::SetXattr { .. })).count();
        assert_eq!(set, 4);
        here.assert_recorded();
    });
}

#[test]
fn a_listing_stands_still_while_names_are_removed() {
    mounted(|here| {
        here.python(
            "import os\n\
             os.mkdir('d')\n\
             for n in range(10000): os.symlink('x', 'd/%d' % n)\n\
             seen = []\n\
             with os.scandir('d') as entries:\n\
             \x20   for entry in entries: seen.append(entry.name); os.unlink(entry.path)\n\
             assert sorted(map(int, seen)) == list(range(10000)), len(seen)\n\
             f = os.open('d', os.O_RDONLY)\n\
             assert os.listdir(f) == []\n\
             open('d/new', 'w').close()\n\
             assert os.listdir(f) == ['new']\n\
             os.close(f)\n",
        );
        here.assert_recorded();
    });
}

#[test]
fn others_own_what_they_make() {
    mounted(|here| {
        here.python(
            "import os\n\
             os.umask(0o027)\n\
             os.mkdir('open'); os.chmod('open', 0o777); os.chmod('.', 0o755)\n\
             open('mine', 'w').write('x')\n\
             assert os.stat('mine').st_mode == 0o100640\n\
             os.mkdir('group'); os.chown('group', 0, 77); os.chmod('group', 0o2777)\n\
             os.setresgid(1234, 1234, 1234); os.setresuid(1234, 1234, 1234)\n\
             open('open/theirs', 'w').close()\n\
             found = os.stat('open/theirs'); assert (found.st_uid, found.st_gid) == (1234, 1234)\n\
             os.mkdir('group/sub'); found = os.stat('group/sub')\n\
             assert found.st_gid == 77 and found.st_mode & 0o2000\n",
        );
        here.python(
            "import os\n\
             os.chown('open/theirs', 7, 8); found = os.stat('open/theirs')\n\
             assert (found.st_uid, found.st_gid) == (7, 8)\n\
             os.utime('mine', (1, 2)); assert os.stat('mine').st_mtime == 2\n\
             assert os.statvfs('.').f_bavail > 1000\n",
        );
        here.assert_recorded();
    });
}

#[test]
fn root_alone_may_do_everything_but_run_what_nobody_may() {
    mounted_with(
        |options| options.allow_other = false,
        |here| {
            here.python(
                "import os\n\
                 open('a', 'w').write('#!/bin/sh\\n'); os.chmod('a', 0)\n\
                 assert os.access('a', os.R_OK | os.W_OK) and not os.access('a', os.X_OK)\n\
                 assert open('a').read()\n\
                 os.chmod('a', 0o100); assert os.access('a', os.X_OK)\n",
            );
            here.run("./a", &[]);
            here.assert_recorded();
        },
    );
}

#[test]
fn what_an_image_cannot_hold_is_refused_and_counted() {
    mounted(|here| {
        here.python(
            "import errno, os, socket\n\
             for call in [lambda: os.mkfifo('f'), lambda: socket.socket(socket.AF_UNIX).bind('s')]:\n\
             \x20   try: call()\n\
             \x20   except OSError as e: assert e.errno == errno.EPERM, e\n\
             \x20   else: assert False\n\
             os.mknod('regular')\n",
        );
        let seen = here.mount.seen();
        assert_eq!(seen.refused["mknod of a FIFO"], 1);
        assert_eq!(seen.refused["mknod of a socket"], 1);
        assert_eq!(here.ops().len(), 1);
    });
}

#[test]
fn appenders_in_several_processes_lose_nothing() {
    mounted(|here| {
        let code = "import os\n\
            f = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n\
            for n in range(300): os.write(f, b'x' * 99 + b'\\n')\n";
        fs::write(here.path("code.py"), code).unwrap();
        here.run("sh", &["-c", "python3 code.py & python3 code.py & python3 code.py & wait"]);
        let log = fs::read(here.path("log")).unwrap();
        assert_eq!(log.len(), 90_000);
        assert!(log.chunks(100).all(|line| line.ends_with(b"xx\n")));
        here.assert_recorded();
    });
}
