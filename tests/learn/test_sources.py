"""Where problems come from: the limit means the same for the embedded world as for a file."""

import re

import pytest

from sanmai.learn.sources import ProblemsConfig, load_source, load_splits
from sanmai.recipes import find_recipe, resolve
from sanmai.types import InputError


def ids(problems):
    return [p.id for p in problems]


@pytest.mark.parametrize("evaluation", [None, "world"])
def test_a_limit_takes_the_first_of_the_world_and_leaves_its_held_out_sums(evaluation):
    whole, cut = (
        load_splits(ProblemsConfig(evaluation=evaluation, limit=limit), 3, None, on_warning=pytest.fail) for limit in (None, 5)
    )
    assert len(whole[0]) == 6000 and ids(cut[0]) == ids(whole[0])[:5]
    assert len(whole[1]) == 600 and ids(cut[1]) == ids(whole[1])


def test_what_is_evaluated_of_the_world_is_cut_too():
    assert len(load_source(ProblemsConfig(limit=7), 0, pytest.fail)) == 7


@pytest.mark.parametrize(("sources", "says"), [
    ({"source": "environment:a.py:A"}, "names the environment 'a.py:B'; expected one of 'a.py:A'"),
    ({"source": "world", "evaluation": "environment:a.py:A"}, "expected one of 'a.py:A'"),
    ({"source": ["x.jsonl", "environment:a.py:A"], "evaluation": "environment:c.py:C"}, "expected one of 'a.py:A', 'c.py:C'"),
    ({"source": ["environment:a.py:A", "verifiers:a.py:B"]}, "expected one of 'a.py:A'"),
    ({"source": "world"}, 'read only with source or evaluation = "environment:FILE.py:CLASS"'),
])  # fmt: skip
def test_settings_of_an_environment_that_no_source_names_are_refused(sources, says):
    with pytest.raises(InputError, match=re.escape(says)) as refused:
        ProblemsConfig.read({**sources, "environment": {"settings": {"a.py:B": {"n": 1}}}})
    assert "a.py:B" in str(refused.value)


@pytest.mark.parametrize("sources", [
    {"source": "environment:a.py:A", "evaluation": "environment: b.py:B"},
    {"source": ["environment:b.py:B", "environment:a.py:A"]},
    {"source": ["x.jsonl", "environment:a.py:A"], "evaluation": "environment:b.py:B"},
])  # fmt: skip
def test_settings_of_every_environment_that_is_named_are_taken(sources):
    named = {"a.py:A": {"n": 1}, "b.py:B": {}}
    assert ProblemsConfig.read({**sources, "environment": {"settings": named}}).environment.settings == named


def test_a_misspelt_name_of_a_taskset_is_refused_by_a_recipe_and_by_the_run_of_a_pipelines_stage():
    overrides = ["problems.source=verifiers:sums", "problems.verifiers.settings.sum.n=3"]
    says = "problems.verifiers.settings.sum: neither source nor evaluation names the environment 'sum'; expected one of 'sums'"
    with pytest.raises(InputError, match=f"^settings: {re.escape(says)}$"):
        resolve(find_recipe("zero"), overrides=overrides)
    given = ProblemsConfig.read({"source": "verifiers:sum", "verifiers": {"settings": {"sum": {"n": 3}}}})
    with pytest.raises(InputError, match=f"^{re.escape(says)}$"):
        load_source(given.model_copy(update={"source": "verifiers:sums"}), 0, pytest.fail)
    with pytest.raises(InputError, match=r"no source begins with verifiers:$"):
        load_splits(given.model_copy(update={"source": "world"}), 0, None, on_warning=pytest.fail)
