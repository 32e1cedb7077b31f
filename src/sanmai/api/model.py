"""A model that a run made, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanmai.types import InputError, Problem, Trace

if TYPE_CHECKING:
    from sanmai.policies.text.policy import TextPolicy

Prompt = str | Sequence[Mapping[str, Any]] | Problem
"""What a user says; a conversation of messages; or a problem."""


class Completion(str):
    """A completion's text, with what is known of it."""

    trace: Trace
    """Thought and answer apart."""
    tokens: list[int]
    stop_reason: str

    @property
    def answer(self) -> str:
        return self.trace.answer

    @property
    def thought(self) -> str:
        return self.trace.thought


class Model:
    """A language model in this process.

    Args:
        name: "tiny", a model folder, a run folder, a GGUF file, or a hub name.
        device: "cpu", "cuda" or "mps".
        dtype: "float32" or "bfloat16".

    Raises:
        InputError: no such model, or one that cannot be loaded.

    Example:
        model = sanmai.Model("tiny")
        [reply] = model.generate("what is 37 plus 45 ?")
        print(reply.thought, "->", reply.answer)
    """

    def __init__(self, name: str | Path, *, device: str = "cpu", dtype: str = "float32") -> None:
        from sanmai.policies.text.config import ModelConfig
        from sanmai.policies.text.load import load_policy

        self.name = str(name)
        config = ModelConfig.read({"name": self.name, "device": device, "dtype": dtype}, source="Model")
        self.policy: TextPolicy = load_policy(config, for_training=False)
        """Samples and scores tokens; `policy.model` is the `transformers` module."""

    @property
    def tokenizer(self) -> Any:
        return self.policy.tokenizer

    def generate(
        self, prompts: Prompt | Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, max_tokens: int | None = None,
        seed: int = 0,
    ) -> list[Any]:
        """Completions: of one prompt a list of n, of a list of prompts a list of such lists.

        Args:
            prompts: a text, a conversation (messages with role and content), a problem; or a list of any of these.
            n: completions of each.
            temperature: of the softmax; 0 takes the likeliest token.
            max_tokens: of a completion, stop token included; None: 512, or what the model has room for.
            seed: names the random streams: the same seed, the same completions.

        Raises:
            InputError: a prompt that is too long, or no prompt.
        """
        from sanmai.policies.text.sampler import Request, SamplingConfig, sample

        is_one = isinstance(prompts, str | Problem) or (bool(prompts) and isinstance(prompts[0], Mapping))
        asked: list[Any] = [prompts] if is_one else list(prompts)
        requests = [
            Request(self._tokens(prompt), [(seed, "generate", i, s) for s in range(n)])
            for i, prompt in enumerate(asked)
        ]
        budget = self._budget(max((len(request.prompt_tokens) for request in requests), default=0), max_tokens)
        config = SamplingConfig.read({"temperature": temperature, "max_tokens": budget}, source="generate")
        texts: list[list[Any]] = [[None] * n for _ in asked]
        for done in sample(self.policy, requests, config):
            texts[done.request][done.sample] = self._completion(requests[done.request].prompt_tokens, done)
        return texts[0] if is_one else texts

    def _tokens(self, prompt: Prompt) -> list[int]:
        from sanmai.data.chat import render_prompt

        if isinstance(prompt, Problem):
            messages: Any = prompt.messages
        else:
            messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(prompt)
        return render_prompt(self.tokenizer, messages)

    def _budget(self, longest: int, max_tokens: int | None) -> int:
        """Tokens of a completion that fit behind the longest prompt."""
        positions = self.policy.max_positions
        budget = 512 if max_tokens is None else max_tokens
        if positions is not None and longest + (budget if max_tokens is not None else 1) > positions:
            raise InputError(
                f"max_tokens = {budget}: with a prompt of {longest} tokens that is more than the {positions} positions of "
                f"{self.name}"
            )
        return budget if positions is None else min(budget, positions - longest)

    def _completion(self, prompt: list[int], done: Any) -> Completion:
        from sanmai.data.chat import opened_in_prompt
        from sanmai.data.trace import parse_trace
        from sanmai.types import StopReason

        tokens = done.tokens[:-1] if done.stop_reason is StopReason.STOP else done.tokens
        text = self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        made = Completion(text)
        made.trace = parse_trace(text, opened_in_prompt=opened_in_prompt(self.tokenizer, prompt))
        made.tokens, made.stop_reason = list(done.tokens), done.stop_reason.value
        return made

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.policy.num_parameters:,} parameters)"
