"""Imports go down only, and importing has no effect."""

from __future__ import annotations

import ast
import collections
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "sanmai"
FLOORS = [
    {"types", "activity", "config", "extras", "scratch", "stats", "terminal"},
    {"losses", "world", "sandbox", "programs", "older"}, {"data"},
    {"answers", "refusals", "policies"}, {"rewards"}, {"rollout", "train"}, {"search", "cluster", "instruments"},
    {"attack", "score"}, {"learn"}, {"recipes"}, {"pipelines"}, {"plan", "evidence"}, {"desk", "report", "serve"}, {"annotate"},
    {"api"}, {"cli", "__init__"}, {"__main__"},
]
FLOOR = {part: number for number, floor in enumerate(FLOORS) for part in floor}


def imports(path: Path) -> list[str]:
    """Dotted names of all modules that a file imports, also inside functions and under TYPE_CHECKING."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    own = part_of(path)
    for name in imports(path):
        if name.split(".")[0] == "sanmai":
            # `from sanmai import x` is either a module of ours or something from the top.
            part = name.split(".")[1] if name.split(".")[1] in FLOOR else "__init__"
            # Of the ground floor's files, types is the one that the others may know.
            is_ground = part == "types" and FLOOR[own] == 0
            assert part == own or is_ground or FLOOR[part] < FLOOR[own], f"{own} imports {name}"


def test_losses_import_torch_and_nothing_heavier():
    for path in FILES:
        if part_of(path) == "losses":
            roots = {name.split(".")[0] for name in imports(path)}
            assert roots <= {"torch", "sanmai", *sys.stdlib_module_names}, path


def run_python(code: str, cwd: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = "heavy = {'torch', 'transformers', 'peft', 'pyarrow', 'tokenizers', 'datasets', 'numpy'} & set(sys.modules); "


def test_import_sanmai_and_its_help_load_nothing_heavy_and_the_losses_no_transformers(tmp_path):
    code = f"import sys, sanmai; {HEAVY}print(heavy)\nfrom sanmai.cli import app\ntry:\n    app(['--help'])\n"
    code += f"except SystemExit:\n    pass\n{HEAVY}print(heavy)\nimport sanmai.losses; print('transformers' in sys.modules)"
    said = run_python(code, tmp_path)
    assert said.startswith("set()\n") and said.endswith("\nset()\nFalse\n")


NO_EFFECT = """
import importlib, os, pkgutil, random, signal, sys, threading
import numpy, torch, transformers, peft, pyarrow.parquet, pydantic, math_verify, jinja2, rich.live, typer
import sanmai

def state():
    return {
        "environment": dict(os.environ), "threads": torch.get_num_threads(), "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(), "deterministic": torch.are_deterministic_algorithms_enabled(),
        "device": str(torch.get_default_device()), "torch": torch.random.get_rng_state().numpy().tobytes(),
        "random": random.getstate(), "numpy": numpy.random.get_state()[1].tobytes(), "folder": os.listdir("."),
        "sigint": signal.getsignal(signal.SIGINT), "running": threading.active_count(), "cwd": os.getcwd(),
        "verbosity": transformers.logging.get_verbosity(), "matmul": torch.get_float32_matmul_precision(),
    }

before = state()
for module in pkgutil.walk_packages(sanmai.__path__, "sanmai."):
    if module.name != sys.argv[1]:
        importlib.import_module(module.name)
    for name, value in state().items():
        assert value == before[name], (module.name, name)
print("no effect")
"""


def test_importing_any_module_has_no_effect(tmp_path):
    # The command line sets how OpenMP waits when it runs, not when it is imported.
    assert run_python(NO_EFFECT, tmp_path, "") == "no effect\n" and os.listdir(tmp_path) == []


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions and under TYPE_CHECKING count: a circle that is hidden is one."""
    dotted = lambda path: ".".join(["sanmai", *path.relative_to(SOURCE).with_suffix("").parts])  # noqa: E731
    names = {dotted(path).removesuffix(".__init__"): path for path in FILES}
    graph = {}
    for name, path in names.items():
        found = {one if one in names else one.rpartition(".")[0] for one in imports(path)}
        graph[name] = found & names.keys() - {name, "sanmai"}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_no_room_is_larger_than_others_can_balance():
    lines: collections.Counter[str] = collections.Counter()
    for path in FILES:
        lines[part_of(path)] += len(path.read_text(encoding="utf-8").splitlines())
    room, most = lines.most_common(1)[0]
    assert most <= 0.15 * lines.total(), f"{room} has {most} of {lines.total()} lines"


def test_every_part_has_a_floor():
    assert {part_of(path) for path in FILES} <= FLOOR.keys()
