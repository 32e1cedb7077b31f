"""`sanmai scale`: what is assumed, what a GPU holds and does, and a row for each number of GPUs and staleness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanmai.plan.scale.answers import Asked, Failures, Row, rows_of
from sanmai.plan.scale.gpus import Gpu, find_gpu
from sanmai.plan.scale.recorded import Fitted, Recorded, read_run
from sanmai.plan.scale.roofline import Roofline, Use, most_at_once, rank_memory, sampler_memory, sampler_slots
from sanmai.plan.scale.settings import ScaleConfig
from sanmai.plan.scale.shape import Shape, shape_of
from sanmai.plan.scale.work import Workload, assumed_record, drawn_steps, tokens_of
from sanmai.plan.words import seconds
from sanmai.types import InputError

_LEAST_LEFT = 0.25
"""Share of the memory that may be filled which a sampler's weights leave for keys and values."""


@dataclass(frozen=True)
class OfGpus:
    """Machines from first principles; fills `answers.Machines`."""

    rates: Roofline
    tensor: int
    per_node: int
    least_trainers: int
    slots: int

    def publish(self, ranks: int) -> float:
        return self.rates.publish_seconds(ranks)

    def load(self, samplers: int) -> float:
        return self.rates.load_seconds(samplers)


@dataclass(frozen=True)
class OfRun:
    """Machines like the one that a run was recorded on; fills `answers.Machines`."""

    rates: Fitted
    load_seconds: float
    per_node: int = 1
    tensor: int = 1
    least_trainers: int = 1
    slots: int = 0

    def publish(self, ranks: int) -> float:
        return 0.0

    def load(self, samplers: int) -> float:
        return self.load_seconds


@dataclass(frozen=True)
class Scale:
    """What was asked, ready to be played."""

    assumptions: list[str]
    """Sentences."""
    data: dict[str, Any]
    """Numbers of the same."""
    asked: Asked
    config: ScaleConfig
    unit: str
    """"GPU" or "machine"."""

    def rows(self) -> Iterator[Row]:
        """One after the other, as they are found."""
        yield from rows_of(self.asked, self.config.gpus, self.config.staleness)


def scale_of(what: str, config: ScaleConfig, gpu: str | None) -> Scale:
    """Of a finished run of zero, of a model, or of a run's work with its model on another GPU.

    Args:
        what: a run folder, or a model as `shape_of` takes it.
        gpu: name of a GPU; None for a run alone: machines like the one that it was recorded on.

    Raises:
        InputError: it is neither, or no number of GPUs holds the model.
    """
    folder = Path(what)
    recorded = read_run(folder) if (folder / "config.toml").is_file() or (folder / "graph.json").is_file() else None
    if gpu is None:
        if recorded is None:
            raise InputError(f"{what!r}: a model needs --gpu, such as h100; without it expected a finished run of zero")
        return _of_run(recorded, config)
    return _of_gpus(shape_of(recorded.config.model.name if recorded else what), find_gpu(gpu), config, recorded)


def _of_run(found: Recorded, config: ScaleConfig) -> Scale:
    work = replace(found.workload, evaluations=(), commit_every=config.failures.commit_every)
    lines = [
        f"{found.folder}: {found.workload.num_steps} steps in {seconds(found.wall)}; lengths and seconds are those on record.",
        *found.notes,
        f"Each machine is like the one that it ran on. New weights take {seconds(config.load_seconds)} to load (load_seconds), "
        "and what trainers tell each other nothing: one machine cannot show it.",
        *_common(work, config),
    ]
    data = {"coefficients": dict(found.rates.coefficients), "wall_seconds": found.wall}
    return Scale(lines, data, _asked(work, OfRun(found.rates, config.load_seconds), config), config, "machine")


def _of_gpus(shape: Shape, gpu: Gpu, config: ScaleConfig, recorded: Recorded | None) -> Scale:
    w, u = config.work, config.use
    use = Use(
        u.bandwidth, u.sampling_flops, u.training_flops, u.link, u.memory, u.step_overhead, u.storage_gigabytes * 1e9,
        u.digest_gigabytes * 1e9,
    )  # fmt: skip
    if recorded is None:
        record = assumed_record(prompt=w.prompt_tokens, mean=w.mean_tokens, spread=w.spread, seed=config.seed)
        work = Workload(
            w.prompts_per_step, w.rollouts_per_prompt, w.max_tokens, 1, 1, w.micro_tokens, (record,), config.steps,
            commit_every=config.failures.commit_every,
        )  # fmt: skip
        recompute, extra, whole = w.recompute_layers, w.extra_forwards, w.shard == "whole"
    else:
        work = replace(recorded.workload, evaluations=(), saving=0.0, checkpoint=0.0, commit_every=config.failures.commit_every)
        recompute, extra = recorded.config.model.recompute_layers, recorded.config.extra_forwards
        whole = recorded.config.model.fast_path
    under_way = _under_way(work)
    longest = work.max_tokens + max(g.prompt for groups in work.record for g in groups)
    tensor = config.tensor or _fewest(shape, gpu, use, config.gpus_per_node)
    slots = sampler_slots(shape, gpu, use, tensor, under_way)
    if sampler_slots(shape, gpu, use, tensor, longest) < 1:
        raise InputError(
            f"{gpu.name} x {tensor}: no room for {shape.name} and a rollout of {longest:.0f} tokens; set a larger tensor"
        )
    model = Roofline(
        shape, gpu, use, tensor, config.gpus_per_node, config.network_gigabytes * 1e9, recompute, extra, whole
    )
    rank = lambda ranks: rank_memory(  # noqa: E731
        shape, ranks=ranks, micro_tokens=work.micro_tokens, recomputes=recompute, whole=whole
    )
    room = gpu.memory * use.memory
    least = next((n for n in range(1, max(config.gpus)) if most_at_once(rank(n)) <= room), None)
    if least is None:
        most = max(config.gpus) - 1
        raise InputError(
            f"{shape.name}: a trainer's rank of {most} holds {_parts(rank(most))}, and {gpu.name} has room for "
            f"{_gigabytes(room)}; lower work.micro_tokens, set work.shard or ask for more gpus"
        )
    lines = [
        *_model_lines(shape, gpu, use, tensor, slots, under_way),
        *(f"A trainer's rank of {n}: {_parts(rank(n))}." for n in dict.fromkeys((least, 8)) if n >= least),
        *_rate_lines(model, work, slots, under_way),
        *_use_lines(config, recompute, extra, whole),
        *([] if recorded is None else [f"Lengths are those on record in {recorded.folder}."]),
        *_common(work, config),
    ]
    weights, left = sampler_memory(shape, gpu, use, tensor)
    data = {
        "parameters": shape.parameters, "gpu": gpu.name, "gpu_source": gpu.source, "tensor": tensor, "slots": slots,
        "least_trainers": least, "rank_bytes": {n: rank(n) for n in sorted({least, *(n for n in config.gpus if n >= least)})},
        "sampler_bytes": {"weights": weights, "keys and values": left},
    }  # fmt: skip
    machines = OfGpus(model, tensor, config.gpus_per_node, least, slots)
    return Scale(lines, data, _asked(work, machines, config), config, "GPU")


def _asked(work: Workload, machines: OfGpus | OfRun, config: ScaleConfig) -> Asked:
    f = config.failures
    failures = Failures(f.gpu_hours, f.sampler_restart, f.trainer_restart)
    drawn = tuple(drawn_steps(replace(work, num_steps=config.steps), config.seed))
    return Asked(work, drawn, machines, failures, config.parts_per_sampler)


def _under_way(work: Workload) -> float:
    """Mean tokens that a rollout under way holds: E[n (prompt + n / 2)] / E[n], as a longer one is under way for longer."""
    rows = [(g.prompt, min(n, work.max_tokens)) for groups in work.record for g in groups for n in g.lengths]
    return sum(n * (prompt + n / 2) for prompt, n in rows) / sum(n for _, n in rows)


def _fewest(shape: Shape, gpu: Gpu, use: Use, most: int) -> int:
    """GPUs of a sampler: a power of two, within a node."""
    tensor = 1
    while tensor < most and sampler_memory(shape, gpu, use, tensor)[1] < _LEAST_LEFT * gpu.memory * use.memory:
        tensor *= 2
    return min(tensor, most)


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:.3g} GB"


def _parts(parts: dict[str, float]) -> str:
    listed = ", ".join(f"{name} {_gigabytes(taken)}" for name, taken in parts.items() if taken)
    return f"{listed}; {_gigabytes(most_at_once(parts))} at once"


def _model_lines(shape: Shape, gpu: Gpu, use: Use, tensor: int, slots: int, under_way: float) -> Iterator[str]:
    yield "Computed from first principles, not measured: what a data sheet allows, times stated shares of it."
    yield (
        f"Model: {shape.name}, {shape.parameters:,} parameters, {shape.kv_bytes():,} bytes of keys and values a token "
        f"(bfloat16). GPU: {gpu.name}. {gpu.source}."
    )
    weights, left = sampler_memory(shape, gpu, use, tensor)
    yield (
        f"A sampler of {tensor} GPU{'s' if tensor > 1 else ''}: bfloat16 weights {_gigabytes(weights)} a GPU, "
        f"{_gigabytes(left)} for keys and values: {slots} rollouts at once, of {under_way:,.0f} tokens in the mean while "
        "they are written (pages, not whole budgets)."
    )


def _rate_lines(model: Roofline, work: Workload, slots: int, under_way: float) -> Iterator[str]:
    groups = work.record[-1]
    ranks = 8
    row = tuple(g._replace(lengths=tuple(min(n, work.max_tokens) for n in g.lengths)) for g in groups)
    took = model.training(row, micro_tokens=work.micro_tokens, updates=1, ranks=ranks)
    yield (
        f"Decoding: {model.decode_rate(under_way, slots):,.0f} tokens/s of a full sampler, "
        f"{model.decode_rate(under_way, 1):,.0f} of one rollout alone. Training on {ranks} ranks: "
        f"{tokens_of(row) / took:,.0f} completion tokens/s."
    )


def _use_lines(config: ScaleConfig, recompute: bool, extra: int, whole: bool) -> Iterator[str]:
    u = config.use
    yield (
        f"Assumed: decoding reaches {u.bandwidth:.0%} of the memory's bandwidth, prefill {u.sampling_flops:.0%} and training "
        f"{u.training_flops:.0%} of the dense bfloat16 products, links {u.link:.0%} of their rate, and "
        f"{u.step_overhead * 1e3:g} ms a decode step beside; {config.network_gigabytes:g} GB/s of a GPU to other nodes; trainers "
        f"keep float32 weights, gradients and moments, sharded (FSDP2), and gather {'the whole model' if whole else 'a layer'} "
        f"at a time{' (activations are computed again)' if recompute else ''}; published weights are hashed at "
        f"{u.digest_gigabytes:g} GB/s on both sides and go through storage of {u.storage_gigabytes:g} GB/s"
        + (f"; {extra} passes without gradient" if extra else "")
        + "."
    )


def _common(work: Workload, config: ScaleConfig) -> Iterator[str]:
    groups = work.record[-1]
    lengths = sorted(min(n, work.max_tokens) for group in groups for n in group.lengths)
    yield (
        f"A step: {work.prompts} prompts x {work.rollouts} completions of at most {work.max_tokens} tokens (mean "
        f"{sum(lengths) / len(lengths):,.0f}, a tenth above {lengths[len(lengths) * 9 // 10]:,}); {config.steps} steps are "
        f"played, in {config.parts_per_sampler} parts a sampler."
    )
    f = config.failures
    yield (
        f"Deaths: one in {f.gpu_hours:,.0f} GPU hours (419 in 54 days of 16,384 GPUs: arXiv:2407.21783, section 3.3.4); samplers "
        f"are back after {seconds(f.sampler_restart)}, trainers go on from their last commit, one in {f.commit_every} steps, "
        f"after {seconds(f.trainer_restart)}."
    )
    yield (
        "What staleness costs in learning is not played: rows as old as `age` says need loss.importance_cap, and only a run "
        "shows what they teach."
    )


COLUMNS = {
    "gpus": 5, "staleness": 5, "samplers": 8, "trainers": 8, "step": 6, "tokens": 9, "each": 7, "busy": 9, "age": 4, "cost": 11,
    "sampler_death": 6, "trainer_death": 6, "deaths": 6,
}  # fmt: skip
"""Names of the columns, and how wide they are at least."""
_HEADS = (
    "", "stale", "samplers", "trainers", "step", "tokens/s", "", "busy S/T", "age", "1,000 steps", "S dies", "T dies", "deaths",
)  # fmt: skip


def table_lines(rows: Iterator[Row], scale: Scale) -> Iterator[str]:
    """A line of headings, and one for each row as it is found."""
    heads = dict(zip(COLUMNS, _HEADS, strict=True)) | {"gpus": f"{scale.unit}s", "each": f"per {scale.unit}"}
    widths = {name: max(len(head), least) for (name, least), head in zip(COLUMNS.items(), heads.values(), strict=True)}
    yield "  ".join(head.rjust(widths[name]) for name, head in heads.items())
    for row in rows:
        yield "  ".join(text.rjust(widths[name]) for name, text in cells(row, scale.config).items())


def cells(row: Row, config: ScaleConfig) -> dict[str, str]:
    """A row as text, by column."""
    return {
        "gpus": f"{row.gpus:,}",
        "staleness": str(row.staleness),
        "samplers": f"{row.samplers:,}",
        "trainers": f"{row.trainers:,}",
        "step": f"{row.step_seconds:,.3g}" if row.step_seconds < 1000 else f"{row.step_seconds:,.0f}",
        "tokens": f"{row.tokens_per_second:,.0f}",
        "each": f"{row.tokens_per_second / row.gpus:,.0f}",
        "busy": f"{row.sampler_share:.0%}/{row.trainer_share:.0%}",
        "age": f"{row.age:.1f}",
        "cost": f"{cost:,.0f}" if (cost := cost_of(row, config)) >= 100 else f"{cost:.3g}",
        "sampler_death": f"{row.sampler_death:,.0f}",
        "trainer_death": f"{row.trainer_death:,.0f}",
        "deaths": f"{row.death_share:.2%}",
    }


def cost_of(row: Row, config: ScaleConfig) -> float:
    """Of 1,000 steps: hours of a GPU, times the price of one where it is set."""
    return row.gpus * row.step_seconds * 1000 / 3600 * (1.0 if config.price is None else config.price)


def row_data(row: Row, config: ScaleConfig) -> dict[str, Any]:
    """A row as numbers by name."""
    return row._asdict() | {"hours_per_1000_steps" if config.price is None else "cost_per_1000_steps": cost_of(row, config)}


def legend(config: ScaleConfig, unit: str) -> str:
    """What the columns are."""
    what = f"{unit} hours" if config.price is None else f"cost at {config.price:g} an hour and {unit}"
    return (
        f"step: seconds from one step's end to the next, with the best split of the {unit}s; busy: share of the samplers' and of "
        f"the trainers' time; age: mean updates between the weights that wrote a row and those that it updates; 1,000 steps: "
        f"{what}; S dies, T dies: seconds that one death of a sampler node, of a trainer, adds; deaths: share of time that they "
        "cost at the assumed rate."
    )
