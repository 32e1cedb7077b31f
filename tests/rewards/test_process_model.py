"""A process reward model: a plain folder, whose score of a step is its score of the text up to there alone."""

from __future__ import annotations

import json

import pytest
import torch

from sanmai.data.steps import decoder
from sanmai.data.trace import parse_trace
from sanmai.policies.text.config import ModelConfig
from sanmai.rewards.reward_model import RewardModel, load_reward_model
from sanmai.rewards.step_scores import places
from sanmai.types import InputError, Problem
from tiny_models import save_folder

MESSAGES = ({"role": "user", "content": "what is 3 plus 4 ?"},)
TEXTS = ["3 plus 4\nis 7\nthe answer is 7 .", "7", "a\n" * 12, "the sum\n\nis twelve\n"]


def process_model(tmp_path, architecture="qwen3", rule="line", **changes) -> RewardModel:
    folder = save_folder(tmp_path / "base", architecture, **changes)
    model = load_reward_model(
        ModelConfig(name=str(folder)), objective="process", reads="all", steps=rule, seed=0, for_training=True)
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    return model


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("pad_is_stop", [False, True])
def test_a_steps_score_is_what_the_folder_gives_for_that_prefix_alone(tmp_path, architecture, pad_is_stop):
    from transformers import AutoModelForSequenceClassification

    model = process_model(tmp_path, architecture)
    if pad_is_stop:
        model.model.config.pad_token_id = model.tokenizer.eos_token_id
    model.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "sanmai.json").read_text())["reward_model"]["steps"] == "line"
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    read = [model.encode_steps(MESSAGES, text) for text in TEXTS]
    assert [len(ends) for _, ends in read] == [3, 1, 12, 2]
    scores = model.score_steps([t for t, _ in read], [e for _, e in read])
    for (tokens, ends), listed in zip(read, scores, strict=True):
        with torch.no_grad():
            alone = [plain(torch.tensor([tokens[:end]])).logits.item() for end in ends]
        assert listed == pytest.approx(alone, abs=1e-5)
    again = RewardModel.load(tmp_path / "out")
    assert str(again.steps) == "line" and again.score_steps(*([r[i] for r in read] for i in (0, 1))) == scores
    for micro_tokens in (1, 60):  # neither padding nor neighbours count
        found = model.score_steps([t for t, _ in read], [e for _, e in read], micro_tokens=micro_tokens)
        assert all(a == pytest.approx(b, abs=1e-5) for a, b in zip(found, scores, strict=True))


def test_as_a_grader_it_aggregates_as_named_and_says_each_steps_probability(tmp_path):
    model = process_model(tmp_path)
    problem = Problem("p", MESSAGES)
    logits = model.score_steps(*([r[i] for r in [model.encode_steps(MESSAGES, TEXTS[0])]] for i in (0, 1)))[0]
    p = torch.sigmoid(torch.tensor(logits)).tolist()
    for how, value in (("min", min(p)), ("last", p[-1]), ("product", p[0] * p[1] * p[2]), ("mean", sum(p) / 3)):
        model.aggregation = how
        verdict = model([(problem, parse_trace(TEXTS[0]))])[0]
        assert verdict.score == pytest.approx(value, abs=1e-5) and verdict.reason.startswith(f"{how} of 3 steps: {p[0]:.3f}")
    nothing, long = model([(problem, parse_trace(" \n")), (problem, parse_trace("seven " * 300))])
    assert nothing.score is None and nothing.reason == "no step was written"
    assert long.score is None and "256 positions" in long.reason


def test_scores_that_are_not_those_of_steps_are_an_error_and_never_0(tmp_path):
    model = process_model(tmp_path)
    tokens, ends = model.encode_steps(MESSAGES, TEXTS[0])
    for wrong in ([[]] * 2, [[0, *ends]], [[*ends, len(tokens) + 1]], [[ends[0], ends[0]]], [ends[::-1]]):
        with pytest.raises(ValueError, match="expected"):
            model.score_steps([tokens], wrong)
    assert model.score_steps([tokens], [[]]) == [[]]


def test_the_text_is_tokenized_as_a_whole(tmp_path):
    model = process_model(tmp_path, rule="text:\\n\\n")
    tokens, ends = model.encode_steps(MESSAGES, "3 plus 4.\n\nthe sum")
    prompt = model.encode_prompt(MESSAGES)
    assert tokens == [*prompt, *model.tokenizer.encode("3 plus 4.\n\nthe sum")]
    decode = decoder(model.tokenizer)
    assert decode(tokens[len(prompt) : ends[0]]).startswith("3 plus 4.\n\n") and ends[1] == len(tokens)


def test_where_a_tokenizer_does_not_keep_blanks_steps_end_at_the_same_words():
    assert places("a b\n\nc d\n\ne", "a b c d e", [5, 10, 11]) == [3, 7, 9]
    assert places("<think>a b\n\nc", "a b c", [12, 13]) == [3, 5]  # a tag that the prompt has opened
    assert places("<think>a\nb", "a\nb", [9, 10]) == [2, 3] and places("a\nb", "a\nb", [2, 3]) == [2, 3]
    with pytest.raises(ValueError, match="does not give the text back"):
        places("a b", "a x", [3])


def test_a_folder_without_a_rule_or_a_score_layer_is_refused(tmp_path):
    model = process_model(tmp_path)
    model.save(tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "sanmai.json").read_text())
    for steps, reason in ((None, "how steps are cut; state steps"), ("words", "expected text:SEPARATOR")):
        facts["reward_model"]["steps"] = steps
        (tmp_path / "out" / "sanmai.json").write_text(json.dumps(facts))
        with pytest.raises(InputError, match=reason):
            RewardModel.load(tmp_path / "out")
    model.model.score = None
    with pytest.raises(InputError, match="has no `score` layer"):
        model.score_steps([[1, 2]], [[2]])
