"""Language metrics on texts whose languages and letters can be counted by hand."""

import pytest

from sanmai.data.trace import parse_trace
from sanmai.instruments import language
from sanmai.instruments.language import (
    Response,
    agreement,
    expected_language,
    line_language,
    line_pass,
    off_script_share,
    pass_rates,
    script_mix,
    switch_rate,
    word_pass,
)
from sanmai.types import InputError

FRENCH = "Bonjour à toutes et à tous, voici la réponse."
ENGLISH = "Here is the answer that you were waiting for."
RUSSIAN = "Вот ответ, которого вы так долго ждали."
CHINESE = "这就是您一直在等待的答案，请仔细阅读。"
JAPANESE = "これがお待ちになっていた答えです。"


@pytest.mark.parametrize(
    ("line", "code"), [(FRENCH, "fr"), (ENGLISH, "en"), (RUSSIAN, "ru"), (CHINESE, "zh"), (JAPANESE, "ja"), ("12 + 3 = 15", None),
                       ("Αυτή είναι η απάντηση που περιμένατε.", None)],
)  # fmt: skip
def test_a_line_is_in_the_declared_language_of_its_script(line, code):
    assert line_language(line) == code


def test_scripts_alone_need_no_py3langid(monkeypatch):
    monkeypatch.setattr(language, "identify", lambda *asked: pytest.fail("asked py3langid"))
    assert line_language(RUSSIAN) == "ru" and line_pass(ENGLISH, "ru") is False and line_pass(CHINESE, "zh") is True
    assert line_language(ENGLISH, ("en", "ru")) == "en"  # the only declared language in Latin letters


def test_every_long_line_must_be_in_the_language_and_short_ones_are_not_asked():
    assert line_pass(f"{FRENCH}\n{FRENCH}", "fr") is True
    assert line_pass(f"{FRENCH}\n{ENGLISH}", "fr") is False
    assert line_pass(f"{FRENCH}\nVery short line", "fr") is True
    assert line_pass("Oui, bien sûr.", "fr") is None and line_pass("", "fr") is None


def test_english_words_are_looked_for_in_other_scripts_only():
    english = frozenset({"answer", "the", "however"})
    assert word_pass(f"{RUSSIAN} however", "ru", english) is False
    assert word_pass(f"{RUSSIAN} the However API", "ru", english) is True  # short, capitalised, no dictionary word
    assert word_pass("the answer", "fr", english) is None


def test_rates_are_averaged_over_sources_then_languages():
    # French: source a passes 1 of 2, source b 1 of 1: mean 0.75. Russian: 0 of 1. Lines: (0.75 + 0) / 2 = 0.375.
    # Words: only French and Russian responses that pass by lines count, and French is in Latin letters: no data.
    found = pass_rates(
        [Response(FRENCH, "fr", "a"), Response(ENGLISH, "fr", "a"), Response(FRENCH, "fr", "b"), Response(ENGLISH, "ru", "a"),
         Response("oui", "fr", "a")],
        english=frozenset({"answer"}),
    )  # fmt: skip
    assert found.lines == pytest.approx(0.375) and found.words != found.words and found.unscored == 1
    assert (found.line_rate.value, found.line_rate.n) == (0.5, 4) and found.by_language["fr"].n == 3
    # Russian: both pass by lines, one has an English word: words 0.5, both = 2 x 1 x 0.5 / 1.5.
    found = pass_rates([Response(RUSSIAN, "ru"), Response(f"{RUSSIAN} answer", "ru")], english=frozenset({"answer"}))
    assert (found.lines, found.words) == (1.0, 0.5) and found.both == pytest.approx(2 / 3)


def test_an_undeclared_or_unknown_language_is_refused():
    with pytest.raises(InputError, match="'sv'"):
        pass_rates([Response(FRENCH, "sv")])
    with pytest.raises(InputError, match="ISO 639-1"):
        line_language(FRENCH, ("fr", "qq"))


def test_letters_are_counted_by_script_after_masking():
    # 4 Latin letters and 6 Cyrillic ones; code and mathematics do not count.
    assert script_mix("data ответы `print` $x+y$ 123") == {"Cyrillic": 0.6, "Latin": 0.4}
    assert off_script_share("data ответы", "ru") == pytest.approx(0.4) and off_script_share("12", "ru") is None
    shares = [off_script_share(*item) for item in (("東京タワー", "ja"), ("東京", "ko"), ("タワー", "zh"))]
    assert shares == [0.0, 0.0, 1.0]


def test_switches_are_changes_between_neighbouring_words():
    # data | ответ ответ | data: two changes in three places.
    assert switch_rate("data ответ ответ data") == pytest.approx(2 / 3)
    assert switch_rate("ответ ответ") == 0.0 and switch_rate("ответ") is None
    assert switch_rate("東京タワー") == 0.0  # kana and Han are one script of Japanese


def test_thought_and_answer_make_a_two_by_two():
    texts = {"both": f"<think>{RUSSIAN}</think>{RUSSIAN}", "thought_only": f"<think>{RUSSIAN}</think>{CHINESE}",
             "answer_only": f"<think>{CHINESE}</think>{RUSSIAN}", "neither": f"<think>{CHINESE}</think>{CHINESE}",
             "unscored": RUSSIAN}  # fmt: skip
    counts = {name: repeat for repeat, name in enumerate(texts, start=1)}
    found = agreement((parse_trace(texts[name]), "ru") for name, repeat in counts.items() for _ in range(repeat))
    assert {name: getattr(found, name) for name in counts} == counts and found.n == 10


def test_the_stated_language_comes_before_the_prompts():
    assert expected_language("pt-BR", RUSSIAN) == "pt" and expected_language(None, RUSSIAN) == "ru"
    assert expected_language(None, "12") is None and expected_language("python", RUSSIAN) is None
    assert expected_language("English", "12") == "en" and expected_language("zh_CN", "12") == "zh"


def test_letters_of_every_script_are_those_of_its_languages():
    assert off_script_share("সারা তিনটি আপেল কেনে", "bn") == 0.0 and off_script_share("Зовем се Marko", "sr") == 0.0
    assert off_script_share("ಸಾರಾ ಮೂರು", "en") == 1.0
