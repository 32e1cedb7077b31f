"""The teacher of a distillation: loaded frozen, found to share the student's tokenizer, and asked about the student's tokens.

Shape key: B rollouts, T tokens, N tokens of all rollouts in a row, D model width, V vocabulary.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from sanmai.config import Config
from sanmai.data.turns import turn_end
from sanmai.losses import distillation_loss, token_divergence
from sanmai.policies.team import Team, together
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import CHUNK_LOGITS, TextPolicy
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.train.components import of_stream
from sanmai.train.step import Component, Scored, score_all
from sanmai.types import InputError, Metrics, TokenBatch


class TeacherConfig(Config):
    name: str = EMBEDDED_MODEL
    """"tiny" (the embedded base), a `transformers` folder, a Sanmai run folder (its newest checkpoint), or a hub name."""
    device: str | None = Field(None, pattern=r"^(cpu|mps|cuda(:\d+)?)$")
    """"cpu", "cuda", "cuda:1", "mps"; the student's when not set."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of its weights and arithmetic."""
    fast_path: bool = True
    """As model.fast_path."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Off unless you turn it on by name."""


@together
def load_teacher(team: Team | None, config: TeacherConfig, student: ModelConfig) -> TextPolicy:
    """The teacher, frozen; each trainer of a team has all of it.

    Raises:
        InputError: it cannot be loaded, or it is the model that the student starts from.
    """
    if resolve_model(config.name) == resolve_model(student.name):
        raise InputError(
            f"teacher.name = {config.name!r} is the student itself, so there is nothing to learn; name a stronger model with "
            "the same tokenizer, or another student in model.name (`sanmai run pretrain --config student-tiny` makes one)"
        )
    values = config.model_dump() | {"device": config.device or student.device, "threads": student.threads}
    try:
        settings = ModelConfig.read(values, source="teacher")
        teacher = load_policy(settings if team is None else team.placed(settings), for_training=False)
    except InputError as error:
        raise InputError(f"teacher: {error}") from None
    if team is not None:
        teacher.team = team
        team.share(teacher)
    return teacher


def check_shares_tokenizer(student: TextPolicy, teacher: TextPolicy) -> None:
    """Refuse a teacher that would read the student's tokens as other words.

    Raises:
        InputError: a token has another number, is special for one alone, or another token ends a completion.
    """
    said = "distillation on the student's own tokens needs one tokenizer; `sft` on the teacher's texts does not"
    ours, theirs = student.tokenizer.get_vocab(), teacher.tokenizer.get_vocab()
    if ours != theirs:
        odd = min(token for token in ours.keys() | theirs.keys() if ours.get(token) != theirs.get(token))
        raise InputError(
            f"teacher and student have different tokenizers ({len(theirs)} and {len(ours)} tokens; {odd!r} is number "
            f"{theirs.get(odd)} and {ours.get(odd)}): {said}"
        )
    if odd_ones := set(student.tokenizer.all_special_tokens) ^ set(teacher.tokenizer.all_special_tokens):
        raise InputError(f"teacher and student have different special tokens ({min(odd_ones)!r}): {said}")
    both = (teacher.tokenizer, student.tokenizer)
    turns, texts = [t.convert_ids_to_tokens(turn_end(t)) for t in both], [t.eos_token for t in both]
    if turns[0] != turns[1] or texts[0] != texts[1]:
        ends = turns if turns[0] != turns[1] else texts
        raise InputError(
            f"the teacher ends a completion with {ends[0]!r} and the student with {ends[1]!r}, which it would unlearn: set "
            "eos_token (and the chat template) in the student's tokenizer to the teacher's"
        )


def teacher_logp(teacher: TextPolicy, student: TextPolicy, batch: TokenBatch, micro_tokens: int) -> Tensor:
    """Log-probs logp_BT (nats, float32, on the CPU) of the batch's tokens under the teacher, 0 outside batch.mask_BT."""
    parts = teacher.micro_rows(batch, micro_tokens)
    logp_BT = torch.zeros_like(batch.sampling_logp_BT)
    teacher.cores.use_threads()
    try:
        found = score_all(teacher, [batch.select(rows) for rows in parts], 1.0)
    finally:
        student.cores.use_threads()
    for rows, found_BT in zip(parts, found, strict=True):
        logp_BT[rows, : found_BT.shape[1]] = found_BT.cpu()
    return logp_BT


def divergence_component(student: TextPolicy, teacher: TextPolicy, beta: float) -> Component:
    """Divergence from the teacher over the whole vocabulary, each token weighted by the stream "sft", per unit of that weight.

    It runs the student a second time on each micro-batch, for the hidden states that a Scored does not hold.
    Words that one model alone has are the padding of its embedding: both distributions are over the others.
    """
    # A teacher of one worker may not be entered by several of the student's.
    is_shared = teacher.cores.workers == 1 and student.cores.workers > 1
    turn = threading.Lock() if is_shared else contextlib.nullcontext()
    return Component(1.0, _Divergence(student, teacher, beta, turn), of_stream, stream="sft")


@dataclass(frozen=True)
class _Divergence:
    student: TextPolicy
    teacher: TextPolicy
    beta: float
    turn: contextlib.AbstractContextManager

    def __call__(self, scored: Scored, denominator: float) -> tuple[Tensor, Metrics]:
        batch, student, teacher = scored.batch, self.student, self.teacher
        assert isinstance(batch, TokenBatch)
        words = min(student.vocabulary, teacher.vocabulary)
        hidden_ND, head = student.read(batch)
        with torch.no_grad(), self.turn:
            teacher_hidden_ND, teacher_head = teacher.predicting(batch.to(teacher.device))
        found_NN = token_divergence(
            hidden_ND,
            _head_over(student, head, words, student.device),
            teacher_hidden_ND,
            _head_over(teacher, teacher_head, words, student.device),
            beta=self.beta,
            chunk_tokens=max(CHUNK_LOGITS // words, 1),
        )
        zeros_BT = torch.zeros(batch.mask_BT.shape, dtype=torch.float32, device=student.device)
        divergence_BT, reverse_kl_BT = (zeros_BT.masked_scatter(batch.mask_BT, found_N) for found_N in found_NN)
        loss, _ = distillation_loss(
            divergence_BT, batch.mask_BT, weight_BT=batch.streams["sft"], denominator=denominator
        )
        return loss, {"distill/reverse_kl": reverse_kl_BT.sum().item() / scored.step_tokens}


def _head_over(policy: TextPolicy, head: Callable[[Tensor], Tensor], words: int, device: Any) -> Callable[[Tensor], Tensor]:
    """The policy's head in its own arithmetic, over the first words of its vocabulary, with logits_CV on a device."""

    def logits(hidden_CD: Tensor) -> Tensor:
        with policy.autocast():
            return head(hidden_CD)[:, :words].to(device)

    return logits
