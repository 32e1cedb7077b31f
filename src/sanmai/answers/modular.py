"""Whether two expressions too large to write out are equal: both are worked out modulo large primes."""

from __future__ import annotations

import math
import operator
import random
import re
from collections.abc import Callable

MAX_EXPONENT_BITS = 4096
MAX_FACTORIAL = 20_000
PRIMES = (2305843009213693973, 2305843009213694009, 2305843009213694017)
"""Just above 2**61, each one more than a multiple of 4, so that -1 has a square root."""


def equal_modulo(reference: str, candidate: str) -> bool | None:
    """Whether two expressions of integers, letters, + - * / ^ and ! are equal; None where one of them is none.

    Letters are unknowns, replaced by random numbers (an identity of polynomials that holds for these holds for all but
    one case in about 2**150); i is the square root of -1. An exponent or an argument of ! must itself be a number.
    """
    try:
        return all(_Reader(reference, prime).value() == _Reader(candidate, prime).value() for prime in PRIMES)
    except (_UnreadableError, ZeroDivisionError):
        return None


class _UnreadableError(ValueError):
    pass


_TOKEN = re.compile(r"\\(?:frac|binom|cdot|times|div|pi|theta|alpha|beta)(?![A-Za-z])|[0-9]+|[A-Za-z]|[-+*/^!(){}\[\]]")
_Value = tuple[int, int | None]  # modulo the prime; exactly, where that is a small integer


class _Reader:
    """Recursive descent: a sum of products of powers of atoms."""

    def __init__(self, text: str, prime: int) -> None:
        bare = re.sub(r"(?<=\d),(?=\d{3})|\s+", "", text)
        self.tokens = _TOKEN.findall(bare)
        if "".join(self.tokens) != bare or len(self.tokens) > 200:
            raise _UnreadableError(text)
        self.position, self.prime, self.depth = 0, prime, 0

    def value(self) -> int:
        value, _ = self._sum()
        if self.position != len(self.tokens):
            raise _UnreadableError
        return value

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _next(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1] if self.position <= len(self.tokens) else ""

    def _sum(self) -> _Value:
        self.depth += 1
        if self.depth > 30:
            raise _UnreadableError
        sign = self._next() if self._peek() in ("-", "+") else "+"
        value = self._product()
        if sign == "-":
            value = self._make(value, (0, 0), lambda a, b: b - a)
        while self._peek() in ("-", "+"):
            function = operator.add if self._next() == "+" else operator.sub
            value = self._make(value, self._product(), function)
        self.depth -= 1
        return value

    def _product(self) -> _Value:
        value = self._power()
        while token := self._peek():
            if token in ("*", r"\cdot", r"\times"):
                self._next()
                value = self._make(value, self._power(), operator.mul)
            elif token in ("/", r"\div"):
                self._next()
                value = self._over(value, self._power())
            elif re.match(r"[A-Za-z0-9({]|\\(?!cdot|times|div)", token):
                value = self._make(value, self._power(), operator.mul)
            else:
                break
        return value

    def _power(self) -> _Value:
        base = self._atom()
        while self._peek() == "!":
            self._next()
            base = self._factorial(base)
        if self._peek() != "^":
            return base
        self._next()
        exponent = self._exponent()
        value = pow(base[0], exponent, self.prime)
        exact = base[1]
        bits = 0 if exact is None else exact.bit_length() * abs(exponent)
        is_small = exact is not None and exponent >= 0 and bits <= MAX_EXPONENT_BITS
        return value, exact**exponent if exact is not None and is_small else None

    def _exponent(self) -> int:
        sign = -1 if self._peek() == "-" else 1
        if sign == -1:
            self._next()
        _, exact = self._power() if self._peek() in ("(", "{") else self._atom()
        if exact is None:
            raise _UnreadableError("the exponent is no number, or too large")
        return sign * exact

    def _atom(self) -> _Value:
        token = self._next()
        if token.isdigit():
            return int(token) % self.prime, int(token)
        if token in ("(", "{"):
            value = self._sum()
            if self._next() != {"(": ")", "{": "}"}[token]:
                raise _UnreadableError
            return value
        if token == r"\frac":
            return self._over(self._atom(), self._atom())
        if token == r"\binom":
            return self._binomial(self._atom(), self._atom())
        if token == "i":
            return self._root_of_minus_one(), None
        if re.fullmatch(r"[A-Za-z]|\\(?:pi|theta|alpha|beta)", token):
            return random.Random(f"{token} {self.prime}").randrange(2, self.prime), None
        raise _UnreadableError(token)

    def _make(self, a: _Value, b: _Value, function: Callable[[int, int], int]) -> _Value:
        exact = None if a[1] is None or b[1] is None else function(a[1], b[1])
        return function(a[0], b[0]) % self.prime, exact

    def _over(self, a: _Value, b: _Value) -> _Value:
        if b[0] == 0:
            raise ZeroDivisionError
        exact = None if a[1] is None or not b[1] or a[1] % b[1] else a[1] // b[1]
        return a[0] * pow(b[0], -1, self.prime) % self.prime, exact

    def _factorial(self, of: _Value) -> _Value:
        n = of[1]
        if n is None or not 0 <= n <= MAX_FACTORIAL:
            raise _UnreadableError("the factorial of no number, or too large")
        value = 1
        for k in range(2, n + 1):
            value = value * k % self.prime
        return value, math.factorial(n) if n <= 100 else None

    def _binomial(self, n: _Value, k: _Value) -> _Value:
        if n[1] is None or k[1] is None or not 0 <= k[1] <= n[1]:
            raise _UnreadableError
        top, low, rest = (self._factorial((0, m)) for m in (n[1], k[1], n[1] - k[1]))
        return self._over(top, self._make(low, rest, operator.mul))

    def _root_of_minus_one(self) -> int:
        generator = next(g for g in range(2, 100) if pow(g, (self.prime - 1) // 2, self.prime) == self.prime - 1)
        return pow(generator, (self.prime - 1) // 4, self.prime)
