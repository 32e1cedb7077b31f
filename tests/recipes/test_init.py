"""`run init`: demonstrations by the world's solver, and by a prompted model that is not trusted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from judge_server import says, serving, status
from sanmai.data.chat import demonstration, render_demonstration
from sanmai.data.problems import load_problems
from sanmai.policies.text.tiny import tiny_tokenizer
from sanmai.recipes.init import InitConfig, run_init
from sanmai.types import InputError, Problem, RunError

ONLY_CHECKS = {"analysis": 0, "decomposition": 0, "completion": 0, "alternative": 0, "self_evaluation": 1, "self_correction": 0}


def of_world(**settings) -> InitConfig:
    return InitConfig.read({"count": 60, **settings})


def card_of(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def test_the_worlds_demonstrations_are_read_by_sft_and_have_the_shares_that_were_asked_for(tmp_path):
    config = of_world(count=300, revisions=0.5, shares={**ONLY_CHECKS, "alternative": 1})
    folder = run_init(config, tmp_path / "init")
    loaded = load_problems(folder / "demonstrations.jsonl").problems
    talks = [p for p in loaded if len(p.messages) == 3]
    assert len(loaded) == 300 and 110 < len(talks) < 190
    prompt, completion = render_demonstration(tiny_tokenizer(), talks[0])
    written = tiny_tokenizer().decode(completion)
    assert written.startswith(demonstration(talks[0]) or "?")
    assert any(asks in tiny_tokenizer().decode(prompt) for asks in ("is it so ?", "是 否 ？"))
    found = {row["behaviour"]: row for row in card_of(folder)["behaviours"]}
    assert found["self_evaluation"]["found"]["value"] == 1.0 and found["analysis"]["shown"] == 0
    assert found["alternative"]["shown"] == 300 - len(talks) and found["alternative"]["before"] is None
    again = run_init(config, tmp_path / "again")
    assert (again / "demonstrations.jsonl").read_bytes() == (folder / "demonstrations.jsonl").read_bytes()
    before = (folder / "card.json").stat().st_mtime_ns
    assert run_init(config, folder) == folder and (folder / "card.json").stat().st_mtime_ns == before


PROBLEMS = [Problem(f"p{k}", ({"role": "user", "content": f"What is {k} + {k}?"},), str(2 * k), "math") for k in range(1, 9)]


def writer(question: str) -> str:
    """Right with a check for 1 and 2, right without for 3 and 4, wrong for 5 and 6, no thought for 7 and 8."""
    if "go through what you wrote" in question:
        return f"<think> Wait, that's wrong. </think> {mended[0]}" if mended else "<think> Wait, it is fine. </think> 1"
    k = int(re.search(r"What is (\d+)", question)[1])
    thought = {1: "Let me check.", 2: "Let me check.", 5: "Let me check.", 6: "Let me check."}.get(k, "Simple.")
    return f"<think> {thought} </think> {2 * k + (k in (5, 6))}" if k < 7 else f"{2 * k}"


mended: list[str] = []


def of_writer(server, **settings) -> InitConfig:
    asked = {"base_url": server.url, "model": "w", "retries": 0, "timeout_seconds": 20.0, "concurrency": 1}
    problems = {"source": "x.jsonl", "evaluation": "world"}
    values = {"attempts": 2, "shares": ONLY_CHECKS, "problems_per_step": 4, "problems": problems}
    return InitConfig.read({**values, **settings, "writer": asked})


def test_a_writers_demonstration_is_kept_if_it_is_right_and_shows_what_was_asked(tmp_path):
    mended[:] = []
    with serving(says(writer)) as server:
        folder = run_init(of_writer(server), tmp_path / "init", problems=PROBLEMS)
        loaded = {p.id: p for p in load_problems(folder / "demonstrations.jsonl").problems}
        assert {*loaded} == {"p1", "p2"} and loaded["p1"].prompt == "What is 1 + 1?"  # without the instruction
        card = card_of(folder)
        # Two attempts for the six that are not kept at once, and a revision for the two that are wrong.
        assert card["outcomes"] == {"missing": 4, "no_thought": 4, "wrong": 4, "kept": 2, "revision_wrong": 2}
        asked = [body["messages"][-1]["content"] for body in server.bodies]
        assert "Check your result, and say that you check it." in asked[0] and "Propose another way" not in asked[0]
        seeds = [body["seed"] for body in server.bodies]
        assert len({*seeds}) == len(seeds)
        rows = [row for path in sorted((folder / "asked").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
        reasons = {row["reason"] for row in rows if row["outcome"] == "missing"}
        assert len(rows) == 16 and reasons == {"not found: self_evaluation"}


def test_a_wrong_answer_that_is_mended_becomes_a_conversation(tmp_path):
    mended[:] = ["10"]
    with serving(says(writer)) as server:
        folder = run_init(of_writer(server), tmp_path / "init", problems=PROBLEMS[4:5])
        (kept,) = load_problems(folder / "demonstrations.jsonl").problems
        assert [m["role"] for m in kept.messages] == ["user", "assistant", "user"] and kept.answer == "10"
        assert kept.messages[1]["content"] == "<think> Let me check. </think> 11"
        assert kept.demonstration == "<think> Wait, that's wrong. </think> 10" and "self_correction" in kept.tags["behaviours"]


def test_a_run_that_broke_asks_nothing_that_was_answered_and_ends_with_the_same_bytes(tmp_path):
    mended[:] = []
    with serving(says(writer)) as server:
        whole = run_init(of_writer(server), tmp_path / "whole", problems=PROBLEMS)
        count = len(server.bodies)
        server.bodies.clear()
        server.plan = (*[says(writer)] * 9, status(500))
        with pytest.raises(RunError, match="failure_budget"):
            run_init(of_writer(server), tmp_path / "out", problems=PROBLEMS)
        answered = 9
        server.bodies.clear()
        server.plan = (says(writer),)
        out = run_init(of_writer(server), tmp_path / "out", problems=PROBLEMS)
        assert len(server.bodies) == count - answered
        assert (out / "demonstrations.jsonl").read_bytes() == (whole / "demonstrations.jsonl").read_bytes()


@pytest.mark.parametrize(("values", "said"), [
    ({"problems": {"source": "x.jsonl"}}, "without writer.model"), ({"attempts": 3}, "attempts"),
    ({"instructions": {"instruction": "think"}, "problems": {"source": "x"}, "writer": {"model": "m"}}, "{question} and {beh"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(values, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        InitConfig.read(values)


def test_problems_that_are_no_sums_of_the_world_need_a_writer(tmp_path):
    with pytest.raises(InputError, match="expected a sum of the embedded world"):
        run_init(of_world(revisions=0.0), tmp_path, problems=PROBLEMS)
