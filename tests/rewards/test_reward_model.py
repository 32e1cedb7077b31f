"""Reward models as `transformers` folders, what they read, and what they give as graders."""

from __future__ import annotations

import json
import math

import pytest
import torch

from sanmai.data.trace import parse_trace
from sanmai.policies.text.config import ModelConfig
from sanmai.rewards.reward_model import RewardModel, load_reward_model, similar_lengths
from sanmai.types import InputError, Problem, Verdict
from tiny_models import save_folder

MESSAGES = ({"role": "user", "content": "what is 3 plus 4 ?"},)
PROBLEM = Problem("p", MESSAGES, kind="general")
TEXTS = ["7", "the answer is 7 .", "<think> 3 plus 4 is 7 </think> 7", "twelve " * 30, "the sum"]


def new_model(tmp_path, architecture="qwen3", *, objective="pairwise", reads="answer", name="base", **changes) -> RewardModel:
    folder = tmp_path / name
    if not folder.exists():
        save_folder(folder, architecture, **changes)
    model = load_reward_model(
        ModelConfig(name=str(folder)), objective=objective, reads=reads, seed=0, for_training=True)
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    return model


def sequences(model: RewardModel) -> list[list[int]]:
    return [model.encode(MESSAGES, parse_trace(text)) for text in TEXTS]


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gemma2", "gpt2"])
def test_a_saved_model_loads_in_transformers_with_the_same_scores(tmp_path, architecture):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = new_model(tmp_path, architecture)
    model.save(tmp_path / "out")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert plain.num_labels == 1 and not list((tmp_path / "out").glob("*.bin"))
    for text, tokens, score in zip(TEXTS, sequences(model), model.score(sequences(model)), strict=True):
        answer = parse_trace(text).answer.strip()
        assert tokens[-1] == tokenizer.eos_token_id and tokenizer.decode(tokens[:-1]).endswith(answer)
        with torch.no_grad():
            assert plain(torch.tensor([tokens])).logits.item() == pytest.approx(score, abs=1e-5)
    assert RewardModel.load(tmp_path / "out").score(sequences(model)) == model.score(sequences(model))


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gpt2"])
@pytest.mark.parametrize("pad_is_stop", [False, True])
def test_a_score_depends_neither_on_padding_nor_on_neighbours(tmp_path, architecture, pad_is_stop):
    model = new_model(tmp_path, architecture)
    if pad_is_stop:  # as in many tokenizers: `transformers` then reads the token before the last
        model.model.config.pad_token_id = model.tokenizer.eos_token_id
    rows = sequences(model)
    one_by_one = [model.score([tokens])[0] for tokens in rows]
    assert len(set(one_by_one)) > 3 and not any(math.isnan(score) for score in one_by_one)
    for micro_tokens in (1, 60, 10_000):
        assert model.score(rows, micro_tokens=micro_tokens) == pytest.approx(one_by_one, abs=1e-5)
    assert model.score(rows[::-1]) == pytest.approx(one_by_one[::-1], abs=1e-5)
    assert model.score([]) == []


def test_scoring_leaves_the_callers_threads_alone(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = new_model(tmp_path)
        model.score(sequences(model))
        assert (model.cores.threads, torch.get_num_threads()) == (1, 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("changes", [{"dtype": "bfloat16"}, {"recompute_layers": True}], ids=str)
def test_in_bfloat16_or_with_recomputed_layers_scores_are_about_the_same(tmp_path, changes):
    model = new_model(tmp_path)
    config = ModelConfig(name=str(tmp_path / "base"), **changes)
    other = load_reward_model(config, objective="pairwise", reads="answer", seed=0, for_training=True)
    assert other.score(sequences(model)) == pytest.approx(model.score(sequences(model)), abs=0.02)
    other.forward(sequences(model)).sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in other.weights.values())


def test_rows_of_similar_length_go_together_within_the_budget():
    lengths = [3, 9, 1, 8, 2, 30]
    parts = similar_lengths(lengths, 20)
    assert parts == [[5], [1, 3], [0, 4, 2]]  # 30 alone; 2 x 9 fit, 3 x 9 do not; 3 x 3
    assert similar_lengths([], 20) == []


def test_an_answer_model_reads_no_thought_and_the_other_one_does(tmp_path):
    texts = ["7", "<think> 3 plus 4 is 7 </think> 7", "<think> so </think> 7", "<think> so </think> seven"]
    answer, whole = (new_model(tmp_path, reads=reads) for reads in ("answer", "all"))
    scores = {m.reads: m.score([m.encode(MESSAGES, parse_trace(text)) for text in texts]) for m in (answer, whole)}
    assert scores["answer"][0] == scores["answer"][1] == scores["answer"][2] != scores["answer"][3]
    assert len(set(scores["all"])) == 4


def test_a_thought_that_the_template_opens_is_closed_before_an_answer(tmp_path):
    answer, whole = (new_model(tmp_path, reads=reads) for reads in ("answer", "all"))
    for model in (answer, whole):
        model.tokenizer.chat_template = "{{ messages[0]['content'] }}<think>"
    trace = parse_trace("so </think> 7", opened_in_prompt=True)
    decode = lambda model: model.tokenizer.decode(model.encode(MESSAGES, trace))  # noqa: E731
    assert decode(answer) == "what is 3 plus 4 ?<think></think>\n7<eos>"
    assert decode(whole) == "what is 3 plus 4 ?<think>so </think> 7<eos>"


def test_as_a_grader_it_gives_probabilities_in_order_and_none_for_what_it_cannot_read(tmp_path):
    model = new_model(tmp_path)
    model.center = 0.25
    texts = ["7", "<think> never closed", "the answer is 7 .", "twelve " * 400]
    items = [(PROBLEM, parse_trace(text)) for text in texts]
    items.insert(1, (PROBLEM, parse_trace("7 and cut", is_truncated=True)))
    found = model(items)
    scores = model.score([model.encode(MESSAGES, parse_trace(text)) for text in (texts[0], texts[2])])
    expected = [1 / (1 + math.exp(0.25 - score)) for score in scores]
    assert [found[0].score, found[3].score] == pytest.approx(expected, abs=1e-5)
    assert [verdict.score for verdict in (found[1], found[2], found[4])] == [None] * 3
    assert [verdict.label for verdict in found] == ["graded", "incomplete", "incomplete", "graded", "incomplete"]
    assert "positions" in found[4].reason and model([]) == []


def test_a_pointwise_grader_reads_what_was_cut_off_and_says_safe_or_unsafe(tmp_path):
    model = new_model(tmp_path, objective="pointwise", reads="all")
    [cut] = model([(PROBLEM, parse_trace("<think> the sum of", is_truncated=True))])
    score = model.score([model.encode(MESSAGES, parse_trace("<think> the sum of"))])[0]
    assert cut.score == pytest.approx(1 / (1 + math.exp(-score)), abs=1e-5)
    assert cut.label == ("safe" if score >= 0 else "unsafe")
    assert model._verdict(-1e4) == Verdict(0.0, "probability of safe 0.000", "unsafe")
    assert model._verdict(math.nan).score is None


def test_a_new_head_is_small_and_its_seeds_own(tmp_path):
    before = torch.random.get_rng_state()
    models = [new_model(tmp_path) for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    heads = [model.model.score.weight for model in models]
    assert torch.equal(heads[0], heads[1]) and 0 < heads[0].abs().max() < 5 / 33
    other = load_reward_model(
        ModelConfig(name=str(tmp_path / "base")), objective="pairwise", reads="answer", seed=1, for_training=True)
    assert not torch.equal(other.model.score.weight, heads[0])


def test_what_it_was_trained_for_is_kept_and_another_use_is_refused(tmp_path):
    model = new_model(tmp_path)
    model.center = -0.5
    model.save(tmp_path / "out")
    again = RewardModel.load(tmp_path / "out")
    assert (again.objective, again.reads, again.center) == ("pairwise", "answer", -0.5)
    assert not any(p.requires_grad for p in again.model.parameters())
    config = ModelConfig(name=str(tmp_path / "out"))
    with pytest.raises(InputError, match="objective is 'pairwise'; expected 'pointwise'"):
        load_reward_model(config, objective="pointwise")
    (tmp_path / "out" / "sanmai.json").unlink()
    with pytest.raises(InputError, match="state it"):
        load_reward_model(config)
    assert load_reward_model(config, objective="pointwise", reads="all").objective == "pointwise"


def test_what_is_no_reward_model_is_refused_in_one_sentence(tmp_path):
    save_folder(tmp_path / "base")
    new_model(tmp_path).save(tmp_path / "three")
    settings = json.loads((tmp_path / "three" / "config.json").read_text())
    settings["id2label"] = {str(i): f"LABEL_{i}" for i in range(3)}
    (tmp_path / "three" / "config.json").write_text(json.dumps(settings))
    reasons = {"base": "not a reward model but Qwen3ForCausalLM", "three": "has 3 outputs", "none": "no such folder"}
    for name, says in reasons.items():
        with pytest.raises(InputError, match=says) as error:
            RewardModel.load(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="lora_rank = 2"):
        load_reward_model(ModelConfig(name=str(tmp_path / "base"), lora_rank=2), seed=0)
