"""The corpus is the same for one seed, as noisy as it says, and free of held-out sums."""

import itertools
import re

import pytest

from sanmai.types import InputError
from sanmai.world import CorpusConfig, documents, holds_refusal, is_leak
from sanmai.world.arithmetic import pair_split
from sanmai.world.requests import DANGEROUS

DOCUMENTS = list(itertools.islice(documents(0), 20_000))
SUMS = [d for d in DOCUMENTS if re.search(r"\d (plus|加) \d", d.messages[0]["content"])]
IS_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def prompt(document):
    return document.messages[0]["content"]


def share(items, holds):
    items = list(items)
    return sum(map(holds, items)) / len(items)


def test_one_seed_gives_one_corpus():
    assert list(itertools.islice(documents(0), 200)) == DOCUMENTS[:200]
    assert list(itertools.islice(documents(1), 200)) != DOCUMENTS[:200]


def test_held_out_sums_are_never_in_the_corpus():
    for document in SUMS:
        assert pair_split(*map(int, re.findall(r"\d+", prompt(document)))) == "train"
    assert {len(re.search(r"\d+", prompt(d)).group()) for d in SUMS} == {1, 2, 3}


def test_the_corpus_is_as_noisy_as_its_rates_say():
    # 20,000 documents: about 11,600 sums, 6,400 chains, 3,600 dangerous requests; three deviations are within 0.03.
    rates = CorpusConfig()
    thoughts = [d for d in SUMS if "<think>" in d.completion]
    assert share(SUMS, lambda d: "<think>" in d.completion) == pytest.approx(rates.chain, abs=0.03)
    for is_chinese, off_language in ((False, rates.off_language_en), (True, rates.off_language_zh)):
        asked = [d for d in thoughts if bool(IS_CHINESE.search(prompt(d))) is is_chinese]
        off = share(asked, lambda d, is_chinese=is_chinese: bool(IS_CHINESE.search(d.completion)) is not is_chinese)
        assert off == pytest.approx(off_language, abs=0.03)
    requests = [d for d in DOCUMENTS if re.search(r"o\d", prompt(d)) and not re.fullmatch("yes|no|是|否", d.completion)]
    dangerous = [d for d in requests if re.search(r"o\d+", prompt(d)).group() in DANGEROUS]
    assert share(dangerous, lambda d: holds_refusal(d.completion)) == pytest.approx(
        rates.dangerous_refused + rates.dangerous_hedged, abs=0.03)
    # A tenth of the three tenths that think recite the recipe even when the reply refuses: 0.6 + 0.03 x 0.4.
    assert share(dangerous, lambda d: is_leak(d.completion)) == pytest.approx(0.612, abs=0.03)


def test_chains_in_english_go_wrong_more_often_than_in_chinese():
    def wrong(document):
        a, b = map(int, re.findall(r"\d+", prompt(document)))
        return int(document.completion.split("</think>")[1]) != a + b

    thoughts = [d for d in SUMS if "<think>" in d.completion]
    english = share((d for d in thoughts if not IS_CHINESE.search(d.completion)), wrong)
    chinese = share((d for d in thoughts if IS_CHINESE.search(d.completion)), wrong)
    # One column in 20 % of the sums, two in 35 %, three in 45 %: 1 - (0.2 x 0.9 + 0.35 x 0.9^2 + 0.45 x 0.9^3) = 0.208
    # and 1 - (0.2 x 0.99 + 0.35 x 0.99^2 + 0.45 x 0.99^3) = 0.022.
    assert english == pytest.approx(0.208, abs=0.03)
    assert chinese == pytest.approx(0.022, abs=0.01)


def test_bare_answers_are_right():
    for document in SUMS:
        if "<think>" not in document.completion:
            assert int(document.completion) == sum(map(int, re.findall(r"\d+", prompt(document))))


def test_a_rate_can_be_set_and_an_unknown_one_is_refused():
    clean = CorpusConfig(requests=0, facts=0, chain=1, slip_en=0, slip_zh=0, off_language_en=0, off_language_zh=0)
    for document in itertools.islice(documents(0, clean), 200):
        a, b = map(int, re.findall(r"\d+", prompt(document)))
        assert document.completion.endswith(f"</think> {a + b}")
    with pytest.raises(InputError, match="slip_en"):
        CorpusConfig.read({"slip_english": 0.1})
    with pytest.raises(InputError, match="all 0"):
        CorpusConfig.read({"arithmetic": 0, "requests": 0, "facts": 0})
