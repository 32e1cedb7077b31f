"""What a process gives up before it runs a foreign program. Runs in the child, before any fork; needs no privilege.

As an ordinary user: new user, mount, network, PID, IPC and UTS namespaces. As root: the same without the user namespace, and a
user id that nobody else has. Both: a root folder that holds the system's and Python's libraries, read-only, and a small /tmp in
memory, nothing else; no capabilities, no way to gain any; and a filter of system calls (confine.py, which says what it adds).
Where the kernel forbids namespaces, the filter closes the network and other processes, and Landlock the files; where it has
neither, only the resource limits stay. What is missing is returned, not hidden.

No /proc is mounted, so no process can look into another one through it. chroot instead of pivot_root: it needs no system call
number, its escapes need a capability, and the kernel refuses new user namespaces to a process within one. Not bubblewrap: it
makes the same namespaces, is missing on most machines, and would be one more process to start.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Sequence

from sanmai.programs.confine import REFUSED, UNWATCHED, hide_files, refuse

PARTS = ("user", "network", "processes", "files", "process_limit", "root", "system_calls", "alone")
"""What may be in force or not (`run.Isolation`); the resource limits always are."""

_SHOWN = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_FIRST_UID = 0x70000000
"""User ids from here on belong to no account: systemd's and shadow's ranges end below."""
_MAX_INODES = 4096

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
_SYS_MOUNT_SETATTR = 442  # the same on every architecture
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_READ_ONLY, _NO_SETUID, _NO_DEVICES = 1, 2, 4
_SIGKILL = 9


def isolate(folder: str, *, folder_bytes: int, libraries: Sequence[str] = ()) -> dict[str, bool]:
    """Move this process out of reach; returns which of PARTS are in force. The working folder is then an empty one.

    Args:
        folder: an empty folder of this user's; becomes the mount point of the new root, or else the working folder.
        folder_bytes: what the new root holds at most, all files together.
        libraries: folders that may be read besides the system's and Python's, absolute and without links.

    Where `alone` is among them, the caller puts `confine.alone` in force in the program: it contains what no namespace does.

    Raises:
        OSError: the kernel began and then refused.
    """
    parts = dict.fromkeys(PARTS, False)
    if sys.platform != "linux":
        os.chdir(folder)
        return parts
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    uid, gid, is_root = os.geteuid(), os.getegid(), os.geteuid() == 0
    own = _NEWNS | _NEWNET | _NEWPID | _NEWIPC | _NEWUTS | (0 if is_root else _NEWUSER)
    is_hidden = False
    if libc.unshare(own) == 0:
        parts |= {"network": True, "processes": True, "process_limit": not is_root and _map_ids(uid, gid)}
        with contextlib.suppress(OSError):
            _enter_new_root(libc, folder, folder_bytes, libraries)
            folder, parts["root"], parts["files"] = "/tmp", True, True
    os.chdir(folder)  # the user that it becomes may not be allowed to go there
    if not parts["root"]:
        with contextlib.suppress(OSError):
            is_hidden = hide_files(_readable(libraries), _DEVICES, folder)
    if is_root and (parts["root"] or _is_readable_by_all(os.__file__)):
        parts["user"] = parts["process_limit"] = _become_nobody()
    _drop_capabilities(libc)
    if refuse(REFUSED if parts["root"] else REFUSED + UNWATCHED):
        parts["alone"] = not (parts["processes"] and parts["process_limit"])
        parts |= dict.fromkeys(("system_calls", "network", "processes", "process_limit"), True)
        parts["files"] |= is_hidden
    return parts


def protect() -> None:
    """Not to be traced, nor to be read through /proc by processes of the same user; none of it outlives its parent."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def limit(*, memory_bytes: int, file_bytes: int) -> None:
    """Bounds that this process and all that it starts share out, each for itself."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    # Limits are of each process: should all together exhaust the machine, they go first, not the run that grades them.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"1000")
    if sys.platform == "linux":  # macOS refuses it
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def limit_program(*, cpu_seconds: int, processes: int | None) -> None:
    """Bounds of the program alone; None leaves the number of processes free."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    if processes is not None:
        # The judge and the warden are counted, being of the same user.
        resource.setrlimit(resource.RLIMIT_NPROC, (processes + 2, processes + 2))


def _map_ids(uid: int, gid: int) -> bool:
    """False where a security module allows user namespaces and no use of them (Ubuntu 24.04)."""
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    except PermissionError:
        return False
    return True


def _readable(libraries: Sequence[str]) -> tuple[str, ...]:
    """The folders and files of the machine that a program may read."""
    return tuple(dict.fromkeys((*_SHOWN, sys.base_prefix, sys.base_exec_prefix, *libraries)))


def _enter_new_root(libc: ctypes.CDLL, root: str, folder_bytes: int, libraries: Sequence[str]) -> None:
    """Mount the little that a program needs under root and make it the root; nobody else sees the mounts."""
    _checked(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    options = f"size={folder_bytes},nr_inodes={_MAX_INODES},mode=755".encode()
    _checked(libc.mount(b"tmpfs", root.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options))
    for path in _readable(libraries):
        _show(libc, root, path)
    for path in _DEVICES:
        if os.path.exists(path):
            _bind(libc, path, _place(root, path))
    for path in ("/tmp", "/dev/shm"):
        os.makedirs(root + path)
        os.chmod(root + path, 0o1777)
    os.chroot(root)


def _show(libc: ctypes.CDLL, root: str, path: str) -> None:
    """A path of the machine, read-only, at the same place under root."""
    target = root + path
    if not os.path.exists(path) or os.path.lexists(target):
        return
    if os.path.islink(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(path), target)
        return
    _bind(libc, path, _place(root, path))
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY | _NO_SETUID | _NO_DEVICES, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    arguments = ctypes.c_int(_AT_FDCWD), target.encode(), ctypes.c_uint(_AT_RECURSIVE), ctypes.byref(attributes), size
    _checked(libc.syscall(ctypes.c_long(_SYS_MOUNT_SETATTR), *arguments))


def _place(root: str, path: str) -> str:
    """An empty folder or file under root for path to be bound to."""
    target = root + path
    if os.path.isdir(path):
        os.makedirs(target)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    return target


def _bind(libc: ctypes.CDLL, path: str, target: str) -> None:
    _checked(libc.mount(path.encode(), target.encode(), None, _MS_BIND | _MS_REC, None))


def _become_nobody() -> bool:
    """From root to a user without an account, another one in every process, who owns the working folder."""
    uid = _FIRST_UID + os.getpid()
    try:
        os.chown(".", uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:  # root of a user namespace that knows no such ids
        return False
    return True


def _is_readable_by_all(path: str) -> bool:
    while path != "/":
        if not os.stat(path).st_mode & 0o004:
            return False
        path = os.path.dirname(path)
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    version_3 = 0x20080522
    _checked(libc.capset((ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()))


def _checked(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
