"""How likely a model finds worked answers, or texts to go on with: nothing is sampled and nothing trained.

    perplexity      exp of the mean negative log-likelihood of the completions' tokens, the stop token included
    bits per byte   the same likelihood over the bytes of the texts, which models of other tokenizers share

Of a model before and after training on the same texts: what it has learned of them, or forgotten of others.

    perplexity.json   both with intervals over problems, by kind, and the paired difference to `before`
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, fsum, log
from pathlib import Path
from typing import Any

from pydantic import Field

from sanmai.config import Config
from sanmai.data.chat import demonstrated_text, demonstration, render_demonstration
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, load_source
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.stats import ratio_interval
from sanmai.train.environment import describe_environment
from sanmai.train.runs import Run
from sanmai.train.state import weights_digest
from sanmai.train.step import score_all
from sanmai.types import InputError, Problem

_BATCH = 64
"""Texts that are packed at a time."""


class PerplexityConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the problems of sources that make their own."""
    before: str | None = None
    """A model to compare with on the same texts, by bits per byte: the one that training began with."""
    max_tokens: int = Field(4096, ge=2)
    """Texts longer than this, prompt included, are left out and counted."""
    micro_tokens: int = Field(8192, ge=1)
    """Padded tokens at a time, shared by the cores."""
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
    """What thoughts are written with."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    """Problems with worked answers, or conversations."""


@dataclass(frozen=True)
class _Read:
    """One completion: the negative log-likelihood of each token, nats."""

    problem: Problem
    nll_T: list[float]
    num_bytes: int


def run_perplexity(
    config: PerplexityConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe in a run folder; the folder. A finished one is left as it is.

    Args:
        problems: instead of config.problems.source.
    """
    progress = progress or Progress.silent()
    with Run(out, "perplexity", config) as run:
        asked = _with_answers(list(problems) if problems is not None else load_source(config.problems, config.seed, run.warn))
        policy = load_policy(config.model, for_training=False)
        run.log_environment(describe_environment(policy, {"evaluation": asked}, start_digest=weights_digest(policy)))
        progress.begin(run, 0)
        if run.is_finished:
            return run.folder
        with progress.phase("evaluation"):
            read = _read(config, policy, asked, run)
            earlier = None
            if config.before is not None:
                other = load_policy(config.model.model_copy(update={"name": config.before, "lora_rank": 0}), for_training=False)
                earlier = _read(config, other, [one.problem for one in read], run)
                own = {one.problem.id: one.num_bytes for one in read}
                if differ := sum(own[one.problem.id] != one.num_bytes for one in earlier):
                    run.warn(
                        f"{differ} of {len(earlier)} texts are others for {config.before}, whose chat template begins answers "
                        "otherwise: rates are compared, each over its own text"
                    )
        found = figures(read, earlier)
        run.log_step(0, {f"eval/{name}": found[name]["value"] for name in ("perplexity", "bits_per_byte")})
        run.write("perplexity.json", json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        run.event("finding", message=sentence(found, config.before))
        progress.step(0, {})
        progress.end(run)
    return run.folder


def describe_perplexity(config: PerplexityConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What would be read, in words; problems are loaded and checked, no model."""
    warnings: list[str] = []
    asked = _with_answers(load_source(config.problems, config.seed, warnings.append))
    yield from (f"Warning: {warning}" for warning in warnings)
    models = config.model.name if config.before is None else f"{config.model.name} and {config.before}"
    yield f"The likelihood of {len(asked):,} worked answers under {models}: one pass each, nothing is sampled."


def figures(read: Sequence[_Read], earlier: Sequence[_Read] | None) -> dict[str, Any]:
    """Perplexity and bits per byte with intervals over problems, of all and by kind; with `earlier`, the paired change in bits.

        perplexity = exp(sum nll / tokens)        bits per byte = sum nll / (ln 2 bytes)

    Both are ratios of sums over problems; their intervals are those of the mean over tokens, or bytes, clustered by problem.
    """
    kinds = list(dict.fromkeys(one.problem.kind for one in read))
    found = _figures(read) | {
        "by_kind": {kind: _figures([one for one in read if one.problem.kind == kind]) for kind in kinds if len(kinds) > 1}
    }
    if earlier is not None:
        before = {one.problem.id: one for one in earlier}
        pairs = [(one, before[one.problem.id]) for one in read if one.problem.id in before]
        # Another template may open the thought, so that the text behind it is shorter: each has the rate of its own.
        changes = [(_bits(one) - _bits(other) * one.num_bytes / other.num_bytes, one.num_bytes) for one, other in pairs]
        found["bits_per_byte_change"] = _ratio(changes)
    return found


def sentence(found: dict[str, Any], before: str | None) -> str:
    """Perplexity 3.21 [3.05, 3.38], 0.842 bits per byte [0.81, 0.87] (n = 600 worked answers, 41,203 tokens)."""
    perplexity, bits = found["perplexity"], found["bits_per_byte"]
    said = (
        f"Perplexity {perplexity['value']:.3g}{_bounds(perplexity)}, {bits['value']:.3g} bits per byte{_bounds(bits)} "
        f"(n = {perplexity['n']:,} worked answers, {found['tokens']:,} tokens)"
    )
    if (change := found.get("bits_per_byte_change")) is not None:
        said += f"; {change['value']:+.3g} bits per byte{_bounds(change)} against {before}, paired on {change['n']:,}"
    return f"{said}."


def _figures(read: Sequence[_Read]) -> dict[str, Any]:
    nats = _ratio([(fsum(one.nll_T), len(one.nll_T)) for one in read])
    perplexity = nats | {name: None if nats[name] is None else exp(nats[name]) for name in ("value", "low", "high")}
    bits = _ratio([(_bits(one), one.num_bytes) for one in read])
    return {"perplexity": perplexity, "bits_per_byte": bits, "tokens": sum(len(one.nll_T) for one in read)}


def _ratio(parts: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """sum of the first over sum of the second, with an interval over problems."""
    value = fsum(total for total, _ in parts) / sum(size for _, size in parts)
    low, high = ratio_interval(parts)
    return {"value": value, "low": low if len(parts) > 1 else None, "high": high if len(parts) > 1 else None, "n": len(parts)}


def _bits(one: _Read) -> float:
    return fsum(one.nll_T) / log(2)


def _bounds(figure: dict[str, Any]) -> str:
    return "" if figure["low"] is None else f" [{figure['low']:.3g}, {figure['high']:.3g}]"


def _with_answers(problems: Sequence[Problem]) -> list[Problem]:
    found = [p for p in problems if demonstration(p)]
    if not found:
        raise InputError("problems.source: no row has a worked answer whose likelihood could be told (docs/recipes.md, sft)")
    return found


def _read(config: PerplexityConfig, policy: TextPolicy, problems: Sequence[Problem], run: Run) -> list[_Read]:
    """Each completion's likelihood, without those that are too long."""
    tags, room = config.thought_tags, min(config.max_tokens, policy.max_positions or config.max_tokens)
    shown = [(p, (*render_demonstration(policy.tokenizer, p, tags, carries_images=True), p.images)) for p in problems]
    kept = [(p, example) for p, example in shown if len(example[0]) + len(example[1]) <= room]
    if len(kept) < len(shown):
        run.warn(f"{len(shown) - len(kept)} of {len(shown)} texts are longer than {room} tokens and left out")
    if not kept:
        raise InputError(f"max_tokens = {config.max_tokens}: every text is longer than {room} tokens")
    found = []
    for start in range(0, len(kept), _BATCH):
        part = kept[start : start + _BATCH]
        batch = pack([example for _, example in part])
        nll_B: dict[int, list[float]] = {}
        rows = policy.micro_rows(batch, config.micro_tokens)
        micros = [batch.select(row) for row in rows]
        for row, micro, logp_BT in zip(rows, micros, score_all(policy, micros, 1.0), strict=True):
            own = [(-one[mask]).tolist() for one, mask in zip(logp_BT.cpu(), micro.mask_BT[:, : logp_BT.shape[1]], strict=True)]
            nll_B |= dict(zip(row, own, strict=True))
        for k, (p, (prompt, *_)) in enumerate(part):
            text = demonstrated_text(policy.tokenizer, p, prompt, tags)
            found.append(_Read(p, nll_B[k], len(text.encode("utf-8", "replace"))))
    return found
