"""A scorer in a process of its own rewards texts as it does clips: by the same lines, recorded and told of."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sanmai.plan.forecast import describe
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes import zero as zero_module
from sanmai.recipes.zero import ZeroConfig, run_zero
from sanmai.report.summary import summarise
from sanmai.rewards.scorer import close_all
from sanmai.types import InputError

STUB = Path(__file__).resolve().parents[1] / "rewards" / "scorer_stub.py"


@pytest.fixture(autouse=True)
def ended():
    yield
    close_all()


def command(how: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return shlex.join([sys.executable, str(STUB), how, str(folder)])


def config(how: str, folder: Path, **more) -> ZeroConfig:
    return ZeroConfig.read({
        "num_steps": 3, "prompts_per_step": 2, "rollouts_per_prompt": 2, "sampling": {"max_tokens": 8},
        "checkpoints": {"every": 2},
        "problems": {"world": {"train": 40, "heldout": 4}},
        "rewards": {"accuracy": 0, "scorer": {"command": command(how, folder)}, "scorer_weights": {"TA": -0.5}}, **more,
    })  # fmt: skip


def rows(run: Path, step: int, folder: str = "rollouts") -> list[dict]:
    return pq.read_table(run / folder / f"step-{step:06d}.parquet").to_pylist()


def test_texts_are_rewarded_by_its_dimensions(tmp_path):
    settings = config("well", tmp_path / "told")
    run = run_zero(settings, tmp_path / "run")
    for row in rows(run, 1):
        assert row["score/VQ"] == row["score/TA"] == len(row["text"])  # what it says of a text
        assert row["reward"] == pytest.approx(0.5 * len(row["text"]))  # weights 1 and -0.5
    item = json.loads((tmp_path / "told" / "item.json").read_text())
    assert item.keys() == {"id", "prompt", "completion", "answer"}
    facts = json.loads((run / "environment.json").read_text())
    assert facts["origin"]["reward"].startswith("Stub 1 (VQ, TA; digest ")
    line = next(line for line in summarise(run)["lines"] if line.startswith("rewards.scorer: Stub 1"))
    assert "scored 20 samples" in line  # 3 steps of 4, and 4 held out before and after
    recipe = find_recipe("zero")
    values = {"rewards": settings.rewards.model_dump(mode="json", exclude_none=True), "problems": {"world": {"train": 40}}}
    planned = list(describe(recipe, resolve(recipe, None, values=values), tmp_path / "other", measure=False))
    assert any("The scorer Stub 1" in line for line in planned) and any("1 x VQ + -0.5 x TA" in line for line in planned)


def test_after_a_kill_what_was_scored_is_not_asked_again(tmp_path, monkeypatch):
    settings = config("random", tmp_path / "told")
    update = zero_module.Learner.update

    def dying(self, written, step, *rest, **named):
        if step == 2:
            raise SystemExit
        return update(self, written, step, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(zero_module.Learner, "update", dying)
        with pytest.raises(SystemExit):
            run_zero(settings, tmp_path / "run")
    first = rows(tmp_path / "run", 1)
    run_zero(settings, tmp_path / "run")  # from the beginning: there was no checkpoint yet
    assert [row["score/VQ"] for row in rows(tmp_path / "run", 1)] == [row["score/VQ"] for row in first]


@pytest.mark.parametrize(("rewards", "why"), [
    ({"scorer_weights": {"VK": 1.0}}, "Stub has no such dimension; it has VQ, TA"),
    ({"scorer": {"command": "no-such-thing"}}, "no-such-thing is no command"),
])  # fmt: skip
def test_what_cannot_work_is_said_first(tmp_path, rewards, why):
    asked = {"accuracy": 0, "scorer": {"command": command("well", tmp_path / "told")}, **rewards}
    with pytest.raises(InputError, match=why):
        run_zero(config("well", tmp_path / "told", rewards=asked), tmp_path / "run")


def test_a_dimension_does_not_take_the_name_of_another_reward(tmp_path):
    asked = {"accuracy": 0, "scorer": {"command": command("harmful", tmp_path / "told")}}
    with pytest.raises(InputError, match="it has a dimension 'harm', and there is a reward of that name already"):
        run_zero(config("well", tmp_path / "told", rewards=asked), tmp_path / "run")
