"""Where an assistant's turn begins and ends in a chat template: thoughts that the prompt opens, and the token that closes turns.

A template whose prompt ends with `<think>\\n` has said the opening tag already:

    "<think>\\n2+3=5\\n</think>\\n5"   ->   "2+3=5\\n</think>\\n5"
    "The sum is 5."                   ->   "\\n</think>\\n\\nThe sum is 5."     (an empty thought, closed)
"""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

from sanmai.data.trace import MARKS, mark_of, opened_tag, pair_of, parse_trace
from sanmai.types import InputError, Tokenizer, Trace, TraceState

_MARK = "Mauve"
"""What the assistant says when a template is asked how it ends a turn; no template has the word."""
_known: WeakKeyDictionary[Any, tuple[str, int | None]] = WeakKeyDictionary()


def turn_end(tokenizer: Tokenizer) -> int | None:
    """The token that ends an assistant's turn: the one that the chat template writes there, else the tokenizer's eos_token.

    The two differ where a base model's `<|endoftext|>` stayed eos_token and the template ends turns with `<|im_end|>`.
    """
    template = str(tokenizer.chat_template)
    if not tokenizer.chat_template:
        return tokenizer.eos_token_id
    if tokenizer not in _known or _known[tokenizer][0] != template:
        _known[tokenizer] = (template, _written_end(tokenizer))
    written = _known[tokenizer][1]
    return tokenizer.eos_token_id if written is None else written


def _written_end(tokenizer: Any) -> int | None:
    """The special or added token that stands first after the assistant's words, blanks aside; None where none does."""
    if not hasattr(tokenizer, "get_added_vocab"):
        return None
    asked, said = "Which colour?", _MARK
    for wrap in (str, lambda text: [{"type": "text", "text": text}]):  # some templates take parts alone
        turns = [{"role": "user", "content": wrap(asked)}, {"role": "assistant", "content": wrap(said)}]
        try:
            text = tokenizer.apply_chat_template(turns, tokenize=False)
        except Exception:  # noqa: BLE001 - a template is a foreign program; who renders a conversation says what is wrong
            continue
        _, found, rest = str(text).rpartition(said)
        if not found:
            continue
        special = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        names = {**tokenizer.get_added_vocab(), **dict(special)}
        ends = [name for name in names if name and rest.lstrip().startswith(name)]
        return names[max(ends, key=len)] if ends else None
    return None


def next_turn(tokenizer: Tokenizer, said: str) -> list[int]:
    """What stands between a turn of the assistant, its end included, and its next one: words of the user, as tokens.

        ...<|im_end|>  \\n<|im_start|>user\\nHigher.<|im_end|>\\n<|im_start|>assistant\\n

    Without a chat template it is the turn of the R1-Zero template.

    Raises:
        InputError: the template shows no such turns.
    """
    if not tokenizer.chat_template:
        return tokenizer.encode(f"\nUser: {said}\nAssistant:", add_special_tokens=False)
    asked = [
        {"role": "user", "content": "Which colour?"}, {"role": "assistant", "content": _MARK}, {"role": "user", "content": said},
    ]  # fmt: skip
    try:
        text = str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # noqa: BLE001 - a template is a foreign program
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"the chat template cannot render a dialogue of several turns: {reason}") from None
    _, found, rest = text.partition(_MARK)
    end = turn_end(tokenizer)
    mark = tokenizer.decode([end], skip_special_tokens=False) if end is not None else ""
    if not found or said.strip() not in rest:
        raise InputError("the chat template leaves turns of a dialogue out; expected one that renders every turn")
    before, has_mark, after = rest.partition(mark) if mark else ("", "", rest)
    return tokenizer.encode(after if has_mark and not before.strip() else rest, add_special_tokens=False)


def continues(text: str, prompt: str, thought_tags: tuple[str, str], *, may_stay_open: bool = False) -> str:
    """A demonstration as the completion of a prompt that opens the thought; as it is where the prompt opens none.

    Args:
        prompt: its end, as text.
        may_stay_open: a thought that is never closed is no error, as in a rejected completion that was cut off.

    Raises:
        ValueError: the demonstration's own thought is never closed, or nobody knows what closes the prompt's.
    """
    if (tags := tags_opened(prompt, thought_tags)) is None:
        return text
    breaks, close_tag = prompt[len(prompt.rstrip()) :].count("\n"), tags[1]
    trace = parse_trace(text, open_tag=thought_tags[0], close_tag=thought_tags[1])
    if trace.state is TraceState.UNCLOSED and not may_stay_open:
        raise ValueError("its thought is never closed")
    if trace.state is TraceState.NONE:
        return "\n" * max(2 - breaks, 1) + f"{close_tag}\n\n{text.lstrip()}"
    thought = _words_before(trace, thought_tags) + trace.thought
    if not thought.strip():
        thought = thought.removeprefix("\n" * breaks)
    elif breaks:
        thought = re.sub(r"\A(?:[^\S\n]*\n)+", "", thought)
    if not trace.between:
        return thought
    same_style = trace.between.strip().lower() == close_tag.lower()
    return f"{thought}{trace.between if same_style else close_tag}{trace.answer}"


def lacks_thought(text: str, thought_tags: tuple[str, str]) -> bool:
    """Whether a demonstration has no thought at all, not even an empty one."""
    return parse_trace(text, open_tag=thought_tags[0], close_tag=thought_tags[1]).state is TraceState.NONE


def without_reopening(text: str, prompt: str, open_tag: str) -> str:
    """The beginning of a completion, without the opening tag (and line breaks) that the prompt ends with."""
    opened = opened_tag(prompt, open_tag)
    if opened is None:
        return text
    if text.lstrip().startswith(opened):
        text = text.lstrip().removeprefix(opened)
    ends = prompt[len(prompt.rstrip()) :]
    return text.removeprefix(ends) if ends else text


def opening_of(trace: Trace, open_tag: str) -> str:
    """The tag that opened a thought in the prompt, told from the one that closes it; `open_tag` where that says nothing."""
    closed = trace.between.strip()
    guesses = (closed.replace("/", "", 1), re.sub("end", "begin", closed), re.sub("END", "START", closed))
    for mark in MARKS:
        if closed and re.fullmatch(mark.close, closed, re.IGNORECASE):
            for guess in (*guesses, "<|channel|>analysis<|message|>"):
                if re.fullmatch(mark.open, guess, re.IGNORECASE):
                    return guess
    return (pair_of(closed) or (open_tag,))[0]


def _words_before(trace: Trace, thought_tags: tuple[str, str]) -> str:
    """What stands before the thought, without the tag that opens it; blanks alone are nothing."""
    mark = mark_of(trace.text, *thought_tags)
    words = re.sub(rf"(?:{mark.open})\Z", "", trace.before, flags=re.IGNORECASE)
    return words if words.strip() else ""


def tags_opened(prompt: str, thought_tags: tuple[str, str]) -> tuple[str, str] | None:
    """The tag that opens a thought at the prompt's end, and the one that closes it; None where the prompt opens none.

    Raises:
        ValueError: nobody knows what closes it.
    """
    opened = opened_tag(prompt, thought_tags[0])
    if opened is None:
        return None
    if opened == thought_tags[0]:
        return thought_tags
    guesses = (
        re.sub(r"\A([<\[◁]\|?)", r"\1/", opened),
        re.sub("begin|start", "end", opened),
        re.sub("BEGIN|START", "END", opened),
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    )
    for mark in MARKS:
        if re.fullmatch(mark.open, opened, re.IGNORECASE):
            for guess in guesses:
                if re.fullmatch(mark.close, guess, re.IGNORECASE):
                    return opened, guess
    if pair := pair_of(opened):
        return pair
    raise ValueError(f"the chat template opens a thought with {opened!r}; set grading.thought_tags to it and its closing tag")
