//! A proxy before the service that can make it fail.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It reaches the service.
    Forward,
    /// The connection is closed at once.
    Refuse,
    /// It is read, and nothing is ever answered.
    Silent,
    /// It is answered with status 500.
    Error,
}

/// A proxy on a port of its own. Its threads end with the test process.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    mode: Mutex<Mode>,
    /// Requests that did not reach the service.
    hits: AtomicU64,
}

impl Proxy {
    /// Forwards everything until told otherwise.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(State { server, mode: Mutex::new(Mode::Forward), hits: AtomicU64::new(0) });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&state, client));
            }
        });
        Self { address, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    pub(crate) fn hits(&self) -> u64 {
        self.state.hits.load(Ordering::Relaxed)
    }
}

/// One connection: request by request, since the mode may change between two of them.
fn serve(state: &State, mut client: TcpStream) {
    while let Ok(Some(request)) = read_message(&mut client) {
        let mode = *state.mode.lock().unwrap();
        if mode != Mode::Forward {
            state.hits.fetch_add(1, Ordering::Relaxed);
        }
        let answered = match mode {
            Mode::Forward => forward(state.server, &request, &mut client),
            Mode::Refuse => Err(io::ErrorKind::ConnectionAborted.into()),
            // Until the client gives up.
            Mode::Silent => client.read(&mut [0; 1]).map(drop),
            Mode::Error => {
                client.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
            }
        };
        if answered.is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Passes a request on over a connection of its own, and the whole answer back.
fn forward(server: SocketAddr, request: &[u8], client: &mut TcpStream) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    server.write_all(request)?;
    server.shutdown(Shutdown::Write)?;
    io::copy(&mut server, client)?;
    // The service may have ended the answer by closing.
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// A head and as many bytes behind it as it says; `None` at the end of the connection.
fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut byte = [0];
    while !message.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        message.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&message).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    message.extend(body);
    Ok(Some(message))
}
