"""Which processes a command has started."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """Processes whose parent it is, in the order of their numbers."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


def samplers_of(driver: int) -> list[int]:
    return [sampler for stem in children(driver) if b"cluster.stem" in cmdline(stem) for sampler in children(stem)]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def trainers_of(leader: int) -> list[int]:
    """The processes that it has started to train with it."""
    return [pid for pid in children(leader) if b"cluster.trainers" in cmdline(pid)]
