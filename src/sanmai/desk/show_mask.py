"""Which tokens of a demonstration are learned: the rows that SFT builds, token by token, with the mask that it trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanmai.data.chat import demonstration, prompt_end, render_demonstration
from sanmai.data.problems import load_problems
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG, opened_tag
from sanmai.data.turns import continues, lacks_thought
from sanmai.terminal import printable
from sanmai.types import InputError, Problem, Tokenizer

if TYPE_CHECKING:
    from rich.console import Console

_TRAINED, _READ = "train", "-"


@dataclass(frozen=True)
class ShownToken:
    """One token of a row that is trained on."""

    position: int
    number: int
    """In the vocabulary."""
    text: str
    is_trained: bool
    is_stop: bool
    """The stop token at the end of the completion."""


def shown_tokens(tokenizer: Tokenizer, problem: Problem) -> list[ShownToken]:
    """The tokens of a demonstration as `sanmai run sft` packs them, with its loss mask.

    Raises:
        InputError: the problem has no demonstration, or the tokenizer no stop token.
    """
    from sanmai.policies.text.pack import pack

    batch = pack([render_demonstration(tokenizer, problem, (OPEN_TAG, CLOSE_TAG))])
    numbers, mask = batch.tokens_BT[0].tolist(), batch.mask_BT[0].tolist()
    last = len(numbers) - 1
    return [
        ShownToken(t, number, tokenizer.decode([number], skip_special_tokens=False), is_trained, t == last)
        for t, (number, is_trained) in enumerate(zip(numbers, mask, strict=True))
    ]


def mask_lines(file: Path, model: str, row: int) -> Iterator[tuple[str, str]]:
    """Lines about one demonstration of a file and the style of each: "", "bold", "green" (trained) or "dim" (read alone).

    Args:
        file: what problems.source takes.
        model: what model.name takes; its tokenizer is used.
        row: which of the file's demonstrations, counted from 0.

    Raises:
        InputError: the file or model cannot be read, or there is no such demonstration.
    """
    found = [p for p in load_problems(file, needs_answer=False).problems if demonstration(p) is not None]
    if not found:
        raise InputError(f"{file} has no demonstration: no row has a worked solution or ends with the assistant's turn")
    if not 0 <= row < len(found):
        raise InputError(
            f"--row {row}: {file} has {len(found)} demonstrations; expected a number from 0 to {len(found) - 1}"
        )
    (tokenizer, notes), problem = load_tokenizer(model), found[row]
    yield from ((f"Warning: {note}", "bold") for note in notes)
    tokens = shown_tokens(tokenizer, problem)
    num_trained = sum(token.is_trained for token in tokens)
    yield f"Demonstration {row} of {file}: {problem.id}", "bold"
    yield (
        f"{len(tokens)} tokens; {num_trained} of them are trained ({_TRAINED}): the completion and its stop token. "
        "The others are read alone (-).",
        "",
    )
    width = len(str(tokens[-1].position))
    for token in tokens:
        mark = _TRAINED if token.is_trained else _READ
        note = "   the stop token" if token.is_stop else ""
        yield (
            f"{token.position:>{width}}  {mark:<5}  {token.number:>7}  {token.text!r}{note}",
            "green" if token.is_trained else "dim",
        )
    yield from _round_trip(tokenizer, problem, tokens)


def _round_trip(tokenizer: Tokenizer, problem: Problem, tokens: Sequence[ShownToken]) -> Iterator[tuple[str, str]]:
    """Whether the trained tokens are the demonstration's text again."""
    numbers = [token.number for token in tokens if token.is_trained and not token.is_stop]
    text = tokenizer.decode(numbers, skip_special_tokens=False)
    wanted = demonstration(problem, with_answer_tags=not tokenizer.chat_template) or ""
    end = prompt_end(tokenizer, [token.number for token in tokens if not token.is_trained])
    completion = continues(wanted, end, (OPEN_TAG, CLOSE_TAG))
    if text == wanted:
        yield "Decoded, the trained tokens are the demonstration's text, character for character.", ""
    elif text == completion and lacks_thought(wanted, (OPEN_TAG, CLOSE_TAG)):
        yield f"The prompt opens the thought and the demonstration has none: an empty one is closed, as {text!r}.", "bold"
    elif text == completion:
        yield f"The prompt ends with {opened_tag(end)}; decoded, the trained tokens are the rest of the demonstration.", ""
    else:
        yield f"Decoded, the trained tokens are not the demonstration's text but {text!r}", "bold"


def print_mask(file: Path, model: str, row: int, console: Console) -> None:
    """Print `mask_lines`; in colour where the console is a terminal."""
    for text, style in mask_lines(file, model, row):
        console.print(printable(text), style=style or None, markup=False, emoji=False, highlight=False, soft_wrap=True)


def load_tokenizer(model: str) -> tuple[Any, tuple[str, ...]]:
    """The tokenizer of what model.name takes, without its weights, and warnings about its chat template.

    Raises:
        InputError: no such model, or it has no tokenizer.
    """
    from transformers import AutoTokenizer

    from sanmai.policies.text.loading import check_folder, check_template, loading, quiet_transformers
    from sanmai.policies.text.resolve import resolve_model

    name = resolve_model(model)
    check_folder(model, Path(name))
    with loading(f"--model {model}: its tokenizer cannot be loaded"), quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(name)
    return tokenizer, check_template(model, tokenizer)
