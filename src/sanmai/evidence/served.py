"""A model behind an OpenAI-compatible server, asked as a policy is: `sanmai audit http://HOST:PORT/v1#NAME`.

What answers is all that stands there: the model, its template and system prompt, its sampler and its filter. It draws, and can
be neither scored nor trained.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import nan
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from sanmai.data.trace import parse_trace
from sanmai.policies.contract import Policy
from sanmai.policies.cores import Cores
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.judging.chat_protocol import Failure, read_answer
from sanmai.rewards.judging.endpoint import Endpoint, EndpointConfig
from sanmai.types import Batch, Drawn, InputError, Problem, RunError, StopReason

WITHHELD = "I can't help with that: the server's filter withheld the answer."
"""What stands for an answer that a filter took back without putting words in its place: to whom it is shown, it is a refusal."""
_AT_ONCE = 64
"""Questions that are handed over together; what was answered of them is graded while the next are asked."""
_MOST_FAILED = 0.1


def is_served(name: str) -> bool:
    """Whether the name of a model is that of one behind a server."""
    return re.match(r"https?://", name, re.IGNORECASE) is not None


class ServedModel(Policy[Batch]):
    """Example:
        ServedModel(ModelConfig(name="http://127.0.0.1:8000/v1#my-model"))
    """

    tells_entropy = False
    max_positions = None
    """The server knows, and refuses what is too long."""

    def __init__(self, config: ModelConfig, *, key_variable: str | None = None) -> None:
        """Args:
            key_variable: the environment variable that holds the server's API key.

        Raises:
            InputError: the name says no model of the server.
        """
        url, _, model = config.name.partition("#")
        if not model.strip():
            raise InputError(f"model.name = {config.name!r}: expected URL#NAME, such as http://127.0.0.1:8000/v1#my-model")
        self.config, self.weights = config, {}
        self.device, self.cores = torch.device("cpu"), Cores(1, is_cpu=True, is_one=True)
        self._server = {"base_url": url, "model": model, "api_key_variable": key_variable}

    @property
    def identity(self) -> str:
        """In place of the weights' digest, which nobody here can know."""
        return f"served-{hashlib.sha256(self.config.name.encode()).hexdigest()[:10]}"

    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: SamplingConfig,
        thought_tags: tuple[str, str],
    ) -> Iterator[tuple[int, Drawn]]:
        """Each question is asked `count` times with seeds of its own, which a server may or may not heed.

        Raises:
            InputError: a problem has pictures, or the server knows no such model or key.
            RunError: more than a tenth of the questions so far have no answer.
        """
        if pictured := next((p.id for p in problems if p.images), None):
            raise InputError(f"problem {pictured}: pictures are not sent to a server")
        values = {
            **self._server, "temperature": sampling.temperature, "max_tokens": sampling.max_tokens,
            "total_seconds": sampling.timeout_seconds,
        }  # fmt: skip
        config = EndpointConfig.read(values, f"model.name = {self.config.name!r}")
        asked = [(index, k) for index in range(len(problems)) for k in range(count)]
        failures: Counter[str] = Counter()
        num_asked = 0
        with Endpoint(config, failure_budget=0.5, read=read_answer, section="model") as ask:
            for part in (asked[k : k + _AT_ONCE] for k in range(0, len(asked), _AT_ONCE)):
                seeds = [{"seed": _seed((*seed, problems[index].id, k))} for index, k in part]
                replies = ask([problems[index].messages for index, _ in part], seeds)
                num_asked += len(part)
                failures.update(reply.reason for reply in replies if isinstance(reply, Failure))
                if failures.total() > max(_MOST_FAILED * num_asked, 1):
                    why, times = failures.most_common(1)[0]
                    raise RunError(
                        f"{self.config.name}: {failures.total()} of {num_asked} questions have no answer; {times} of them: {why}"
                    )
                for (index, k), reply in zip(part, replies, strict=True):
                    yield index, _drawn(problems[index], k, reply, version, thought_tags)

    def facts(self) -> dict[str, Any]:
        """Nothing is known of the model but its name."""
        return {"name": self.config.name, "architecture": "behind a server", "path": "behind a server", "notes": list(self.notes)}

    def origin(self) -> dict[str, str]:
        return {"chat_template": "the server's own"}

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> NoReturn:
        raise _cannot(self.config.name)

    def score(self, batch: Batch, *, temperature: float = 1.0, entropy_gradient: bool = False) -> NoReturn:
        raise _cannot(self.config.name)

    def save(self, folder: Path) -> NoReturn:
        raise _cannot(self.config.name)


def _cannot(name: str) -> InputError:
    return InputError(f"{name}: a model behind a server can be asked, and neither scored, trained nor saved")


def _seed(names: tuple) -> int:
    return int.from_bytes(hashlib.blake2b(repr(names).encode(), digest_size=4).digest()) >> 1


def _drawn(problem: Problem, sample: int, reply: str | Failure, version: int, thought_tags: tuple[str, str]) -> Drawn:
    """An answer as a rollout. One that did not come is incomplete and is not graded: it counts against what is to be shown."""
    if isinstance(reply, Failure):
        return Drawn(problem.id, sample, [], [], [], StopReason.TIMEOUT, version, "")
    answer = json.loads(reply)
    open_tag, close_tag = thought_tags
    content = answer["content"] or (WITHHELD if answer["finish"] == "content_filter" else "")
    text = f"{open_tag}{answer['thought']}{close_tag}{content}" if answer["thought"] else content
    stop = StopReason.LENGTH if answer["finish"] == "length" else StopReason.STOP
    trace = parse_trace(text, open_tag=open_tag, close_tag=close_tag, is_truncated=stop is StopReason.LENGTH)
    return Drawn(problem.id, sample, [], [], [nan] * answer["tokens"], stop, version, text, trace)
