"""What works on this machine, and why a step failed."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sanmai.extras import EXTRAS, install
from sanmai.programs.run import describe_isolation


def examine() -> Iterator[str]:
    """One line per finding."""
    import torch

    from sanmai.learn.machine import malloc_settings, matrix_rate
    from sanmai.policies.cores import available_cores, native_bfloat16
    from sanmai.policies.text.cpu.native import native

    cores = available_cores()
    yield f"Python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores, {cores} of them for this process"
    for name in ("torch", "transformers", "tokenizers", "peft", "pyarrow", "math-verify"):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: MISSING; reinstall with `pip install -c constraints.txt -e .`"
    bf16 = {True: "native", False: "emulated (slow)", None: "unknown"}[native_bfloat16()]
    yield f"cpu: works; bfloat16 arithmetic is {bf16}"
    cpu = torch.device("cpu")
    rates = {dtype: matrix_rate(cpu, getattr(torch, dtype), cores) / 1e9 for dtype in ("float32", "bfloat16")}
    yield (
        f"matrix products on {cores} core{'s' if cores > 1 else ''}: float32 {rates['float32']:,.0f} GFLOP/s, bfloat16 "
        f"{rates['bfloat16']:,.0f} GFLOP/s"
    )
    malloc = ", ".join(f"{name}={value}" for name, value in malloc_settings().items())
    yield f"memory allocator: {malloc or 'no setting in the environment'}"
    yield f"cuda: {torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'not on this machine'}"
    yield f"mps: {'works' if torch.backends.mps.is_available() else 'not on this machine'}"
    kernel = native()
    effect = "sampling and training on a CPU use them" if kernel.library else "everything works without them, slower"
    yield f"compiled kernels: {kernel.reason}; {effect}"
    yield from extras_lines()
    yield _model_line()
    yield _grader_line()
    yield from describe_isolation()
    yield _disk_line()


def extras_lines() -> Iterator[str]:
    """A line per extra: whether its packages are there; at last how others come."""
    absent: list[str] = []
    for name, extra in EXTRAS.items():
        absent += [name] if extra.missing else []
        yield f"extra {name} ({extra.use}): " + (f"lacks {', '.join(extra.missing)}" if extra.missing else "installed")
    if absent:
        yield f"extras are installed {install(','.join(absent))}"


def replay_lines(bundle: Path) -> Iterator[str]:
    """What a failed step's bundle shows, worst rows first."""
    from sanmai.train.forensics import replay

    found = replay(bundle)
    yield f"The step stopped because: {found.reason}"
    if found.parameters:
        yield f"Not finite, in value or gradient, in {len(found.parameters)} tensors, the first {found.parameters[0]}"
    else:
        yield "Replayed, every weight and gradient is finite."
    for row in found.rows[:20]:
        name = row["problem_id"] + (f" sample {row['sample']}" if "sample" in row else "")
        broken = f", not finite at tokens {row['bad_tokens'][:8]}" if row["bad_tokens"] else ""
        streams = "" if row["streams_finite"] else ", its weights (advantage) are not finite"
        yield (
            f"{name}: advantage {row.get('advantage', 0.0):+.3f}, log-ratio mean {row['mean_log_ratio']:+.4g}, "
            f"worst {row['worst_log_ratio']:.4g}{broken}{streams}"
        )


def _model_line() -> str:
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy

    policy = load_policy(ModelConfig(), for_training=False)
    return f"embedded model: loads, {policy.num_parameters:,} parameters"


def _grader_line() -> str:
    from sanmai.rewards.score import score

    rows = [{"id": "1", "prompt": "", "response": r"\boxed{\frac{1}{2}}", "reference": "0.5"}]
    label = score(rows, "math")["rows"][0]["label"]
    return "mathematics grader in its child process: " + ("works" if label == "correct" else f"FAILS (says {label!r})")


def _disk_line() -> str:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return f"disk: {free:.1f} GiB free here" + ("" if free > 1 else "; a run may not be able to save")
