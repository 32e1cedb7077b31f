"""A judge from a local folder, in this process; and which of the two, folder or server, a configuration means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.data.chat import render_prompt
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.endpoint import Endpoint
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.reply_cache import ReplyCache, reply_key
from sanmai.train.state import weights_digest
from sanmai.types import InputError, Message, StopReason


def judge_transport(config: JudgeConfig, *, cache: Path | None = None) -> Endpoint | LocalJudge:
    """What answers the judge's questions: a server where base_url names one, else the model in a local folder.

    Args:
        cache: where replies are kept when config.cache names no folder.

    Raises:
        InputError: no model is named, it cannot be loaded, or the API key is not there.
    """
    if not config.model:
        raise InputError("judge.model: expected the judge's name at judge.base_url, or a local folder")
    folder = Path(config.cache) if config.cache is not None else cache
    replies = ReplyCache(folder) if folder is not None else None
    if config.base_url is not None:
        return Endpoint(config, failure_budget=config.failure_budget, cache=replies)
    return LocalJudge(config, replies)


class LocalJudge:
    """Replies of a causal language model in this process; each depends on its question and the seed alone."""

    def __init__(self, config: JudgeConfig, cache: ReplyCache | None = None) -> None:
        model = ModelConfig(name=config.model, device=config.device, dtype=config.dtype)
        self.policy = load_policy(model, for_training=False)
        self.config, self.cache = config, cache
        self.counts: Counter[str] = Counter()
        """Since the start: "requests" answered by the model, "cached" replies, "prompt_tokens" and "completion_tokens"."""
        self.revision = config.revision or weights_digest(self.policy)

    def __call__(
        self, batch: Sequence[Sequence[Message]], settings: Sequence[Mapping[str, Any]] | None = None
    ) -> list[str | Failure]:
        """The reply to each conversation, or why there is none, in order.

        Args:
            settings: of each question, beside those of all: its "seed".
        """
        config, policy = self.config, self.policy
        replies: list[str | Failure] = [Failure("timeout", "no reply within total_seconds")] * len(batch)
        keys = [self._key(m, own) for m, own in zip(batch, settings or [{}] * len(batch), strict=True)]
        requests: list[Request] = []
        numbers: list[int] = []
        for number, messages in enumerate(batch):
            cached = self.cache.get(keys[number]) if self.cache is not None else None
            prompt = render_prompt(policy.tokenizer, [self._as_text_alone(m) for m in messages])
            if cached is not None:
                replies[number] = cached
                self.counts["cached"] += 1
            elif policy.max_positions is not None and len(prompt) + config.max_tokens > policy.max_positions:
                reason = f"question and max_tokens are more than the judge's {policy.max_positions} positions"
                replies[number] = Failure("too_large", reason)
            else:
                requests.append(Request(prompt, [(config.seed, "judge", keys[number])]))
                numbers.append(number)
                self.counts.update(requests=1, prompt_tokens=len(prompt))
        rounds = -(-len(requests) // config.concurrency)
        sampling = SamplingConfig(
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            concurrent=config.concurrency,
            timeout_seconds=config.total_seconds * max(rounds, 1),
        )
        for done in sample(policy, requests, sampling):
            number = numbers[done.request]
            replies[number] = reply = self._reply(done)
            self.counts["completion_tokens"] += len(done.tokens)
            if self.cache is not None and isinstance(reply, str):
                self.cache.put(keys[number], reply)
        return replies

    def _reply(self, done: Completion) -> str | Failure:
        if done.stop_reason is StopReason.LENGTH:
            return Failure("cut_off", "the reply ran into max_tokens")
        if done.stop_reason is StopReason.TIMEOUT:
            return Failure("timeout", "no whole reply within total_seconds")
        return decode(self.policy.tokenizer, done)

    def _key(self, messages: Sequence[Message], own: Mapping[str, Any]) -> str:
        config = self.config
        settings = {
            "temperature": config.temperature,
            "max_tokens": config.max_tokens,
            "seed": config.seed,
            "dtype": config.dtype,
            **own,
        }
        return reply_key(config.model, self.revision, settings, messages)

    def _as_text_alone(self, message: Message) -> Message:
        """The message with the names of special tokens broken up: text that is judged must not become one."""
        content = message["content"]
        for name in self.policy.tokenizer.all_special_tokens:
            content = content.replace(name, f"{name[0]}\\{name[1:]}")
        return {"role": message["role"], "content": content}


def decode(tokenizer: Any, done: Completion) -> str:
    """A completion's text, its stop token left out."""
    tokens = done.tokens[:-1] if done.stop_reason is StopReason.STOP else done.tokens
    return tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
