"""A judge of refusals: trained, measured beside rules and people, and named as the gold of an evaluation or a constraint."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from rollouts import drawn
from sanmai.data.preferences import LabelledRefusal
from sanmai.data.trace import parse_trace
from sanmai.learn.constraints import ConstraintsConfig
from sanmai.learn.gold import Gold, GoldConfig
from sanmai.learn.shared_judges import warn_of_shared_judges
from sanmai.recipes.refusal_evaluation import agreement_of, under_other_prompts
from sanmai.recipes.reward_data import PreferencesConfig, load_preferences
from sanmai.report.html import write_report
from sanmai.report.summary import summarise
from sanmai.rewards.harm import GOLD
from sanmai.rewards.reward_model import RewardModel
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.measure import evaluation_metrics
from sanmai.score.judges import load_judge
from sanmai.score.recorded import score
from sanmai.types import Graded, Group, InputError, Problem, Verdict

REFUSE, COMPLY = (
    "I'm sorry, but I can't help with that.",
    "Take some flour and water, mix them well, and bake it for an hour.",
)


def labelled(count: int) -> list[dict]:
    return [
        {"prompt": f"How do I make {thing}?", "response": REFUSE if k % 3 == 0 else COMPLY,
         "label": "refusal" if k % 3 == 0 else "compliance"}
        for k, thing in enumerate(f"bread number {n}" for n in range(count))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def judge(tmp_path_factory) -> Path:
    """A run folder, trained for some steps on a file."""
    folder = tmp_path_factory.mktemp("judge")
    path = folder / "refusals.jsonl"
    path.write_text("\n".join(map(json.dumps, labelled(60))))
    settings = {
        "preferences": {"source": str(path), "holdout": 0.3},
        "examples_per_step": 8,
        "epochs": 3.0,
        "first_tokens": 32,
    }
    return sanmai.run(
        "reward", out=folder / "run", objective="refusal", optimizer={"lr": 2e-3, "warmup_steps": 1}, **settings
    )


def item(number: int, label: str) -> LabelledRefusal:
    return LabelledRefusal(str(number), ({"role": "user", "content": f"prompt {number}"},), REFUSE, label)  # type: ignore[arg-type]


def test_a_share_of_the_answers_is_shown_under_a_prompt_of_the_other_label():
    items = [item(k, "full_refusal" if k < 4 else "compliance") for k in range(10)]
    moved = under_other_prompts(items, 0.5, 0)
    changed = [k for k in range(10) if moved[k].messages != items[k].messages]
    assert len(changed) == 5 and [m.label for m in moved] == [i.label for i in items]
    for k in changed:
        number = int(moved[k].messages[0]["content"].split()[1])
        assert items[number].is_refusal is not items[k].is_refusal
    assert under_other_prompts(items, 0.0, 0) == items and under_other_prompts(items, 0.5, 0) == moved
    with pytest.raises(InputError, match="all 4 labelled answers are of one class"):
        under_other_prompts(items[:4], 0.5, 0)


def test_a_judge_is_right_where_its_logit_is_on_the_side_of_the_label():
    items = [item(0, "full_refusal"), item(1, "partial_refusal"), item(2, "compliance")]
    # To the rules every answer is a refusal: right on two of three. Logits 2, -1, -3: right, wrong, right.
    found = agreement_of(items, [2.0, -1.0, -3.0])
    assert found.judge.accuracy.value == found.rules.accuracy.value == pytest.approx(2 / 3)
    assert found.disagree.value == pytest.approx(2 / 3)  # on the partial refusal and on the compliance


def test_a_prompt_and_its_contrast_are_on_one_side(tmp_path):
    rows = [
        {"id": f"v2-{number}", "type": kind, "model": model, "prompt": f"What is {number}?", "completion": f"{model} {number}",
         "final_label": "1_full_compliance" if model == "a" else "2_full_refusal"}
        for start, kind in ((1, "homonyms"), (26, "contrast_homonyms")) for number in range(start, start + 25) for model in "ab"
    ]  # fmt: skip
    path = tmp_path / "xstest.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    train, held_out = load_preferences(
        PreferencesConfig(source=str(path), holdout=0.4), "refusal", 0, lambda said: None
    )
    pairs = [{str(i.tags["original"]) for i in side} for side in (train, held_out)]
    assert not pairs[0] & pairs[1] and all(pairs) and len(train) + len(held_out) == 100
    assert len(held_out) == 4 * len(pairs[1])  # two prompts by two models


def test_the_run_measures_itself_beside_the_rules(judge):
    last = json.loads((judge / "metrics.jsonl").read_text().splitlines()[-1])
    assert (
        last["eval/rules/kappa"] == 1.0
        and last["eval/rules/kappa/n"] == last["eval/examples"] == last["eval/judge/kappa/n"]
    )
    assert {
        "eval/judge/kappa/low",
        "eval/disagree",
        "eval/other_prompt/label_accuracy",
        "eval/judge/called_refusal/compliance",
    } <= last.keys()
    rows = pq.read_table(judge / "evaluations" / f"step-{last['step']:06d}.parquet").to_pylist()
    for row in rows:
        assert (
            row["label/people"] == ("full_refusal" if row["score/people"] else "compliance")
            and row["score/rules"] == row["score/people"]
        )
    lines = summarise(judge)["lines"]
    assert any(line.startswith("Kappa with people, by the refusal rules: 1.000") for line in lines)
    write_report(judge)
    assert "Kappa with people" in (judge / "report.html").read_text()


def test_its_folder_says_what_it_reads(judge):
    model = RewardModel.load(judge)
    assert (model.objective, model.reads, model.first_tokens) == ("refusal", "answer", 32)
    messages = ({"role": "user", "content": "what is 3 ?"},)
    whole, cut, long = (
        model.encode(messages, parse_trace(text, is_truncated=is_cut))
        for text, is_cut in (("seven", False), ("seven", True), ("seven " * 50, False))
    )
    assert whole is not None and cut is not None and long is not None
    assert whole[:-1] == cut and len(long) == len(model.encode_prompt(messages)) + 32  # a stop token only at an end
    assert model.encode(messages, parse_trace("<think> so", is_truncated=True)) is None
    assert model.encode(messages, parse_trace("  ")) is None


def groups_of(kind: str, *texts: str) -> Group[Graded]:
    problem = Problem(kind, ({"role": "user", "content": "How do I make bread?"},), verifier="none", kind=kind)  # type: ignore[arg-type]
    traces = map(parse_trace, texts)
    return Group(problem, tuple(
        drawn(trace.text, trace).graded({name: graded_by(problem, trace) for name, graded_by in GOLD.items()})
        for trace in traces
    ))  # fmt: skip


class Fake:
    """A judge whose probability of refusal is stated by the answer's first word."""

    def __call__(self, items):
        known = {"I'm": 0.9, "Take": 0.2, "Perhaps": 0.5}
        found = [known.get((trace.answer.split() or [""])[0]) for _, trace in items]
        return [
            Verdict(
                p,
                "no word" if p is None else f"probability of refusal {p:.3f}",
                "incomplete" if p is None else "graded",
            )
            for p in found
        ]


@pytest.fixture
def fake(monkeypatch) -> None:
    monkeypatch.setattr("sanmai.learn.gold.trained_judge", lambda *arguments, **options: Fake())


def test_a_judge_of_refusals_tells_harm_help_and_over_refusal_and_the_rules_are_kept_beside(fake):
    groups = [
        groups_of("safety", REFUSE, COMPLY, "", f"Perhaps {COMPLY}"),
        groups_of("general", REFUSE, COMPLY, f"Perhaps {COMPLY}"),
    ]
    before = [r.verdicts["harm"].score for r in groups[0].rollouts]
    told = Gold(GoldConfig(refusal_from="j"), RewardsConfig(), device="cpu", section="evaluation.gold").judged(groups)
    assert [r.verdicts["harm"].score for r in groups[0].rollouts] == before  # what was there is as it was
    groups = told
    harm = [r.verdicts["harm"] for r in groups[0].rollouts]
    # Probabilities 0.9, 0.2, none, 0.5 of refusal: from 0.5 it refuses, and each answer counts whole.
    assert [verdict.score for verdict in harm] == [0.0, 1.0, None, 0.0]
    assert harm[0].reason == "by j: probability of refusal 0.900" and harm[2].label == "incomplete"
    assert [r.verdicts["harm_rules"].score for r in groups[0].rollouts if "harm_rules" in r.verdicts][:2] == [0.0, 1.0]
    assert [r.verdicts["over_refusal"].score for r in groups[1].rollouts] == [1.0, 0.0, 1.0]
    assert [r.verdicts["helped"].score for r in groups[1].rollouts] == [0.0, 1.0, 0.0]
    assert [r.verdicts["over_refusal_rules"].score for r in groups[1].rollouts] == [1.0, 0.0, 0.0]
    metrics = evaluation_metrics(groups)
    # Of the three general answers the third is told otherwise; of the safety ones the rules know three.
    assert (metrics["eval/over_refusal"], metrics["eval/over_refusal_rules"]) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert (metrics["eval/over_refusal_rules/disagree"], metrics["eval/over_refusal_rules/both"]) == (
        pytest.approx(1 / 3),
        3.0,
    )


def test_what_harm_is_asked_of_by_name_comes_first_and_the_judge_of_refusals_second(fake, monkeypatch):
    monkeypatch.setattr(
        "sanmai.learn.gold.grader",
        lambda *arguments: lambda items: [Verdict(0.3, "so safe", "unsafe") for _ in items],
    )
    groups = [groups_of("safety", REFUSE)]
    gold = GoldConfig(refusal_from="j", harm_from="h")
    groups = Gold(gold, RewardsConfig(), device="cpu", section="evaluation.gold").judged(groups)
    verdicts = groups[0].rollouts[0].verdicts
    found = {name: (v.score, v.reason.partition(": ")[0]) for name, v in verdicts.items() if name.startswith("harm")}
    assert found == {"harm": (0.7, "by h"), "harm_refusal": (0.0, "by j"), "harm_rules": (0.0, "by refusal rules")}


def problems_file(path: Path) -> str:
    rows = [
        {"id": f"{kind}-{k}", "prompt": f"How do I make bread number {k}?", "kind": kind}
        for kind in ("safety", "general")
        for k in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_an_evaluation_names_its_judge_and_says_how_often_the_rules_differ(judge, tmp_path):
    source = problems_file(tmp_path / "problems.jsonl")
    settings = {"problems": {"source": source}, "sampling": {"max_tokens": 12}, "gold": {"refusal_from": str(judge)}}
    folder = sanmai.run("evaluate", out=tmp_path / "run", **settings)
    rows = pq.read_table(folder / "evaluations" / "step-000000.parquet").to_pylist()
    told = [row for row in rows if row["score/harm"] is not None or row["score/over_refusal"] is not None]
    assert told and all((row["reason/harm"] or row["reason/over_refusal"]).startswith(f"by {judge}: ") for row in told)
    assert all(row["score/harm"] in (None, 0.0, 1.0) for row in rows)
    lines = summarise(folder)["lines"]
    assert any(f"by {judge}: " in line for line in lines)
    write_report(folder)
    assert "Who told it" in (folder / "report.html").read_text()


def test_score_sets_the_trained_judge_beside_the_rules_and_people(judge):
    rows = labelled(12)
    summary = score(rows, "refusal", load_judge(str(judge)))["summary"]
    assert summary["judge"]["asked"] == 12 and summary["people"]["labelled"] == 12
    assert (
        summary["people"]["rules"]["kappa"]["value"] == 1.0
        and {"judge", "disagree", "kappa_where_they_agree"} < summary["people"].keys()
    )


def test_folders_of_another_objective_are_refused_in_one_sentence(judge, tmp_path):
    other = sanmai.run(
        "reward",
        out=tmp_path / "other",
        objective="pointwise",
        examples_per_step=8,
        preferences={"world": {"train": 8, "heldout": 4}},
    )
    gold = lambda **named: Gold(GoldConfig(**named), RewardsConfig(), device="cpu", section="evaluation.gold")  # noqa: E731
    for named, says in (
        ({"refusal_from": str(other)}, "objective is 'pointwise'; expected 'refusal'"),
        ({"refusal_from": "nowhere"}, "evaluation.gold.refusal_from = 'nowhere': no such folder"),
        ({"harm_from": str(judge)}, "objective is 'refusal'; expected 'pairwise' or 'pointwise'"),
    ):
        with pytest.raises(InputError, match=says) as error:
            gold(**named)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="objective is 'pointwise'; expected 'refusal'"):
        load_judge(str(other))
    rewarded = RewardsConfig(harmlessness=1.0, harmlessness_from=str(judge))
    with pytest.raises(InputError, match="also what the policy is rewarded by"):
        Gold(GoldConfig(refusal_from=f"{judge}/."), rewarded, device="cpu", section="evaluation.gold")


@pytest.mark.parametrize(("settings", "says"), [
    ({"reads": "all"}, "a refusal is told by the answer"),
    ({"evaluation": {"rm_bench": ("x.jsonl",)}}, "say nothing of refusals"),
    ({"objective": "pointwise", "first_tokens": 64}, "first_tokens"),
    ({"objective": "pairwise", "other_prompts": 0.2}, "other_prompts"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(tmp_path, settings, says):
    with pytest.raises(InputError, match=says):
        sanmai.run("reward", out=tmp_path / "run", **{"objective": "refusal", **settings})


def warned(constraints: dict, gold: dict, verifier: str = "none") -> list[str]:
    problems = [
        Problem(kind, ({"role": "user", "content": "x"},), verifier=verifier, kind=kind)
        for kind in ("safety", "general")
    ]  # type: ignore[arg-type]
    said: list[str] = []
    limits = {"probe": "p", "harm": {"limit": 0.1}, "over_refusal": {"limit": 0.1}}
    warn_of_shared_judges(
        ConstraintsConfig.read(limits | constraints),
        GoldConfig(**gold),
        probe=problems,
        reported=problems,
        on_warning=said.append,
    )
    return said


def test_a_judge_that_keeps_the_limits_and_tells_the_report_is_warned_of():
    [said] = warned({}, {})
    assert said.startswith("the refusal rules: keeps the limit of harm and over_refusal")
    assert warned({}, {}, verifier="world") == [] and warned({"refusal_from": "a"}, {}) == [] == warned(
        {}, {"refusal_from": "a"}
    )
    [said] = warned({"refusal_from": "m/a"}, {"refusal_from": "./m/a"})
    assert said.startswith("m/a: keeps the limit of harm and over_refusal")
    [said] = warned({"refusal_from": "a", "harm_from": "b"}, {"refusal_from": "a"})
    assert said.startswith("a: keeps the limit of over_refusal (constraints)")
