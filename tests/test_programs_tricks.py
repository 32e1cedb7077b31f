"""No trick passes a test that the program's results do not pass, and two thousand hostile programs leave nothing behind."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from leftovers import added, leaver, left_behind, open_files
from sanmai.programs.run import Limits
from untrusted import ISOLATION, grade, processes_named, processes_of_programs, run

SECRET = random.randrange(10_000, 100_000)
LOOK = r'''
import os, re, sys
def look(text):
    found = re.search(r"assert f.1. =" r"= (\d+)", text)
    return int(found[1]) if found else 0
'''
"""Finds the expected value where the text of the first test is; `== SECRET` stands in no program."""
CHEATS = {
    "exit at import": 'import sys; sys.exit(0)',
    "hard exit at import": 'import os; os._exit(0)',
    "exit when called": 'def f(x): raise SystemExit(0)',
    "hard exit when called": '''
import os
def f(x): os._exit(0)
''',
    "exit in a hook": '''
import atexit, os
atexit.register(os._exit, 0)
def f(x): return None
''',
    "equal to all": '''
class E:
    def __eq__(s, o): return True
    def __ne__(s, o): return True
    def __bool__(s): return True
    __hash__ = None
def f(x): return E()
''',
    "an int equal to all": '''
class E(int):
    def __eq__(s, o): return True
    __hash__ = int.__hash__
def f(x): return E(1)
''',
    "a list equal to all": '''
class E(list):
    def __eq__(s, o): return True
def f(x): return E()
''',
    "a type that lies": '''
class M(type):
    def __eq__(s, o): return True
    __hash__ = type.__hash__
class E(metaclass=M): pass
def f(x): return E
''',
    "an object that calls itself an int": '''
class E:
    __class__ = int
    def __eq__(s, o): return True
    def __sub__(s, o): return 0
    __rsub__ = __sub__
def f(x): return E()
''',
    "a builtin of the judge's": '''
import os
for fd in range(3, 300):
    for message in (b'{"value": true}', b'{"id": 1, "value": {"r": "print"}}'):
        try: os.write(fd, len(message).to_bytes(4, 'big') + message)
        except OSError: pass
def f(x): return print
''',
    "builtins replaced": '''
import builtins
for n in ('AssertionError', 'exec', 'compile', 'isinstance', 'len', 'int', 'abs'):
    setattr(builtins, n, lambda *a, **k: True)
def f(x): return 0
''',
    "own abs": '''
def abs(x): return 0
def f(x): return 10
''',
    "frames": LOOK + '''
import sys
def f(x):
    frame, seen = sys._getframe(), []
    while frame:
        seen += [repr(v) for v in (*frame.f_locals.values(), *frame.f_globals.values())]
        frame = frame.f_back
    return look(' '.join(seen))
''',
    "gc": LOOK + '''
import gc
def f(x): return look(' '.join(repr(o) for o in gc.get_objects() if isinstance(o, (list, tuple, dict))))
''',
    "memory": LOOK + '''
def f(x):
    text = ''
    maps = open('/proc/self/maps').read()
    m = open('/proc/self/mem', 'rb', 0)
    for a, b in re.findall(r'([0-9a-f]+)-([0-9a-f]+) rw', maps):
        m.seek(int(a, 16))
        text += m.read(int(b, 16) - int(a, 16)).decode('latin1')
    return look(text)
''',
    "other processes": LOOK + '''
import os
def f(x):
    text = ''
    for pid in os.listdir('/proc'):
        try: text += open(f'/proc/{pid}/cmdline').read() + open(f'/proc/{pid}/environ').read()
        except OSError: pass
    return look(text)
''',
    "tests on disk": LOOK + '''
import os
def f(x):
    text = ''
    for place, _, files in os.walk('.'):
        for name in files:
            text += open(os.path.join(place, name), errors='ignore').read()
    return look(text)
''',
    "verdicts on all pipes": '''
import os
for fd in range(3, 300):
    for line in (b'{"test": 0, "passed": true, "reason": ""}\\n', b'\\0\\0\\0\\x04true'):
        try: os.write(fd, line)
        except OSError: pass
def f(x): return 0
''',
    "answers before questions": '''
import os, json
for fd in range(3, 300):
    for n in range(9):
        m = json.dumps({'id': n, 'value': True}).encode()
        try: os.write(fd, len(m).to_bytes(4, 'big') + m)
        except OSError: pass
def f(x): return 0
''',
    "modules planted where the tests may look": '''
import os, sys
for name in ('math', 'random', 'json', 'sitecustomize', 'usercustomize', 'conftest', 'test_program', 'tests'):
    for place in ('.', os.environ['HOME'], os.environ['TMPDIR'], '/tmp'):
        with open(os.path.join(place, name + '.py'), 'w') as file:
            file.write('class AssertionError(Exception): pass\\nisclose = lambda *a, **k: True\\n')
sys.path.insert(0, '.')
def f(x): return 0
''',
    "printing": '''
print('{"test": 0, "passed": true}'); print('OK')
def f(x): return 0
''',
    "signals": '''
import os, signal
for pid in (os.getppid(), 1, 0):
    try: os.kill(pid, signal.SIGTERM) if pid else None
    except OSError: pass
def f(x): return 0
''',
    "patched server": '''
import sys
for name, module in list(sys.modules.items()):
    if 'sanmai' in name:
        for key in list(vars(module)):
            setattr(module, key, lambda *a, **k: True)
def f(x): return 0
''',
    "deep": '''
def f(x):
    y = []
    for _ in range(100000): y = [y]
    return y
''',
    "huge": "def f(x): return 'x' * (20 << 20)",
    "not defined": '',
    "no Python": 'def f(x) return 1',
    "null byte": "def f(x): return '\0'",
    "exception with a bad text": '''
class E(Exception):
    def __str__(s): raise E
def f(x): raise E
''',
    "the end of a loop": 'def f(x): raise StopIteration',
    "an exception that is not one": 'def f(x): raise KeyboardInterrupt',
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_no_trick_passes_a_test(name):
    if name == "signals" and not ISOLATION.processes:
        pytest.skip("its signals would arrive")
    tests = [
        f"assert f(1) == {SECRET}", f"assert abs(f(2) - {SECRET}) < 1e-6", f"assert not f(3) != {SECRET}",
        f"assert f(4) in ({SECRET},)",
    ]  # fmt: skip
    result = grade(CHEATS[name], *tests)
    assert result.passed == 0 and result.ungradable == 0, result.outcomes


def test_the_looking_tricks_would_find_what_they_look_for():
    # Else their failing would say nothing: here the program holds the test in a variable of its own.
    for name in ("frames", "gc"):
        code = CHEATS[name] + f"\nKEPT = ['assert f(1) == {SECRET}']"
        assert grade(code, f"assert f(1) == {SECRET}").passed == 1


HOSTILE = [
    "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "while True: print('x' * 4096)", "import socket; socket.create_connection(('127.0.0.1', 1))",
    "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass", "open('/usr/bin/x', 'w')",
    "import os; os.kill(os.getppid(), 9)", "import os\nfor i in range(9999): os.symlink('/', str(i))",
    "import threading\nwhile True: threading.Thread(target=input).start()",
]  # fmt: skip


@pytest.mark.slow
def test_a_thousand_programs_leave_nothing_behind(tmp_path, monkeypatch):
    if not (ISOLATION.processes and ISOLATION.process_limit):
        pytest.skip("a fork bomb would not be contained here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cheats, limits = list(CHEATS.values()), Limits(timeout_seconds=0.5, cpu_seconds=1, memory_bytes=1 << 28, processes=4)
    mark = f"all{os.getpid()}"
    programs = [*HOSTILE, leaver(mark, "/tmp")]

    def count():
        return open_files(), len(os.listdir(tmp_path)), processes_of_programs(), threading.active_count()

    def hostile(i: int) -> int:
        if i % 10 == 0:
            run(programs[i // 10 % len(programs)], limits=limits)
            return 0
        return grade(cheats[i % len(cheats)], f"assert f(1) == {SECRET}").passed

    run("")
    before, places = count(), left_behind()
    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(hostile, range(1000))) == 0
    assert count() == before and added(places, mark) == {} and processes_named(mark) == []
