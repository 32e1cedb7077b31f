"""Text that is read against text that was asked for; and, where rapidocr is installed, pictures of text that must be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanmai.rewards.ocr import Reader, edit_distance, frames_read, scored, similarity, wanted_text


@pytest.mark.parametrize(("read", "wanted", "score"), [
    ("Open 24h", "Open 24h", 1.0),
    ("OPEN24H", "Open 24h", 1.0),  # spaces and case do not count
    ("Opem 24h", "Open 24h", 6 / 7),  # one of the seven of "open24h" is another
    ("Open 24", "Open 24h", 6 / 7),  # one is missing
    ("Open 24 hh", "Open 24h", 6 / 7),  # one too many
    ("Ｏｐｅｎ 24h", "Open 24h", 1.0),  # full width is the same letter
    ("", "Open 24h", 0.0), ("close", "ab", 0.0),  # 5 errors of 2 characters: not below 0
    ("buy now open 24h today", "open 24h", 0.0),  # 6 before and 5 after it: text beside it is no way to a reward
    ("你好", "你好吗", 2 / 3),
])  # fmt: skip
def test_similarity_is_one_minus_errors_by_characters(read, wanted, score):
    assert similarity(read, wanted) == pytest.approx(score)


@pytest.mark.parametrize(("a", "b", "distance"), [
    ("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2),
])  # fmt: skip
def test_edit_distances_are_those_of_the_books(a, b, distance):
    assert edit_distance(a, b) == edit_distance(b, a) == distance


@pytest.mark.parametrize(("prompt", "answer", "wanted"), [
    ('a shop with the sign "Open 24h"', None, "Open 24h"),
    ('a sign "A" above a sign "B"', None, "A"),  # the first, as in Flow-GRPO
    ("ein Schild „Offen“ im Fenster", None, "Offen"), ("un panneau «Ouvert»", None, "Ouvert"),
    ("写着「营业」的招牌", None, "营业"),
    ("a sign that says “Hello”", None, "Hello"), ("a cat's ear isn't text", None, None), ('an empty sign ""', None, None),
    ("a shop", "Open", "Open"), ('a sign "A"', "B", "B"), ('a sign " "', None, None), ("a shop", " ", None),
])  # fmt: skip
def test_wanted_is_the_answer_or_what_stands_first_in_quotes(prompt, answer, wanted):
    assert wanted_text(prompt, answer) == wanted


def test_of_a_clip_at_most_four_frames_are_read_evenly_apart():
    assert [frames_read(n) for n in (1, 4, 5, 33)] == [[0], [0, 1, 2, 3], [0, 1, 3, 4], [0, 11, 21, 32]]


class Said:
    def read(self, path: str) -> str:
        return path


def test_a_clip_has_the_mean_of_its_frames_and_one_of_which_nothing_is_asked_cannot_be_graded():
    item = {"id": "1/0", "prompt": 'a sign "abcd"', "frames": ["abcd", "abc", "", "abxy"]}
    assert scored(item, Said())["scores"] == {"text": pytest.approx((1.0 + 0.75 + 0.0 + 0.5) / 4)}
    told = scored({**item, "prompt": "a sign"}, Said())
    assert told["scores"] == {"text": None} and told["reason"]


def picture(tmp_path, text: str, *, size: int = 32, noise: float = 0.0, colour="black", ground="white", font=None) -> str:
    """Text in the font that Pillow has in itself, or one of matplotlib's, so that no machine's fonts matter."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    if font is None:
        font = ImageFont.load_default(size=size)
    else:
        fonts = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts" / "ttf"
        font = ImageFont.truetype(str(fonts / f"{font}.ttf"), size)
    left, top, right, bottom = font.getbbox(text or " ")
    made = Image.new("RGB", (int(right - left) + 4 * size, int(bottom - top) + 4 * size), ground)
    ImageDraw.Draw(made).text((2 * size, 2 * size - top), text, fill=colour, font=font)
    values = np.asarray(made).astype(float) + np.random.default_rng(0).normal(0.0, 255.0 * noise, (*made.size[::-1], 3))
    path = tmp_path / "picture.png"
    Image.fromarray(values.clip(0, 255).astype("uint8")).save(path)
    return str(path)


@pytest.fixture(scope="module")
def reader():
    pytest.importorskip("rapidocr", reason='needs rapidocr: pip install ".[ocr]"')
    pytest.importorskip("onnxruntime")
    return Reader()


@pytest.mark.parametrize(("text", "looks"), [
    ("HELLO", {}), ("Open 24h", {}), ("12 + 34 = 46", {}), ("Sanmai", {"size": 16}), ("Sanmai", {"size": 96}),
    ("Grand opening", {"noise": 0.15}), ("STOP", {"colour": "white", "ground": "red"}),
    ("quiet please", {"colour": (90, 90, 90)}), ("Fresh bread", {"font": "DejaVuSerif-Bold"}),
    ("Fresh bread", {"font": "DejaVuSansMono"}),
])  # fmt: skip
def test_text_in_several_sizes_colours_and_noises_is_read(reader, tmp_path, text, looks):
    assert similarity(reader.read(picture(tmp_path, text, **looks)), text) == 1.0


def test_another_text_and_none_are_told_from_it(reader, tmp_path):
    assert similarity(reader.read(picture(tmp_path, "CLOSED")), "HELLO") < 0.5
    assert reader.read(picture(tmp_path, "")) == ""
    assert "weights" in reader.version
