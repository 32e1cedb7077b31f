"""From long to short: the graph of each method, what its pairs and its table say, and what is refused."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai import world
from sanmai.data.trace import parse_trace
from sanmai.pipelines.graph import Graph
from sanmai.pipelines.length_table import beaten_by, compare_lengths, sentences
from sanmai.pipelines.long2short import TITLES, Long2ShortConfig, describe_long2short, graph, run_long2short
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.long_chains import LongChainsConfig, long_chains
from sanmai.report import write_report
from sanmai.report.findings import pareto_front
from sanmai.types import InputError

RL = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "problems": {"evaluation_limit": 4}}
FEW = {"problems": {"evaluation_limit": 4}}
MINI = {
    "data": {"reasoning_limit": 60, "evaluation_limit": 6}, "chains": {"count": 128}, "long": {**FEW, "epochs": 1.0},
    "samples": {"problems": {"limit": 16}}, "shortest": FEW, "dpo": FEW, "rl": RL, "evaluation": {"samples": 2},
}  # fmt: skip


def mini(**changes) -> Long2ShortConfig:
    config = resolve(find_recipe("long2short"), values={**MINI, **changes})
    assert isinstance(config, Long2ShortConfig)
    return config


def stages_of(config: Long2ShortConfig, folder: Path) -> dict:
    return {stage.name: stage for stage in graph(config, folder).stages}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Graph:
    out = tmp_path_factory.mktemp("long2short")
    run_long2short(mini(), out)
    return graph(mini(), out)


def test_all_four_ways_start_from_the_same_long_model(tmp_path):
    found = stages_of(mini(), tmp_path)
    assert list(found) == [
        "data", "chains", "long", "score_short", "score_long", "merge", "score_merge", "samples", "shortest",
        "score_shortest", "pairs", "dpo", "score_dpo", "rl", "score_rl"]  # fmt: skip
    assert {found[name].config.model.name for name in ("merge", "samples", "shortest", "dpo", "rl")} == {"@long"}
    assert found["merge"].config.short == "tiny" and found["merge"].config.weight == 0.5
    assert found["shortest"].config.problems.source == "@samples/data.parquet"
    assert found["dpo"].config.source == "@pairs/pairs.jsonl"
    assert {s.config.problems.source for s in found.values() if s.recipe == "evaluate"} == {"@data/evaluation.jsonl"}


def test_samples_follow_kimis_rule_and_rl_pays_for_length_at_once_within_a_cut_budget(tmp_path):
    found = stages_of(mini(budget_share=0.25, samples={"filters": {"min_tokens": 2}}), tmp_path)
    samples, rl = found["samples"].config, found["rl"].config
    assert (samples.samples_per_prompt, samples.keep, samples.choice) == (8, 1, "shortest")  # kept beside what was set
    assert samples.filters.min_tokens == 2 and not samples.filters.closed and samples.filters.correct
    assert rl.sampling.max_tokens == 24 and rl.evaluation.max_tokens == 96  # a quarter of evaluation.sampling.max_tokens
    assert rl.length.weight > 0 and rl.length.warmup == 0


@pytest.mark.parametrize(("method", "made"), [
    ("merge", {"merge"}), ("shortest", {"samples", "shortest"}), ("dpo", {"samples", "pairs", "dpo"}), ("rl", {"rl"}),
    (["rl", "merge"], {"rl", "merge"}), ("all", {"merge", "samples", "shortest", "pairs", "dpo", "rl"}),
])  # fmt: skip
def test_a_method_has_its_own_stages_and_shares_the_others(tmp_path, method, made):
    all_of_them = graph(mini(), tmp_path)
    found = graph(mini(method=method), tmp_path)
    assert {s.name for s in found.stages} - {"data", "chains", "long"} == (
        made | {f"score_{name}" for name in TITLES if name in {*made, "short", "long"}})
    assert all(found.path(s.name) == all_of_them.path(s.name) for s in found.stages)  # nothing is done twice


def test_a_given_long_model_is_taken_as_it_is(tmp_path):
    found = stages_of(mini(model={"name": "some/where"}, short="other/one", method=["merge", "rl"]), tmp_path)
    assert list(found) == ["data", "score_short", "score_long", "merge", "score_merge", "rl", "score_rl"]
    assert found["merge"].config.model.name == found["score_long"].config.model.name == "some/where"
    assert found["score_short"].config.model.name == "other/one"
    alone = stages_of(mini(model={"name": "some/where", "lora_rank": 4}, method="rl"), tmp_path)
    assert list(alone) == ["data", "score_long", "rl", "score_rl"]
    assert alone["rl"].config.model.lora_rank == 4 and alone["score_rl"].config.model.lora_rank == 0


@pytest.mark.parametrize(("settings", "says"), [
    ({"method": "average"}, "method.0 = 'average'"), ({"method": []}, "method: expected at least one"),
    ({"method": ["rl", "rl"]}, "none of them twice"), ({"rl": {"length": {"weight": 0}}}, "rl.length.weight is 0"),
    ({"rl": {"sampling": {"max_tokens": 9}}}, "rl.sampling.max_tokens is given by the pipeline"),
    ({"samples": {"choice": "random"}}, "samples.choice and samples.keep"), ({"dpo": {"source": "x"}}, "dpo.source is given"),
    ({"pairs": {"samples": "x"}}, "pairs.samples is given"), ({"evaluation": {"seed": 3}}, "evaluation.seed is given"),
    ({"samples": {"include_held_out": True}}, "samples.include_held_out is given"),
    ({"shortest": {"problems": {"source": "x"}}}, "shortest.problems.source is given"), ({"budget_share": 0}, "budget_share = 0"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused_in_one_sentence(settings, says):
    with pytest.raises(InputError) as refused:
        resolve(find_recipe("long2short"), values=settings)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_not_there_is_refused_before_anything_is_done(tmp_path):
    for settings in ({"model": {"name": "nowhere"}}, {"short": "nowhere"}):
        with pytest.raises(InputError, match="no such folder"):
            run_long2short(mini(**settings), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_stage_is_finished_and_all_models_answer_the_same_problems(finished):
    assert {finished.state(stage.name) for stage in finished.stages} == {"finished"}
    asked = {
        name: pq.read_table(finished.path(f"score_{name}") / "evaluations" / "step-000000.parquet")
        .select(["problem_id", "sample"]).to_pylist() for name in TITLES}  # fmt: skip
    assert len(asked["long"]) == 2 * 2 * 6 and all(found == asked["long"] for found in asked.values())
    trained = (finished.path("data") / "reasoning.jsonl").read_text(encoding="utf-8")
    assert not any(json.dumps(row["problem_id"]) in trained for row in asked["long"])


def test_the_table_is_that_of_the_evaluations(finished):
    data = json.loads((finished.folder / "front.json").read_text())
    assert [model["name"] for model in data["models"]] == list(TITLES) and data["long"] == "long"
    by_name = {model["name"]: model for model in data["models"]}
    for name, model in by_name.items():
        rows = pq.read_table(finished.path(f"score_{name}") / "evaluations" / "step-000000.parquet").to_pylist()
        rows = [row for row in rows if json.loads(row["tags"])["set"] == "reasoning"]
        assert model["tokens"]["value"] == pytest.approx(sum(row["num_tokens"] for row in rows) / len(rows))
        assert model["accuracy"]["value"] == pytest.approx(sum(row["score/accuracy"] for row in rows) / len(rows))
        assert model["accuracy"]["n"] == 6 and model["on_front"] == (name in data["front"])
    change = by_name["rl"]["tokens_change"]["value"]
    assert change == pytest.approx(by_name["rl"]["tokens"]["value"] - by_name["long"]["tokens"]["value"])
    text = (finished.folder / "front.md").read_text()
    assert all(f"| {name} |" in text for name in TITLES) and text.count("**on it**") == len(data["front"])
    assert write_report(finished.folder).is_file() and "Tokens per answer" in (finished.folder / "table.md").read_text()


def test_in_every_pair_the_shortest_right_sample_is_chosen_over_a_longer_one(finished):
    rows = [row for path in sorted((finished.path("samples") / "rollouts").glob("*.parquet"))
            for row in pq.read_table(path).to_pylist()]  # fmt: skip
    by_problem: dict[str, list[dict]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row)
    assert all(len(group) == 8 for group in by_problem.values())
    expected = set()
    for name, group in by_problem.items():
        ended = [row for row in group if row["stop_reason"] == "stop"]
        right = [row for row in ended if row["score/accuracy"] == 1]
        if not right:
            continue
        best = min(right, key=lambda row: (row["num_tokens"], row["sample"]))
        for row in ended:
            ratio = 1.5 if row["score/accuracy"] == 1 else 1.0
            if row["num_tokens"] > ratio * best["num_tokens"] and row["text"].strip() != best["text"].strip():
                expected.add((f"{name}#{best['sample']}>{row['sample']}", best["text"], row["text"]))
    lines = (finished.path("pairs") / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert {(row["id"], row["chosen"], row["rejected"]) for row in found} == expected and expected
    card = json.loads((finished.path("pairs") / "card.json").read_text())
    assert card["pairs"] == len(found) == sum(card["why"].values()) and card["problems"] == 16
    assert card["tokens"]["chosen"] < card["tokens"]["rejected"]
    kept = pq.read_table(finished.path("samples") / "data.parquet").to_pylist()
    shortest = {name: min((r["num_tokens"] for r in g if r["score/accuracy"] == 1 and r["stop_reason"] == "stop"), default=None)
                for name, g in by_problem.items()}  # fmt: skip
    assert {row["problem_id"]: row["num_tokens"] for row in kept} == {k: v for k, v in shortest.items() if v is not None}


def test_a_second_call_does_nothing_and_an_interrupted_stage_ends_with_the_same_bytes(finished):
    names = ["stages", "front.json", "front.md"]
    files = [p for n in names for p in ([*(finished.folder / n).rglob("*")] or [finished.folder / n]) if p.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files if "front" not in path.name}
    fronts = [(finished.folder / name).read_bytes() for name in names[1:]]
    run_long2short(mini(method="rl"), finished.folder)
    assert "merge" not in json.loads((finished.folder / "front.json").read_text())["front"]  # of what was asked for
    run_long2short(mini(), finished.folder)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in before} == before
    assert [(finished.folder / name).read_bytes() for name in names[1:]] == fronts
    for name in ("pairs", "merge"):
        (finished.path(name) / "stage.json").unlink()
    (finished.path("pairs") / "pairs.jsonl").unlink()
    run_long2short(mini(), finished.folder)
    assert all(path.read_bytes() == old for path, (old, _) in before.items() if path.name not in ("events.jsonl", "run.lock"))


def test_the_plan_names_the_stages_and_both_budgets(finished, tmp_path):
    lines = list(describe_long2short(mini(), finished.folder, measure=False))
    assert "merge (merge, finished): average of the weights of long and short" in lines
    assert lines[-1] == "Evaluations may write 96 tokens. RL may write 48 tokens."
    assert "rl (zero, new)" in "\n".join(describe_long2short(mini(method="rl"), tmp_path, measure=False))


@pytest.mark.parametrize(("settings", "says"), [
    ({}, "expected a run folder of `sanmai run sample`"), ({"samples": "nowhere"}, "expected a run folder"),
    ({"reward": len}, "reward: the recipe length_pairs reads none"), ({"ratio": 0.5}, "ratio = 0.5"),
])  # fmt: skip
def test_pairs_without_samples_are_refused(tmp_path, settings, says):
    with pytest.raises(InputError, match=says):
        sanmai.run("length_pairs", out=tmp_path / "out", **settings)


def test_samples_of_other_problems_and_samples_without_a_pair_are_refused(finished, tmp_path):
    samples, data = str(finished.path("samples")), str(finished.path("data") / "evaluation.jsonl")
    with pytest.raises(InputError, match="was sampled and is not in it"):
        sanmai.run("length_pairs", out=tmp_path / "a", samples=samples, problems={"source": data})
    few = tmp_path / "few" / "rollouts"
    few.mkdir(parents=True)
    table = pq.read_table(next((finished.path("samples") / "rollouts").glob("*.parquet")))
    pq.write_table(table.slice(0, 1), few / "step-000001.parquet")
    source = {"source": str(finished.path("data") / "reasoning.jsonl"), "evaluation": data}
    with pytest.raises(InputError, match="not one of 1 problems has a right sample and a longer one"):
        sanmai.run("length_pairs", out=tmp_path / "b", samples=str(few.parent), problems=source)


def row(problem: str, sample: int, right: float | None, tokens: int) -> dict:
    return {"problem_id": problem, "sample": sample, "kind": "reasoning", "tags": '{"set": "reasoning"}', "failure": None,
            "num_tokens": tokens, "score/accuracy": right}  # fmt: skip


def test_the_table_by_hand():
    # long: right 1, 1, 1, 0 with 10, 20, 30, 40 tokens: 3/4 and 25. short: right 1, 0, 0, 0 with 4 tokens each: 1/4 and 4.
    # rl: right 1, 1, 1, 0 with 6, 6, 6, 6: as right as long and shorter, so long is beaten by it and by nobody else.
    long = [row(p, 0, r, t) for p, r, t in (("a", 1.0, 10), ("b", 1.0, 20), ("c", 1.0, 30), ("d", 0.0, 40))]
    short = [row(p, 0, r, 4) for p, r in (("a", 1.0), ("b", 0.0), ("c", 0.0), ("d", 0.0))]
    rl = [row(p, 0, r, 6) for p, r in (("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 0.0))]
    found = {m.name: m for m in compare_lengths({"short": short, "long": long, "rl": rl}, TITLES, "long")}
    assert [(m.accuracy.value, m.tokens.value) for m in found.values()] == [(0.25, 4), (0.75, 25), (0.75, 6)]
    assert {name: m.beaten_by for name, m in found.items()} == {"short": [], "long": ["rl"], "rl": []}
    assert found["long"].accuracy_change is None
    assert found["rl"].accuracy_change.value == 0 and found["rl"].tokens_change.value == -19
    assert found["short"].accuracy_change.value == -0.5 and found["short"].tokens_change.value == -21
    said = sentences(list(found.values()), "long")
    assert said[0] == "On the front of accuracy and tokens, by their means: short, rl."
    assert said[2].startswith("long: 75.0 % [") and said[2].endswith("; beaten by rl.")


def test_samples_of_one_problem_count_once_and_what_cannot_be_graded_is_counted_and_left_out():
    long = [row("a", s, 1.0, 10) for s in (0, 1)] + [row("b", 0, None, 10), row("b", 1, 0.0, 12)]
    (found,) = compare_lengths({"long": long}, TITLES, "long")
    assert found.accuracy.n == found.tokens.n == 2 and found.accuracy.num_left_out == 1
    assert found.accuracy.value == pytest.approx(2 / 3) and found.tokens.value == 10.5
    with pytest.raises(InputError, match="long: no completion has a value for accuracy"):
        compare_lengths({"long": [row("a", 0, None, 3)]}, TITLES, "long")


def test_the_front_is_that_of_every_comparison():
    rng = random.Random(0)
    for _ in range(200):
        means = {str(k): (rng.randint(0, 4) / 4, float(rng.randint(1, 5))) for k in range(rng.randint(1, 7))}
        front = pareto_front({name: (-accuracy, tokens) for name, (accuracy, tokens) in means.items()})
        assert [name for name in means if not beaten_by(name, means)] == front


def test_long_chains_are_right_in_the_tiny_models_words_and_of_no_held_out_sum():
    found = long_chains(LongChainsConfig(count=300))
    assert [sum(p.tags["said"] == n for p in found) > 50 for n in range(5)] == [True] * 4 + [False]
    tokenizer = load_policy(ModelConfig(), for_training=False).tokenizer
    held_out = {p.messages[0]["content"] for p in world.make_problems(600, seed=0, split="heldout", digits=(2, 3))}
    for problem in found:
        trace = parse_trace(problem.demonstration)
        assert world.verify(problem, trace).score == 1.0
        assert trace.thought.count("so the answer is" if problem.language == "en" else "所以 回答 是") == problem.tags["said"]
        assert tokenizer.unk_token_id not in tokenizer.encode(problem.demonstration)
        assert problem.messages[0]["content"] not in held_out
    assert {p.tags["said"] for p in long_chains(LongChainsConfig(count=20, most=0))} == {0}
    for problem, other in zip(found, long_chains(LongChainsConfig(count=300, padding="question")), strict=True):
        trace, asked = parse_trace(other.demonstration), "is it so ?" if problem.language == "en" else "是 否 ？"
        assert problem.id == other.id and world.verify(other, trace).score == 1.0
        assert trace.thought.count(asked) == other.tags["said"] == problem.tags["said"]
        assert not other.tags["said"] or trace.thought.strip().startswith(asked)  # before the columns
        assert tokenizer.unk_token_id not in tokenizer.encode(other.demonstration)
    with pytest.raises(InputError, match="count = 100001"):
        sanmai.run("long_chains", count=100_001)
