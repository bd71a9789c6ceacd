//! The control socket: where it is, that it is ours alone, and how a request gets through it.
//!
//! Not for what is said (`protocol`).
#![expect(
    clippy::disallowed_methods,
    reason = "sockets and their directory, which no store is over"
)]

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;
use plugpull_store::ObjectId;

use super::mounts::Listed;
use super::{Request, Response};
use crate::exit::Failure;

/// Most bytes of a socket's path: unix(7), `sun_path`, without the NUL.
const LONGEST_PATH: usize = 107;

/// What group and others may do.
const OTHERS: u32 = 0o077;

/// Digits that tell directories apart.
const DIGITS: usize = 16;

/// A socket that we listen at; gone on drop.
pub(crate) struct Door {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    /// The directory that we made for such sockets, if it was our place for one.
    dir: Option<PathBuf>,
}

/// Where the socket of a directory's disk is unless somebody says otherwise.
pub(crate) fn default_path(dir: &Path) -> PathBuf {
    let id = ObjectId::of(dir.as_os_str().as_bytes());
    own_dir().join(format!("{}.sock", &id.hex()[..DIGITS]))
}

fn own_dir() -> PathBuf {
    std::env::temp_dir().join(format!("plugpull-mounts-{}", geteuid()))
}

impl Door {
    /// Makes the socket, with mode 0600. One that a killed plugpull left is replaced, and that is told. The
    /// process must have one thread, since the mode of new files is changed for a moment.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path).map_err(|e| Failure::system("find the socket", e))?;
        check_path(&path)?;
        let dir = path.parent().filter(|dir| *dir == own_dir()).map(Path::to_owned);
        if let Some(dir) = &dir {
            make_own(dir)?;
        }
        replace_stale(&path)?;
        let before = umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(&path);
        umask(before);
        let listener = listener.map_err(|e| match e.kind() {
            ErrorKind::AddrInUse => in_use(&path),
            ErrorKind::NotFound => Failure::Usage(format!(
                "cannot make the socket {}: its directory is not there; --socket names another one",
                path.display()
            )),
            _ => Failure::system(format!("make the socket {}", path.display()), e),
        })?;
        Ok(Self { listener, path, dir })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Somebody may have taken it away; the directory may hold other sockets.
        let _ = fs::remove_file(&self.path);
        if let Some(dir) = &self.dir {
            let _ = fs::remove_dir(dir);
        }
    }
}

fn check_path(path: &Path) -> Result<(), Failure> {
    let (bytes, shown) = (path.as_os_str().as_bytes(), path.display());
    if bytes.len() > LONGEST_PATH {
        return Err(Failure::Usage(format!(
            "the path of the socket has {} bytes, and the system takes no more than {LONGEST_PATH}: \
             {shown}; --socket names a shorter one",
            bytes.len()
        )));
    }
    if bytes.iter().any(|byte| b",\\\n".contains(byte)) || path.to_str().is_none() {
        return Err(Failure::Usage(format!(
            "the path of the socket must be UTF-8 without comma and backslash: {shown}; --socket names another \
             one"
        )));
    }
    Ok(())
}

/// A directory for sockets that nobody else can put anything into.
fn make_own(dir: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::system(format!("make {}", dir.display()), e));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(dir);
    let found = found.map_err(|e| Failure::system(format!("look at {}", dir.display()), e))?;
    if found.is_dir()
        && found.uid() == geteuid().as_raw()
        && found.permissions().mode() & OTHERS == 0
    {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{} is no directory of yours alone; remove it, or name a socket elsewhere with --socket",
        dir.display()
    )))
}

/// Takes a socket away at which nobody listens.
fn replace_stale(path: &Path) -> Result<(), Failure> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(Failure::Usage(format!(
            "{} is there and no socket; --socket names another one",
            path.display()
        )));
    }
    match UnixStream::connect(path) {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            eprintln!(
                "plugpull: {} was left by a plugpull that was killed; replaced",
                path.display()
            );
            fs::remove_file(path)
                .map_err(|e| Failure::system(format!("remove {}", path.display()), e))
        }
        _ => Err(in_use(path)),
    }
}

fn in_use(path: &Path) -> Failure {
    Failure::Usage(format!(
        "another plugpull listens at {}; end it with `plugpull ctl DIR unmount`, or name another socket with \
         --socket",
        path.display()
    ))
}

/// Sends a request to a disk and waits for its answer.
pub(crate) fn ask(
    disk: &Listed,
    request: &Request,
    patience: Duration,
) -> Result<Response, Failure> {
    let at = disk.at.display();
    let mut stream = UnixStream::connect(&disk.socket).map_err(|e| match e.kind() {
        ErrorKind::PermissionDenied => Failure::Machine(format!(
            "the disk over {at} is another user's, who alone can use {}; try sudo",
            disk.socket.display()
        )),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::Machine(format!(
            "the disk over {at} has no control socket any more ({}); {}, then mount it again",
            disk.socket.display(),
            disk.mend()
        )),
        _ => Failure::system(format!("connect to {}", disk.socket.display()), e),
    })?;
    let spoke = exchange(&mut stream, &request.to_line()?, patience);
    let line = spoke.map_err(|e| match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::Machine(format!(
            "the plugpull that keeps the disk over {at} did not answer within {}; is it stopped, or busy with a \
             long record? --timeout allows more",
            humantime::format_duration(patience)
        )),
        _ => Failure::system(format!("talk to the plugpull that keeps the disk over {at}"), e),
    })?;
    if line.is_empty() {
        return Err(Failure::Machine(format!(
            "the plugpull that keeps the disk over {at} ended without an answer"
        )));
    }
    Response::of_line(&line)
}

fn exchange(stream: &mut UnixStream, request: &str, patience: Duration) -> io::Result<String> {
    // No time at all would mean for ever.
    let patience = patience.max(Duration::from_millis(1));
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let said = stream.write_all(request.as_bytes());
    // Whoever is refused at once gets the reason although nobody listens to the request.
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    if line.is_empty() { said.and(read).map(|_| line) } else { Ok(line) }
}
