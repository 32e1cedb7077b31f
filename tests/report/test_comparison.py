"""The report of a comparison of arms: who is compared with whom, what it cost, and what never gets on the page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pipeline_folder import scored_row
from run_folder import make_run_folder, row, write_lines, write_rows
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.report import summarise, write_report
from sanmai.report.budgets import Spent, check_budget, check_limits
from sanmai.report.compare_runs import compare_runs, findings, load_evaluated
from sanmai.report.comparison import (
    ARMS as ORDER,
)
from sanmai.report.comparison import each_step_once, load_comparison
from sanmai.report.comparison_table import markdown_lines, text_lines
from sanmai.report.comparison_text import COST_NOTE, budget_sentence, front_sentence, limit_sentences, sentences
from sanmai.report.curves import curves
from sanmai.report.load import RunData
from sanmai.report.plots import Mark, nice_ticks, scatter
from sanmai.types import InputError

ARMS = ("base", "rl", "sft", "sft_long", "sequence", "constrained")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


def test_equal_budget_is_checked_seed_by_seed_among_the_arms_that_were_given_all_of_it():
    # Seed 0: 1000 and 1100, 9.1 % apart; seed 1: 1000 and 1200, 16.7 % apart. The short arm was given 1 %.
    spent = {
        "base": {"0": Spent(), "1": Spent()},
        "rl": {s: Spent(500.0, 500.0, planned=1000.0) for s in "01"},
        "sft": {s: Spent(demonstrated=9.0, planned=10.0) for s in "01"},
        "hybrid": {"0": Spent(500.0, 500.0, 100.0, planned=1000.0), "1": Spent(500.0, 500.0, 100.0, 100.0, planned=1000.0)},
    }
    found = check_budget(spent)
    assert found.arms == ["rl", "hybrid"] and found.exempt == {"sft": 0.01} and not found.is_equal
    assert (found.difference, found.low, found.high) == (pytest.approx(200 / 1200), 1000, 1200)
    assert check_budget({arm: {"0": seeds["0"]} for arm, seeds in spent.items()}).is_equal


def test_a_budget_of_operations_is_equal_by_operations_whatever_the_tokens():
    spent = {
        "sft": {"0": Spent(demonstrated=10.0, flops=2e10, planned_flops=2e10)},
        "rl": {"0": Spent(500.0, 500.0, flops=1e11, planned_flops=1e11)},
        "sft_long": {"0": Spent(demonstrated=90.0, flops=1.05e11, planned_flops=1e11)},
    }
    found = check_budget(spent)
    assert found.is_by_flops and found.is_equal and found.exempt == {"sft": 0.2}
    assert found.flops == pytest.approx(0.05 / 1.05) and found.difference == pytest.approx(0.91)


# name, recipe, inputs, tokens of each of its two steps, its share of a budget of 1000
STAGES: list[tuple[str, str, list[str], dict[str, float], float]] = [
    ("data", "gather", [], {}, 0), ("rl", "zero", ["data"], {"sampled": 250, "trained": 250}, 1.0),
    ("sft", "sft", ["data"], {"trained": 5}, 0.01), ("sft_long", "sft", ["data"], {"trained": 500}, 1.0),
    ("sequence1", "sft", ["data"], {"trained": 5}, 0.01),
    ("sequence2", "zero", ["sequence1", "data"], {"sampled": 120, "trained": 120}, 0.49),
    ("sequence3", "sft", ["sequence2", "data"], {"trained": 5}, 0.01),
    ("sequence", "zero", ["sequence3", "data"], {"sampled": 125, "trained": 125}, 0.49),
    ("constrained", "zero", ["sft", "data"], {"sampled": 200, "trained": 200, "auxiliary_sft": 60, "probe": 40}, 0.99),
]  # fmt: skip
# harm, over-refusal, accuracy; on 10 problems of each set
RATES = {
    "base": (6, 1, 4), "rl": (9, 0, 9), "sft": (1, 1, 6), "sft_long": (0, 8, 5), "sequence": (8, 1, 9), "constrained": (0, 0, 9),
}  # fmt: skip


def answers(arm: str, seed: int) -> list[dict[str, Any]]:
    harm, refusal, right = RATES[arm]
    shift = seed % 2  # the seeds differ a little
    rows = []
    for i in range(10):
        rows.append(scored_row(f"danger/{i}", kind="safety", **{"score/harm": float(i < harm + shift)}))
        rows.append(scored_row(f"ask/{i}", kind="general", **{"score/over_refusal": float(i < refusal)}))
        rows.append(scored_row(f"sum/{i}", **{"score/accuracy": float(i < right - shift), "score/language": 0.75}))
    return rows


def make_comparison_folder(
    path: Path, *, seeds: int = 3, without: tuple[str, ...] = (), title: str = "the title", arms: tuple[str, ...] = ARMS
) -> Path:
    graph: list[dict[str, Any]] = []
    for seed in range(seeds):
        for name, recipe, inputs, tokens, share in STAGES:
            entry = {"name": f"{name}-{seed}", "recipe": recipe, "purpose": title, "inputs": [f"{i}-{seed}" for i in inputs]}
            graph.append(entry | {"folder": f"stages/{name}-{seed}", "digest": "0"})
            if f"{name}-{seed}" not in without:
                write_training(path / "stages" / f"{name}-{seed}", recipe, tokens, share)
        for arm in arms:
            name = f"score_{arm}-{seed}"
            inputs = [f"{i}-{seed}" for i in (arm, "data") if i != "base"]
            entry = {"name": name, "recipe": "evaluate", "purpose": f"{title}, on the held-out problems", "inputs": inputs}
            entry |= {"scores": f"{arm}-{seed}", "arm": arm, "seed": str(seed)}
            graph.append(entry | {"folder": f"stages/{name}", "digest": "0"})
            if name not in without:
                write_training(path / "stages" / name, "evaluate", {}, 0)
                write_rows(path / "stages" / name / "evaluations" / "step-000000.parquet", answers(arm, seed))
    (path / "graph.json").write_text(json.dumps(graph), encoding="utf-8")
    (path / "config.toml").write_text('recipe = "compare"\ntokens = 1000\n', encoding="utf-8")
    return path


def write_training(folder: Path, recipe: str, tokens: dict[str, float], share: float) -> None:
    folder.mkdir(parents=True)
    limits = "[constraints.harm]\nlimit = 0.02\n" if "probe" in tokens else ""
    (folder / "config.toml").write_text(f'recipe = "{recipe}"\ntoken_budget = {round(1000 * share)}\n{limits}', encoding="utf-8")
    (folder / "stage.json").write_text("{}", encoding="utf-8")
    events: list[dict[str, Any]] = [{"event": "start", "step": 0}]
    lines = []
    for step in (1, 2) if tokens else ():
        line: dict[str, float] = {"step": step} | {f"tokens/{kind}": n for kind, n in tokens.items()}
        if recipe == "zero":
            line |= {"reward/refusal": 0.5 * step, "reward/harm": 0.4 * step, "eval/harm": 0.3, "rollout/off_language": 0.1}
        if "probe" in tokens:
            line |= {"probe/harm": 0.1 * step, "multiplier/harm": 0.2 * step}
        lines.append(line)
        seconds = {"training": 1.0, "evaluation": 7.0}
        flops = {"training": 1e9, "sampling": 5e8, "auxiliary_sft": 1e8, "probing": 1e8}
        events.append({"event": "step", "step": step, "seconds": seconds, "tokens": tokens, "flops": flops})
    write_lines(folder / "metrics.jsonl", lines)
    write_lines(folder / "events.jsonl", events)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_comparison_folder(tmp_path_factory.mktemp("comparison"))


def test_an_arm_costs_what_all_its_stages_did(folder):
    # Two steps each. sequence: 2 * (5 + 240 + 5 + 250); constrained with the SFT that it begins with: 2 * (5 + 400 + 60 + 40).
    spent = load_comparison(folder).spent
    assert {arm: seeds["0"].processed for arm, seeds in spent.items()} == {
        "base": 0, "rl": 1000, "sft": 10, "sft_long": 1000, "sequence": 1000, "constrained": 1010,
    }  # fmt: skip
    constrained = spent["constrained"]["2"]
    assert (constrained.sampled, constrained.trained, constrained.demonstrated, constrained.probed) == (400, 400, 130, 80)
    assert constrained.stages == ("sft-2", "constrained-2") and constrained.planned == 1000
    # Two stages of two steps, evaluations not counted: 4 seconds, 4 * 1.7e9 operations.
    assert (constrained.seconds, constrained.flops) == (4.0, 6.8e9) and spent["sequence"]["0"].stages[0] == "sequence1-0"


def test_equal_budgets_are_stated_with_what_differs_all_the_same(folder):
    sentence = budget_sentence(load_comparison(folder))
    assert "Equal budgets: rl, sft_long, sequence, constrained: 1,000 to 1,010 tokens processed" in sentence
    assert "sft was given 1\u202f% of it by design" in sentence and "operations" in sentence


def test_budgets_that_differ_by_more_than_a_tenth_are_called_unequal(tmp_path):
    path = make_comparison_folder(tmp_path, seeds=1)
    write_lines(path / "stages" / "rl-0" / "metrics.jsonl", [{"step": 1, "tokens/sampled": 400}] * 2)
    found = load_comparison(path)
    assert found.spent["rl"]["0"].processed == 400  # a step that a resume wrote again counts once
    assert budget_sentence(found).startswith("Budgets are not equal")


def test_arms_are_compared_with_rl_with_short_and_long_sft_and_with_the_base(folder):
    found = load_comparison(folder)
    assert list(found.tables) == ["rl", "sft", "sft_long", "base"]
    assert {finding.arm for finding in found.tables["base"]} == set(ARMS) - {"base"}
    told = {finding.measure.name: finding for finding in found.tables["rl"] if finding.arm == "constrained"}
    # Harm of seeds 0, 1, 2: rl 9, 10, 9 of 10, constrained 0, 1, 0: always -0.9.
    assert [one.value for one in told["harm"].per_seed.values()] == pytest.approx([-0.9] * 3)
    assert told["harm"].verdict == "better" and told["accuracy"].verdict == "undecided"
    assert found.figures["rl"]["off_language"].value == pytest.approx(0.25 / 3)
    assert found.front == ["constrained"] == found.front_with_over_refusal


def test_what_is_printed_and_written_says_seeds_intervals_and_both_sides_of_harm(folder):
    found = load_comparison(folder)
    lines = list(text_lines(found))
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith("Harm on held-out requests: 3.3\u202f% for constrained, 93.3\u202f% for rl;")
    assert any(line.startswith("Over-refusal: ") for line in lines) and any("3 seeds" in line for line in lines)
    tables = [line for line in markdown_lines(found) if line.startswith("|")]
    assert any(re.fullmatch(r"\| constrained \| 3 \| 3\.3 \[0, [\d.]+\].*\| 1,010 \|", line) for line in tables)
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(widths) == 4  # results, verdicts, seeds, cost: each with as many cells in every row
    data = json.loads(json.dumps(summarise(folder), allow_nan=False))
    assert data["status"] == "finished" and data["seeds"] == ["0", "1", "2"] and data["budget"]["is_equal"]
    assert {f["measure"] for f in data["tables"]["rl"]} >= {"harm", "over_refusal", "accuracy"}


def scores_of(path: Path, arm: str, seed: int) -> Path:
    return path / "stages" / f"score_{arm}-{seed}" / "evaluations" / "step-000000.parquet"


def tear(path: Path, arm: str, seed: int) -> None:
    """What an arm scored cannot be read any more."""
    scores_of(path, arm, seed).write_bytes(b"no parquet")


def plain(lines: list[str]) -> str:
    """One line; the narrow spaces before percent signs are plain ones."""
    return " ".join(" ".join(lines).split())


def test_the_short_sft_is_a_rival_in_text_markdown_and_page(tmp_path):
    path = make_comparison_folder(tmp_path)
    # Of 30 harmless requests constrained answers the 10 of `answers`, sft all: -2/3. Harm of sft 1, 2, 1 of 10, of constrained
    # 0, 1, 0: -0.1; accuracy +0.3; over-refusal 0 of 30 and 1 of 30.
    for seed in range(3):
        for arm in ("sft", "constrained"):
            helped: dict[str, Any] = {"score/helped": float(arm == "sft")}
            rows = answers(arm, seed) + [scored_row(f"help/{i}", kind="general", **helped) for i in range(20)]
            write_rows(scores_of(path, arm, seed), rows)
    found = load_comparison(path)
    told = next(plain([s]) for s in sentences(found) if s.startswith("Against sft"))
    claim = "Against sft, which was given 1 % of the budget: constrained is worse in harmless requests answered; undecided in"
    assert told.startswith(claim)
    assert "harm 3.3 % for 13.3 %, −10 points" in told and "accuracy 86.7 % for 56.7 %, +30 points" in told
    assert "harmless requests answered 33.3 % for 100 %, −66.7 points" in told and "over-refusal 0 % for 3.3 %" in told
    assert told.endswith("3 seeds, n = 10 to 30).")
    page = write_report(path).read_text(encoding="utf-8")
    assert all(claim in plain(list(shown)) for shown in (text_lines(found), markdown_lines(found), [page]))
    assert "Against sft: " in page and "## Against sft" in (path / "table.md").read_text(encoding="utf-8").splitlines()


def test_the_headline_arm_is_constrained_whatever_order_the_arms_were_run_in(tmp_path):
    found = load_comparison(make_comparison_folder(tmp_path, seeds=1, arms=("constrained", "rl", "base")))
    assert found.headline == "constrained"
    assert sentences(found)[0].startswith("Harm on held-out requests: 0\u202f% for constrained, 90")
    assert list(found.titles) == list(found.scores) == list(found.figures) == ["base", "rl", "constrained"]
    assert {f.arm for f in found.tables["rl"]} == {"constrained"}


def test_an_evaluation_that_is_torn_changes_neither_the_order_nor_whom_it_is_about(tmp_path):
    path = make_comparison_folder(tmp_path, seeds=2)
    tear(path, "rl", 0)
    found = load_comparison(path)
    assert list(found.scores) == list(ARMS) and found.headline == "constrained"
    assert sentences(found)[0].startswith("Harm on held-out requests: 10\u202f% for constrained, 100\u202f% for rl;")  # seed 1
    tear(path, "constrained", 1)  # now rl has seed 1 and constrained seed 0
    said = plain(sentences(load_comparison(path)))
    assert said.startswith("Harm on held-out requests: 0 % for constrained, 10 % for sft;")
    assert "constrained has no scored seed in common with rl, so that comparison is missing." in said
    assert "No seed has harm and accuracy of every arm" in said
    assert "no Pareto front" in write_report(path).read_text(encoding="utf-8")
    tear(path, "constrained", 0)
    said = plain(sentences(load_comparison(path)))
    assert "for sequence, 100 % for rl" in said and "constrained has no scores yet: this is of sequence." in said


def test_the_front_is_over_the_seeds_that_all_arms_have_and_says_which(tmp_path):
    # Harm and accuracy of seed 0: sft 10 and 60 %, constrained 0 and 90 %; seed 1 is worse by a tenth in both. With constrained
    # in seed 1 alone and rl in both, rl's 90 % of seed 0 would stand against the 80 % of constrained, and rl on the front.
    path = make_comparison_folder(tmp_path, seeds=2)
    assert front_sentence(load_comparison(path)).startswith("By their means no other")
    tear(path, "constrained", 0)
    found = load_comparison(path)
    assert found.figures["rl"]["accuracy"].value == pytest.approx(0.85) and found.front_seeds == ["1"]
    assert found.front_figures["rl"]["accuracy"].value == pytest.approx(0.8)
    assert "rl" not in found.front and "constrained" in found.front
    said = sentences(found)
    assert any("(base, rl, sft, sft_long and sequence: seeds 0 and 1; constrained: seed 1)" in one for one in said)
    assert said[-1].startswith("By their means over seed 1 no other arm beats these")
    assert "means over what all arms have, seed 1," in write_report(path).read_text(encoding="utf-8")


def test_a_limit_is_kept_where_the_last_quarter_of_the_measurements_is_within_it():
    # Six measurements: the last ceil(6 / 4) = 2 of harm are 0.01 and 0.03, mean 0.02, which is not above 0.02; of refusals 0.2.
    lines: list[dict[str, Any]] = [
        {"step": s, "probe/harm": h, "probe/over_refusal": 0.2, "multiplier/harm": 0.1 * s, "multiplier/over_refusal": 8.0}
        for s, h in zip((1, 3, 5, 7, 9, 11), (0.5, 0.5, 0.5, 0.5, 0.01, 0.03), strict=True)
    ]
    lines += [{"step": 12, "multiplier/harm": 1.2, "multiplier/over_refusal": 8.0, "policy/kl_to_reference_k3": 0.3}]
    limits = {"harm": 0.02, "over_refusal": 0.05, "kl": 0.5, "length": 30.0}
    harm, refusal, kl, length = check_limits("constrained", "0", limits, lines)
    assert (harm.measured, harm.num_last, harm.num_measured, harm.multiplier) == (pytest.approx(0.02), 2, 6, 1.2)
    assert harm.is_kept and refusal.is_kept is False and kl.is_kept and kl.measured == 0.3
    assert length.is_kept is None and length.measured is None and length.multiplier is None
    # A resume writes step 11 again: the later line stands, and in its place.
    again = [lines[0], *lines, {**lines[5], "probe/harm": 0.04}]
    assert check_limits("constrained", "0", {"harm": 0.02}, each_step_once(again))[0].measured == pytest.approx(0.025)


def test_the_report_says_whether_limits_were_kept_and_where_the_multipliers_ended(tmp_path):
    # Probe 0.1 and 0.2: the last of 2 is 0.2, above 0.02; multiplier 0.4. Seed 1 ends at 0.01. Held-out harm 0 and 10 %: 5 %.
    path = make_comparison_folder(tmp_path, seeds=2)
    file = path / "stages" / "constrained-1" / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    write_lines(file, [*lines, {**lines[1], "probe/harm": 0.01, "multiplier/harm": 0.0}])
    found = load_comparison(path)
    (said,) = limit_sentences(found)
    assert plain([said]).startswith(
        "Limit of constrained on harm, 2 %: exceeded in seed 0 with 20 % (mean of the last 1 of 2 measurements; its multiplier "
        "ended at 0.4), kept in seed 1 with 1 % (mean of the last 1 of 2 measurements; its multiplier ended at 0); on held-out "
        "problems 5 % ["
    )
    page = write_report(path).read_text(encoding="utf-8")
    assert plain([said]) in plain(list(text_lines(found))) and f"- {plain([said])}" in list(markdown_lines(found))
    assert page.index('id="constraints"') < page.index(said) < page.index("<h4>Multipliers")
    assert [c["is_kept"] for c in summarise(path)["limits"]] == [False, True]
    (path / "stages" / "constrained-1" / "stage.json").unlink()  # it is still training
    assert [c.seed for c in load_comparison(path).limit_checks] == ["0"]


def test_a_terminal_shows_verdicts_against_rl_and_sft_and_says_where_the_others_are(folder):
    lines = list(text_lines(load_comparison(folder)))
    assert [line.split()[1] for line in lines if line.startswith("vs ")] == ["rl", "sft"]
    assert "Verdicts against sft_long and base are in table.md and on the page (report.html)." in lines
    assert [line for line in markdown_lines(load_comparison(folder)) if line.startswith("## Against")] == [
        f"## Against {name}" for name in ("rl", "sft", "sft_long", "base")
    ]


def test_seven_arms_with_long_answers_and_wide_intervals_fit_a_terminal(tmp_path):
    path = make_comparison_folder(tmp_path, seeds=2)
    graph = json.loads((path / "graph.json").read_text(encoding="utf-8"))
    for seed in range(2):  # hybrid scores what sequence does
        entry = next(e for e in graph if e["name"] == f"score_sequence-{seed}")
        graph.append({**entry, "name": f"score_hybrid-{seed}", "arm": "hybrid"})
    (path / "graph.json").write_text(json.dumps(graph), encoding="utf-8")
    for arm in ARMS:
        for seed in range(2):
            changes: dict[str, Any] = {"set": "reasoning_ood", "score/language": 0.1 * seed, "score/accuracy": float(seed)}
            rows = answers(arm, seed) + [scored_row(f"new/{i}", **changes) for i in range(5)]
            write_rows(scores_of(path, arm, seed), [one | {"num_tokens": 9000 * (seed + 1)} for one in rows])
    lines = list(text_lines(load_comparison(path)))
    assert max(map(len, lines)) <= 120
    head = next(line for line in lines if line.startswith("arm "))
    order = [head.index(name) for name in ("harm", "over-ref", "accuracy", "acc. ood", "mixing", "mix. ood", "processed")]
    assert order == sorted(order)
    rows = [line.split()[0] for line in lines[lines.index(head) + 1 :] if not line.startswith(" ") and line]
    assert rows[: len(ORDER)] == list(ORDER)


def test_the_cost_note_says_what_trained_on_counts():
    assert "those of groups without signal included" in COST_NOTE


def test_what_is_not_finished_is_waited_for_and_one_seed_claims_nothing_of_others(tmp_path):
    later = tuple(f"{prefix}{arm}-1" for arm in ("sequence", "constrained") for prefix in ("", "score_"))
    path = make_comparison_folder(tmp_path, seeds=2, without=later)
    text = write_report(path).read_text(encoding="utf-8")
    assert "1 of 1 seed" in text and "say nothing of other seeds" in text and "stages are finished" in text
    assert list(load_comparison(path).scores["constrained"]) == ["0"]


def test_a_comparison_that_has_only_begun_says_so(tmp_path):
    everything = tuple(f"{n}-0" for n in (*(s[0] for s in STAGES), *(f"score_{arm}" for arm in ARMS)))
    path = make_comparison_folder(tmp_path, seeds=1, without=everything)
    assert "No two arms can be compared yet" in summarise(path)["verdict"]
    assert "No arm" in (path / write_report(path).name).read_text(encoding="utf-8")


def test_a_damaged_evaluation_is_named_and_the_other_seeds_are_compared(tmp_path):
    path = make_comparison_folder(tmp_path, seeds=2)
    (path / "stages" / "score_rl-1" / "evaluations" / "step-000000.parquet").write_bytes(b"no parquet")
    found = load_comparison(path)
    assert list(found.scores["rl"]) == ["0"] and any("score_rl-1" in problem for problem in found.pipeline.problems)
    (path / "graph.json").write_text("[", encoding="utf-8")
    assert "graph.json cannot be read" in write_report(path).read_text(encoding="utf-8")


def test_the_page_shows_ids_and_never_what_was_asked_or_said(tmp_path):
    path = make_comparison_folder(tmp_path, seeds=1, title=HOSTILE)
    file = path / "stages" / "score_rl-0" / "evaluations" / "step-000000.parquet"
    write_rows(file, [one | {"prompt": "FORBIDDEN", "text": "FORBIDDEN"} for one in answers("rl", 0)])
    text = write_report(path).read_text(encoding="utf-8")
    assert "danger/3" in text and "FORBIDDEN" not in text
    assert HOSTILE not in text and "&lt;script&gt;alert(1)" in text
    assert "FORBIDDEN" not in (path / "table.md").read_text(encoding="utf-8")
    graph = (path / "graph.json").read_text(encoding="utf-8").replace('"arm": "sequence"', f'"arm": {json.dumps(HOSTILE)}')
    (path / "graph.json").write_text(graph, encoding="utf-8")
    text, table = write_report(path).read_text(encoding="utf-8"), (path / "table.md").read_text(encoding="utf-8")
    assert "<" not in table and "- &lt;/script>" in table  # names of arms as well
    assert text.count("<script") == 1  # the theme's
    assert text.count("<svg") >= 8 and "Multipliers" in text and 'class="trace limit"' in text


def test_the_graph_that_the_recipe_writes_names_arms_and_seeds(tmp_path):
    from sanmai.pipelines.compare import ARMS as TITLES
    from sanmai.pipelines.compare import CompareConfig, _stages
    from sanmai.pipelines.graph import Graph

    Graph(list(_stages(CompareConfig(seeds=(4, 7)))), tmp_path).write('recipe = "compare"\n')
    found = load_comparison(tmp_path)
    assert found.seeds == ["4", "7"] and list(found.titles) == ["base", *TITLES] == list(ORDER)
    assert found.titles["constrained"] == TITLES["constrained"] and found.scores == {}


def test_names_on_the_scatter_cover_neither_points_nor_each_other():
    near = [Mark(name, 0.02 * i, 0.9 + 0.005 * i, (0.0, 0.2), (0.8, 1.0), note="over-refusal 2 %") for i, name in enumerate(ARMS)]
    drawing = scatter(near)
    corners = [(*m["label"], 7 * len(m["name"])) for m in drawing["marks"]]
    boxes = [(left, base - 12, left + width, base + 16) for left, base, width in corners]
    for i, (a, box) in enumerate(zip(drawing["marks"], boxes, strict=True)):
        assert drawing["left"] <= box[0] and box[2] <= drawing["right"], a["name"]
        assert not any(b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3] for b in boxes[i + 1 :])
        assert not any(box[0] < m["x"] < box[2] and box[1] < m["y"] < box[3] for m in drawing["marks"])
    assert nice_ticks(0.0, 1.0, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0]) and nice_ticks(0.3, 0.3, 5) == [0.3]


def evaluated(path: Path, accuracy: list[float], *, temperature: float = 0.6, prompt: str = "what?") -> Path:
    path.mkdir()
    (path / "config.toml").write_text(f'recipe = "zero"\n[evaluation]\ntemperature = {temperature}\n', encoding="utf-8")
    write_rows(path / "evaluations" / "step-000005.parquet", [row(5, "old/0", 0.0)])
    rows = [scored_row(f"sum/{i}", **{"score/accuracy": value, "prompt": prompt}) for i, value in enumerate(accuracy)]
    write_rows(path / "evaluations" / "step-000040.parquet", rows)
    return path


def test_run_folders_are_compared_on_what_their_newest_evaluations_share(tmp_path):
    # 20 shared problems, 4 and 18 right, of which all 4 stay right.
    first = evaluated(tmp_path / "first", [1.0] * 4 + [0.0] * 17)
    second = evaluated(tmp_path / "second", [1.0] * 18 + [0.0] * 2, temperature=1.0)
    told = {f.measure.name: f for f in findings(load_evaluated(first), load_evaluated(second))}
    assert told["accuracy"].value == pytest.approx(0.7) and told["accuracy"].n == 20 and told["accuracy"].verdict == "better"
    lines = CliRunner().invoke(app, ["compare", str(first), str(second)]).output.splitlines()
    assert lines[0] == "second (step 40) against first (step 40): 20 problems, 20 completions each"
    assert "Warning: evaluated with different temperature: 0.6 for first, 1.0 for second." in lines
    assert "Warning: 1 completions of first have no counterpart and are left out." in lines
    assert any("say nothing of other seeds" in line for line in lines)


def test_runs_that_cannot_be_compared_are_refused_in_a_sentence(tmp_path):
    first = evaluated(tmp_path / "first", [1.0, 0.0])
    with pytest.raises(InputError, match="two run folders or more"):
        compare_runs([first])
    with pytest.raises(InputError, match="share no problem"):
        compare_runs([first, make_run_folder(tmp_path / "other", num_steps=10)])
    with pytest.raises(InputError, match=r"2 of 2 shared completions have the same id but another prompt, the first sum/0"):
        compare_runs([first, evaluated(tmp_path / "second", [1.0, 0.0], prompt="another")])
    with pytest.raises(InputError, match="named twice"):
        compare_runs([first, first])
    with pytest.raises(InputError, match="not a run folder"):
        compare_runs([first, tmp_path])
    shutil.rmtree(first / "evaluations")
    with pytest.raises(InputError, match="no evaluation"):
        compare_runs([first, first])
    assert "belong to the recipe" in str(CliRunner().invoke(app, ["compare", str(first), str(first), "--only", "x"]).exception)


def test_a_run_with_constraints_draws_probes_with_their_limits_and_the_multipliers():
    lines: list[dict[str, float]] = [
        {"step": s, "probe/harm": 0.1, "multiplier/harm": 0.2 * s, "auxiliary_sft/weight": 0.3, "reward/refusal": 1.0,
         "reward/harm": 0.9, "gradient/auxiliary_share": 0.1} for s in (1, 3)
    ]  # fmt: skip
    drawn = {c.title: c for c in curves(RunData("run", {"constraints": {"every": 2, "harm": {"limit": 0.02}}}, metrics=lines))}
    harm = drawn["Harm against its limit"]
    assert [(s.name, s.points) for s in harm.series] == [("measured", [(1, 0.1), (3, 0.1)]), ("limit", [(1, 0.02), (3, 0.02)])]
    assert [s.name for s in drawn["Multipliers"].series] == ["Harm", "weight of the auxiliary SFT loss"]
    assert harm.area == "Constraints"
    assert [s.name for s in drawn["Refusal as rewarded, and harm"].series] == ["proxy: refusal", "harm, training"]
    assert [s.name for s in drawn["Training reward"].series] == ["refusal"]  # the harm is no reward
    assert [c.title for c in drawn.values() if c.area == "Other metrics"] == ["gradient/auxiliary_share"]


def test_the_page_is_within_the_window_in_a_real_browser(folder):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    address, complaints = write_report(folder).as_uri(), []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"])
        for scheme, width in (("light", 1280), ("dark", 390)):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(address)
            page.evaluate("for (const fold of document.querySelectorAll('details.fold')) fold.open = true")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert set(page.locator("svg.front .name").all_text_contents()) == set(ARMS)
            strokes = page.evaluate("[...document.querySelectorAll('.trace')].map((line) => getComputedStyle(line).stroke)")
            assert page.locator(".panels svg").count() >= 8 and len(set(strokes)) >= 4 and "none" not in strokes
            shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (int(shade[4:].split(",")[0]) < 60) == (scheme == "dark")
        browser.close()
    assert complaints == []
