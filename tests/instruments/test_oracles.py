"""The instruments against what people and papers found, on the shared data. Failures print ids, never texts."""

import csv
import random
from collections import Counter, defaultdict
from functools import cache

import pytest

from sanmai.data.trace import parse_trace
from sanmai.instruments.language import Response, pass_rates
from sanmai.instruments.thinking import abstains, length_ratio
from sanmai.refusals.rules import RefusalFinding, classify_refusal
from sanmai.score.refusal import is_sure
from sanmai.types import TraceState
from shared_data import every, shared_path, shared_rows


def kappa(pairs: list[tuple[bool, bool]]) -> float:
    """Cohen's: (observed - expected agreement) / (1 - expected)."""
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[value] * second[value] for value in first) / len(pairs) ** 2
    return (sum(a == b for a, b in pairs) / len(pairs) - expected) / (1 - expected)


@cache
def findings() -> list[tuple[dict, RefusalFinding]]:
    rows = shared_rows("xstest/labelled_completions_dev.jsonl")
    return [(row, classify_refusal(row["completion"], row["prompt"])) for row in rows]


def judged() -> list[tuple[dict, bool, bool]]:
    """(row, a human calls it a refusal, the rules do), partial counting as refusal."""
    return [(row, row["final_label"][0] != "1", found.is_refusal) for row, found in findings()]


def test_the_refusal_rules_agree_with_people_better_than_the_other_judges():
    pairs = [(human, ours) for _, human, ours in judged()]
    matcher = kappa([(human, row["strmatch_label"][0] != "1") for row, human, _ in judged()])
    gpt4 = kappa([(human, row["gpt4_label"][0] != "1") for row, human, _ in judged()])
    assert kappa(pairs) >= 0.90 > matcher > gpt4


def test_they_hold_on_the_quarter_of_the_prompts_whose_answers_were_not_read_when_they_were_written():
    ids = sorted({row["id"] for row, _, _ in judged()})
    random.Random(20241121).shuffle(ids)
    unread = set(ids[len(ids) // 2 :][len(ids[len(ids) // 2 :]) // 2 :])
    pairs = [(human, ours) for row, human, ours in judged() if row["id"] in unread]
    assert len(pairs) == 257 and kappa(pairs) >= 0.88


def test_what_the_rules_are_sure_of_people_call_refusals():
    sure = [row["final_label"][0] != "1" for row, found in findings() if is_sure(found, row["completion"])]
    assert len(sure) > 200 and sum(sure) >= 0.98 * len(sure)


def test_refusal_rates_of_the_five_models_are_those_by_human_label():
    found = defaultdict(list)
    for row, human, ours in judged():
        found[row["model"]].append((human, ours))
    for model, pairs in found.items():
        human, ours = (100 * sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        assert abs(human - ours) <= 2.0, (model, human, ours)


def test_what_was_written_as_refusals_and_as_answers_is_told_apart():
    refusals = [text for row in shared_rows("rm_bench/safety_should_refuse_chosen_only.jsonl") for text in row["chosen"][:1]]
    assert all(classify_refusal(text).label == "full_refusal" for text in refusals)
    answers = [text for name in ("chat", "code") for row in shared_rows(f"rm_bench/{name}.jsonl") for text in row["chosen"]]
    answers += [
        row["175b_verification"]["solution"] if isinstance(row["175b_verification"], dict) else row["175b_verification"]
        for row in shared_rows("gsm8k/example_model_solutions_dev.jsonl")[:: every(4)]
    ]
    refused = sum(classify_refusal(text).is_refusal for text in answers)
    assert refused <= 0.005 * len(answers), (refused, len(answers))


@pytest.mark.parametrize(("name", "expected"), [("llama-2-instruct", 48.6), ("command-r-plus", 99.7)])
def test_line_level_pass_rates_are_the_published_ones(name, expected):
    with shared_path(f"language_confusion/outputs/{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == "monolingual"]
    found = pass_rates(Response(row["completion"], row["language"], row["source"]) for row in rows)
    assert 100 * found.lines == pytest.approx(expected, abs=2.0)


MODELS = {"deepseekR1": "deepseek-reasoner", "gpt4o": "gpt-4o"}


def responses(name: str, model: str, question: str) -> list[tuple[str, bool]]:
    """(response, labelled as saying that the question is under-specified)."""
    rows = shared_rows(f"mip_overthinking/responses/{name}_{model}.jsonl")
    return [(row[f"{MODELS[model]} ({question})"], str(row["eval_result"]) == "0") for row in rows]


@pytest.mark.parametrize(("model", "ratio"), [("deepseekR1", 2.7), ("gpt4o", 1.1)])
def test_ill_posed_questions_make_r1_think_longer(model, ratio):
    lengths = [[len(text.split()) for text, _ in responses(name, model, question)]
               for name, question in (("math_MiP", "insufficient_question"), ("math_normal", "question"))]  # fmt: skip
    assert round(length_ratio(*lengths).value, 1) == ratio


@pytest.mark.parametrize(("model", "expected"), [("deepseekR1", 1), ("gpt4o", 25)])
def test_abstention_on_formulas_is_that_of_the_labels(model, expected):
    rows = responses("formula_MiP", model, "insufficient_question")
    found = [abstains(parse_trace(text).answer) for text, _ in rows]
    assert len(rows) == 35 and sum(label for _, label in rows) == expected and abs(sum(found) - expected) <= 1
    assert sum(ours == label for ours, (_, label) in zip(found, rows, strict=True)) >= 31


def test_the_parser_takes_star1_and_the_traces_of_r1_apart_and_rebuilds_them():
    texts = [(row["response"], TraceState.CLOSED) for row in shared_rows("star1/star1_safety_sft.jsonl")]
    ill_posed = "insufficient_question"
    for name, question in (("formula_MiP", ill_posed), ("math_MiP", ill_posed), ("math_normal", "question")):
        texts += [(text, TraceState.NO_OPEN_TAG) for text, _ in responses(name, "deepseekR1", question)]
    assert len(texts) == 987 + 35 + 40 + 40
    for text, state in texts:
        trace = parse_trace(text)
        assert trace.before + trace.thought + trace.between + trace.answer == text
        assert trace.state is state and trace.thought.strip() and trace.answer.strip()
