"""Text that others wrote, made fit for a terminal and for JSON that may be shown on one."""

from __future__ import annotations

import re

_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
"""C0 and C1 controls but tab and line feed, marks that turn the direction of writing, line separators, and invisible tags."""


def printable(text: str) -> str:
    r"""The text with a visible escape in place of every character that could steer a terminal or hide what it says.

    Example:
        printable("red \x1b[31m") == "red \\x1b[31m"
    """
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def printable_json(text: str) -> str:
    """JSON of the same value, with such characters as JSON's escapes."""
    return _STEERING.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    code = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{code[k : k + 4]}" for k in range(0, len(code), 4))
