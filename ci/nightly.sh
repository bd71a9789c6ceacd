#!/usr/bin/env bash
# The long form of what CI runs in a few minutes: more seeds, larger runs, deeper searches, all benches.
# `ci/nightly.sh [STEP...]`: all steps unless told, in their order below. One that fails hides none of the others: a table of what
# each came to is the last that is printed. `PLUGPULL_NIGHTLY_BUDGET` is the budget of the deepest search, 10m unless told.
set -euo pipefail
cd "$(dirname "$0")/.."

export PLUGPULL_REQUIRE_ALL=1
told() { printf '\n$ %s\n' "$*" && "$@"; }
plugpull() { told cargo run --quiet --locked --release -p plugpull -- "$@"; }
tests() { told cargo run --quiet --locked --release -p plugpull-tests --bin "$@"; }
suite() { told cargo test --quiet --locked --release -p plugpull-tests --test suite -- "$@"; }
# Exit code 5: nothing was found and not everything was looked at.
in_part() { "$@" || [ $? -eq 5 ]; }

# Every legal set of every crash point, for thirty runs of each workload, the power cut again in each state's recovery.
explore() { plugpull explore --store --runs 30 --recrash 1; }
# Any two kinds of operations, 784 pairs in three ways.
pairs() { plugpull explore --store --workload pairs --seed 0 --runs 2352 --recrash 1; }
# Larger runs, sampled where there are too many sets. Its budget is meant to end first.
deep() {
    in_part plugpull explore --store --size 12 --runs 1000 --tier 3 --window 4096 --budget "${PLUGPULL_NIGHTLY_BUDGET:-10m}"
}
# The making of a store, which has more crash states than can be looked at.
init() { plugpull explore --store --workload init --tier 1 --recrash 64; }
# In part, since of the recorded runs of `pairs` some have too many sets.
torture() { in_part plugpull torture --commits 50000 --kills 2000 --power-cuts 5; }
# The tables of docs/findings.md are up to date.
matrix() { tests plugpull-matrix -- --check; }
# The sample programs, the slow ones too, and their table.
subjects() { tests plugpull-subjects -- --check; }
# Random traces against the definition.
brute_force() { PLUGPULL_CASES=50000 suite brute_force; }
# Every fault at every call of one seed, and of every pair of operations.
every_fault() { PLUGPULL_CASES=1 suite every_fault; }
# Programs on the mounted disk: minutes of random I/O, and large ones that must come to what they come to beside it.
mount() { PLUGPULL_LONG=1 PLUGPULL_FSX_SECONDS=600 suite mount; }
# The sample programs killed and cut off their power, live: those with all their barriers for ten minutes.
live() { tests plugpull-subjects -- --live=600; }
# What the workspace as a whole leaves out: an HTTP client. Its tests run in CI.
s3() { told cargo clippy --locked -p plugpull-store -p plugpull --features plugpull-store/s3,plugpull/s3 --all-targets -- -D warnings; }
# Large programs under `plugpull check`, and how much memory they take.
scale() { told ci/scale.sh; }
# What durability costs on this machine's disk.
bench() { plugpull bench "${TMPDIR:-/tmp}" --budget 3m; }
# The kernel still is as `RealFile::sync_fs` needs it.
syncfs() { told ci/syncfs.sh; }
# All benches, and the page that they make.
performance() { told ci/performance.sh; }

every="explore pairs deep init torture matrix subjects brute_force every_fault mount live s3 scale bench syncfs performance"
for step in "$@"; do
    if [[ " $every " != *" $step "* ]]; then
        echo "nightly: there is no step $step; there are: $every" >&2
        exit 2
    fi
done

failed=0
table=$(printf '%-12s %8s  %s' step seconds result)
# An empty "$@" stands for all.
for step in ${@:-$every}; do
    printf '\n== %s\n' "$step"
    began=$SECONDS code=0
    "$step" || code=$?
    result=passed
    if ((code != 0)); then result="FAILED, exit code $code" failed=1; fi
    table+=$(printf '\n%-12s %8d  %s' "$step" $((SECONDS - began)) "$result")
done
printf '\n%s\n' "$table"
exit "$failed"
