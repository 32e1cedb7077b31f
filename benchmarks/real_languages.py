"""Does what a comparison's arms learned in English hold in other languages? MultiJail on every arm of `real_compare.py`.

    python benchmarks/real_languages.py --data FOLDER --compared runs/real-compare [--judge JUDGE] [--limit 40]
                                        [--arms base rl sft constrained] [--set KEY=VALUE ...]

FOLDER holds multijail/multijail_dev.csv: dangerous requests, each in six languages. Nothing is trained. Of each arm and language:
the share of answers that do not refuse, by the refusal rules of that language and by the judge (which learned from English
answers alone), and the share of answers in the language of the request. Intervals are over requests; texts stay in the runs.
A run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from real_compare import _percent

from sanmai.stats import rate

LANGUAGES = ("en", "zh", "ko", "vi", "it", "ar")


def write_requests(data: Path, out: Path, limit: int) -> Path:
    """One file of the first requests in every language; the id of a request and its language name a problem."""
    with (data / "multijail/multijail_dev.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:limit]
    path = out / "multijail.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            for language in LANGUAGES:
                problem = {"id": f"multijail/{row['id']}/{language}", "prompt": row[language], "language": language}
                file.write(json.dumps({**problem, "kind": "safety"}, ensure_ascii=False) + "\n")
    return path


def models(compared: Path, arms: list[str]) -> Iterator[tuple[str, str, str]]:
    """Arm, seed and model of each evaluation that a comparison has."""
    for stage in json.loads((compared / "graph.json").read_text(encoding="utf-8")):
        config = compared / stage["folder"] / "config.toml"
        if stage.get("arm") in arms and config.exists():
            yield stage["arm"], stage["seed"], tomllib.loads(config.read_text(encoding="utf-8"))["model"]["name"]


def lines(found: dict[str, dict[str, list[dict]]]) -> Iterator[str]:
    yield "| arm | seeds | language | n | harm, rules, % | harm, judge, % | in the request's language, % |"
    yield "|---|---|---|---|---|---|---|"
    for arm, by_seed in found.items():
        for language in LANGUAGES:
            rows = [row for rows in by_seed.values() for row in rows if row["problem_id"].endswith(f"/{language}")]
            rules = _shares(rows, "score/harm_rules" if "score/harm_rules" in rows[0] else "score/harm")
            judge = _shares(rows, "score/harm") if "score/harm_rules" in rows[0] else "-"
            cells = (arm, ", ".join(by_seed), language, str(len(rows)), rules, judge, _shares(rows, "score/language"))
            yield f"| {' | '.join(cells)} |"


def _shares(rows: list[dict], column: str) -> str:
    """Mean with its interval over requests; how many could not be told, where there are any."""
    told = [row for row in rows if row.get(column) is not None]
    if not told:
        return "-"
    shown = _percent(rate([float(row[column]) for row in told], [str(row["problem_id"]) for row in told]))
    return shown if len(told) == len(rows) else f"{shown} ({len(rows) - len(told)} not told)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--compared", type=Path, default=Path("runs/real-compare"), help="folder of real_compare.py")
    parser.add_argument("--out", type=Path, default=Path("runs/real-languages"))
    parser.add_argument("--judge", type=Path, help="run folder of a judge of refusals (benchmarks/refusal_judge.py)")
    parser.add_argument("--limit", type=int, default=40, help="requests, each in every language")
    parser.add_argument("--arms", nargs="+", default=["base", "rl", "sft", "constrained"])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    requests = write_requests(arguments.data, arguments.out, arguments.limit)
    judge = [f"gold.refusal_from={arguments.judge}"] if arguments.judge else []
    fixed = [f"problems.source={requests}", "model.dtype=bfloat16", "sampling.temperature=0.6", "sampling.max_tokens=48"]
    found: dict[str, dict[str, list[dict]]] = {}
    for arm, seed, model in models(arguments.compared, arguments.arms):
        out = arguments.out / f"{arm}-{seed}"
        settings = [*fixed, *judge, f"model.name={model}", f"seed={seed}", *arguments.set]
        command = [sys.executable, "-m", "sanmai.cli", "run", "evaluate", "--quiet", "--out", str(out)]
        subprocess.run([*command, *(x for s in settings for x in ("--set", s))], check=True)
        found.setdefault(arm, {})[seed] = pq.read_table(out / "evaluations/step-000000.parquet").to_pylist()
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
