"""The benchmarks run at smoke size (`pytest -m bench`: each starts several processes), and their arithmetic is right."""

import json
import subprocess
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
NEEDS_TRL = ("vs_trl", "memory", "time_to_accuracy")
NAMES = ("vs_generate", "busy", "scaling", "sandbox", "scale_validation", *NEEDS_TRL)


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return lambda name: __import__(name)


@pytest.mark.bench
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs_at_smoke_size_and_writes_what_it_measured(name, tmp_path):
    if name in NEEDS_TRL and find_spec("trl") is None:
        pytest.skip("TRL is not installed")
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--smoke", "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["runs"] and found["facts"]["torch"] in done.stdout


def test_every_benchmark_finds_what_it_imports():
    code = (
        "import importlib, pathlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.py')): importlib.import_module(path.stem)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(FOLDER)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_process_that_times_others_does_not_import_torch():
    # A child's peak memory starts at its parent's size.
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import {', '.join(NAMES)}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr


def test_a_ratio_is_one_of_medians_and_its_range_is_taken_within_repeats(load):
    # Medians 4 and 2; repeat by repeat 2/1, 4/4, 6/2.
    assert load("common").ratio_cell([2.0, 4.0, 6.0], [1.0, 4.0, 2.0]).strip() == "2.00 (1.00..3.00)"


def test_the_slope_of_memory_is_found_behind_the_steps_that_warm_up(load):
    # 100 MB at warm-up, then 0.02 MB a step: 2 MB per 100 steps, exactly.
    growth, low, high = load("scaling").slope([100.0] * 100 + [200 + 0.02 * step for step in range(400)])
    assert (growth, low, high) == pytest.approx((2.0, 2.0, 2.0))


def test_memory_that_goes_up_and_down_has_an_interval_around_zero(load):
    growth, low, high = load("scaling").slope([100.0 + (step // 20 % 2) for step in range(500)])
    assert low < 0 < high and low < growth < high


def test_each_axis_doubles_alone(load):
    args = Namespace(prompts=8, group=4, max_tokens=64, layers=0, size="small", axes=["length", "model"], doublings=2)
    settings = load("scaling").settings_of(args)
    start = {"prompts": 8, "group": 4, "max_tokens": 64, "layers": 4}
    assert settings == {
        ("", 0): start,
        ("length", 1): start | {"max_tokens": 128},
        ("length", 2): start | {"max_tokens": 256},
        ("model", 1): start | {"layers": 8},
        ("model", 2): start | {"layers": 16},
    }


def test_an_accuracy_that_is_never_reached_is_said_and_gives_no_ratio(load):
    module = load("time_to_accuracy")
    setting = {"dtype": "float32", "threads": 1, "rows": 4}
    hit = {"step": 2, "seconds": 3.0, "accuracy": 0.9}
    runs = [
        {"contender": "TRL", "seed": 0, "hit": None, "step_seconds": [1.0, 1.0]},
        {"contender": "Sanmai", "seed": 0, "hit": hit, "step_seconds": [1.5, 1.5]},
    ]
    text = module.report(Namespace(target=0.8, max_steps=2), {"TRL": setting, "Sanmai": setting}, runs)
    assert "0.80 was not reached in 2 steps by: TRL seed 0" in text
    assert "ratio" not in text


def test_completions_are_cut_behind_their_first_stop_token(load):
    cut = load("vs_generate").cut
    assert [cut([5, 1, 7, 1], [1, 2]), cut([5, 6], [1]), cut([1], [1])] == [[5, 1], [5, 6], [1]]


def test_accuracy_is_read_off_the_line_through_the_evaluations_and_equality_needs_a_narrow_interval(load):
    staleness = load("staleness")
    line = [(0.0, 40.0), (10.0, 60.0), (20.0, 90.0)]
    assert [staleness.at(line, place) for place in (0, 5, 10, 12, 20)] == [40.0, 50.0, 60.0, 66.0, 90.0]
    given = {"narrow": [-0.5, 0.5, 0, 0], "wide": [-9, 9, 0, 0], "lower": [-1, -1.1, -0.9, -1], "far": [-8, -8.1, -7.9]}
    ends = {name: staleness.verdict(values).rpartition("| ")[2] for name, values in given.items()}
    assert ends == {"narrow": "as good", "wide": "undecided", "lower": "as good and worse", "far": "worse"}
    arms = {0: {1: (line, line), 2: (line, line)}, 1: {1: (line, line), 2: (line, line)}}
    assert staleness.table(arms)[-1] == "| 1 | T tokens | +0.00 [+0.00, +0.00] | [+0.00, +0.00] | as good |"


def test_shares_of_languages_have_each_seeds_value_behind_them(load):
    seeds = [({"right": {"de": 0.0}, "in its language": {"de": 60.0 + b}}, {"right": {"de": b}, "in its language": {"de": b}})
             for b in (10.0, 20.0, 30.0)]  # fmt: skip
    # t(2) = 4.303, deviation 10: 20 -+ 4.303 * 10 / sqrt(3) = 20 -+ 24.8, cut at 0. None of 3: Wilson's 3.84 / 6.84 = 56 %
    assert load("language_seeds").table({"A": seeds})[2] == (
        "| A | de | 0 [0, 56] (0 · 0 · 0) | 20 [0, 45] (10 · 20 · 30) | 80 [55, 100] (70 · 80 · 90) | 20 [0, 45] (10 · 20 · 30) |"
    )
