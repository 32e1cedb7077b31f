"""Run folders compared as a page and as data."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from run_folder import make_run_folder, write_rows

from sanmai.report.compare_page import compared_data, write_compare_page
from sanmai.report.compare_runs import compare_runs
from sanmai.types import InputError


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    first, other = make_run_folder(root / "a", num_steps=20), root / "<b>"
    shutil.copytree(first, other)
    newest = other / "evaluations" / "step-000020.parquet"
    write_rows(newest, [row | {"num_tokens": 99} for row in pq.read_table(newest).to_pylist()])
    return [first, other]


def test_the_page_has_every_finding_that_the_lines_have_and_the_curves_of_both(runs, tmp_path):
    page = write_compare_page(runs, tmp_path / "page.html").read_text()
    lines = "\n".join(compare_runs(runs))
    found = json.loads(json.dumps(compared_data(runs)))
    assert found and {one["against"] for one in found} == {"a"}
    [length] = [one for one in found if one["measure"] == "length"]
    assert length["value"] == 99 and length["low"] > 0 and length["verdict"] not in ("", "undecided")
    for one in found:
        assert one["verdict"] in lines and one["verdict"] in page and one["difference"] in page
    assert "Held-out accuracy" in page and page.count('class="plot"') > 3 and "One run each" in page
    assert "<b>" not in page.replace("&lt;b&gt;", "") and "src=" not in page.partition("<main")[2].partition("</main>")[0]


def test_what_cannot_be_compared_is_one_sentence(runs, tmp_path):
    with pytest.raises(InputError, match="expected two run folders or more"):
        write_compare_page(runs[:1], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_runs_of_a_flow_are_compared_by_what_is_true_of_their_clips(runs, tmp_path):
    """And not by length or thought; a run that writes texts is no match for them."""
    sides = []
    for name, quality, harm in (("a", 0.0, 0.5), ("b", 1.0, 0.0)):
        run = shutil.copytree(runs[0], tmp_path / name)
        for path in (run / "evaluations").glob("*.parquet"):
            path.unlink()
        rows = [
            {"problem_id": f"p/{k}", "sample": s, "prompt": f"prompt {k}", "tags": "{}", "clip": b"\0", "clip_shape": [1, 1, 1],
             "reward": quality, "score/quality": quality + 0.1 * k, "score/harm": float(s < 2 * harm)}
            for k in range(20) for s in range(2)
        ]  # fmt: skip
        write_rows(run / "evaluations" / "step-000020.parquet", rows)
        sides.append(run)
    found = {one["measure"]: one for one in compared_data(sides)}
    assert set(found) == {"quality", "harm"} and {one["verdict"] for one in found.values()} == {"better"}
    assert found["quality"]["difference"] == "+1" and found["harm"]["difference"] == "−50 points"
    lines = "\n".join(compare_runs(sides))
    assert "40 clips each" in lines and "Tokens" not in lines and "Over-refusal" not in lines
    assert "Quality" in write_compare_page(sides, tmp_path / "page.html").read_text()
    with pytest.raises(InputError, match=r"a draws clips and .* writes texts"):
        compare_runs([sides[0], runs[1]])
