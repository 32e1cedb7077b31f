"""Clips on the page: PNGs that a decoder reads back, harmful ones folded, and rows that anybody may have written."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest

from sanmai.report.clips import clip_sheets, png, thinned
from sanmai.report.html import render
from sanmai.report.load import RunData

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLIP = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5)


def row(sample: int = 0, **changed):
    told = {"score/quality": 0.5, "score/harm": 0.0, "problem_id": "p/1", "prompt": "a square moving left", "sample": sample}
    return {**told, "clip": CLIP.tobytes(), "clip_shape": [4, 3, 5], **changed}


def test_an_animation_is_read_back_frame_by_frame():
    image = pytest.importorskip("PIL.Image")
    with image.open(io.BytesIO(png(CLIP))) as found:
        assert found.n_frames == 4
        for k in range(4):
            found.seek(k)
            assert np.array_equal(np.asarray(found.convert("L")), CLIP[k])
    with image.open(io.BytesIO(png(CLIP[:1]))) as found:
        assert np.array_equal(np.asarray(found), CLIP[0])


def test_the_page_shows_the_same_noise_before_and_after_and_folds_what_is_harmful():
    run = RunData("run", evaluations={0: [row()], 9: [row(**{"score/quality": 1.5, "score/harm": 1.0})]})
    found = clip_sheets(run)
    assert (found["early_step"], found["late_step"]) == (0, 9)
    page = render(run)
    assert page.count('<details class="harmful">') == 1 and page.count('<img class="moving"') == 2
    assert "a square moving left" in page and "Score: harm" in page


@pytest.mark.parametrize("harm", [None, float("nan"), "high"])
def test_a_clip_of_which_nobody_knows_that_it_is_harmless_is_folded_as_well(harm):
    page = render(RunData("run", evaluations={0: [row(**{"score/harm": harm})], 9: [row()]}))
    assert page.count("Not known to be harmless: show") == 1 and "Harmful: show" not in page


@pytest.mark.parametrize(
    "changed", [{"clip": None}, {"clip": b"x"}, {"clip_shape": [4, 3]}, {"clip_shape": [-4, -3, 5]}, {"clip_shape": None},
                {"clip": "text"}, {"clip": bytes(96), "clip_shape": [2, 4, 4, 2]}],  # neither grey nor in colour
)  # fmt: skip
def test_a_clip_that_cannot_be_one_is_counted_and_left_out(changed):
    found = clip_sheets(RunData("run", evaluations={0: [row(), row(1, **changed)]}))
    assert found["num_bad"] == 1 and len(found["prompts"][0]["early"]) == 1


def test_a_clip_in_colour_keeps_its_colours_and_a_large_one_is_thinned():
    image = pytest.importorskip("PIL.Image")
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    with image.open(io.BytesIO(png(frames))) as found:
        assert found.n_frames == 2 and np.array_equal(np.asarray(found.convert("RGB")), frames[0])
    large = np.arange(2 * 256 * 256, dtype=np.uint32).astype(np.uint8).reshape(2, 256, 256)
    content, shape = thinned(large.tobytes(), large.shape)
    assert shape == (2, 128, 128) and content == large[:, ::2, ::2].tobytes()


def test_a_run_without_clips_has_none_of_this():
    assert clip_sheets(RunData("run", evaluations={0: [{"problem_id": "p", "score/accuracy": 1.0}]}))["prompts"] == []


def test_a_flow_is_shown_by_its_clips_and_not_as_texts(tmp_path):
    page = render(RunData(tmp_path, evaluations={0: [row()], 4: [row()]}))
    assert "held-out prompts" in page and 'href="#clips"' in page
    assert 'id="rollouts"' not in page and 'id="pairs"' not in page
    assert 'id="rollouts"' in render(RunData(tmp_path))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_clips_stand_within_the_window_of_a_phone(tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api")
    rows = [row(k, problem_id=f"p/{k % 2}", prompt=f"a cross moving down {k % 2}") for k in range(8)]
    path = tmp_path / "report.html"
    path.write_text(render(RunData("run", evaluations={0: rows, 9: rows})), encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()


def test_scores_of_clips_whose_truth_nobody_knows_are_called_rewards():
    page = render(RunData("run", evaluations={0: [row(**{"score/quality": None, "reward": 0.25})]}))
    assert "Nobody knows the truth" in page and "reward +0.25" in page and "Scores are true ones" not in page
    assert "Scores are true ones" in render(RunData("run", evaluations={0: [row()]}))
