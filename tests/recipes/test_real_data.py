"""SFT, then R1-Zero, on real GSM8K files with small random models of three architectures."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM

import sanmai
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from shared_data import shared_path
from tiny_models import save_folder

SMALL = {
    "checkpoints": {"every": 1},
    "sampling": {"max_tokens": 24},
    "evaluation": {"samples": 1},
    "optimizer": {"lr": 1e-3},
}


def checkpoint_of(run: Path) -> Path:
    found = newest_good_checkpoint(run)
    assert found is not None
    return found


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gemma2"])
def test_sft_then_zero_go_through_on_gsm8k(tmp_path, architecture):
    gsm8k = shared_path("gsm8k")
    train, evaluation = gsm8k / "train.jsonl", gsm8k / "test_dev.jsonl"
    text = "\n".join(json.loads(line)["question"] for line in train.read_text().splitlines()[:500])
    # GSM8K prompts in the R1-Zero template are some 200 tokens of this small vocabulary.
    longer = {"n_positions": 2048} if architecture == "gpt2" else {"max_position_embeddings": 2048}
    model = save_folder(tmp_path / "model", architecture, text=text, vocab_size=1000, initializer_range=0.02, **longer)
    problems = {"source": str(train), "evaluation": str(evaluation), "evaluation_limit": 8}
    tuned = sanmai.run(
        "sft",
        model=model,
        problems=problems | {"limit": 32},
        out=tmp_path / "sft",
        **SMALL,
        epochs=1,
        demonstrations_per_step=16,
    )
    run = sanmai.run(
        "zero",
        model=tuned,
        problems=problems,
        out=tmp_path / "zero",
        **SMALL,
        num_steps=2,
        prompts_per_step=4,
        rollouts_per_prompt=2,
        rewards={"accuracy": 1.0, "format": 0.5, "length": 0.1},
    )
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [0, 1, 2]
    assert "eval/accuracy" in metrics[-1] and metrics[1]["policy/logp_mismatch_max"] < 1e-4
    assert pq.read_table(run / "rollouts" / "step-000001.parquet").num_rows == 8
    assert pq.read_table(run / "evaluations" / "step-000002.parquet").num_rows == 8
    assert (run / "report.html").stat().st_size > 10_000
    plain = AutoModelForCausalLM.from_pretrained(checkpoint_of(run)).eval()
    ours = load_policy(ModelConfig(name=str(run)), for_training=False)
    tokens_BT = torch.arange(2, 40).unsqueeze(0)
    with torch.no_grad():
        assert torch.equal(plain(tokens_BT).logits, ours.model(tokens_BT).logits)


def test_sft_lowers_the_loss_on_real_solutions(tmp_path):
    train = shared_path("gsm8k") / "train.jsonl"
    text = "\n".join(json.loads(line)["answer"] for line in train.read_text().splitlines()[:200])
    model = save_folder(
        tmp_path / "model", text=text, vocab_size=600, initializer_range=0.02, max_position_embeddings=2048
    )
    run = sanmai.run(
        "sft",
        model=model,
        problems={"source": str(train), "limit": 64, "evaluation_limit": 2},
        out=tmp_path / "sft",
        epochs=4,
        demonstrations_per_step=16,
        **{**SMALL, "optimizer": {"lr": 3e-3}},
    )
    losses = [json.loads(line).get("loss/sft") for line in (run / "metrics.jsonl").read_text().splitlines()][1:]
    assert losses[-1] < losses[0] - 0.3
