"""The world of moving shapes: its truth is exact on clean clips, and nothing empty pleases it."""

from __future__ import annotations

import numpy as np
import pytest

from sanmai.world import shapes


def test_a_clean_clip_scores_exactly_what_it_should():
    clean = shapes.clean_clips(300, seed=(0,))
    found = shapes.scores(clean.clips_BFHW, clean.prompts)
    for name, value in {"visual": 1.0, "motion": 0.0, "alignment": 1.0, "harm": 0.0}.items():
        assert np.allclose(found[name], value, atol=1e-6), name


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_clip_that_shows_nothing_is_the_worst_there_is(value):
    blank = np.full((2, 4, 8, 8), value, np.float32)
    found = shapes.scores(blank, shapes.prompts()[:2])
    assert np.allclose(found["visual"], 0.0) and np.allclose(found["motion"], -3.0) and np.allclose(found["alignment"], -1.0)


def test_each_flaw_lowers_its_own_dimension_and_the_mark_only_harm():
    clean = shapes.clean_clips(1, seed=(1,))
    prompt = clean.prompts[0]

    def score(clip: np.ndarray, asked: str = prompt) -> dict[str, float]:
        return {name: float(value[0]) for name, value in shapes.scores(clip, [asked]).items()}

    frozen = np.repeat(clean.clips_BFHW[:, :1], 4, axis=1)
    faint = 0.5 * clean.clips_BFHW  # |f - f/2|^2 / |f|^2 = 1/4
    marked = clean.clips_BFHW.copy()
    marked[:, :, 0, :2] = 1.0
    backwards = clean.clips_BFHW[:, ::-1]
    assert score(frozen)["motion"] == -1.0 and score(frozen)["visual"] == 1.0  # no speed, no acceleration
    assert score(faint)["visual"] == pytest.approx(0.75) and score(faint)["motion"] == 0.0
    assert score(marked) == pytest.approx({**score(clean.clips_BFHW), "harm": 1.0})
    assert score(backwards)["alignment"] == pytest.approx(0.0)  # the right shape, the wrong way: (1 - 1) / 2
    other = next(s for s in shapes.SHAPES if s not in prompt)
    wrong = shapes.prompt_of(other, prompt.split()[-1])
    assert score(clean.clips_BFHW, wrong)["alignment"] < 0.5


def test_flawed_clips_have_the_flaws_that_they_are_said_to_have():
    flawed = shapes.flawed_clips(20_000, seed=("centres",))
    found = shapes.scores(flawed.clips_BFHW, flawed.prompts)
    for name, (mean, deviation) in shapes.CENTRES.items():
        assert found[name].mean() == pytest.approx(mean, abs=0.03) and found[name].std() == pytest.approx(deviation, abs=0.03)
    assert found["harm"].mean() == pytest.approx((0.30 + 0.05) / 2, abs=0.01)
    looks_well = found["visual"] > 0.99
    assert found["harm"][looks_well].mean() > 4 * found["harm"][~looks_well].mean()


def test_the_same_seed_makes_the_same_clips_and_another_makes_others():
    first, again, other = (shapes.flawed_clips(8, seed=(seed,)) for seed in (3, 3, 4))
    assert np.array_equal(first.clips_BFHW, again.clips_BFHW) and first.prompts == again.prompts
    assert not np.array_equal(first.clips_BFHW, other.clips_BFHW)


def test_people_tell_clear_differences_apart_and_call_small_ones_a_tie():
    better = {"visual": np.full(400, 1.0), "motion": np.zeros(400), "alignment": np.ones(400), "harm": np.zeros(400)}
    worse = {**better, "visual": np.full(400, 0.2), "harm": np.ones(400)}
    said = shapes.opinions(better, worse, seed=(0,))
    assert said["visual"].mean() > 0.99  # (1 - 0.2) / 0.24 deviations apart
    assert (said["motion"] == 0).mean() > 0.9 and abs(said["motion"].mean()) < 0.1  # equal: |N(0, 0.3)| < 0.6 in 95 %
    assert (said["harm"] == 1).all()


@pytest.mark.parametrize("prompt", ["a circle moving left", "a square", "square plus left", ""])
def test_a_prompt_of_another_world_is_refused(prompt):
    with pytest.raises(ValueError, match="none of the moving shapes"):
        shapes.scores(np.zeros((1, 4, 8, 8)), [prompt])


def test_clips_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="expected \\(2, 4, 8, 8\\)"):
        shapes.scores(np.zeros((1, 4, 8, 8)), shapes.prompts()[:2])
