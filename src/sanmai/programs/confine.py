"""System calls refused by a seccomp filter, and files by Landlock: for any user, irrevocably, for all children too.

Why both beside namespaces. A namespace hides the machine; it closes no system call. The filter closes what namespaces do not
contain, which is more than holes in the kernel: sockets to a virtual machine's host (AF_VSOCK belongs to no network namespace),
keyrings of the session that started it, io_uring, bpf, perf, userfaultfd, and memory that counts for no limit (memfd_create,
and setsockopt, which makes a socket's buffers megabytes large).
Landlock adds nothing to a root folder of its own, so it is used where the kernel refuses that. Then the filter closes more: how
files are owned, dated and permitted, which Landlock does not watch; and a program may not start or signal any process.

The filter names what is refused, not what is allowed: what an interpreter calls changes with every libc. So that a new kernel
opens nothing, every call newer than Linux 6.1 answers "not implemented", which libc knows to live with.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

_ALL = 0xFFFFFFFF
# A dataclass would be the usual thing; its module takes as long to import as all else that a child does.


class Rule(NamedTuple):
    """When a system call is refused with EPERM. Without `only` and `never`: always.

    Example:
        Rule("clone", mask=0x10000, only=(0x10000,)) refuses processes and lets threads be started
    """

    call: str
    argument: int = 0
    """Which argument is looked at: its lower 32 bits, which is what the kernel reads of the calls below."""
    mask: int = _ALL
    only: tuple[int, ...] = ()
    """Refused unless argument & mask is one of these."""
    never: tuple[int, ...] = ()
    """Refused if it is one of these."""


_NEW_NAMESPACES = 0x7E020000
_SETOWN, _SETSIG, _SETOWN_EX = 8, 10, 15  # a file's owner gets its signals, of any number
_FIOSETOWN, _SIOCSPGRP, _TIOCSTI, _TIOCLINUX = 0x8901, 0x8902, 0x5412, 0x541C
_AF_UNIX, _SOCK_STREAM = 1, 1
_CLONE_THREAD, _PR_SET_PDEATHSIG = 0x10000, 1

_NEVER_NEEDED = """
    socket connect bind listen accept accept4 setsockopt
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd setpriority ioprio_set
    migrate_pages move_pages mbind set_mempolicy set_mempolicy_home_node
    mount umount2 pivot_root chroot unshare setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    quotactl quotactl_fd name_to_handle_at open_by_handle_at fanotify_init fanotify_mark
    inotify_init inotify_init1 inotify_add_watch
    bpf perf_event_open userfaultfd keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register
    kexec_load kexec_file_load init_module finit_module delete_module acct swapon swapoff reboot syslog iopl ioperm
    modify_ldt personality lookup_dcookie vhangup settimeofday clock_settime clock_adjtime adjtimex
    sethostname setdomainname
    memfd_create memfd_secret shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr splice vmsplice tee
"""
_OF_A_PROCESS = "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr"

REFUSED: tuple[Rule, ...] = (
    *map(Rule, _NEVER_NEEDED.split()),
    # asyncio wakes itself by such a pair. One of datagrams could be turned to another address.
    Rule("socketpair", 0, only=(_AF_UNIX,)),
    Rule("socketpair", 1, mask=0xF, only=(_SOCK_STREAM,)),
    Rule("clone", mask=_NEW_NAMESPACES, only=(0,)),
    *(Rule(name, only=(0,)) for name in _OF_A_PROCESS.split()),  # of oneself
    Rule("fcntl", 1, never=(_SETOWN, _SETSIG, _SETOWN_EX)),
    Rule("ioctl", 1, never=(_FIOSETOWN, _SIOCSPGRP, _TIOCSTI, _TIOCLINUX)),
)
"""For every program."""

_OWNERS_AND_DATES = """
    chmod fchmod fchmodat chown lchown fchown fchownat utime utimes futimesat utimensat truncate
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
"""
UNWATCHED: tuple[Rule, ...] = tuple(map(Rule, _OWNERS_AND_DATES.split()))
"""What Landlock lets anybody do to files it hides: for programs without a root folder of their own."""


def alone(pid: int) -> tuple[Rule, ...]:
    """For a process that shares its process namespace: it starts none, signals itself alone and dies with its parent."""
    itself = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
    return (
        *(Rule(name) for name in ("fork", "vfork", "tkill", "pidfd_open", "pidfd_send_signal")),
        *(Rule(name, only=(pid,)) for name in itself),
        Rule("clone", mask=_CLONE_THREAD, only=(_CLONE_THREAD,)),
        Rule("prctl", never=(_PR_SET_PDEATHSIG,)),
    )


def refuse(rules: Iterable[Rule]) -> bool:
    """Put a filter in force for this process and all that it starts; false where it cannot be: another system, an old kernel.

    Needs no privilege, but that none can be gained any more, which it arranges first.

    Raises:
        ValueError: a rule names a system call that is not in the tables.
    """
    machine = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if machine is None or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    program = b"".join(_filter(rules, machine))
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_ = _Filter(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0


def hide_files(readable: Collection[str], devices: Collection[str], folder: str) -> bool:
    """Landlock: the readable folders and files may be read and run, the devices and all in the folder also written.

    That a file exists, its size and dates, and where a link points can still be found out. False, and nothing is hidden, where
    the kernel has no Landlock, or one that does not watch truncation (before Linux 6.2).

    Raises:
        OSError: the kernel began and then refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = (
        libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) if sys.platform == "linux" else 0
    )
    if version < _WATCHES_TRUNCATION:
        return False
    handled = (1 << (16 if version >= _WATCHES_DEVICES else 15)) - 1
    attributes = struct.pack("Q", handled)
    ruleset = _checked(libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    try:
        allowed = dict.fromkeys(readable, _READ) | dict.fromkeys(devices, _READ | _WRITE_FILE) | {folder: handled}
        for path, rights in allowed.items():
            with contextlib.suppress(FileNotFoundError):
                _allow(libc, ruleset, path, rights)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _checked(libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    return True


# Landlock.

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = (ctypes.c_long(number) for number in (444, 445, 446))
_WATCHES_TRUNCATION, _WATCHES_DEVICES = 3, 5
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    if not os.path.isdir(path):
        rights &= ~_READ_FOLDER
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", rights, file)
        arguments = ctypes.c_int(ruleset), ctypes.c_int(1), beneath, ctypes.c_uint32(0)
        _checked(libc.syscall(_LANDLOCK_ADD, *arguments))
    finally:
        os.close(file)


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


# The filter: a program for the kernel's packet filter, over the number of the call, the architecture and the arguments.


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


class _Machine(NamedTuple):
    architecture: int
    numbers: Mapping[str, int]
    """By name; a call that it does not have is missing."""


_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _AND, _RETURN, _IF_EQUAL, _IF_ABOVE = 0x20, 0x54, 0x06, 0x15, 0x25
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NEWEST = 450
"""The last call of Linux 6.1; the same number everywhere. Above it on x86-64 are also the calls of its 32-bit pointers (x32)."""


def _filter(rules: Iterable[Rule], machine: _Machine) -> Iterable[bytes]:
    yield _step(_LOAD, _ARCHITECTURE)
    yield _step(_IF_EQUAL, machine.architecture, 1, 0)
    yield _step(_RETURN, _KILL)  # 32-bit calls have other numbers
    yield _step(_LOAD, _NUMBER)
    yield _step(_IF_ABOVE, _NEWEST, 0, 1)
    yield _step(_RETURN, _ERROR | _ENOSYS)
    # Its flags are in memory, where no filter looks; libc then takes `clone`.
    yield from (_step(_IF_EQUAL, machine.numbers["clone3"], 0, 1), _step(_RETURN, _ERROR | _ENOSYS))
    for rule in rules:
        if not any(rule.call in known.numbers for known in _MACHINES.values()):
            raise ValueError(f"call = {rule.call!r}: expected a system call of the tables below")
        if rule.call in machine.numbers:  # ARM has no `chmod`: its libc calls `fchmodat`
            body = _refusal(rule)
            yield _step(_IF_EQUAL, machine.numbers[rule.call], 0, len(body))
            yield from body
    yield _step(_RETURN, _ALLOW)


def _refusal(rule: Rule) -> list[bytes]:
    """What is done when it is the rule's call; where it is not refused, the number is loaded again for the next rule."""
    refused = _step(_RETURN, _ERROR | _EPERM)
    values = rule.only or rule.never
    if not values:
        return [refused]
    test = [_step(_LOAD, _ARGUMENTS + 8 * rule.argument), _step(_AND, rule.mask)]
    if rule.only:
        test += [_step(_IF_EQUAL, value, len(values) - i, 0) for i, value in enumerate(values)]
    else:
        test += [_step(_IF_EQUAL, value, len(values) - 1 - i, 0) for i, value in enumerate(values)]
        test[-1] = _step(_IF_EQUAL, values[-1], 0, 1)
    return [*test, refused, _step(_LOAD, _NUMBER)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _numbers(table: str) -> dict[str, int]:
    return {name: int(number) for name, number in (entry.split("=") for entry in table.split())}


# From the kernel's headers asm/unistd_64.h and asm-generic/unistd.h.
_X86_64 = """
    socket=41 connect=42 bind=49 listen=50 accept=43 accept4=288 setsockopt=54 ptrace=101 process_vm_readv=310
    process_vm_writev=311 process_madvise=440 process_mrelease=448 kcmp=312 pidfd_getfd=438 setpriority=141
    ioprio_set=251 migrate_pages=256 move_pages=279 mbind=237 set_mempolicy=238 set_mempolicy_home_node=450
    mount=165 umount2=166 pivot_root=155 chroot=161 unshare=272 setns=308 open_tree=428 move_mount=429 fsopen=430
    fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 quotactl=179 quotactl_fd=443 name_to_handle_at=303
    open_by_handle_at=304 fanotify_init=300 fanotify_mark=301 inotify_init=253 inotify_init1=294
    inotify_add_watch=254 bpf=321 perf_event_open=298 userfaultfd=323 keyctl=250 add_key=248 request_key=249
    io_uring_setup=425 io_uring_enter=426 io_uring_register=427 kexec_load=246 kexec_file_load=320 init_module=175
    finit_module=313 delete_module=176 acct=163 swapon=167 swapoff=168 reboot=169 syslog=103 iopl=172 ioperm=173
    modify_ldt=154 personality=135 lookup_dcookie=212 vhangup=153 settimeofday=164 clock_settime=227
    clock_adjtime=305 adjtimex=159 sethostname=170 setdomainname=171 memfd_create=319 memfd_secret=447 shmget=29
    shmat=30 shmctl=31 shmdt=67 semget=64 semop=65 semctl=66 semtimedop=220 msgget=68 msgsnd=69 msgrcv=70 msgctl=71
    mq_open=240 mq_unlink=241 mq_timedsend=242 mq_timedreceive=243 mq_notify=244 mq_getsetattr=245 splice=275
    vmsplice=278 tee=276 chmod=90 fchmod=91 fchmodat=268 chown=92 lchown=94 fchown=93 fchownat=260 utime=132
    utimes=235 futimesat=261 utimensat=280 truncate=76 setxattr=188 lsetxattr=189 fsetxattr=190 removexattr=197
    lremovexattr=198 fremovexattr=199 getxattr=191 lgetxattr=192 fgetxattr=193 listxattr=194 llistxattr=195
    flistxattr=196 socketpair=53 clone=56 clone3=435 prlimit64=302 sched_setaffinity=203 sched_setscheduler=144
    sched_setparam=142 sched_setattr=314 fcntl=72 ioctl=16 fork=57 vfork=58 tkill=200 pidfd_open=434
    landlock_create_ruleset=444
    pidfd_send_signal=424 kill=62 tgkill=234 rt_sigqueueinfo=129 rt_tgsigqueueinfo=297 prctl=157
"""
_AARCH64 = """
    socket=198 connect=203 bind=200 listen=201 accept=202 accept4=242 setsockopt=208 ptrace=117 process_vm_readv=270
    process_vm_writev=271 process_madvise=440 process_mrelease=448 kcmp=272 pidfd_getfd=438 setpriority=140
    ioprio_set=30 migrate_pages=238 move_pages=239 mbind=235 set_mempolicy=237 set_mempolicy_home_node=450 mount=40
    umount2=39 pivot_root=41 chroot=51 unshare=97 setns=268 open_tree=428 move_mount=429 fsopen=430 fsconfig=431
    fsmount=432 fspick=433 mount_setattr=442 quotactl=60 quotactl_fd=443 name_to_handle_at=264 open_by_handle_at=265
    fanotify_init=262 fanotify_mark=263 inotify_init1=26 inotify_add_watch=27 bpf=280 perf_event_open=241
    userfaultfd=282 keyctl=219 add_key=217 request_key=218 io_uring_setup=425 io_uring_enter=426
    io_uring_register=427 kexec_load=104 kexec_file_load=294 init_module=105 finit_module=273 delete_module=106
    acct=89 swapon=224 swapoff=225 reboot=142 syslog=116 personality=92 lookup_dcookie=18 vhangup=58
    settimeofday=170 clock_settime=112 clock_adjtime=266 adjtimex=171 sethostname=161 setdomainname=162
    memfd_create=279 memfd_secret=447 shmget=194 shmat=196 shmctl=195 shmdt=197 semget=190 semop=193 semctl=191
    semtimedop=192 msgget=186 msgsnd=189 msgrcv=188 msgctl=187 mq_open=180 mq_unlink=181 mq_timedsend=182
    mq_timedreceive=183 mq_notify=184 mq_getsetattr=185 splice=76 vmsplice=75 tee=77 fchmod=52 fchmodat=53 fchown=55
    fchownat=54 utimensat=88 truncate=45 setxattr=5 lsetxattr=6 fsetxattr=7 removexattr=14 lremovexattr=15
    fremovexattr=16 getxattr=8 lgetxattr=9 fgetxattr=10 listxattr=11 llistxattr=12 flistxattr=13 socketpair=199
    clone=220 clone3=435 prlimit64=261 sched_setaffinity=122 sched_setscheduler=119 sched_setparam=118
    landlock_create_ruleset=444 sched_setattr=274 fcntl=25 ioctl=29 tkill=130 pidfd_open=434 pidfd_send_signal=424
    kill=129 tgkill=131 rt_sigqueueinfo=138 rt_tgsigqueueinfo=240 prctl=167
"""
_MACHINES = {"x86_64": _Machine(0xC000003E, _numbers(_X86_64)), "aarch64": _Machine(0xC00000B7, _numbers(_AARCH64))}
