"""Tables, and a manifest that says which there are. The directory of the tables is synced before a
table is named in the manifest (fixed) or not (buggy).

program.py run FORM    adds three tables
program.py check       opens all that the manifest names
"""
import os
import sys
import zlib


def text(n):
    return ("table %d\n" % n) * 40


def line(n):
    entry = "add %d" % n
    return "%s %08x\n" % (entry, zlib.crc32(entry.encode()))


def write_synced(name, mode, text):
    with open(name, mode) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(name):
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def run(fixed):
    for n in range(1, 4):
        write_synced("tables/%d" % n, "x", text(n))
        if fixed:
            sync_directory("tables")
        write_synced("MANIFEST", "a", line(n))
        print("added %d" % n, flush=True)


def fail(message):
    print(message)
    sys.exit(1)


def check():
    with open(os.environ["PLUGPULL_MARKS"]) as marks:
        acked = max((int(mark.split()[1]) for mark in marks), default=0)
    with open("MANIFEST", "rb") as manifest:
        found = manifest.read().decode("latin-1")
    n = 0
    # A line that is not whole is the end.
    while found.startswith(line(n + 1)):
        n += 1
        found = found[len(line(n)):]
        try:
            with open("tables/%d" % n) as table:
                if table.read() != text(n):
                    fail("TORN: table %d is named and not whole" % n)
        except FileNotFoundError:
            fail("GONE: table %d is named and not there" % n)
    if n < acked:
        fail("LOST: %d tables are named, %d were acknowledged" % (n, acked))


if sys.argv[1] == "run":
    run(sys.argv[2] == "fixed")
else:
    check()
