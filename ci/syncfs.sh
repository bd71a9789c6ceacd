#!/usr/bin/env bash
# What the disk is told by syncfs(2), alone and with an fsync(2) behind it, on file systems without a journal.
# `ci/syncfs.sh`: needs root, loop devices, tracefs and mkfs.ext4.
#
# A barrier holds when no write ends after its last flush was sent. On ext4 without a journal and on ext2 a
# bare syncfs sends that flush while directories are still being written (sync_filesystem in fs/sync.c waits for
# them behind ext4_sync_fs), so their entries may be in the disk's volatile cache when it returns. Exit code 1 when
# that also happens with the fsync that `RealFile::sync_fs` makes behind it.
set -euo pipefail

work=$(mktemp -d)
loop=
trap 'umount "$work/disk" 2>/dev/null || true; [ -z "$loop" ] || losetup --detach "$loop"; rm -rf "$work"' EXIT
tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs none $tracing
mkdir "$work/disk"
rounds=20
failed=0

bare() { sync --file-system "$1"; }
with_fsync() { sync --file-system "$1" && sync "$1"; }

# `renames BARRIER`: in each round many directories get an entry, and the barrier is passed.
renames() {
    local dir=$work/disk/dir round entry
    mkdir -p "$dir"/{1..40}
    for ((round = 0; round < rounds; round++)); do
        for entry in {1..40}; do printf x > "$dir/$entry/temp"; done
        sync
        for entry in {1..40}; do echo "$dir/$entry/temp $dir/$entry/$round"; done | xargs -n 2 mv
        echo before > $tracing/trace_marker
        "$1" "$dir"
        echo after > $tracing/trace_marker
    done
}

# How many of the rounds had a write of this device that ended after the last flush was sent.
late() {
    awk -v device="$1" '
        /: before/ { inside = 1; late = 0 }
        inside && $0 ~ "rq_issue: " device " F" { late = 0 }
        inside && $0 ~ "rq_complete: " device " W[^F]* .* [1-9][0-9]* \\+" { late = 1 }
        /: after/ { inside = 0; count += late }
        END { print count + 0 }' $tracing/trace
}

traced() {
    echo 0 > $tracing/tracing_on
    echo 16384 > $tracing/buffer_size_kb
    echo > $tracing/trace
    echo 1 | tee $tracing/events/block/block_rq_{issue,complete}/enable > /dev/null
    echo 1 > $tracing/tracing_on
    "$@"
    echo 0 > $tracing/tracing_on
    echo 0 | tee $tracing/events/block/block_rq_{issue,complete}/enable > /dev/null
}

measure() {
    local name=$1 device barrier count
    shift
    truncate -s 128M "$work/image"
    mkfs.ext4 -q -F "$@" "$work/image"
    # Without the page cache between, each write takes as long as the disk below needs.
    loop=$(losetup --find --show --direct-io=on "$work/image")
    mount "$loop" "$work/disk"
    device=$(lsblk -no MAJ:MIN "$loop" | tr -d ' ' | tr : ,)
    for barrier in bare with_fsync; do
        traced renames $barrier
        count=$(late "$device")
        echo "$name, syncfs $barrier: $count of $rounds with a write that ended after the last flush was sent"
        [ $barrier = bare ] || [ "$count" -eq 0 ] || failed=1
        rm -rf "$work/disk/dir"
    done
    umount "$work/disk"
    losetup --detach "$loop"
    loop=
}

measure 'ext4 without a journal' -O ^has_journal
measure ext2 -t ext2
exit $failed
