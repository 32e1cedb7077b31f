"""From problems to what the model wrote to them: prompts rendered, completions decoded and taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.environments import dialogue_of
from sanmai.data.trace import parse_trace
from sanmai.policies.text.dialogues import draw_dialogues
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.types import Drawn, Problem, StopReason


def draw(
    model: TextModel, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: SamplingConfig,
    thought_tags: tuple[str, str],
) -> Iterator[tuple[int, Drawn]]:
    """See policies/contract.py."""
    dialogues = [dialogue_of(problem) for problem in problems]
    if any(dialogues):
        shared: dict[str, Any] = {"seed": seed, "version": version, "sampling": sampling, "thought_tags": thought_tags}
        yield from draw_dialogues(model, problems, dialogues, count, **shared)
        return
    requests = [
        Request(
            render_prompt(model.tokenizer, p.messages, carries_images=True), [(*seed, p.id, g) for g in range(count)],
            images=p.images,
        )
        for p in problems
    ]
    for done in sample(model, requests, sampling):
        yield done.request, completed(model, problems[done.request], requests[done.request], done, version, thought_tags)


def completed(
    model: TextModel, problem: Problem, request: Request, done: Completion, version: int, tags: tuple[str, str],
    segments: tuple[tuple[int, int], ...] = (),
) -> Drawn:
    """A completion of a problem's prompt as a rollout, with its text taken apart."""
    tokens = done.tokens[:-1] if done.stop_reason is StopReason.STOP else done.tokens
    text = model.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    open_tag, close_tag = tags
    whole = text
    if problem.prefill:  # graders see the completion from its first word on, as a reader does
        given = model.tokenizer.encode(problem.prefill, add_special_tokens=False)
        whole = model.tokenizer.decode(
            [*given, *tokens], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
    trace = parse_trace(
        whole,
        open_tag=open_tag,
        close_tag=close_tag,
        opened_in_prompt=opened_in_prompt(model.tokenizer, request.prompt_tokens, open_tag),
        is_truncated=done.stop_reason is not StopReason.STOP,
    )
    return Drawn(
        problem.id, done.sample, request.prompt_tokens, done.tokens, done.logp, done.stop_reason, version, text, trace,
        segments, problem.images,
    )  # fmt: skip
