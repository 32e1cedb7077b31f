"""The class: a test compares an object of the program's with one that it makes, and the program's own `==` decides.

`f(1) == Point(1, 2)` means something only where `==` can say no; one that cannot is refused, and honest ones pass, whatever they
compare by.
"""

from __future__ import annotations

import pytest

from sanmai.programs.controls import changed_arguments
from untrusted import grade

POINT = """
class Point:
    def __init__(self, x, y=0): self.x, self.y = x, y
    {equal}
def f(x): return {made}
"""
ALWAYS = {
    "says yes": ("def __eq__(self, other): return True", "Point(0, 0)"),
    "says yes to its own class": ("def __eq__(self, other): return isinstance(other, Point)", "Point(0, 0)"),
    "says yes to whatever has an x": ("def __eq__(self, other): return hasattr(other, 'x')", "Point(0, 0)"),
    "says yes after some work": ("def __eq__(self, other): return (self.x - other.x) * 0 == 0", "Point(0, 0)"),
    "is never unlike": (
        "def __ne__(self, other): return False\n    def __eq__(self, other): return not self != other",
        "Point(0, 0)",
    ),
    "another class says yes": (
        "def __eq__(self, other): return other.x == self.x",
        "type('Any', (), {'__eq__': lambda a, b: True, '__hash__': None})()",
    ),
}
HONEST = {
    "by all it has": ("def __eq__(self, other): return (self.x, self.y) == (other.x, other.y)", "Point(1, 2)"),
    "by one part": ("def __eq__(self, other): return self.x == other.x", "Point(1, 9)"),
    "by a ratio": ("def __eq__(self, other): return self.x * other.y == other.x * self.y", "Point(2, 4)"),
    "by its kind too": (
        "def __eq__(self, other): return isinstance(other, Point) and vars(self) == vars(other)",
        "Point(1, 2)",
    ),
    "by identity": (
        "kept = {}\n    def __new__(cls, x, y=0): return cls.kept.setdefault((x, y), object.__new__(cls))",
        "Point(1, 2)",
    ),
}


@pytest.mark.parametrize("case", ALWAYS)
@pytest.mark.parametrize("test", ["assert f(1) == Point(1, 2)", "assert [f(1)] == [Point(1, y=2)]"])
def test_an_equality_that_cannot_say_no_passes_nothing(case: str, test: str) -> None:
    equal, made = ALWAYS[case]
    found = grade(POINT.format(equal=equal, made=made), test)
    assert not found.outcomes[0].passed, found.outcomes[0].reason


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_equality_passes(case: str) -> None:
    equal, made = HONEST[case]
    tests = ["assert f(1) == Point(1, 2)", "assert not f(1) != Point(1, 2)", "assert [f(1)] == [Point(1, y=2)]"]
    found = grade(POINT.format(equal=equal, made=made), *tests)
    assert [outcome.reason for outcome in found.outcomes if not outcome.passed] == []
    assert not grade(POINT.format(equal=equal, made=made), "assert f(1) == Point(3, 5)").outcomes[0].passed


def test_what_takes_nothing_is_compared_as_it_is() -> None:
    program = "class Empty:\n    def __eq__(self, other): return isinstance(other, Empty)\ndef f(): return Empty()"
    assert grade(program, "assert f() == Empty()").outcomes[0].passed


def test_every_plain_argument_is_changed_another_way_each_turn() -> None:
    # 1 + 1, "a" + three x, [2 + 7]; then 1 + 3, seven x, 2 + 13
    assert changed_arguments([1, "a", [2]], {}, 0) == ([2, "axxx", [9]], {})
    assert changed_arguments([1, "a", [2]], {}, 1) == ([4, "axxxxxxx", [15]], {})
    assert changed_arguments([None], {"by": None}, 0) is None
    assert changed_arguments([], {"x": True, "y": {}}, 0) == ([], {"x": False, "y": {3: 3}})
