"""What contains a program where a part of the machine's isolation is missing, and how that is said.

A machine without namespaces, Landlock or filter is played by a filter that refuses them. What programs try here is harmless
should it succeed: it is done to a process and a folder that the test made for it.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sanmai.programs.run import Isolation, describe_isolation
from untrusted import ISOLATION

PLAYED = """
import json, sys
from dataclasses import asdict
from sanmai.programs.confine import Rule, refuse
rules = {"namespaces": Rule("unshare"), "landlock": Rule("landlock_create_ruleset"), "seccomp": Rule("prctl", never=(22,))}
job = json.load(sys.stdin)
assert refuse([rules[name] for name in job["without"]])
from sanmai.programs.grade import grade_program
from sanmai.programs.run import describe_isolation, run_program
done = run_program(job["code"])
graded = grade_program("def f(x): return 2 * x", ["assert f(2) == 4", "assert f(2) == 5"])
print(json.dumps([done.stdout, done.stderr, asdict(done.isolation), graded.share, describe_isolation()]))
"""
TRIES = """
import fcntl, os, resource, socket, subprocess, threading
def try_(name, attempt):
    try: attempt(); print(name, end=" ")
    except OSError: pass
try_("socket", socket.socket)
try_("start", lambda: subprocess.run(["/bin/true"]))
try_("read", lambda: open(PLACE + "/secret").read())
try_("list", lambda: os.listdir(PLACE))
try_("write", lambda: open(PLACE + "/new", "w"))
try_("append", lambda: open(PLACE + "/secret", "a"))
try_("truncate", lambda: os.truncate(PLACE + "/secret", 1))
try_("mode", lambda: os.chmod(PLACE + "/secret", 0o600))
try_("date", lambda: os.utime(PLACE + "/secret", (0, 0)))
try_("link", lambda: (os.symlink(PLACE + "/secret", "link"), open("link").read()))
try_("remove", lambda: os.remove(PLACE + "/spare"))
try_("environment", lambda: open(f"/proc/{DECOY}/environ", "rb").read())
try_("signal", lambda: os.kill(DECOY, 0))
try_("signal_parent", lambda: os.kill(os.getppid(), 0))
try_("owner", lambda: fcntl.fcntl(1, fcntl.F_SETOWN, DECOY))
try_("limits", lambda: resource.prlimit(DECOY, resource.RLIMIT_CORE, (0, 0)))
print("/ own:", end=" ")
try_("file", lambda: (open("own", "w").write("x"), os.mkdir("folder"), os.rename("own", "folder/own"), os.remove("folder/own")))
try_("thread", lambda: (thread := threading.Thread(target=int), thread.start(), thread.join()))
try_("signal", lambda: os.kill(os.getpid(), 0))
"""


def played(tmp_path, *without: str):
    """What TRIES could do on a machine without these, and the rest that PLAYED prints."""
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "spare").write_text("")
    decoy = subprocess.Popen(["/bin/sleep", "60"])
    try:
        job = {"without": without, "code": f"PLACE, DECOY = {str(tmp_path)!r}, {decoy.pid}\n{TRIES}"}
        done = subprocess.run([sys.executable, "-c", PLAYED], input=json.dumps(job), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and decoy.poll() is None, done.stderr
    finally:
        decoy.kill()
        decoy.wait()
    stdout, stderr, isolation, share, sentences = json.loads(done.stdout)
    assert stderr == "" and share == 0.5
    return stdout.strip(), Isolation(**isolation), sentences


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_without_namespaces_filter_and_landlock_contain_the_same_but_for_names(tmp_path):
    did, isolation, sentences = played(tmp_path, "namespaces")
    if not isolation.files:
        pytest.skip("no Landlock here")
    assert did == "/ own: file thread signal" and (tmp_path / "secret").read_text() == "hunter2"
    assert isolation.alone and isolation.network and isolation.processes and isolation.process_limit
    (missing,) = [sentence for sentence in sentences if "NOT CONTAINED" in sentence]
    assert "that a file exists" in missing and isolation.missing == (missing.split(": ", 2)[2],)


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_without_landlock_too_files_are_open_and_that_is_said(tmp_path):
    did, isolation, sentences = played(tmp_path, "namespaces", "landlock")
    assert did == "read list write append link remove / own: file thread signal" and not isolation.files
    assert sum("NOT CONTAINED" in sentence for sentence in sentences) == 2 == len(isolation.missing)


@pytest.mark.skipif(not ISOLATION.root, reason="no namespaces here")
def test_without_a_filter_namespaces_still_contain_and_open_calls_are_said(tmp_path):
    did, isolation, _ = played(tmp_path, "seccomp")
    # Sockets that lead nowhere, its warden's existence: nothing of the machine's.
    assert set(did.partition(" / ")[0].split()) <= {"socket", "start", "signal_parent"} and isolation.files
    assert len(isolation.missing) == 1 and "system calls" in isolation.missing[0]


def test_with_nothing_in_force_every_gap_has_a_sentence():
    whole = Isolation(network=True, processes=True, files=True, process_limit=True, user=False, root=True, system_calls=True)
    assert whole.missing == ()
    open_ = Isolation(network=False, processes=False, files=False, process_limit=False, user=True)
    assert len(open_.missing) == 6 and "the network is not blocked" in open_.missing


def test_what_is_contained_here_is_described():
    sentences = describe_isolation()
    assert all(sentence.startswith("untrusted programs: ") for sentence in sentences)
    assert sum("NOT CONTAINED" in sentence for sentence in sentences) == len(ISOLATION.missing)
    assert ("all protections work" in sentences[-1]) == (ISOLATION.missing == ())


FILTERS = """
import errno, fcntl, os, resource
from sanmai.programs.confine import Rule, refuse
assert refuse([Rule("fcntl", 1, never=(1, 3)), Rule("prlimit64", 1, only=(4, 7)), Rule("kill", 1, mask=0xF, only=(0,))])
def tried(attempt):
    try: attempt(); return "yes"
    except PermissionError: return "no"
print(*(tried(lambda: fcntl.fcntl(0, command)) for command in (1, 2, 3)))                   # F_GETFD, F_SETFD, F_GETFL
print(*(tried(lambda: resource.prlimit(0, kind)) for kind in (4, 5, 7)))
print(tried(lambda: os.kill(os.getpid(), 0)), tried(lambda: os.kill(os.getpid(), 17)))      # 17 & 15 = 1: ignored if sent
try: refuse([Rule("no_such_call")])
except ValueError as error: print(error)
"""


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_a_rule_looks_at_the_argument_that_it_names():
    done = subprocess.run([sys.executable, "-c", FILTERS], capture_output=True, text=True, timeout=60)
    lines = ["no yes no", "yes no yes", "yes no", "call = 'no_such_call': expected a system call of the tables below"]
    assert done.stdout.splitlines() == lines, done.stderr
