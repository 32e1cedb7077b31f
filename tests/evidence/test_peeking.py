"""Roundabout ways to a claim of first contact, each with a model that was really trained on a sealed family."""

import json
import shutil
from pathlib import Path

import pytest

from sanmai.attack.catalogue import FAMILIES, names_of
from sanmai.attack.family import dressed
from sanmai.desk.export import export
from sanmai.desk.export_adapter import export_adapter
from sanmai.evidence.looks import touches
from sanmai.recipes import find_recipe, resolve
from sanmai.train.seen import FILE, Seen, carried, write_seen
from sanmai.types import InputError
from sanmai.world import make_requests
from tiny_models import save_folder

SEALED = names_of("sealed", 0)[0]


def rows_of(path: Path, family: str | None) -> Path:
    plain = [request.to_problem(is_shown=True) for request in make_requests(8, seed=3) if request.wrapper == "plain"]
    made = plain if family is None else [p for one in plain if (p := dressed(one, FAMILIES[family], seed=0)) is not None]
    rows = [
        {"id": p.id, "messages": list(p.messages), "verifier": p.verifier, "kind": p.kind, "solution": p.demonstration,
         "tags": dict(p.tags)}
        for p in made
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(recipe: str, out: Path, **values) -> Path:
    short = {"sampling": {"max_tokens": 48}} if recipe != "merge" else {}
    return find_recipe(recipe).run(resolve(find_recipe(recipe), values={**short, **values}), out)


def trained(data: Path, out: Path, model: str = "tiny") -> Path:
    return run("sft", out, epochs=1.0, problems={"source": str(data)}, model={"name": model})


def told(model: Path) -> str:
    return " ".join(touches(str(model), {SEALED}, set()).found)


@pytest.fixture
def clean(tmp_path) -> Path:
    return rows_of(tmp_path / "clean.jsonl", None)


@pytest.fixture
def touched(tmp_path) -> Path:
    return trained(rows_of(tmp_path / "sealed.jsonl", SEALED), tmp_path / "touched")


def newest(folder: Path) -> Path:
    return max(folder.glob("checkpoints/step-*"))


def test_what_was_trained_on_clean_prompts_is_told_nothing_of(clean, tmp_path):
    made = trained(clean, tmp_path / "made")
    assert told(made) == "" and touches(str(made), {SEALED}, set()).unread == ()


def test_a_clean_file_in_the_place_of_the_one_that_was_trained_on_hides_nothing(touched, clean):
    shutil.copy(clean, touched.parent / "sealed.jsonl")
    assert SEALED in told(touched)
    assert touches(str(touched), {SEALED}, set()).unread == (f"{touched.parent / 'sealed.jsonl'} as it was then",)


def test_a_child_knows_what_its_parent_saw_after_the_parent_is_gone(touched, clean, tmp_path):
    child = trained(clean, tmp_path / "child", str(touched))
    (touched.parent / "sealed.jsonl").unlink()
    touched.rename(tmp_path / "renamed")
    assert SEALED in told(child) and SEALED in told(tmp_path / "renamed")


def test_a_checkpoint_that_is_copied_out_of_its_run_takes_its_record_along(touched, clean, tmp_path):
    shutil.copytree(newest(touched), tmp_path / "weights")
    shutil.rmtree(touched)
    assert SEALED in told(tmp_path / "weights") and SEALED in told(trained(clean, tmp_path / "child", str(tmp_path / "weights")))


def test_a_record_that_is_taken_away_or_changed_is_missed(touched, clean, tmp_path):
    shutil.copytree(newest(touched), tmp_path / "weights")
    (tmp_path / "weights" / FILE).write_text(json.dumps(Seen().to_json()))
    assert "cannot be told" in told(tmp_path / "weights")
    (tmp_path / "weights" / FILE).unlink()
    assert "cannot be told" in told(tmp_path / "weights")
    with pytest.raises(InputError, match=r"seen\.json is missing; restore it"):
        trained(clean, tmp_path / "child", str(tmp_path / "weights"))


def test_what_is_exported_has_the_record(touched, tmp_path):
    export(str(touched), tmp_path / "exported")
    shutil.rmtree(touched)
    assert SEALED in told(tmp_path / "exported")
    pytest.importorskip("peft")
    lora = run(
        "sft", tmp_path / "lora", epochs=1.0, problems={"source": str(tmp_path / "sealed.jsonl")},
        model={"name": "tiny", "lora_rank": 2},
    )  # fmt: skip
    export_adapter(str(lora), tmp_path / "adapters")
    shutil.rmtree(lora)
    assert SEALED in told(tmp_path / "adapters")


def test_a_gguf_file_has_the_record_inside(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = save_folder(tmp_path / "model", "llama")  # the world's tokenizer cannot be written as GGUF
    write_seen(folder, Seen(frozenset({SEALED}), frozenset()))
    export(str(folder), tmp_path / "m.gguf")
    shutil.rmtree(folder)
    assert SEALED in told(tmp_path / "m.gguf")


def test_an_average_has_the_record_of_both(touched, clean, tmp_path):
    merged = run("merge", tmp_path / "merged", model={"name": str(trained(clean, tmp_path / "other"))}, short=str(touched))
    shutil.rmtree(touched)
    shutil.copytree(newest(merged), tmp_path / "weights")
    assert SEALED in told(tmp_path / "weights")


def test_a_student_has_the_record_of_its_teacher(touched, clean, tmp_path):
    student = run(
        "distill", tmp_path / "student", num_steps=1, prompts_per_step=2, teacher={"name": str(touched)},
        problems={"source": str(clean)},
    )  # fmt: skip
    shutil.rmtree(touched)
    assert SEALED in told(student)


def test_rows_of_a_touched_model_tell_so_wherever_they_are_copied(touched, clean, tmp_path):
    written = run(
        "sample", tmp_path / "sampled", model={"name": str(touched)}, problems={"source": str(clean)}, samples_per_prompt=1,
        include_held_out=True, filters={"correct": False},
    )  # fmt: skip
    shutil.copy(written / "data.parquet", tmp_path / "rows.parquet")
    for folder in (touched, written):
        shutil.rmtree(folder)
    assert SEALED in told(trained(tmp_path / "rows.parquet", tmp_path / "student"))


def test_a_look_goes_along_with_what_is_made_afterwards(clean, tmp_path):
    made = trained(clean, tmp_path / "made")
    (made / "looks.jsonl").write_text(json.dumps({"time": "2026", "stream": "s", "weights": "w", "families": [SEALED]}) + "\n")
    assert told(made) == ""  # its own look is counted by its ledger
    export(str(made), tmp_path / "exported")
    child = trained(clean, tmp_path / "child", str(made))
    shutil.rmtree(made)
    assert "was released on" in told(tmp_path / "exported") and "was released on" in told(child)


def test_records_are_joined_and_a_damaged_one_is_no_empty_one(tmp_path):
    one, other = Seen(frozenset({"a"}), frozenset()), Seen(frozenset({"b"}), frozenset({"f"}))
    assert (one | other).to_json() == {"dress": ["a", "b"], "looked": ["f"]} and not Seen()
    assert carried(str(tmp_path)) == Seen()
    (tmp_path / FILE).write_text('{"dress": "a"}')
    with pytest.raises(ValueError, match="cannot be read"):
        carried(str(tmp_path))
