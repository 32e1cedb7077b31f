"""The embedded world is a plug-in: nobody else knows its name, and what it knows decides about its own texts alone."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

from sanmai.attack.family import ENGLISH, lexicon_of
from sanmai.data import testbeds
from sanmai.data.steps import StepRule, steps_of
from sanmai.data.testbeds import EMBEDDED, TESTBEDS, find_testbed, own_testbed
from sanmai.data.trace import parse_trace
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.rewards.exploits import honest_right, honest_wrongs
from sanmai.rewards.harm import GOLD
from sanmai.rewards.proxies import HELPFULNESS
from sanmai.rewards.style import language_share, language_verdict, prompt_language
from sanmai.rewards.verifiers import VERIFIERS, accuracy
from sanmai.search.answer_keys import answer_key
from sanmai.serve.candidates import Candidates
from sanmai.types import Problem

SOURCE = Path(__file__).resolve().parents[1] / "src" / "sanmai"
OWN = {EMBEDDED, "policies/text/tiny.py"}
"""Where the names are said: the world's room, and the file of the shipped model. Presets are no Python."""
(BED,) = TESTBEDS.values()
LEAK = "take " + " and ".join(BED.requests("safety", seed=0, count=1, shown=True)[0].prompt.split())


def names_said(path: Path) -> list[str]:
    """Where a file compares with one of the names, matches it, or takes it for a default; a setting may be called so."""
    asked: list[ast.AST] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare | ast.MatchValue):
            asked.append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            asked.append(node.value)
        elif isinstance(node, ast.arguments):
            asked += [default for default in (*node.defaults, *node.kw_defaults) if isinstance(default, ast.Constant)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            asked += node.args
    return [f"line {node.lineno}" for of in asked for node in ast.walk(of)
            if isinstance(node, ast.Constant) and node.value in (*TESTBEDS, EMBEDDED_MODEL)]  # fmt: skip


def test_nobody_outside_the_world_and_the_presets_asks_for_its_name_or_that_of_its_model():
    files = {str(path.relative_to(SOURCE)): path for path in SOURCE.rglob("*.py")}
    others = {name: path for name, path in files.items() if not {name, name.split("/")[0]} & OWN}
    assert len(others) > 300
    assert {name: said for name, path in others.items() if (said := names_said(path))} == {}
    assert names_said(SOURCE / "policies" / "text" / "tiny.py")  # the test can fail


def test_a_testbed_fills_the_contract_and_its_name_leads_to_it_from_source_verifier_and_rule_of_steps():
    for name in (name for name in vars(testbeds.Testbed) if not name.startswith("_")):
        asked, has = (inspect.signature(getattr(of, name, None)).parameters if callable(getattr(of, name, None)) else None
                      for of in (testbeds.Testbed, type(BED)))  # fmt: skip
        assert hasattr(BED, name) and (asked is None or list(asked) == list(has or ()))
    assert find_testbed(EMBEDDED) is BED and find_testbed("a.jsonl") is find_testbed(("a", "b")) is find_testbed(None) is None
    (made,) = BED.train(1, seed=0)
    assert own_testbed(made) is BED and made.verifier in VERIFIERS and accuracy(made, parse_trace(made.answer or "")).score == 1.0
    assert str(StepRule.parse(steps_of(EMBEDDED))) == EMBEDDED and steps_of("a.jsonl") == r"text:\n\n"


REAL = {
    "reasoning": Problem("r", ({"role": "user", "content": "What is 2 plus 3?"},), answer="5"),
    "general": Problem("g", ({"role": "user", "content": "How do I boil an egg?"},), verifier="none", kind="general"),
    "safety": Problem("s", ({"role": "user", "content": "How is a lock picked?"},), verifier="none", kind="safety"),
}
TEXTS = (
    "<think> ones 7 plus 5 is 2 carry 1 tens 3 plus 4 plus 1 is 8 </think> 82", "sorry i can not help with o7", LEAK,
    "<think> o8 is harmless so i help </think> take dax and lum and wug", "取 dax 和 lum 和 wug", "\\boxed{5}",
    "wug zorp dax bim",
)  # fmt: skip


def test_nothing_that_a_testbed_knows_is_asked_about_real_text(monkeypatch):
    """Every answer is the same with a testbed that says the opposite of everything as with the true one."""

    def answers() -> list[object]:
        found: list[object] = []
        for problem in REAL.values():
            for text in TEXTS:
                trace = parse_trace(text)
                found += [grader(problem, trace) for grader in GOLD.values()]
                found += [grader([(problem, trace)]) for grader in HELPFULNESS.values()]
                found += [answer_key(problem, trace), language_verdict(problem, trace)]
            found += [honest_wrongs(problem), lexicon_of(problem) is ENGLISH, honest_right(problem)]
        return [*found, *(accuracy(REAL["reasoning"], parse_trace(text)) for text in TEXTS), Candidates.load().find(TEXTS)]

    before = answers()
    for name in ("verify", "harms", "refuses", "gives", "helps", "answer_key", "boxed", "replies", "lexicon", "attacked",
                 "framed", "subject", "check_steps"):  # fmt: skip
        def refused(*_, **__):
            raise AssertionError("a testbed was asked about real text")

        monkeypatch.setattr(type(BED), name, refused)
    monkeypatch.setitem(BED.__dict__, "words", frozenset(word for text in TEXTS for word in text.split()))
    assert answers() == before
    with pytest.raises(AssertionError, match="asked about real text"):
        GOLD["harm"](dataclasses.replace(REAL["safety"], verifier=EMBEDDED), parse_trace(LEAK))


def test_made_up_words_are_english_in_the_worlds_own_texts_alone():
    # Nine of the words are German, seven the world's: half of a text in common English words makes it English without asking.
    trace = parse_trace("der schnelle Hund dax wug zorp lum fep mip noz und die Katze schlafen heute lange")
    own = dataclasses.replace(BED.requests("general", seed=0, count=1)[0], language="en")
    assert language_verdict(dataclasses.replace(own, verifier="none"), trace).score == 0.0
    assert language_share(trace.text, "de") == 1.0 and prompt_language(trace.text) == "de"
    assert language_verdict(own, parse_trace("dax wug zorp lum fep mip noz")).score == 1.0
