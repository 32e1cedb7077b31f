"""Flows rewarded and judged by a scorer in a process of its own: recorded, resumed, told of, and read back."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console

from sanmai.api.verbs import score
from sanmai.learn.progress import Progress
from sanmai.plan.flow import describe_flow
from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.policies.flow.reward import new_flow_reward
from sanmai.policies.flow.video_reward import load_reward_of_clips
from sanmai.recipes.flow import FlowConfig, FlowSteps, run_flow
from sanmai.recipes.flow_evaluate import FlowEvaluateConfig, describe_flow_evaluate, run_flow_evaluate
from sanmai.report import write_report
from sanmai.report.summary import summarise
from sanmai.rewards.clips import ClipGrades, judged
from sanmai.rewards.scorer import Asked, Scorer, ScorerConfig, close_all
from sanmai.rewards.scorer_records import Judged
from sanmai.types import Drawn, InputError, Problem, StopReason
from sanmai.world import shapes
from sanmai.world.clips import Untold
from tiny_models import save_vision_folder

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "tests" / "rewards" / "scorer_stub.py"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    policy = load_flow(FlowModelConfig(width=16, depth=1, heads=2), shapes.SHAPE, shapes.WORDS)
    with torch.no_grad():
        policy.weights["write.bias"].fill_(0.9)
    policy.save(folder)
    return folder


@pytest.fixture(autouse=True)
def ended():
    yield
    close_all()


def command(how: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return shlex.join([sys.executable, str(STUB), how, str(folder)])


def config(base: Path, **more) -> FlowConfig:
    small = {
        "method": "dpo", "num_steps": 4, "clips_per_step": 8, "checkpoints": {"every": 2}, "own": {"groups": 12},
        "evaluation": {"clips_per_prompt": 1}, "sampling": {"steps": 3}, "model": {"name": str(base)},
    }  # fmt: skip
    return FlowConfig.read({**small, **more})


def told(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "scored"]


def batches(folder: Path) -> int:
    return len((folder / "batches").read_text().splitlines())


def test_its_scores_reward_by_their_weights_and_are_told_of(base, tmp_path):
    rewarded = {"scorer": {"command": command("well", tmp_path / "told")}, "scorer_weights": {"TA": 2.0}}
    settings = config(base, reward=rewarded)
    said = io.StringIO()
    run = run_flow(settings, tmp_path / "run", progress=Progress(Console(file=said, width=200)))
    rows = pq.read_table(run / "rollouts" / "step-000000.parquet").to_pylist()
    assert all(row["reward"] == pytest.approx(row["score/VQ"] + 2.0 * row["score/TA"]) for row in rows)
    assert {"score/quality", "score/harm"} <= rows[0].keys()  # truth stands beside it
    assert rows[0]["reason/VQ"] == "Stub"
    [first, last] = told(run)
    assert (first["where"], first["items"], first["starts"], first["ungraded"]) == ("reward.scorer", 24 + 12, 1, 0)
    assert last["items"] == 12 and last["starts"] == 0  # kept warm
    facts = json.loads((run / "environment.json").read_text())
    assert facts["origin"]["reward"] == first["by"] and first["by"].startswith("Stub 1 (VQ, TA; digest ")
    assert f"Reward: {first['by']}.\n" in said.getvalue()
    lines = summarise(run)["lines"]
    assert any(line.startswith(f"reward.scorer: {first['by']} scored 48 samples in ") for line in lines), lines
    assert any("Score: VQ" in line for line in lines) and first["by"] in write_report(run).read_text()
    planned = list(describe_flow(settings, tmp_path / "other", measure=False))
    assert "Reward: the scorer Stub (VQ 1, TA 2)." in planned and any(first["by"] in line for line in planned)


def test_a_run_that_was_killed_goes_on_with_what_the_scorer_said_before(base, tmp_path, monkeypatch):
    """The scorer draws its scores at random: only a record can give them a second time."""
    settings = config(base, reward={"scorer": {"command": command("random", tmp_path / "told")}})
    update = FlowSteps.update

    def dying(self, step):
        if step == 4:
            raise SystemExit
        return update(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(FlowSteps, "update", dying)
        with pytest.raises(SystemExit):
            run_flow(settings, tmp_path / "run")
    own = pq.read_table(tmp_path / "run" / "rollouts" / "step-000000.parquet").column("score/VQ").to_pylist()
    started = pq.read_table(tmp_path / "run" / "evaluations" / "step-000000.parquet").column("score/VQ").to_pylist()
    asked = batches(tmp_path / "told")
    seen = {}
    draw = FlowSteps._draw_own

    def watched(self, start):
        found = draw(self, start)
        seen["own"] = [r.verdicts["VQ"].score for group in found.groups for r in group.rollouts]
        return found

    monkeypatch.setattr(FlowSteps, "_draw_own", watched)
    run_flow(settings, tmp_path / "run")
    assert seen["own"] == own
    assert batches(tmp_path / "told") == asked + 2  # the last evaluation's twelve clips alone, eight at once
    [*_, last] = told(tmp_path / "run")
    assert last["recorded"] == len(own) + len(started) and last["items"] == last["recorded"] + 12
    finished = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    run_flow(settings, tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == finished


def test_another_scorer_is_no_reward_to_go_on_with(base, tmp_path):
    run_flow(config(base, reward={"scorer": {"command": command("well", tmp_path / "told")}}), tmp_path / "run")
    text = (tmp_path / "run" / "config.toml").read_text()
    script = tmp_path / "mine.py"
    script.write_text(STUB.read_text().replace('"Stub"', '"Other"'))
    other = shlex.join([sys.executable, str(script), "well", str(tmp_path / "told")])
    (tmp_path / "run" / "config.toml").write_text(text.replace(str(STUB), str(script)))
    with pytest.raises(InputError, match="Other 1"):
        run_flow(config(base, reward={"scorer": {"command": other}}), tmp_path / "run")


def test_a_judge_of_the_evaluation_rewards_nothing_and_its_nulls_are_counted(base, tmp_path):
    plain = run_flow(config(base), tmp_path / "plain")
    judge = {"clips_per_prompt": 1, "judge": {"command": command("null", tmp_path / "told"), "at_once": 4}}
    run = run_flow(config(base, evaluation=judge), tmp_path / "run")
    weights = [(r / "checkpoints" / "step-000004" / "model.safetensors").read_bytes() for r in (plain, run)]
    assert weights[0] == weights[1]
    rows = pq.read_table(run / "evaluations" / "step-000004.parquet").to_pylist()
    assert sum(row["score/judge_TA"] is None for row in rows) == 3 and rows[0]["reason/judge_TA"] == "Stub: too dark"
    assert "score/judge_VQ" not in pq.read_table(run / "rollouts" / "step-000000.parquet").column_names
    metrics = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"eval/judge_VQ", "eval/win_judge_VQ", "eval/win_rate"} <= metrics.keys()
    assert [event["ungraded"] for event in told(run)] == [3, 3]
    facts = json.loads((run / "environment.json").read_text())
    assert facts["graders"]["evaluation.judge"].startswith("Stub 1")
    assert "evaluation.judge: Stub 1" in " ".join(summarise(run)["lines"])


def test_an_evaluation_asks_its_scorer(base, tmp_path):
    reward = {"scorer": {"command": command("random", tmp_path / "told")}, "scorer_weights": {"TA": 2.0}}
    settings = FlowEvaluateConfig.read({"model": {"name": str(base)}, "rounds": 1, "sampling": {"steps": 3}, "reward": reward})
    run = run_flow_evaluate(settings, tmp_path / "run")
    rows = pq.read_table(run / "evaluations" / "step-000000.parquet").to_pylist()
    assert all(row["reward"] == pytest.approx(row["score/VQ"] + 2.0 * row["score/TA"]) for row in rows)
    assert {"score/quality", "score/harm"} <= rows[0].keys()  # truth stands beside it
    assert json.loads((run / "environment.json").read_text())["origin"]["reward"].startswith("Stub 1 (VQ, TA; digest ")
    assert [(event["where"], event["items"]) for event in told(run)] == [("reward.scorer", len(rows))]
    assert any("judged by the scorer Stub" in line for line in describe_flow_evaluate(settings, tmp_path / "o", measure=False))


@pytest.mark.parametrize(("settings", "why"), [
    ({"reward": {"scorer_weights": {"VQ": 1.0}}}, "scorer_weights.*read only with reward.scorer"),
    ({"reward": {"scorer": {"seconds": 5.0}}}, "seconds.*read only with reward.scorer.command"),
    ({"reward": {"custom": "a.py:f", "scorer": {"command": "x"}}}, "custom beside scorer: expected one of them"),
    ({"method": "pretrain", "own": {}, "model": {}, "reward": {"scorer": {"command": "STUB well"}}}, "rewards nothing"),
    ({"reward": {"scorer": {"command": "STUB well"}, "scorer_weights": {"VK": 1.0}}}, "no such dimension; it has VQ, TA"),
    ({"reward": {"scorer": {"command": "STUB well"}, "scorer_weights": {"VQ": 0.0, "TA": 0.0}}}, "every dimension of Stub"),
    ({"reward": {"scorer": {"command": "STUB dies_at_load"}}}, "no weights in checkpoint/model.pth"),
    ({"reward": {"scorer": {"command": "ocr"}}}, "asks for no text; expected one in quotes"),
])  # fmt: skip
def test_what_cannot_work_is_said_before_anything_is_drawn(base, tmp_path, settings, why):
    text = json.dumps(settings).replace("STUB ", f"{sys.executable} {STUB} ").replace("well", f"well {tmp_path}")
    text = text.replace("dies_at_load", f"dies_at_load {tmp_path}")
    with pytest.raises(InputError, match=why):
        run_flow(config(base, **json.loads(text)), tmp_path / "run")
    assert not (tmp_path / "run" / "rollouts").exists()


def small_reward(folder: Path):
    return new_flow_reward(FlowModelConfig(width=16, depth=1, heads=2), shapes.SHAPE, shapes.WORDS)


def small_vision_language_reward(folder: Path):
    text = "a square cross plus moving left right up down " * 20
    return load_reward_of_clips(FlowModelConfig(name=str(save_vision_folder(folder, "qwen2_vl", text=text))), shapes.SHAPE)


@pytest.mark.parametrize("make", [small_reward, small_vision_language_reward])
def test_the_example_scores_as_the_reward_model_itself(make, tmp_path):
    """The process has Sanmai here; the lines it reads and writes are all that it shares with this one."""
    model = make(tmp_path / "made")
    model.scale = {name: (0.1 * k, 1.0 + k) for k, name in enumerate(model.scale)}
    (tmp_path / "rm").mkdir()
    model.save(tmp_path / "rm")
    clip = np.random.default_rng(0).integers(0, 256, (2, *shapes.SHAPE), dtype=np.uint8)
    prompts = shapes.prompts()[:2]
    script = ROOT / "examples" / "scorers" / "videoreward.py"
    words = ["env", f"PYTHONPATH={ROOT / 'src'}", sys.executable, str(script), str(tmp_path / "rm")]
    scorer = Scorer(ScorerConfig(command=shlex.join(words)), "x")
    found = scorer.ask([Asked(p, clip_FHWC=clip[k, ..., None]) for k, p in enumerate(prompts)])
    scorer.close()
    expected = model.scores_of(torch.from_numpy(clip).float() / 255.0, prompts)
    for own, head in (("VQ", "visual"), ("MQ", "motion"), ("TA", "alignment")):
        assert [one.scores[own] for one in found] == pytest.approx(expected[head].tolist(), abs=1e-5)
    assert scorer.told.startswith("VideoReward ")


def test_recorded_clips_and_pictures_are_scored_by_the_command(base, tmp_path):
    run = run_flow(config(base, method="evaluate", own={}, num_steps=250, clips_per_step=128, checkpoints={}), tmp_path / "run")
    judge = command("null", tmp_path / "told")
    found = score(run / "evaluations" / "step-000000.parquet", "clips", judge=judge)
    assert found["summary"]["n"] == 12 and found["summary"]["ungradable"] == 2  # the first of each batch of eight
    assert found["summary"]["dimensions"]["VQ"]["n"] == 12 and found["summary"]["judge"]["by"].startswith("Stub 1")
    row = found["rows"][1]
    assert row["score"] == pytest.approx(row["scores"]["VQ"] + row["scores"]["TA"]) and found["rows"][0]["score"] is None
    from PIL import Image

    Image.new("RGB", (8, 6), "red").save(tmp_path / "red.png")
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"id": "a", "prompt": "red", "image": "red.png"}) + "\n" + json.dumps({"prompt": "no"}) + "\n")
    with pytest.raises(InputError, match="row 2: no `image`, `frames` or `clip`"):
        score(file, "clips", judge=judge)
    file.write_text(json.dumps({"id": "a", "prompt": "red", "frames": ["red.png"] * 3, "fps": 2.0}) + "\n")
    assert score(file, "clips", judge=command("well", tmp_path / "more"))["rows"][0]["id"] == "a"
    assert json.loads((tmp_path / "more" / "item.json").read_text())["fps"] == 2.0
    with pytest.raises(InputError, match="without --judge"):
        score(file, "clips")


def test_where_nobody_rewards_and_nobody_knows_the_truth_a_judge_still_tells(tmp_path):
    problem = Problem("p/0", ({"role": "user", "content": "a dot"},))
    content = SimpleNamespace(clip_FHW=torch.rand(1, 4, 6, 3))
    drawn = Drawn(problem.id, 0, [], [], [], StopReason.STOP, 0, "", content=content)
    [graded] = ClipGrades({"visual": 1.0}, world=Untold([problem])).grade_together([(problem, drawn.graded())])
    assert graded.reward is None and graded.verdicts == {}
    scorer = Scorer(ScorerConfig(command=command("well", tmp_path / "told")), "evaluation.judge")
    [told] = judged(Judged(scorer, None, pytest.fail), [(problem, graded)])
    scorer.close()
    assert told["TA"].score is not None and told["TA"].label == "graded"
