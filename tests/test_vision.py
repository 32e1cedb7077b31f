"""Prompts with pictures and a random model of the Qwen2-VL kind: sampled, scored, trained on, recorded, resumed, compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image as Picture
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.data.chat import render_demonstration, render_prompt
from sanmai.data.images import load_pixels, read_image
from sanmai.data.problems import load_problems
from sanmai.data.rendering import draw_text
from sanmai.learn.auxiliary_sft import AuxiliarySft, AuxiliarySftConfig
from sanmai.learn.sources import check_positions
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.general import prefill_cached, start_uncached
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import evaluation_metrics
from sanmai.rollout.partial import PartialRollouts
from sanmai.train.components import sft_component
from sanmai.train.forensics import replay, write_bundle
from sanmai.train.step import OptimizerConfig, accumulate, make_optimizer, optimizer_step
from sanmai.types import Image, InputError, Problem
from tiny_models import save_folder, save_vision_folder

SUMS = {"2+3": "5", "7+1": "8", "4+3": "7", "1+5": "6"}
KINDS = ["qwen2_vl", "qwen2_5_vl"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("vision")
    for kind in KINDS:
        save_vision_folder(made / kind, kind)
    for k, text in enumerate(SUMS):
        draw_text(text, margin=4).save(made / f"{k}.png")
    Picture.new("RGB", (24, 56), "red").save(made / "tall.png")
    return made


@pytest.fixture(scope="module")
def policies(folder) -> dict[str, TextPolicy]:
    return {kind: load_policy(ModelConfig(name=str(folder / kind))) for kind in KINDS}


def picture(folder: Path, name: str) -> Image:
    return read_image(f"{name}.png", folder)


def asking(content: str, *images: Image) -> Problem:
    return Problem(content, ({"role": "user", "content": content, **({"images": [*images]} if images else {})},), "5")


def requests(policy: TextPolicy, problems: Sequence[Problem], size: int = 3) -> list[Request]:
    prompts = [render_prompt(policy.tokenizer, p.messages, carries_images=True) for p in problems]
    return [
        Request(tokens, [(p.id, g) for g in range(size)], images=p.images) for tokens, p in zip(prompts, problems, strict=True)]


def some_problems(folder: Path) -> list[Problem]:
    return [
        asking("what is <image> plus <image> ?", picture(folder, "0"), picture(folder, "tall")), asking("what is 3 plus 4 ?"),
        asking("sum", picture(folder, "1")), asking("<image>", picture(folder, "0"))]  # fmt: skip


def logp_of(policy: TextPolicy, tokens: list[int], completion: list[int], *images: Image) -> torch.Tensor:
    with torch.no_grad():
        batch = pack([(tokens, completion, images)])
        return policy.score(batch)[0][batch.mask_BT]


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_with_its_own_processor_sees_the_same_prompt_and_gives_the_same_logits(folder, policies, kind):
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

    class WithoutVideos(Qwen2VLProcessor):  # the library's needs torchvision for them
        video_processor = None

        def __init__(self, image_processor=None, tokenizer=None, chat_template=None):
            self.image_processor, self.tokenizer, self.chat_template = image_processor, tokenizer, chat_template
            self.image_token, self.image_token_id = "<|image_pad|>", tokenizer.convert_tokens_to_ids("<|image_pad|>")
            self.video_token, self.video_token_id = "<|video_pad|>", -1

    policy = policies[kind]
    for problem in some_problems(folder):
        tokens = render_prompt(policy.tokenizer, problem.messages, carries_images=True)
        parts = problem.messages[0]["content"].split("<image>")
        slot = "<|vision_start|><|image_pad|><|vision_end|>"
        text = slot.join(parts) if len(parts) > 1 or not problem.images else slot + parts[0]
        shown = [load_pixels(image) for image in problem.images] or None
        inputs = WithoutVideos(policy.vision.processor, policy.tokenizer)(
            text=[f"<user> {text} <assistant> "], images=shown, return_tensors="pt")  # fmt: skip
        assert inputs["input_ids"].tolist() == [tokens]
        with torch.no_grad():
            expected_TV = policy.model(**inputs).logits[0]
            policy.model.model.rope_deltas = None  # the library's memory of the last prompt
        padded = torch.tensor([[*tokens, 0, 0]])
        attention = torch.tensor([[1] * len(tokens) + [0, 0]])
        actual_RV = policy.next_logits(padded, attention, [problem.images])
        assert torch.allclose(actual_RV[0], expected_TV[-1], atol=1e-5)


@pytest.mark.parametrize("with_cache", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_sampled_log_probs_are_the_trainers_for_prompts_with_and_without_pictures(
    folder, policies, monkeypatch, kind, with_cache
):
    policy = policies[kind]
    monkeypatch.setattr(policy, "cache_works", with_cache)
    monkeypatch.setattr(policy, "stop_tokens", tuple(range(0, policy.vocabulary, 20)))  # some leave the batch early
    asked = requests(policy, some_problems(folder))
    done = list(sample(policy, asked, SamplingConfig(max_tokens=16, temperature=0.8)))
    rows = [(asked[c.request].prompt_tokens, c.tokens, asked[c.request].images) for c in done]
    batch = pack(rows, sampling_logp=[c.logp for c in done])
    with torch.no_grad():
        logp_BT, _ = policy.score(batch, temperature=0.8)
    assert (logp_BT - batch.sampling_logp_BT).abs().max() < 1e-4
    assert batch.sampling_logp_BT[batch.mask_BT].std() > 0.5 and len({len(c.tokens) for c in done}) > 3


def test_a_rollout_written_in_parts_is_the_one_written_whole(folder, policies):
    policy, problems, config = policies["qwen2_vl"], some_problems(folder), SamplingConfig(max_tokens=12)
    partial = PartialRollouts()
    for problem in problems:
        partial.begin(problem, render_prompt(policy.tokenizer, problem.messages, carries_images=True), 1, 2)
    asked = partial.requests(("run",))
    whole = {asked[c.request].seeds[c.sample]: (c.tokens, c.logp) for c in sample(policy, asked, config)}
    for segment in (5, 12):
        for done in sample(policy, partial.requests(("run",)), config, segment=segment):
            partial.add(done, policy_version=segment)
    found = {("run", 1, g.problem.id, k): r for g in partial.take_ended() for k, r in enumerate(g.rollouts)}
    assert len(found) == 8 and sum(len(r.segments) == 2 for r in found.values()) > 4
    for name, written in found.items():
        assert written.tokens == whole[name][0] and written.logp == pytest.approx(whole[name][1], abs=1e-4)
    # The policy that is scored saw the pictures: this is no agreement between blind ones.
    row = pack([(asked[0].prompt_tokens, whole[("run", 1, problems[0].id, 0)][0], problems[0].images)])
    with torch.no_grad():
        logp_T = policy.score(row)[0][row.mask_BT]
    assert logp_T.tolist() == pytest.approx(whole[("run", 1, problems[0].id, 0)][1], abs=1e-4)


def test_a_placeholder_that_the_policy_writes_is_a_token_like_any_other(folder, policies):
    policy = policies["qwen2_vl"]
    (asked,) = requests(policy, some_problems(folder)[2:3])
    pad = torch.tensor([policy.vision.token])
    found = []
    with torch.no_grad():
        for start in (prefill_cached, start_uncached):
            _, decoder = start(policy, [asked.prompt_tokens], torch.tensor([1]), 4, [asked.images])
            found.append([decoder.next(pad), decoder.next(torch.tensor([9]))])
    for cached_RV, whole_RV in zip(*found, strict=True):
        assert torch.allclose(cached_RV, whole_RV, atol=1e-4)


def test_the_picture_matters_and_each_row_sees_its_own(folder, policies):
    policy = policies["qwen2_vl"]
    (asked,) = requests(policy, [asking("sum", picture(folder, "0"))])
    shutil.copy(folder / "0.png", folder / "elsewhere.png")
    completion = [7, 8, 9]
    logp = {name: logp_of(policy, asked.prompt_tokens, completion, picture(folder, name)) for name in ("0", "1", "elsewhere")}
    assert (logp["0"] - logp["1"]).abs().max() > 1e-3
    assert torch.equal(logp["0"], logp["elsewhere"])
    batch = pack([(asked.prompt_tokens, completion, (picture(folder, name),)) for name in ("1", "0", "1")])
    with torch.no_grad():
        logp_BT, _ = policy.score(batch)
    for row, name in enumerate(("1", "0", "1")):
        assert torch.allclose(logp_BT[row][batch.mask_BT[row]], logp[name], atol=1e-5)


def test_gradients_reach_the_vision_tower_and_do_not_depend_on_the_micro_batches(folder, policies):
    policy = policies["qwen2_vl"]
    rows = [(r.prompt_tokens, [7, 8, 1], r.images) for r in requests(policy, some_problems(folder))]
    batch = pack(rows)
    batch = batch.with_streams({"sft": batch.mask_BT.float()})
    found = []
    for micro_tokens in (10_000, 1):
        policy.model.zero_grad()
        accumulate(policy, batch, {"sft": sft_component()}, 1.0, micro_tokens)
        found.append({name: p.grad.clone() for name, p in policy.weights.items()})
    tower = [name for name in found[0] if ".visual." in name]
    assert len(tower) > 10 and all(found[0][name].norm() > 0 for name in tower if "norm" not in name and "bias" not in name)
    for name, gradient in found[0].items():
        assert (gradient - found[1][name]).norm() <= 1e-4 * gradient.norm() + 1e-7, name
    policy.model.zero_grad()


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_saved_policy_is_a_whole_vision_language_folder_again(folder, tmp_path, lora_rank):
    policy = load_policy(ModelConfig(name=str(folder / "qwen2_vl"), lora_rank=lora_rank))
    with torch.no_grad():
        for p in policy.weights.values():
            p.add_(0.01)
    (asked,) = requests(policy, [asking("sum", picture(folder, "0"))])
    policy.save(tmp_path)
    again = load_policy(ModelConfig(name=str(tmp_path)))
    assert requests(again, [asking("sum", picture(folder, "0"))])[0].prompt_tokens == asked.prompt_tokens
    before, after = (logp_of(p, asked.prompt_tokens, [7, 8], picture(folder, "0")) for p in (policy, again))
    assert torch.allclose(before, after, atol=1e-5)
    saved = (tmp_path / "preprocessor_config.json").read_bytes()
    assert saved == (folder / "qwen2_vl" / "preprocessor_config.json").read_bytes()


def test_what_cannot_be_shown_a_picture_says_so(folder, policies, tmp_path):
    policy, problem = policies["qwen2_vl"], asking("sum", picture(folder, "0"))
    text_policy = load_policy(ModelConfig(name=str(save_folder(tmp_path / "text"))))
    with pytest.raises(InputError, match="the prompts have images, and the model reads text alone"):
        requests(text_policy, [problem])
    with pytest.raises(ValueError, match="request 0 has images, and the policy reads text alone"):
        list(sample(text_policy, [Request([5, 6], [("a",)], images=problem.images)], SamplingConfig()))
    with pytest.raises(ValueError, match="images: expected none, the policy reads text alone"):
        text_policy.score(pack([([5, 6], [7], problem.images)]))
    longest = asking("sum", picture(folder, "0"))
    with pytest.raises(InputError, match=r"with the longest prompt \(sum, \d+ tokens\)"):
        check_positions(policy, [asking("the sum of seven"), longest], 240)
    with pytest.raises(InputError, match="the prompts have images, which this command does not read"):
        render_prompt(policy.tokenizer, problem.messages)
    with pytest.raises(InputError, match="2 image placeholders for 1 images"):
        requests(policy, [asking("sum <|image_pad|>", picture(folder, "0"))])
    Picture.new("RGB", (2000, 5)).save(tmp_path / "line.png")
    with pytest.raises(InputError, match="an image of 2000 x 5 pixels does not suit the model's processor"):
        requests(policy, [asking("sum", picture(tmp_path, "line"))])
    (asked,) = requests(policy, [problem])
    with pytest.raises(ValueError, match=r"expected rows with \[\d+\] placeholders, found \[0\]"):
        policy.score(pack([([5, 6], [7], asked.images)]))


def test_a_bundle_of_a_failed_step_replays_with_its_pictures(folder, tmp_path):
    policy = load_policy(ModelConfig(name=str(folder / "qwen2_vl")))
    rows = [(r.prompt_tokens, [7, 8], r.images) for r in requests(policy, some_problems(folder))]
    batch = pack(rows)
    with torch.no_grad():
        batch = replace(batch, sampling_logp_BT=policy.score(batch)[0])
    batch = batch.with_streams({"sft": batch.mask_BT.float()})
    found = replay(write_bundle(tmp_path / "b", policy, batch, reason="r", loss=None, temperature=1.0, max_tokens=8))
    assert len(found.rows) == 4 and max(row["worst_log_ratio"] for row in found.rows) < 1e-4


def sums_file(path: Path) -> Path:
    """Sums with their answers as demonstrations."""
    rows = [
        {"id": text, "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": answer}], "answer": answer}
        for text, answer in SUMS.items()]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def both(folder) -> Path:
    """The sums as text, each followed by itself in a picture, by the command."""
    out = folder / "both.jsonl"
    command(["twins", str(sums_file(folder / "sums.jsonl")), str(out), "--kind", "rendered"])
    return out


def command(arguments: list[str]) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def settings(folder: Path, source: Path, **more: str | int | float) -> list[str]:
    values = {
        "model.name": folder / "qwen2_vl", "model.threads": 1, "problems.source": source, "problems.evaluation": source,
        "sampling.max_tokens": 4, "checkpoints.every": 1, "checkpoints.keep": 9, **more}  # fmt: skip
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_resumes_to_the_same_bytes(run: Path, command_line: list[str], tmp_path: Path, steps: int) -> None:
    """Cut a finished run back to its second checkpoint, repeat the command, and compare."""
    cut = tmp_path / "cut"
    shutil.copytree(run, cut)
    for step in range(3, steps + 1):
        shutil.rmtree(cut / "checkpoints" / f"step-{step:06d}")
    command([str(cut) if part == str(run) else part for part in command_line])
    assert (cut / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    for path in [*run.glob("rollouts/*"), *run.glob("evaluations/*"), *run.glob(f"checkpoints/step-{steps:06d}/*")]:
        assert path.read_bytes() == (cut / path.relative_to(run)).read_bytes(), path


def test_sft_on_pictures_lowers_the_loss_and_resumes_exactly(folder, both, tmp_path):
    run = tmp_path / "sft"
    more = {"epochs": 4, "demonstrations_per_step": 8, "optimizer.lr": 0.01, "optimizer.schedule": "constant"}
    line = ["run", "sft", "--out", str(run), *settings(folder, both, **more, **{"optimizer.final_lr_ratio": 0.0})]
    command(line)
    losses = [row["loss/sft"] for row in metrics_of(run) if "loss/sft" in row]
    assert len(losses) == 4 and losses[-1] < 0.75 * losses[0]
    first, last = (load_policy(ModelConfig(name=str(name))) for name in (folder / "qwen2_vl", run))
    moved = [n for n, p in first.weights.items() if ".visual." in n and not torch.equal(p, last.weights[n])]
    assert len(moved) > 10
    assert_resumes_to_the_same_bytes(run, line, tmp_path, 4)


@pytest.mark.parametrize("partial", [False, True])
def test_rl_on_pictures_keeps_parity_records_digests_and_resumes_exactly(folder, both, tmp_path, partial):
    run = tmp_path / "zero"
    more = {"num_steps": 3, "prompts_per_step": 4, "rollouts_per_prompt": 4, "optimizer.lr": 1e-3}
    more |= {"partial.segment_tokens": 2} if partial else {}
    line = ["run", "zero", "--out", str(run), *settings(folder, both, **more)]
    command(line)
    digests = {p.id: [i["sha256"] for i in p.images] for p in load_problems(both).problems}
    rows = [row for path in run.glob("rollouts/*.parquet") for row in pq.read_table(path).to_pylist()]
    assert rows and all(row.get("images", []) == digests[row["problem_id"]] for row in rows)
    assert any(row.get("images") for row in rows)
    trained = [m["policy/logp_mismatch_max"] for m in metrics_of(run) if "policy/logp_mismatch_max" in m]
    assert trained and (partial or max(trained) < 1e-4)
    assert_resumes_to_the_same_bytes(run, line, tmp_path, 3)


def test_the_auxiliary_sft_losss_demonstrations_keep_their_pictures(both, policies):
    config = AuxiliarySftConfig(source=str(both), weight=1.0)
    shown = AuxiliarySft(config, policies["qwen2_vl"], ("<think>", "</think>"), on_warning=print)
    part = shown.part(1.0, seed=0, update=1)
    assert part is not None and sorted(map(len, part.batch.images)) == [0] * 4 + [1] * 4


def test_a_run_whose_pictures_were_changed_is_not_gone_on_with(folder, both, tmp_path):
    source = tmp_path / "both.jsonl"
    shutil.copy(both, source)
    shutil.copytree(both.with_name("both-images"), tmp_path / "both-images")
    line = ["run", "sft", "--out", str(tmp_path / "run"), *settings(folder, source, epochs=2, demonstrations_per_step=8)]
    command(line)
    draw_text("9+9").save(tmp_path / "both-images" / "000000.png")
    done = CliRunner().invoke(app, line)
    assert done.exit_code != 0 and "is not the picture that was recorded" in str(done.exception)


def learned(folder: Path, problems: Sequence[Problem]) -> TextPolicy:
    """A policy that was taught these problems' answers."""
    policy = load_policy(ModelConfig(name=str(folder / "qwen2_vl"), threads=1))
    config = OptimizerConfig(lr=4e-3, betas=(0.9, 0.99))
    optimizer = make_optimizer(policy, config)
    tokenizer = policy.tokenizer
    batch = pack([(*render_demonstration(tokenizer, p, carries_images=True), p.images) for p in problems])
    batch = batch.with_streams({"sft": batch.mask_BT.float()})
    for _ in range(60):
        optimizer_step(policy, optimizer, batch, {"sft": sft_component()}, lr=config.lr, temperature=1.0, config=config)
    return policy


def measured(policy: TextPolicy, problems: Sequence[Problem], samples: int = 2) -> dict[str, float]:
    groups, _ = rollout(
        policy, problems, Rubric(RewardsConfig()), rollouts_per_prompt=samples, seed=("test",), policy_version=0,
        sampling=SamplingConfig(max_tokens=4, temperature=0.1), grading=GradingConfig(workers=1))  # fmt: skip
    return evaluation_metrics(groups)


def test_a_question_as_text_and_as_picture_is_answered_alike_once_learned_but_not_with_pictures_swapped(folder, both):
    problems = load_problems(both).problems
    policy = learned(folder, problems)
    found = measured(policy, problems)
    assert found["eval/rendered_agreement"] == found["eval/repeated_agreement"] == 1.0
    assert found["eval/original_accuracy"] == found["eval/rendered_accuracy"] == 1.0
    assert found["eval/rendered_problems"] == 4.0 and found["eval/rendered_agreement_low"] == pytest.approx(0.51, abs=0.01)
    shown = [p for p in problems if p.images]
    swapped = [replace(p, messages=q.messages) for p, q in zip(shown, [*shown[1:], shown[0]], strict=True)]
    found = measured(policy, [*(p for p in problems if not p.images), *swapped])
    assert found["eval/rendered_agreement"] == 0.0 and found["eval/original_accuracy"] == 1.0


def test_evaluate_reports_the_agreement_of_a_file_with_rendered_twins(folder, both, tmp_path):
    lines = [p for p in settings(folder, both) if "evaluation" not in p]
    chosen = [part for part in lines if part != "--set" and "checkpoints" not in part]
    command(["run", "evaluate", "--out", str(tmp_path / "e"), *(x for part in chosen for x in ("--set", part))])
    (row,) = metrics_of(tmp_path / "e")
    assert row["eval/rendered_problems"] == 4.0
    assert 0 <= row["eval/rendered_agreement_low"] <= row["eval/rendered_agreement"] <= row["eval/rendered_agreement_high"] <= 1
    stored = pq.read_table(tmp_path / "e" / "evaluations" / "step-000000.parquet").to_pylist()
    assert [len(row["images"]) for row in stored] == [0, 1] * 4
