"""Talking to a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.trace import parse_trace
from sanmai.models.policy import ModelConfig, load_policy
from sanmai.rollout.sampler import Request, SamplingConfig, sample
from sanmai.types import StopReason

if TYPE_CHECKING:
    from rich.console import Console


def converse(model: str, *, temperature: float, max_tokens: int, device: str, seed: int, console: Console) -> None:
    """Answer each line of standard input until it ends. Every line is a conversation of its own."""
    policy = load_policy(ModelConfig(name=model, device=device), for_training=False)
    config = SamplingConfig.read({"temperature": temperature, "max_tokens": max_tokens}, source="chat")
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        hint = 'Try "what is 37 plus 45 ?" or "37 加 45 等于 多少 ？". ' if model == "tiny" else ""
        console.print(f"{hint}Each line is a new conversation. End with Ctrl-D.", style="dim")
    turn = 0
    while True:
        if is_terminal:
            console.print("> ", end="")
        line = sys.stdin.buffer.readline().decode("utf-8", errors="replace")
        if not line:
            return
        if not line.strip():
            continue
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
        console.print(
            trace.before + trace.thought + trace.between,
            style="dim",
            end="",
            markup=False,
            emoji=False,
            highlight=False,
        )
        console.print(trace.answer, markup=False, emoji=False, highlight=False)
        if done.stop_reason is not StopReason.STOP:
            console.print(f"(cut off after {room} tokens)", style="yellow")
