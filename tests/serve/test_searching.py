"""The official client asks for an answer that is searched for: by strategy, budget and guide, with every token counted."""

from __future__ import annotations

import openai
import pytest
from serving import serving

from sanmai.data.chat import render_prompt
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.types import InputError

ASKED = [{"role": "user", "content": "what is 37 plus 45 ?"}]


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """A guide of one's own: 1 for what ends in 82, else 0; it is shown no reference answer."""
    file = tmp_path_factory.mktemp("guide") / "ends.py"
    ends = "    return float(problem.answer is None and text.strip().endswith('82'))"
    file.write_text(f"def ends(problem, text):\n{ends}\n")
    return f"{file}:ends"


@pytest.fixture(scope="module")
def client(guide):
    with serving(model="tiny", guides=(guide,), search_tokens=2000) as (address, lines):
        assert any("Searches where asked for" in line for line in lines)
        yield openai.OpenAI(base_url=address, api_key="none", max_retries=0)


def ask(client, search: dict, **more):
    settings = {"model": "tiny", "messages": ASKED, "seed": 3, "max_tokens": 60, **more}
    return client.chat.completions.create(**settings, extra_body={"search": search})


def test_best_of_n_answers_with_the_guides_favourite_and_counts_all_that_was_sampled(client):
    found = ask(client, {"strategy": "best_of_n", "n": 16})
    prompt = render_prompt(load_policy(ModelConfig(name="tiny"), for_training=False).tokenizer, ASKED)
    facts = found.model_extra["search"]
    assert found.choices[0].message.content.strip() == "82" and facts["score"] == 1.0 and facts["finished"] == 16
    usage, tokens = found.usage, facts["tokens"]
    assert usage.prompt_tokens == len(prompt) and usage.completion_tokens == tokens["sampled"] > 16 * 2
    assert usage.total_tokens == tokens["paid"] == len(prompt) + tokens["sampled"]
    again = ask(client, {"strategy": "best_of_n", "n": 16})
    assert again.choices[0].message == found.choices[0].message and again.usage == found.usage


def test_each_strategy_answers_within_its_budget_or_says_that_it_was_cut_off(client):
    for strategy in ("best_of_n", "beam", "mcts", "revise"):
        found = ask(client, {"strategy": strategy, "tokens": 300, "guide": "logp"})
        assert found.choices[0].finish_reason in ("stop", "length")
        # The last round may run over the budget; what came of it is not answered.
        assert found.model_extra["search"]["strategy"] == strategy and found.usage.total_tokens < 300 + 4 * 64 + 64
    short = ask(client, {"strategy": "best_of_n", "n": 2}, max_tokens=1)
    assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 2


def test_a_stream_says_the_same_as_the_whole_answer(client):
    whole = ask(client, {"strategy": "best_of_n", "n": 8})
    parts = list(ask(client, {"strategy": "best_of_n", "n": 8}, stream=True, stream_options={"include_usage": True}))
    text = "".join(p.choices[0].delta.content or "" for p in parts if p.choices)
    assert text == whole.choices[0].message.content and parts[-1].usage == whole.usage
    assert parts[-2].choices[0].finish_reason == whole.choices[0].finish_reason


@pytest.mark.parametrize(("search", "more", "said"), [
    ({"strategy": "best_of_n", "n": 4}, {"logprobs": True}, "no log-probs"),
    ({"strategy": "best_of_n", "n": 4}, {"n": 2}, "one answer"),
    ({"strategy": "best_of_n", "n": 4}, {"temperature": 0}, "all candidates are equal"),
    ({"strategy": "best_of_n", "n": 4}, {"top_p": 0.9}, "leave top_p out"),
    ({"strategy": "best_of_n", "n": 4}, {"stop": ["x"]}, "leave stop out"),
    ({"strategy": "best_of_n", "tokens": 9000}, {}, "at most 2000"),
    ({"strategy": "beam", "guide": "elsewhere"}, {}, "not loaded here"),
    ({"strategy": "beam", "guide": "agreement"}, {}, "scores finished completions alone"),
    ({"strategy": "depth_first"}, {}, "search.strategy"), ({"n": 4}, {}, "expected one, such as best_of_n"),
    ({"strategy": "beam", "nodes": 3}, {}, "search.nodes"),
])  # fmt: skip
def test_what_a_search_cannot_do_is_refused_in_one_sentence(client, search, more, said):
    with pytest.raises(openai.BadRequestError, match=said):
        ask(client, search, **more)


def test_a_server_that_does_not_search_says_so_and_one_that_always_does_can_be_told_not_to():
    with serving(model="tiny") as (address, _):
        plain = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
        with pytest.raises(openai.BadRequestError, match="samples and does not search"):
            ask(plain, {"strategy": "best_of_n"})
    with serving(model="tiny", strategy="best_of_n", search_n=4, reviewer="rules") as (address, _):
        always = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
        searched = always.chat.completions.create(model="tiny", messages=ASKED, max_tokens=60)
        assert searched.model_extra["search"]["finished"] <= 4 and searched.model_extra["search"]["guide"] == "logp"
        assert "search" not in (ask(always, {"strategy": "none"}).model_extra or {})


def test_options_that_cannot_work_are_refused_at_the_start():
    for settings, said in (
        ({"strategy": "beam", "guides": ("nowhere",)}, "no such folder"), ({"strategy": "best"}, "strategy"),
        ({"guides": ("verifier",)}, "reference answer"), ({"search_tokens": 5}, "need --strategy"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said), serving(model="tiny", **settings):
            pass
