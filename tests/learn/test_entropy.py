"""The weight of the entropy bonus goes where the entropy is wanted, by its rule, and over a resume."""

import json
import shutil

import pytest

import sanmai
from sanmai.learn.entropy import moved
from sanmai.recipes.zero import ZeroConfig
from sanmai.types import InputError

FAST = {"num_steps": 3, "prompts_per_step": 3, "rollouts_per_prompt": 3, "sampling": {"max_tokens": 16},
        "checkpoints": {"every": 1}, "problems": {"world": {"train": 30, "heldout": 2}}}  # fmt: skip


@pytest.mark.parametrize(("coefficient", "entropy", "expected"), [
    (0.01, 0.1, (0.015, 0.015)),  # too sure: more
    (0.01, 0.3, (0.005, 0.0)),  # varied enough: less, and the bonus rests
    (0.01, 0.2, (0.005, 0.005)),  # at the target: less, and it still counts
    (0.002, 0.3, (0.0, 0.0)),  # never below 0
    (0.0195, 0.1, (0.02, 0.02)),  # nor above the maximum
])  # fmt: skip
def test_the_coefficient_is_moved_by_one_step_towards_the_target(coefficient, entropy, expected):
    assert moved(coefficient, entropy, target=0.2, step=0.005, maximum=0.02) == pytest.approx(expected)


@pytest.mark.parametrize(("target", "weights"), [(99.0, [0.01, 0.015, 0.02]), (0.0, [0.01, 0.0, 0.0])])
def test_a_run_moves_its_weight_each_step_and_resumes_to_the_byte(tmp_path, target, weights):
    loss = {"entropy_weight": 0.01, "entropy": {"target": target}}
    whole = sanmai.run("zero", out=tmp_path / "whole", loss=loss, **FAST)
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()][1:]
    assert [line["entropy/weight"] for line in lines] == pytest.approx(weights)
    # The bonus is minus the weight times the entropy of all tokens, whatever has a signal.
    assert [line["loss/entropy"] for line in lines] == pytest.approx(
        [-weight * line["policy/entropy"] for weight, line in zip(weights, lines, strict=True)], rel=1e-4)  # fmt: skip
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    for path in [*(cut / "checkpoints").iterdir(), *(cut / "rollouts").iterdir(), *(cut / "evaluations").iterdir()]:
        if int(path.stem.removeprefix("step-")) > 1:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sanmai.run("zero", out=cut, loss=loss, **FAST)
    for name in ("metrics.jsonl", *(f"checkpoints/step-000003/{part}.safetensors" for part in ("model", "training_state"))):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_a_step_without_a_target_and_a_start_above_the_maximum_are_refused():
    with pytest.raises(InputError, match=r"loss\.entropy\.step = 0\.1 is read only with loss\.entropy\.target"):
        ZeroConfig.read({"loss": {"entropy": {"step": 0.1}}})
    with pytest.raises(InputError, match=r"entropy_weight = 0\.5 is above entropy\.maximum = 0\.1"):
        ZeroConfig.read({"loss": {"entropy_weight": 0.5, "entropy": {"target": 0.2}}})
