"""Relative paths in a run's settings mean the same from every folder."""

from __future__ import annotations

import json

from sanmai.train.places import as_named, began_in, here


def test_a_path_is_that_of_the_folder_where_the_run_began(tmp_path, monkeypatch):
    work, run = tmp_path / "work", tmp_path / "runs" / "r"
    (work / "base").mkdir(parents=True)
    (work / "mine.py").touch()
    run.mkdir(parents=True)
    monkeypatch.chdir(work)
    lines = [{"event": "start", "began_in": "../../gone"}, {"event": "resume", "began_in": here(run)}, {"event": "finish"}]
    (run / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"began_in"')
    began = began_in(run)
    assert here(run) == "../../work" and began == work
    assert as_named(began, "base") == "base"  # the same from here
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()  # another one of that name
    assert as_named(began, "base") == str(work / "base")
    assert as_named(began, "mine.py:reward") == f"{work / 'mine.py'}:reward"
    assert as_named(began, "owner/model") == "owner/model" and as_named(began, "") == ""
    assert as_named(began, "x" * 9999) == "x" * 9999
    assert as_named(began, str(work / "base")) == str(work / "base") and as_named(None, "base") == "base"
    assert began_in(work) is None
    (work / "tiny").mkdir()
    assert as_named(began, "tiny") == "tiny"  # the shipped model is no folder, wherever there is one of that name
    (tmp_path / "runs" / "a").mkdir()
    assert as_named(began, "runs/a") == str(work / "runs" / "a")  # that is gone, and the one here was never meant
