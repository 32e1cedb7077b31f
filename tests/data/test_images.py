"""Pictures in problem files: read whole and checked, told apart by their bytes, refused in one sentence."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from sanmai.data import images
from sanmai.data.chat import _with_parts
from sanmai.data.decoys import add_decoy
from sanmai.data.images import ImageError, load_pixels, read_image
from sanmai.data.problems import load_problems, overlap, split
from sanmai.data.twins import RefusedError, make_twin, read_worked
from sanmai.recipes.gather import write_problems
from sanmai.types import Image, InputError, Problem


def encoded(picture: Picture.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def noise(width: int = 20, height: int = 10, seed: int = 0) -> Picture.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture.fromarray(values)


@functools.cache
def too_wide() -> bytes:
    return encoded(Picture.new("1", (9000, 9000)))


def write(folder: Path, *rows: dict) -> Path:
    path = folder / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_picture_is_named_by_a_path_from_the_file_an_absolute_one_a_data_uri_or_the_bytes_of_a_parquet_file(tmp_path):
    data = encoded(noise())
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(data)
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    path = write(tmp_path, *({"prompt": f"q{k}", "answer": "1", "images": entry} for k, entry in enumerate(
        ["pics/a.png", [str(tmp_path / "pics" / "a.png")], [uri], [{"path": "pics/a.png"}], None, []])))  # fmt: skip
    loaded = load_problems(path).problems
    digest = hashlib.sha256(data).hexdigest()
    assert [[i["sha256"] for i in p.images] for p in loaded] == [[digest]] * 4 + [[]] * 2
    assert (loaded[0].images[0]["width"], loaded[0].images[0]["height"]) == (20, 10)
    assert all(load_pixels(p.images[0]).tobytes() == noise().tobytes() for p in loaded[:4])
    assert all("images" not in p.messages[-1] for p in loaded[4:])
    table = pa.table({"problem": ["<image> what?"], "answer": ["1"], "images": [[{"bytes": data, "path": "a.png"}]]})
    pq.write_table(table, tmp_path / "hub.parquet")
    (problem,) = load_problems(tmp_path / "hub.parquet").problems  # the columns that Geometry3K has on the hub
    assert problem.images[0]["sha256"] == digest and load_pixels(problem.images[0]).size == (20, 10)


def test_marks_say_where_pictures_stand_and_without_any_they_come_first():
    def parts(content: str, count: int) -> list[str]:
        turned = _with_parts({"role": "user", "content": content, "images": [Image(sha256=str(k)) for k in range(count)]})
        return [part.get("text", "IMAGE") for part in turned["content"]]

    assert parts("both <image> and <image>?", 2) == ["both ", "IMAGE", " and ", "IMAGE", "?"]
    assert parts("what?", 2) == ["IMAGE", "IMAGE", "what?"]
    assert parts("<image>", 1) == ["IMAGE"]
    assert _with_parts({"role": "user", "content": "a <image> tag"}) == {"role": "user", "content": "a <image> tag"}


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (["gone.png"], r"gone\.png cannot be read: No such file"),
        (["."], r"cannot be read: Is a directory"),
        (["words.png"], r"words\.png is no PNG, JPEG, WEBP, GIF or BMP picture"),
        (["cut.png"], r"cut\.png is damaged or cut off"),
        (["cut.jpg"], r"cut\.jpg is damaged or cut off"),
        (["wide.png"], r"wide\.png has 9000 x 9000 pixels; expected at most 40,000,000"),
        (["deep.png"], r"deep\.png has pixels of mode I;16; expected 8 bits per channel"),
        (["big.png"], r"big\.png has more than 0 MiB"),
        (["data:image/png,abc"], r"a data: URI is not data:TYPE;base64,TEXT"),
        (["data:;base64,????"], r"a data: URI is not data:TYPE;base64,TEXT"),
        ([{"path": "good.png", "sha256": "0" * 64}], r"good\.png is not the picture that was recorded"),
        ([7], r"expected the path of a picture, found a value of type int"),
        (["good.png", "good.png"], r"the text has 1 marks <image> for 2 images"),
        (["some words that ask for something"], r"a path of \d+ characters cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused_with_file_line_and_reason_and_can_be_skipped(tmp_path, monkeypatch, images, reason):
    data = encoded(noise())
    jpeg = encoded(noise(64, 64), "JPEG")
    files = {
        "good.png": data, "words.png": b"not a picture", "cut.png": data[:-40], "cut.jpg": jpeg[: len(jpeg) // 2],
        "wide.png": too_wide(), "deep.png": encoded(Picture.new("I;16", (4, 4))),
        "big.png": b"0" * 600_000}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr("sanmai.data.images.MAX_BYTES", 500_000)
    good = {"prompt": "look: <image>", "answer": "1", "images": "good.png"}
    path = write(tmp_path, good, {**good, "prompt": "at <image>", "images": images})
    with pytest.raises(InputError, match=rf"p\.jsonl, line 2: .*{reason}.*on_error=skip"):
        load_problems(path)
    loaded = load_problems(path, on_error="skip")
    assert len(loaded.problems) == 1 and len(loaded.skipped) == 1


def test_images_belong_to_messages_of_the_user(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(noise()))
    ask = {"role": "user", "content": "one"}
    turns = [{**ask, "images": ["a.png"]}, {"role": "assistant", "content": "two"}, ask]
    path = write(tmp_path, {"messages": turns, "answer": "1"})
    (problem,) = load_problems(path).problems
    assert len(problem.messages[0]["images"]) == 1 and "images" not in problem.messages[2]
    path = write(tmp_path, {"messages": [ask, {"role": "assistant", "content": "two", "images": ["a.png"]}], "answer": "1"})
    with pytest.raises(InputError, match="expected images as a list, in messages of the user alone"):
        load_problems(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_no_damage_to_a_file_gives_anything_but_a_picture_or_a_reason(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 10_000)
    rng = np.random.default_rng(0)
    outcomes = set()
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        whole = encoded(noise(), format)
        for _ in range(150):
            data = bytearray(whole[: rng.integers(1, len(whole) + 1)] if rng.random() < 0.5 else whole)
            for place in rng.integers(0, len(data), rng.integers(0, 4)):
                data[place] = rng.integers(256)
            try:
                outcomes.add(images._decode(bytes(data)).mode)
            except ImageError:
                outcomes.add("refused")
    assert outcomes == {"RGB", "refused"}


def test_a_picture_is_seen_upright_and_on_white(tmp_path):
    upright = Picture.Exif()
    upright[0x0112] = 6  # stored lying on its side
    (tmp_path / "turned.jpg").write_bytes(encoded(Picture.new("RGB", (30, 10)), "JPEG", exif=upright))
    (tmp_path / "clear.png").write_bytes(encoded(Picture.new("RGBA", (2, 1), (0, 0, 0, 0))))
    turned = read_image("turned.jpg", tmp_path)
    assert (turned["width"], turned["height"]) == load_pixels(turned).size == (10, 30)
    assert load_pixels(read_image("clear.png", tmp_path)).getpixel((0, 0)) == (255, 255, 255)


def test_bytes_that_change_after_the_problems_were_read_stop_the_run(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(noise()))
    image = read_image("a.png", tmp_path)
    (tmp_path / "a.png").write_bytes(encoded(noise(seed=1)))
    with pytest.raises(InputError, match=r"a\.png has changed since the problems were read"):
        load_pixels(image)


def test_problems_are_told_apart_by_their_pictures_and_named_by_bytes_not_places(tmp_path):
    for name, seed in (("a.png", 0), ("b.png", 1), ("copy.png", 0)):
        (tmp_path / name).write_bytes(encoded(noise(seed=seed)))
    text = "how many of the small red squares are in this picture <image>"
    rows = [{"prompt": text, "answer": "1", "images": [f"{name}.png"]} for name in ("a", "b", "copy")]
    loaded = load_problems(write(tmp_path, *rows))
    assert [p.id for p in loaded.problems] == [f"{tmp_path.name}/p/0", f"{tmp_path.name}/p/1"] and loaded.duplicates == 1
    a, b = loaded.problems
    assert overlap([a], [b]).num_overlapping == 0 and overlap([a], [a]).num_overlapping == 1
    assert str(tmp_path) not in repr(a.messages) and a.images[0]["sha256"] in repr(a)
    many = [Problem(str(k), ({**a.messages[0], "images": [Image(path="", sha256=f"{k:064x}")]},)) for k in range(200)]
    assert 10 < len(split(many, 0.2)[1]) < 80  # on one side all, if the words alone decided
    assert repr(Problem("x", ({"role": "user", "content": "q"},))).endswith("tags={})")  # text runs keep their digests


def test_what_is_written_is_read_again_from_another_folder_and_copies_do_not_lose_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(noise()))
    row = {"question": "How many? Ken has 20.", "answer": "<<20*2=40>>\n#### 40", "images": ["a.png"]}
    (worked,) = read_worked(write(tmp_path, row))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_problems(tmp_path / "deep" / "er" / "out.jsonl", [worked.problem])
    (again,) = load_problems(tmp_path / "deep" / "er" / "out.jsonl").problems
    assert again.images == worked.problem.images and len(again.images) == 1
    assert add_decoy(worked.problem, 0).images == worked.problem.images
    with pytest.raises(RefusedError, match="a picture shows the old numbers"):
        make_twin(worked, 0)
