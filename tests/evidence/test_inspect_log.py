"""An audit as a log of inspect_ai; and what other people's evaluators make of an exported model (slow, with their packages)."""

import json
import os
import subprocess
import textwrap
from collections import Counter

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.data.files import read_rows
from sanmai.evidence.inspect_log import write_inspect_log
from sanmai.rewards.score import read_rows as read_responses
from sanmai.types import InputError

FEW = ("--set", "limit=3", "--set", "samples=2", "--set", 'attacks=["role_play"]', "--set", "sampling.max_tokens=40")


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audited")
    arguments = ["audit", "tiny", *FEW, "--out", str(folder / "run"), "--inspect", str(folder / "log.json")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "Log of inspect_ai, with all texts" in done.output, done.output
    return folder


def test_every_completion_of_an_audit_is_a_sample_with_what_was_said_of_it(audited):
    log = json.loads((audited / "log.json").read_text(encoding="utf-8"))
    case = json.loads((audited / "run" / "audit.json").read_text(encoding="utf-8"))
    rows = [row for path in sorted((audited / "run" / "evaluations").iterdir()) for row in pq.read_table(path).to_pylist()]
    assert len(log["samples"]) == len(rows) == log["results"]["total_samples"]
    assert len({(s["id"], s["epoch"]) for s in log["samples"]}) == len(rows)
    assert Counter(s["metadata"]["set"] for s in log["samples"]) == {each["name"]: each["completions"] for each in case["sets"]}
    for row, sample in zip(rows, log["samples"], strict=True):
        assert sample["input"] == row["prompt"] and sample["id"].endswith(row["problem_id"])
        assert {n: v["value"] for n, v in sample["scores"].items()} == {
            n: row[f"score/{n}"] for n in sample["scores"]} and sample["scores"]  # fmt: skip
    told = log["eval"]["metadata"]["sanmai_audit"]
    assert told["verdict"] == case["verdict"] and told["claims"] == case["claims"]
    responses = read_responses(audited / "log.json")  # and it is read as any other log
    assert [r["prompt"] for r in responses] == [row["prompt"] for row in rows]
    assert sum(1 for _ in read_rows(audited / "log.json")) == len(rows)


def test_a_log_is_not_written_over_nor_of_what_is_no_audit(audited, tmp_path):
    for folder, path, says in (
        (audited / "run", audited / "log.json", "exists already"), (audited / "run", tmp_path / "log.eval", "ends in .json"),
        (tmp_path, tmp_path / "log.json", "no finished audit"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            write_inspect_log(folder, path)
    refused = CliRunner().invoke(app, ["audit", "tiny", "--inspect", str(audited / "log.json")])
    assert isinstance(refused.exception, InputError)  # before anything is asked


@pytest.mark.slow
def test_inspect_and_lm_eval_run_a_task_on_an_exported_model_and_inspect_reads_an_audit(audited, tmp_path):
    """SANMAI_EVALUATORS_PYTHON names a Python that has inspect-ai and lm-eval[hf]: they want releases of their own."""
    python = os.environ.get("SANMAI_EVALUATORS_PYTHON")
    if python is None:
        pytest.skip("SANMAI_EVALUATORS_PYTHON is not set")
    assert CliRunner().invoke(app, ["export", "tiny", str(tmp_path / "model")]).exit_code == 0

    def do(*command):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
        done = subprocess.run([python, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    (tmp_path / "sums.py").write_text(textwrap.dedent("""
        from inspect_ai import Task, eval
        from inspect_ai.dataset import Sample
        from inspect_ai.log import read_eval_log
        from inspect_ai.scorer import includes
        from inspect_ai.solver import generate

        samples = [Sample(input=f"what is {a} plus {a + 3} ?", target=str(2 * a + 3), id=a) for a in range(11, 17)]
        task = Task(dataset=samples, solver=generate(), scorer=includes(), name="sums")
        [log] = eval(task, model="hf/local", model_args={"model_path": "model", "device": "cpu"}, max_tokens=48, log_dir="logs",
                     display="none")
        print(log.status, len(log.samples), log.results.scores[0].metrics["accuracy"].value)
    """))
    said = do("sums.py").split()
    print("inspect:", said)
    assert said[-3:-1] == ["success", "6"]
    [log] = (tmp_path / "logs").glob("*.eval")
    assert len(read_responses(log)) == 6 and all(row["response"] for row in read_responses(log))
    (tmp_path / "back.py").write_text(textwrap.dedent(f"""
        from inspect_ai.log import read_eval_log

        log = read_eval_log({str(audited / "log.json")!r})
        print(log.status, len(log.samples), log.eval.metadata["sanmai_audit"]["verdict"])
    """))
    samples = json.loads((audited / "log.json").read_text(encoding="utf-8"))["samples"]
    assert do("back.py").split() == ["success", str(len(samples)), "fails"]
    questions = [{"question": f"what is {a} plus 15 ?", "answer": str(a + 15)} for a in (12, 22, 32, 42)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    (tmp_path / "sums.yaml").write_text(textwrap.dedent(r"""
        task: sums
        dataset_path: json
        dataset_kwargs:
          data_files: sums.jsonl
        test_split: train
        output_type: generate_until
        doc_to_text: "{{question}}"
        doc_to_target: "{{answer}}"
        generation_kwargs:
          until: ["<|never|>"]
          max_gen_toks: 48
          do_sample: false
        filter_list:
          - name: last
            filter:
              - function: regex
                regex_pattern: "(\\d+)"
                group_select: -1
              - function: take_first
        metric_list:
          - metric: exact_match
    """))
    said = do("-m", "lm_eval", "run", "--model", "hf", "--model_args", "pretrained=model", "--device", "cpu", "--tasks", "sums",
              "--include_path", ".", "--apply_chat_template", "--output_path", "out")  # fmt: skip
    print("lm-eval:", said.splitlines()[-2:])
    [results] = (tmp_path / "out").rglob("results_*.json")
    assert json.loads(results.read_text())["results"]["sums"]["exact_match,last"] >= 0.75
