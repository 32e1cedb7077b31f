"""Runs from Python: what `sanmai.run` returns, what it may be given, and the verbs as functions."""

import json
import re

import pytest

import sanmai
from sanmai.report.load import load_run

SMALL = {
    "num_steps": 3, "prompts_per_step": 4, "rollouts_per_prompt": 4, "sampling": {"max_tokens": 40}, "quiet": True,
    "evaluation": {"every": 0, "max_tokens": 40},
}  # fmt: skip
ROWS = [{"prompt": f"what is {a} plus {b} ?", "answer": str(a + b)} for a in range(2, 9) for b in range(2, 9)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return sanmai.run("zero", problems=ROWS, out=tmp_path_factory.mktemp("api") / "run", **SMALL)


def test_a_run_says_what_it_was_and_what_it_did(finished):
    assert (finished.recipe, finished.status, finished.config["num_steps"]) == ("zero", "finished", 3)
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in finished.metrics] == [0, 1, 2, 3]
    assert finished.metrics["reward/mean"] == [line.get("reward/mean") for line in lines]
    assert finished.metrics[-1] == {name: lines[-1].get(name) for name in finished.metrics.columns}
    assert len(finished.samples()) == 3 * 16 and len(finished.samples(step=2)) == 16
    assert "tokens" not in finished.samples().columns and "tokens" in finished.samples(step=1, tokens=True).columns
    assert finished.samples("evaluations", step=0, columns=["text"]).columns == ["text"]
    assert finished.cost()["total"]["steps"] == 3 and finished.checkpoint.name == "step-000003"
    assert "3 of 3 steps" in finished._repr_html_() and "<svg" in finished._repr_html_()
    assert sanmai.Run.latest(finished.folder.parent).folder == finished.folder


def test_a_table_gives_rows_columns_slices_arrow_and_pandas(finished):
    table = finished.samples(columns=["step", "sample", "text"])
    assert table[0] == table.to_list()[0] == next(iter(table)) and table[-1] == table.to_list()[-1]
    assert table[2:5].to_list() == table.to_list()[2:5] and table["step"] == [row["step"] for row in table]
    assert table.to_arrow().num_rows == len(table) == len(table.to_pandas())
    with pytest.raises(KeyError, match="no such column; there are step, sample, text"):
        table["txt"]
    with pytest.raises(IndexError):
        table[len(table)]
    shown = sanmai.Table.of([{"a": "<script>", "b": 1.5}, {"a": None}])
    assert "&lt;script&gt;" in shown._repr_html_() and shown["b"] == [1.5, None]


def test_what_is_not_there_is_one_sentence(finished, tmp_path):
    with pytest.raises(sanmai.InputError, match="not a run folder"):
        sanmai.Run(tmp_path)
    with pytest.raises(sanmai.InputError, match="no run folder in it"):
        sanmai.Run.latest(tmp_path)
    with pytest.raises(sanmai.InputError, match="nothing of step 9 is recorded"):
        finished.samples(step=9)
    with pytest.raises(sanmai.InputError, match="expected rollouts, evaluations or probes"):
        finished.samples("texts")


def test_a_damaged_file_of_samples_is_named_and_gives_no_rows(tmp_path):
    run = sanmai.run("zero", problems=ROWS, out=tmp_path / "run", **SMALL)
    file = run / "rollouts" / "step-000002.parquet"
    file.write_bytes(file.read_bytes()[:-7] + b"\0" * 7)
    with pytest.raises(sanmai.InputError, match="step-000002"):
        run.samples()
    assert len(run.samples(step=1)) == 16


def test_the_model_of_a_run_answers_the_same_for_the_same_seed(finished):
    model = finished.model()
    once, again = (model.generate("what is 3 plus 4 ?", n=3, seed=5, max_tokens=40) for _ in range(2))
    assert once == again and len(once) == 3 and once[0].stop_reason in ("stop", "length")
    assert once[0].trace.before + once[0].thought + once[0].trace.between + once[0].answer == once[0]
    message = [{"role": "user", "content": "what is 3 plus 4 ?"}]
    many = model.generate(["what is 3 plus 4 ?", message], max_tokens=40, temperature=0)
    assert many[0] == many[1] and len(many) == 2
    assert model.generate([]) == []
    with pytest.raises(sanmai.InputError, match="more than the 512 positions"):
        model.generate("what is 3 plus 4 ?", max_tokens=512)


def test_dictionaries_a_datasets_object_and_problems_are_the_same_problems(finished, tmp_path):
    datasets = pytest.importorskip("datasets")
    given = [sanmai.Problem(**{"id": row["problem_id"], "messages": ({"role": "user", "content": row["prompt"]},),
                               "answer": row["answer"]}) for row in finished.samples(step=1)]
    other = sanmai.run("zero", problems=datasets.Dataset.from_list(ROWS), out=tmp_path / "d", **SMALL)
    assert other.metrics.to_list() == finished.metrics.to_list()
    assert {p.prompt for p in given} <= {row["prompt"] for row in ROWS}
    with pytest.raises(sanmai.InputError, match="no reference answer"):
        sanmai.run("zero", problems=[{"prompt": "why?"}], out=tmp_path / "x", quiet=True)
    with pytest.raises(sanmai.InputError, match="got int"):
        sanmai.run("zero", problems=5, out=tmp_path / "x", quiet=True)


def test_callbacks_see_every_line_and_false_ends_the_run_saved_and_resumable(finished, tmp_path):
    seen = []

    def watch(step, metrics):
        seen.append((step, metrics))
        return False if step == 1 else None

    run = sanmai.run("zero", problems=ROWS, out=tmp_path / "run", callbacks=watch, **SMALL)
    assert [step for step, _ in seen] == [0, 1] and run.status == "interrupted" and run.checkpoint.name == "step-000001"
    assert seen[1][1]["reward/mean"] == run.metrics[1]["reward/mean"] and (run / "report.html").is_file()
    run = sanmai.resume(run, problems=ROWS, quiet=True)
    assert run.status == "finished" and run.metrics.to_list() == finished.metrics.to_list()
    with pytest.raises(sanmai.InputError, match="expected problems of your own"):
        sanmai.resume(run, problems="other.jsonl")
    with pytest.raises(sanmai.InputError, match="expected a function"):
        sanmai.run("zero", out=tmp_path / "y", callbacks=["print"], quiet=True)


def test_an_error_in_a_callback_is_the_callers_and_leaves_a_folder_that_goes_on(finished, tmp_path):
    def breaks(step, metrics):
        if step == 2:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        sanmai.run("zero", problems=ROWS, out=tmp_path / "run", callbacks=breaks, **SMALL)
    run = sanmai.run("zero", problems=ROWS, out=tmp_path / "run", **SMALL)
    assert run.metrics.to_list() == finished.metrics.to_list() and not load_run(run.folder).problems


def test_progress_goes_to_standard_error_and_quiet_is_quiet(tmp_path, capsys):
    sanmai.run("zero", problems=ROWS, out=tmp_path / "a", **SMALL)
    assert capsys.readouterr() == ("", "")
    sanmai.run("zero", problems=ROWS, out=tmp_path / "b", **SMALL | {"quiet": False})
    out, err = capsys.readouterr()
    assert out == "" and "step 3/3" in err


def test_verbs_are_functions_and_their_packages_stay_packages(finished):
    import sanmai.score.recorded as recorded

    rows = [{"id": "a", "prompt": "2+3?", "response": r"\boxed{5}", "reference": "5"}]
    assert sanmai.score(rows) == recorded.score(rows, "math", None)
    assert str(sanmai.plan("zero", measure=False)).startswith("Recipe zero, into runs/zero-")
    with pytest.raises(sanmai.InputError, match="expected two run folders or more"):
        sanmai.compare(finished)
    with pytest.raises(sanmai.InputError, match="only with --as math_judge"):
        sanmai.score(rows, judge_calls=3)
    with pytest.raises(sanmai.InputError, match="a plan reads them from a file"):
        sanmai.plan("zero", problems=rows)
    assert "without doing it" in (sanmai.plan.__doc__ or "")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("math", {"judge_key": "KEY"}, "--judge-key 'KEY': only with --judge URL#MODEL"),
        ("process", {"judge_key": "KEY", "judge": "folder"}, "--judge-key 'KEY': only with --judge URL#MODEL"),
        ("process", {"judge_calls": 3}, "--judge-calls 3: only with --as math_judge"),
        ("video", {"judge_calls": 3}, "--judge-calls 3: only with --as math_judge"),
        ("math", {"threshold": 0.4}, "--threshold: only with --as process"),
        ("refusal", {"reference": "m"}, "--reference: only with --as process"),
        ("math", {"beta": -4}, "--beta: only with --as process"),
        ("process", {"beta": 0.1}, "--beta 0.1: only with --reference"),
    ],
)
def test_score_refuses_what_its_kind_does_not_read(kind, options, says):
    with pytest.raises(sanmai.InputError, match=re.escape(says)):
        sanmai.score([{"id": "a", "response": "4", "reference": "4"}], kind, **options)


def test_a_threshold_that_is_the_default_may_be_a_number():
    assert sanmai.score([{"id": "a", "response": "4", "reference": "4"}], threshold=0.5)["summary"]
