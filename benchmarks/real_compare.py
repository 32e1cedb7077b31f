"""The comparison of RL, SFT and both on a real model: files of public sets, then `sanmai run compare`.

    sanmai get smollm2
    python benchmarks/refusal_judge.py --data FOLDER       # prints the folder of a judge trained on people's labels
    python benchmarks/real_compare.py --data FOLDER [--judge JUDGE] [--out runs/real-compare] [--seeds 0 1 2]
                                      [--set KEY=VALUE ...] [--only STAGE] [--files]

FOLDER holds public sets under the names of docs/data.md. What is made of them (ids are kept, texts go nowhere else):

    safety.jsonl           AdvBench's goals; STAR-1's questions, each with the first sentence of its answer where that refuses
    general.jsonl          RM-Bench's chat prompts, each with its concise good answer; TruthfulQA's questions with the best answer
    unseen_safety.jsonl    HarmBench, StrongREJECT and do-not-answer: categories and wordings that no stage sees
    unseen_general.jsonl   XSTest's safe prompts, which look dangerous

--judge names what tells harm and refusals in the report, beside the refusal rules; the limits are driven by the rules alone.
--look trains nothing: how often each arm says "sorry" to dangerous requests, as the reward pays for, and does harm all the same.
--files makes the files and stops. A run that was interrupted goes on. A seed takes some 40 minutes on one core with AMX.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from sanmai.data.trace import parse_trace
from sanmai.refusals.rules import refusal_verdict
from sanmai.report.findings import COMPARED
from sanmai.stats import Rate, rate
from sanmai.types import Problem

Row = dict[str, str]
_LONGEST_SHOWN = 40
"""Words of an answer that is shown: 64 tokens must hold it."""


def safety(data: Path) -> Iterator[Row]:
    for row in _csv(data / "advbench/advbench_goals.csv"):
        yield {"id": f"advbench/{row['index']}", "prompt": row["goal"]}
    for row in _jsonl(data / "star1/star1_safety_sft.jsonl"):
        answer = parse_trace(row["response"]).answer.strip()
        first = re.split(r"(?<=[.!?])\s", answer, maxsplit=1)[0]
        if refuses(row["question"], first) and len(first.split()) <= _LONGEST_SHOWN:
            yield {"id": f"star1/{row['id']}", "prompt": row["question"], "response": first}


def refuses(question: str, answer: str) -> bool:
    problem = Problem("shown", ({"role": "user", "content": question},), kind="safety")
    return refusal_verdict(problem, parse_trace(answer)).label == "full_refusal"


def general(data: Path) -> Iterator[Row]:
    for row in _jsonl(data / "rm_bench/chat.jsonl"):
        if len(row["chosen"][0].split()) <= _LONGEST_SHOWN:
            yield {"id": f"rm_bench/{row['id']}", "prompt": row["prompt"], "response": row["chosen"][0]}
    for index, row in enumerate(_csv(data / "truthfulqa/truthfulqa_dev.csv")):
        yield {"id": f"truthfulqa/{index}", "prompt": row["Question"], "response": f"{row['Best Answer'].rstrip('.')}."}


def unseen_safety(data: Path) -> Iterator[Row]:
    for row in _csv(data / "harmbench/harmbench_standard_val.csv"):
        yield {"id": f"harmbench/{row['BehaviorID']}", "prompt": row["Behavior"], "category": row["SemanticCategory"]}
    for index, row in enumerate(_csv(data / "strongreject/strongreject_dev.csv")):
        yield {"id": f"strongreject/{index}", "prompt": row["forbidden_prompt"], "category": row["category"]}
    for index, row in enumerate(_jsonl(data / "do_not_answer/do_not_answer.jsonl")):
        yield {"id": f"do_not_answer/{index}", "prompt": row["prompt"], "category": row["risk_area"]}


def unseen_general(data: Path) -> Iterator[Row]:
    for row in _csv(data / "xstest/xstest_dev.csv"):
        if row["label"] == "safe":
            yield {"id": f"xstest/{row['id']}", "prompt": row["prompt"], "category": row["type"]}


FILES = {"safety": safety, "general": general, "unseen_safety": unseen_safety, "unseen_general": unseen_general}


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_files(data: Path, out: Path) -> Path:
    """The files beside a run's folder; the folder that they are in."""
    made = out.with_name(f"{out.name}-data")
    made.mkdir(parents=True, exist_ok=True)
    for name, rows_of in FILES.items():
        try:
            rows = list(rows_of(data))
        except FileNotFoundError as error:
            raise SystemExit(f"--data: {error.filename} is missing; docs/data.md says which public sets are read") from None
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (made / f"{name}.jsonl").write_text(text, encoding="utf-8")
        shown = sum("response" in row for row in rows)
        print(f"{made / name}.jsonl: {len(rows)} prompts, {shown} of them with an answer")
    return made


def sorry_lines(out: Path) -> Iterator[str]:
    """By arm and set of dangerous requests: answers with the rewarded keyword, and harm among these by judge and rules."""
    scores: dict[str, dict[str, list[dict]]] = {}
    for stage in json.loads((out / "graph.json").read_text(encoding="utf-8")):
        for path in sorted((out / stage["folder"]).glob("evaluations/step-*.parquet")) if stage.get("arm") else ():
            scores.setdefault(stage["arm"], {})[stage["seed"]] = pq.read_table(path).to_pylist()
    yield '| arm | requests | answers | say "sorry", % | harm all the same, first judge, % | the same by the rules, % |'
    yield "|---|---|---|---|---|---|"
    for arm, by_seed in scores.items():
        for name, is_unseen in (("seen kinds", False), ("unseen kinds", True)):
            measure = COMPARED["harm_ood" if is_unseen else "harm"]
            rows = [row for rows in by_seed.values() for row in rows if measure.asks(row)]
            if not rows:
                continue
            says = ["sorry" in row["text"].casefold() for row in rows]
            sorry = [row for row, says_it in zip(rows, says, strict=True) if says_it]
            said = rate([float(x) for x in says], [str(row["problem_id"]) for row in rows])
            harms = [_share(sorry, column) for column in ("score/harm", "score/harm_rules")]
            seeds = ", ".join(by_seed)
            yield f"| {arm} (seeds {seeds}) | {name} | {len(rows)} | {_percent(said)} | {' | '.join(harms)} |"


def _share(rows: list[dict], column: str) -> str:
    told = [row for row in rows if row.get(column) is not None]
    return _percent(rate([float(row[column]) for row in told], [str(row["problem_id"]) for row in told])) if told else "-"


def _percent(found: Rate) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/real-compare"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--judge", type=Path, help="run folder of a judge of refusals (benchmarks/refusal_judge.py)")
    parser.add_argument("--only", metavar="STAGE", help="one stage, such as rl-0")
    parser.add_argument("--files", action="store_true", help="make the files and stop")
    parser.add_argument("--look", action="store_true", help="say what the answers of a run in --out are, and stop")
    arguments = parser.parse_args()
    if arguments.look:
        print("\n".join(sorry_lines(arguments.out)))
        return
    made = write_files(arguments.data, arguments.out)
    if not arguments.files:
        files = [f"data.{name}={made / name}.jsonl" for name in FILES]
        judge = [f"evaluation.gold.refusal_from={arguments.judge}"] if arguments.judge else []
        settings = [*files, *judge, f"seeds={json.dumps(arguments.seeds)}", *arguments.set]
        command = [
            sys.executable,
            "-m",
            "sanmai.cli",
            "compare",
            "--config",
            "compare-smollm2",
            "--out",
            str(arguments.out),
            *(["--only", arguments.only] if arguments.only else []),
        ]
        raise SystemExit(subprocess.run([*command, *(x for s in settings for x in ("--set", s))]).returncode)


if __name__ == "__main__":
    main()
