"""On-policy distillation from the embedded base into a smaller student of another family."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

import sanmai
from sanmai.config import merge
from sanmai.data.chat import render_prompt
from sanmai.learn.teacher import check_shares_tokenizer
from sanmai.plan.forecast import describe
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.tiny import TINY_PATH, ArchitectureConfig, new_tiny_model
from sanmai.recipes import distill, find_recipe, resolve
from tiny_models import save_folder

SMALL = {"family": "llama", "layers": 2, "width": 64, "heads": 2, "key_value_heads": 1, "mlp_width": 128}
FAST = {
    "num_steps": 2, "prompts_per_step": 8, "rollouts_per_prompt": 2, "checkpoints": {"every": 1}, "sampling": {"max_tokens": 32},
    "problems": {"world": {"heldout": 10, "train": 200}}, "optimizer": {"lr": 1e-3, "micro_tokens": 2048},
}  # fmt: skip


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Path:
    """A run folder: a Llama of two layers that has read a little of the corpus."""
    out = tmp_path_factory.mktemp("student") / "run"
    return sanmai.run(
        "pretrain", out=out, num_steps=60, documents_per_step=16, architecture=SMALL, world={"heldout": 10},
        optimizer={"lr": 5e-3, "warmup_steps": 10}, sampling={"max_tokens": 24})  # fmt: skip


@pytest.fixture(scope="module")
def pruned(tmp_path_factory) -> Path:
    """The embedded base without its third layer: a smaller student that has most to regain."""
    policy = load_policy(ModelConfig(threads=1))
    model, folder = policy.model, tmp_path_factory.mktemp("pruned")
    model.model.layers = torch.nn.ModuleList(layer for i, layer in enumerate(model.model.layers) if i != 2)
    model.config.num_hidden_layers, model.config.layer_types = 3, model.config.layer_types[:3]
    policy.save(folder)
    return folder


def run_distill(out: Path, student: Path | str, **settings) -> Path:
    values = merge(FAST, settings)
    model = merge({"name": str(student), "threads": 1}, values.pop("model", {}))
    return sanmai.run("distill", model=model, out=out, **values)


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_settings_architecture_is_that_of_the_shipped_base_unless_told_otherwise(student):
    shipped = json.loads((TINY_PATH / "config.json").read_text())
    ours, small = new_tiny_model(0).config.to_dict(), json.loads((student / "start" / "config.json").read_text())
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
    assert [ours[n] for n in (*names, "model_type")] == [shipped[n] for n in (*names, "model_type")]
    assert [small[n] for n in (*names, "model_type")] == [64, 128, 2, 2, 1, 32, "llama"]
    with pytest.raises(sanmai.InputError, match="heads = 3 cannot share key_value_heads = 2"):
        ArchitectureConfig.read({"heads": 3})


def test_a_step_measures_the_reverse_kl_of_its_own_samples_and_rewards_are_only_recorded(student, tmp_path):
    run = run_distill(tmp_path / "run", student)
    step, rows = metrics_of(run)[1], pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    assert {"reward/accuracy", "rollout/length_mean", "loss/distill", "policy/grad_norm", "tokens/sampled"} <= step.keys()
    assert len(rows) == 16 and all(row["advantage"] is not None and row["log_ratio"] is not None for row in rows)

    # The teacher's log-probs by the library's own forward, one row at a time.
    teacher = load_policy(ModelConfig(threads=1), for_training=False)
    gaps: list[float] = []
    for row in rows:
        problem = next(p for p in problems_of(run) if p.id == row["problem_id"])
        prompt = render_prompt(teacher.tokenizer, problem.messages)
        tokens = torch.tensor([prompt + row["tokens"]])
        with torch.no_grad():
            logp = torch.log_softmax(teacher.model(tokens).logits[0, len(prompt) - 1 : -1], dim=-1)
        of_tokens = logp[torch.arange(len(row["tokens"])), torch.tensor(row["tokens"])]
        gap = (torch.tensor(row["sampling_logp"]) - of_tokens).tolist()
        assert row["advantage"] == pytest.approx(-sum(gap) / len(gap), abs=1e-4)
        gaps += gap
    assert step["distill/reverse_kl"] == pytest.approx(sum(gaps) / len(gaps), abs=1e-4)
    assert step["tokens/trained"] == len(gaps)


def problems_of(run: Path):
    from sanmai.world.settings import WorldConfig
    from sanmai.world.testbed import WORLD

    return WORLD.problems(WorldConfig(train=200, heldout=10), 0)[0]


def test_the_exact_form_measures_what_the_sampled_one_estimates(pruned, tmp_path):
    runs = [run_distill(tmp_path / str(exact), pruned, exact=exact, prompts_per_step=64, num_steps=1) for exact in (False, True)]
    rows = [pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist() for run in runs]
    assert [row["tokens"] for row in rows[0]] == [row["tokens"] for row in rows[1]]
    sampled, exact = (metrics_of(run)[1] for run in runs)
    # Of some 1,700 tokens; single ones spread by 1 to 2 nats, their mean by 0.04.
    assert sampled["distill/reverse_kl"] == pytest.approx(exact["distill/reverse_kl"], abs=0.12)
    assert exact["loss/distill"] == pytest.approx(exact["distill/reverse_kl"], rel=1e-5)


@pytest.mark.parametrize("form", [{}, {"exact": True, "beta": 0.5}])
def test_micro_batches_and_workers_do_not_change_the_step(student, tmp_path, form):
    whole = run_distill(tmp_path / "whole", student, num_steps=1, **form)
    cut = run_distill(tmp_path / "cut", student, num_steps=1, optimizer={"micro_tokens": 100}, model={"threads": 2}, **form)
    names = ("distill/reverse_kl", "loss/distill", "policy/grad_norm", "policy/entropy")
    assert [metrics_of(cut)[1][n] for n in names] == pytest.approx([metrics_of(whole)[1][n] for n in names], rel=1e-4)


@pytest.mark.parametrize("form", [{}, {"exact": True}])
def test_a_resumed_run_ends_with_the_same_bytes(student, tmp_path, form):
    run = run_distill(tmp_path / "run", student, **form)
    names = ("metrics.jsonl", "rollouts/step-000002.parquet", "checkpoints/step-000002/model.safetensors")
    whole = {name: (run / name).read_bytes() for name in names}
    shutil.rmtree(run / "checkpoints" / "step-000002")
    run_distill(run, student, **form)
    assert whole == {name: (run / name).read_bytes() for name in names}


def test_a_teacher_that_has_changed_ends_the_run(student, tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(TINY_PATH, teacher)
    run = run_distill(tmp_path / "run", student, teacher={"name": str(teacher)})
    shutil.rmtree(run / "checkpoints" / "step-000002")
    new_tiny_model(3).save_pretrained(teacher)
    with pytest.raises(sanmai.InputError, match="teacher was"):
        run_distill(run, student, teacher={"name": str(teacher)})


@pytest.mark.parametrize("form", [{}, {"exact": True}, {"exact": True, "beta": 0.0}])
def test_a_student_that_is_its_teacher_has_nothing_to_learn(tmp_path, form):
    shutil.copytree(TINY_PATH, tmp_path / "twin")
    step = metrics_of(run_distill(tmp_path / "run", tmp_path / "twin", num_steps=1, **form))[1]
    assert abs(step["distill/reverse_kl"]) < 1e-5 and step["policy/grad_norm"] < 1e-4
    with pytest.raises(sanmai.InputError, match=r"teacher\.name = 'tiny' is the student itself"):
        run_distill(tmp_path / "same", "tiny", **form)


@pytest.mark.parametrize("form", [{}, {"exact": True}])
def test_it_learns_and_with_the_sign_flipped_it_does_not(pruned, tmp_path, monkeypatch, form):
    settings = {**form, "num_steps": 8, "prompts_per_step": 32, "optimizer": {"lr": 5e-4}, "checkpoints": {"every": 8}}
    kl = [m["distill/reverse_kl"] for m in metrics_of(run_distill(tmp_path / "run", pruned, **settings))[1:]]
    assert kl[0] > 0.3 and sum(kl[-3:]) / 3 < kl[0] / 2
    if not form:
        true = distill.distillation_advantages
        monkeypatch.setattr(distill, "distillation_advantages", lambda *streams: -true(*streams))
        # The metric is minus the mean of the advantages, flipped as they are.
        kl = [-m["distill/reverse_kl"] for m in metrics_of(run_distill(tmp_path / "flipped", pruned, **settings))[1:]]
        assert kl[0] > 0.3 and sum(kl[-3:]) / 3 > 2 * kl[0]


def test_another_tokenizer_is_refused_by_its_words_its_special_tokens_and_its_end(student, tmp_path):
    save_folder(tmp_path / "bpe", "qwen3")
    with pytest.raises(sanmai.InputError, match="different tokenizers") as refused:
        run_distill(tmp_path / "run", student, teacher={"name": str(tmp_path / "bpe")})
    assert "\n" not in str(refused.value) and "`sft`" in str(refused.value)

    ours = load_policy(ModelConfig(threads=1))
    for name, change, says in (
        ("special", {"extra_special_tokens": ["<user>"]}, "special tokens"),
        ("end", {"eos_token": "<pad>", "pad_token": "<eos>"}, "ends a completion with '<pad>'"),
    ):
        shutil.copytree(TINY_PATH, tmp_path / name)
        file = tmp_path / name / "tokenizer_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(sanmai.InputError, match=says):
            check_shares_tokenizer(ours, load_policy(ModelConfig(name=str(tmp_path / name), threads=1)))
    shutil.copytree(TINY_PATH, tmp_path / "other name")
    check_shares_tokenizer(ours, load_policy(ModelConfig(name=str(tmp_path / "other name"), threads=1)))


@pytest.mark.parametrize("form", [{}, {"exact": True}])
def test_words_that_the_teachers_embedding_lacks_are_left_out_and_counted(tmp_path, form):
    policy = load_policy(ModelConfig(threads=1))
    policy.model.resize_token_embeddings(policy.vocabulary + 3, mean_resizing=False)
    weight = policy.model.get_output_embeddings().weight.data
    weight[-3:] = 0.0
    weight[-1] = weight[policy.tokenizer.convert_tokens_to_ids("7")]  # padding that is sampled now and then
    policy.save(tmp_path / "padded")
    run = run_distill(tmp_path / "run", tmp_path / "padded", num_steps=1, **form)
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    odd = [row for row in rows if max(row["tokens"]) >= policy.tokenizer.vocab_size]
    assert 0 < len(odd) < len(rows) and all(row["log_ratio"] is None for row in odd)
    assert f"{len(odd)} rollouts left out" in (run / "events.jsonl").read_text()
    assert metrics_of(run)[1]["tokens/trained"] == sum(len(row["tokens"]) for row in rows if row not in odd)


def test_a_callers_problems_need_no_answer_and_its_reward_is_recorded(student, tmp_path):
    problems = [sanmai.Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 3 ?"},)) for i in range(20)]
    run = run_distill(tmp_path / "plain", student, problems=problems)
    assert metrics_of(run)[1]["rollout/ungradable"] == 1.0 and "loss/distill" in metrics_of(run)[1]
    run = run_distill(tmp_path / "reward", student, problems=problems, reward=lambda problem, text: float(len(text)))
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    assert all(row["reward"] == len(row["text"]) for row in rows)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"beta": 0.5}, "beta = 0.5 is read only with exact"),
        ({"sampling": {"temperature": 0.7}}, r"sampling\.temperature"),
        ({"prompts_per_step": 201}, "only 200 problems"),
        ({"teacher": {"name": "nowhere"}}, "nowhere"),
        ({"teacher": {"name": "a/b", "revision": "x", "dtype": "float16"}}, r"teacher\.dtype"),
    ],
)
def test_what_cannot_work_is_refused(student, tmp_path, settings, says):
    with pytest.raises(sanmai.InputError, match=says):
        run_distill(tmp_path / "run", student, **settings)


def test_a_plan_names_the_teacher_and_loads_it(student, tmp_path):
    recipe = find_recipe("distill")
    config = resolve(recipe, None, [f"model.name={student}", "sampling.max_tokens=64"])
    sentences = " ".join(describe(recipe, config, tmp_path / "run"))
    assert "Teacher tiny: Qwen3ForCausalLM" in sentences and "LlamaForCausalLM" in sentences
    with pytest.raises(sanmai.InputError, match="the student itself"):
        list(describe(recipe, resolve(recipe), tmp_path / "run"))
