"""How novel each prompt of a stream is to the policy that is asked: what it may abstain by, besides its answer's log-prob.

    prompt_logp     mean log-prob (nats) of the prompt's own tokens: minus the log of its perplexity
    mahalanobis     minus the distance of its features to those of known prompts
    neighbours      minus the distance to the fifth nearest of them
    agreement       minus how far the companions' log-probs of the completion are apart, with companions

Features are the policy's own: its last hidden states, averaged over the prompt's tokens. Each is a confidence: more is surer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from pydantic import Field

from sanmai.config import Config
from sanmai.data.chat import render_prompt
from sanmai.instruments.novelty import Known, disagreement
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import Example, pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import Graded, Group, Image, InputError, Problem

ANSWER = "answer_logp"
"""What the policy's own completion says: its mean log-prob a token."""
_ROWS = 32
"""Prompts of a forward pass."""
Signals = dict[str, float]
Shown = tuple[list[int], tuple[Image, ...]]
"""A prompt's tokens and its pictures."""


class NoveltyConfig(Config):
    known: int = Field(0, ge=0)
    """Further prompts of each source, none of them asked, that distances are measured from; 0: by the prompt's log-prob alone."""
    companions: tuple[str, ...] = ()
    """Models with the same tokenizer, from other seeds say: where they disagree about a completion the policy may abstain."""


class Novelty:
    """Tells the novelty of what a policy is asked. What is known is read with the policy's weights of the moment."""

    def __init__(self, policy: TextPolicy, known: Sequence[Problem], companions: Sequence[str], model: ModelConfig) -> None:
        """Raises:
        InputError: a companion reads other tokens than the policy.
        """
        self.policy, self.known = policy, list(known)
        self.companions = [_companion(name, policy, model) for name in companions]

    def signals(self, groups: Sequence[Group[Graded]]) -> Callable[[str, int], Signals]:
        """By problem id and sample, what each signal says; a signal that cannot be told is left out."""
        if not groups:
            return lambda problem, sample: {}
        prompts = {g.problem.id: (g.rollouts[0].prompt_tokens, g.rollouts[0].images) for g in groups if g.rollouts}
        told = self._of_prompts(prompts)
        agreed = self._of_completions([r for group in groups for r in group.rollouts])
        return lambda problem, sample: {**told.get(problem, {}), **agreed.get((problem, sample), {})}

    def _of_prompts(self, prompts: Mapping[str, Shown]) -> dict[str, Signals]:
        features_MD, logps = read(self.policy, list(prompts.values()))
        found = [{"prompt_logp": value} for value in logps]
        if self.known:
            shown = [(render_prompt(self.policy.tokenizer, p.messages, carries_images=True), p.images) for p in self.known]
            known = Known.of(read(self.policy, shown)[0])
            for row, far, near in zip(found, known.mahalanobis(features_MD), known.nearest(features_MD), strict=True):
                row |= {"mahalanobis": -far, "neighbours": -near}
        return dict(zip(prompts, found, strict=True))

    def _of_completions(self, rollouts: Sequence[Graded]) -> dict[tuple[str, int], Signals]:
        if not self.companions:
            return {}
        written = [r for r in rollouts if r.completion_tokens]
        examples: list[Example] = [(r.prompt_tokens, r.completion_tokens, r.images) for r in written]
        logps = [_logp(self.policy, examples), *(_logp(model, examples) for model in self.companions)]
        apart = [disagreement(of_one) for of_one in zip(*logps, strict=True)]
        pairs = zip(written, apart, strict=True)
        return {(r.problem_id, r.sample): {"agreement": -value} for r, value in pairs if value is not None}


def read(policy: TextPolicy, prompts: Sequence[Shown]) -> tuple[np.ndarray, list[float]]:
    """features_MD, the last hidden states averaged over each prompt's tokens but the first, and mean log-prob of those tokens.

    Raises:
        InputError: a prompt of one token, or a model whose output head is of a kind that is not known here.
    """
    if short := next((tokens for tokens, _ in prompts if len(tokens) < 2), None):
        raise InputError(f"novelty: a prompt of {len(short)} tokens; expected two at least")
    features, logps = [], []
    for start in range(0, len(prompts), _ROWS):
        rows: list[Example] = [(tokens[:1], tokens[1:], images) for tokens, images in prompts[start : start + _ROWS]]
        batch = pack(rows).to(policy.device)
        with torch.no_grad():
            hidden_ND, head = policy.predicting(batch)
            logp_BT, _ = policy.score(batch)
        if isinstance(head, torch.nn.Identity):
            raise InputError("novelty.known: this model's output head is of a kind that is not known here, so it has no features")
        ends = np.cumsum([len(row[1]) for row in rows])
        starts = [0, *ends[:-1]]
        features += [hidden_ND[a:b].float().mean(dim=0).cpu().numpy() for a, b in zip(starts, ends, strict=True)]
        logps += [float(row[mask].mean()) for row, mask in zip(logp_BT, batch.mask_BT, strict=True)]
    return np.stack(features), logps


def _companion(name: str, policy: TextPolicy, model: ModelConfig) -> TextPolicy:
    found = load_policy(model.model_copy(update={"name": name, "revision": None, "lora_rank": 0}), for_training=False)
    if found.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
        raise InputError(f"novelty.companions: {name} reads other tokens than {model.name}; expected the same tokenizer")
    return found


def _logp(policy: TextPolicy, examples: Sequence[Example]) -> list[float]:
    """Mean log-prob (nats a token) of each completion."""
    found: list[float] = []
    for start in range(0, len(examples), _ROWS):
        batch = pack(examples[start : start + _ROWS]).to(policy.device)
        with torch.no_grad():
            logp_BT, _ = policy.score(batch)
        found += [float(row[mask].mean()) for row, mask in zip(logp_BT, batch.mask_BT, strict=True)]
    return found
