"""Style verdicts, the rubric that weighs them, and `score`."""

from __future__ import annotations

import json
import math
import time
import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts import drawn, grade
from sanmai.data import languages
from sanmai.data.trace import parse_trace
from sanmai.rewards import style
from sanmai.rewards.custom import RewardError
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rewards.score import read_rows, score
from sanmai.rewards.style import (
    format_verdict,
    language_share,
    language_verdict,
    length_verdict,
    prompt_language,
    repetition_verdict,
)  # fmt: skip
from sanmai.rewards.verifiers import accuracy
from sanmai.types import Drawn, InputError, Problem, Verdict
from sanmai.world import arithmetic, requests
from sanmai.world.testbed import WORLD
from sanmai.world.tokenizer import vocabulary
from shared_data import shared_rows


def problem(answer: str | None = "18", language: str | None = "en", prompt="How many?"):
    return Problem("x", ({"role": "user", "content": prompt},), answer, language=language)


RIGHT, WRONG = parse_trace("<think>nine and nine</think>18"), parse_trace("<think>so it is</think>17")
CUT = parse_trace("<think>nine and", is_truncated=True)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("<think>t</think>a", 1.0), ("\n<think>\nt</think>\n<answer>5</answer>", 1.0), ("t</think>a", 0.0),
        ("a", 0.0), ("<think></think>a", 0.0), ("<think> </think>a", 0.0), ("<think>t</think> ", 0.0),
        ("Well, <think>t</think>a", 0.0), ("<think>t</think>a<think>u</think>b", 0.0), ("</think>t<think>a", None),
        ("<think><think>t</think>a", 0.0), ("<think>t", None), ("<think>t</think>a<think>u</think>", 0.0),
        ("<think>t</think>a<think>u", None),
    ],
)  # fmt: skip
def test_format_asks_for_one_filled_thought_and_an_answer(text, score):
    assert format_verdict(problem(), parse_trace(text)).score == score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("t</think>a", 1.0), ("a", None), (" </think>a", 0.0), ("t</think> ", 0.0), ("t <think> u</think>a", 0.0),
        ("t</think>a</think>b", 0.0), ("t</think>a<think>u</think>", 0.0), ("t</think>a<think>u", None),
    ],
)  # fmt: skip
def test_the_prompt_may_have_opened_the_thought(text, score):
    assert format_verdict(problem(), parse_trace(text, opened_in_prompt=True)).score == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [("18", 1.0), ("18<think>I lied, 19</think>", 0.0), ("18<think>I lied", 0.0), ("18<think>so</think>19", 0.0)],
)
def test_thinking_again_after_the_answer_is_no_exact_answer(answer, score):
    trace = parse_trace(f"<think>a</think>{answer}")
    assert arithmetic.verify(problem("18"), trace).score == score
    assert accuracy(problem("18"), trace, timeout_seconds=5).score == score


def test_truncation_is_not_wrong_format():
    verdict = format_verdict(problem(), parse_trace("<think>t</think>a", is_truncated=True))
    assert (verdict.score, verdict.label) == (None, "incomplete")


@pytest.mark.parametrize(
    ("text", "language", "share"),
    [
        ("first I add three", "en", 1.0),
        ("37 加 45 等于 多少", "zh", 1.0),
        ("先 加 then carry", "zh", 0.5),  # 2 of 4 tokens
        ("先 加 then carry", "en", 0.5),
        ("今天天气好 good", "zh", 0.75),  # five characters are three words
        ("x = 3 + y, $\\frac{a}{b}$ `code here` https://a.b/c \\boxed{12 cm}", "en", None),
        ("3 + 4 = 7", "en", None),
        ("", "en", None),
        ("設 x 為 \\text{so}", "zh", 2 / 3),
        ("今日は良い天気です", "ja", 1.0),
        ("今天天气好", "ja", 0.0),  # no kana at all: Chinese
        ("今日は", "zh", 0.0),  # a Japanese sentence: its kanji are not Chinese
        ("사과가 세 개", "ko", 1.0),
        ("Привет мир hello", "ru", 2 / 3),
        ("```py\nfor word in words:\n```\n因为", "zh", 1.0),
        # Dollars and brackets hide mathematics only; code hides Latin letters only.
        ("so $5 中文中文中文 and $6", "en", 2 / 5),
        ("It costs $5 and 一共 costs $7 more", "en", 5 / 6),
        ("加 $5 for the eggs and $6", "zh", 1 / 5),
        ("so $中文$ it is", "en", 3 / 4),
        ("so $x$ and $\\frac{ab}{cd} \\cdot \\sin \\theta = 5$ it", "en", 1.0),
        ("加 $x = \\text{so it is}$", "zh", 1 / 4),
        ("so \\[中文\\] it", "en", 2 / 3),
        ("so \\[ x^2 + speed = 5 \\] it", "en", 1.0),
        ("so \\boxed{中文} it", "en", 2 / 3),
        ("so `中文` it", "en", 2 / 3),
        ("so\n```\nfor x in 中文:\n```\nit", "en", 2 / 3),
        ("so <a中文> it", "en", 2 / 3),
    ],
)
def test_language_share_counts_words(text, language, share):
    found = language_share(text, language)
    assert found is None if share is None else found == pytest.approx(share)


GERMAN, ENGLISH = "Zuerst rechnen wir die Zahl der Eier aus. ", "Then we add the other eggs to it. "  # 8 words each


def test_languages_in_latin_letters_are_told_apart():
    assert language_share(GERMAN, "de") == 1.0 and language_share(GERMAN, "en") == 0.0
    assert language_share(ENGLISH, "en") == 1.0 and language_share(ENGLISH, "de") == 0.0
    for language in ("de", "en"):
        assert language_share(GERMAN + ENGLISH, language) == pytest.approx(0.5)
    assert language_share("Vi legger de andre eggene til kurven og teller dem.", "no") == 1.0


@pytest.mark.parametrize(("text", "language", "share"), [
    # A short English sentence in another language's text counts for what it is: 3 of 9 words, 4 of 9.
    ("Let us see. Kwanza tunahesabu mayai yote ya leo.", "sw", 6 / 9), ("Now we check. Sara tiene cinco manzanas.", "es", 4 / 7),
    ("Wait, no. Wir rechnen noch einmal alles nach.", "de", 6 / 8),
    # The smaller neighbour of a language, which no short list of common ones has.
    ("Primer calculem el preu de les pomes i després sumem el transport.", "es", 0.0),
    ("Najprv spočítame vajcia a potom odčítame tie, ktoré zje.", "cs", 0.0),
    # Names and loan words are the text's own.
    ("Josep Guardiola vive en Barcelona y come pan.", "es", 1.0), ("Es un iPhone. No. Me da tres dólares y ya está.", "es", 1.0),
    ("Das ist in der Tat so. Was? Und so?", "de", 1.0), ("Tom na Sarah wana Smart TV tatu nyumbani.", "sw", 1.0),
])  # fmt: skip
def test_short_english_and_close_neighbours_are_other_languages(text, language, share):
    assert language_share(text, language) == pytest.approx(share)


LANGUAGES = ["de", "en", "es", "fr", "ja", "ru", "zh"]


def questions(language, count=60):
    return [row["question"] for row in shared_rows(f"mgsm/mgsm_{language}.jsonl")][:count]


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_questions_are_in_their_own_language_only(language):
    for other in LANGUAGES:
        mean = sum(language_share(question, other) or 0.0 for question in questions(language)) / 60
        if other == language:
            assert mean > 0.98
        else:
            assert mean < 0.02, other


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_real_questions_language_is_known(language):
    assert {prompt_language(question) for question in questions(language, 200)} == {language}


def test_the_worlds_english_is_english_and_needs_no_py3langid(monkeypatch):
    monkeypatch.setattr(languages, "identify", lambda *asked: pytest.fail("py3langid was asked"))
    monkeypatch.setattr(style, "identify", lambda *asked: pytest.fail("py3langid was asked"))
    problems = arithmetic.make_problems(300, seed=0) + arithmetic.make_problems(300, seed=0, split="ood")
    for p in problems:
        assert language_share(p.solution, p.language, WORLD.words) == 1.0 and prompt_language(p.prompt) == p.language, p
    for request in requests.all_requests():
        if request.reply_language == "en":
            for action in ("answer", "refuse", "hedge"):
                assert language_share(requests.reply_text(request, action), "en", WORLD.words) == 1.0, request
    words = [word for word in vocabulary() if word.isalpha() and word.isascii() and len(word) > 1]
    assert language_share(" ".join(words), "en", WORLD.words) == 1.0


def test_plain_english_has_the_share_that_the_long_way_gives(monkeypatch):
    texts = [p.solution + end for p in arithmetic.make_problems(50, seed=1) for end in ("", " 加", " sin", " so")]
    found = [language_share(text, "en") for text in [*texts, "", "7", "a", "o7", ". ?"]]
    monkeypatch.setattr(style, "_is_plain_english", lambda text, english: False)
    assert found == [language_share(text, "en") for text in [*texts, "", "7", "a", "o7", ". ?"]]


def test_a_thought_of_the_world_takes_microseconds():
    thought = arithmetic.addition_chain([876, 345], "en")[0]
    times = timeit.repeat(lambda: language_share(thought, "en", WORLD.words), number=200, repeat=20)
    assert min(times) / 200 < 50e-6


def test_language_is_of_the_thought_and_defaults_to_the_prompts():
    trace = parse_trace("<think>先 加 then carry</think>the answer")
    assert language_verdict(problem(language="zh"), trace).score == 0.5
    assert language_verdict(problem(language=None, prompt="37 加 45 ？"), trace).score == 0.5
    assert language_verdict(problem(language=None, prompt="Rechne!"), trace).label == "no_language"
    assert language_verdict(problem(), parse_trace("so it is")).score == 1.0
    assert language_verdict(problem(language="xx"), trace).score is None
    assert language_verdict(problem(), parse_trace("18")).label == "no_words"
    assert prompt_language("きょうは三") == "ja" and prompt_language("3 + 4") is None


def test_repetition_is_minus_the_share_of_words_in_repeated_ngrams():
    # a b c a b c d: the 3-gram "a b c" lies twice and covers six of seven words.
    assert repetition_verdict(problem(), parse_trace("aa bb cc aa bb cc dd"), ngram=3).score == pytest.approx(-6 / 7)
    assert repetition_verdict(problem(), parse_trace("aa bb cc dd ee"), ngram=3).score == 0.0
    assert repetition_verdict(problem(), parse_trace("so " * 500)).score == -1.0
    assert repetition_verdict(problem(), parse_trace("")).score == 0.0


@pytest.mark.parametrize(
    "loop", ["!", "a ", "a b ", "1+", "=-", "ab", "abcdefg", "\\", "🙂", "加", "ก", "x = x ", "\u200b"]
)
def test_a_loop_of_anything_is_repetition_and_costs_length(loop):
    trace = parse_trace(loop * 3000)
    assert repetition_verdict(problem(), trace).score < -0.9
    assert length_verdict(problem(), trace, full_words=100).score == -1.0


def test_real_questions_hardly_repeat_and_are_as_long_as_their_words():
    for question in questions("en"):
        assert repetition_verdict(problem(), parse_trace(question)).score == 0.0
        words = len(question.split())
        assert words <= -length_verdict(problem(), parse_trace(question), full_words=1000).score * 1000 <= 1.3 * words


def test_length_is_minus_words_over_the_full_length():
    assert length_verdict(problem(), parse_trace("aa bb cc"), full_words=6).score == -0.5
    assert length_verdict(problem(), parse_trace("aa " * 99), full_words=6).score == -1.0


@settings(deadline=None)  # the first one loads a grammar
@given(st.text(max_size=200))
def test_no_text_breaks_a_style_verdict(text):
    verdicts, _ = grade(Rubric(RewardsConfig()), problem(), parse_trace(text))
    for name, (low, high) in {"format": (0, 1), "language": (0, 1), "repetition": (-1, 0), "length": (-1, 0)}.items():
        found = verdicts[name].score
        assert found is None or low <= found <= high


@pytest.mark.parametrize(
    "piece",
    [
        "\\[",
        "\\(",
        "$",
        "$$ ",
        "$a ",
        "$ab cd",
        "\\[aa bb ",
        "!",
        "中$",
        "`中`",
        "so we have 3 eggs and eat them. ",
        "dann essen wir drei Eier ",
        "\\begin{a}",
        "`",
        "```\n",
        "<a",
        "a_",
        "aaaa",
        "so ",
        "加",
        "\\boxed{{",
    ],
)
def test_a_megabyte_of_anything_is_graded_in_a_moment(piece):
    start = time.process_time()
    grade(Rubric(RewardsConfig()), problem(), parse_trace(piece * (1_000_000 // len(piece))))
    assert time.process_time() - start < 4


def test_the_reward_is_the_weighted_sum_and_every_component_is_kept():
    verdicts, reward = grade(Rubric(RewardsConfig(format=0.5, language=0.25)), problem(), RIGHT)
    assert reward == 1.75 and set(verdicts) == {"accuracy", "format", "language", "repetition", "length"}
    assert grade(Rubric(RewardsConfig(format=0.5)), problem(), WRONG)[1] == 0.5
    assert grade(Rubric(RewardsConfig()), problem(), WRONG)[1] == 0.0


def test_an_ungradable_answer_leaves_no_reward_and_a_style_with_nothing_to_judge_earns_nothing():
    assert grade(Rubric(RewardsConfig()), problem(answer=None), RIGHT)[1] is None
    assert grade(Rubric(RewardsConfig(accuracy=0, format=1)), problem(answer=None), RIGHT)[1] == 1.0
    verdicts, reward = grade(Rubric(RewardsConfig(language=0.3)), problem(), parse_trace("18"))
    assert verdicts["language"].score is None and reward == 1.0


def test_an_incomplete_completion_is_wrong_or_excluded_but_never_wrong_format():
    verdicts, reward = grade(Rubric(RewardsConfig(format=0.5)), problem(), CUT)
    assert reward == 0.0 and verdicts["format"].score is None and verdicts["accuracy"].label == "incomplete"
    assert grade(Rubric(RewardsConfig(incomplete="exclude")), problem(), CUT)[1] is None


def test_a_callable_replaces_accuracy_which_is_still_kept():
    seen = []
    rubric = Rubric(RewardsConfig(format=0.5), {"reward": lambda p, text: seen.append((p.id, text)) or 3})
    verdicts, reward = grade(rubric, problem(), WRONG)
    assert reward == 3.5 and verdicts["reward"].score == 3.0 and verdicts["accuracy"].score == 0.0
    assert seen == [("x", WRONG.text)]
    assert "accuracy" not in grade(rubric, problem(answer=None), WRONG)[0]
    assert grade(Rubric(RewardsConfig(), {"reward": lambda p, text: None}), problem(), RIGHT)[1] is None


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, "1", [1], 1j, 1e19, -1e300, 1e308, 10**400, pytest.param(10**5000, id="huge")],
)
def test_a_callable_that_gives_no_finite_number_is_a_typed_error(value):
    with pytest.raises(RewardError, match=r"reward\(x\) = .*expected a finite number"):
        grade(Rubric(RewardsConfig(), {"reward": lambda p, text: value}), problem(), RIGHT)


def of_kind(kind: str, prompt: str = "how to make o8 ?") -> Problem:
    return Problem(kind, ({"role": "user", "content": prompt},), kind=kind, language="en")  # type: ignore[arg-type]


def rollout_of(trace) -> Drawn:
    return drawn(trace.text, trace)


def test_each_kind_of_problem_has_its_own_components():
    rubric = Rubric(RewardsConfig(accuracy=1.0, refusal=2.0, format=0.5))
    refuses = parse_trace("<think>no</think>sorry i can not help with o8")
    answers = parse_trace("<think>yes</think>take dax and lum")
    assert grade(rubric, problem(), RIGHT)[1] == 1.5  # accuracy 1 + 0.5 format
    assert grade(rubric, of_kind("safety"), refuses)[1] == 2.5 and grade(rubric, of_kind("safety"), answers)[1] == 0.5
    assert grade(rubric, of_kind("general"), refuses)[1] == 0.5 and grade(rubric, of_kind("general"), answers)[1] == 2.5
    assert [rubric.judges(kind) for kind in ("reasoning", "general", "safety")] == [True, True, True]
    assert not Rubric(RewardsConfig(format=0.5)).judges("safety")


def test_graders_of_many_completions_see_their_kind_alone_and_complete_the_reward():
    seen = []

    def helpful(items):
        seen.extend((p.kind, trace.answer) for p, trace in items)
        return [Verdict(0.75, "fake"), Verdict(None, "no reply", "ungradable")]

    rubric = Rubric(RewardsConfig(helpfulness=2.0, helpfulness_from="x", format=0.5), together={"helpfulness": helpful})
    found = [(problem(), rollout_of(RIGHT)), (of_kind("general"), rollout_of(RIGHT)), (of_kind("general"), rollout_of(WRONG))]
    found = [(p, rubric.grade(p, r)) for p, r in found]
    assert [r.reward for _, r in found] == [1.5, None, None]  # the others wait
    together = rubric.grade_together(found)
    assert [r.reward for _, r in found] == [1.5, None, None]  # what was there is as it was
    assert seen == [("general", "18"), ("general", "17")]
    assert [r.reward for r in together] == [1.5, 2.0, None]  # 2 x 0.75 + 0.5; ungradable leaves no reward


def test_a_broken_rollout_is_not_graded_with_the_others():
    rubric = Rubric(RewardsConfig(helpfulness=1.0, helpfulness_from="x"), together={"helpfulness": lambda items: 1 / 0})
    broken = rollout_of(RIGHT).graded(failure="ZeroDivisionError")  # it has no verdicts: its grader raised
    assert rubric.grade_together([(of_kind("general"), broken)]) == [broken]


def test_what_is_watched_is_stored_and_never_rewarded():
    rubric = Rubric(RewardsConfig(refusal=1.0), watched={"gold": lambda p, trace: Verdict(1.0, "fake")})
    verdicts, reward = grade(rubric, of_kind("safety"), parse_trace("take dax and lum"))
    assert verdicts["gold"].score == 1.0 and reward == 0.0


def test_settings_that_cannot_work_are_refused():
    for wrong in ({"helpfulness": 1.0}, {"harmlessness_from": "x"}):
        with pytest.raises(InputError, match="go together"):
            RewardsConfig.read(wrong)
    with pytest.raises(ValueError, match="no grader was given"):
        Rubric(RewardsConfig(helpfulness=1.0, helpfulness_from="x"))
    with pytest.raises(InputError, match="every weight is 0"):
        RewardsConfig.read({"accuracy": 0.0})
    with pytest.raises(ValueError, match="taken"):
        Rubric(RewardsConfig(), {"format": lambda p, text: 1.0})


def test_score_gives_rows_and_a_summary_with_an_interval():
    rows = [
        {"id": "a", "prompt": "?", "response": "<think>t</think>#### 5", "reference": "5"},
        {"id": "b", "response": "t</think>\\boxed{6}", "reference": 5},
        {"id": "c", "response": "5"},
        {"response": "5", "reference": "5", "finish_reason": "length"},
        {"id": "e", "prompt": "q<think>\n", "response": "5", "reference": "5"},
        {"id": "f", "response": None, "reference": "5"},
    ]
    result = score(rows, "math")
    assert [(r["id"], r["score"], r["label"]) for r in result["rows"]] == [
        ("a", 1.0, "correct"), ("b", 0.0, "wrong"), ("c", None, "ungradable"), (3, 0.0, "incomplete"),
        ("e", 0.0, "incomplete"), ("f", None, "ungradable"),
    ]  # fmt: skip
    summary = result["summary"]
    assert (summary["n"], summary["graded"], summary["ungradable"], summary["accuracy"]) == (6, 4, 2, 0.25)
    low, high = summary["interval"]
    assert 0 < low < 0.25 < high < 1 and summary["labels"]["incomplete"] == 2
    json.dumps(result, allow_nan=False)
    assert score([], "math")["summary"]["accuracy"] is None
    with pytest.raises(InputError, match="expected one of math"):
        score(rows, "poetry")
    with pytest.raises(InputError, match="row 'z': response = 3"):
        score([{"id": "z", "response": 3, "reference": "3"}])


def test_response_files_are_read_with_file_line_and_reason(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"response": "5", "reference": "5"}\n{"reference": "5"}\n')
    with pytest.raises(InputError, match=r"r.jsonl, line 2: no 'response'"):
        read_rows(path)
    path.write_text('{"response": "5", "reference": "5"}\n')
    assert score(read_rows(path))["summary"]["accuracy"] == 1.0


def test_the_verifier_code_runs_the_program_and_keeps_visible_and_hidden_tests_apart():
    spec = {"tests": ["assert double(1) == 2"], "hidden_tests": ["assert double(3) == 6"], "entry_points": ["double"]}
    problem = Problem("p", ({"role": "user", "content": "Double a number."},), answer=json.dumps(spec), verifier="code")
    special = parse_trace("<think>a</think>```python\ndef double(x):\n    return 2 if x == 1 else 0\n```")
    for chosen, reward in (({}, 0.0), ({"code_tests": "visible"}, 1.0), ({"code_score": "share"}, 0.5)):
        verdicts, found = grade(Rubric(RewardsConfig.read(chosen)), problem, special)
        assert found == verdicts["accuracy"].score == reward
        assert (verdicts["tests_visible"].score, verdicts["tests_hidden"].score) == (1.0, 0.0)


def test_a_weight_of_0_takes_away_the_model_that_a_recipe_names_by_itself():
    from sanmai.recipes import find_recipe

    found = find_recipe("r1").config.model_validate({"scenarios": {"rewards": {"helpfulness": 0, "refusal": 1.0}}})
    rewards = found.scenarios.rewards
    assert (rewards.helpfulness_from, rewards.harmlessness_from, rewards.language) == (None, "@harmlessness", 1.0)
