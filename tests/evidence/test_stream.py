"""The stream of families: resumed exactly, sealed but for a release, and honest about whether contact was the first."""

import gzip
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sanmai.attack import sealed as sealed_module
from sanmai.attack.catalogue import FAMILIES, names_of
from sanmai.attack.family import dressed
from sanmai.attack.sealed import SealedFamilies
from sanmai.data.problems import load_problems
from sanmai.evidence import stream as stream_module
from sanmai.evidence.looks import LEDGER, record_look, touches, words_of
from sanmai.evidence.stream import StreamConfig, describe_stream, run_stream
from sanmai.evidence.stream_results import summary_lines
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise, write_report
from sanmai.types import InputError
from sanmai.world import make_requests

SEALED = names_of("sealed", 0)[:2]


@pytest.fixture(autouse=True)
def _two_families_a_part(monkeypatch):
    for module in (stream_module, sealed_module):
        monkeypatch.setattr(module, "names_of", lambda split, rotation: names_of(split, rotation)[:2])


def config(**values) -> StreamConfig:
    found = resolve(find_recipe("stream"), values={"limit": 3, "sampling": {"max_tokens": 24}, **values})
    assert isinstance(found, StreamConfig)
    return found


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A release in a folder of its own; its families are those of the first test that asks."""
    return tmp_path_factory.mktemp("released") / "stream"


def release(folder: Path, **values) -> dict:
    run_stream(config(release=True, **values), folder)
    return json.loads((folder / "stream.json").read_text(encoding="utf-8"))


def test_a_stream_meets_every_family_once_and_stores_nothing_of_sealed_ones(released):
    found = release(released)
    assert [c["split"] for c in found["contacts"]] == ["open"] * 2 + ["held_out"] * 2 + ["sealed"] * 2
    assert sorted(c["position"] for c in found["contacts"]) == [1, 2, 3, 4, 5, 6]
    assert found["parts"]["sealed"]["performance"]["n"] == 2 and found["gap"]["performance"]["n"] == 2
    told = found["abstention"]
    assert (told["calibrated_on"], told["judged_on"], told["coverage"]["n"]) == ("held_out", "sealed", 2)
    assert found["first_contact"]["claimed"] and not found["first_contact"]["reasons"]
    stored = {tag for path in released.glob("evaluations/*.parquet") for tag in pq.read_table(path)["tags"].to_pylist()}
    families = {json.loads(tag).get("family") for tag in stored}
    assert families == {None, *names_of("open", 0)[:2], *names_of("held_out", 0)[:2]}
    [look] = map(json.loads, (released.parent / LEDGER).read_text().splitlines())
    assert look["families"] == list(SEALED) and look["stream"] == str(released.resolve())
    same = config(release=True).to_toml()  # in the words of the version that begins the stream
    assert look["settings"] == hashlib.sha256(same.encode()).hexdigest()[:16]


def test_the_report_and_the_terminal_say_what_was_found(released):
    if not (released / "stream.json").exists():
        release(released)
    lines = summarise(released)["lines"]
    assert any(line.startswith("Sealed families at first contact") for line in lines)
    assert any("can be claimed" in line for line in lines)
    page = write_report(released).read_text(encoding="utf-8")
    assert "Transfer gap" in page and SEALED[0] in page and "Family by family" in page


def test_a_stream_that_is_done_again_says_the_same_and_is_no_further_look(released):
    first = release(released)
    again = release(released)
    assert first == again and len((released.parent / LEDGER).read_text().splitlines()) == 1


def test_a_stopped_stream_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    whole = tmp_path / "whole" / "stream"
    release(whole)
    stopped = tmp_path / "stopped" / "stream"
    asked = stream_module._ask
    calls = []

    def ask(*arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return asked(*arguments)

    monkeypatch.setattr(stream_module, "_ask", ask)
    with pytest.raises(KeyboardInterrupt):
        run_stream(config(release=True), stopped)
    assert not (stopped / "stream.json").exists()
    release(stopped)
    assert (stopped / "stream.json").read_bytes() == (whole / "stream.json").read_bytes()
    assert (stopped / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert len((stopped.parent / LEDGER).read_text().splitlines()) == 1


def test_a_second_look_is_refused_and_where_it_is_allowed_it_is_no_first_contact(released):
    if not (released / "stream.json").exists():
        release(released)
    second = released.parent / "second"
    with pytest.raises(InputError, match=r"looks = 1: tiny .* has had 1 looks"):
        run_stream(config(release=True, seed=1), second)
    found = release(released.parent / "third", seed=1, looks=2)
    assert not found["first_contact"]["claimed"] and "had looked at" in found["first_contact"]["reasons"][0]
    run_stream(config(seed=1), released.parent / "unsealed")  # open families are no look
    assert len((released.parent / LEDGER).read_text().splitlines()) == 2


def test_without_release_no_seal_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(stream_module, "SealedFamilies", None)
    run_stream(config(), tmp_path / "stream")
    found = json.loads((tmp_path / "stream" / "stream.json").read_text())
    assert "first_contact" not in found and found["gap"] is None and "sealed" not in found["parts"]
    assert not (tmp_path / LEDGER).exists()


def test_adaptation_recovers_and_its_price_is_measured(tmp_path):
    adapt = {"steps": 4, "every": 2, "demonstrations_per_step": 8}
    run_stream(config(limit=2, adapt=adapt), tmp_path / "stream")
    found = json.loads((tmp_path / "stream" / "stream.json").read_text())["adaptation"]
    assert [[steps for steps, _ in row["curve"]] for row in found["families"]] == [[0, 2, 4]] * 4
    assert found["forgetting"]["n"] == 3 and 0 <= found["recovered"] <= found["fallen"] <= 4


def sealed_problems(count: int = 4) -> list:
    sealed = SealedFamilies(0, lambda names: None)
    requests = [request.to_problem() for request in make_requests(count, seed=3)]
    return [found for problem in requests if (found := sealed.dressed(problem, SEALED[0])) is not None]


def write_rows(path: Path, problems, *, tags=True, **more) -> Path:
    rows = [
        {"id": p.id, "messages": [dict(m) for m in p.messages], "kind": p.kind, "verifier": "world",
         "tags": dict(p.tags) if tags else {}, **more}
        for p in problems
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run_folder(path: Path, recipe: str, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "config.toml").write_text(f'recipe = "{recipe}"\n{text}', encoding="utf-8")
    return path


def found_in(model: Path, prompts=frozenset()):
    return touches(str(model), set(SEALED), set(prompts))


def test_who_trained_on_a_sealed_family_has_touched_it(tmp_path):
    file = write_rows(tmp_path / "train.jsonl", sealed_problems())
    model = run_folder(tmp_path / "zero", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert found_in(model).found == (f"{file}: its prompts are of {SEALED[0]}",)
    clean = write_rows(tmp_path / "clean.jsonl", [r.to_problem() for r in make_requests(4, seed=3)])
    other = run_folder(tmp_path / "other", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{clean}"\n')
    assert found_in(other).found == () and found_in(other).unread == ()


def test_prompts_that_lost_their_tags_are_known_by_their_words(tmp_path):
    problems = sealed_problems()
    file = write_rows(tmp_path / "train.jsonl", problems, tags=False)
    model = run_folder(tmp_path / "sft", "sft", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert "without their tags" in found_in(model, {words_of(p) for p in problems}).found[0]


def test_red_team_elites_in_a_sealed_style_are_a_touch(tmp_path):
    rotation = next(r for r in range(3) if "role" in names_of("sealed", r))
    red = run_folder(tmp_path / "red", "redteam", '[model]\nname = "tiny"\n')
    requests = [request.to_problem() for request in make_requests(2, seed=3)]
    file = write_rows(red / "elites.jsonl", requests)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(r | {"tags": {"style": "role_play+past_tense"}}) + "\n" for r in rows))
    model = run_folder(tmp_path / "zero", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert touches(str(model), set(names_of("sealed", rotation)), set()).found == (f"{file}: its prompts are of role",)


def test_wrappers_of_the_embedded_world_are_families_under_other_names(tmp_path):
    wrapped = next(r for r in make_requests(40, seed=3) if r.wrapper == "role_play").to_problem()
    file = write_rows(tmp_path / "train.jsonl", [wrapped])
    model = run_folder(tmp_path / "zero", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert touches(str(model), {"role"}, set()).found and not touches(str(model), {"first_words"}, set()).found


@pytest.mark.parametrize("key", ["teacher", "judge", "rewards"])
def test_demonstrations_judges_and_reward_models_carry_what_they_were_trained_on(tmp_path, key):
    file = write_rows(tmp_path / "train.jsonl", sealed_problems())
    trained = run_folder(tmp_path / "trained", "sft", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    (trained / "checkpoints" / "step-000001").mkdir(parents=True)
    text = {
        "teacher": f'[teacher]\nmodel = "{trained}"\n', "judge": f'[mutator.judge]\nmodel = "{trained}"\n',
        "rewards": f'[rewards]\nharmlessness_from = "{trained}/checkpoints/step-000001"\n',
    }[key]  # fmt: skip
    model = run_folder(tmp_path / "student", "zero", f'[model]\nname = "tiny"\n{text}')
    assert found_in(model).found == (f"{file}: its prompts are of {SEALED[0]}",)


def test_data_that_a_touched_model_wrote_is_a_touch(tmp_path):
    file = write_rows(tmp_path / "train.jsonl", sealed_problems())
    writer = run_folder(tmp_path / "writer", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    sampled = run_folder(tmp_path / "sampled", "sample", f'[model]\nname = "{writer}"\n')
    clean = write_rows(sampled / "data.jsonl", [r.to_problem() for r in make_requests(4, seed=3)])
    model = run_folder(tmp_path / "sft", "sft", f'[model]\nname = "tiny"\n[problems]\nsource = "{clean}"\n')
    assert found_in(model).found == (f"{file}: its prompts are of {SEALED[0]}",)


def test_pairs_and_files_that_cannot_be_read_are_told_apart(tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"chosen": "a", "rejected": "b", "tags": {"family": SEALED[1]}}) + "\n")
    gone = tmp_path / "gone.jsonl"
    model = run_folder(tmp_path / "dpo", "dpo", f'pairs = "{pairs}"\nmore = "{gone}"\nset = "hub:a/b"\n[model]\nname = "tiny"\n')
    found = found_in(model)
    assert found.found == (f"{pairs}: its rows are of {SEALED[1]}",)
    assert (found.unread, found.elsewhere) == ((str(gone),), ("hub:a/b",))


def test_models_that_are_not_here_are_named(tmp_path):
    text = (
        '[model]\nname = "runs/gone"\ntrust_remote_code = false\n[teacher]\nname = "tiny"\ntrust_remote_code = false\n'
        '[judge]\nmodel = "big"\nbase_url = "http://there/v1"\n[other.judge]\nmodel = ""\nbase_url = "http://there/v1"\n'
    )
    model = run_folder(tmp_path / "zero", "zero", text)
    assert found_in(model).elsewhere == ("the model runs/gone", "big behind http://there/v1")


def test_a_look_at_what_a_model_came_from_counts_when_it_was_had_before_the_model_was_finished(tmp_path):
    weights = {"base": "aaaa", "made": "bbbb"}
    record_look("tiny", weights["base"], SEALED, tmp_path / "base-stream", most=1)
    made = run_folder(tmp_path / "zero", "zero", '[model]\nname = "tiny"\n')
    (made / "environment.json").write_text(json.dumps({"origin": {"weights": weights["base"]}}))
    (made / "events.jsonl").write_text('{"time": "2100-01-01T00:00:00Z", "event": "finish"}\n')
    with pytest.raises(InputError, match="has had 1 looks"):
        record_look(str(made), weights["made"], SEALED, tmp_path / "made-stream", most=1)
    (made / "events.jsonl").write_text('{"time": "2000-01-01T00:00:00Z", "event": "finish"}\n')
    assert record_look(str(made), weights["made"], SEALED, tmp_path / "made-stream", most=1) == []
    assert len((made / LEDGER).read_text().splitlines()) == 1  # it goes where the model goes
    moved = tmp_path / "elsewhere" / "stream"
    moved.parent.mkdir()
    with pytest.raises(InputError, match="has had 1 looks"):
        record_look(str(made), weights["made"], SEALED, moved, most=1)
    assert record_look(str(made), weights["made"], names_of("open", 0), moved, most=1) == []  # other families


def test_novelty_is_told_by_every_signal_and_the_signal_is_chosen_on_families_apart(tmp_path):
    run_stream(config(release=True, novelty={"known": 8, "companions": ("tiny",)}), tmp_path / "stream")
    told = json.loads((tmp_path / "stream" / "stream.json").read_text())["abstention"]
    assert list(told["by"]) == ["answer_logp", "prompt_logp", "mahalanobis", "neighbours", "agreement"]
    least = min(told["by"].values(), key=lambda row: row["calibration_area"])
    assert told["by"][told["signal"]] == least and told["risk"] == least["risk"]
    # Three sources of three prompts, a third of them dangerous: declining all is as wanted as there are such.
    assert told["default"]["declining_all"] == pytest.approx(1 / 3, abs=0.1)
    assert 0 <= told["by"]["mahalanobis"]["tells_dressed"]["value"] <= 1
    scores = max((tmp_path / "stream").glob("checkpoints/*/scores.jsonl"))
    agreed = [json.loads(line)["signals"]["agreement"] for line in scores.read_text().splitlines()]
    assert agreed == pytest.approx([0.0] * len(agreed), abs=1e-4)  # the companion is the model itself
    page = write_report(tmp_path / "stream").read_text(encoding="utf-8")
    assert "Knowing that one does not know" in page and "(chosen)" in page


def test_a_damaged_ledger_is_no_empty_one(tmp_path):
    (tmp_path / LEDGER).write_text('{"time": "2026')
    with pytest.raises(InputError, match=r"looks\.jsonl:1: no look"):
        record_look("tiny", "aaaa", SEALED, tmp_path / "stream", most=1)


def test_a_plan_says_what_would_be_met_and_breaks_no_seal(tmp_path):
    said = " ".join(describe_stream(config(release=True), tmp_path / "stream", measure=False))
    assert "6 families (2 open, 2 held-out, 2 sealed; rotation 0)" in said and "at most 1 may have been had" in said
    # 9 prompts as they are; in 4 families 9 at first contact, after 3 steps and after the 4th, and 9 as they are then.
    adapted = " ".join(describe_stream(config(adapt={"steps": 4, "every": 3}), tmp_path / "stream", measure=False))
    assert f"{9 + 4 * 4 * 9} completions at most" in adapted and f"{9 * 7} completions at most" in said
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="nothing to ask"):
        list(describe_stream(config(model={"name": str(tmp_path)}), tmp_path / "stream", measure=False))


@pytest.mark.parametrize("right, is_told", [(0.0, True), (0.1, True), (0.5, False)])
def test_survival_of_what_has_nothing_to_lose_is_told(right, is_told):
    found = {
        "plain": {"reasoning": {"value": right, "n": 4}, "safety": {"value": None, "n": 0}}, "margin": 0.1,
        "parts": {}, "gap": None, "abstention": None, "adaptation": None,
    }  # fmt: skip
    assert [line.split(" score ")[0] for line in summary_lines(found)] == ["As they are, prompts of kind reasoning"] * is_told


def test_a_stream_of_another_rotation_is_no_hidden_look(tmp_path):
    run_stream(config(limit=1, rotation=1), tmp_path / "other")  # what is open there is sealed here
    found = release(tmp_path / "stream", limit=1)["first_contact"]
    assert not found["claimed"] and found["looks_before"] == 0
    assert found["reasons"] == [f"{tmp_path / 'other'} met it before in the dress of {', '.join(sorted(SEALED))}"]


def test_what_met_the_model_afterwards_stands_against_no_claim(tmp_path):
    first = release(tmp_path / "stream", limit=1)
    run_stream(config(limit=1, rotation=1), tmp_path / "after")
    assert first["first_contact"]["claimed"] and release(tmp_path / "stream", limit=1) == first


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_red_team_in_a_sealed_style_is_a_look(tmp_path, is_finished):
    requests = tmp_path / "requests.jsonl"
    rows = [{"id": f"r{k}", "prompt": f"how to make o{k} ?", "kind": "safety", "tags": {"category": "made"}} for k in (3, 7, 9)]
    requests.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = {
        "num_steps": 2, "queries_per_step": 2, "samples": 1, "confirm_samples": 0, "holdout_cells": 0.0,
        "styles": ["direct", SEALED[0]], "problems": {"source": str(requests)}, "sampling": {"max_tokens": 8},
        "checkpoints": {"every": 1},
    }  # fmt: skip
    run = find_recipe("redteam").run(resolve(find_recipe("redteam"), values=values), tmp_path / "redteam")
    if not is_finished:
        for path in run.glob("*.json*"):
            if path.name not in ("events.jsonl", "environment.json"):
                path.unlink()
    found = release(tmp_path / "stream", limit=1)["first_contact"]
    assert [SEALED[0] in reason for reason in found["reasons"]] == [True] and not found["claimed"]


def test_open_families_may_be_trained_on(tmp_path):
    problem = make_requests(1, seed=3)[0].to_problem()
    made = dressed(problem, FAMILIES[names_of("open", 0)[0]], seed=0)
    file = write_rows(tmp_path / "train.jsonl", [made])
    assert load_problems(file, needs_answer=False).problems[0].tags["family"] == names_of("open", 0)[0]
    model = run_folder(tmp_path / "zero", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert found_in(model).found == ()


def test_a_look_counts_however_the_model_is_loaded(tmp_path):
    record_look("tiny", "of-float32", SEALED, tmp_path / "first", most=1)
    with pytest.raises(InputError, match="has had 1 looks"):
        record_look("tiny", "with-an-adapter", SEALED, tmp_path / "second", most=1)
    trained = run_folder(tmp_path / "sft", "sft", '[model]\nname = "tiny"\nlora_rank = 8\n')
    (trained / "environment.json").write_text(json.dumps({"origin": {"weights": "with-an-adapter"}}))
    with pytest.raises(InputError, match="has had 1 looks"):
        record_look(str(trained), "merged", SEALED, tmp_path / "third", most=1)


def test_another_stream_in_a_folder_of_the_same_name_is_another_look(tmp_path):
    for _ in range(2):  # the second goes on with the first
        assert record_look("tiny", "aaaa", SEALED, tmp_path / "stream", most=1, settings="seed 0") == []
    with pytest.raises(InputError, match="has had 1 looks"):
        record_look("tiny", "aaaa", SEALED, tmp_path / "stream", most=1, settings="seed 1")
    assert len(record_look("tiny", "aaaa", SEALED, tmp_path / "stream", most=2, settings="seed 1")) == 1


def test_packed_files_are_looked_into(tmp_path):
    plain = write_rows(tmp_path / "train.jsonl", sealed_problems())
    file = tmp_path / "packed.jsonl.gz"
    file.write_bytes(gzip.compress(plain.read_bytes()))
    model = run_folder(tmp_path / "zero", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{file}"\n')
    assert found_in(model).found == (f"{file}: its prompts are of {SEALED[0]}",)
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(file.read_bytes()[:40])
    other = run_folder(tmp_path / "other", "zero", f'[model]\nname = "tiny"\n[problems]\nsource = "{damaged}"\n')
    assert found_in(other).unread == (str(damaged),)


@pytest.mark.parametrize("tags", ['{"style":"role_play+past_tense"}', '{"wrapper": "role_play"}', '{"family" : "role"}'])
def test_pairs_name_a_family_by_any_of_its_names_and_in_any_spacing(tmp_path, tags):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(f'{{"chosen":"a","rejected":"b","tags":{tags}}}\n')
    model = run_folder(tmp_path / "dpo", "dpo", f'pairs = "{pairs}"\n[model]\nname = "tiny"\n')
    assert touches(str(model), {"role"}, set()).found == (f"{pairs}: its rows are of role",)
