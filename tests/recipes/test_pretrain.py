"""The embedded base model can be rebuilt: a short rebuild learns, and a resumed one is the same."""

import json
import shutil
from pathlib import Path

import sanmai
from sanmai.data.chat import render_demonstration
from sanmai.policies.text.tiny import tiny_tokenizer
from sanmai.world import make_problems

SHORT = {
    "documents_per_step": 16,
    "world": {"heldout": 10},
    "optimizer": {"lr": 3e-3, "warmup_steps": 5},
    "sampling": {"max_tokens": 40},
}


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss/sft"] for line in lines if "loss/sft" in line]


def test_a_short_rebuild_learns(tmp_path):
    found = losses(sanmai.run("pretrain", out=tmp_path / "run", num_steps=60, **SHORT))
    # A uniform guess over 209 words costs ln 209 = 5.3 nats; half of that needs the corpus' words and their order.
    assert found[0] > 5 and sum(found[-10:]) / 10 < 2.6


def test_a_resumed_rebuild_reads_the_corpus_from_where_it_was(tmp_path):
    settings = {**SHORT, "num_steps": 4, "checkpoints": {"every": 2}}
    run = sanmai.run("pretrain", out=tmp_path / "run", **settings)
    whole = {name: (run / name).read_bytes() for name in ("metrics.jsonl", "checkpoints/step-000004/model.safetensors")}
    shutil.rmtree(run / "checkpoints" / "step-000004")
    sanmai.run("pretrain", out=run, **settings)
    assert whole == {name: (run / name).read_bytes() for name in whole}


def test_sft_on_gold_chains_of_the_world_teaches_thinking_and_meets_no_unknown_word(tmp_path):
    tokenizer = tiny_tokenizer()
    for problem in make_problems(20, seed=0):
        prompt, completion = render_demonstration(tokenizer, problem)
        assert tokenizer.unk_token_id not in prompt + completion
    run = sanmai.run("sft", out=tmp_path / "run", epochs=0.15, problems={"world": {"heldout": 100}})
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert found[-1]["eval/thinks"] > 0.9 > found[0]["eval/thinks"]
