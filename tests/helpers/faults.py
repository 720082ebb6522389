"""Makes the disk fail, or the process die, at any chosen write of files and of SQLite.

Every operation that changes the disk is counted: those of Python by patching them, those of SQLite
through the system calls of its own VFS, which it lets tests replace.
"""

import contextlib
import ctypes
import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from unittest import mock

CRASHED = 77


class Disk:
    """Counts writes; at number `at` (from 1) does what `mode` says.

    Modes: 'count' nothing; 'once' that one fails with EIO; 'full' from there on whatever needs
    room fails with ENOSPC; 'read-only' everything fails from there on; 'crash' the process ends,
    having done half of the write if it was one.
    """

    def __init__(self, mode="count", at=0):
        self.mode, self.at, self.count = mode, at, 0
        self.log = []

    def failure(self, name, needs_room):
        """The errno that this operation has to fail with, or 0. May end the process."""
        self.count += 1
        self.log.append(name)
        if self.count < self.at or self.mode == "count":
            return 0
        if self.mode == "crash":
            os._exit(CRASHED)
        if self.mode == "once":
            return errno.EIO if self.count == self.at else 0
        if self.mode == "full":
            return errno.ENOSPC if needs_room else 0
        return errno.EROFS

    def tear(self):
        """Whether the next operation is the one to die in, half done."""
        return self.mode == "crash" and self.count + 1 == self.at

    @contextlib.contextmanager
    def installed(self):
        """Everything inside goes through this disk."""
        with contextlib.ExitStack() as stack:
            for owner, name, needs_room in (
                (os, "fsync", True),
                (os, "utime", False),
                (tempfile, "mkstemp", True),
                (Path, "mkdir", True),
                (Path, "replace", False),
                (Path, "unlink", False),
                (Path, "touch", True),
            ):
                real = getattr(owner, name)
                stack.enter_context(
                    mock.patch.object(owner, name, self._wrap(real, name, needs_room))
                )
            stack.enter_context(mock.patch.object(os, "fdopen", self._fdopen(os.fdopen)))
            stack.enter_context(_sqlite_calls(self))
            yield self

    def _wrap(self, real, name, needs_room):
        def call(*args, **kwargs):
            if name == "mkdir" and Path(args[0]).is_dir():
                return real(*args, **kwargs)  # changes nothing
            self._check(name, needs_room)
            return real(*args, **kwargs)

        return call

    def _fdopen(self, real):
        def fdopen(handle, mode):
            file = real(handle, mode, buffering=0)
            write = file.write

            class File:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                def __getattr__(self, name):
                    return getattr(file, name)

            wrapped = File()

            def checked(data):
                if self.tear():
                    write(data[: len(data) // 2])
                self._check("write", True)
                return write(data)

            wrapped.write = checked
            return wrapped

        return fdopen

    def _check(self, name, needs_room):
        code = self.failure(name, needs_room)
        if code:
            raise OSError(code, os.strerror(code))


class _Vfs(ctypes.Structure):
    """struct sqlite3_vfs, version 3 (https://www.sqlite.org/c3ref/vfs.html)."""

    _fields_ = (
        [("version", ctypes.c_int), ("file_size", ctypes.c_int), ("max_path", ctypes.c_int)]
        + [(name, ctypes.c_void_p) for name in ("next", "name", "app_data")]
        + [(f"method_{index}", ctypes.c_void_p) for index in range(13)]
        + [(name, ctypes.c_void_p) for name in ("set_call", "get_call", "next_call")]
    )


_INT, _POINTER, _SIZE, _OFFSET = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
# SQLite's names of the calls that change the disk, and their C types; first the result.
_CALLS = {
    "open": (_INT, ctypes.c_char_p, _INT, _INT),
    "write": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE),
    "pwrite": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE, _OFFSET),
    "pwrite64": (ctypes.c_ssize_t, _INT, _POINTER, _SIZE, _OFFSET),
    "ftruncate": (_INT, _INT, _OFFSET),
    "unlink": (_INT, ctypes.c_char_p),
}


def _library():
    """The SQLite that Python uses: a shared library, or inside Python's own module."""
    import _sqlite3

    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    found = [line.split()[-1] for line in lines if "libsqlite3" in line]
    library = ctypes.CDLL(found[0] if found else _sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    return library


@contextlib.contextmanager
def _sqlite_calls(disk):
    sqlite3.connect(":memory:").close()  # initialises SQLite
    vfs = _library().sqlite3_vfs_find(None)
    set_call = ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _POINTER)(vfs.contents.set_call)
    get_call = ctypes.CFUNCTYPE(_POINTER, _POINTER, ctypes.c_char_p)(vfs.contents.get_call)
    kept = []  # ctypes does not keep callbacks alive
    for name, types in _CALLS.items():
        address = get_call(vfs, name.encode())
        if not address:
            continue
        kind = ctypes.CFUNCTYPE(*types, use_errno=True)
        callback = kind(_checked_call(disk, name, kind(address)))
        kept.append(callback)
        set_call(vfs, name.encode(), ctypes.cast(callback, _POINTER))
    try:
        yield
    finally:
        for name in _CALLS:
            set_call(vfs, name.encode(), None)


def _checked_call(disk, name, real):
    def call(*args):
        if name == "open" and not (
            args[1] & os.O_CREAT and not Path(os.fsdecode(args[0])).exists()
        ):
            return real(*args)
        if name.endswith(("write", "write64")) and disk.tear():
            real(args[0], args[1], args[2] // 2, *args[3:])
        code = disk.failure(f"sqlite {name}", needs_room=name not in ("unlink", "ftruncate"))
        if code:
            ctypes.set_errno(code)
            return -1
        return real(*args)

    return call


def dies_at(number, operation):
    """Runs `operation` in a child process that dies at write `number`; whether it got so far."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Disk("crash", number).installed():
                operation()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, CRASHED):
        raise AssertionError(f"the operation failed by itself at write {number}")
    return code == CRASHED
