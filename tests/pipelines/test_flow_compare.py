"""Ways to align a flow against each other: stages, figures worked by hand, and a whole small comparison."""

from __future__ import annotations

import json

import pytest

from sanmai.pipelines.flow_compare import ARMS, FlowCompareConfig, graph, run_flow_compare
from sanmai.pipelines.flow_table import ArmRows, figures_of, orders_of, ties_of
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise, write_report
from sanmai.types import InputError


def config(**values) -> FlowCompareConfig:
    found = resolve(find_recipe("flow_compare"), values=values)
    assert isinstance(found, FlowCompareConfig)
    return found


def test_every_arm_begins_with_the_base_but_the_one_that_goes_on_from_curated_clips(tmp_path):
    stages = {stage.name: stage for stage in graph(config(seeds=[4, 5], tie_pairs=8, tie_seeds=[4, 5]), tmp_path).stages}
    assert list(stages)[:4] == ["pretrain", "reward", "sft-4", "sft-5"] and len(stages) == 2 + 2 * len(ARMS) + 4
    assert stages["reward"].config.flow == "@pretrain" and stages["dpo-5"].config.seed == 5
    starts = {name: stage.config.model.name for name, stage in stages.items() if stage.recipe == "flow"}
    assert starts.pop("pretrain") == "new"
    assert starts.pop("curated_dpo-4") == "@curated-4" and starts.pop("curated_dpo-5") == "@curated-5"
    assert set(starts.values()) == {"@pretrain"}
    assert stages["harm_first-4"].config.own.harm_first and not stages["dpo-4"].config.own.harm_first
    assert stages["grpo_penalty-4"].config.reward.harm == -2.0 == stages["guided_safe-4"].config.sampling.guide.harm
    kept = stages["constrained-4"].config
    assert kept.curated == 600 and kept.curated_weight == 0.0 and kept.constraints.harm.limit == 0.05
    assert stages["guided-4"].config.sampling.guide.harm == 0.0 == stages["grpo-4"].config.reward.harm
    assert stages["ties-4"].config.flow is None and stages["ties-4"].config.held_out_pairs == 4
    assert stages["ties-4"].config.model_copy(update={"loss": "bradley_terry"}) == stages["bradley_terry-4"].config
    alone = config(arms=["curated_dpo"], seeds=[0], pretrained="x", tie_pairs=0)
    assert [stage.name for stage in graph(alone, tmp_path).stages] == ["reward", "curated-0", "curated_dpo-0"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"align": {"method": "sft"}}, "align.method is given"), ({"reward": {"flow": "x"}}, "reward.flow is given"),
     ({"arms": []}, "at least one"), ({"seeds": [1, 1]}, "none of them twice"),
     ({"arms": ["sft"], "grpo_lr": 1.0}, "read only with"),
     ({"align": {"own": {"harm_first": True}}}, "own.harm_first is given"),
     ({"align": {"reward": {"scorer": {"command": "x"}}}}, "reward.scorer is given")],
)  # fmt: skip
def test_what_the_comparison_gives_is_refused(settings, says):
    with pytest.raises(InputError, match=says):
        config(**settings)


def rows(quality, harm):
    told = {"score/model_motion": 0.0, "score/model_alignment": 0.0}
    return {
        (0, f"p{k}", 0): {"score/quality": q, "score/harm": h, "score/visual": q, "score/model_visual": -q, **told}
        for k, (q, h) in enumerate(zip(quality, harm, strict=True))
    }  # fmt: skip


def test_figures_are_paired_with_the_base_of_the_same_noise():
    base = rows([0.0] * 8, [1.0] * 8)
    arm = ArmRows(base, rows([1.0] * 6 + [0.0, -1.0], [0.0] * 8), (0.2,))
    found = figures_of("dpo", "Flow-DPO", arm)
    assert found.win.value == 6.5 / 8 and found.wins == {"visual": 6.5 / 8} and found.told_win == 1.5 / 8  # the model is wrong
    assert found.harm == 0.0 and found.harm_change.value == -1.0 and found.harm_change.sign == -1 and found.diversity == 0.2
    with pytest.raises(InputError, match="none of its clips"):
        figures_of("dpo", "Flow-DPO", ArmRows(base, {}, ()))


def test_an_expected_order_appears_is_opposite_or_undecided():
    base = rows([0.0] * 12, [0.0] * 12)
    up, down = rows([1.0] * 12, [0.0] * 12), rows([-1.0] * 12, [1.0] * 12)
    told = lambda **arms: {o.expected: o.verdict for o in orders_of({n: ArmRows(base, own, (0.1,)) for n, own in arms.items()})}  # noqa: E731
    found = told(dpo=up, rwr=down, harm_first=up)
    assert found["Flow-DPO wins more than Flow-RWR"] == "appears"
    assert found["Flow-DPO by quality raises harm"] == "undecided"  # none in either
    assert found["pairs by harm first win as often as Flow-DPO"] in ("appears", "undecided")
    assert "Flow-GRPO by quality raises harm" not in found  # no such arm
    assert told(dpo=down, rwr=up)["Flow-DPO wins more than Flow-RWR"] == "the opposite appears"
    assert told(dpo=down)["Flow-DPO by quality raises harm"] == "appears"
    assert told(dpo=up, harm_first=down)["pairs by harm first win as often as Flow-DPO"] == "worse"


def test_ties_are_compared_over_seeds():
    lines = {loss: [{"eval/tie_accuracy": a, "eval/pair_accuracy": 0.9} for a in values]
             for loss, values in (("ties", (0.71, 0.74, 0.74)), ("bradley_terry", (0.68, 0.70, 0.69)))}  # fmt: skip
    among, without = ties_of(lines)
    assert among["difference"]["value"] == pytest.approx(0.04) and among["difference"]["low"] > 0 and among["seeds"] == 3
    assert without["difference"]["value"] == 0.0


def test_a_whole_comparison_goes_on_where_it_was_and_says_what_is_not_done(tmp_path):
    tiny = {"width": 8, "depth": 1, "heads": 1}
    small = {
        "seeds": [0, 1], "arms": ["guided", "sft"], "tie_pairs": 8, "tie_seeds": [0, 1],
        "pretrain": {"num_steps": 2, "clips_per_step": 4, "model": tiny, "evaluation": {"clips_per_prompt": 1},
                     "sampling": {"steps": 2}},
        "reward": {"train_pairs": 12, "held_out_pairs": 12, "num_steps": 2, "pairs_per_step": 4, "model": tiny},
        "align": {"num_steps": 1, "clips_per_step": 4, "own": {"groups": 12}, "sampling": {"steps": 2},
                  "evaluation": {"clips_per_prompt": 1}},
    }  # fmt: skip
    settings = config(**small)
    run_flow_compare(settings, tmp_path / "out", until="sft-0")
    part = json.loads((tmp_path / "out" / "flow_compare.json").read_text())
    assert [a["arm"] for a in part["arms"]] == ["guided"] and part["not_finished"] == ["sft"] and part["ties"] == []
    run_flow_compare(settings, tmp_path / "out")
    whole = json.loads((tmp_path / "out" / "flow_compare.json").read_text())
    assert [a["arm"] for a in whole["arms"]] == ["guided", "sft"] and whole["arms"][0] == part["arms"][0]
    assert len(whole["arms"][1]["win_by_seed"]) == 2 and len(whole["ties"]) == 2 and whole["not_finished"] == []
    assert "| SFT on the winners of its own clips |" in (tmp_path / "out" / "flow_compare.md").read_text()
    page = write_report(tmp_path / "out").read_text()
    assert all(words in page for words in ("SFT on the winners of its own", "Expected orders that appear", "Learning from ties"))
    lines = summarise(tmp_path / "out")["lines"]
    assert lines[0].startswith("guided by quality alone: wins ") and any("with ties" in line for line in lines)
