"""Talking to a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.trace import parse_trace
from sanmai.evidence.audit_sets import knows_world
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.terminal import printable
from sanmai.types import StopReason

if TYPE_CHECKING:
    from rich.console import Console


_EXAMPLES = ("what is 37 plus 45 ?", "37 加 45 等于 多少 ？")


def _hint(is_of_world: bool) -> str:
    english, chinese = _EXAMPLES
    return f'This model knows the words of its world alone: try "{english}" or "{chinese}". ' if is_of_world else ""


def unknown_words(tokenizer: Any, text: str) -> str:
    """The words of a line that the tokenizer has no token for, quoted; empty where it has all of them.

    Example:
        unknown_words(tiny, "What is 3 plus 4?") == '"What", "4?"'
    """
    unknown = tokenizer.unk_token_id
    words = dict.fromkeys(text.split())
    return ", ".join(f'"{word}"' for word in words if unknown in tokenizer.encode(word, add_special_tokens=False))


def converse(model: str, *, temperature: float, max_tokens: int, device: str, seed: int, console: Console) -> None:
    """Answer each line of standard input until it ends. Every line is a conversation of its own."""
    from rich.text import Text

    policy = load_policy(ModelConfig(name=model, device=device), for_training=False)
    config = SamplingConfig.read({"temperature": temperature, "max_tokens": max_tokens}, source="chat")
    for note in policy.notes:
        console.print(printable(f"({note})"), style="yellow", markup=False, highlight=False)
    is_terminal, is_of_world = sys.stdin.isatty(), knows_world(model)
    if is_terminal:
        console.print(f"{_hint(is_of_world)}Each line is a new conversation. End with Ctrl-D.", style="dim")
    turn = 0
    while True:
        if is_terminal:
            console.print("> ", end="")
        line = sys.stdin.buffer.readline().decode("utf-8", errors="replace")
        if not line:
            return
        if not line.strip():
            continue
        if is_of_world and (unknown := unknown_words(policy.tokenizer, line)):
            said = f"(this model does not know {unknown}; it is asked like this: {_EXAMPLES[0]})"
            console.print(printable(said), style="yellow", markup=False, highlight=False)
        prompt = render_prompt(policy.tokenizer, ({"role": "user", "content": line.strip()},))
        room = max_tokens if policy.max_positions is None else min(max_tokens, policy.max_positions - len(prompt))
        if room < 1:
            console.print(f"(that is {len(prompt)} tokens; the model takes {policy.max_positions})", style="yellow")
            continue
        budget = config.model_copy(update={"max_tokens": room})
        [done] = sample(policy, [Request(prompt, [(seed, "chat", turn)])], budget)
        turn += 1
        tokens = done.tokens[:-1] if done.stop_reason is StopReason.STOP else done.tokens
        text = policy.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        trace = parse_trace(text, opened_in_prompt=opened_in_prompt(policy.tokenizer, prompt))
        thought, answer = (Text(printable(t)) for t in (trace.before + trace.thought + trace.between, trace.answer))
        console.print(thought, style="dim", end="")
        console.print(answer)
        if done.stop_reason is not StopReason.STOP:
            console.print(f"(cut off after {room} tokens)", style="yellow")
