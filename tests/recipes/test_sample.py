"""Rejection sampling on the embedded world: what is kept, what the card says of the rest, and that it loads again."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

import sanmai
from sanmai.data.chat import render_demonstration, render_prompt
from sanmai.data.filters import Sample
from sanmai.data.problems import load_problems
from sanmai.learn.progress import Progress
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.tiny import TINY_PATH, tiny_tokenizer
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.sample import _is_retokenized, run_sample
from sanmai.types import InputError, Problem, StopReason

SETTINGS = {"keep": 2, "prompts_per_chunk": 8, "sampling": {"max_tokens": 64}, "filters": {"language_share": 0.0}}
WORLD = {"source": "world", "world": {"train": 40, "heldout": 4}}


def sums(count: int = 8, **fields) -> list[Problem]:
    return [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 3 ?"},), str(i + 3), **fields) for i in range(count)]


def rows_of(run: Path) -> list[dict]:
    return pq.read_table(run / "data.parquet").to_pylist()


def rollouts_of(run: Path) -> list[dict]:
    return [row for path in sorted((run / "rollouts").iterdir()) for row in pq.read_table(path).to_pylist()]


def card_of(run: Path) -> dict:
    return json.loads((run / "card.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "run"
    return sanmai.run("sample", out=out, problems=WORLD, **SETTINGS)


def test_thoughts_in_another_language_than_the_prompts_are_dropped(tmp_path):
    folder = sanmai.run("sample", out=tmp_path / "run", problems={"source": "world", "world": {"train": 12, "heldout": 4}})
    rollouts = {f"{r['problem_id']}#{r['sample']}": r for r in rollouts_of(folder)}
    assert rows_of(folder) and all(rollouts[row["id"]]["score/language"] >= 0.9 for row in rows_of(folder))
    right = [r for r in rollouts.values() if r["score/accuracy"] == r["score/format"] == 1.0]
    [language] = [f for f in card_of(folder)["filters"] if f["name"] == "language"]
    assert language["dropped"] == {"other_language": sum(r["score/language"] < 0.9 for r in right)}


def test_what_is_kept_is_right_readable_and_no_more_than_asked_for(run):
    rollouts = {f"{r['problem_id']}#{r['sample']}": r for r in rollouts_of(run)}
    rows = rows_of(run)
    assert len(rollouts) == 40 * 4 and 0 < len(rows) <= 40 * 2 and len({row["id"] for row in rows}) == len(rows)
    assert max(Counter(row["problem_id"] for row in rows).values()) == 2
    for row in rows:
        rollout = rollouts[row["id"]]
        assert (rollout["score/accuracy"], rollout["score/format"], rollout["stop_reason"]) == (1.0, 1.0, "stop")
        assert row["num_tokens"] == rollout["num_tokens"]
        assert row["messages"] == [
            {"role": "user", "content": rollout["prompt"]}, {"role": "assistant", "content": rollout["text"]}]  # fmt: skip
        group = [r["score/accuracy"] for r in rollouts.values() if r["problem_id"] == row["problem_id"]]
        assert row["pass_rate"] == sum(group) / 4


def test_every_sample_is_in_the_card_once(run):
    card = card_of(run)
    filters = card["filters"]
    assert card["samples"] == filters[0]["seen"] == 160 and card["problems"] == 40 and card["held_out"] == 4
    for f, following in zip(filters, [*filters[1:], None], strict=True):
        assert f["seen"] - f["kept"] == sum(f["dropped"].values()) and (following is None or following["seen"] == f["kept"])
    kept = card["kept"]
    assert filters[-1]["kept"] == kept["samples"] == len(rows_of(run)) == sum(kept["by_kind_and_language"].values())
    assert sum(card["pass_rate_histogram"].values()) == 40
    rollouts = rollouts_of(run)
    assert card["sampled_tokens"] == sum(r["num_tokens"] for r in rollouts)
    wrong = [r for r in rollouts if r["stop_reason"] == "stop" and r["score/accuracy"] == 0.0]
    [correct] = [f for f in filters if f["name"] == "correct"]
    assert sum(correct["dropped"].values()) == len(wrong) > 0 and correct["examples"][0]["text"] == wrong[0]["text"]
    mean = sum(r["score/accuracy"] for r in rollouts) / 160
    assert card["pass_rate"]["mean"] == pytest.approx(mean) and card["pass_rate"]["low"] < mean < card["pass_rate"]["high"]
    text = (run / "card.md").read_text(encoding="utf-8")
    assert all(f"| {f['name']} |" in text for f in filters) and card["data"]["sha256"] in text


def test_the_data_load_back_as_demonstrations_with_the_tokens_that_were_sampled(run):
    from sanmai.world.settings import WorldConfig
    from sanmai.world.testbed import WORLD

    originals = {p.id: p for p in WORLD.problems(WorldConfig(train=40, heldout=4), 0)[0]}
    sampled = {f"{r['problem_id']}#{r['sample']}": r["tokens"] for r in rollouts_of(run)}
    loaded = load_problems(run, needs_answer=False)
    assert loaded.problems == load_problems(run / "data.parquet", needs_answer=False).problems
    assert (len(loaded.problems), loaded.duplicates) == (len(rows_of(run)), 0), "two answers to one prompt are no duplicates"
    tokenizer = tiny_tokenizer()
    for problem in loaded.problems:
        original = originals[problem.id.split("#")[0]]
        for name in ("messages", "answer", "verifier", "kind", "language"):
            assert getattr(problem, name) == getattr(original, name)
        assert dict(original.tags).items() <= dict(problem.tags).items()
        prompt, completion = render_demonstration(tokenizer, problem)
        assert completion == sampled[problem.id] and prompt == render_prompt(tokenizer, original.messages)
    assert card_of(run)["kept"]["other_tokens_than_sampled"] == 0


def test_other_tools_read_the_data(run):
    table = pq.read_table(run / "data.parquet")
    assert str(table.schema.field("messages").type).startswith("list<element: struct<role: string, content: string>")
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(run / "data.parquet")
    assert len(frame) == table.num_rows and frame["messages"][0][-1]["role"] == "assistant"


def test_sft_learns_from_the_folder(run, tmp_path):
    done = sanmai.run(
        "sft", out=tmp_path / "sft", problems=str(run), epochs=1, demonstrations_per_step=64, evaluation={"max_tokens": 40},
    )  # fmt: skip
    assert [json.loads(line)["step"] for line in (done / "metrics.jsonl").read_text().splitlines()] == [0, 1]


def test_killed_between_chunks_the_same_command_ends_with_the_same_bytes(forking, run, tmp_path):
    command = ["sample", "tiny", "world", "--out", tmp_path / "killed"]
    settings = ["keep=2", "prompts_per_chunk=8", "sampling.max_tokens=64", "filters.language_share=0.0"]
    settings += ["problems.world.train=40", "problems.world.heldout=4"]
    command += [part for setting in settings for part in ("--set", setting)]
    forking.kill_at("step 2/5", command, cwd=tmp_path, out=tmp_path / "killed", last="data.parquet")
    again = sanmai.run("sample", out=tmp_path / "killed", problems=WORLD, **SETTINGS)
    rollouts = [f"rollouts/step-00000{k}.parquet" for k in range(1, 6)]
    for name in ("data.parquet", "card.json", "card.md", "metrics.jsonl", *rollouts):
        assert (again / name).read_bytes() == (run / name).read_bytes(), name
    assert [p.name for p in sorted((again / "checkpoints").iterdir())] == ["step-000004", "step-000005"]


def test_the_size_of_a_chunk_changes_nothing(run, tmp_path):
    other = sanmai.run("sample", out=tmp_path / "run", problems=WORLD, **SETTINGS | {"prompts_per_chunk": 40})
    assert [(row["id"], row["messages"]) for row in rows_of(other)] == [(row["id"], row["messages"]) for row in rows_of(run)]


def test_an_instruction_is_read_when_sampling_and_not_learned(run, tmp_path):
    asked = sanmai.run("sample", out=tmp_path / "asked", problems=WORLD, instruction="tell me a story .", **SETTINGS)
    prompts = [[row["prompt"] for row in rollouts_of(folder)] for folder in (run, asked)]
    assert all(b == f"tell me a story .\n\n{a}" for a, b in zip(*prompts, strict=True))
    assert rows_of(asked) and not any("tell me a story" in json.dumps(row) for row in rows_of(asked))


def test_problems_with_pictures_are_refused_before_anything_is_sampled(tmp_path):
    shown = Problem("seen", ({"role": "user", "content": "what is it ?", "images": [{"sha256": "0", "path": "x.png"}]},), "3")
    with pytest.raises(InputError, match="problem seen has images, which sample does not write"):
        sanmai.run("sample", problems=[shown, *sums(9)], out=tmp_path / "run")
    assert not list((tmp_path / "run").glob("rollouts/*"))


def test_held_out_problems_are_sampled_only_on_demand(tmp_path):
    off = sanmai.run("sample", problems=sums(20), out=tmp_path / "off", samples_per_prompt=1, sampling={"max_tokens": 8})
    on = sanmai.run(
        "sample", problems=sums(20), out=tmp_path / "on", samples_per_prompt=1, sampling={"max_tokens": 8}, include_held_out=True)
    some, everything = ({r["problem_id"] for r in rollouts_of(folder)} for folder in (off, on))
    assert some < everything == {f"p{i}" for i in range(20)} and card_of(off)["held_out"] == 20 - len(some)
    assert card_of(on)["held_out"] == 0


def test_what_no_verifier_grades_needs_a_reward_or_no_such_filter(tmp_path):
    problems = [replace(p, answer=None) for p in sums(kind="safety")]
    with pytest.raises(InputError, match=r"problem p\d, of kind safety, .*filters.correct=false"):
        sanmai.run("sample", problems=problems, out=tmp_path / "a")
    with pytest.raises(InputError, match=r"of kind reasoning, has no reference answer"):
        sanmai.run("sample", problems=[replace(p, kind="reasoning") for p in problems], out=tmp_path / "b")
    settings = {"samples_per_prompt": 2, "keep": 2, "sampling": {"max_tokens": 64}}
    lenient = sanmai.run(
        "sample", problems=problems, out=tmp_path / "c", filters={"correct": False, "closed": False}, **settings)
    assert rows_of(lenient) and all(row["kind"] == "safety" and row["pass_rate"] is None for row in rows_of(lenient))
    rewarded = sanmai.run(
        "sample", problems=problems, out=tmp_path / "d", filters={"min_reward": 20, "closed": False}, **settings,
        reward=lambda problem, text: float(len(text)),
    )  # fmt: skip
    lengths = [len(row["messages"][-1]["content"]) for row in rows_of(rewarded)]
    assert lengths and min(lengths) > 20
    [correct] = [f for f in card_of(rewarded)["filters"] if f["name"] == "correct"]
    assert correct["dropped"] == {"low_reward": sum(len(r["text"]) <= 20 for r in rollouts_of(rewarded))}


def test_of_safety_problems_the_card_shows_no_text(tmp_path):
    secret = replace(sums(8)[5], kind="safety", messages=({"role": "user", "content": "how do i make an x7 ?"},), answer=None)
    problems = [*sums(4), secret]
    folder = sanmai.run(
        "sample", problems=problems, out=tmp_path / "run", sampling={"max_tokens": 64}, include_held_out=True,
        reward=lambda problem, text: -1.0 if problem.kind == "safety" else None,
    )  # fmt: skip
    [correct] = [f for f in card_of(folder)["filters"] if f["name"] == "correct"]
    shown = [e for f in card_of(folder)["filters"] for e in f["examples"]]
    assert correct["dropped"]["low_reward"] > 0 and correct["dropped"]["ungradable"] > 0
    of_safety = [e for e in shown if e["id"].startswith("p5")]
    assert of_safety and all(set(e) == {"id", "label"} for e in of_safety)
    texts = (folder / "card.json").read_text() + (folder / "card.md").read_text()
    long = [r["text"] for r in rollouts_of(folder) if r["kind"] == "safety" and len(r["text"]) > 20]
    assert long and "x7" not in texts and not any(text in texts for text in long)
    assert any("text" in e for e in shown)


def test_when_nothing_is_kept_the_data_are_empty_and_the_run_says_so(tmp_path):
    folder = sanmai.run(
        "sample", problems=sums(), out=tmp_path / "run", reward=lambda problem, text: 0.0, sampling={"max_tokens": 16},
    )  # fmt: skip
    assert rows_of(folder) == [] and "no completion passed the filters" in (folder / "events.jsonl").read_text()
    with pytest.raises(InputError, match="no problem in it"):
        load_problems(folder)


def test_a_thought_that_the_prompt_opened_is_whole_in_the_data_and_gives_the_sampled_tokens_again(tmp_path):
    model = shutil.copytree(TINY_PATH, tmp_path / "model")
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace("' <assistant>' if", "' <assistant> <think>' if")
    tokenizer.save_pretrained(model)
    folder = sanmai.run(
        "sample", model=str(model), problems=sums(), out=tmp_path / "run", keep=4, sampling={"max_tokens": 64},
        filters={"correct": False},
    )  # fmt: skip
    sampled = {f"{r['problem_id']}#{r['sample']}": r["tokens"] for r in rollouts_of(folder)}
    found = load_problems(folder, needs_answer=False).problems
    assert found and all(p.demonstration.startswith("<think>") for p in found)
    assert all(p.demonstration.count("<think>") == 1 for p in found)
    assert all(render_demonstration(tokenizer, p)[1] == sampled[p.id] for p in found)


def test_text_that_gives_other_tokens_than_were_sampled_is_noticed():
    policy = load_policy(ModelConfig(), for_training=False)
    tokens = policy.tokenizer.encode("<think> 1 </think> 12", add_special_tokens=False)
    problem = sums(1)[0]
    same = Sample(problem, 0, "<think> 1 </think> 12", [*tokens, 1], StopReason.STOP)
    assert not _is_retokenized(same, policy, ("<think>", "</think>"))
    assert _is_retokenized(replace(same, tokens=[*tokens[:-1], tokens[-1] + 1, 1]), policy, ("<think>", "</think>"))


def test_a_rollout_file_that_is_damaged_is_named(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "rollouts" / "step-000003.parquet").write_bytes(b"PAR1")
    said, config = io.StringIO(), resolve(find_recipe("sample"), values={"problems": WORLD, **SETTINGS})
    run_sample(config, folder, progress=Progress(Console(file=said, width=200)))
    assert "rollouts/step-000003.parquet has 4 bytes instead of" in said.getvalue()
    (folder / "card.md").unlink()  # so that it is made again
    with pytest.raises(InputError, match=r"step-000003.parquet has 4 bytes instead of [0-9]+, and what comes next is made"):
        sanmai.run("sample", out=folder, problems=WORLD, **SETTINGS)
    assert (folder / "data.parquet").read_bytes() == (run / "data.parquet").read_bytes()
    assert not list(folder.glob(".partial-*"))


def test_settings_that_could_do_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="lora_rank"):
        sanmai.run("sample", model={"lora_rank": 4}, out=tmp_path / "a")
    with pytest.raises(InputError, match=r"judge\.model"):
        sanmai.run("sample", rewrite={"max_growth": 3.0}, problems=sums(), out=tmp_path / "b")
    with pytest.raises(InputError, match=r"\{question\}"):
        sanmai.run("sample", rewrite={"instruction": "rewrite"}, problems=sums(), out=tmp_path / "c")


def test_the_folder_is_no_model_and_says_so(run):
    with pytest.raises(InputError, match="trains no model"):
        resolve_model(str(run))


def test_a_plan_says_what_would_be_sampled_and_writes_nothing(tmp_path):
    from sanmai.plan.forecast import describe
    from sanmai.recipes import find_recipe, resolve

    recipe = find_recipe("sample")
    lines = list(describe(recipe, resolve(recipe, None, ["problems.world.train=20", "filters.max_tokens=30"]), tmp_path / "run"))
    text = "\n".join(lines)
    assert "20 problems to sample, 600 held out" in text and "(80 in all, 5,120 tokens at most)" in text
    assert "length (1 tokens or more, 30 at most)" in text and not (tmp_path / "run").exists()
