"""`sanmai lint`: a prompt, or the prompts of a file, and what the rules say of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sanmai.data.problems import load_problems
from sanmai.desk.lint import RULES, Advice, counts, lint, rewritten
from sanmai.types import InputError

_TABLES = (".jsonl", ".json", ".csv", ".parquet", ".tsv")


def read_prompts(path: Path, say: Callable[[str], None]) -> list[tuple[str, str]]:
    """(id, prompt) of each prompt: of a file of problems, or the one that a text file is.

    Args:
        say: told what the loader says of the file.

    Raises:
        InputError: it cannot be read, or holds no prompt.
    """
    if str(path) != "-" and path.suffix.lower() in _TABLES:
        loaded = load_problems(path, needs_answer=False, skip_setting=None, on_warning=say).problems
        return [(problem.id, problem.prompt) for problem in loaded]
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; expected a text") from None
    if not text.strip():
        raise InputError(f"{path}: empty; expected a prompt")
    return [(str(path), text)]


def advise(path: Path, *, rewrite: bool, say: Callable[[str], None]) -> tuple[list[str], dict[str, Any]]:
    """What the rules say of the prompts of a file, in lines and as data. Raises InputError as `read_prompts`."""
    advised = [(name, prompt, lint(prompt)) for name, prompt in read_prompts(path, say)]
    total = counts([advice for _, _, advice in advised])
    data = {"prompts": [_json(name, prompt, advice, rewrite) for name, prompt, advice in advised], "findings": total}
    if len(advised) == 1:
        return list(_lines_of_one(*advised[0], rewrite=rewrite)), data
    lines = []
    for rule, count in total.items():
        which = f"{count} of {len(advised)} prompts: not" if count else "all prompts:"
        lines.append(f"{which} {RULES[rule].label}")
        lines += [f"    {RULES[rule].why}"] if count else []
    if unread := sum(bool(advice.unchecked) for _, _, advice in advised):
        lines.append(f"{unread} prompts are in a language whose words the rules do not know")
    if rewrite:
        lines += [f"--- {name}\n{rewritten(prompt, advice)}" for name, prompt, advice in advised]
    return lines, data


def _lines_of_one(name: str, prompt: str, advice: Advice, *, rewrite: bool) -> Iterator[str]:
    for finding in advice.findings:
        yield f"{RULES[finding.rule].label}: {finding.what}\n    {finding.why}"
    if advice.unchecked:
        unchecked = ", ".join(advice.unchecked)
        yield f"the prompt is in {advice.language!r}: the rules read English and Chinese, so {unchecked} were not checked"
    if not advice.findings:
        yield f"{name}: nothing to advise"
    elif rewrite:
        yield f"\n{rewritten(prompt, advice)}"


def _json(name: str, prompt: str, advice: Advice, rewrite: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": name, "language": advice.language, "unchecked": list(advice.unchecked),
        "findings": [{"rule": f.rule, "what": f.what, "why": f.why} for f in advice.findings],
    }  # fmt: skip
    return found | ({"rewritten": rewritten(prompt, advice)} if rewrite else {})
