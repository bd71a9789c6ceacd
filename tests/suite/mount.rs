//! Programs on a mounted disk: what they see is what a real disk shows, and what they do is in the
//! Trace.
//!
//! Each test has a thread with a mount namespace of its own, so that nothing leaks. Not for what a
//! crash leaves of a Trace: see `litmus`.

mod calls;
mod ends;
mod faults;
mod long;
mod marks;
mod programs;
mod random;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use faultfs::{DiskImage, Mount, MountHelper, MountOptions, Op, Seen, SimFs, Trace};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use crate::machine::may_mount;

/// A mounted disk and the directory it is mounted over.
struct Mounted {
    disk: SimFs,
    mount: Mount,
    dir: TempDir,
}

/// Runs a test with an empty disk, mounted in a mount namespace of its own.
#[track_caller]
fn mounted(test: impl FnOnce(Mounted) + Send + 'static) {
    mounted_with(|_| {}, test);
}

#[track_caller]
fn mounted_with(
    change: impl FnOnce(&mut MountOptions) + Send + 'static,
    test: impl FnOnce(Mounted) + Send + 'static,
) {
    if !may_mount() {
        return;
    }
    let run = move || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let dir = TempDir::new().unwrap();
        let mut options = options(dir.path());
        change(&mut options);
        let disk = SimFs::on_machine_clock(DiskImage::new());
        let mount = Mount::open(&disk, &options, Box::new(|_| {})).unwrap();
        test(Mounted { disk, mount, dir });
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

fn options(at: &Path) -> MountOptions {
    MountOptions {
        at: at.to_owned(),
        cpu: None,
        memory: 1 << 30,
        owner: (0, 0),
        helper: MountHelper::Direct,
        allow_other: true,
        name: MountOptions::NAME.to_owned(),
        check_permissions: false,
    }
}

impl Mounted {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn trace(&self) -> Trace {
        self.disk.trace()
    }

    fn ops(&self) -> Vec<Op> {
        self.trace().ops().cloned().collect()
    }

    /// Runs a program in the mounted directory; it must succeed. Returns what it writes to its standard
    /// output, which is no file of the mount.
    #[track_caller]
    fn run(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command.args(args).current_dir(self.dir.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn python(&self, code: &str) -> String {
        self.run("python3", &["-c", code])
    }

    /// The trace must lead to the disk, and the disk must be what a walk over the mount finds.
    #[track_caller]
    fn assert_recorded(&self) {
        let trace = self.trace();
        let again = trace.image_after(trace.events.len());
        assert_eq!(again.hash(), self.disk.image().hash(), "the trace leads elsewhere");
        let seen = DiskImage::read_in(self.dir.path()).unwrap();
        assert_eq!(seen.hash(), again.hash(), "{:?}", seen.diff(&again));
    }

    #[track_caller]
    fn close(self) -> Seen {
        self.mount.close().unwrap()
    }
}
