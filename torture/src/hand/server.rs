//! Listening at the control socket: each connection has a thread that takes requests in and answers out, and
//! one queue brings them to whoever keeps the disk.
//!
//! A client that says nothing, never ends its line or does not read its answer keeps nobody else waiting. Not for
//! doing anything (`session`).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::{Request, Response};
use crate::exit::{Exit, Failure};

/// Most clients at a time.
const MOST_CLIENTS: usize = 32;

/// How long a client may say nothing, or not read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of a request.
const LONGEST: u64 = 1 << 20;

/// A request that waits to be done.
pub(crate) struct Call {
    pub(crate) request: Request,
    answer: Sender<Response>,
    written: Receiver<()>,
}

impl Call {
    /// Answers it; waits until the client has the answer where that is asked for, within reason.
    pub(crate) fn answer(self, response: Response, wait: bool) {
        // The client may be gone.
        let sent = self.answer.send(response).is_ok();
        if sent && wait {
            let _ = self.written.recv_timeout(PATIENCE);
        }
    }
}

/// Listens until the process ends; what is asked for comes out of the returned end.
pub(crate) fn listen(listener: &UnixListener) -> Result<Receiver<Call>, Failure> {
    let system = |e| Failure::system("listen at the control socket", e);
    let listener = listener.try_clone().map_err(system)?;
    let (calls, called) = channel();
    let listen = move || {
        let clients = Arc::new(());
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => receive(stream, &calls, &clients),
                // Out of files for a moment: what is open will be closed.
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    let thread = thread::Builder::new().name("plugpull-control".to_owned()).spawn(listen);
    thread.map_err(system)?;
    Ok(called)
}

/// Gives a client a thread, or tells it why not. Each client has a clone of `clients`.
fn receive(mut stream: UnixStream, calls: &Sender<Call>, clients: &Arc<()>) {
    let timed = stream.set_read_timeout(Some(PATIENCE));
    if timed.and_then(|()| stream.set_write_timeout(Some(PATIENCE))).is_err() {
        return;
    }
    if Arc::strong_count(clients) > MOST_CLIENTS {
        let error = format!("{MOST_CLIENTS} clients are connected already; close some of them");
        let _ = say(&mut stream, &Response::Refused { error, exit: Exit::Environment });
        return;
    }
    let (calls, client) = (calls.clone(), Arc::clone(clients));
    // Without a thread the client sees that the connection is closed.
    let _ = thread::Builder::new().spawn(move || {
        let _ = talk(stream, &calls);
        drop(client);
    });
}

/// Takes requests until the client is done, or something is wrong with one of them.
fn talk(mut stream: UnixStream, calls: &Sender<Call>) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    loop {
        let refused = |error: String| Response::Refused { error, exit: Exit::Usage };
        let mut line = Vec::new();
        let read = requests.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(()),
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) if line.len() as u64 == LONGEST => {
                return say(
                    &mut stream,
                    &refused(format!("a request has at most {LONGEST} bytes")),
                );
            }
            Ok(_) => {
                return say(
                    &mut stream,
                    &refused("the request has no newline at its end".to_owned()),
                );
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let limit = humantime::format_duration(PATIENCE);
                return say(&mut stream, &refused(format!("no request came within {limit}")));
            }
            Err(e) => return Err(e),
        }
        let request = match Request::of_line(&line) {
            Ok(request) => request,
            Err(failure) => {
                say(&mut stream, &Err(failure).into())?;
                continue;
            }
        };
        let (answer, answered) = channel();
        let (wrote, written) = channel();
        let gone = || io::Error::from(ErrorKind::ConnectionAborted);
        calls.send(Call { request, answer, written }).map_err(|_| gone())?;
        let response = answered.recv().map_err(|_| gone())?;
        say(&mut stream, &response)?;
        // Nobody may be waiting for that.
        let _ = wrote.send(());
    }
}

fn say(stream: &mut UnixStream, response: &Response) -> io::Result<()> {
    let line = response.to_line().map_err(|e| io::Error::other(e.to_string()))?;
    stream.write_all(line.as_bytes())
}
