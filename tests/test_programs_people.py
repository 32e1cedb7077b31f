"""Right programs as models and people write them; and objects that agree with everything, which pass nothing."""

from __future__ import annotations

import pytest

from sanmai.programs.extract import asked_names, last_program
from sanmai.programs.grade import grade_program
from sanmai.rewards.judging.judge_prompts import UnreadableReplyError, read_score

ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize("answer", [
    f"{ADD}```", f"Here it is:\n{ADD}```\nIt adds.", f"```{{.python}}\n{ADD}```", f"```{{code-cell}} ipython3\n{ADD}```",
    f"```python:solution.py\n{ADD}```", "```pycon\n>>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n```",
    f"[CODE]\n{ADD}[/CODE]", f"```python\n{ADD}```\nUse:\n```python\nx = add(1, 2)\nprint(x)\n```",
    f"```python\n{ADD}```\nTest:\n```python\ndef test_add():\n    assert add(1, 2) == 3\n```",
    f"```python\n{ADD}```\nRun:\n```\nx = 1\n```",
])  # fmt: skip
def test_a_program_is_found_however_its_fence_is_written_and_usage_is_not_it(answer):
    found = last_program(answer, asked_names(["assert add(1, 2) == 3"]))
    assert found is not None and grade_program(found[0], ["assert add(2, 3) == 5"]).all_passed


CLASS = """
import asyncio
from decimal import Decimal
from fractions import Fraction
from datetime import date
from collections import deque
class Low(LookupError): pass
class V:
    def __init__(self, x): self.x = x
    def __len__(self): return 2
    def __mul__(self, k): return V(self.x * k)
    __rmul__ = __mul__
    def __eq__(self, o): return isinstance(o, V) and self.x == o.x
    def __repr__(self): return f"V({self.x})"
    def __getitem__(self, i): return self.x + i
    def __contains__(self, v): return v == self.x
    def __enter__(self): return self
    def __exit__(self, *a): return False
def raises(): raise Low("no")
async def slow(a):
    await asyncio.sleep(0)
    return a + 1
def things(): return [Fraction(1, 2), Decimal("1.5"), date(2024, 1, 2), deque([1]), range(3)]
def typed(a: Optional[List[int]]) -> Dict[str, int]: return {}
"""


@pytest.mark.parametrize("test", [
    "assert len(V(1)) == 2", "assert V(2) * 3 == V(6) and 3 * V(2) == V(6)", "assert str(V(2)) == 'V(2)'", "assert V(2)[5] == 7",
    "assert 4 in V(4) and 5 not in V(4)", "assert isinstance(V(1), V)", "with V(3) as v:\n    assert v.x == 3",
    "try:\n    raises()\nexcept LookupError:\n    pass\nelse:\n    assert False", "assert asyncio.run(slow(1)) == 2",
    "async def f():\n    return await asyncio.gather(slow(1), slow(2))\nassert asyncio.run(f()) == [2, 3]",
    "import datetime, collections\nassert things() == [0.5, 1.5, datetime.date(2024, 1, 2), collections.deque([1]), range(3)]",
    "assert typed([1]) == {}",
])  # fmt: skip
def test_a_programs_own_classes_errors_and_results_are_used_as_python_would(test):
    result = grade_program(CLASS, [test])
    assert result.all_passed, result.outcomes


ERRORS = """
class AppError(Exception):
    def __init__(self, code, text="no"):
        super().__init__(text)
        self.code = code
class NotFound(AppError): pass
class Bad(ValueError): pass
class Ends(StopIteration): pass
def f(x):
    if x == 0: raise NotFound(404, "where?")
    if x == 1: raise Bad("b")
    if x == 2: raise Ends(5)
    if x == 3: raise KeyError("k")
    return x
"""


@pytest.mark.parametrize(("test", "passes"), [
    ("try:\n    f(0)\n    assert False\nexcept NotFound as e:\n    assert str(e) == 'where?' and e.code == 404", True),
    ("try:\n    f(0)\n    assert False\nexcept AppError:\n    pass", True),
    ("try:\n    f(1)\n    assert False\nexcept (AppError, Bad):\n    pass", True),
    ("import unittest\nunittest.TestCase().assertRaises(Bad, f, 1)", True),
    ("assert issubclass(NotFound, AppError) and issubclass(Bad, ValueError) and not issubclass(Bad, AppError)", True),
    ("try:\n    f(1)\nexcept AppError:\n    pass", False),  # another one than was raised
    ("try:\n    f(4)\n    raised = False\nexcept Bad:\n    raised = True\nassert raised", False),  # none was
    ("try:\n    f(3)\nexcept Bad:\n    pass", False),
    ("try:\n    f(0)\nexcept AppError as e:\n    assert e.code == 500", False),
    ("assert all(map(f, [2]))", False),  # its own end of an iteration ends none of the tests'
])  # fmt: skip
def test_a_programs_own_exceptions_are_caught_by_their_names_and_no_others(test, passes):
    assert grade_program(ERRORS, [test]).all_passed is passes


@pytest.mark.parametrize(
    "test", ["assert is_prime(7)", "assert not is_prime(4) or is_prime(7)", "assert all(map(is_prime, [2, 3]))"]
)
def test_an_exception_in_place_of_a_function_passes_nothing(test):
    for code in ("class is_prime(Exception): pass", "class is_prime(ValueError):\n    __bool__ = lambda self: True"):
        assert grade_program(code, [test]).all_passed is False


TRICK = """
class Yes:
    def __eq__(self, o): return True
    __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __ne__ = __eq__
    def __sub__(self, o): return 0
    __add__ = __rsub__ = __sub__
    def __bool__(self): return True
def f(x): return Yes()
"""


@pytest.mark.parametrize("test", [
    "assert f(1) == 3", "assert abs(f(1) - 3.1) < 1e-6", "assert 3.1 - f(1) == 0", "assert 3 in f(1)", "assert f(1) > 2",
    "assert f(1)", "assert Yes() == 3", "assert f(1) == f(2)",
])  # fmt: skip
def test_an_object_that_agrees_with_everything_passes_nothing(test):
    assert grade_program(TRICK, [test]).all_passed is False


def test_what_the_sandbox_lacks_is_ungradable_and_cannot_be_feigned():
    assert grade_program(ADD, ["import pytest\nassert add(1, 2) == 3"]).all_passed is None
    assert grade_program(f"import numpy as np\n{ADD}", ["assert add(1, 2) == 3"]).all_passed is None
    assert grade_program("import nosuchthing", ["assert add(1, 2) == 3"]).all_passed is False
    assert grade_program("raise ModuleNotFoundError(\"No module named 'numpy'\")", ["assert f(1)"]).all_passed is False


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1" + "0" * 5000, "1e999", "-1" + "0" * 400])
def test_a_judges_number_beyond_every_scale_is_no_verdict(number):
    with pytest.raises(UnreadableReplyError):
        read_score(f'{{"reason": "x", "score": {number}}}')


@pytest.mark.parametrize("code", [
    f"{ADD}if __name__ == '__main__':\n    print(add(1, 2))\n    exit()\n", f"{ADD}def main():\n    quit()\n",
    "def add(a, b):\n    if a > 10**6:\n        exit(1)\n    return a + b\n",
])  # fmt: skip
def test_ways_to_end_a_program_are_there_as_in_python(code):
    assert grade_program(code, ["assert add(2, 3) == 5"]).all_passed


@pytest.mark.parametrize("code", [
    "exit()", "quit(0)", "exit", f"exit()\n{ADD}", f"{ADD}exit()", "def add(a, b): exit()", "def add(a, b): quit(0)",
    "add = exit", "add = quit", "import builtins\nbuiltins.exit = builtins.quit = lambda *a: 5\ndef add(a, b): return exit",
    "add = exit.__call__", "import atexit\natexit.register(exit)\ndef add(a, b): return None",
    "class add:\n    __new__ = lambda *a: exit()",
])  # fmt: skip
def test_an_early_end_passes_nothing(code):
    tests = ["assert add(2, 3) == 5", "try:\n    assert add(2, 3) == 5\nexcept Exception:\n    raise",
             "assert not add(2, 3) != 5"]
    assert grade_program(code, tests).passed == 0


SHAPES = """
from abc import ABC, abstractmethod
class Shape(ABC):
    @abstractmethod
    def area(self): ...
class Square(Shape):
    def __init__(self, a): self.a = a
    def area(self): return self.a ** 2
class Liar(type):
    __instancecheck__ = __subclasscheck__ = lambda *a: True
class f(metaclass=Liar): pass
"""


@pytest.mark.parametrize(("test", "passes"), [
    ("assert Square(3).area() == 9", True), ("assert issubclass(Square, Shape)", True),
    ("assert isinstance(Square(1), Shape)", True),
    ("assert not issubclass(Shape, Square)", True), ("assert issubclass(Square, (int, Shape))", True),
    ("assert issubclass(f, int)", False), ("assert issubclass(int, f)", False), ("assert isinstance(5, f)", False),
    ("assert isinstance(f(), (int, str))", False),
])  # fmt: skip
def test_a_programs_classes_are_asked_of_each_other_and_never_of_pythons(test, passes):
    assert grade_program(SHAPES, [test]).all_passed is passes


KINDS = """
from collections import namedtuple
from enum import Enum, IntEnum
from typing import NamedTuple
Pair = namedtuple("Pair", "a b")
class Place(NamedTuple):
    row: int
    column: int = 0
class Colour(Enum):
    RED = 1
    BLUE = "b"
    def shout(self): return self.name + "!"
class Level(IntEnum):
    LOW = 1
    HIGH = 2
class V:
    def __init__(self, x): self.x = x
    def __eq__(self, o): return isinstance(o, V) and self.x == o.x
    def __hash__(self): return hash(self.x)
def pair(): return Pair(1, 2)
def place(): return [Place(3)]
def is_pair(p): return isinstance(p, Pair) and p.a
def colour(): return Colour.RED
def is_red(c): return c is Colour.RED
def level(): return Level.HIGH
def greet(name): print("hello", name)
def count():
    "Counts."
    yield 1
"""


@pytest.mark.parametrize("test", [
    "assert pair() == (1, 2) and pair().a == 1 and pair()._asdict() == {'a': 1, 'b': 2}",
    "assert place()[0].row == 3 and place()[0].column == 0", "assert is_pair(pair()) == 1 and is_pair(Pair(5, 6)) == 5",
    "assert isinstance(pair(), Pair) and not isinstance((1, 2), Pair)",
    "assert colour() == Colour.RED and colour() is Colour.RED and colour() != Colour.BLUE", "assert colour().name == 'RED'",
    "assert [c.value for c in Colour] == [1, 'b'] and Colour('b') is Colour.BLUE and Colour['RED'] is Colour.RED",
    "assert {Colour.RED: 5}[colour()] == 5",
    "assert isinstance(colour(), Colour) and is_red(colour()) and not is_red(Colour.BLUE)",
    "assert colour().shout() == 'RED!'", "assert level() == 2 and level() > Level.LOW and level().name == 'HIGH'",
    "assert greet.__doc__ is None and count.__doc__ == 'Counts.' and count.__name__ == 'count'",
    "g = count()\nassert next(g) == 1\ntry:\n    next(g)\nexcept StopIteration:\n    pass\nelse:\n    assert False",
    "assert len({V(1), V(1), V(2)}) == 2 and {V(1): 3}[V(1)] == 3",
    "import io, contextlib\nheard = io.StringIO()\nwith contextlib.redirect_stdout(heard):\n    greet('you')\n"
    "assert heard.getvalue() == 'hello you\\n'",
])  # fmt: skip
def test_named_tuples_enumerations_own_hashes_and_what_is_printed_are_seen_by_the_tests(test):
    assert grade_program(KINDS, [test]).all_passed


@pytest.mark.parametrize("program", [
    "class Colour:\n    def __eq__(self, o): return True\n    __hash__ = None\n    RED = 1\ndef colour(): return Colour()",
    "from enum import Enum\nclass Any(Enum):\n    X = 1\n    def __eq__(self, o): return True\n    __hash__ = Enum.__hash__\n"
    "def colour(): return Any.X",
    "from collections import namedtuple\nclass T(namedtuple('T', 'a b')):\n    def __eq__(self, o): return True\n"
    "def colour(): return T(8, 9)",
])  # fmt: skip
def test_an_enumeration_or_named_tuple_that_agrees_with_everything_passes_nothing(program):
    assert not grade_program(program, ["assert colour() == 7"]).all_passed
    assert not grade_program(program, ["assert colour() == (1, 2)"]).all_passed


def test_members_of_an_enumeration_that_are_all_one_pass_nothing():
    program = "from enum import Enum\nclass Colour(Enum):\n    RED = 1\n    BLUE = 1\ndef colour(): return Colour.RED"
    assert not grade_program(program, ["assert colour() == Colour.BLUE"]).all_passed


def test_a_function_that_writes_bytes_to_the_standard_output_works_as_before():
    program = "import sys\ndef f():\n    sys.stdout.buffer.write(b'x')\n    sys.stdout.flush()\n"
    program += "    return sys.stdout.encoding is not None"
    assert grade_program(program, ["assert f() is True"]).all_passed


ASYNC = """
class Session:
    async def __aenter__(self): return 3
    async def __aexit__(self, *a): return False
    def __aiter__(self):
        self.i = 0
        return self
    async def __anext__(self):
        if self.i == 2: raise StopAsyncIteration
        self.i += 1
        return self.i
async def squares(n):
    for i in range(n):
        yield i * i
class Sum:
    def __init__(self, a): self.a = a
    def __iadd__(self, o):
        self.a += o
        return self
    def __divmod__(self, o): return divmod(self.a, o)
"""
MAIN = "import asyncio\nasync def main():\n"


@pytest.mark.parametrize(("test", "is_right"), [
    (f"{MAIN}    async with Session() as x:\n        return x\nassert asyncio.run(main()) == 3", True),
    (f"{MAIN}    return [x async for x in Session()]\nassert asyncio.run(main()) == [1, 2]", True),
    (f"{MAIN}    return [x async for x in squares(3)]\nassert asyncio.run(main()) == [0, 1, 4]", True),
    (f"{MAIN}    return [x async for x in squares(3)]\nassert asyncio.run(main()) == [0, 1, 5]", False),
    ("s = Sum(1)\ns += 4\nassert s.a == 5 and divmod(s, 2) == (2, 1)", True), ("s = Sum(1)\ns += 4\nassert s.a == 6", False),
])  # fmt: skip
def test_asynchronous_protocols_and_operators_in_place_are_a_class_s_own(test, is_right):
    assert grade_program(ASYNC, [test]).all_passed is is_right
