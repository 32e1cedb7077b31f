"""Dialogues of several turns: what an environment says is read and not trained, and a dialogue that cannot be graded is told."""

from __future__ import annotations

import json
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sanmai import run
from sanmai.data.environments import dialogue_of
from sanmai.data.trace import parse_trace
from sanmai.data.turns import next_turn
from sanmai.learn.graders import make_rubric
from sanmai.learn.sources import ProblemsConfig, load_splits
from sanmai.policies.text.asking import SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.drawing import draw
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.tiny import tiny_tokenizer
from sanmai.rewards.environments import verify_environment
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rewards.verifiers import accuracy
from sanmai.rollout.engine import GradingConfig, grade
from sanmai.train.step import check_parity
from sanmai.types import InputError, Problem, RunError, StopReason

CHAIN = Path(__file__).parents[2] / "examples" / "environments" / "chain.py"
TAGS = ("<think>", "</think>")
ODD = """
    import os, time

    class Odd:
        def __init__(self, how): self.how = how
        def tasks(self):
            for k in range(4):
                yield {"prompt": "what is 3 plus 4 ?", "number": k}
        def reply(self, task, turns):
            assert turns[-1]["role"] == "assistant" and task["number"] >= 0
            if len(turns) > 2: return None
            if self.how == "raise": raise ValueError("no such word")
            if self.how == "hang": time.sleep(60)
            if self.how == "die": os._exit(3)
            if self.how == "number": return 5
            return "what is 5 plus 4 ?" * (100 if self.how == "long" else 1)
        def reward(self, task, turns):
            if self.how == "slow": time.sleep(0.3)
            if self.how == "hung reward": time.sleep(60)
            return {"none": None, "much": 7.0}.get(self.how, float(len(turns) == 3))
"""


def test_a_row_of_a_file_runs_no_code_of_its_own_choice(tmp_path):
    spec = {
        "taskset": "subprocess:run", "settings": json.dumps({"args": ["touch", str(tmp_path / "ran")]}), "limit": None,
        "index": 0, "key": "x", "low": 0, "high": 1, "seconds": 5, "is_own": True, "turns": 3, "told_tokens": 9,
    }  # fmt: skip
    row = Problem("p", ({"role": "user", "content": "?"},), answer=json.dumps(spec), verifier="environment")
    with pytest.raises(InputError, match="runs no code of its own choice"):
        dialogue_of(row)
    found = verify_environment(row, parse_trace("5"))
    assert found.score is None and "runs no code of its own choice" in found.reason and not (tmp_path / "ran").exists()
    with pytest.raises(InputError, match="problem p: its answer is no task"):
        dialogue_of(replace(row, answer="42"))


def test_an_environment_whose_file_changed_is_read_anew(tmp_path):
    for words in ("what is 3 plus 4 ?", "what is 9 plus 4 ?"):
        written = textwrap.dedent(ODD).replace("what is 3 plus 4 ?", words).replace("self, how", "self, how='plain'")
        (tmp_path / "e.py").write_text(written)
        assert loaded(source_of(tmp_path / "e.py", "Odd"))[0].prompt == words


@pytest.fixture(scope="module")
def policy():
    return load_policy(ModelConfig(name="tiny"), for_training=False)


def source_of(path: Path, name: str) -> str:
    return f"environment:{path}:{name}"


def loaded(source: str, **values):
    config = ProblemsConfig.read({"source": source, **values}, source="test")
    return load_splits(config, 0, None, on_warning=lambda note: None, several_turns=True)[0]


def chain(**values):
    settings = values.pop("settings", {})
    return loaded(source_of(CHAIN, "Chain"), environment={"settings": {f"{CHAIN}:Chain": settings}, **values})


def drawn(policy, problems, count=2, seed=(0,), **sampling):
    config = SamplingConfig(**{"max_tokens": 120, **sampling})
    found = draw(policy, problems, count, seed=seed, version=0, sampling=config, thought_tags=TAGS)
    return sorted((r for _, r in found), key=lambda r: (r.problem_id, r.sample))


def test_what_the_environment_says_is_read_and_only_the_policys_own_turns_are_trained(policy):
    problems = chain()[:6]
    rollouts = drawn(policy, problems)
    several = [r for r in rollouts if len(r.told) == 2]
    assert len(several) > 3
    decode = lambda tokens: policy.tokenizer.decode(tokens, skip_special_tokens=False)  # noqa: E731
    for r in several:
        for start, end in r.told:
            said = decode(r.completion_tokens[start:end])
            assert said.startswith("<user> what is") and said.endswith("<assistant>")
            assert r.completion_tokens[start - 1] in policy.stop_tokens
        assert [turn.role for turn in r.trace.earlier] == ["assistant", "user", "assistant", "user"]
        answer = r.trace.earlier[2].text.split()[-1]  # what the policy answered is what the next question adds to
        assert f"what is {answer} plus" in r.trace.earlier[3].text
        assert r.length == len(r.completion_tokens) - sum(b - a for a, b in r.told)
    batch = policy.pack(rollouts)
    with torch.no_grad():
        logp_BT, _ = policy.score(batch)
    for row, r in enumerate(rollouts):
        own = torch.ones(len(r.completion_tokens), dtype=torch.bool)
        for start, end in r.told:
            own[start:end] = False
        first, last = len(r.prompt_tokens), len(r.prompt_tokens) + len(r.completion_tokens)
        assert batch.mask_BT[row].sum() == r.length and torch.equal(batch.mask_BT[row, first:last], own)
        # The log-probs of every turn are those of the policy on all that stood before it, the environment's words included.
        assert torch.allclose(logp_BT[row, first:last][own], torch.tensor(r.sampling_logp)[own], atol=2e-4)
    check_parity(policy, batch, temperature=1.0, micro_tokens=4096)
    with pytest.raises(RunError, match="sampler and trainer disagree"):  # as if the environment's words were trained, too
        check_parity(policy, policy.pack([replace(r, told=()) for r in rollouts]), temperature=1.0, micro_tokens=4096)


def test_words_that_a_problem_puts_into_the_models_mouth_are_seen_beside_a_dialogue_as_without_one(policy):
    said = {"role": "user", "content": "what is 3 plus 4 ?"}, {"role": "assistant", "content": "<think> 3 plus"}
    begun = Problem("begun", said)
    alone = drawn(policy, [begun], count=3)
    beside = [r for r in drawn(policy, [*chain()[:2], begun], count=3) if r.problem_id == "begun"]
    assert [r.completion_tokens for r in beside] == [r.completion_tokens for r in alone]
    assert [r.trace for r in beside] == [r.trace for r in alone]
    assert all(r.trace.thought.split()[:2] == ["3", "plus"] for r in beside)
    assert [r.text for r in beside] == [r.text for r in alone]


def test_a_dialogue_depends_on_no_neighbour_and_on_no_order_of_arrival(policy):
    problems = chain()[:6]
    together = drawn(policy, problems)
    assert [r.completion_tokens for r in drawn(policy, problems, concurrent=3)] == [
        r.completion_tokens for r in together
    ]
    alone = [r for p in problems for r in drawn(policy, [p])]
    assert [r.completion_tokens for r in sorted(alone, key=lambda r: (r.problem_id, r.sample))] == [
        r.completion_tokens for r in together
    ]


def test_limits_end_a_dialogue_and_say_how(policy):
    first = chain(turns=1)[:2]
    assert all(not r.told and not r.trace.earlier for r in drawn(policy, first))
    # Which tokens are drawn differs between processors, and a dialogue in which no number is answered ends by itself.
    two = drawn(policy, chain(turns=2)[:4])
    assert {len(r.told) for r in two} <= {0, 1} and any(r.told and r.stop_reason is StopReason.STOP for r in two)
    short = drawn(policy, chain(told_tokens=10)[:4])  # a question and its marks are 8 tokens or more: one, no second
    assert {len(r.told) for r in short} <= {0, 1} and {r.stop_reason for r in short} <= {StopReason.STOP, StopReason.LENGTH}
    cut = [r for r in short if r.stop_reason is StopReason.LENGTH]
    assert any(r.told for r in cut) and all(not r.trace.is_complete for r in cut)
    few = drawn(policy, chain()[:4], max_tokens=30)
    assert all(r.length <= 30 for r in few) and any(r.stop_reason is StopReason.LENGTH for r in few)
    late = drawn(policy, chain()[:2], timeout_seconds=1e-9)
    assert all(r.stop_reason is StopReason.TIMEOUT for r in late)


def test_rewards_are_of_the_whole_dialogue(policy):
    problems = chain(settings={"additions": 2})[:12]
    by_id = {p.id: p for p in problems}
    for r in drawn(policy, problems):
        numbers = [int(word) for word in by_id[r.problem_id].prompt.split() if word.isdigit()]
        assert len(numbers) == 2
        verdict = accuracy(by_id[r.problem_id], r.trace)
        asked = [int(w) for t in r.trace.earlier if t.role == "user" for w in t.text.split() if w.isdigit()]
        is_right = bool(asked) and r.trace.is_complete and r.trace.answer.split()[-1:] == [str(sum(numbers) + asked[1])]
        assert verdict.score == float(is_right), (r.text, verdict)


@pytest.mark.parametrize(("how", "says"), [
    ("raise", "no such word"), ("hang", "no answer within 1 s"), ("die", "its process ended"), ("none", "no finite reward"),
    ("number", "expected text or None"), ("much", "a reward of 7"),
])  # fmt: skip
def test_an_environment_that_fails_leaves_a_dialogue_without_a_reward(policy, tmp_path, how, says):
    (tmp_path / "odd.py").write_text(textwrap.dedent(ODD))
    source = source_of(tmp_path / "odd.py", "Odd")
    own = {"settings": {f"{tmp_path}/odd.py:Odd": {"how": how}}, "seconds": 1.0, "workers": 2}
    problems = loaded(source, environment=own)
    assert len(problems) == 4  # the same first question; what is behind it differs
    start = time.monotonic()
    [r, *_] = drawn(policy, problems[:1], 1)
    verdict = accuracy(problems[0], r.trace)
    assert verdict.score is None and says in verdict.reason and time.monotonic() - start < 30


def odd(tmp_path, how, **values):
    (tmp_path / "odd.py").write_text(textwrap.dedent(ODD))
    own = {"settings": {f"{tmp_path}/odd.py:Odd": {"how": how}}, **values}
    return loaded(source_of(tmp_path / "odd.py", "Odd"), environment=own)


def test_replies_that_hang_end_with_the_time_of_the_step_and_not_with_that_of_each(policy, tmp_path):
    # 16 dialogues, one process, 30 s a reply: 480 s. The step has 2.
    problems, start = odd(tmp_path, "hang"), time.monotonic()
    rollouts = drawn(policy, problems, 4, timeout_seconds=2.0)
    assert time.monotonic() - start < 20
    assert len(rollouts) == 16 and all(r.stop_reason is StopReason.TIMEOUT and not r.told for r in rollouts)
    assert all(not r.trace.is_complete and not r.trace.unanswered and not r.trace.earlier for r in rollouts)


def test_a_reward_has_the_environments_time_and_waiting_for_it_is_not_counted(policy, tmp_path):
    # 8 rewards of .3 s by one process for four graders: the last ones wait longer than grading has for a rollout.
    problems = odd(tmp_path, "slow", seconds=5.0)
    rollouts = [(problems[0], r) for r in drawn(policy, problems[:1], 8)]
    rubric = make_rubric(RewardsConfig(), None, [], held_out=[], device="cpu")
    graded, failures = grade(rollouts, rubric, GradingConfig(timeout_seconds=0.25))
    assert not failures and [r.verdicts["accuracy"].score for r in graded] == [1.0] * 8
    hung = odd(tmp_path, "hung reward", seconds=0.5)
    [(_, last), *_] = rollouts
    [found], failures = grade([(hung[0], replace(last, problem_id=hung[0].id))], rubric, GradingConfig(timeout_seconds=0.25))
    assert not failures and "no answer within 0.5 s" in found.verdicts["accuracy"].reason


def test_what_cannot_be_used_is_named(tmp_path):
    (tmp_path / "odd.py").write_text(textwrap.dedent(ODD))
    (tmp_path / "bad.py").write_text(
        textwrap.dedent("""
        class Bare: pass
        class Empty:
            def tasks(self): return []
            def reward(self, task, turns): return 1.0
        class Rows(Empty):
            def tasks(self): return [{"question": "x"}]
        class Unheard(Empty):
            def tasks(self): return [{"prompt": [{"role": "assistant", "content": "x"}]}]
    """)
    )
    for source, says in {
        source_of(tmp_path / "bad.py", "Bare"): "has no tasks and no reward", source_of(tmp_path / "bad.py", "No"): "no class No",
        source_of(tmp_path / "bad.py", "Empty"): "no task in it", source_of(tmp_path / "bad.py", "Rows"): '"prompt"',
        source_of(tmp_path / "bad.py", "Unheard"): "end with the user's", source_of(tmp_path / "no.py", "X"): "there is no file",
        source_of(tmp_path / "odd.py", "Odd"): "how", "environment:odd.py": "expected environment:FILE.py:CLASS",
        "environment:": "expected environment:FILE.py:CLASS", "environment:nowhere.at.all:X": "nowhere",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match="environment") as error:
            loaded(source)
        assert says in str(error.value), (source, error.value)


def test_recipes_and_settings_that_know_one_turn_alone_refuse_dialogues(tmp_path):
    source = source_of(CHAIN, "Chain")
    small = {"num_steps": 1, "prompts_per_step": 2, "rollouts_per_prompt": 2, "quiet": True}
    for settings, says in (
        ({"partial": {"segment_tokens": 8}}, "partial.segment_tokens"), ({"credit": {"step_bonus": 0.1}}, "credit by steps"),
        ({"length": {"weight": 0.1, "reward": "cosine"}}, "cosine"),
    ):  # fmt: skip
        with pytest.raises(InputError, match="a dialogue of several turns") as error:
            run("zero", problems={"source": source}, out=tmp_path / says, **small, **settings)
        assert says in str(error.value)
    with pytest.raises(InputError, match=r"zero and evaluate do\); problems.environment.turns=1"):
        run("sft", problems={"source": source}, out=tmp_path / "sft", quiet=True)


SETTINGS = {
    "prompts_per_step": 4,
    "rollouts_per_prompt": 4,
    "sampling": {"max_tokens": 90},
    "optimizer": {"lr": 5e-4},
    "quiet": True,
}


def test_a_run_on_dialogues_that_was_stopped_goes_on_with_the_same_bytes(tmp_path):
    problems = {"source": source_of(CHAIN, "Chain"), "evaluation_limit": 8}
    problems["environment"] = {"settings": {f"{CHAIN}:Chain": {"count": 40, "additions": 2}}}
    whole = run("zero", problems=problems, num_steps=2, out=tmp_path / "whole", **SETTINGS)
    checkpoints = {"every": 1}
    run("zero", problems=problems, num_steps=2, out=tmp_path / "cut", callbacks=lambda step, metrics: step < 1,
        checkpoints=checkpoints, **SETTINGS)  # fmt: skip
    again = run("zero", problems=problems, num_steps=2, out=tmp_path / "cut", checkpoints=checkpoints, **SETTINGS)
    assert again.metrics.to_list() == whole.metrics.to_list() and len(whole.metrics) == 3
    rows = whole.samples(step=2, columns=["told", "num_tokens", "text", "score/accuracy"]).to_list()
    assert any(row["told"] for row in rows) and all(row["score/accuracy"] in (0.0, 1.0) for row in rows)
    last = whole.metrics[-1]
    assert last["tokens/trained"] == sum(row["num_tokens"] for row in rows)  # none of what the environment said
    assert last["rollout/ungradable"] == 0.0 and abs(last.get("parity/max", 0.0)) < 1e-2


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_what_stands_between_two_turns_is_what_the_template_writes_there():
    tokenizer = tiny_tokenizer()
    assert tokenizer.decode(next_turn(tokenizer, "what is 3 plus 4 ?")) == "<user> what is 3 plus 4 ? <assistant>"
    whole = [{"role": "user", "content": "what is 5 plus 4 ?"}, {"role": "assistant", "content": "9"},
             {"role": "user", "content": "what is 9 plus 4 ?"}]  # fmt: skip
    rendered = list(tokenizer.apply_chat_template(whole, add_generation_prompt=True, return_dict=False))
    begun = list(tokenizer.apply_chat_template(whole[:1], add_generation_prompt=True, return_dict=False))
    written = [*tokenizer.encode("9", add_special_tokens=False), tokenizer.eos_token_id]
    assert [*begun, *written, *next_turn(tokenizer, "what is 9 plus 4 ?")] == rendered

    class Words:  # a tokenizer of characters
        chat_template, eos_token_id, all_special_tokens, all_special_ids = CHATML, 7, ["<|im_end|>"], [7]

        def get_added_vocab(self):
            return {"<|im_end|>": 7}

        def encode(self, text, add_special_tokens=True):
            return [ord(c) for c in text]

        def decode(self, tokens, skip_special_tokens=True):
            return "".join("<|im_end|>" if t == 7 else chr(t) for t in tokens)

        def apply_chat_template(self, turns, tokenize=True, add_generation_prompt=False):
            import jinja2

            return jinja2.Template(self.chat_template).render(
                messages=turns, add_generation_prompt=add_generation_prompt
            )

    said = lambda words: "".join(map(chr, next_turn(words, "Higher.")))  # noqa: E731
    assert said(Words()) == "\n<|im_start|>user\nHigher.<|im_end|>\n<|im_start|>assistant\n"
    bare = Words()
    bare.chat_template = None
    assert said(bare) == "\nUser: Higher.\nAssistant:"
    forgetful = Words()
    forgetful.chat_template = "{{ messages[-1]['content'] }}"
    with pytest.raises(InputError, match="leaves turns of a dialogue out"):
        next_turn(forgetful, "Higher.")
