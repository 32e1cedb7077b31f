"""Going on with a run whose length was raised: it works, says what it does, and keeps its promise."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

import sanmai
from sanmai.types import InputError

SMALL = {"prompts_per_step": 4, "rollouts_per_prompt": 2, "problems": {"world": {"train": 100, "heldout": 8}}}


def weights(run: Path) -> dict:
    return load_file(max((run / "checkpoints").iterdir()) / "model.safetensors")


def test_a_finished_run_goes_on_to_a_larger_number_of_steps_and_says_so(tmp_path):
    sanmai.run("zero", out=tmp_path / "a", num_steps=1, **SMALL)
    with pytest.raises(InputError, match="other settings"):  # more than the length
        sanmai.run("zero", out=tmp_path / "a", num_steps=2, seed=1, **SMALL)
    sanmai.run("zero", out=tmp_path / "a", num_steps=2, **SMALL)
    sanmai.run("zero", out=tmp_path / "b", num_steps=2, **SMALL)
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(a[name].equal(b[name]) for name in b)
    said = [json.loads(line) for line in (tmp_path / "a" / "events.jsonl").read_text().splitlines()]
    message = next(e["message"] for e in said if e["event"] == "lengthened")
    assert "num_steps raised from 1 to 2: the 1 steps that are done stay" in message and "come out as those" in message
    with pytest.raises(InputError, match="num_steps"):
        sanmai.run("zero", out=tmp_path / "a", num_steps=1, **SMALL)


def test_a_schedule_that_spans_the_run_is_named(tmp_path):
    shape = {**SMALL, "optimizer": {"schedule": "cosine"}}
    sanmai.run("zero", out=tmp_path, num_steps=1, **shape)
    sanmai.run("zero", out=tmp_path, num_steps=2, **shape)
    assert "optimizer.schedule spans the whole run" in (tmp_path / "events.jsonl").read_text()
