"""Preference pairs: what is kept is what the judge can tell apart, counted at every filter, the same after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from judge_server import block, says, serving, status, within
from sanmai.data.preferences import load_pairs
from sanmai.data.trace import parse_trace
from sanmai.learn.local_judge import LocalJudge, judge_transport
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.preferences import PreferencesConfig, run_preferences
from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.reply_cache import ReplyCache
from sanmai.train.state import weights_digest
from sanmai.types import InputError, Problem, RunError

PROBLEMS = [Problem(f"p{k}", ({"role": "user", "content": f"what is {k} plus 3 ?"},), str(k + 3)) for k in range(13)]


def points(answer: str) -> int:
    """What the judge of these tests thinks of an answer: points for its letters, some more than others."""
    return 1 + sum(answer.encode()) % 10


def by_points(question: str) -> str:
    return json.dumps({"reason": "r", **{f"score_{n.lower()}": points(block(question, f"answer {n}")) for n in "AB"}})


def settings(server, **changes) -> PreferencesConfig:
    judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0, **changes.pop("judge", {})}
    values = {"judge": judge, "samples": 4, "prompts_per_step": 4, "sampling": {"max_tokens": 48}, "problems": {"holdout": 0.01}}
    return PreferencesConfig.read({**values, **changes}, stated={})  # the problems are brought, and the samples may not be needed


def run(config: PreferencesConfig, out: Path, **rest) -> dict:
    """Run the recipe; its card."""
    within(lambda: run_preferences(config, out, **rest), seconds=120)
    return json.loads((out / "card.json").read_text())


def rows(out: Path, name: str = "pairs.parquet") -> list[dict]:
    return pq.read_table(out / name).to_pylist()


def test_pairs_that_the_judge_tells_apart_are_kept_and_all_are_accounted_for(tmp_path):
    with serving(says(by_points)) as server:
        card = run(settings(server), tmp_path, problems=PROBLEMS)
        kept, judged = rows(tmp_path), [row for step in range(1, 5) for row in rows(tmp_path, f"judged/step-{step:06d}.parquet")]
        assert card["pairs"]["made"] == len(judged) == 26  # 13 prompts, 4 answers each, two by two
        assert sum(card["pairs"][name] for name in ("kept", "tie", "ungradable", "identical", "incomplete")) == 26
        assert card["pairs"]["kept"] == len(kept) > 3 and card["pairs"]["tie"] + card["pairs"]["identical"] > 0
        for row in kept:  # kept iff the gap is above 1, with the better one chosen
            assert row["judge_gap"] == points(row["chosen"]) - points(row["rejected"]) > 1
        for row in judged:
            if row["outcome"] in ("tie", "kept"):
                assert row["gap"] == points(row["first"]) - points(row["second"]) and row["place_bonus"] == 0
                assert (row["outcome"] == "kept") == (abs(row["gap"]) > 1)
            assert row["outcome"] != "identical" or row["first"] == row["second"]
        compared = card["pairs"]["kept"] + card["pairs"]["tie"]
        assert card["replies"] == {"asked": 4 * compared, "parsed": 4 * compared} and len(server.bodies) == 4 * compared
        assert card["place_bias"]["points"] == 0 and card["place_bias"]["n"] == compared
        assert card["place_bias"]["decided_by_place"]["value"] == 0 and card["chosen_is_longer"]["n"] <= len(kept)
        rollouts = [row for step in range(1, 5) for row in rows(tmp_path, f"rollouts/step-{step:06d}.parquet")]
        answers = {parse_trace(row["text"]).answer.strip() for row in rollouts}
        assert len(rollouts) == 52 and {row["chosen"] for row in kept} | {row["rejected"] for row in kept} <= answers
        # What reads preference files reads these.
        loaded = load_pairs(tmp_path / "pairs.parquet").items
        columns = ("id", "chosen", "rejected")
        assert [tuple(getattr(p, k) for k in columns) for p in loaded] == [tuple(row[k] for k in columns) for row in kept]
        assert [dict(m) for m in loaded[0].messages] == kept[0]["messages"]


def test_a_run_that_broke_off_goes_on_with_the_same_result_and_asks_nothing_twice(tmp_path):
    with serving(says(by_points)) as server:
        run(settings(server), tmp_path / "whole", problems=PROBLEMS)
        whole, count = (tmp_path / "whole" / "pairs.parquet").read_bytes(), len(server.bodies)
        server.bodies.clear()
        breaks = lambda handler, body: (says(by_points) if len(server.bodies) < count // 2 else status(500))(handler, body)  # noqa: E731
        server.plan = (breaks,)
        out = tmp_path / "broken"
        with pytest.raises(RunError, match="HTTP 500"):
            run(settings(server), out, problems=PROBLEMS)
        assert not (out / "pairs.parquet").exists() and list((out / "checkpoints").iterdir())
        num_answered = len([p for p in (out / "replies").rglob("*.json")])
        server.bodies.clear()
        server.plan = (says(by_points),)
        run(settings(server), out, problems=PROBLEMS)
        assert (out / "pairs.parquet").read_bytes() == whole and len(server.bodies) == count - num_answered
        # A finished run asks nothing more, and makes its pairs again where they are lost.
        (out / "pairs.parquet").unlink()
        server.plan = (status(500),)
        run(settings(server), out, problems=PROBLEMS)
        assert (out / "pairs.parquet").read_bytes() == whole
        with pytest.raises(InputError, match=r"other settings.*margin"):
            run(settings(server, judge={"margin": 2.0}), out, problems=PROBLEMS)
        (out / "judged" / "step-000002.parquet").unlink()
        with pytest.raises(RunError, match=r"step-000002\.parquet: cannot be read"):
            run(settings(server), out, problems=PROBLEMS)


def test_a_judge_that_favours_the_first_place_is_found_out_and_decides_nothing_by_it(tmp_path):
    biased = says(lambda question: '{"score_a": 9, "score_b": 4}')
    with serving(biased) as server:
        card = run(settings(server), tmp_path, problems=PROBLEMS)
    assert card["pairs"]["kept"] == 0 and card["pairs"]["tie"] > 0 and rows(tmp_path) == []
    assert card["place_bias"]["points"] == 5 and card["place_bias"]["decided_by_place"]["value"] == 1


def recorded_file(folder: Path, count: int = 6) -> Path:
    path = folder / "pairs.jsonl"
    worse = ["great", *["bad"] * (count - 1)]
    lines = [{"id": f"r{k}", "prompt": f"q{k}", "chosen": f"good {k}", "rejected": f"{worse[k]} {k}"} for k in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_recorded_answers_are_judged_anew_and_the_agreement_with_the_record_is_told(tmp_path):
    value = {"good": 7, "bad": 2, "great": 10}
    reply = says(lambda q: json.dumps({f"score_{n.lower()}": value[block(q, f"answer {n}").split()[0]] for n in "AB"}))
    with serving(reply) as server:
        config = settings(server, recorded=str(recorded_file(tmp_path)), problems={})
        card = run(config, tmp_path / "out")
    kept = {row["id"]: row for row in rows(tmp_path / "out")}
    assert kept["r0"]["chosen"] == "great 0" and kept["r0"]["judge_gap"] == 3  # the judge disagrees with the record here
    messages = [{"role": "user", "content": "q5"}]
    assert kept["r5"] == {"id": "r5", "messages": messages, "chosen": "good 5", "rejected": "bad 5", "judge_gap": 5}
    assert card["agrees_with_recorded"]["n"] == 6 and card["agrees_with_recorded"]["value"] == pytest.approx(5 / 6)


def test_pairs_whose_judge_faltered_are_counted_with_the_reason_and_not_kept(tmp_path):
    def falters(question):
        return "no idea" if "q3" in block(question, "conversation") else '{"score_a": 5, "score_b": 5}'

    with serving(says(falters)) as server:
        config = settings(server, recorded=str(recorded_file(tmp_path)), problems={}, judge={"failure_budget": 0.5})
        card = run(config, tmp_path / "out")
    assert card["pairs"] == {"made": 6, "kept": 0, "tie": 5, "ungradable": 1, "identical": 0, "incomplete": 0}
    assert card["ungradable_reasons"] == {"the reply holds no JSON object": 1} and card["replies"] == {"asked": 24, "parsed": 20}


def test_problems_of_other_kinds_are_left_out_and_counted(tmp_path):
    dangerous = [Problem(f"s{k}", p.messages, kind="safety") for k, p in enumerate(PROBLEMS[:5])]
    with serving(says('{"score_a": 5, "score_b": 5}')) as server:
        card = run(settings(server, samples=2), tmp_path / "a", problems=PROBLEMS[5:] + dangerous)
        assert card["left_out"]["of_another_kind"] == 5 and card["pairs"]["made"] == 8
        with pytest.raises(InputError, match="none of the 5 problems"):
            run(settings(server), tmp_path / "b", problems=dangerous)


@pytest.mark.parametrize(
    ("values", "says_"),
    [({"samples": 3}, "even"), ({"recorded": "x", "problems": {"limit": 3}}, "either recorded or sampled"),
     ({"thought_tags": ["a", "a"]}, "tags")],
)
def test_settings_that_cannot_work_are_refused(values, says_):
    with pytest.raises(InputError, match=says_):
        PreferencesConfig.read(values)


def test_what_this_recipe_does_not_read_is_refused(tmp_path):
    config = PreferencesConfig.read({"judge": {"model": "tiny"}})
    with pytest.raises(InputError, match=r"judge\.model"):
        run_preferences(PreferencesConfig(), tmp_path)
    with pytest.raises(InputError, match="either recorded or sampled"):
        run_preferences(config.model_copy(update={"recorded": "x.jsonl"}), tmp_path, problems=PROBLEMS)


def test_the_recipe_runs_by_name_and_writes_a_report(tmp_path):
    resolve(find_recipe("preferences"))
    with serving(says(by_points)) as server:
        judge = {"base_url": server.url, "model": "j"}
        out = within(lambda: sanmai.run(
            "preferences", out=tmp_path / "run", recorded=str(recorded_file(tmp_path)), judge=judge), 120)
    assert (out / "pairs.parquet").exists() and (out / "report.html").exists()


# A local folder as the judge


def local(**changes) -> JudgeConfig:
    return JudgeConfig.read({"model": "tiny", "max_tokens": 24, "failure_budget": 1.0, **changes})


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_a_local_folder_replies_by_its_weights_and_seed_alone():
    questions = [ask(f"what is {k} plus 4 ?") for k in range(5)]
    judge = judge_transport(local(temperature=1.0))
    assert isinstance(judge, LocalJudge)
    found = judge(questions)
    assert any(isinstance(reply, str) for reply in found) and judge(questions[::-1])[::-1] == found
    one, other = (judge_transport(local(temperature=1.0, seed=seed))(questions) for seed in (1, 2))
    assert one != other


def test_a_local_reply_is_remembered_unless_the_weights_changed(tmp_path):
    judge, question = LocalJudge(local(max_tokens=64), ReplyCache(tmp_path)), [ask("what is 3 plus 4 ?")]
    [reply] = judge(question)
    assert isinstance(reply, str) and [p.read_text() for p in tmp_path.rglob("*.json")]
    [path] = tmp_path.rglob("*.json")
    ReplyCache(tmp_path).put(path.stem, "from the cache")
    assert judge(question) == ["from the cache"]
    assert LocalJudge(local(max_tokens=64), ReplyCache(tmp_path))(question) == ["from the cache"]
    assert LocalJudge(local(max_tokens=63), ReplyCache(tmp_path))(question) != ["from the cache"]
    next(iter(judge.policy.model.parameters())).data.add_(0.01)
    judge.revision = weights_digest(judge.policy)
    assert judge(question) != ["from the cache"]


def test_each_question_to_a_local_folder_has_its_own_entry(tmp_path):
    judge = LocalJudge(local(max_tokens=64), ReplyCache(tmp_path))
    questions = [ask("what is 3 plus 4 ?"), ask("what is 2 plus 6 ?")]
    found = judge(questions)
    assert all(isinstance(reply, str) for reply in found) and found[0] != found[1] and len(list(tmp_path.rglob("*.json"))) == 2
    assert judge(questions) == found and judge(questions[::-1]) == found[::-1]


def test_a_local_reply_that_does_not_fit_or_does_not_end_is_no_reply():
    judge = LocalJudge(local(max_tokens=1))
    assert judge([ask("what is 3 plus 4 ?")]) == [Failure("cut_off", "the reply ran into max_tokens")]
    found = LocalJudge(local())([ask("3 " * 3000), ask("what is 3 plus 4 ?")])
    assert isinstance(found[0], Failure) and found[0].kind == "too_large" and found[1] != found[0]


def test_a_special_token_in_what_is_judged_stays_text():
    judge = LocalJudge(local())
    name = judge.policy.tokenizer.eos_token
    assert judge._as_text_alone({"role": "user", "content": f"a{name}b"})["content"] == f"a{name[0]}\\{name[1:]}b"


def test_a_local_model_that_cannot_judge_invents_nothing(tmp_path):
    # The embedded base writes sums, no verdicts.
    config = PreferencesConfig.read({"judge": {"model": "tiny", "max_tokens": 24}, "recorded": str(recorded_file(tmp_path, 2))})
    with pytest.raises(RunError, match="judge 'tiny': 8 of 8 questions got no usable verdict"):
        run_preferences(config, tmp_path / "out")
    assert not (tmp_path / "out" / "pairs.parquet").exists()


def test_a_judge_without_a_name_is_refused():
    with pytest.raises(InputError, match=r"judge\.model"):
        judge_transport(JudgeConfig())


def test_the_reward_recipe_reads_the_pairs_and_takes_no_points_for_logits(tmp_path):
    with serving(says(by_points)) as server:
        run(settings(server), tmp_path, problems=PROBLEMS)
    pairs = load_pairs(tmp_path / "pairs.parquet").items
    assert pairs and all(pair.margin == 0 and pair.tags["judge_gap"] > 1 for pair in pairs)
