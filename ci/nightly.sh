#!/usr/bin/env bash
# The long form of what CI runs in a few minutes: more seeds, larger runs, deeper searches, all benches.
# `ci/nightly.sh [TIME]`: TIME is the budget of the deepest search, 10m unless told.
set -euo pipefail
cd "$(dirname "$0")/.."

budget=${1:-10m}
step() { printf '\n== %s\n' "$*"; "$@"; }
plugpull() { step cargo run --quiet --locked --release -p plugpull -- "$@"; }

export PLUGPULL_REQUIRE_ALL=1
# Every legal set of every crash point, for thirty runs of each workload, the power cut again in each
# state's recovery.
plugpull explore --store --runs 30 --recrash 1
# Any two kinds of operations, 784 pairs in three ways. Some have too many sets: exit code 5.
plugpull explore --store --workload pairs --seed 0 --runs 2352 --recrash 1 || [ $? -eq 5 ]
# Larger runs, sampled where there are too many sets. Its budget is meant to end first: exit code 5.
plugpull explore --store --size 12 --runs 1000 --tier 3 --window 4096 --budget "$budget" || [ $? -eq 5 ]
# The making of a store, which has more crash states than can be looked at.
plugpull explore --store --workload init --tier 1 --recrash 64
plugpull torture --commits 50000 --kills 2000 --power-cuts 5
# The tables of docs/findings.md are up to date.
step cargo run --quiet --locked --release -p plugpull-tests --bin plugpull-matrix -- --check
# The sample programs, the slow ones too, and their table.
step cargo run --quiet --locked --release -p plugpull-tests --bin plugpull-subjects -- --check
# Random traces against the definition, and every fault at every call of one seed.
suite() { step cargo test --quiet --locked --release -p plugpull-tests --test suite -- "$@"; }
PLUGPULL_CASES=50000 suite brute_force
PLUGPULL_CASES=1 suite every_fault
# Programs on the mounted disk: minutes of random I/O, and large ones that must come to what they come to
# beside it.
PLUGPULL_LONG=1 PLUGPULL_FSX_SECONDS=600 suite mount
# The sample programs killed and cut off their power, live: those with all their barriers for ten minutes.
step cargo run --quiet --locked --release -p plugpull-tests --bin plugpull-subjects -- --live=600
# What the workspace as a whole leaves out: an HTTP client. Its tests run in CI.
step cargo clippy --locked -p plugpull-store --features s3 --all-targets -- -D warnings
# Large programs under `plugpull check`, and how much memory they take.
step ci/scale.sh
# What durability costs on this machine's disk.
plugpull bench "${TMPDIR:-/tmp}" --budget 3m
# The kernel still is as `RealFile::sync_fs` needs it.
step ci/syncfs.sh
# All benches, and the page that they make.
step ci/performance.sh
