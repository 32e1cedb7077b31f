"""Samplers that are servers of vLLM: token ids in and out, over HTTP.

A server is started by whoever runs it, in an environment of its own (vLLM pins PyTorch), on a machine that sees the run's folder:

    VLLM_SERVER_DEV_MODE=1 python -m vllm.entrypoints.openai.api_server --model MODEL --logprobs-mode processed_logprobs

It accepts fields that it does not know, so what is relied on is read back from each reply. Which weights it computes with only
the canary can tell: it packs them, and cannot say what it holds. Its random streams are its own, so that its texts are not those
of another engine; and it keeps no time limit of a step, so that `cluster.deadline_seconds` is the only clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from sanmai.cluster.links import Lost
from sanmai.cluster.parts import completion_json, request_of
from sanmai.cluster.published import Publication
from sanmai.cluster.waiting import Waiting
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.types import RunError, StopReason

_CONNECT_SECONDS = 10.0
_MOST_CALLS = 256
TIED = (
    "vLLM's CPU build is known to keep its packed copy of a tied output embedding when weights are loaded again; a GPU, or a "
    "model whose embeddings are not tied, has no such copy"
)
_WHOLE = {  # the whole distribution, whatever the server's generation_config says
    "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
}  # fmt: skip


class VllmLink:
    """One server."""

    tells_digest = False

    def __init__(self, number: int, url: str, stops: Sequence[int], *, deadline: str = "cluster.deadline_seconds") -> None:
        """Args:
            stops: tokens that end a completion; the server's own are not asked.
            deadline: the setting that bounds an answer, for messages.
        """
        self._deadline = deadline
        self.name, self._url, self._stops = f"sampler {number} ({url})", url.rstrip("/"), sorted(stops)
        self._client = httpx2.Client(timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS), trust_env=False)
        self._waiting = Waiting()
        self._model = ""

    def start(self, seconds: float) -> None:
        self._call("GET", "/health", None, min(seconds, _CONNECT_SECONDS))

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        if question["do"] == "begin":
            models = self._call("GET", "/v1/models", None, seconds).get("data") or [{}]
            self._model = str(models[0].get("id", ""))
            return {}
        if question["do"] == "load":
            assert publication is not None and publication.model is not None
            return self._load(publication, seconds)
        return {"done": self._written(question, seconds), "is_to_be_scored": True}

    def stop(self) -> None: ...

    def interrupt(self) -> None:
        self._waiting.end("it is asked no more")
        self._client.close()

    def fail(self) -> bool:
        return False

    def close(self) -> None:
        self._client.close()

    def _load(self, publication: Publication, seconds: float) -> dict[str, Any]:
        asked = {"method": "reload_weights", "kwargs": {"weights_path": str(publication.model)}}
        self._call("POST", "/collective_rpc", asked, seconds)
        self._call("POST", "/reset_prefix_cache", {}, seconds)
        logp_CT = []
        for row in publication.canary.tokens_CT:
            body = {"prompt": row, "max_tokens": 1, "temperature": 1.0, "seed": 0, "prompt_logprobs": 0, **_WHOLE}
            [choice] = self._completions(body, row, seconds)
            found = choice.get("prompt_logprobs")
            if not isinstance(found, list) or len(found) != len(row):
                raise RunError(f"{self.name} gives no prompt_logprobs, which the canary needs")
            told = [(at or {}).get(str(token), {}).get("logprob") for token, at in zip(row[1:], found[1:], strict=True)]
            logp_CT.append([_number(self.name, x) for x in told])
        return {"logp": logp_CT, "hint": TIED}

    def _written(self, question: Mapping[str, Any], seconds: float) -> list[Any]:
        config = SamplingConfig(**question["sampling"])
        if config.temperature == 0:
            raise RunError(f"{self.name}: at temperature 0 it gives no log-probs of the distribution that is recorded")
        asked = []
        for index, values in enumerate(question["requests"]):
            request = request_of(values)
            if request.images:
                raise RunError(f"{self.name}: request {index} has images; only text is sent to a server")
            asked += [(index, sample, request) for sample in range(len(request.seeds))]
        most = min(config.concurrent, _MOST_CALLS, max(len(asked), 1))
        with ThreadPoolExecutor(most) as pool:
            found = list(pool.map(lambda one: self.write_one(*one, config, question["segment"], seconds), asked))
        return [completion_json(done) for done in found]

    def write_one(
        self, index: int, sample: int, request: Request, config: SamplingConfig, segment: int | None, seconds: float
    ) -> Completion:
        """One rollout of a request.

        Raises:
            Lost: no answer came in time.
            RunError: it is none to what was asked.
        """
        budget = min(request.max_tokens or config.max_tokens, config.max_tokens) - request.written
        most = min(budget, request.segment or budget, segment or budget)
        body = {
            "prompt": request.prompt_tokens, "max_tokens": most, "temperature": config.temperature, "logprobs": 0,
            "seed": seed_of(request.seeds[sample], request.written), "ignore_eos": True, "stop_token_ids": self._stops,
            "skip_special_tokens": False, **_WHOLE,
        }  # fmt: skip
        [choice] = self._completions(body, request.prompt_tokens, seconds)
        tokens, logp = choice.get("token_ids"), (choice.get("logprobs") or {}).get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(logp, list) or len(tokens) != len(logp) or not tokens:
            raise RunError(f"{self.name} gives no token_ids with token_logprobs: return_token_ids and logprobs are needed")
        logp = [_number(self.name, x) for x in logp]
        if tokens[-1] in self._stops:
            reason = StopReason.STOP
        elif len(tokens) == most:
            reason = StopReason.LENGTH if most == budget else StopReason.PAUSED
        else:
            raise RunError(f"{self.name} ended a completion after {len(tokens)} of {most} tokens, with none of {self._stops}")
        if len(tokens) > most or any(token in self._stops for token in tokens[:-1]):
            raise RunError(f"{self.name} wrote on after a token that stops, or after max_tokens")
        return Completion(index, sample, tokens, logp, reason)

    def _completions(self, body: dict[str, Any], prompt: Sequence[int], seconds: float) -> list[dict[str, Any]]:
        reply = self._call("POST", "/v1/completions", {"model": self._model, "return_token_ids": True, **body}, seconds)
        choices = reply.get("choices")
        if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
            raise RunError(f"{self.name} answers /v1/completions with something else than one choice")
        if choices[0].get("prompt_token_ids", reply.get("prompt_token_ids")) != list(prompt):
            raise RunError(f"{self.name} did not read the prompt's tokens as they were sent: its prompt_token_ids differ")
        return choices

    def _call(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
        late = f"no answer to {path} within {seconds:g} s ({self._deadline})"
        try:
            timeout = httpx2.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))
            ask = lambda: self._client.request(method, self._url + path, json=body, timeout=timeout)  # noqa: E731
            reply = self._waiting.bounded(ask, seconds, late)
        except httpx2.TimeoutException:
            raise Lost(late) from None
        except (httpx2.HTTPError, httpx2.StreamError, RuntimeError, OSError) as error:
            raise Lost(f"{path}: {type(error).__name__}: {error}") from None
        if reply.status_code in (404, 405) and path in ("/collective_rpc", "/reset_prefix_cache"):
            raise RunError(f"{self.name} has no {path}: start it with VLLM_SERVER_DEV_MODE=1, so that it can be given weights")
        if reply.status_code >= 500:
            raise Lost(f"{path}: status {reply.status_code}: {reply.text[:200]}")
        if reply.status_code >= 400:
            raise RunError(f"{self.name} refuses {path}: status {reply.status_code}: {reply.text[:300]}")
        try:
            found = reply.json() if reply.content else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def seed_of(name: tuple, written: int) -> int:
    """A server's seed for the random stream that a rollout's name says; of one that goes on, for each part its own."""
    return int.from_bytes(hashlib.blake2b(repr((name, written)).encode(), digest_size=8).digest(), "little") >> 2


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float):
        raise RunError(f"{name} gives {value!r} for the log-prob of a token; expected a number")
    return float(value)
