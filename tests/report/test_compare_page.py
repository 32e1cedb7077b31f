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
