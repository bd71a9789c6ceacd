"""Settings that are replaced by a rename; the new file is synced before (fixed) or not (buggy)."""
import os
import sys

LINES = 40


def text(version):
    return ("version %d " % version).ljust(63, ".") + "\n"


def sync_directory():
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def save(version, fixed):
    with open("settings.tmp", "w") as file:
        file.write(text(version) * LINES)
        file.flush()
        if fixed:
            os.fsync(file.fileno())
    os.rename("settings.tmp", "settings")
    sync_directory()


for version in range(1, 4):
    save(version, fixed=sys.argv[1] == "fixed")
    print("saved %d" % version, flush=True)
