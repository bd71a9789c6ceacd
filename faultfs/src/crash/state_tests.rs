//! Tests of crash states: a token names exactly one state, and says when it names none.

use std::ops::ControlFlow;
use std::path::Path;

use crate::{CrashState, DiskImage, Fs, FsFile, Legal, Model, PersistOrder, SimFs, Trace, Window};

/// Three files, the second of them synced.
fn run() -> Trace {
    let disk = SimFs::new();
    for name in ["/a", "/b", "/c"] {
        let file = disk.create_new(Path::new(name), 0o644).unwrap();
        file.write_all_at(name.as_bytes(), 0).unwrap();
        if name == "/b" {
            file.sync_all().unwrap();
        }
    }
    disk.trace()
}

fn order(model: &str) -> PersistOrder {
    PersistOrder::new(&run(), Model::preset(model).unwrap())
}

#[test]
fn every_state_is_found_again_by_its_token() {
    for model in Model::names() {
        let order = order(model);
        let mut window = Window::first(&order);
        while window.advance() {
            let _all = Legal::all(&window).visit::<()>(&mut |image: &DiskImage, survives| {
                let state = CrashState::new(&window, survives);
                let again: CrashState = state.to_string().parse().unwrap();
                assert_eq!(again, state);
                assert_eq!(again.find(&order).unwrap().1, survives);
                assert_eq!(again.image(&order).unwrap().hash(), image.hash());
                ControlFlow::Continue(())
            });
        }
    }
}

#[test]
fn what_is_no_token_of_this_run_is_told() {
    let posix = order("posix");
    let digest = posix.digest();
    let error = |token: String| match token.parse::<CrashState>() {
        Ok(state) => state.image(&posix).unwrap_err().to_string(),
        Err(e) => e.to_string(),
    };
    let not =
        ["", "pp1", "pp2:posix:1:2:-", "pp1:posix:xyz:2:-", "pp1:posix:1:2:0", "pp1:posix:1:2:-a"];
    for token in not {
        assert!(error(token.to_owned()).contains("is no replay token"), "{token}");
    }
    let other = order("ext4").digest();
    assert!(error(format!("pp1:ext4:{other:016x}:2:-")).contains("of another run"));
    assert!(error(format!("pp1:posix:{digest:016x}:99:-")).contains("has 7 events"));
    assert!(error(format!("pp1:posix:{digest:016x}:2:-17")).contains("effects are pending"));
    // The length cannot survive without nothing; under ext4 its bytes are needed.
    let ext4 = order("ext4");
    let token = format!("pp1:ext4:{:016x}:2:-1", ext4.digest());
    let state: CrashState = token.parse().unwrap();
    assert!(state.image(&ext4).unwrap_err().to_string().contains("without what it needs"));
}
