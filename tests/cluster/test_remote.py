"""Searches whose completions servers write: cut here, paid for, held against the policy's own log-probs."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import nullcontext

import pyarrow.parquet as pq
import pytest
from vllm_stub import VllmStub

import sanmai
from sanmai.cluster.links import Lost
from sanmai.cluster.remote import EngineConfig, Remote, writing
from sanmai.cluster.servers import Server
from sanmai.cluster.vllm import VllmLink
from sanmai.data.steps import StepRule
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import sample
from sanmai.recipes.search_settings import SearchConfig
from sanmai.search.drive import Driver, Limits
from sanmai.search.guides import LogProb
from sanmai.search.strategies import Beam, BestOfN
from sanmai.types import InputError, Problem, RunError, StopReason
from serve.serving import serving

PROBLEMS = [
    Problem(f"p{k}", ({"role": "user", "content": f"what is {k} plus {k + 1} ?"},), answer=str(2 * k + 1)) for k in range(3)
]
SAMPLING = SamplingConfig(max_tokens=24)


@pytest.fixture(scope="module")
def policy():
    return load_policy(ModelConfig(threads=1), for_training=False)


def engine(*stubs, **settings):
    return EngineConfig(urls=tuple(stub.url for stub in stubs), **{"patience_seconds": 5.0, "deadline_seconds": 30.0, **settings})


def searched(policy, strategy, problems=PROBLEMS, **pays):
    driver = Driver(
        policy, LogProb(), StepRule.parse("tokens:5"), SAMPLING, Limits(max_tokens=24, step_tokens=16), seed=(0, "search"), **pays
    )
    searches = [driver.begin(problem, strategy) for problem in problems]
    while not all(search.is_done for search in searches):
        driver.round(searches)
    return searches


def nodes(search):
    return {path: (node.tokens, node.ended, node.ends) for path, node in search.tree.nodes.items()}


@pytest.mark.parametrize("strategy", [BestOfN(3), Beam(branch=2, keep=1)], ids=["best_of_n", "beam"])
def test_steps_are_cut_here_what_is_beyond_is_discarded_and_paid_for_and_trees_hang_on_no_other(policy, strategy):
    with VllmStub() as stub, writing(engine(stub, chunk_tokens=8), policy, lambda said: None):
        together, alone = searched(policy, strategy), searched(policy, strategy, PROBLEMS[1:2])
    assert policy.sampler is None
    assert nodes(together[1]) == nodes(alone[0]) and together[1].ledger == alone[0].ledger
    assert any(node.ended is StopReason.STEP for search in together for node in search.tree.nodes.values()) is (
        strategy == Beam(branch=2, keep=1)
    )
    for search in together:
        for path, node in search.tree.nodes.items():
            if node.ended is StopReason.STEP:
                assert len(node.tokens) == 5 and search.tree.ends(path)[-1] == 5 * len(path)
        kept = sum(len(node.tokens) for node in search.tree.nodes.values())
        # Chunks of 8 for steps of 5: three of each full chunk are thrown away.
        thrown = 3 * sum(node.ended is StopReason.STEP for node in search.tree.nodes.values())
        assert 0 <= search.ledger.sampled - kept <= thrown
        assert search.ledger.sampled > kept or not thrown


def test_what_is_read_again_is_paid_for_unless_the_server_keeps_it(policy):
    with VllmStub() as stub, writing(engine(stub), policy, lambda said: None):
        pays, free = searched(policy, Beam(branch=2, keep=1)), searched(policy, Beam(branch=2, keep=1), reads_again=False)
    assert [nodes(search) for search in pays] == [nodes(search) for search in free]
    assert sum(search.ledger.read_again for search in pays) > 0 == sum(search.ledger.read_again for search in free)
    # All that the server was sent to read is paid for: by each child anew, and again with each chunk.
    half = len(stub.calls) // 2
    assert sum(len(body["prompt"]) for _, body in stub.calls[:half]) == sum(
        search.ledger.prompt + search.ledger.read_again for search in pays
    )
    assert sum(search.ledger.prompt for search in pays) == sum(len(search.prompt_tokens) for search in pays)
    assert [search.ledger.prompt for search in pays] == [search.ledger.prompt for search in free]


def test_sanmais_own_server_writes_the_tokens_with_their_log_probs_and_the_stop_token(policy):
    with serving(model="tiny") as (url, _):  # the address with /v1, as clients take it
        remote = Remote(EngineConfig(urls=(url,)), policy, print)
        requests = [Request(policy.tokenizer.encode("<user> what is 3 plus 4 ? <assistant>"), [(0, k) for k in range(6)])]
        done = list(remote.sample(requests, SamplingConfig(max_tokens=40)))  # held against the policy's own log-probs
        remote.close()
    assert len(done) == 6 and {one.stop_reason for one in done} <= {StopReason.STOP, StopReason.LENGTH}
    assert any(one.tokens[-1] in policy.stop_tokens for one in done)
    assert all(len(one.tokens) == len(one.logp) for one in done)


@pytest.mark.parametrize(("fault", "says"), [
    ("raw", "does not write with the weights of 'tiny': its log-probs of what it drew differ"),
    ("top_p", "does not write with the weights of 'tiny'"),
    ("unknown_field", "did not read the prompt's tokens as they were sent"),
    ("no_token", "wrote the token 1000000; expected 0 to"),
    ("no_logp", "gives 0.5 as a token's log-prob; expected at most 0"),
])  # fmt: skip
def test_another_distribution_is_found_out(policy, fault, says):
    sampling = SamplingConfig(max_tokens=8, temperature=0.7)
    with VllmStub(fault) as stub, writing(engine(stub), policy, print), pytest.raises(RunError, match=says) as stopped:
        list(sample(policy, [Request([5, 9, 4], [(0, k) for k in range(4)])], sampling))
    assert "\n" not in str(stopped.value)


def test_a_server_that_is_lost_is_told_of_and_another_is_asked_and_none_ends_the_run_in_a_sentence(policy):
    told: list[str] = []
    with VllmStub() as gone:
        pass
    requests = [Request([5, 9, 4], [(0, k) for k in range(4)])]
    with VllmStub() as stub, writing(engine(gone, stub, patience_seconds=20.0), policy, told.append):
        assert len(list(sample(policy, requests, SAMPLING))) == 4
    assert told and "is lost" in told[0] and gone.url in told[0]
    says = r"no answer of .* goes on from the last"
    with writing(engine(gone, patience_seconds=0.5), policy, told.append), pytest.raises(RunError, match=says):
        list(sample(policy, requests, SAMPLING))


def both_found(policy):
    """Before the first question, so that the load is shared however slow the machine is."""
    while not all(server.is_found for server in policy.sampler.servers):
        policy.sampler.look()
        time.sleep(0.01)


@pytest.mark.parametrize(("fault", "settings"), [
    ("frozen", {}),  # accepts, and says nothing to anything
    ("frozen_later", {}),  # the same after some answers
    ("never_writes", {"patience_seconds": 60.0}),  # names its models: how long others take tells
    ("drops", {}),  # closes every third connection without an answer
])  # fmt: skip
def test_a_server_that_hangs_or_drops_holds_up_nobody_for_long_and_changes_no_token(policy, fault, settings):
    told: list[str] = []
    requests = [Request([5, 9, 4], [(k, j) for j in range(3)]) for k in range(6)]
    with VllmStub() as good, VllmStub(fault) as bad:
        with writing(engine(good), policy, told.append):
            alone = {(one.request, one.sample): (one.tokens, one.logp) for one in sample(policy, requests, SAMPLING)}
        assert not told
        began = time.monotonic()
        settings = {"deadline_seconds": 300.0, "silence_seconds": 0.6, **settings}
        with writing(engine(bad, good, **settings), policy, told.append):
            if fault != "frozen":
                both_found(policy)
            found = {(one.request, one.sample): (one.tokens, one.logp) for one in sample(policy, requests, SAMPLING)}
        took = time.monotonic() - began
    assert found == alone and took < 100  # a deadline is 300 s
    # Where the other had written everything before its silence was noticed, that it said nothing is told at the end.
    # On a machine that stands still for a moment the good one may be lost for that moment, too.
    said = [one for one in told if bad.url in one]
    assert said and not any("\n" in one for one in told)
    assert all("is lost" in one or (fault == "frozen" and "has written nothing" in one) for one in said)


def test_a_server_too_slow_to_be_of_use_is_told_of_once_and_one_that_writes_is_not(policy):
    told: list[str] = []
    requests = [Request([5, 9, 4], [(0, 0)])]
    with VllmStub() as good, VllmStub("frozen") as bad, writing(
        engine(bad, good, silence_seconds=300.0), policy, told.append
    ):
        for _ in range(2):
            assert len(list(sample(policy, requests, SAMPLING))) == 1
        assert not told
    assert told == [
        f"sampler 1 ({bad.url}) has written nothing: when all was written it had not yet said which models it has"
    ]


def test_who_waits_for_a_server_is_let_go_by_another_thread():
    with VllmStub("frozen") as bad:
        link = VllmLink(1, bad.url, [1])
        began, waker = time.monotonic(), threading.Timer(0.2, link.interrupt)
        waker.start()
        with pytest.raises(Lost, match="it is asked no more"):
            link.ask({"do": "begin"}, 300.0)
        assert time.monotonic() - began < 100
        with pytest.raises(Lost):
            link.start(300.0)


def test_a_server_is_lost_when_a_call_takes_ten_times_as_long_a_token_as_the_slowest_answer(monkeypatch):
    clock, told, took = [100.0], [], iter([19.0, 21.0, 39.0, 41.0])

    class Link:
        name = "sampler 1"
        is_left = False

        def interrupt(self):
            self.is_left = True

        def write_one(self, index, sample, request, *others):
            clock[0] += next(took)
            server.hurry(0.0)  # nothing is known of any pace
            assert not self.is_left
            server.hurry(0.5)  # 4 tokens may take 10 * 0.5 * 4 = 20 s, and twice that after it was lost once
            if self.is_left:
                raise Lost("it is asked no more")
            return Completion(index, sample, [5, 6], [-1.0, -1.0], StopReason.STOP)

    monkeypatch.setattr("sanmai.cluster.servers.time.monotonic", lambda: clock[0])
    server = Server(Link, 10.0, told.append)
    for is_lost in (False, True, False, True):
        with pytest.raises(Lost) if is_lost else nullcontext():
            server.write(Request([5, 9], [(0, 0)], segment=4), 0, SAMPLING, 600.0)
    assert told == [
        f"sampler 1 is lost: no answer of 4 tokens within {seconds} s; the slowest took 0.5 s a token" for seconds in (21, 41)
    ]
    assert server.slowest == 39 / 2 and server.load == 0 and server.num_written == 0


def test_a_call_that_was_left_behind_on_an_earlier_connection_ends_and_does_not_lose_the_next_one(monkeypatch):
    """One caller's connection broke, another's goes on; the server has a new one, on which nobody waits."""
    clock, told, links = [100.0], [], []
    asked, left = threading.Event(), threading.Event()

    class Link:
        name = "sampler 1"

        def __init__(self):
            links.append(self)

        def interrupt(self):
            left.set()

        def write_one(self, index, sample, request, *others):
            if sample == 1:
                raise Lost("closed")
            asked.set()
            assert left.wait(60)
            raise Lost("it is asked no more")

    monkeypatch.setattr("sanmai.cluster.servers.time.monotonic", lambda: clock[0])
    server = Server(Link, 10.0, told.append)

    def ask(number):
        with pytest.raises(Lost):
            server.write(Request([5, 9], [(0, 0), (0, 1)], segment=4), number, SAMPLING, 600.0)

    waiting = threading.Thread(target=ask, args=(0,))
    waiting.start()
    assert asked.wait(60)
    ask(1)
    assert told == ["sampler 1 is lost: closed"] and len(links) == 2
    clock[0] += 21.0
    server.hurry(0.5)
    waiting.join(60)
    assert not waiting.is_alive() and server.load == 0
    assert len(told) == 1 and len(links) == 2


def test_a_server_that_alone_hangs_ends_the_run_in_a_sentence_when_patience_has(policy):
    with VllmStub("frozen") as bad, writing(
        engine(bad, silence_seconds=0.3, patience_seconds=1.0), policy, lambda said: None
    ), pytest.raises(RunError, match="for 1 s no answer of sampler 1"):
        list(sample(policy, [Request([5, 9, 4], [(0, k) for k in range(4)])], SAMPLING))


@pytest.mark.parametrize("fault", ["lies_later", "another_later"])
def test_each_server_is_checked_and_later_answers_too(policy, fault):
    requests = [Request([5, 9, 4], [(k, j) for j in range(4)]) for k in range(24)]
    sampling = SamplingConfig(max_tokens=8, concurrent=4)
    says = r"sampler 2 .* does not write with the weights of 'tiny'.* (\d+) of its answers were held"
    with VllmStub() as good, VllmStub(fault) as bad:
        with writing(engine(good, bad, check_every=4), policy, print), pytest.raises(RunError, match=says) as stopped:
            both_found(policy)
            list(sample(policy, requests, sampling))
        assert 8 <= int(re.search(says, str(stopped.value)).group(1)) < 96
    with VllmStub("raw") as bad, VllmStub() as good:  # the first answers of the second server are not those of the first
        later = [Request([5, 9, 4], [(k, 0)]) for k in range(12)]
        with writing(engine(good, bad), policy, print), pytest.raises(RunError, match=r"sampler 2 .* does not write with"):
            both_found(policy)
            list(sample(policy, later, SamplingConfig(max_tokens=8, temperature=0.7)))


def test_a_search_by_a_server_is_a_run_that_goes_on_with_the_same_bytes(tmp_path, monkeypatch):
    from sanmai.train.runs import Run

    save = Run.save

    def dies_at_step_2(self, step, *arguments):
        if step == 2:
            raise KeyboardInterrupt
        save(self, step, *arguments)

    with VllmStub() as stub:
        settings = {
            "strategy": ["beam"], "steps": "tokens:4", "step_tokens": 6, "branch": 2, "rounds_per_step": 2,
            "sampling": {"max_tokens": 12}, "engine": {"urls": [stub.url], "chunk_tokens": 4}, "quiet": True,
        }  # fmt: skip
        whole = sanmai.run("search", problems=PROBLEMS, out=tmp_path / "whole", **settings)
        with monkeypatch.context() as m:
            m.setattr(Run, "save", dies_at_step_2)
            with pytest.raises(KeyboardInterrupt):
                sanmai.run("search", problems=PROBLEMS, out=tmp_path / "parts", **settings)
        parts = sanmai.run("search", problems=PROBLEMS, out=tmp_path / "parts", **settings)
    for name in ("answers.jsonl", "search.json"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    rows = [row for path in sorted((whole / "trees").iterdir()) for row in pq.read_table(path).to_pylist()]
    assert rows and json.loads((whole / "search.json").read_text())["strategies"]["beam"]["tokens"]["read_again"] > 0


@pytest.mark.parametrize(("settings", "says"), [
    ({"engine": {"urls": ["a:8000"]}}, "does not begin with http://"),
    ({"engine": {"urls": ["http://a", "http://a/"]}}, "names a server twice"),
    ({"engine": {"chunk_tokens": 3}}, "chunk_tokens = 3 is read only with"),
    ({"engine": {"urls": ["http://a"]}, "sampling": {"temperature": 0}, "strategy": "best_of_n", "width": 1}, "temperature = 0"),
    ({"engine": {"urls": ["http://a"]}, "prefix_megabytes": 3}, "prefix_megabytes = 3 is read only with no engine.urls"),
])  # fmt: skip
def test_what_a_server_cannot_do_is_refused(settings, says):
    with pytest.raises((ValueError, InputError), match=says):
        SearchConfig.read(settings)
