//! Random operations: the simulated disk held against the real one through the kernel, and random I/O
//! on one file held against a plain vector, with the stores of memory maps among it.
//!
//! `PLUGPULL_FSX_SECONDS` says how long the I/O goes on; a second unless told.

use std::path::Path;
use std::time::{Duration, Instant};

use faultfs::RealFs;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::mounted;
use crate::conformance::{assert_agrees, call};

#[test]
fn every_call_answers_as_on_the_real_disk_through_the_kernel() {
    mounted(|here| {
        let calls = prop::collection::vec(call(), 1..120);
        let mut runner = TestRunner::deterministic();
        for case in 0..200 {
            let root = here.path(&case.to_string());
            std::fs::create_dir(&root).unwrap();
            let calls = calls.new_tree(&mut runner).unwrap().current();
            assert_agrees(&RealFs, &root, &calls);
        }
        here.assert_recorded();
    });
}

#[test]
fn random_io_on_one_file_is_what_a_vector_says() {
    mounted(|here| {
        let seconds = std::env::var("PLUGPULL_FSX_SECONDS").map_or(1, |s| s.parse().unwrap());
        let until = Instant::now() + Duration::from_secs(seconds);
        let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/mount/fsx.py");
        let mut seed = 0;
        while seed == 0 || Instant::now() < until {
            seed += 1;
            println!("seed {seed}");
            here.run("python3", &[code.to_str().unwrap(), "file", &seed.to_string(), "400"]);
            here.assert_recorded();
            std::fs::remove_file(here.path("file")).unwrap();
            // However long it goes on, the record stays short.
            here.disk.begin_anew();
        }
        println!("{:?}", here.mount.seen());
        assert!(here.mount.seen().mapped_writes > 0);
    });
}
