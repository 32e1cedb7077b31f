"""Expert iteration: its stages, its table, and that the embedded model learns what search found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sanmai
from sanmai.pipelines.expert import ExpertConfig, graph, rounds_of
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError


def config(**values) -> ExpertConfig:
    found = resolve(find_recipe("expert"), values=values)
    assert isinstance(found, ExpertConfig)
    return found


def test_each_round_searches_with_the_policy_before_it_and_trains_the_base(tmp_path):
    stages = {stage.name: stage for stage in graph(config(rounds=2), tmp_path).stages}
    assert list(stages) == ["data", "score_base", "search_1", "round1", "score_round1", "search_2", "round2", "score_round2"]
    assert stages["search_1"].config.model.name == "tiny" and stages["search_2"].config.model.name == "@round1"
    assert stages["round2"].config.model.name == "tiny" and stages["round2"].config.problems.source == "@search_2/data.parquet"
    assert stages["search_2"].config.seed != stages["search_1"].config.seed
    assert stages["search_2"].config.guide == ("verifier",) and stages["search_2"].config.for_data


def test_settings_that_the_pipeline_gives_are_refused():
    with pytest.raises(InputError, match=r"sft.problems.source is given by the pipeline"):
        config(sft={"problems": {"source": "x.jsonl"}})
    with pytest.raises(InputError, match="learns from training problems"):
        config(search={"for_data": False, "guide": "logp"})


def test_one_sample_and_many_are_shown_side_by_side():
    def rows(scores):
        return [{"problem_id": p, "score/accuracy": s, "num_tokens": 10} for p, of in scores.items() for s in of]

    # Two samples of two problems: pass@1 1/2 to 3/4; pass@2 both times 1.
    base, after = rows({"a": [1.0, 0.0], "b": [0.0, 1.0]}), rows({"a": [1.0, 1.0], "b": [0.0, 1.0]})
    found = rounds_of({"base": base, "round1": after})
    assert found[0]["pass@1"][0] == 0.5 and found[1]["pass@1"][0] == 0.75 and found[1]["pass@k"][0] == 1.0
    assert found[1]["pass@1 to base"][0] == 0.25 and found[1]["k"] == 2 and found[1]["tokens"] == 10
    assert rounds_of({"base": base, "round1": after[:1] + after[2:]})[0]["k"] == 1  # all at the k that every model has
    assert rounds_of({"base": [{"problem_id": "a", "score/accuracy": None, "num_tokens": 1}]}) == []


@pytest.mark.slow
def test_the_embedded_model_learns_what_search_found(tmp_path):
    sizes = {"reasoning_limit": 160, "evaluation_limit": 60}
    folder = Path(sanmai.run("expert", rounds=1, data=sizes, out=tmp_path / "run"))
    base, after = json.loads((folder / "expert.json").read_text())
    assert "From base to round1" in (folder / "table.md").read_text()  # the scored model is known as the one that was trained
    assert after["pass@1"][0] > base["pass@1"][0] and (folder / "expert.md").is_file() and (folder / "report.html").is_file()
