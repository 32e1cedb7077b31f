"""What a process reward model reads: the score of a completion at the end of every step, in one pass.

Shape key: B sequences, T tokens, N steps of all sequences.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from sanmai.data.chat import prompt_end
from sanmai.data.step_labels import LabelledSteps
from sanmai.data.steps import Aggregation, StepRule, aggregate, boundaries, decoder, token_ends
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.data.turns import tags_opened
from sanmai.policies.text.config import ModelConfig
from sanmai.types import InputError, Message, Problem, Trace, Verdict

STEP_LABELS = ("right", "wrong")


class StepReader(ABC):
    """What scores the steps of completions: it cuts, encodes and grades; where scores come from is its kind's."""

    tokenizer: Any
    steps: StepRule | None
    """How a process model's completions are cut; None of the others."""
    aggregation: Aggregation
    """What a process model makes of its steps' probabilities when it grades a completion."""
    _as_text: dict[str, Any]

    @abstractmethod
    def score_labelled(
        self, prompt_lengths: Sequence[int], sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """One score per step of each sequence; above 0 speaks for it.

        Args:
            prompt_lengths: tokens of each one's prompt.
            ends: numbers of tokens, the prompt's among them.
        """

    @abstractmethod
    def encode_prompt(self, messages: Sequence[Message], reference: str | None = None) -> list[int]: ...

    def encode_steps(self, messages: Sequence[Message], text: str) -> tuple[list[int], list[int]]:
        """What a process model reads of a completion's text, without a stop token, and the numbers of tokens at the steps' ends.

        The text is cut by the model's rule. What a budget cut off in the middle of a step is one all the same: it is judged as it
        stands.

        Raises:
            ValueError: the model has no rule.
        """
        if self.steps is None:
            raise ValueError("steps = None: only a process model has a rule for them")
        prompt = self.encode_prompt(messages)
        tokens = self.encode_text(prompt, text)
        ends = boundaries(tokens, decoder(self.tokenizer), self.steps)
        return [*prompt, *tokens], [len(prompt) + end for end in ends]

    def encode_labelled(self, item: LabelledSteps) -> tuple[int, list[int], list[int]]:
        """The prompt's length, the tokens of prompt and response, and the numbers of them at the ends of the stated steps.

        Raises:
            ValueError: two steps end in one token, or the tokenizer does not give the text back.
        """
        prompt, decode = self.encode_prompt(item.messages), decoder(self.tokenizer)
        tokens = self.encode_text(prompt, item.response)
        ends = token_ends(tokens, decode, places(item.response, decode(tokens), item.ends))
        return len(prompt), [*prompt, *tokens], [len(prompt) + end for end in ends]

    def encode_text(self, prompt: Sequence[int], text: str) -> list[int]:
        """A completion's text as it follows the prompt: as a whole, without a thought's tag that the prompt has opened."""
        tags = tags_opened(prompt_end(self.tokenizer, prompt), (OPEN_TAG, CLOSE_TAG))
        return list(self.tokenizer.encode(text.removeprefix(tags[0]) if tags else text, **self._as_text))

    def grade_steps(self, items: Sequence[tuple[Problem, Trace]], room: float) -> list[Verdict]:
        """One verdict per item: the steps' probabilities of "right", aggregated; None where no step is, too many tokens, or it
        was cut off: what has no end has not got its steps right."""
        read = [self.encode_steps(problem.messages, trace.text) for problem, trace in items]
        fits = [
            bool(ends) and len(tokens) <= room and trace.is_complete
            for (tokens, ends), (_, trace) in zip(read, items, strict=True)
        ]
        kept = [one for one, fit in zip(read, fits, strict=True) if fit]
        starts = [len(self.encode_prompt(p.messages)) for (p, _), fit in zip(items, fits, strict=True) if fit]
        scored = iter(self.score_labelled(starts, [tokens for tokens, _ in kept], [ends for _, ends in kept]))
        verdicts = []
        for (tokens, ends), fit in zip(read, fits, strict=True):
            if not fit:
                long = f"{len(tokens)} tokens, more than the {room} positions of the reward model"
                why = "no step was written" if not ends else long if len(tokens) > room else "no finished answer"
                verdicts.append(Verdict(None, why, "incomplete"))
                continue
            scores = [(1.0 + math.tanh(score / 2.0)) / 2.0 for score in next(scored)]
            if not all(map(math.isfinite, scores)):
                verdicts.append(Verdict(None, "a step's score is not finite", "ungradable"))
                continue
            p = aggregate(scores, self.aggregation)
            listed = " ".join(f"{score:.3f}" for score in scores[:20]) + (" ..." if len(scores) > 20 else "")
            reason = f"{self.aggregation} of {len(scores)} step{'s' if len(scores) > 1 else ''}: {listed}"
            verdicts.append(Verdict(p, reason, STEP_LABELS[p < 0.5]))
        return verdicts


class HeadReader(StepReader):
    """A StepReader whose scores are those of its model's own head, read where each step ends."""

    model: Any
    config: ModelConfig
    counts: Counter[str]

    @abstractmethod
    def forward(self, sequences: Sequence[Sequence[int]]) -> Tensor: ...

    @abstractmethod
    def own_threads(self) -> AbstractContextManager[None]: ...

    def score_labelled(
        self, prompt_lengths: Sequence[int], sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """As score_steps: a head needs no prompt told apart."""
        return self.score_steps(sequences, ends)

    def forward_steps(self, sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]) -> Tensor:
        """Scores score_N (float32, with gradient) at the ends of all steps, sequence by sequence: one pass over each.

        The head is read at every position, as `transformers` computes it before it picks one.

        Args:
            ends: numbers of tokens of each sequence, 1 to its length, at which its steps end.

        Raises:
            ValueError: other ends.
        """
        check_ends(sequences, ends)
        read: list[Tensor] = []
        hook = self._head.register_forward_hook(lambda module, inputs, output: read.append(output))
        try:
            self.forward(sequences)
        finally:
            hook.remove()
        logits_BT = read[0][..., 0].float()
        rows = [row for row, listed in enumerate(ends) for _ in listed]
        columns = [end - 1 for listed in ends for end in listed]
        return logits_BT[rows, columns]

    @property
    def _head(self) -> Any:
        """The module whose output the folder's score is picked from.

        Raises:
            InputError: an architecture that computes no score for every token.
        """
        head = getattr(self.model, "score", None)
        if not isinstance(head, torch.nn.Linear):
            raise InputError(
                f"model.name = {self.config.name!r}: {type(self.model).__name__} has no `score` layer, which is read at every "
                "step; expected a decoder such as LlamaForSequenceClassification"
            )
        return head

    def score_steps(
        self, sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]], *, micro_tokens: int = 8192
    ) -> list[list[float]]:
        """The logit of "right" at the end of every step of each sequence, without gradient.

        Args:
            sequences, ends: what `encode_steps` gives; or a policy's tokens, prompt included, with a Cutter's ends.
            micro_tokens: as of score.

        Raises:
            ValueError: an end that is none of its sequence, or sequences and ends differ in number.
        """
        check_ends(sequences, ends)
        scores: list[list[float]] = [[] for _ in sequences]
        self.counts.update(sequences=len(sequences), tokens=sum(map(len, sequences)))
        with torch.no_grad(), self.own_threads():
            for rows in similar_lengths([len(s) for s in sequences], micro_tokens):
                found = iter(self.forward_steps([sequences[row] for row in rows], [ends[row] for row in rows]).tolist())
                for row in rows:
                    scores[row] = [next(found) for _ in ends[row]]
        return scores


def places(text: str, said: str, ends: Sequence[int]) -> list[int]:
    """The ends of steps of a text in what its tokens say: all of it, or all but a tag at its start that the prompt has opened.

    Some tokenizers do not keep blanks (the embedded model's has one between words): then the characters between them are counted.

    Raises:
        ValueError: the tokens say something else.
    """
    if text.endswith(said):
        return [end - len(text) + len(said) for end in ends]
    words, kept = "".join(text.split()), "".join(said.split())
    if not words.endswith(kept):
        raise ValueError("the tokenizer does not give the text back")
    after = [0, *(place for place, character in enumerate(said, 1) if not character.isspace())]
    opened = len(words) - len(kept)
    return [after[max(len("".join(text[:end].split())) - opened, 0)] for end in ends]


def check_ends(sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]) -> None:
    """Refuse steps that are not those of their sequences: a score at another place would be no score.

    Raises:
        ValueError: sequences and ends differ in number, or ends are not rising, or outside 1 to the sequence's length.
    """
    if len(sequences) != len(ends):
        raise ValueError(f"{len(sequences)} sequences and the steps of {len(ends)}: expected as many of both")
    for tokens, listed in zip(sequences, ends, strict=True):
        if any(a >= b for a, b in itertools.pairwise([0, *listed])) or (listed and listed[-1] > len(tokens)):
            raise ValueError(f"step ends {list(listed)}: expected rising numbers of the {len(tokens)} tokens")


def similar_lengths(lengths: Sequence[int], micro_tokens: int) -> list[list[int]]:
    """Numbers of the rows in parts whose padded size is at most micro_tokens, longest rows first."""
    parts: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not parts or (len(parts[-1]) + 1) * lengths[parts[-1][0]] > micro_tokens:
            parts.append([])
        parts[-1].append(row)
    return parts
