#!/usr/bin/env bash
# Large programs under `plugpull check`: each must end properly and within its memory.
# `ci/scale.sh [CASE...]`: all of database, bytes, files, threads unless told. `PLUGPULL_SCALE_DIR` says
# where 2 GiB may be written, the system's temp directory unless told.
#
# Peak memory is that of plugpull itself, and of all tmpfs of the machine (the workers' trees) beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

budget=30s
cargo build --quiet --locked --release -p plugpull
plugpull=${CARGO_TARGET_DIR:-target}/release/plugpull
[[ $plugpull = /* ]] || plugpull=$PWD/$plugpull
work=$(mktemp -d -p "${PLUGPULL_SCALE_DIR:-${TMPDIR:-/tmp}}" plugpull-scale-XXXXXX)
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
watcher=
trap 'kill $watcher 2>/dev/null || true; rm -rf "$work"' EXIT
failed=0

shmem() { awk '/^Shmem:/ { print int($2 / 1024) }' /proc/meminfo; }

# The most that all tmpfs take, in MiB, as long as it runs.
watch_shmem() {
    local most=0 now
    while sleep 0.2; do
        now=$(shmem)
        ((now > most)) && most=$now && echo "$most" > "$work/shmem"
    done
}

# `check NAME MOST_MIB EXIT_CODES ARGUMENTS`: the most that plugpull and the trees may take together, and the
# exit codes that are right.
check() {
    local name=$1 most=$2 right=$3 code=0 before
    shift 3
    before=$(shmem)
    echo "$before" > "$work/shmem"
    watch_shmem & watcher=$!
    timeout --kill-after=5 600 /usr/bin/time -o "$work/time" -f '%M %e' \
        "$plugpull" check --dir "$work/$name" --budget "$budget" "$@" > "$work/out" 2> "$work/err" || code=$?
    kill "$watcher" && wait "$watcher" 2>/dev/null || true
    local rss seconds trees
    read -r rss seconds < <(tail -n 1 "$work/time")
    rss=$((rss / 1024)) trees=$(($(cat "$work/shmem") - before))
    printf '%-9s exit %3d, %6s s, plugpull %5d MiB, trees %5d MiB, limit %5d\n' \
        "$name" "$code" "$seconds" "$rss" "$trees" "$most"
    if [[ " $right " != *" $code "* ]] || ((rss + trees > most)); then
        echo "$name: FAILED (exit codes $right)"
        cat "$work/out" "$work/err"
        failed=1
    elif [[ ${PLUGPULL_SCALE_VERBOSE:-} = 1 ]]; then
        cat "$work/out" "$work/err"
    fi
}

# 2 GiB are there already; one transaction changes a row.
database() {
    mkdir "$work/database"
    (
        cd "$work/database"
        sqlite3 app.db 'pragma synchronous=off; pragma journal_mode=off; create table t(id integer primary key, b);
            insert into t select value, randomblob(1 << 20) from generate_series(1, 2048)' > /dev/null
    )
    check database 8192 "0 5" --checker "exit:sqlite3 app.db 'select count(*) from sqlite_master'" -- \
        sh -c "sqlite3 app.db 'update t set b = 1 where id = 1000' && echo committed"
    rm -r "$work/database"
}

# 500 MiB are written.
bytes() {
    mkdir "$work/bytes"
    cat > "$work/bytes.py" <<'PYTHON'
import os
f = os.open("big", os.O_WRONLY | os.O_CREAT)
block = os.urandom(1 << 20)
for n in range(500):
    os.write(f, n.to_bytes(8, "big") + block[8:])
    if n % 50 == 49:
        os.fsync(f)
        print("synced", n, flush=True)
PYTHON
    check bytes 5120 "0 5" --checker "exit:test -e big || test ! -s \$PLUGPULL_MARKS" -- python3 "$work/bytes.py"
}

# 20,000 files, every other one of them synced.
files() {
    mkdir "$work/files"
    cat > "$work/files.py" <<'PYTHON'
import os
for d in range(100):
    os.mkdir("d%d" % d)
for n in range(20000):
    f = os.open("d%d/f%d" % (n % 100, n), os.O_WRONLY | os.O_CREAT)
    os.write(f, b"x" * 100)
    if n % 2:
        os.fsync(f)
    os.close(f)
print("done", flush=True)
PYTHON
    # Files that are not synced, and names in directories that are not, may be lost: it is not asked for them.
    check files 4096 "0 5 100" --checker "exit:test -d ." -- python3 "$work/files.py"
}

# 64 threads, each replacing its file atomically.
threads() {
    mkdir "$work/threads"
    cat > "$work/threads.py" <<'PYTHON'
import os, threading
def run(me):
    for n in range(20):
        f = os.open("t%d.new" % me, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(f, b"%d %d\n" % (me, n) * 300)
        os.fsync(f)
        os.close(f)
        os.rename("t%d.new" % me, "t%d" % me)
all = [threading.Thread(target=run, args=(me,)) for me in range(64)]
for t in all: t.start()
for t in all: t.join()
print("done", flush=True)
PYTHON
    check threads 4096 "0 5 100" --checker "exit:for f in t*; do case \$f in *.new | 't*') ;; *) test -s \$f || exit 1 ;; esac; done" \
        -- python3 "$work/threads.py"
}

for case in "${@:-database bytes files threads}"; do
    for name in $case; do "$name"; done
done
exit "$failed"
