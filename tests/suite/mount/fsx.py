"""Random I/O on one file, held against a bytearray. Usage: fsx.py FILE SEED OPERATIONS"""

import ctypes
import mmap
import os
import random
import sys

path, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
LIMIT = 100_000
model = bytearray()
fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def place():
    offset = rng.choice([rng.randrange(LIMIT), rng.randrange(0, LIMIT, 4096)])
    return offset, rng.choice([rng.randrange(1, 9000), 4096])


def grow(size):
    if size > len(model):
        model.extend(bytes(size - len(model)))


def allocate(mode, offset, size):
    if libc.fallocate(fd, mode, offset, size) != 0:
        raise OSError(ctypes.get_errno(), "fallocate %d" % mode)


def check():
    size = os.fstat(fd).st_size
    assert size == len(model), (size, len(model))
    got = os.pread(fd, LIMIT * 2, 0)
    if got != model:
        at = next((i for i, (a, b) in enumerate(zip(got, model)) if a != b), min(len(got), size))
        raise AssertionError("differs at %d: %r, not %r" % (at, got[at:at + 8], model[at:at + 8]))


for step in range(count):
    what = rng.choice("write write read cut map map sync punch zero extend reopen append".split())
    offset, size = place()
    try:
        if what == "write":
            data = rng.randbytes(size)
            assert os.pwrite(fd, data, offset) == size
            grow(offset + size)
            model[offset:offset + size] = data
        elif what == "append":
            data = rng.randbytes(size)
            if len(model) + size <= 2 * LIMIT:
                end = os.open(path, os.O_WRONLY | os.O_APPEND)
                assert os.write(end, data) == size
                os.close(end)
                model.extend(data)
        elif what == "read":
            assert os.pread(fd, size, offset) == model[offset:offset + size]
        elif what == "cut":
            os.ftruncate(fd, offset)
            del model[offset:]
            grow(offset)
        elif what == "map" and model:
            with mmap.mmap(fd, 0) as view:
                assert view[:] == model
                offset %= len(model)
                data = rng.randbytes(min(size, len(model) - offset))
                view[offset:offset + len(data)] = data
                model[offset:offset + len(data)] = data
                if rng.random() < 0.5:
                    view.flush()
                # What is written and read through calls meanwhile is the same file.
                if rng.random() < 0.5:
                    at = rng.randrange(len(model))
                    assert os.pwrite(fd, b"!", at) == 1
                    model[at] = 33
                    assert view[at] == 33
                    assert view[:] == model
        elif what == "sync":
            rng.choice([os.fsync, os.fdatasync])(fd)
        elif what == "punch":
            allocate(3, offset, size)
            size = max(0, min(size, len(model) - offset))
            model[offset:offset + size] = bytes(size)
        elif what == "zero":
            allocate(16, offset, size)
            grow(offset + size)
            model[offset:offset + size] = bytes(size)
        elif what == "extend":
            allocate(0, offset, size)
            grow(offset + size)
        elif what == "reopen":
            os.close(fd)
            fd = os.open(path, os.O_RDWR)
        check()
    except Exception as error:
        sys.exit("seed %d, step %d, %s %d+%d: %r" % (seed, step, what, offset, size, error))
os.fsync(fd)
os.close(fd)
