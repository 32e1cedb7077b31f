"""A teacher with another tokenizer: spans by hand and by brute force, the same as by tokens where there is one, and a run."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import sanmai
from rollouts import drawn
from sanmai.data.chat import render_prompt
from sanmai.data.steps import character_ends, decoder
from sanmai.learn.teacher_by_text import aligned_spans, read_by_text, span_advantages
from sanmai.losses import distillation_advantages
from sanmai.plan.forecast import describe
from sanmai.policies.text.pack import pack_rollouts
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.distill import DistillConfig
from sanmai.types import InputError, Problem, StopReason
from tiny_models import bpe_tokenizer, random_policy, save_folder

QUESTION = Problem("p", ({"role": "user", "content": "what is 3 plus 4 ?"},), answer="7")


def test_spans_end_where_tokens_of_both_end():
    # "the cat" as the| cat and as t|he| |cat: both end after "the" and at the end.
    assert aligned_spans([3, 7], [1, 3, 4, 7]) == [(1, 2), (2, 4)]
    assert aligned_spans([3, 5, 9], [5, 6, 9]) == [(2, 1), (3, 3)]
    assert aligned_spans([4], [1, 2, 3, 4]) == [(1, 4)] and aligned_spans([], []) == []
    # Half a character is written with the token that completes it: not with the span before it.
    assert aligned_spans([1, 1, 2, 3], [1, 2, 3]) == [(1, 1), (3, 2), (4, 3)]
    with pytest.raises(ValueError, match="expected the same text"):
        aligned_spans([3], [4])


def test_spans_are_the_finest_common_cut_of_any_two_cuts():
    chance = random.Random(0)
    for _ in range(200):
        size = chance.randrange(1, 20)
        cuts = [sorted({*chance.sample(range(1, size + 1), chance.randrange(1, size + 1)), size}) for _ in range(2)]
        spans = aligned_spans(*cuts)
        assert [cuts[0][s - 1] for s, _ in spans] == [cuts[1][u - 1] for _, u in spans] == sorted({*cuts[0]} & {*cuts[1]})
        assert spans[-1] == (len(cuts[0]), len(cuts[1]))


def test_each_token_of_a_span_has_the_log_ratio_of_all_of_it():
    # Spans (2, 1) and (3, 3): -1.5 - (-1 - 2) = 1.5 on two tokens, (-0.5 - 1) - (-1) = -0.5 on the third.
    found = span_advantages([-1.0, -2.0, -1.0], [-1.5, -0.5, -1.0], [(2, 1), (3, 3)])
    assert found == pytest.approx([1.5, 1.5, -0.5])


def test_characters_are_counted_when_they_are_whole():
    tokenizer = bpe_tokenizer()
    tokens = tokenizer.encode("is 7 é 🎉 .", add_special_tokens=False)
    ends = character_ends(tokens, decoder(tokenizer))
    assert ends[-1] == len("is 7 é 🎉 .") and ends == sorted(ends)
    assert sum(a == b for a, b in itertools.pairwise(ends)) == 1 + 3  # é is 2 tokens of bytes, 🎉 4


@pytest.fixture
def both():
    """A student and a teacher of one tokenizer, and of two."""
    student, teacher = random_policy("llama", initializer_range=0.1), random_policy("qwen3", initializer_range=0.1, seed=1)
    for policy in (student, teacher):
        policy.tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %} "
    return student, teacher


def completion(student, text: str, stop: bool):
    tokens = student.tokenizer.encode(text, add_special_tokens=False) + [student.tokenizer.eos_token_id] * stop
    return drawn(
        text, prompt_tokens=render_prompt(student.tokenizer, QUESTION.messages), completion_tokens=tokens,
        sampling_logp=[-0.1 * k for k in range(1, len(tokens) + 1)],
        stop_reason=StopReason.STOP if stop else StopReason.LENGTH,
    )  # fmt: skip


def test_with_one_tokenizer_it_is_what_is_read_token_by_token(both):
    student, teacher = both
    asked = [(QUESTION, completion(student, text, stop)) for text, stop in (("the answer is 7 .", True), ("3 plus 4 é", False))]
    reading = read_by_text(teacher, student, asked, 4096)
    batch = pack_rollouts([r for _, r in asked])
    with torch.no_grad():
        logp_BT, _ = teacher.score(batch)
    expected_BT = distillation_advantages(logp_BT, batch.sampling_logp_BT, batch.mask_BT)
    for own, row_T, mask_T in zip(reading.advantages, expected_BT, batch.mask_BT, strict=True):
        assert own == pytest.approx(row_T[mask_T].tolist(), abs=1e-4) or "é" in asked[1][1].text
    # é is two tokens and one span: each has the sum of both.
    last = expected_BT[1][batch.mask_BT[1]].tolist()
    assert reading.advantages[1] == pytest.approx([*last[:-2], sum(last[-2:]), sum(last[-2:])], abs=1e-4)
    total = int(batch.mask_BT.sum())
    assert reading.reverse_kl == pytest.approx(-expected_BT.sum().item() / total, abs=1e-4)
    assert reading.span_tokens == pytest.approx(total / (total - 1))


def test_with_two_tokenizers_the_sums_over_each_text_are_those_of_both(both):
    student, teacher = both
    teacher.tokenizer = bpe_tokenizer("one two three is the answer four seven plus " * 3, 290)
    teacher.tokenizer.chat_template = student.tokenizer.chat_template
    text = "the answer is seven plus 4 ."
    r = completion(student, text, stop=True)
    reading = read_by_text(teacher, student, [(QUESTION, r), (QUESTION, completion(student, "�", True))], 4096)
    theirs = [*teacher.tokenizer.encode(text, add_special_tokens=False), teacher.tokenizer.eos_token_id]
    assert theirs != r.completion_tokens
    prompt = render_prompt(teacher.tokenizer, QUESTION.messages)
    with torch.no_grad():
        logp = torch.log_softmax(teacher.model(torch.tensor([prompt + theirs])).logits[0, len(prompt) - 1 : -1].float(), -1)
    ahead = logp[torch.arange(len(theirs)), torch.tensor(theirs)].sum().item() - sum(r.sampling_logp)
    own = reading.advantages[0]
    assert own is not None and len(own) == len(r.completion_tokens) and reading.advantages[1] is None
    assert -reading.reverse_kl * len(own) == pytest.approx(ahead, abs=1e-3)
    assert own[-1] == pytest.approx(logp[-1, theirs[-1]].item() - r.sampling_logp[-1], abs=1e-4)  # the end of a turn by itself


def test_the_whole_divergence_of_two_vocabularies_is_refused():
    with pytest.raises(InputError, match="two vocabularies have no divergence"):
        DistillConfig.read({"align": "text", "exact": True})


def test_a_student_learns_from_a_teacher_with_another_tokenizer(tmp_path):
    teacher = {"name": str(save_folder(tmp_path / "teacher", max_position_embeddings=512))}
    settings = {
        "num_steps": 6, "prompts_per_step": 6, "rollouts_per_prompt": 4, "exact": False, "teacher": teacher,
        "checkpoints": {"every": 6}, "optimizer": {"lr": 3e-3}, "evaluation": {"every": 0}, "sampling": {"max_tokens": 16},
        "problems": {"world": {"train": 40, "heldout": 2}}, "model": {"threads": 1},
    }  # fmt: skip
    with pytest.raises(InputError, match="different tokenizers"):
        sanmai.run("distill", out=tmp_path / "refused", **settings)
    run = sanmai.run("distill", out=tmp_path / "run", align="text", **settings)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][1:]
    assert lines[-1]["distill/reverse_kl"] < 0.9 * lines[0]["distill/reverse_kl"] and lines[0]["distill/span_tokens"] >= 1
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    assert all(len(row["stream/rl"]) == row["num_tokens"] for row in rows)
    assert lines[0]["tokens/trained"] == sum(row["num_tokens"] for row in rows)


def test_a_plan_says_how_the_teacher_reads(tmp_path):
    student: Path = save_folder(tmp_path / "student", "llama", max_position_embeddings=1024)
    recipe = find_recipe("distill")
    config = resolve(recipe, None, [f"model.name={student}", "align=text"])
    said = " ".join(describe(recipe, config, tmp_path / "run"))
    assert "it reads the student's text in its own tokens" in said and "stretches that whole tokens of both write" in said
