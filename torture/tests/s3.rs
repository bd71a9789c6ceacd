//! `plugpull store` with packs in a bucket, against the service that the store's own S3 tests start.
//!
//! `cargo test -p plugpull --features s3 --test s3`; says "not measured" without `python3 -m moto.server`, or fails
//! with `PLUGPULL_REQUIRE_ALL=1`.
#![expect(clippy::unwrap_used, reason = "what the fixtures need and do not get fails the test")]
#![expect(clippy::disallowed_methods, reason = "files beside the store")]

#[path = "../../store/tests/s3/http.rs"]
mod http;
#[path = "../../store/tests/s3/server.rs"]
mod server;

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs `plugpull store` in `desk`, with the variables that S3 tools read.
fn store(desk: &TempDir, service: SocketAddr, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plugpull"));
    command
        .arg("store")
        .args(args)
        .current_dir(desk.path())
        .env("AWS_ENDPOINT_URL", format!("http://{service}"))
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env_remove("AWS_REGION");
    command
}

/// What it prints, without the end of the line.
fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn refused(command: &mut Command, code: i32, why: &str) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(stdout.is_empty() && stderr.contains(why), "{stderr}");
}

#[test]
fn a_pack_in_a_bucket_is_fetched_read_listed_and_swept() {
    let Some(service) = server::start() else { return };
    let made = http::request("PUT", &format!("http://{service}/from-the-shell"), true);
    assert_eq!(made.status, 200);
    let desk = TempDir::new().unwrap();
    fs::write(desk.path().join("a.txt"), "a file").unwrap();
    let run = |args: &[&str]| told(&mut store(&desk, service, args));
    run(&["init", "one"]);
    run(&["init", "other"]);
    let commit = run(&["commit", "one", "-m", "first", "a.txt"]);

    let place = ["--packs", "s3://from-the-shell/packs"];
    let fetch = [&["fetch-pack", "one", "main", "--ttl", "30s"][..], &place].concat();
    let url = run(&fetch);
    assert!(url.contains("/from-the-shell/packs/") && url.contains("X-Amz-Expires=30"), "{url}");
    let read = http::request("GET", &url, false);
    assert_eq!(read.status, 200);
    fs::write(desk.path().join("main.pack"), read.body).unwrap();
    assert_eq!(run(&["import-pack", "other", "main.pack"]), commit);

    let leases = run(&["leases", "one"]);
    assert!(leases.ends_with("in s3://from-the-shell/packs"), "{leases}");
    let own = run(&["sweep-packs", "one"]);
    assert_eq!(own, "deleted 0 packs, kept 0\nnote: 1 leases are of packs in other places");
    let swept = run(&[&["sweep-packs", "one"][..], &place].concat());
    assert_eq!(swept, "deleted 0 packs, kept 1");
}

#[test]
fn who_asks_and_where_must_be_told() {
    let Some(service) = server::start() else { return };
    let desk = TempDir::new().unwrap();
    fs::write(desk.path().join("a.txt"), "a file").unwrap();
    told(&mut store(&desk, service, &["init", "one"]));
    told(&mut store(&desk, service, &["commit", "one", "-m", "first", "a.txt"]));
    let fetch = ["fetch-pack", "one", "main", "--packs", "s3://no-such-bucket"];
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let why = format!("{name} is not set");
        refused(store(&desk, service, &fetch).env_remove(name), 2, &why);
    }
    refused(&mut store(&desk, service, &fetch), 96, "no-such-bucket");
}
