#!/usr/bin/env bash
# All benches in one run, one after the other on the same machine, and docs/performance.md made of their tables.
# `PLUGPULL_BENCH_DIR` says where the disk is. Exit code 1 when a limit is exceeded; the page is written all the same.
set -euo pipefail
cd "$(dirname "$0")/.."

# Those that create many files, each after a pause: the deletions of the one before would slow it (ci/check.sh).
creating="put commits latency"
benches="$creating audit record explore recover check"
pause=310
dir=${PLUGPULL_BENCH_DIR:-${TMPDIR:-/tmp}}
page=docs/performance.md
told=$(mktemp -d)
trap 'rm -rf "$told"' EXIT
failed=0

# The first lines of a bench say what it measures and what the other side does; how it is run is left out.
about() {
    sed -n 's,^//! \?,,p;/^#!\|^use/q' "benches/benches/$1.rs" | sed -z 's/`cargo bench[^`]*`[^.]*[.]\s*//'
}

# The tables are the last thing that a bench prints: from the heading to the end.
tables() { awk '/store median|^path +figure/ { on = 1 } on && !/^(error|Caused|  process)|^$/' "$1"; }

# What the benches run on, and what its disk takes alone, as `plugpull bench` tells it.
machine() {
    echo "$(rustc --version), commit $(git rev-parse --short HEAD), $(date -u +%F); load before $1 (of other programs as well),"
    printf 'afterwards %s. The machine, and its disk alone:\n\n```\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
    cargo run --quiet --locked --release -p plugpull -- bench "$dir" --only append/fdatasync --size 4K --budget 5s
    printf '```\n'
}

cargo bench --locked -p plugpull-benches --no-run
load=$(cut -d' ' -f1-3 /proc/loadavg)
for bench in $benches; do
    printf '\n== %s\n' "$bench"
    if [[ " $creating " = *" $bench "* ]]; then sleep "$pause"; fi
    cargo bench --locked -p plugpull-benches --bench "$bench" 2>&1 | tee "$told/$bench" || failed=1
done

{
    echo '# How fast the machinery is'
    echo
    echo 'Written by `ci/performance.sh`, which runs all benches; not by hand. `store` is the side that is measured, `raw`'
    echo 'what it is held against: both take turns in one run, so that the ratio counts and not the times.'
    echo
    machine "$load"
    for bench in $benches; do
        printf '\n## %s\n\n' "$bench"
        about "$bench"
        printf '\n```\n'
        tables "$told/$bench"
        printf '```\n'
    done
} > "$told/page"
mv "$told/page" "$page"
chmod 644 "$page"
exit "$failed"
