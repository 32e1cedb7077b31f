"""Implicit process rewards: what a trained policy says of steps by how much likelier it finds them than its reference does.

A policy that was trained on outcomes (DPO, RL with a KL term) is a process reward model without ever having seen a step's label:
with pi(y) ~ ref(y) exp(r(y) / beta), the sum over a prefix is the soft value of that prefix less the prompt's,

    beta sum_{i<=t} log [pi(y_i | y_<i) / ref(y_i | y_<i)] = beta log E_ref[exp(r / beta) | y_<=t] - beta log E_ref[exp(r / beta)]

Source:
    Yuan et al. 2024 (arXiv:2412.01981); Rafailov et al. 2024 (arXiv:2404.12358).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Self

import torch

from sanmai.data.chat import render_prompt
from sanmai.data.steps import StepRule
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.rewards.step_scores import StepReader, check_ends
from sanmai.types import InputError, Message, Problem, Trace, Verdict


def implicit_values(
    logp: Sequence[float], reference_logp: Sequence[float], ends: Sequence[int], *, beta: float
) -> list[float]:
    """The value at each step's end, less the prompt's: beta times the sum of log-ratios of all tokens so far.

    Args:
        logp, reference_logp: nats, of each token of the completion under the policy and its reference.
        ends: numbers of tokens, rising.
        beta: the temperature that the policy was trained at; above 0.

    Raises:
        ValueError: lengths differ, ends that are none, or beta not above 0.
    """
    if len(logp) != len(reference_logp) or not beta > 0:
        raise ValueError(f"{len(logp)} and {len(reference_logp)} log-probs, {beta = }: expected one each, and beta above 0")
    check_ends([list(range(len(logp)))], [ends])
    sums = [0.0, *accumulate(p - q for p, q in zip(logp, reference_logp, strict=True))]
    return [beta * sums[end] for end in ends]


def implicit_step_rewards(
    logp: Sequence[float], reference_logp: Sequence[float], ends: Sequence[int], *, beta: float
) -> list[float]:
    """What each step adds to the value: beta times the sum of its own tokens' log-ratios. They add up to DPO's reward.

    Args, Raises:
        as implicit_values.
    """
    values = implicit_values(logp, reference_logp, ends, beta=beta)
    return [after - before for before, after in pairwise([0.0, *values])]


class ImplicitProcessModel(StepReader):
    """A policy and its reference as a process reward model. A step's score is what it adds; above 0 it makes success likelier.

    Example:
        ImplicitProcessModel.load("runs/dpo", "smollm2", beta=0.1).score_labelled(lengths, sequences, ends)
    """

    def __init__(self, policy: TextPolicy, reference: TextPolicy, *, beta: float, steps: StepRule | None = None) -> None:
        """Args:
        steps: how completions are cut when it grades them; None: it scores labelled steps alone.
        """
        self.policy, self.reference, self.beta = policy, reference, beta
        self.tokenizer = policy.tokenizer
        self.steps, self.aggregation = steps, "min"
        self.counts: Counter[str] = Counter()
        self._as_text = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}

    @classmethod
    def load(cls, policy: str, reference: str, *, beta: float, steps: StepRule | None = None) -> Self:
        """Both models by name or folder.

        Raises:
            InputError: one cannot be loaded, they have different tokens, or beta is not above 0.
        """
        if not beta > 0:
            raise InputError(f"beta = {beta}: expected a number above 0")
        models = [load_policy(ModelConfig(name=name), for_training=False) for name in (policy, reference)]
        if models[0].tokenizer.get_vocab() != models[1].tokenizer.get_vocab():
            raise InputError(f"{policy!r} and its reference {reference!r} have different tokens: no token has a ratio")
        return cls(*models, beta=beta, steps=steps)

    @property
    def max_positions(self) -> int | None:
        """As of a reward model."""
        config = self.policy.model.config
        return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)

    def encode_prompt(self, messages: Sequence[Message], reference: str | None = None) -> list[int]:
        return render_prompt(self.tokenizer, messages)

    def score_labelled(
        self, prompt_lengths: Sequence[int], sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """What each step adds (nats times beta), in order.

        Args:
            prompt_lengths: tokens of each one's prompt, 1 at least.
            sequences: prompt and completion.
            ends: numbers of tokens, the prompt's among them.

        Raises:
            ValueError: ends that are none of their sequences'.
        """
        check_ends(sequences, ends)
        found: list[list[float]] = []
        both = zip(*(self._logp(m, sequences, prompt_lengths) for m in (self.policy, self.reference)), strict=True)
        for (logp, reference_logp), start, listed in zip(both, prompt_lengths, ends, strict=True):
            own = [end - start for end in listed]
            found.append(implicit_step_rewards(logp, reference_logp, own, beta=self.beta))
        return found

    def _logp(
        self, policy: TextPolicy, sequences: Sequence[Sequence[int]], starts: Sequence[int]
    ) -> Iterator[list[float]]:
        """Log-probs of each completion's tokens."""
        if not sequences:
            return iter(())
        batch = pack([(list(s[:k]), list(s[k:])) for s, k in zip(sequences, starts, strict=True)])
        self.counts.update(sequences=len(sequences), tokens=sum(map(len, sequences)))
        rows: list[list[float]] = [[] for _ in sequences]
        with torch.no_grad():
            for part in policy.micro_rows(batch, 8192):
                chosen = batch.select(part).to(policy.device)
                logp_BT, _ = policy.score(chosen)
                for row, logp_T, mask_T in zip(part, logp_BT, chosen.mask_BT, strict=True):
                    rows[row] = logp_T[mask_T].tolist()
        return iter(rows)

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """One verdict per item, as a process model's; see step_scores.StepReader.grade_steps."""
        return self.grade_steps(items, float(self.max_positions or 1e9))
