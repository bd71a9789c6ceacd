"""Tables that get their name when they are ready, and a root of fixed size that is written in place
and says which is the newest. The directory is synced after the rename (fixed) or not (buggy).

program.py run FORM    adds three tables
program.py check       opens the newest
"""
import os
import sys


def text(n):
    return ("table %d\n" % n) * 40


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
        write_synced("tables/tmp", "x", text(n))
        os.rename("tables/tmp", "tables/%d" % n)
        if fixed:
            sync_directory("tables")
        write_synced("root", "r+", "newest %d\n" % n)
        print("added %d" % n, flush=True)


def fail(message):
    print(message)
    sys.exit(1)


def check():
    with open(os.environ["PLUGPULL_MARKS"]) as marks:
        acked = max((int(mark.split()[1]) for mark in marks), default=0)
    with open("root") as root:
        found = root.read()
    if found not in ["newest %d\n" % n for n in range(4)]:
        fail("CORRUPT: the root is none that was written")
    newest = int(found.split()[1])
    if newest < acked:
        fail("LOST: table %d is the newest, %d was acknowledged" % (newest, acked))
    for n in range(1, newest + 1):
        try:
            with open("tables/%d" % n) as table:
                if table.read() != text(n):
                    fail("TORN: table %d is not whole, %d is the newest" % (n, newest))
        except FileNotFoundError:
            fail("GONE: table %d is not there, %d is the newest" % (n, newest))


if sys.argv[1] == "run":
    run(sys.argv[2] == "fixed")
else:
    check()
