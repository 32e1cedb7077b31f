"""Who writes which part, when samplers die, hang, lie or come back too late."""

from __future__ import annotations

import itertools
import re
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from inline import FakeLink

from sanmai.cluster.canary import Canary
from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.links import Lost
from sanmai.cluster.pool import Pool
from sanmai.cluster.published import Publication
from sanmai.types import RunError

FIRST = Publication(1, "d1" * 16, Path("d1"), Canary([[1, 2]], [[-1.0]], "float32"))
QUICK = {"transport": "processes", "deadline_seconds": 0.3, "patience_seconds": 0.6}


def write_all(pool: Pool, count: int = 6) -> list[str]:
    """The answers of parts a, b, c, ..., in order."""
    texts = [chr(ord("a") + number) for number in range(count)]
    found = list(pool.write([partial(dict, do="write", text=text) for text in texts], FIRST))
    assert sorted(number for number, _ in found) == list(range(count))
    return [answer["text"] for _, answer in sorted(found, key=lambda item: item[0])]


def echo(text: str) -> dict:
    return {"text": text * 2}


def pool_of(*writes, **settings) -> tuple[Pool, list[FakeLink]]:
    links = [FakeLink(number, write) for number, write in enumerate(writes, 1)]
    return Pool(links, {"do": "begin"}, ClusterConfig(**{**QUICK, **settings})), links


def notices(pool: Pool) -> list[str]:
    return [pool.notices.get() for _ in range(pool.notices.qsize())]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_part_is_written_once_however_many_samplers_there_are(count):
    pool, links = pool_of(*[echo] * count)
    assert write_all(pool) == ["aa", "bb", "cc", "dd", "ee", "ff"]
    assert sorted(itertools.chain(*(link.asked for link in links))) == list("abcdef")
    assert write_all(pool, 2) == ["aa", "bb"]  # they go on to the next call
    pool.close()
    assert [link.num_starts for link in links] == [1] * count


def test_what_a_dead_sampler_had_goes_to_another_and_it_comes_back():
    died, has_died_twice = [], threading.Event()

    def mortal(text):
        if len(died) < 2:
            died.append(text)
            raise Lost("process 17 ended with exit code -9")
        has_died_twice.set()
        return echo(text)

    pool, links = pool_of(mortal, lambda text: echo(text) if has_died_twice.wait(20) else None, deadline_seconds=30.0)
    assert write_all(pool, 8) == [2 * t for t in "abcdefgh"]
    pool.close()
    assert len(died) == 2 and links[0].num_starts == 3
    assert re.match(r"sampler 1: process 17 ended with exit code -9; part \d of 8 goes to another", notices(pool)[0])


def test_a_hung_sampler_is_ended_and_its_part_written_by_another():
    has_hung = threading.Event()

    def hangs_once(text):
        if has_hung.is_set():
            return echo(text)
        return has_hung.set()

    pool, _ = pool_of(hangs_once, lambda text: echo(text) if has_hung.wait(5) else None)
    assert write_all(pool) == [2 * t for t in "abcdef"]
    assert "no answer within 0.3 s" in notices(pool)[0]
    pool.close()


def test_a_part_that_ends_every_sampler_stops_the_run_with_its_number_and_the_reason():
    def write(text):
        if text == "b":
            raise Lost("process 3 ended with exit code -11")
        return echo(text)

    pool, _ = pool_of(write, write, tries=2)
    with pytest.raises(RunError, match=r"part 2 of 6 was the last of 2 samplers \(cluster.tries\); .* exit code -11"):
        write_all(pool)
    pool.close()


def test_no_sampler_for_too_long_stops_the_run_and_names_each():
    class Dead(FakeLink):
        def start(self, seconds):
            raise Lost("host is down")

    pool = Pool([Dead(1, echo), Dead(2, echo)], {"do": "begin"}, ClusterConfig(**QUICK))
    start = time.monotonic()
    with pytest.raises(RunError, match=r"no sampler for 0.6 s \(cluster.patience_seconds\): sampler 1: host is down; samp"):
        write_all(pool)
    assert time.monotonic() - start < 3
    pool.close()


def test_what_no_other_sampler_would_do_better_stops_the_run_at_once():
    pool, links = pool_of(lambda text: {"raised": "ValueError: request 0 has an empty prompt"}, tries=5)
    with pytest.raises(RunError, match="sampler 1: ValueError: request 0 has an empty prompt"):
        write_all(pool, 1)
    assert links[0].asked == ["a"]
    pool.close()


def test_a_sampler_that_holds_other_weights_than_a_part_names_stops_the_run():
    pool, _ = pool_of(lambda text: {"refused": "d0" * 16})
    with pytest.raises(RunError, match=r"sampler 1 holds weights d0d0d0d0d0d0 and was asked to write with d1d1d1d1d1d1"):
        write_all(pool, 1)
    pool.close()


def test_calls_of_two_threads_share_the_samplers_and_each_gets_its_own_parts():
    pool, _ = pool_of(*[lambda text: time.sleep(0.01) or echo(text)] * 2)
    found: list[list[str]] = [[], []]

    def call(number):
        found[number] = write_all(pool, 4 + number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert found == [[2 * t for t in "abcd"], [2 * t for t in "abcde"]]


def test_who_stops_asking_leaves_nothing_waiting_and_closing_ends_a_sampler_that_hangs():
    pool, links = pool_of(lambda text: echo(text) if text == "a" else None, deadline_seconds=60.0)
    writing = pool.write([partial(dict, do="write", text=text) for text in "abc"], FIRST)
    assert next(writing) == (0, {"text": "aa", "by": "sampler 1"})
    writing.close()
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 2 and links[0].asked in (["a"], ["a", "b"])
