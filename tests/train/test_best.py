"""The best checkpoint by a metric is kept beside the newest, named in a file, and the same after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sanmai.config import Config
from sanmai.policies.text import checkpoints
from sanmai.train import runs
from sanmai.train.best import Best, best_of
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import InputError

VALUES = {1: 0.2, 2: 0.9, 4: 0.9, 5: 0.4, 7: 0.1}
"""Steps 3 and 6 are not evaluated."""


class Settings(Config):
    num_steps: int = 7


class Kept(Settings):
    checkpoints: CheckpointsConfig = CheckpointsConfig(best="eval/accuracy", best_is="smallest")


class KilledError(BaseException):
    """Stands for a kill: nothing catches it."""


def line(step: int, **found: object) -> str:
    return json.dumps({"step": step, **found})


def test_the_best_is_the_first_of_the_largest_or_smallest_with_a_checkpoint():
    lines = [line(1, a=1.0), line(2, a=3.0), line(3, b=9.0), "not json", line(4, a=3.0), line(5, a=float("nan")), line(6, a=-1.0)]
    steps = range(1, 7)
    assert best_of(lines, steps, "a", "largest") == Best(2, 3.0) and best_of(lines, steps, "a", "smallest") == Best(6, -1.0)
    assert best_of(lines, [1, 3, 5], "a", "largest") == Best(1, 1.0)
    assert best_of(lines, [3, 5], "a", "largest") is None and best_of([], steps, "a", "largest") is None


def work(folder: Path, until: int, config: CheckpointsConfig, settings: Config | None = None) -> list[str]:
    with Run(folder, "toy", settings or Settings()) as run:
        for step in run.steps(until):
            run.log_step(step, {"eval/accuracy": VALUES[step]} if step in VALUES else {})
            run.save(step, lambda path, step=step: (path / "model").write_text(f"weights {step}") and None, config)
        return list(run.warnings)


def kept(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(("sense", "kept_steps", "value"), [("largest", [2, 6, 7], 0.9), ("smallest", [6, 7], 0.1)])
def test_a_run_keeps_the_newest_and_the_best_and_names_it(tmp_path, sense, kept_steps, value):
    work(tmp_path, 7, CheckpointsConfig.read({"best": "eval/accuracy", "best_is": sense}))
    assert kept(tmp_path) == kept_steps
    best = kept_steps[0] if sense == "largest" else 7
    expected = {"metric": "eval/accuracy", "value": value, "step": best, "checkpoint": f"checkpoints/step-{best:06d}"}
    assert json.loads((tmp_path / "best.json").read_text()) == expected
    assert (tmp_path / expected["checkpoint"] / "model").read_text() == f"weights {best}"


def test_a_run_that_was_interrupted_keeps_the_same(tmp_path):
    config = CheckpointsConfig(best="eval/accuracy")
    work(tmp_path / "whole", 7, config)
    work(tmp_path / "cut", 5, config)
    (tmp_path / "cut/checkpoints/step-000005/model").write_text("damaged")  # the run goes back to step 4
    work(tmp_path / "cut", 7, config)
    assert kept(tmp_path / "cut") == kept(tmp_path / "whole") == [2, 6, 7]
    assert (tmp_path / "cut/best.json").read_bytes() == (tmp_path / "whole/best.json").read_bytes()


@pytest.mark.parametrize("window", ["drop_old_checkpoints", "rmtree", "write_whole"])
def test_killed_after_its_last_commit_the_same_command_drops_and_names_what_the_whole_run_does(tmp_path, monkeypatch, window):
    """The windows behind the rename that commits the last step: no later step drops old checkpoints or names the best."""
    config = Kept().checkpoints
    work(tmp_path / "whole", 7, config, Kept())
    work(tmp_path / "cut", 6, config, Kept())

    write_whole = runs.write_whole

    def killed(*arguments: Any, **named: Any) -> None:
        name = Path(str(arguments[0])).name
        is_best = name == "best.json" and '"step": 7' in str(arguments[1])
        if is_best or name in ("cut", "step-000005"):  # what each of the three is called with behind the commit
            raise KilledError
        if window == "write_whole":
            write_whole(*arguments, **named)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        module = {"rmtree": checkpoints.shutil, "write_whole": runs}.get(window, checkpoints)
        patch.setattr(module, window, killed)
        work(tmp_path / "cut", 7, config, Kept())
    assert kept(tmp_path / "cut")[-1] == 7
    work(tmp_path / "cut", 7, config, Kept())
    assert kept(tmp_path / "cut") == kept(tmp_path / "whole") == [6, 7]
    assert (tmp_path / "cut/best.json").read_bytes() == (tmp_path / "whole/best.json").read_bytes()


def test_without_the_setting_nothing_is_kept_or_written(tmp_path):
    work(tmp_path, 7, CheckpointsConfig())
    assert kept(tmp_path) == [6, 7] and not (tmp_path / "best.json").exists()


def test_a_metric_that_no_checkpoint_has_is_said_once_and_a_sense_without_a_metric_is_refused(tmp_path):
    said = work(tmp_path, 4, CheckpointsConfig(best="eval/acuracy"))
    assert len(said) == 1 and said[0].startswith("checkpoints.best = 'eval/acuracy': the metrics of step 1 have no such number")
    with pytest.raises(InputError, match="best_is = 'smallest' is read only with best"):
        CheckpointsConfig.read({"best_is": "smallest"})
