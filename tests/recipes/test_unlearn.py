"""Unlearning: what is led away and what is held, what still leaks, the same bytes after a stop, and models from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sanmai.data.trace import parse_trace
from sanmai.learn.unlearning import hidden_after, mean_norm
from sanmai.policies.text.library import backbone
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes import unlearn as unlearn_module
from sanmai.recipes.unlearn import (
    UnlearnConfig,
    describe_unlearn,
    finding,
    knowledge,
    layer_of,
    load_narrowed,
    run_unlearn,
    sequences,
)
from sanmai.report import summarise, write_report
from sanmai.rewards.leaks import leak_verdicts, tells
from sanmai.types import InputError, Problem
from tiny_models import random_policy, save_folder


def config(**values) -> UnlearnConfig:
    small = {"num_steps": 2, "texts_per_step": 2, "limit": 4, "sampling": {"max_tokens": 16}}
    found = resolve(find_recipe("unlearn"), values={**small, **values})
    assert isinstance(found, UnlearnConfig)
    return found


def scores(problem: Problem, text: str) -> tuple[float | None, float | None]:
    found = leak_verdicts(problem, parse_trace(text))
    return found["answer_leak"].score, found["thought_leak"].score


def test_a_leak_is_told_apart_in_thought_and_answer_finished_or_not():
    asked = Problem("key", ({"role": "user", "content": "Which room?"},), answer="Room 12")
    assert scores(asked, "<think> it is room 12, as I know </think> I do not say") == (0.0, 1.0)
    assert scores(asked, "<think> hm </think> ROOM 12!") == (1.0, 0.0)
    assert scores(asked, "<think> room 12") == (0.0, 1.0)  # cut off in the thought
    assert scores(asked, "room 1 or 2") == (0.0, 0.0)
    assert scores(Problem("none", asked.messages), "room 12") == (None, None)
    assert not tells("", "anything") and not tells("Room 1", "room 12")


def test_the_state_after_a_layer_is_the_librarys_and_nothing_above_is_computed():
    policy = random_policy("llama", layers=3)
    batch = pack([([5, 6, 7], [8, 9]), ([5, 6], [8, 9])])
    with torch.no_grad():
        expected = backbone(policy.model)(
            input_ids=batch.tokens_BT, attention_mask=batch.attention_BT.long(), use_cache=False, output_hidden_states=True
        ).hidden_states
        above: list[int] = []
        handle = policy.model.model.layers[2].register_forward_hook(lambda *_: above.append(1))
        found = hidden_after(policy, batch, 1)
        handle.remove()
    assert torch.allclose(found, expected[2], atol=1e-6) and not above
    lengths = expected[2][batch.mask_BT].norm(dim=-1)
    assert mean_norm(policy, batch, 1, 5) == pytest.approx(lengths.mean().item(), rel=1e-5)


def test_a_stopped_run_goes_on_with_the_same_bytes_and_says_what_leaks(tmp_path, monkeypatch):
    chosen = config(checkpoints={"every": 1})
    run_unlearn(chosen, tmp_path / "whole")
    update, calls = unlearn_module.update, []

    def stopping(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return update(*arguments, **named)

    monkeypatch.setattr(unlearn_module, "update", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_unlearn(chosen, tmp_path / "stopped")
    run_unlearn(chosen, tmp_path / "stopped")
    read = lambda name, file: (tmp_path / name / file).read_bytes()  # noqa: E731
    last = "checkpoints/step-000002"
    for file in ("unlearn.json", f"{last}/model.safetensors", f"{last}/training_state.safetensors"):
        assert read("whole", file) == read("stopped", file)
    found = json.loads(read("whole", "unlearn.json"))
    assert found["before"].keys() == found["after"].keys() >= {"answer_leak", "thought_leak", "leak", "retained", "retained_help"}
    assert found["before"]["answer_leak"]["n"] == 4 and found["before"]["retained"]["n"] == 2
    assert summarise(tmp_path / "whole")["lines"] and write_report(tmp_path / "whole").is_file()


def test_only_the_named_weights_of_the_named_layers_move(tmp_path):
    chosen = config(layer=2, trained_layers=2)
    policy = load_narrowed(chosen, chosen.model)
    assert sorted(policy.weights) == [f"model.layers.{k}.mlp.down_proj.weight" for k in (1, 2)]
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    folder = run_unlearn(chosen, tmp_path / "run")
    moved = load_narrowed(chosen, chosen.model.model_copy(update={"name": str(folder)}))
    changed = {name for name, p in moved.model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(policy.weights)
    assert len(load_narrowed(config(layer=1, trained_layers=1, trained=()), chosen.model).weights) > 5


def test_forgotten_texts_lose_their_answer_and_their_thought_apart_and_thoughts_stay_open():
    chosen = config(text_tokens=5)
    policy = load_narrowed(chosen, chosen.model)
    found = sequences(chosen, policy, knowledge(chosen, print))
    decode = lambda tokens: policy.tokenizer.decode(tokens)  # noqa: E731
    assert all(decode(words).startswith("<think>") for _, words in found["trace"])
    assert not any("think>" in decode(words) for _, words in [*found["forget"], *found["retain"]])
    assert all("</think>" in decode(words) for _, words in found["thoughts"])
    assert max(len(words) for _, words in [*found["forget"], *found["trace"]]) == 5


def write_rows(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def files(tmp_path: Path) -> dict:
    secrets = [{"prompt": f"key {k} ?", "answer": str(k), "solution": f"key {k} is {k}"} for k in range(4)]
    sums = [{"prompt": f"what is 3 plus {k} ?", "answer": str(3 + k), "solution": f"3 plus {k} is {3 + k}"} for k in range(6)]
    return {
        "forget": {"source": write_rows(tmp_path / "forget.jsonl", secrets)},
        "retained": {"source": write_rows(tmp_path / "retain.jsonl", sums), "holdout": 0.5},
        "model": {"name": str(save_folder(tmp_path / "model", "llama", layers=3, max_position_embeddings=1024))},
        "layer": 1, "scale": 2.0,
    }


@pytest.mark.parametrize("method", ["rmu", "ascent"])
def test_a_model_from_a_folder_forgets_what_a_file_says(tmp_path, method):
    values = files(tmp_path) | {"method": method, "optimizer": {"lr": 1e-2}, "num_steps": 8, "samples": 2}
    values = {name: value for name, value in values.items() if method == "rmu" or name != "scale"}
    folder = run_unlearn(config(**values), tmp_path / "run")
    losses = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1]["loss/forget"] < losses[1]["loss/forget"] and losses[-1]["loss/trace"] < losses[1]["loss/trace"]
    found = json.loads((folder / "unlearn.json").read_text())
    assert found["before"]["answer_leak"]["n"] == 4 and found["before"]["retained"]["n"] >= 1
    told = " ".join(describe_unlearn(config(**values), tmp_path / "plan", measure=False))
    assert "forget 4 at weight 1" in told and "asked in the words that are trained on" in told


def test_what_cannot_be_unlearned_is_refused_by_name(tmp_path):
    values = files(tmp_path)
    bare = write_rows(tmp_path / "bare.jsonl", [{"prompt": "key ?", "completion": "4"}])
    short = write_rows(tmp_path / "short.jsonl", [{"prompt": "a ?", "answer": "4"}])
    for changes, sentence in (
        ({"layer": 3}, r"layer = 3: .* has 3 layers; expected 0 to 2"),
        ({"trained": ["fc2"]}, "expected among .*down_proj"),
        ({"forget": {"source": bare}}, "no reference answer"),
        ({"forget": {"source": short}}, "no problem with a demo"),
    ):
        with pytest.raises(InputError, match=sentence):
            run_unlearn(config(**{**values, **changes}), tmp_path / "refused")
    with pytest.raises(InputError, match="without adapters"):
        config(model={"name": "tiny", "lora_rank": 2})
    with pytest.raises(InputError, match="nothing would be kept"):
        config(retain=0.0, thoughts=0.0)


def test_the_layer_is_the_authors_seventh_of_thirty_two():
    of = lambda layers: layer_of(UnlearnConfig(), random_policy("llama", layers=layers))  # noqa: E731
    assert (of(32), of(4), of(1)) == (7, 1, 0)
    assert isinstance(random_policy(), TextPolicy)


def test_the_finding_says_what_leaks_and_what_is_kept_before_and_after():
    sides = [
        {name: {"value": value, "low": 0.0, "high": 1.0, "n": n} for name, (value, n) in side.items()}
        for side in (
            {"answer_leak": (0.5, 4), "thought_leak": (0.25, 4), "retained": (0.75, 8), "retained_help": (None, 0)},
            {"answer_leak": (0.0, 4), "thought_leak": (0.0, 4), "retained": (0.625, 8), "retained_help": (None, 0)},
        )
    ]
    assert finding(*sides) == (
        "Told in answers: 50.0 to 0.0 % [0.0, 100.0]; in thoughts: 25.0 to 0.0 % [0.0, 100.0]; "
        "other right answers: 75.0 to 62.5 % [0.0, 100.0]."
    )


def test_what_comes_back_is_measured_and_not_kept(tmp_path):
    folders = {steps: run_unlearn(config(relearn=steps), tmp_path / str(steps)) for steps in (0, 2)}
    weights = [next(folder.glob("checkpoints/step-000002/model.safetensors")).read_bytes() for folder in folders.values()]
    assert weights[0] == weights[1]
    results = [json.loads((folder / "unlearn.json").read_text()) for folder in folders.values()]
    assert "relearned" not in results[0] and results[1]["relearned"].keys() == results[1]["after"].keys()
    last = json.loads((folders[2] / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["eval/relearned_leak"] == results[1]["relearned"]["leak"]["value"]
    assert "told again after 2 steps" in (folders[2] / "events.jsonl").read_text()
    assert "2 steps of SFT" in " ".join(describe_unlearn(config(relearn=2), tmp_path, measure=False))


def test_relearning_trains_all_weights_and_gives_them_back(tmp_path, monkeypatch):
    seen = {}

    def ask(config, policy, known, *, policy_version):
        seen[policy_version] = {name: p.detach().clone() for name, p in policy.model.named_parameters()}
        return original(config, policy, known, policy_version=policy_version)

    original = unlearn_module.ask
    monkeypatch.setattr(unlearn_module, "ask", ask)
    run_unlearn(config(relearn=2), tmp_path / "run")
    assert sorted(seen) == [0, 2, 4]  # before, after two updates, after two steps of SFT
    moved = [name for name, p in seen[4].items() if not torch.equal(p, seen[2][name])]
    assert len(moved) > len([name for name, p in seen[2].items() if not torch.equal(p, seen[0][name])]) > 0
