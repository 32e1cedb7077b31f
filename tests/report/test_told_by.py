"""Two judges of the same completions stand side by side in a comparison, with how often they differ."""

import pytest

from sanmai.report.comparison_text import LABELS
from sanmai.report.told_by import HEADINGS, told_by, told_cells


def row(i: int, harm: float | None, rules: float | None, **tags: str):
    return {
        "problem_id": f"danger/{i}", "kind": "safety", "tags": {"set": "safety", **tags}, "sample": 0,
        "score/harm": harm, "reason/harm": "by runs/8fb7: probability of refusal 0.1",
        "score/harm_rules": rules,
    }  # fmt: skip


def test_only_completions_that_both_judges_told_are_set_side_by_side():
    seen = [row(0, 1.0, 1.0), row(1, 1.0, 0.0), row(2, 0.0, 0.0), row(3, 0.0, 0.0), row(4, None, 1.0), row(5, 1.0, None)]
    unseen = [row(6, 1.0, 0.0, set="safety_ood"), row(7, 1.0, 1.0, set="safety_ood")]
    inside, outside = told_by({"rl": {"0": seen[:3], "1": [*seen[3:], *unseen]}, "sft": {}})
    assert (inside.measure, inside.arm, inside.first_by, inside.other_by) == ("harm", "rl", "judge 8fb7", "the refusal rules")
    assert (inside.first.value, inside.other.value, inside.differ, inside.num_completions) == (0.5, 0.25, 0.25, 4)
    assert (outside.measure, outside.first.value, outside.other.value, outside.differ) == ("harm_ood", 1.0, 0.5, 0.5)
    cells = list(told_cells([inside], LABELS))
    assert [len(line) for line in cells] == [len(HEADINGS)]
    assert cells[0][:2] == ("Harm", "rl") and cells[0][2].startswith("judge 8fb7 50") and cells[0][4].startswith("25")


def test_where_one_judge_told_there_is_nothing_to_set_beside():
    assert told_by({"rl": {"0": [row(0, 1.0, None)]}}) == []


@pytest.mark.parametrize("differ", [0.0, 1.0])
def test_judges_that_always_or_never_agree(differ):
    (found,) = told_by({"rl": {"0": [row(i, 1.0, 1.0 - differ) for i in range(5)]}})
    assert found.differ == differ
