//! The FUSE protocol: each request of the kernel is handed on, and its answer is sent.
//!
//! Not for deciding anything: what a request does is in `names`, `content` and `attributes`. What is not
//! here is answered with `ENOSYS`, upon which the kernel does without: flush (it has written back what
//! was stored through maps by then), locks (kept by the kernel itself), `copy_file_range` (comes as
//! writes), lseek for holes (the kernel knows pages that we were not sent yet).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::answer::{attributes, data, empty, entry, maker, sized};
use super::attributes::{FOR_EVER, NewAttributes, list_xattrs};
use super::content::{Write, is_barrier};
use super::handles::Served;
use super::marks::Special;
use super::shared::{Shared, lock};
use crate::{CallKind, FileKind, Inode};

/// The most bytes of one write; more the kernel does not send (`fs.fuse.max_pages_limit`).
const LARGEST_WRITE: u32 = 1 << 20;

/// ioctls that ask what a terminal is like; libraries try them on every file.
const TERMINAL: [u32; 2] = [0x5401, 0x5413];

impl Filesystem for Served {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.direct = config.add_capabilities(InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP).is_ok();
        // Without it the kernel asks for an extended attribute before each write through the cache.
        let _ = config.add_capabilities(InitFlags::FUSE_HANDLE_KILLPRIV_V2);
        let _ = config.set_max_write(LARGEST_WRITE);
        let mut seen = self.shared.seen();
        seen.direct_mmap = self.direct;
        seen.split_writes_possible = !self.direct;
        Ok(())
    }

    fn lookup(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        entry(
            reply,
            match at.and_then(|at| shared.look_up(disk, at)) {
                // What is not there is remembered as well: inode 0 says so.
                Ok(None) => {
                    Ok(FileAttr { ino: INodeNo(0), ..shared.special_attributes(Special::Marks) })
                }
                Ok(Some(found)) => Ok(found),
                Err(e) => Err(e),
            },
        );
    }

    fn forget(&self, req: &Request, ino: INodeNo, nlookup: u64) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        // What was known before a power cut is forgotten already.
        if let Ok(inode) = shared.inode(disk, ino) {
            shared.forget(disk, inode, nlookup);
        }
    }

    fn getattr(&self, req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        attributes(reply, inode.and_then(|inode| shared.attributes(disk, inode)));
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let shared = self.shared();
        let set = if let Some(special) = Special::of(Inode(ino.0)) {
            if let Some(len) = size {
                shared.marks.set_len(special, len);
            }
            Ok(shared.special_attributes(special))
        } else {
            let disk = &mut *shared.disk_for(req.pid());
            let new = NewAttributes { mode, uid, gid, len: size, modified };
            shared.inode(disk, ino).and_then(|inode| {
                shared.set_attributes(disk, inode, &new)?;
                shared.attributes(disk, inode)
            })
        };
        attributes(reply, set);
    }

    fn readlink(&self, req: &Request, ino: INodeNo, reply: ReplyData) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        data(reply, inode.and_then(|inode| shared.read_link(disk, inode)));
    }

    fn mknod(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        entry(reply, at.and_then(|at| shared.mknod(disk, at, (maker(req), mode))));
    }

    fn mkdir(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        let new = (maker(req), FileKind::Dir, mode);
        entry(reply, at.and_then(|at| shared.make_node(disk, at, new)));
    }

    fn unlink(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        empty(reply, at.and_then(|at| shared.remove(disk, at, false)));
    }

    fn rmdir(&self, req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        empty(reply, at.and_then(|at| shared.remove(disk, at, true)));
    }

    fn symlink(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        let target = target.as_os_str().as_bytes();
        entry(reply, at.and_then(|at| shared.symlink(disk, at, (maker(req), target))));
    }

    fn rename(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let renamed = shared.inodes(disk, [parent, newparent]).and_then(|[dir, new]| {
            let both = ((dir, name.as_bytes()), (new, newname.as_bytes()));
            shared.rename(disk, both, flags)
        });
        empty(reply, renamed);
    }

    fn link(
        &self,
        req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let both = shared.inodes(disk, [ino, newparent]);
        let linked =
            both.and_then(|[inode, dir]| shared.link(disk, inode, (dir, newname.as_bytes())));
        entry(reply, linked);
    }

    fn open(&self, req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if Special::of(Inode(ino.0)).is_some() {
            return reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
        }
        match self.open_inode(req, ino) {
            Ok(handle) => reply.opened(FileHandle(handle), self.how_opened()),
            Err(e) => reply.error(e.into()),
        }
    }

    fn read(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        data(reply, inode.and_then(|inode| shared.read(disk, inode, offset, size)));
    }

    fn write(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        bytes: &[u8],
        write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let write = Write {
            offset,
            bytes,
            flags: flags.0,
            mapped: write_flags.contains(WriteFlags::FUSE_WRITE_CACHE),
            drop_privileges: write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID),
        };
        let shared = self.shared();
        let written = if let Some(special) = Special::of(Inode(ino.0)) {
            shared.write_special(special, &write)
        } else {
            let disk = &mut *shared.disk_for(req.pid());
            let inode = shared.inode(disk, ino);
            inode.and_then(|inode| shared.write(disk, (inode, fh.0), &write))
        };
        // Through the page cache the kernel sends a sync of the whole file behind a write that succeeds.
        if !self.direct && !write.mapped && is_barrier(flags.0) && written.is_ok() {
            lock(&self.synced).insert(fh.0);
        }
        match written {
            Ok(len) => reply.written(u32::try_from(len).unwrap_or(u32::MAX)),
            Err(e) => reply.error(e.into()),
        }
    }

    fn release(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.close(req, ino, fh.0);
        reply.ok();
    }

    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        let shared = self.shared();
        let is_part = !self.direct && lock(&self.synced).remove(&fh.0);
        if is_part || Special::of(Inode(ino.0)).is_some() {
            return reply.ok();
        }
        let disk = &mut *shared.disk_for(req.pid());
        let inode = shared.opened(disk, ino, fh.0);
        empty(reply, inode.and_then(|inode| shared.sync(disk, inode, fh.0, datasync)));
    }

    fn opendir(&self, req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.open_inode(req, ino) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(e) => reply.error(e.into()),
        }
    }

    fn readdir(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let asked = shared.opened(disk, ino, fh.0).and_then(|dir| {
            // The rest of a listing was taken with its beginning.
            if offset == 0 {
                shared.ask(disk, CallKind::ReadDir, dir)?;
            }
            Ok(dir)
        });
        match asked {
            Ok(dir) => {
                lock(&self.listings).read((shared, disk, dir), fh.0, offset, &mut reply);
                reply.ok();
            }
            Err(e) => reply.error(e.into()),
        }
    }

    fn releasedir(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        lock(&self.listings).close(fh.0);
        self.close(req, ino, fh.0);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let inode = shared.opened(disk, ino, fh.0);
        empty(reply, inode.and_then(|inode| shared.sync(disk, inode, fh.0, datasync)));
    }

    fn statfs(&self, req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let shared = self.shared();
        if shared.has_power().is_err() {
            return reply.error(Errno::EIO);
        }
        let used = shared.disk_for(req.pid()).recorded();
        let (all, free) = (shared.memory / 4096, shared.memory.saturating_sub(used) / 4096);
        reply.statfs(all, free, free, 1 << 32, 1 << 32, 4096, 255, 4096);
    }

    fn setxattr(
        &self,
        req: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let new = (name.as_bytes(), value);
        let inode = shared.inode(disk, ino);
        empty(reply, inode.and_then(|inode| shared.set_xattr(disk, inode, new, flags)));
    }

    fn getxattr(&self, req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        sized(reply, size, inode.and_then(|inode| shared.xattr(disk, inode, name.as_bytes())));
    }

    fn listxattr(&self, req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let inode = shared.has_power().and_then(|()| shared.inode(disk, ino));
        sized(reply, size, inode.map(|inode| list_xattrs(disk, inode)));
    }

    fn removexattr(&self, req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        empty(reply, inode.and_then(|inode| shared.remove_xattr(disk, inode, name.as_bytes())));
    }

    /// Asked only where nobody but root is here: who may do everything, but run what nobody may run.
    fn access(&self, req: &Request, ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        let shared = self.shared();
        let disk = &*shared.disk_for(req.pid());
        let runs = mask.contains(AccessFlags::X_OK);
        let inode = shared.inode(disk, ino);
        empty(reply, inode.and_then(|inode| Shared::may(disk, inode, runs)));
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let shared = self.shared();
        let disk = &mut *shared.disk_for(req.pid());
        let at = shared.inode(disk, parent).map(|dir| (dir, name.as_bytes()));
        let new = (maker(req), FileKind::File, mode);
        match at.and_then(|at| shared.make_open(disk, at, new)) {
            Ok((file, handle)) => {
                let handle = FileHandle(handle);
                reply.created(&FOR_EVER, &file, Generation(0), handle, self.how_opened());
            }
            Err(e) => reply.error(e.into()),
        }
    }

    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        if !TERMINAL.contains(&cmd) {
            self.shared().seen().refuse("ioctl");
        }
        reply.error(Errno::ENOTTY);
    }

    fn fallocate(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let shared = self.shared();
        if Special::of(Inode(ino.0)).is_some() {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let disk = &mut *shared.disk_for(req.pid());
        let inode = shared.inode(disk, ino);
        empty(reply, inode.and_then(|inode| shared.allocate(disk, inode, (offset, length), mode)));
    }
}
