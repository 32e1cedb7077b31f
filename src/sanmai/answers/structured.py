r"""Final answers in forms for programs: JSON objects, tags of other names, fences, TeX boxes without braces; all as `<answer>`.

Whoever asks for JSON gets {"answer": 8}, perhaps in a fence and behind its reasoning. What such an object says besides its
answer is working, so that "the answer is 9" in its reasoning marks nothing.
"""

from __future__ import annotations

import ast
import json
import re

from sanmai.answers.math import MAX_CHARS

_NAMES = r"(?:the|my|your)?[ _-]?(?:final|correct|short|numerical|numeric)?[ _-]?(?:answer|ans|result|answers)"
_KEY = re.compile(_NAMES, re.IGNORECASE)
_OBJECT = re.compile(r"\{(?=\s*[\"'][^\"'\n]{1,60}[\"']\s*:)")
_FENCED = re.compile(r"```(?:json|JSON|python|py)?[ \t]*\n?\s*(?P<object>\{.*?\})\s*```", re.DOTALL)
_TAG = re.compile(r"<(?P<open>/)?(?P<name>ans|result|final|final[_-]answer|answer)>", re.IGNORECASE)
_SOLUTION = re.compile(r"</?(?:final[_-]?)?solution>", re.IGNORECASE)
_SOLVED = re.compile(
    r"<(?P<name>(?:final[_-]?)?solution)>\s*(?P<said>\S{1,60}(?:[ \t]{1,9}\S{1,60}){0,3})\s*</(?P=name)>", re.IGNORECASE
)
"""Up to four words; a longer solution is working, and is read as if it had no tags."""
_BARE_FENCE = re.compile(r"\A\s*```[a-z]{0,10}[ \t]*\n(?P<value>[^\n`]{1,200})\n```\s*\Z")
_TEX_VALUE = (
    r"-?\s?(?:\\[dtc]?frac\s*(?:\{[^{}]*\}\s*\{[^{}]*\}|\d\d)|\\sqrt\s*(?:\{[^{}]*\}|\d)|\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?(?:\\?%)?"
    r"|[A-Za-z](?![A-Za-z])|\\(?:pi|infty|emptyset)(?![A-Za-z]))"
)
_BRACELESS = re.compile(rf"\\(?P<name>boxed|fbox)\s{{0,3}}(?P<value>{_TEX_VALUE})(?![\\w}}])")
_CALL = re.compile(
    r"<(?P<tag>tool_calls?|function_calls?|tool_response|tool_use|invoke)\b[^>]{0,80}>.*?(?:</(?P=tag)>|\Z)"
    r"|<function=[^>]{1,80}>.*?"
    r"(?:</function>|\Z)|(?:<\|python_tag\|>|\[TOOL_CALLS\]|✿FUNCTION✿).*\Z|<｜tool▁calls▁begin｜>.*?(?:<｜tool▁calls▁end｜>|\Z)"
    r"|<\|(?:tool_calls_section|tool_call|tool_calls|action)(?:_begin|_start|start)?\|>.*?"
    r"(?:<\|(?:/?tool_calls_section|/?tool_call|/?tool_calls|action)(?:_end|end)\|>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""A call of a tool, or what it gave back, in the marks of the families of models."""
_CALLED = {"arguments", "parameters", "input", "args", "action_input", "tool_input"}
MAX_OBJECTS = 20
MAX_OBJECT_CHARS = 20_000


def in_marks(answer: str) -> str:
    r"""The text with `<answer>8</answer>` for {"answer": 8}, `<result>8</result>` and `<solution>8</solution>`, \boxed{8} for
    \boxed 8, and 8 for a fenced 8.

    Calls of tools are left out: their arguments are nobody's answer.
    An object without such a key, with an answer that is an object itself, or cut short stays as it is.
    """
    if re.search(r"tool|function|python_tag|action", answer, re.IGNORECASE):
        answer = _CALL.sub("\n", answer)
    answer = _BRACELESS.sub(lambda m: rf"\{m['name']}{{{m['value'].strip()}}}", answer)
    if "<" in answer:
        answer = _TAG.sub(lambda m: f"<{m['open'] or ''}answer>", answer)
        answer = _SOLUTION.sub("\n", _SOLVED.sub(lambda m: f"<answer>{m['said']}</answer>", answer))
    if _OBJECT.search(answer):
        return _with_objects_marked(answer)
    fence = _BARE_FENCE.match(answer)
    return fence["value"].strip() if fence else answer


def _with_objects_marked(text: str) -> str:
    text = _FENCED.sub(lambda m: m["object"] if _read(m["object"]) else m[0], text)
    kept, position = [], 0
    for _ in range(MAX_OBJECTS):
        match = _OBJECT.search(text, position)
        if match is None:
            break
        value, end = _read(text[match.start() : match.start() + MAX_OBJECT_CHARS]) or (None, 0)
        kept.append(text[position : match.start()])
        said = _said(value) if value is not None else None
        if said is None:
            is_call = value is not None and _CALLED & set(value) and {"name", "function", "action", "tool"} & set(value)
            position = match.start() + end if is_call else match.end()
            kept.append("" if is_call else text[match.start() : position])
        else:
            kept.append(f"<answer>{said}</answer>")
            position = match.start() + end
    return "".join(kept) + text[position:]


def _read(text: str) -> tuple[dict[str, object], int] | None:
    """The object that a text begins with, as JSON or as Python writes it, and where it ends; None where it is none."""
    try:
        value, end = json.JSONDecoder(strict=False, object_pairs_hook=_of_pairs).raw_decode(text)
        return (value, end) if isinstance(value, dict) else None
    except _TwiceError:
        return None
    except (ValueError, RecursionError):
        pass
    end = text.find("}") + 1  # as Python writes it, without objects in it
    try:
        tree = ast.parse(text[:end], mode="eval").body if 0 < end <= MAX_CHARS else None
        value = ast.literal_eval(tree) if isinstance(tree, ast.Dict) else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(tree, ast.Dict) or not isinstance(value, dict) or len(value) < len(tree.keys):
        return None
    is_plain = all(isinstance(key, str) for key in value)
    return (value, end) if is_plain else None


class _TwiceError(ValueError):
    """A key says two things."""


def _of_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) < len(pairs):
        raise _TwiceError
    return found


def _said(value: dict[str, object]) -> str | None:
    """What the one key of an object that names an answer holds, as text; None where there is none, or several that differ."""
    held = [_text(item) for key, item in value.items() if _KEY.fullmatch(key.strip())]
    return held[0] if len(set(held)) == 1 else None


def _text(item: object) -> str | None:
    if isinstance(item, bool):
        return str(item)
    if isinstance(item, int | float | str):
        return str(item)[: MAX_CHARS + 1]
    if isinstance(item, list) and all(isinstance(part, int | float | str) for part in item):
        return ", ".join(map(str, item))[: MAX_CHARS + 1]
    return None
