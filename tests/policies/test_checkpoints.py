"""A checkpoint is there whole or not at all, and every byte of it is what was written."""

from __future__ import annotations

import json

import pytest

from sanmai.policies.text.checkpoints import MANIFEST, defect, newest_good_checkpoint, write_checkpoint


def write(run, step: int, content: str = "weights", keep: int = 5):
    return write_checkpoint(run, step, lambda folder: (folder / "model").write_text(content) and None, keep=keep)


def test_a_checkpoint_names_the_size_and_digest_of_every_file(tmp_path):
    folder = write(tmp_path, 7)
    # SHA-256 of "weights", from coreutils' sha256sum.
    assert json.loads((folder / MANIFEST).read_text()) == {
        "step": 7,
        "files": {"model": {"bytes": 7, "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}},
    }
    assert folder.name == "step-000007" and defect(folder) is None


def test_the_newest_ones_are_kept(tmp_path):
    for step in (1, 2, 10, 9):
        write(tmp_path, step, keep=2)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step-000009", "step-000010"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "model").write_text("weightz"), "SHA-256 differs"),
        (lambda f: (f / "model").write_text("weight"), "6 bytes instead of 7"),
        (lambda f: (f / "model").unlink(), "model is missing"),
        (lambda f: (f / MANIFEST).unlink(), "manifest.json is missing"),
        (lambda f: (f / MANIFEST).write_text(""), "cannot be read"),
        (lambda f: (f / MANIFEST).write_text("[]"), "cannot be read"),
        (lambda f: (f / MANIFEST).write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda f: (f / MANIFEST).write_text('{"files": {"model": 3}}'), "cannot be read"),
    ],
)
def test_a_damaged_one_is_named_and_the_one_before_it_is_taken(tmp_path, damage, says):
    good, bad = write(tmp_path, 1), write(tmp_path, 2)
    damage(bad)
    heard = []
    assert newest_good_checkpoint(tmp_path, lambda folder, why: heard.append((folder, why))) == good
    assert [folder for folder, _ in heard] == [bad] and says in heard[0][1]


def test_without_a_good_one_there_is_none(tmp_path):
    assert newest_good_checkpoint(tmp_path) is None
    (tmp_path / "checkpoints" / "step-abc").mkdir(parents=True)
    (tmp_path / "checkpoints" / "step-000003").mkdir()
    assert newest_good_checkpoint(tmp_path) is None


def test_a_writer_that_fails_leaves_nothing_and_touches_nothing(tmp_path):
    good = write(tmp_path, 1)

    def fail(folder):
        (folder / "model").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path, 2, fail, keep=2)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == [good.name] and defect(good) is None


def test_the_same_step_is_written_over_and_a_left_over_partial_folder_is_no_obstacle(tmp_path):
    write(tmp_path, 3, "old")
    (tmp_path / "checkpoints" / ".partial-step-000003" / "stale").mkdir(parents=True)
    folder = write(tmp_path, 3, "new")
    assert sorted(p.name for p in folder.iterdir()) == [MANIFEST, "model"] and (folder / "model").read_text() == "new"
