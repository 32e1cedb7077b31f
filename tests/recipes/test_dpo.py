"""`sanmai run dpo`: the step's gradient is the loss's, it learns what pairs prefer, and resumes to the byte."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

import sanmai
from sanmai.data.preferences import Pair
from sanmai.losses import kto_reference_kl, mismatched_completions, preference_loss, sequence_logp
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.dpo import DpoConfig, EncodedPair, describe_dpo, encode_pairs, update
from sanmai.train.forensics import replay
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState
from sanmai.train.step import make_optimizer
from sanmai.types import InputError, RunError
from sanmai.world import make_problems
from tiny_models import random_policy

FAST = {"pairs_per_step": 8, "sampling": {"max_tokens": 16}, "problems": {"world": {"train": 1, "heldout": 4}},
        "checkpoints": {"every": 1}}  # fmt: skip
PRESETS = ["dpo", "cdpo", "ipo", "simpo", "orpo", "kto"]


def rows(count: int = 32) -> list[dict[str, Any]]:
    """Short answers preferred to long ones."""
    made = make_problems(count, seed=3, split="train", digits=(1, 2), languages=("en",))
    return [
        {"id": p.id, "prompt": p.prompt, "chosen": p.answer, "rejected": f"<think>\n{p.solution}\n</think>\n{p.answer}"}
        for p in made
    ]  # fmt: skip


def flipped(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"chosen": row["rejected"], "rejected": row["chosen"]}


def written(path: Path, found: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return str(path)


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def warnings_of(run: Path) -> str:
    lines = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return " | ".join(line["message"] for line in lines if line["event"] == "warning")


def pairs_of_random_tokens() -> list[EncodedPair]:
    """Six pairs of four prompts, with completions of 2 to 9 tokens."""
    generator = torch.Generator().manual_seed(5)
    draw = lambda count: torch.randint(2, 200, (count,), generator=generator).tolist()  # noqa: E731
    prompts = [draw(3 + k) for k in range(4)]
    item = Pair("p", ({"role": "user", "content": "?"},), "a", "b")
    return [EncodedPair(item, prompts[k % 4], [*draw(1 + k), 1], [*draw(8 - k), 1]) for k in range(6)]


def moved_state(policy: TextPolicy, config: DpoConfig) -> TrainingState:
    """A policy that is no longer its reference."""
    reference = policy.snapshot() if config.keeps_reference else None
    with torch.no_grad():
        torch.manual_seed(5)
        for p in policy.weights.values():
            p.add_(0.02 * torch.randn_like(p))
    return TrainingState(policy, make_optimizer(policy, config.optimizer), reference, "")


@pytest.mark.parametrize("micro_tokens", [12, 4096])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_gradient_is_that_of_the_loss_on_whole_pairs_however_rows_are_cut(preset, micro_tokens):
    config = DpoConfig.read({
        "loss": {"preset": preset}, "sft_weight": 0.3,
        "optimizer": {"lr": 0.0, "max_grad_norm": 1e9, "micro_tokens": micro_tokens}})  # fmt: skip
    policy, pairs = random_policy(), pairs_of_random_tokens()
    state = moved_state(policy, config)
    metrics = update(cast(Run, None), state, pairs, config, 1, 1)
    found = {name: p.grad.clone() for name, p in policy.weights.items() if p.grad is not None}

    def scored(sequences):
        batch = pack(sequences)
        return sequence_logp(policy.score(batch)[0], batch.mask_BT)

    def with_reference(sequences):
        with torch.no_grad(), policy.swapped(state.reference or policy.snapshot()):
            return scored(sequences)[0]

    chosen, rejected = ([pair.sequences[k] for pair in pairs] for k in (0, 1))
    (chosen_B, chosen_length_B), (rejected_B, rejected_length_B) = scored(chosen), scored(rejected)
    z = None
    if preset == "kto":
        both = [row for pair in pairs for row in pair.sequences]
        others = mismatched_completions([tuple(prompt) for prompt, _ in both])
        mixed = [(prompt, both[k][1]) for (prompt, _), k in zip(both, others, strict=True)]
        z = kto_reference_kl(scored(mixed)[0], with_reference(mixed))
        assert z > 0.01
    loss, told = preference_loss(
        config.loss.settings(), chosen_B, rejected_B,
        *(map(with_reference, (chosen, rejected)) if state.reference else (None, None)),
        chosen_length_B, rejected_length_B, denominator=6.0, reference_kl=z)  # fmt: skip
    nll = -0.3 * chosen_B.sum() / chosen_length_B.sum()
    wanted = torch.autograd.grad(loss + nll, list(policy.weights.values()), allow_unused=True)
    for name, grad in zip(policy.weights, wanted, strict=True):
        assert grad is None or torch.allclose(found[name], grad, atol=2e-6, rtol=2e-4), name
    assert metrics["loss/dpo"] == pytest.approx(loss.item(), rel=1e-4)
    assert metrics["loss/sft"] == pytest.approx(nll.item(), rel=1e-4)
    if preset != "kto":
        assert metrics["preference/margin"] == pytest.approx(told["reward_margin"], abs=1e-5)
    assert "policy/logp_mismatch_max" not in metrics
    assert metrics.get("preference/reference_kl") == (pytest.approx(z, rel=1e-4) if z else None)
    assert metrics["tokens/trained"] == 2 * 6 + (1 + 2 + 3 + 4 + 5 + 6) + (8 + 7 + 6 + 5 + 4 + 3)


@pytest.mark.parametrize(("preset", "loss"), [("dpo", math.log(2)), ("ipo", 25.0), ("kto", 0.5)])
def test_a_policy_that_is_its_reference_has_a_loss_known_beforehand(preset, loss):
    # d = 0 everywhere: -log sigmoid(0) = log 2; (0 - 1/(2 beta))^2 = 25 at beta 0.1; 1 - sigmoid(0) = 1/2. A tie is not won.
    config, policy = DpoConfig.read({"loss": {"preset": preset}}), random_policy()
    state = TrainingState(policy, make_optimizer(policy, config.optimizer), policy.snapshot(), "")
    metrics = update(cast(Run, None), state, pairs_of_random_tokens(), config, 1, 1)
    assert metrics["loss/dpo"] == pytest.approx(loss, rel=1e-6) and metrics["policy/grad_norm"] > 0
    assert metrics["preference/margin"] == metrics["preference/accuracy"] == metrics["preference/reward_chosen"] == 0.0


def test_it_learns_what_the_pairs_prefer_and_the_opposite_of_flipped_ones(tmp_path):
    told = rows(80)
    runs = {
        name: sanmai.run(
            "dpo", out=tmp_path / name, source=written(tmp_path / f"{name}.jsonl", found), holdout=0.2, epochs=2.0,
            **FAST | {"checkpoints": {"every": 100}})
        for name, found in (("straight", told), ("flipped", list(map(flipped, told))))
    }  # fmt: skip
    for run in runs.values():
        lines = metrics_of(run)
        assert lines[-1]["preference/accuracy"] > 0.9 > 0.5 >= lines[1]["preference/accuracy"]
        assert lines[-1]["preference/margin"] > 0.3 > lines[2]["preference/margin"] > 0
        assert {"eval/accuracy", "eval/length_mean"} <= lines[0].keys() & lines[-1].keys()
        assert lines[-1]["loss/dpo"] < 0.6 and lines[-1]["eval/pair_accuracy"] > 0.9 and lines[-1]["eval/pair_margin"] > 0.3

    def lead(name: str) -> float:
        """Mean log-prob of the short answers over that of the long ones."""
        policy = load_policy(ModelConfig(name=name))
        pairs = encode_pairs(policy, [Pair(r["id"], ({"role": "user", "content": r["prompt"]},), r["chosen"], r["rejected"])
                                      for r in told], DpoConfig(source="x"), "pairs", print)  # fmt: skip
        batch = pack([row for pair in pairs for row in pair.sequences])
        with torch.no_grad():
            logp_B, _ = sequence_logp(policy.score(batch)[0], batch.mask_BT)
        return (logp_B[::2] - logp_B[1::2]).mean().item()

    assert lead(str(runs["straight"])) > lead("tiny") + 3 and lead(str(runs["flipped"])) < lead("tiny") - 3


@pytest.mark.parametrize("settings", [
    {"holdout": 0.2, "evaluation": {"every": 2}}, {"model": {"lora_rank": 2}, "loss": {"preset": "kto"}, "sft_weight": 0.1},
    {"loss": {"preset": "simpo"}},
], ids=["dpo", "lora and kto", "simpo"])  # fmt: skip
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(tmp_path, settings):
    settings = FAST | {"source": written(tmp_path / "pairs.jsonl", rows(20)), "pairs_per_step": 4, "epochs": 0.9} | settings
    whole, cut = sanmai.run("dpo", out=tmp_path / "whole", **settings), tmp_path / "cut"
    last = metrics_of(whole)[-1]["step"]
    assert last >= 3
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / f"checkpoints/step-{last:06d}")
    torch.randn(3)  # the global generator is nobody's business
    sanmai.run("dpo", out=cut, **settings)
    names = [f"checkpoints/step-{last:06d}/{name}" for name in ("model.safetensors", "training_state.safetensors")]
    for name in ("metrics.jsonl", f"evaluations/step-{last:06d}.parquet", *names):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    reference = [name for name in load_file(whole / names[1]) if name.startswith("reference/")]
    assert bool(reference) == (settings.get("loss") != {"preset": "simpo"})
    assert all("lora_" in name for name in reference) == ("model" in settings or not reference)


def test_pairs_of_the_preferences_recipe_are_read_and_unusable_ones_are_left_out_and_counted(tmp_path):
    good = rows(10)
    ask = lambda name, chosen, rejected: {"id": name, "prompt": "what is 3 plus 4 ?", "chosen": chosen, "rejected": rejected}  # noqa: E731
    odd = [ask("unknown", "zzzz", "yyyy"), ask("empty", "", "7"), ask("long", "7 " * 600, "7"), ask("longer", "7", "8 " * 600)]
    found = [
        {"id": r["id"], "messages": [{"role": "user", "content": r["prompt"]}], "chosen": r["chosen"], "rejected": r["rejected"],
         "judge_gap": 2.0} for r in [*good, *odd]
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(found), tmp_path / "pairs.parquet")
    run = sanmai.run("dpo", out=tmp_path / "run", source=str(tmp_path / "pairs.parquet"), **FAST | {"pairs_per_step": 10})
    said = warnings_of(run)
    assert "1 of 14 pairs have two responses of the same tokens" in said and "1 of 14 pairs have an empty response" in said
    assert "2 of 14 pairs are longer than" in said
    encode = load_policy(ModelConfig()).tokenizer.encode
    completions = [encode(r[name], add_special_tokens=False) for r in good for name in ("chosen", "rejected")]
    assert metrics_of(run)[-1]["tokens/trained"] == sum(len(tokens) + 1 for tokens in completions)  # with the stop token


def test_a_malformed_line_stops_the_run_or_is_counted(tmp_path):
    tie = [*rows(8), {"prompt": "what is 1 plus 1 ?", "chosen": "2", "rejected": " 2 "}]
    source = written(tmp_path / "pairs.jsonl", tie)
    with pytest.raises(InputError, match="line 9: chosen and rejected are the same text"):
        sanmai.run("dpo", out=tmp_path / "stopped", source=source, **FAST)
    run = sanmai.run("dpo", out=tmp_path / "run", source=source, on_error="skip", **FAST)
    assert "1 malformed lines passed over" in warnings_of(run)


ONE_PROMPT = [{"prompt": "what is 3 plus 4 ?", "chosen": "7", "rejected": str(k)} for k in range(1, 5)]


@pytest.mark.parametrize(("found", "settings", "says"), [
    (None, {}, "source is not set: expected a file of preference pairs"),
    ([], {}, "the file is empty"),
    ([{"prompt": "1 plus 1 ?", "chosen": "", "rejected": "2"}], {}, "none of the pairs can be used: 1 of 1 pairs have an empty"),
    (rows(2), {"max_tokens": 2}, "2 of 2 pairs are longer than 2 tokens"),
    (rows(2), {"holdout": 0.999999}, "none is left to train on"),
    (ONE_PROMPT, {"loss": {"preset": "kto"}}, "4 of 4 pairs have one prompt; expected at most half"),
    ([*ONE_PROMPT[:2], *rows(6)], {"loss": {"preset": "kto"}, "pairs_per_step": 3}, "and a step has 3; expected at least 4"),
    (rows(2), {"epochs": 1e308}, "epochs = 1e.308: Input should be less than or equal to 1000000"),
    (rows(2), {"loss": {"gamma": 0.5}}, "does not read gamma"),
    (rows(2), {"loss": {"preset": "ipo", "label_smoothing": 0.1}}, "does not read label_smoothing"),
    (rows(2), {"loss": {"desirable_weight": 2.0}}, "does not read desirable_weight"),
    (rows(2), {"sampling": {"max_tokens": 100_000}}, "positions of the model"),
])  # fmt: skip
def test_what_cannot_work_is_refused_in_one_sentence(tmp_path, found, settings, says):
    source = {} if found is None else {"source": written(tmp_path / "pairs.jsonl", found)}
    with pytest.raises(InputError, match=says) as error:
        sanmai.run("dpo", out=tmp_path / "run", **FAST | source | settings)
    assert "\n" not in str(error.value)


def test_an_unset_source_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="source is not set"):
        sanmai.run("dpo", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_step_that_is_not_finite_leaves_the_weights_and_a_bundle_that_names_the_pairs(tmp_path, monkeypatch):
    source, score = written(tmp_path / "pairs.jsonl", rows(8)), TextPolicy.score
    broken = lambda self, batch, **o: tuple(x * (math.nan if torch.is_grad_enabled() else 1.0) for x in score(self, batch, **o))  # noqa: E731
    with monkeypatch.context() as m:
        m.setattr(TextPolicy, "score", broken)
        with pytest.raises(RunError, match=r"step 1: .*loss/dpo = nan.*--replay .* shows which pairs"):
            sanmai.run("dpo", out=tmp_path / "run", source=source, **FAST)
    assert not list((tmp_path / "run" / "checkpoints").glob("step-*"))
    found = replay(tmp_path / "run" / "failures" / "step-000001")
    assert len(found.rows) == 16 and found.parameters == []  # the weights were good: what broke is not in them
    assert {(row["problem_id"], row["sample"]) for row in found.rows} == {(r["id"], k) for r in rows(8) for k in (0, 1)}


def test_the_worlds_pairs_are_a_source_and_a_plan_says_what_would_be_done(tmp_path):
    config = resolve(find_recipe("dpo"), values=FAST | {"source": "world", "limit": 40, "sft_weight": 0.5, "epochs": 2.0})
    assert isinstance(config, DpoConfig) and config.optimizer.lr == 1e-4  # of dpo-tiny
    text = " ".join(describe_dpo(config, Path("."), measure=False))
    assert "40 pairs to train on, 0 held out; 4 problems to evaluate on." in text
    assert "2 passes in 10 updates of 8 pairs; loss dpo at beta 0.1, and SFT on the chosen completions at weight 0.5." in text
    assert "kept as the reference" in text


def test_orpo_without_its_sft_is_refused_and_keeps_no_reference():
    with pytest.raises(InputError, match="set sft_weight = 1"):
        DpoConfig.read({"loss": {"preset": "orpo"}})
    assert not DpoConfig.read({"loss": {"preset": "orpo"}, "sft_weight": 1.0}).keeps_reference
