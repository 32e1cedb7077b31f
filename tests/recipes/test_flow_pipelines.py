"""Pipelines of diffusers through the recipe flow: drawn as diffusers draws, trained, killed, resumed, and loaded by diffusers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("diffusers", reason='pipelines need diffusers: pip install ".[flow]"')

from policies.tiny_pipelines import SIZES, make_pipeline
from sanmai.plan.flow import describe_flow
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.pipeline import PipelinePolicy, is_pipeline, load_pipeline
from sanmai.recipes.flow import FlowConfig, run_flow
from sanmai.report import write_report
from sanmai.train.step import check_parity
from sanmai.types import InputError, Problem

PROMPTS = ("a red dot moving left", "a blue square")
ASKED = [Problem(f"p/{k}", ({"role": "user", "content": prompt},)) for k, prompt in enumerate(PROMPTS)]
SMALL = {
    "num_steps": 2, "clips_per_step": 4, "checkpoints": {"every": 1}, "evaluation": {"clips_per_prompt": 1},
    "sampling": {"steps": 2}, "optimizer": {"lr": 1e-2, "micro_tokens": 2},
}
METHODS = {
    "sft": {"own": {"groups": 4}}, "dpo": {"own": {"groups": 4}}, "rwr": {"own": {"groups": 4}},
    "grpo": {"rollouts_per_prompt": 2, "drawing": {"steps": 2}, "loss": {"kl_weight": 0.01},
             "constraints": {"harm": {"limit": 0.0, "drives": "cost"}, "every": 1, "clips_per_prompt": 2}},
}  # fmt: skip


def reward(problem, clip):
    """Bright clips are better, red ones harmful."""
    assert clip.shape[-1] == 3
    return {"brightness": float(clip.mean()), "harm": float(clip[..., 0].mean() > clip[..., 2].mean())}


def model(kind: str, folder: Path, **more) -> dict:
    return {"name": str(folder), "size": SIZES[kind], "lora_rank": 2, "lora_alpha": 4, **more}


def config(method: str, kind: str, folder: Path, **more) -> FlowConfig:
    prompts = folder.parent / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    values = {**SMALL, "method": method, "prompts": str(prompts), "model": model(kind, folder), **METHODS.get(method, {})}
    return FlowConfig.read({**values, **more})


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("pipelines")
    return {kind: make_pipeline(kind, base / kind) for kind in SIZES}


def drawn(policy, sampling=None, count=1):
    asked = {"seed": (1,), "version": 0, "sampling": sampling or FlowSamplingConfig(steps=3), "thought_tags": ("", "")}
    return [d for _, d in policy.draw(ASKED, count, **asked)]


def weights_of(folder: Path) -> bytes:
    return (folder / "transformer" / "diffusion_pytorch_model.safetensors").read_bytes()


def newest(run: Path) -> Path:
    return max((run / "checkpoints").iterdir())


@pytest.mark.parametrize("kind", SIZES)
def test_a_pipeline_draws_what_diffusers_draws_from_the_same_noise(kind, folders):
    from diffusers import DiffusionPipeline

    policy = load_pipeline(FlowModelConfig(**model(kind, folders[kind])))
    mine = drawn(policy)[0].content
    noise = policy._noises([(1, "p/0", 0)], 1)[:, 0]
    pipe = DiffusionPipeline.from_pretrained(folders[kind])
    pipe.set_progress_bar_config(disable=True)
    steps, told = pipe.scheduler.set_timesteps, [1.0, 2 / 3, 1 / 3]
    pipe.scheduler.set_timesteps = lambda n=None, device=None, sigmas=None, mu=None: steps(sigmas=told, device=device)
    frames, height, width = SIZES[kind]
    packed = {"ltx": lambda x: pipe._pack_latents(x, 1, 1), "flux": lambda x: pipe._pack_latents(x, 1, *x.shape[1:])}
    clips = {"num_frames": frames} if frames > 1 else {}
    theirs = pipe(
        PROMPTS[0], height=height, width=width, num_inference_steps=3, guidance_scale=1.0, output_type="pt",
        latents=packed.get(kind, lambda x: x)(noise), **clips,
    )[0][0].reshape(frames, 3, height, width).permute(0, 2, 3, 1)
    assert mine.clip_FHW.shape == policy.clip_shape == (*SIZES[kind], 3)
    assert torch.allclose(mine.clip_FHW, theirs, atol=1e-4) and theirs.std() > 0.01
    check_parity(policy, policy.pack(drawn(policy, FlowSamplingConfig(steps=3, noise="flow_grpo"), 2)), temperature=1.0,
                 micro_tokens=4)  # fmt: skip


@pytest.mark.parametrize("kind", ["wan", "sd3", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("ltx", "flux"))])
def test_what_was_trained_is_what_diffusers_loads_to_the_bit(kind, folders, tmp_path):
    from diffusers import DiffusionPipeline

    before = weights_of(folders[kind])
    for method in ("dpo", "grpo") if kind == "wan" else ("dpo",):
        run = run_flow(config(method, kind, folders[kind]), tmp_path / method, reward=reward)
        saved = newest(run)
        policy = load_pipeline(FlowModelConfig(name=str(saved), size=SIZES[kind]))
        pipe = DiffusionPipeline.from_pretrained(saved)
        state = pipe.transformer.state_dict()
        assert all(torch.equal(t, policy.transformer.state_dict()[name]) for name, t in state.items())
        assert weights_of(saved) != before and not any("lora" in name or t.is_meta for name, t in state.items())
        # The adapters alone, on the pipeline that they were trained on, give the same velocities.
        plain = DiffusionPipeline.from_pretrained(folders[kind])
        plain.load_lora_weights(saved / "lora", weight_name="pytorch_lora_weights.safetensors")
        adapted = load_pipeline(FlowModelConfig(name=str(folders[kind]), size=SIZES[kind]))
        adapted.family.transformer = plain.transformer
        x, time_B = torch.randn(1, *policy.latent_shape, generator=torch.Generator().manual_seed(0)), torch.tensor([0.5])
        told = policy.told(PROMPTS[:1])
        with torch.no_grad():
            one, other = (p.velocity(x, time_B, told) for p in (policy, adapted))
            start = load_pipeline(FlowModelConfig(name=str(folders[kind]), size=SIZES[kind])).velocity(x, time_B, told)
        assert torch.allclose(one, other, atol=1e-4) and (one - start).abs().max() > 1e-4


RUN = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]) / "recipes")]
from test_flow_pipelines import config, reward
from sanmai.recipes.flow import FlowSteps, run_flow
update = FlowSteps.update
def dying(self, step):
    if step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, step)
FlowSteps.update = dying
for method in sys.argv[4:]:
    child = os.fork()
    if not child:
        run_flow(config(method, "wan", Path(sys.argv[2])), Path(sys.argv[3]) / method, reward=reward)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.mark.slow
def test_killed_and_resumed_a_pipeline_is_the_same_to_the_byte(folders, tmp_path):
    subprocess.run(
        [sys.executable, "-c", RUN, str(Path(__file__).parents[1]), str(folders["wan"]), str(tmp_path), *METHODS], check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for method in METHODS:
        run_flow(config(method, "wan", folders["wan"]), tmp_path / f"{method}-whole", reward=reward)
        assert [path.name for path in (tmp_path / method / "checkpoints").iterdir()] == ["step-000001"]
        run_flow(config(method, "wan", folders["wan"]), tmp_path / method, reward=reward)
        killed, whole = tmp_path / method, tmp_path / f"{method}-whole"
        assert weights_of(newest(killed)) == weights_of(newest(whole)) != weights_of(folders["wan"])
        assert (killed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
        lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
        assert lines[0]["eval/win_reward"] == 0.5 and "eval/win_rate" not in lines[0] and "eval/brightness" in lines[-1]
        if method == "dpo":  # before its first update the policy is the reference
            assert lines[1]["loss/dpo"] == pytest.approx(np.log(2.0), abs=1e-6)


def test_a_run_keeps_clips_in_colour_and_its_report_shows_them(folders, tmp_path):
    trained = config("dpo", "sd3", folders["sd3"], sampling={"steps": 2, "prompt_scale": 3.0}, num_steps=1)
    run = run_flow(trained, tmp_path / "run", reward=reward)
    table = pq.read_table(run / "evaluations" / "step-000001.parquet")
    assert table["clip_shape"][0].as_py() == [1, 16, 16, 3] and len(table["clip"][0].as_py()) == 768
    assert {"score/brightness", "score/harm"} <= set(table.column_names)
    page = write_report(run).read_text()
    assert "data:image/png" in page and "Harmful" in page


def test_plan_states_the_memory_of_an_update(folders, tmp_path):
    whole = config("dpo", "wan", folders["wan"], reward={"custom": f"{__file__}:reward"})
    told = " ".join(describe_flow(whole, tmp_path, measure=False))
    assert "Memory of an update:" in told and "transformer 92.7 KiB" in told and "activations" in told and "reference" in told


def test_pictures_become_latents_and_come_back_where_the_pipeline_can(folders):
    policy = load_pipeline(FlowModelConfig(**model("wan", folders["wan"])))
    clips = torch.stack([d.content.clip_FHW for d in drawn(policy)])
    assert policy.encode(clips).shape == (2, *policy.latent_shape)
    assert torch.equal(policy.encode(clips)[1], policy.encode(clips[1]))


def test_the_flow_as_it_started_is_the_pipeline_with_its_adapters_off(folders):
    policy = load_pipeline(FlowModelConfig(**model("wan", folders["wan"])))
    started = policy.as_started()
    before = drawn(policy)[0].content.clip_FHW
    with torch.no_grad():
        for p in policy.weights.values():
            p.add_(0.1)
    assert torch.equal(drawn(started)[0].content.clip_FHW, before)
    assert not torch.equal(drawn(policy)[0].content.clip_FHW, before)
    assert all(p.requires_grad for p in policy.weights.values())


@pytest.mark.parametrize(("changed", "said"), [
    ({"prompts": None}, "expected its prompts in the setting prompts"),
    ({"model": {"size": (5, 20, 16)}}, "multiples of 16"),
    ({"model": {"size": (4, 16, 16)}}, "a multiple of 4 and 1"),
    ({}, "nobody rewards"),
])  # fmt: skip
def test_what_a_pipeline_cannot_do_is_said_before_anything_is_drawn(changed, said, folders, tmp_path):
    given = changed.get("model", {})
    whole = config("dpo", "wan", folders["wan"], **{**changed, "model": model("wan", folders["wan"], **given)})
    with pytest.raises(InputError, match=said):
        run_flow(whole, tmp_path / "run", reward=reward if changed else None)


@pytest.mark.parametrize(("part", "says"), [
    ("text_encoder", "text_encoder: its weights lack "), ("vae", "vae has no weights for "),
    ("transformer", "transformer has no weights for "), ("tokenizer", "tokenizer"),
])  # fmt: skip
def test_no_part_of_a_pipeline_is_made_up_for_a_folder_that_lacks_it(folders, tmp_path, part, says):
    shutil.copytree(folders["wan"], tmp_path / "own")
    files = list((tmp_path / "own" / part).glob("*.safetensors"))
    for path in files:
        tensors = load_file(path)
        tensors.pop(sorted(tensors)[len(tensors) // 2])
        save_file(tensors, path, {"format": "pt"})
    for path in [] if files else (tmp_path / "own" / part).glob("token*"):
        path.unlink()
    with pytest.raises(InputError, match=says):
        load_pipeline(FlowModelConfig(name=str(tmp_path / "own")))


def test_a_folder_that_was_saved_with_adapters_attached_is_refused(folders, tmp_path):
    from diffusers import DiffusionPipeline
    from peft import LoraConfig

    pipe = DiffusionPipeline.from_pretrained(folders["wan"])
    pipe.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    pipe.save_pretrained(tmp_path / "attached")
    with pytest.raises(InputError, match="adapters attached"):
        load_pipeline(FlowModelConfig(**model("wan", tmp_path / "attached")))
    assert isinstance(load_pipeline(FlowModelConfig(**model("wan", folders["wan"]))), PipelinePolicy)


def test_a_path_that_is_wrong_is_no_name_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert is_pipeline("black-forest-labs/FLUX.1-dev")
    assert not is_pipeline("runs/flow-typo") and not is_pipeline("typo") and not is_pipeline("runs")
