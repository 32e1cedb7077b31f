"""The judge: runs tests in its own process and calls the program's functions in theirs.

A name that the tests use and neither they nor Python define is the program's. Calling it sends the arguments over and gets plain
data back, so that `assert add(2, 3) == 5` compares two ints of the judge's. What is no plain data stays in the program;
the tests hold a `Remote`, which can be called, read, written, iterated and asked what its class
defines; it is never compared with plain data.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum
from typing import Any

from sanmai.programs.controls import NUM_CONTROLS, changed_arguments
from sanmai.programs.plain import Reference, decoded, encoded, enum_of, read_frame, write_frame

_MAX_REASON = 300
_MAX_VALUE = 1 << 16
_VALUE_PART = 1500
"""Characters of a value in one line of the report, which stays below PIPE_BUF even if each has to be escaped."""


_UNREADABLE = (ValueError, TypeError, RecursionError, LookupError, AttributeError)
"""What reading an answer raises that `encoded` has not written."""


class ProgramError(Exception):
    """The program raised something that is no exception of Python's own, or one that means more than an error to who called."""


class ProgramGone(BaseException):
    """The program's process ended or broke the protocol; a test cannot catch it by `except Exception`."""


class CannotSend(BaseException):
    """A test passes something that cannot leave the judge, such as a function of its own: it cannot be graded here."""


class Line:
    """The two pipes to the program; asks one thing at a time."""

    def __init__(self, questions: int, replies: int) -> None:
        self._questions, self._replies, self._count = questions, replies, 0
        self._enums: dict[str, Any] = {}
        """By name and members of the program's enumerations: what stands for them here."""
        self._exceptions: dict[str, type[Exception]] = {}
        """By name of the program's own exceptions: what stands for them here."""
        self.is_gone = False
        """The program's end of a pipe is closed."""

    def loaded(self) -> None:
        """Wait until the program's own code has run; raises what it raised."""
        self._value(self._read(), [])

    def ask(self, do: str, *args: Any, may_be_exception: bool = False) -> Any:
        """What the program answers, or raises; lists, dicts and sets among the arguments are changed as it changed them.

        Args:
            may_be_exception: an exception's class that is asked for by name is one of the judge's, for `except`. Never of a
                function under test: `assert is_prime(7)` would pass with `class is_prime(Exception)`.
        """
        self._count += 1
        try:
            write_frame(self._questions, {"id": self._count, "do": do, "args": encoded(list(args), _reference_to)})
        except BrokenPipeError:
            self.is_gone = True
            raise ProgramGone("the program has ended") from None
        reply = self._read()
        if reply.get("id") != self._count:
            raise ProgramGone("the program answered another question")
        if may_be_exception and "value" in reply and "classes" in reply:
            return self._exception(reply["classes"])
        positional = args[1] if do == "call" else []
        if do == "call" and reply.get("is_async"):
            return self._awaitable(reply, positional)
        return self._value(reply, positional)

    async def _awaitable(self, reply: dict[str, Any], positional: list[Any]) -> Any:
        return self._value(reply, positional)

    def _read(self) -> dict[str, Any]:
        try:
            reply = read_frame(self._replies)
        except EOFError:
            self.is_gone = True
            raise ProgramGone("the program has ended") from None
        except (ValueError, RecursionError) as error:
            raise ProgramGone(f"the program's answer cannot be read: {error}") from None
        if not isinstance(reply, dict) or not ("value" in reply or isinstance(reply.get("raised"), str)):
            raise ProgramGone("the program's answer cannot be read")
        return reply

    def _value(self, reply: dict[str, Any], positional: list[Any]) -> Any:
        if "value" not in reply:
            raise self._raised(reply)
        try:
            self._print(reply)
            value = decoded(reply["value"], self._remote, member=self._member)
            after = decoded(reply["after"], self._remote, member=self._member) if "after" in reply else []
            for argument, new in zip(positional, after, strict=False):
                _change(argument, new)
        except _UNREADABLE as error:
            raise ProgramGone(f"the program's answer cannot be read: {type(error).__name__}: {error}") from None
        return value

    def _exception(self, classes: object) -> type[Exception]:
        """The judge's class for an exception of the program's, whose own classes have one each, so that `except` can take it.

        Args:
            classes: names of the class and its bases, in the order in which they are looked through.
        """
        names = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
        if not names or hasattr(builtins, names[0]):
            return _builtin_exception(names[0] if names else "") or ProgramError
        name, *bases = names
        if name not in self._exceptions:
            kind = self._exception(bases)
            self._exceptions[name] = type(name, (ProgramError if kind is Exception else kind,), {})
        return self._exceptions[name]

    def _raised(self, reply: dict[str, Any]) -> Exception:
        kind, message = self._exception(reply.get("classes", [reply["raised"]])), str(reply.get("message", ""))
        error = kind(f"{reply['raised']}: {message}" if kind is ProgramError else message)
        with contextlib.suppress(*_UNREADABLE):
            error.__dict__.update(decoded(reply.get("state", {}), self._remote, member=self._member))
        return error

    def _print(self, reply: dict[str, Any]) -> None:
        """What a call printed, where a test listens to it."""
        if sys.stdout is not sys.__stdout__ and isinstance(reply.get("printed"), str):
            sys.stdout.write(reply["printed"])

    def _member(self, name: str, members: list[list[Any]], member: str, base: str) -> Any:
        """A member of the judge's own Enum, always the same one; what it does not know of itself it asks the program's."""
        key = json.dumps([name, members, base])
        if key not in self._enums:
            self._enums[key] = enum_of(name, members, base)
            self._enums[key].__getattr__ = lambda member, word: self._attribute(member, word)
        return self._enums[key][member]

    def _attribute(self, member: Enum, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.ask("attribute", member, name)

    def _remote(self, reference: Reference) -> Remote:
        if isinstance(reference, str):
            raise ValueError("a builtin of the judge's")  # it may name `exec`; a program has no use for it
        return Remote(self, reference)


class Remote:
    """An object of the program, which stays there; what it is asked for comes back as plain data or as another Remote.

    It never sees an expected value: `abs(f(x) - 3.14) < 1e-6` would pass with a `__sub__` that returns 0. Operators between it
    and plain data, and truth, are its class's business only where the test itself made it, by a name that begins with a capital
    letter (`Vector(1, 2) * 3`); then too it is not compared with plain data, and its `==` has to say no to something first.
    """

    __slots__ = ("_is_class", "_is_made", "_line", "_made_by", "_number")

    def __init__(self, line: Line, number: int) -> None:
        for name, value in (
            ("_line", line),
            ("_number", number),
            ("_is_class", False),
            ("_is_made", False),
            ("_made_by", None),
        ):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **named: Any) -> Any:
        found = self._line.ask("call", self, list(args), named)
        if self._is_class and isinstance(found, Remote):
            object.__setattr__(found, "_is_made", True)
            object.__setattr__(found, "_made_by", (self, list(args), named))
        return found

    def __getattr__(self, name: str) -> Any:
        return self._line.ask("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._line.ask("assign", self, name, value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._line.ask("items", self))

    def __bool__(self) -> bool:
        return bool(self._operate("truth", self)) if self._is_made else self._refuse()

    def __next__(self) -> Any:
        try:
            return self._operate("next", self)
        except ProgramError as error:
            if str(error).startswith("StopIteration:"):
                raise StopIteration from None
            raise

    def __hash__(self) -> int:
        return int(self._operate("hash", self)) if self._is_made else int(self._refuse())

    def __contains__(self, item: Any) -> bool:
        if self._is_made:
            return bool(self._operate("contains", self, item))
        return any(item is found or item == found for found in self)

    def __instancecheck__(self, value: Any) -> bool:
        is_own = isinstance(value, (Remote, Enum)) or hasattr(value, "_fields")
        return is_own and bool(self._operate("isinstance", value, self))

    def __subclasscheck__(self, kind: Any) -> bool:
        return isinstance(kind, Remote) and bool(self._operate("issubclass", kind, self))

    def __exit__(self, *_: object) -> bool:
        return bool(self._line.ask("call", self.__getattr__("__exit__"), [None, None, None], {}))

    def __enter__(self) -> Any:
        return self._line.ask("call", self.__getattr__("__enter__"), [], {})

    async def __aenter__(self) -> Any:
        return await self._line.ask("call", self.__getattr__("__aenter__"), [], {})

    async def __aexit__(self, *_: object) -> bool:
        return bool(await self._line.ask("call", self.__getattr__("__aexit__"), [None, None, None], {}))

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self._line.ask("async_items", self):
            yield item

    def _operate(self, name: str, *operands: Any) -> Any:
        found = self._line.ask("operate", name, list(operands))
        if isinstance(found, Remote) and any(isinstance(one, Remote) and one._is_made for one in operands):
            object.__setattr__(found, "_is_made", True)
        return found

    def _refuse(self, *_: object) -> bool:
        raise TypeError("the program returned an object that is no plain data")


def _alone(name: str) -> Any:
    """What an object says of itself, by an operator or builtin that passes it nothing to compare itself with."""
    return lambda self, *args: self._operate(name, self, *args)


def _between(name: str, *, is_turned: bool = False, is_comparison: bool = False) -> Any:
    def operate(self: Remote, other: Any) -> Any:
        is_object = isinstance(other, Remote)
        if not (self._is_made or (is_object and other._is_made)) or (is_comparison and not is_object):
            return self._refuse()
        found = self._operate(name, *((other, self) if is_turned else (self, other)))
        if name in ("eq", "ne") and bool(found) == (name == "eq") and not _discerns(name, self, other):
            raise TypeError(f"the program's own {'==' if name == 'eq' else '!='} holds for other values as well")
        return found

    return operate


def _discerns(name: str, one: Remote, other: Remote) -> bool:
    """Whether the program's own comparison ever says that two are different: of `one` and None, or an object made otherwise.

    Such an object is one of the two made anew with other arguments. None can be made of what takes none, or refuses them.
    """
    is_different = name == "ne"
    with contextlib.suppress(Exception):
        if bool(one._operate(name, one, None)) != is_different:
            return False
    made = next((remote for remote in (other, one) if remote._made_by is not None), None)
    if made is None:
        return True
    kind, positional, named = made._made_by
    said = []
    for turn in range(NUM_CONTROLS):
        arguments = changed_arguments(positional, named, turn)
        if arguments is None:
            return True
        with contextlib.suppress(Exception):  # other arguments may be none that its class takes
            control = kind(*arguments[0], **arguments[1])
            pair = (one, control) if made is other else (control, other)
            said.append(bool(one._operate(name, *pair)) == is_different)
        if said and said[-1]:
            return True
    return not said


for _name in ("len", "str", "repr", "int", "float", "complex", "abs", "round", "neg", "pos", "invert", "index", "format",
              "reversed", "getitem", "setitem", "delitem", "bytes", "divmod"):  # fmt: skip
    setattr(Remote, f"__{_name}__", _alone(_name))
Remote.__doc__ = property(lambda self: self.__getattr__("__doc__"))  # ty: ignore[invalid-assignment]
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _between(_name, is_comparison=True))
for _name in (
    "add",
    "sub",
    "mul",
    "matmul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
):
    _word = f"{_name}_" if _name in ("and", "or") else _name
    setattr(Remote, f"__{_name}__", _between(_word))
    setattr(Remote, f"__r{_name}__", _between(_word, is_turned=True))
    setattr(Remote, f"__i{_name}__", _between(f"i{_name}"))


class Names(dict[str, Any]):
    """The tests' globals; what is not in them is Python's, then a standard module, then the program's."""

    def __init__(self, line: Line, entry_points: frozenset[str]) -> None:
        super().__init__(__name__="tests", __builtins__=builtins)
        self.line, self.entry_points = line, entry_points

    def __missing__(self, name: str) -> Any:
        if name not in self.entry_points:
            if hasattr(builtins, name):
                raise KeyError(name)  # Python looks there next
            if name in sys.stdlib_module_names:
                return importlib.import_module(name)
        try:
            is_class = name[:1].isupper()
            found = self.line.ask("name", name, may_be_exception=is_class and name not in self.entry_points)
            if isinstance(found, Remote) and is_class:
                object.__setattr__(found, "_is_class", True)
            return found
        except KeyError:
            raise NameError(f"the program does not define {name}") from None


def judge(job: dict[str, Any], questions: int, replies: int, say: Callable[[dict[str, object]], None]) -> None:
    """Run each test after a setup of its own and say what became of it.

    Where the job has `values`, the tests are expressions, and what each is worth is said too: JSON of `encoded`, in parts.
    """
    line = Line(questions, replies)
    entry_points, draws = frozenset(job["entry_points"]), "random" in "".join((job["setup"], *job["tests"]))
    setup = compile(job["setup"], "setup", "exec", dont_inherit=True)

    def run(number: int, test: str) -> None:
        # Not a copy of names that were set up once: a program that changes an argument in place would change it for later tests.
        names = Names(line, entry_points)
        if draws:
            importlib.import_module("random").seed(0)  # tests that draw inputs draw the same ones each time
        exec(setup, names)
        if not job.get("values"):
            exec(compile(test, "test", "exec", dont_inherit=True), names)
            return
        text = json.dumps(encoded(eval(compile(test, "test", "eval", dont_inherit=True), names), _refuse_reference))
        if len(text) > _MAX_VALUE:
            raise ValueError(f"the result takes {len(text)} characters: expected at most {_MAX_VALUE}")
        for start in range(0, len(text), _VALUE_PART):
            say({"test": number, "value": text[start : start + _VALUE_PART]})

    broken = _reason(line.loaded)
    for number, test in enumerate(job["tests"]):
        passed, reason = broken or _reason(lambda number=number, test=test: run(number, test)) or (True, "passed")
        say({"test": number, "passed": passed, "reason": reason})
    say({"judged": len(job["tests"]), "is_gone": line.is_gone})


def _reason(step: Callable[[], None]) -> tuple[bool | None, str] | None:
    """None when the step went through, else its verdict and the reason."""
    try:
        step()
    except CannotSend as error:
        return None, str(error)[:_MAX_REASON]
    except ModuleNotFoundError as error:
        # The program's has no `name`: only Python's own import gives it one.
        return (False if error.name is None else None), f"{type(error).__name__}: {_text(error)}"[:_MAX_REASON]
    except BaseException as error:  # noqa: BLE001 - whatever a test raises is its failure
        return False, f"{type(error).__name__}: {_text(error)}"[:_MAX_REASON]
    return None


def _text(error: BaseException) -> str:
    """What an error says, as text that can be stored: a program may put into it what has no text, or is none."""
    try:
        text = str(error)[:_MAX_REASON]
    except BaseException as unsaid:  # noqa: BLE001 - an int of 5,000 digits, say
        text = f"cannot be shown ({type(unsaid).__name__})"
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair is no character


def _builtin_exception(name: object) -> type[Exception] | None:
    """Python's exception of this name, where it can be raised here with a message alone and means no more than an error."""
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    takes_more = (UnicodeError, BaseExceptionGroup)  # than a message
    # They end the loop of who iterates: `all(map(f, xs))` would pass. What ends a program or a generator is no Exception.
    ends_loops = (StopIteration, StopAsyncIteration)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (*takes_more, *ends_loops)):
        return kind
    return None


def _change(argument: Any, new: Any) -> None:
    """Make the judge's list, dict or set what the program's copy of it became."""
    if type(argument) is not type(new):
        return
    if isinstance(argument, list):
        argument[:] = new
    elif isinstance(argument, (dict, set)):
        argument.clear()
        argument.update(new)


def _refuse_reference(value: Any) -> Reference:
    raise TypeError(f"the result holds a {type(value).__name__}, which is no plain data")


def _reference_to(value: Any) -> Reference:
    if isinstance(value, Remote):
        return object.__getattribute__(value, "_number")
    name = getattr(value, "__name__", None)
    if isinstance(name, str) and getattr(builtins, name, None) is value:
        return name
    raise CannotSend(f"a test passes a {type(value).__name__} to the program: only plain data can be sent")
