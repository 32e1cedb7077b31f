"""Rewriting by a judge model: nothing of it is believed before it is graded and filtered again."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.rewriting import RewriteConfig, rewrite_with
from sanmai.recipes.sample import run_sample
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.types import Problem

PROBLEMS = [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 3 ?"},), str(i + 3)) for i in range(12)]
SETTINGS = ["samples_per_prompt=8", "choice=shortest", "prompts_per_chunk=6", "filters.language_share=0", "include_held_out=true"]


def sample_with(out: Path, rewrite, *settings: str) -> dict:
    recipe = find_recipe("sample")
    run_sample(resolve(recipe, None, [*SETTINGS, *settings]), out, problems=PROBLEMS, rewrite=rewrite)
    card = json.loads((out / "card.json").read_text())
    rows = pq.read_table(out / "data.parquet").to_pylist()
    return {"card": card.get("rewriting"), "rows": {row["problem_id"]: row for row in rows}}


def parts(conversation) -> tuple[int, str]:
    """The first operand and the completion in a conversation with the default instruction."""
    [message] = conversation
    return int(re.search(r"what is (\d+) plus", message["content"])[1]), message["content"].partition("Solution:\n")[2].strip()


def content(row) -> str:
    return row["messages"][-1]["content"]


def judge(conversations):
    """p0, p3, ...: a good one; p1, p4, ...: a wrong answer; p2, p5, ...: no reply; p11: unclosed."""
    replies = []
    for conversation in conversations:
        k, completion = parts(conversation)
        thought = f"<think> {k} plus 3 is {k + 3} </think>"
        usual = {0: f" {thought} {k + 3}\n", 1: f"{thought} 99", 2: None}[k % 3]
        replies.append(usual if k != 11 else f"<think> {k} {completion}")
    return replies


def test_a_rewritten_completion_takes_the_place_only_if_it_passes_every_filter(tmp_path):
    plain, rewritten = sample_with(tmp_path / "a", None), sample_with(tmp_path / "b", judge)
    assert plain["card"] is None and plain["rows"].keys() == rewritten["rows"].keys() and len(plain["rows"]) > 6
    for name, row in rewritten["rows"].items():
        k = int(name[1:])
        if k % 3 == 0:
            assert row["rewritten"] and content(row) == f"<think> {k} plus 3 is {k + 3} </think> {k + 3}"
            # <think> k plus 3 is s </think> s <eos>: a token per word and digit.
            assert row["num_tokens"] == 6 + len(str(k)) + 2 * len(str(k + 3))
        else:
            assert not row["rewritten"] and content(row) == content(plain["rows"][name])
        assert row["pass_rate"] == plain["rows"][name]["pass_rate"]
    names = [int(name[1:]) for name in plain["rows"]]
    expected = Counter("correct" for k in names if k % 3 == 1 or k == 11)
    card = rewritten["card"]
    assert card["asked"] == len(names) and card["rewritten"] == sum(k % 3 == 0 for k in names)
    assert card["no_reply"] == sum(k % 3 == 2 and k != 11 for k in names) and card["unusable"] == expected


def test_what_cannot_be_used_can_be_left_out_instead(tmp_path):
    found = sample_with(tmp_path / "a", judge, "rewrite.when_unusable=drop")
    kept = {int(name[1:]) for name in found["rows"]}
    assert all(k % 3 != 1 and k != 11 for k in kept) and any(k % 3 == 2 for k in kept)
    assert found["card"]["asked"] == len(kept) + sum(found["card"]["unusable"].values())


def test_a_reply_is_asked_for_once_and_a_missing_one_again(tmp_path):
    asked: list[int] = []

    def counting(conversations):
        asked.extend(parts(c)[0] for c in conversations)
        return judge(conversations)

    first = sample_with(tmp_path / "a", counting)
    once = list(asked)
    asked.clear()
    assert sample_with(tmp_path / "a", counting) == first and asked == []  # it is finished
    (tmp_path / "a" / "card.json").unlink()
    assert sample_with(tmp_path / "a", counting) == first
    assert len(set(once)) == len(once) and sorted(asked) == sorted(k for k in once if k % 3 == 2 and k != 11)


def test_a_rewriting_that_grows_beyond_its_bound_is_not_used(tmp_path):
    def wordy(conversations):
        return [f"<think> {'so ' * 60}</think> {parts(c)[0] + 3}" for c in conversations]

    found = sample_with(tmp_path / "a", wordy, "filters.max_repetition=1")
    assert found["card"]["rewritten"] == 0 and set(found["card"]["unusable"]) == {"growth"}
    assert sample_with(tmp_path / "b", wordy, "filters.max_repetition=1", "rewrite.max_growth=50")["card"]["unusable"] == {}


def test_the_instruction_is_filled_once_whatever_the_texts_hold():
    from sanmai.data.filters import Sample
    from sanmai.recipes.rewriting import Rewriter
    from sanmai.types import StopReason

    config = RewriteConfig(instruction="{completion} / {question} / {other}")
    problem = Problem("p", ({"role": "user", "content": "{completion} \\1"},), "1")
    rewriter = Rewriter.__new__(Rewriter)
    rewriter.config = config
    [message] = rewriter._conversation(Sample(problem, 0, "{question}", [1], StopReason.STOP))
    assert message["content"] == "{question} / {completion} \\1 / {other}"


def test_a_judge_that_fails_too_often_stops_the_run_and_a_few_failures_are_no_replies():
    def complete(batch):
        return [Failure("timeout", "no reply") if k < 2 else f"reply {k}" for k in range(len(batch))]

    rewrite = rewrite_with(complete, JudgeConfig(failure_budget=0.2))
    assert rewrite([[{"role": "user", "content": "x"}]] * 10) == [None, None, *(f"reply {k}" for k in range(2, 10))]
    with pytest.raises(sanmai.RunError, match="no reply"):
        rewrite([[{"role": "user", "content": "x"}]] * 9)
