"""Prompt curation: what is dropped and why, that what is kept trains at once, and that a kill changes no byte."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

import sanmai
from rollouts import drawn
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.recipes.curate import CurateConfig, describe_curation
from sanmai.recipes.curation_answers import answer_start, first_guesses, with_first_box
from sanmai.report.curation_html import render_curation
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig
from sanmai.types import Group, InputError, Problem, StopReason
from shared_data import shared_path, shared_rows
from tiny_models import bpe_tokenizer, random_policy, save_folder

WORLD = {"source": "world", "world": {"train": 40}, "limit": 40}
SETTINGS = {
    "samples_per_prompt": 4, "prompts_per_step": 8, "cap": 10, "domain_tag": "digits",
    "guess": {"attempts": 3, "draws": 8, "prefill": "", "max_tokens": 8}, "sampling": {"max_tokens": 40},
}  # fmt: skip
OPTIONS = "Which planet is largest?\nA. Mars\nB. Venus\nC. Jupiter\nD. Earth"


def problem(name: str, prompt: str = "what is 3 plus 4 ?", answer: str | None = "7", **fields) -> Problem:
    return Problem(name, ({"role": "user", "content": prompt},), answer, **fields)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def card_of(run: Path) -> dict:
    return json.loads((run / "card.json").read_text(encoding="utf-8"))


def rollouts_of(run: Path) -> list[dict]:
    return [row for path in sorted((run / "rollouts").iterdir()) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return sanmai.run("curate", out=tmp_path_factory.mktemp("curate") / "run", problems=WORLD, **SETTINGS)


def test_every_problem_is_kept_or_dropped_by_what_its_own_completions_say(run):
    answers: dict[str, list[float]] = {}
    guesses: dict[str, list[bool]] = {}
    for row in rollouts_of(run):
        if row["label/guess"] is None:
            answers.setdefault(row["problem_id"], []).append(row["score/accuracy"])
        else:
            at_once = guesses.setdefault(row["problem_id"], [])
            at_once += [row["score/accuracy"] == 1] if "<think>" not in row["text"] else []
    dropped = {row["id"]: row for row in lines(run / "dropped.jsonl")}
    kept = {p.id: p for p in load_problems(run / "problems.jsonl").problems}
    assert len(answers) == 40 and not dropped.keys() & kept.keys() and len(dropped) + len(kept) == 40
    assert {row["label"] for row in dropped.values()} == {"trivial", "guessed", "beyond_cap"}
    for name, scores in answers.items():
        rate = sum(scores) / len(scores)
        label = dropped.get(name, {}).get("label")
        assert len(scores) == 4 and (rate == 1) == (label == "trivial") == (name not in guesses)
        if rate < 1:
            assert any(guesses[name][:3]) == (label == "guessed")
        if name in kept:
            tags = kept[name].tags
            assert tags["pass_rate"] == rate and tags["domain"] == str(tags["digits"])
            assert tags["difficulty"] == {0: "impossible", 1: "hard", 2: "medium", 3: "easy"}[4 * rate]
    domains = [p.tags["domain"] for p in kept.values()]
    assert max(domains.count(d) for d in domains) <= 10


def test_the_card_adds_up(run):
    card, rows = card_of(run), rollouts_of(run)
    assert [rule["name"] for rule in card["rules"]] == ["form", "answer", "difficulty", "guess", "domain"]
    for rule, following in zip(card["rules"], [*card["rules"][1:], None], strict=True):
        assert rule["seen"] - rule["kept"] == sum(rule["dropped"].values())
        assert following is None or following["seen"] == rule["kept"]
        assert len(rule["examples"]) == sum(min(n, 2) for n in rule["dropped"].values())
    assert card["kept"]["problems"] == card["rules"][-1]["kept"] == len(lines(run / "problems.jsonl"))
    histogram = card["pass_rate_histogram"]
    assert list(histogram["sampled"]) == ["0/4", "1/4", "2/4", "3/4", "4/4", "unknown"]
    assert sum(histogram["sampled"].values()) == 40 and histogram["kept"]["4/4"] == 0
    assert histogram["sampled"]["4/4"] == card["rules"][2]["dropped"]["trivial"]
    right = card["right_guesses_histogram"]
    assert sum(right.values()) - right["0/3"] == card["rules"][3]["dropped"]["guessed"]
    for name in ("reasoned", "guess"):
        found = [row for row in rows if (row["label/guess"] is not None) == (name == "guess")]
        assert card["completions"][name]["completions"] == len(found)
        assert card["completions"][name]["tokens"] == sum(row["num_tokens"] for row in found)
    metrics = lines(run / "metrics.jsonl")
    assert sum(m["tokens/sampled"] for m in metrics) == sum(row["num_tokens"] for row in rows)
    assert sum(8 * m["curate/trivial"] for m in metrics) == histogram["sampled"]["4/4"]
    text = (run / "card.md").read_text(encoding="utf-8")
    assert all(f"| {rule['name']} |" in text for rule in card["rules"]) and card["data"]["sha256"] in text


def test_its_page_shows_every_rule_and_decision_with_the_texts_closed(run):
    page = (run / "curation.html").read_text(encoding="utf-8")
    dropped = lines(run / "dropped.jsonl")
    assert page.count("<details>") == 40 and "<details open" not in page and page.count(": kept, pass rate") == 40 - len(dropped)
    for row in dropped[:3]:
        assert f"{row['id']}: dropped as {row['label']} (rule {row['rule']})" in page and row["prompt"] in page
    assert "Pass rates" in page and "http://" not in page.replace("http://www.w3.org", "")
    hostile = {"id": "<b>", "label": "x", "rule": "y", "prompt": "<script>alert(1)</script>", "reason": "</details>"}
    many = render_curation("x", {}, [hostile] * 300, [{"id": "k", "prompt": "kept", "tags": {"pass_rate": 0.5}}] * 300)
    assert "<script>alert" not in many and many.count("k: kept") == 100 and "400 more texts" in many


def test_rl_trains_on_what_is_kept(run, tmp_path):
    done = sanmai.run(
        "zero", out=tmp_path / "zero", num_steps=2, prompts_per_step=2, rollouts_per_prompt=2,
        problems={"source": str(run / "problems.jsonl"), "holdout": 0.3}, sampling={"max_tokens": 40},
    )  # fmt: skip
    assert [row["step"] for row in lines(done / "metrics.jsonl")] == [0, 1, 2]


def test_killed_between_steps_the_same_command_ends_with_the_same_bytes(forking, run, tmp_path):
    settings = ["samples_per_prompt=4", "prompts_per_step=8", "cap=10", "domain_tag=digits", "guess.attempts=3", "guess.draws=8"]
    settings += ["guess.max_tokens=8", "sampling.max_tokens=40", "problems.world.train=40", "problems.limit=40"]
    command = ["run", "curate", "--out", tmp_path / "killed"]
    command += [part for setting in settings for part in ("--set", setting)]
    forking.kill_at("step 2/5", command, cwd=tmp_path, out=tmp_path / "killed", last="problems.jsonl")
    again = sanmai.run("curate", out=tmp_path / "killed", problems=WORLD, **SETTINGS)
    rollouts = [f"rollouts/step-00000{k}.parquet" for k in range(1, 6)]
    for name in ("problems.jsonl", "dropped.jsonl", "card.json", "card.md", "metrics.jsonl", *rollouts):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name


def test_what_the_rules_drop_is_never_sampled_and_other_kinds_pass(tmp_path):
    given = [
        problem("mc", OPTIONS, "C"), problem("proof", "Prove that 3 is odd.", None), problem("open", "how many ?", None),
        problem("sum"), problem("talk", "hello", None, kind="general"),
    ]  # fmt: skip
    source = tmp_path / "given.jsonl"
    source.write_text("".join(
        json.dumps({"id": p.id, "prompt": p.prompt, "answer": p.answer, "kind": p.kind}) + "\n" for p in given))  # fmt: skip
    settings = {**SETTINGS, "trivial_from": 2.0, "guess": {"attempts": 0}, "problems": {"source": str(source)}}
    run = sanmai.run("curate", out=tmp_path / "run", **settings)
    assert {row["problem_id"] for row in rollouts_of(run)} == {"sum"}
    assert [(row["id"], row["rule"], row["label"]) for row in lines(run / "dropped.jsonl")] == [
        ("mc", "form", "multiple_choice"), ("proof", "form", "proof"), ("open", "answer", "no_answer")]  # fmt: skip
    kept = {row["id"]: row for row in lines(run / "problems.jsonl")}
    assert set(kept) == {"sum", "talk"} and "tags" in kept["sum"] and not kept["talk"].get("tags")
    assert [rule["name"] for rule in card_of(run)["rules"]] == ["form", "answer", "domain"]


def test_a_program_is_not_asked_for_without_reasoning(tmp_path):
    tests = json.dumps({"tests": ["assert f() == 1"]})
    given = [problem("sum"), problem("code", "write f", tests, verifier="code")]
    run = sanmai.run("curate", out=tmp_path / "run", problems=given, reward=lambda p, text: 0.0, **SETTINGS)
    assert {r["problem_id"] for r in rollouts_of(run) if r["label/guess"] is not None} == {"sum"}
    assert {row["id"] for row in lines(run / "problems.jsonl")} == {"sum", "code"}


def test_a_reward_takes_the_place_of_the_verifier(tmp_path):
    # Whatever is said of the first is right, of the second nothing, and the third cannot be graded.
    earned = {"always": 1.0, "never": 0.0, "unknown": None}
    given = [problem(name, answer=None) for name in earned]
    run = sanmai.run("curate", out=tmp_path / "run", problems=given, reward=lambda p, text: earned[p.id], **SETTINGS)
    assert {row["id"]: row["label"] for row in lines(run / "dropped.jsonl")} == {"always": "trivial", "unknown": "unknown"}
    assert [row["tags"]["pass_rate"] for row in lines(run / "problems.jsonl")] == [0.0]


@pytest.mark.parametrize(
    ("given", "reward", "message"),
    [
        ([problem("a", OPTIONS, "C"), problem("b", OPTIONS + " ?", "C"), problem("c", "q", None)], None,
         r"none of the 3 problems .* most, 2, were dropped as multiple_choice \(rule form.*forms=false"),
        ([problem("a", kind="general")], None, "no problem is of kind reasoning"),
        ([problem("a"), problem("a")], None, "'a' is not unique"),
        ([problem("a", verifier="magic")], None, "'magic' is not known; expected one of code, environment, exact"),
        ([Problem("a", (*problem("a").messages, {"role": "assistant", "content": "It is"}), "7")], None, "assistant's message"),
        ([problem("a"), problem("b")], lambda p, text: 1.0, r"most, 2, were dropped as trivial \(rule difficulty.*below 1"),
    ],
)  # fmt: skip
def test_a_set_of_which_nothing_is_left_is_refused_with_the_largest_reason(tmp_path, given, reward, message):
    with pytest.raises(InputError, match=message):
        sanmai.run("curate", out=tmp_path / "run", problems=given, reward=reward, **SETTINGS)
    assert not (tmp_path / "run" / "problems.jsonl").exists()
    if reward is not None:  # the card says what there was
        assert card_of(tmp_path / "run")["rules"][1]["dropped"] == {"trivial": 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guess": {"attempts": 8, "draws": 4}}, "draws = 4: expected at least guess.attempts = 8"),
        ({"trivial_from": 0.5, "impossible_to": 0.5}, "nothing would be left"),
        ({"problems": {"holdout": 0.2}}, "nothing is held out here"),
        ({"model": {"lora_rank": 4}}, "nothing is trained here"),
        ({"rewards": {"refusal": 1.0}}, "rewards.refusal: reasoning problems are curated"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        CurateConfig.read(settings)


def test_the_first_guesses_are_those_that_did_not_think():
    drawn = [(0.0, "thought"), (0.0, "wrong"), (None, "not_graded"), (1.0, "right")]
    assert first_guesses(drawn, 2) == [False, None]
    assert first_guesses(drawn, 3) == [False, None, True]
    assert first_guesses(drawn, 5) == [False, None, True, False, False]


@pytest.mark.parametrize(
    ("goes_on", "score"),
    [
        ("7}", 1.0),
        ("7}. Let me check it: 3 + 4", 1.0),  # cut off within a check: its answer stands
        ("8}. No, \\boxed{7}.", 0.0),  # the second answer has reasoning before it
        ("\\frac{14}{2}} and more", 1.0),
        ("seven, since 3 + 4 is", 0.0),  # never closed: no answer
    ],
)
def test_the_guess_is_the_first_box_whatever_follows(goes_on, score):
    start = "<think>\n\n</think>\n\nThe final answer is \\boxed{"
    asked = Problem("a", (*problem("a").messages, {"role": "assistant", "content": start}), "7")
    written = drawn(goes_on, parse_trace(start + goes_on, is_truncated=True), stop_reason=StopReason.LENGTH)
    rubric = Rubric(RewardsConfig())
    rollout = rubric.grade(asked, written)
    assert rollout.verdicts["accuracy"].label == "incomplete"
    [group] = with_first_box([Group(asked, (rollout,))], rubric, GradingConfig())
    [rollout] = group.rollouts
    assert rollout.reward == score and rollout.verdicts["accuracy"].score == score and rollout.text == goes_on


def test_an_answer_without_reasoning_begins_as_the_model_can_write_it():
    config = CurateConfig()
    tags = config.grading.thought_tags
    empty, words = "<think>\n\n</think>\n\n", "The final answer is \\boxed{"
    qwen = random_policy()
    assert answer_start(qwen, problem("a"), None, tags) == empty + words
    assert answer_start(qwen, problem("a", verifier="world"), None, tags) == empty
    assert answer_start(qwen, problem("a"), "So:", tags) == "So:"
    assert answer_start(load_policy(ModelConfig()), problem("a"), None, tags) == empty, "the world has no word for a box"
    opens = bpe_tokenizer()
    opens.chat_template = "{{ messages[0]['content'] }}<think>\n"
    assert answer_start(SimpleNamespace(tokenizer=opens), problem("a"), None, tags) == "\n\n</think>\n\n" + words


def test_the_plan_says_what_would_be_asked():
    told = " ".join(describe_curation(CurateConfig.read({**SETTINGS, "problems": WORLD}), Path("."), measure=False))
    assert "4 completions of each of the other 40 (160 in all" in told and "in 5 steps of 8" in told
    assert "8 completions of 8 tokens at most" in told and "At most 10 problems of a domain" in told


def test_real_multiple_choice_is_found_and_real_sums_are_asked(tmp_path):
    asked = shared_rows("mmlu_stem/mmlu_stem_dev.jsonl")[:5]
    source = tmp_path / "mmlu.jsonl"
    source.write_text("".join(json.dumps({
        "id": f"mmlu/{i}", "answer": "ABCD"[row["answer"]], "subject": row["type"],
        "prompt": row["question"] + "".join(f"\n{x}. {c}" for x, c in zip("ABCD", row["choices"], strict=True)),
    }) + "\n" for i, row in enumerate(asked)))  # fmt: skip
    sums = tmp_path / "gsm8k.jsonl"
    sums.write_text("\n".join(shared_path("gsm8k/train.jsonl").read_text(encoding="utf-8").splitlines()[:4]) + "\n")
    folder = save_folder(tmp_path / "model", max_position_embeddings=2048)
    run = sanmai.run(
        "curate", out=tmp_path / "run", model=str(folder), problems={"source": [str(source), str(sums)]},
        samples_per_prompt=2, sampling={"max_tokens": 8}, guess={"attempts": 2, "max_tokens": 8},
    )  # fmt: skip
    card = card_of(run)
    assert card["rules"][0]["dropped"] == {"multiple_choice": 5} and card["kept"]["problems"] == 4
    assert card["completions"]["guess"]["problems"] == 4 and any("cut off" in warning for warning in card["warnings"])
