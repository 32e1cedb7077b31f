"""Plain data crosses between a program and its tests unchanged; nothing else crosses."""

from __future__ import annotations

import pytest

from sanmai.programs.plain import decoded, encoded


def test_plain_data_crosses_unchanged():
    value = [None, True, 2, -(1 << 80), 1.5, float("inf"), "é\ud800", (1, (2,)), {1, "a"}, frozenset({3}), b"\x00\xff", 1 + 2j,
             {(1, 2): [3], None: {}}, [], (), set(), {}, "", {"t": [1]}]  # fmt: skip
    back = decoded(encoded(value, lambda _: 1 / 0), lambda _: 1 / 0)
    assert back == value and [type(item) for item in back] == [type(item) for item in value]


def test_a_subclass_arrives_as_its_base_whatever_it_overrides():
    class Liar(int):
        def __eq__(self, other): return True
        __hash__ = None
        def __index__(self): return 99
        def __int__(self): return 99
        def __lt__(self, other): raise ValueError

    class Echo(list):
        def __iter__(self): return iter([99])
        def __eq__(self, other): return True

    back = decoded(encoded([Liar(1), Echo([1, 2])], lambda _: 1 / 0), lambda _: 1 / 0)
    assert back == [1, [1, 2]] and type(back[0]) is int and type(back[1]) is list and (back[0] == 2) is False


@pytest.mark.parametrize("data", [{}, {"t": [], "s": []}, {"x": 1}, {"i": 5}, {"i": "zz"}, {"s": [[1]]}, {"d": [1]}, {"d": [[1]]},
                                  {"b": "g"}, {"c": [1, 2, 3]}, {"r": 0.5}, {"t": 5}])  # fmt: skip
def test_what_is_no_plain_data_is_refused(data):
    with pytest.raises((ValueError, TypeError)):
        decoded(data, lambda _: None)
