"""`sanmai cost`: a folder's ledger agrees with its report, and says what was bought."""

import json

import pytest
from pipeline_folder import make_pipeline_folder
from run_folder import make_run_folder, row, write_lines, write_rows
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.instruments.cost import read_ledger, training_part
from sanmai.report.cost_table import CostReport
from sanmai.report.load import load_run
from sanmai.report.pipeline import load_pipeline
from sanmai.report.summary import cost as report_cost
from sanmai.types import InputError


def test_a_run_folder_costs_what_its_report_says(tmp_path):
    folder = make_run_folder(tmp_path / "run")
    found, reported = read_ledger(folder).total, report_cost(load_run(folder))
    assert training_part(found).tokens == pytest.approx(reported.tokens)
    assert found.seconds == pytest.approx(reported.seconds) and found.tokens["evaluation"] > 0
    assert sum(training_part(found).flops.values()) == pytest.approx(reported.flops)


def test_a_pipeline_costs_what_its_stages_cost(tmp_path):
    folder = make_pipeline_folder(tmp_path / "pipeline", until="score_dev2")
    ledger, stages = read_ledger(folder), load_pipeline(folder).stages
    assert [cost.name for cost in ledger.costs] == [name for name, stage in stages.items() if stage.state == "finished"]
    for cost in ledger.costs:
        reported = stages[cost.name].cost
        assert sum(cost.seconds.values()) == pytest.approx(reported.seconds or 0.0)
        assert cost.tokens.get("trained") == reported.trained and cost.num_steps == reported.num_steps
        assert cost.tokens.get("sampled", cost.tokens.get("evaluation")) == reported.sampled
    assert ledger.total.tokens["trained"] == sum(cost.tokens.get("trained", 0) for cost in ledger.costs)
    assert ledger.total.hours == pytest.approx(sum(cost.hours for cost in ledger.costs))


def test_the_page_for_the_terminal_says_what_it_cost_and_bought_and_the_json_the_same(tmp_path):
    folder = make_run_folder(tmp_path / "run")
    found = CostReport(folder, price_per_hour=36.0, targets=["eval/accuracy>=0.5"])
    # 190 s from the first event to the last (it was interrupted and resumed at once) are 1.90 at 36 an hour.
    text = " ".join(found.lines)
    assert "at 36 per hour" in text and "Energy: not reported" in text and "reached at step" in text
    assert "Accuracy bought" in text and "per hour of training" in text and "Wasted rollouts" in text
    data = found.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["total"]["money"] == pytest.approx(1.9) and data["quality"]["change"]["n"] == 59
    with pytest.raises(InputError, match="price-per-hour -1"):
        CostReport(folder, price_per_hour=-1)
    pipeline = make_pipeline_folder(tmp_path / "pipeline", until="zero")
    assert CostReport(pipeline).to_json()["quality"] is None
    with pytest.raises(InputError, match="a pipeline's folder"):
        CostReport(pipeline, targets=["eval/accuracy>=0.5"])


def test_evaluations_without_a_score_or_a_partner_bought_nothing_that_can_be_said(tmp_path):
    folder = tmp_path / "run"
    (folder / "evaluations").mkdir(parents=True)
    (folder / "config.toml").write_text("")
    write_lines(folder / "events.jsonl", [
        {"event": "step", "step": 1, "seconds": {"training": 3600.0}, "joules": {"package-0": 7200.0}}
    ])
    write_rows(folder / "evaluations" / "step-000000.parquet", [row(0, "a", 1.0)])
    assert CostReport(folder).quality is None
    write_rows(folder / "evaluations" / "step-000001.parquet", [row(1, "b", 1.0)])
    found = CostReport(folder)
    assert found.quality is None and "Energy: 2 Wh of the whole machine" in found.lines
    assert found.to_json()["total"]["uncounted"] == ["evaluation"]


def test_the_command_prints_tables_and_json(tmp_path):
    folder = make_run_folder(tmp_path / "run")
    done = CliRunner().invoke(app, ["cost", str(folder), "--price-per-hour", "2"])
    assert done.exit_code == 0 and "sampling" in done.output and "at 2 per hour" in done.output, done.output
    found = json.loads(CliRunner().invoke(app, ["cost", str(folder), "--json"]).output)
    assert found["name"] == "run" and found["total"]["tokens"]["sampled"] > 0 and found["price_per_hour"] is None
    pipeline = make_pipeline_folder(tmp_path / "pipeline", until="zero")
    done = CliRunner().invoke(app, ["cost", str(pipeline)], env={"COLUMNS": "200"})
    assert done.exit_code == 0 and "score_base" in done.output and "total" in done.output and "4.0" in done.output
