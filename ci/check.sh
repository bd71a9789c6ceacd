#!/usr/bin/env bash
# Everything that must pass before a change lands; run it locally as `ci/check.sh`.
# PLUGPULL_REQUIRE_ALL=1 (set in CI) makes a test fail that this machine cannot measure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; "$@"; }

step cargo fmt --all --check
# Once as released and once with the planted mistakes, which the workspace as a whole switches on.
step cargo clippy --locked -p faultfs --features sim --all-targets -- -D warnings
step cargo clippy --locked -p faultfs --features fuse --all-targets -- -D warnings
step cargo clippy --locked -p faultfs -p plugpull-store -p plugpull --all-targets -- -D warnings
step cargo clippy --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --workspace --no-deps
# What a durable write may cost. Before what deletes many files: whenever ext4 without a journal makes a file, it passes over
# the inodes that were deleted within the last minutes, one by one (fs/ext4/ialloc.c, recently_deleted).
step cargo bench --locked -p plugpull-benches --bench latency
# The two commands of the README.
step cargo run --locked --release -p plugpull -- torture
step cargo test --locked --workspace
# Any two kinds of operations at the same time, and one after another that was killed (nightly: all presets).
step cargo run --locked --release -p plugpull -- explore --store --workload pairs --seed 0 --runs 2352 --model ext4 --model btrfs --tier 1
# Packs in an S3-compatible service, which the tests start: a feature that the workspace leaves out.
step cargo test --locked -p plugpull-store -p plugpull --features plugpull-store/s3,plugpull/s3 --test s3
# The sample programs under `plugpull check`, held to what is expected of them; fewer states than nightly.
# The tests built it: `cargo run` of one package would build everything anew, with other features.
step "${CARGO_TARGET_DIR:-target}/debug/plugpull-subjects" --quick
