//! The service: moto's server, one for all tests of this process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Ends with its standard input, which the kernel closes when the test process is gone, however that ends.
const PROGRAM: &str = "\
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])";

/// How often it is looked whether the server answers, and how long to wait in between.
const LOOKS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Its address; `None` where it cannot be had.
pub(crate) fn start() -> Option<SocketAddr> {
    static SERVER: OnceLock<Option<(SocketAddr, Child)>> = OnceLock::new();
    let server = SERVER.get_or_init(launch).as_ref().map(|(address, _)| *address);
    if server.is_none() {
        let required = std::env::var_os("PLUGPULL_REQUIRE_ALL").is_some_and(|all| all == "1");
        assert!(!required, "not measured, and PLUGPULL_REQUIRE_ALL=1: there is no moto.server");
        eprintln!("not measured: there is no `python3 -m moto.server`; ci/machine.sh installs it");
    }
    server
}

fn launch() -> Option<(SocketAddr, Child)> {
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| has_moto(python))?;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = Command::new(python)
        .args(["-c", PROGRAM, &port.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..LOOKS {
        if TcpStream::connect(port).is_ok() {
            return Some((port, child));
        }
        assert!(child.try_wait().unwrap().is_none(), "the server has ended");
        thread::sleep(PAUSE);
    }
    let _ = child.kill();
    panic!("the server did not answer within a minute");
}

fn has_moto(python: &str) -> bool {
    let found = Command::new(python)
        .args(["-c", "import flask, flask_cors, moto.server"])
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}
