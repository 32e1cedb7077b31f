"""The command line as a user meets it: what it prints, and what it says to bad input."""

import contextlib
import io
import json
import subprocess
import sys
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

import sanmai as package
from sanmai.cli import app, main
from sanmai.pipelines.r1 import graph
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError


def sanmai_here(*arguments: str) -> subprocess.CompletedProcess:
    """What `sanmai` does and says, in this process: no other Python has to start."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch("sys.argv", ["sanmai", *arguments]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


SMALL = [
    "--set",
    "num_steps=2",
    "--set",
    "prompts_per_step=4",
    "--set",
    "rollouts_per_prompt=4",
    "--set",
    "problems.world.heldout=20",
    "--set",
    "evaluation.every=0",
]


def test_a_small_run_prints_a_line_per_step_a_summary_and_the_report(forking, tmp_path):
    def sanmai(*words, **options):
        return forking.finish(words, cwd=tmp_path, **options)

    out = tmp_path / "run"
    said = sanmai("run", "zero", "--out", out, *SMALL)
    assert "step 1/2" in said and "step 2/2" in said
    assert f"Report: {out / 'report.html'}" in said.replace("\n", "")
    assert "step 1/2" not in sanmai("run", "zero", "--out", out, *SMALL)
    sanmai("export", out, tmp_path / "model")
    assert not [p for p in (tmp_path / "model").iterdir() if str(tmp_path).encode() in p.read_bytes()]
    assert sanmai("chat", tmp_path / "model", "--max-tokens", "40", stdin="what is 2 plus 3 ?\n").strip()
    (out / "report.html").unlink()
    sanmai("report", out)
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "zro"], ["zro", "zero"]),
        (["run", "zero", "--set", "rewards.langage=0.3"], ["rewards.langage", "rewards.language"]),
        (["run", "zero", "--set", "num_steps=-1"], ["num_steps", "-1"]),
        (["run", "zero", "--set", "optimizer.lr=nan"], ["optimizer.lr", "nan"]),
        (["run", "zero", "--set", "rollouts_per_prompt=1"], ["rollouts_per_prompt", "1"]),
        (["run", "zero", "--set", "loss.reference_reset_steps=5"], ["kl_weight"]),
        (["run", "zero", "--set", "no-equals-sign"], ["KEY=VALUE"]),
        (["run", "zero", "--from", "dev1"], ["--from dev1", "zero has no stages", "r1"]),
        (["run", "sft", "--only", "dev1"], ["--only dev1", "sft has no stages", "r1"]),
        (["run", "zero", "--config", "missing.toml"], ["missing.toml"]),
        (["run", "zero", "--set", "model.name=./nowhere"], ["./nowhere"]),
        (["run", "zero", "--set", "model.device=cuda:99"], ["cuda:99"]),
        (["run", "zero", "--set", "problems.source=nothing.jsonl"], ["nothing.jsonl"]),
        (["report", "nowhere"], ["nowhere"]),
        (["score", "nothing.jsonl"], ["nothing.jsonl"]),
        (["doctor", "--replay", "nowhere"], ["nowhere"]),
        (["export", "tiny", "/dev/null/x"], ["/dev/null/x"]),
    ],
)
def test_bad_input_gets_one_clear_sentence_and_exit_code_2(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    done = sanmai_here(*arguments)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in expected), done.stderr


def test_debug_shows_the_traceback(forking, tmp_path):
    command = forking.start(["run", "zro", "--debug"], cwd=tmp_path)
    assert command.wait() == 1 and "Traceback" in command.output


def test_score_writes_the_documented_json(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [
        {"id": "a", "prompt": "2+3?", "response": r"It is \boxed{5}.", "reference": "5"},
        {"id": "b", "prompt": "2+3?", "response": r"It is \boxed{6}.", "reference": "5"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = sanmai_here("score", str(file), "--as", "math")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kind"] == "math" and [row["score"] for row in result["rows"]] == [1.0, 0.0]
    assert set(result["rows"][0]) == {"id", "score", "label", "reason"} and result["summary"]["n"] == 2


@pytest.mark.parametrize(
    ("command", "folder"),
    [(["chat"], "pipeline"), (["export"], "pipeline model"), (["sample"], "pipeline world --set problems.limit=2")],
)
def test_a_pipeline_in_place_of_a_model_is_told_where_its_models_are(tmp_path, monkeypatch, command, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline" / "stages" / "r1-77").mkdir(parents=True)
    (tmp_path / "pipeline" / "graph.json").write_text("[]")
    done = sanmai_here(*command, *folder.split())
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "'pipeline': this is a pipeline's folder" in done.stderr and "pipeline/stages/NAME-DIGEST" in done.stderr
    assert "r1-77" not in done.stderr  # it is not finished
    (tmp_path / "pipeline" / "stages" / "r1-77" / "stage.json").write_text("{}")
    assert "r1 is pipeline/stages/r1-77" in sanmai_here(*command, *folder.split()).stderr


@pytest.mark.parametrize(("again", "advice"), [([], "The same command goes on"), (["--from", "dev1"], "without --from")])
def test_ctrl_c_between_the_steps_of_a_pipeline_says_how_many_stages_are_finished(tmp_path, monkeypatch, again, advice):
    found = graph(resolve(find_recipe("r1")), tmp_path)  # type: ignore[arg-type]

    def interrupted(*_, **__):
        found.write("")
        for name in ("data", "score_base"):
            found.path(name).mkdir(parents=True)
            (found.path(name) / "stage.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr("sanmai.pipelines.r1.run_r1", interrupted)
    done = CliRunner().invoke(app, ["run", "r1", "--out", str(tmp_path), *again])
    assert done.exit_code == 130
    assert f"Stopped. 2 of {len(found.stages)} stages are finished; next: zero." in done.output and advice in done.output
    assert "Nothing was saved" not in done.output


def test_python_chooses_stages_of_a_pipeline_as_the_command_line_does(tmp_path):
    for option in ("since", "until", "only"):
        with pytest.raises(InputError, match="dev9: no such stage; expected one of data"):
            package.run("r1", out=tmp_path / "r1", **{option: "dev9"})
        with pytest.raises(InputError, match=f"{option} = 'dev1': the recipe zero has no stages"):
            package.run("zero", out=tmp_path / "zero", **{option: "dev1"})
    assert not (tmp_path / "zero").exists()
    run = package.run("r1", out=tmp_path / "r1", only="data", data={"reasoning_limit": 20, "evaluation_limit": 4})
    assert [path.parent.name.split("-")[0] for path in run.folder.glob("stages/*/stage.json")] == ["data"]
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("recipe", ["zero", "sft", "pretrain", "evaluate", "preferences", "gather"])
def test_a_plan_without_measuring_says_what_would_happen_and_writes_nothing(tmp_path, monkeypatch, recipe):
    monkeypatch.chdir(tmp_path)
    done = sanmai_here("plan", recipe, "--no-measure")
    assert done.returncode == 0, done.stderr
    assert f"Recipe {recipe}" in done.stdout and list(tmp_path.iterdir()) == []


def test_a_plan_lists_the_settings():
    assert "num_steps" in sanmai_here("plan", "zero", "--settings").stdout


def test_doctor_says_what_works_in_a_process_of_its_own():
    command = [sys.executable, "-m", "sanmai", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "embedded model: loads" in done.stdout and "child process: works" in done.stdout
    assert "bfloat16 arithmetic is" in done.stdout and "GFLOP/s" in done.stdout and "memory allocator" in done.stdout


def test_help_cuts_off_no_sentence_at_the_width_of_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = sanmai_here("--help").stdout
    assert "  audit " in said and [line for line in said.splitlines() if line.startswith("  ") and line.endswith("...")] == []


def test_a_slip_in_the_name_of_a_run_is_told_at_once_and_never_asked_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "runs" / "zero-1").mkdir(parents=True)
    (tmp_path / "runs" / "zero-1" / "config.toml").write_text('recipe = "zero"\n')
    monkeypatch.chdir(tmp_path)
    for words in (("export", "runs/zero-2", "x"), ("chat", "runs/zero-2"), ("report", "runs/zero-2"), ("cost", "runs/zero-2")):
        said = sanmai_here(*words)
        assert said.returncode == 2 and "runs/zero-2" in said.stderr and "no such folder" in said.stderr, said
