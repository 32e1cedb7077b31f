"""Folders for what is not kept: gone when they are left, and where a kill left one, when the next is made in its place.

    /tmp/sanmai-0-k3v9/lock     held as long as the process lives that made it
    /tmp/sanmai-0-k3v9/here     what a caller is given
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

_UNHELD_SECONDS = 3600.0
"""A folder without a lock is being made, or nobody's by then."""
_swept: set[str] = set()
_sweeping = threading.Lock()


@contextlib.contextmanager
def scratch(beside: Path | None = None) -> Generator[Path]:
    """A new folder of this user alone.

    Args:
        beside: the folder to make it in, under a hidden name, so that what is made may be renamed to where it is kept; None: the
            system's for temporary files.

    Raises:
        OSError: it cannot be made.
    """
    where = tempfile.gettempdir() if beside is None else str(beside)
    prefix = f"{'' if beside is None else '.'}sanmai-{os.getuid()}-"
    with _sweeping:
        if where not in _swept:
            _swept.add(where)
            for left in _left_behind(where, prefix):
                remove(left)
    outer = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    held = -1
    try:
        held = _hold(outer / "held", os.O_CREAT | os.O_RDWR)
        (outer / "held").rename(outer / "lock")
        (outer / "here").mkdir(mode=0o700)
        yield outer / "here"
    finally:
        remove(outer)
        if held >= 0:
            os.close(held)


def remove(folder: Path) -> None:
    """Remove it with all that is in it, as far as that can be done, whatever the modes of what is in it."""
    for place, names, _ in os.walk(folder):  # top down: a folder is made readable before it is read
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _left_behind(where: str, prefix: str) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(where) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and _is_nobodys(entry):
                yield Path(entry.path)


def _is_nobodys(entry: os.DirEntry[str]) -> bool:
    """It is ours, and nobody holds its lock."""
    try:
        about = entry.stat(follow_symlinks=False)
        if not entry.is_dir(follow_symlinks=False) or about.st_uid != os.getuid():
            return False
        os.close(_hold(Path(entry.path, "lock"), os.O_RDWR))
    except FileNotFoundError:
        return time.time() - about.st_mtime > _UNHELD_SECONDS
    except OSError:  # held, or of a file system without locks
        return False
    return True


def _hold(path: Path, flags: int) -> int:
    """Its descriptor, locked. Raises OSError: another process holds it."""
    import fcntl

    opened = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened
