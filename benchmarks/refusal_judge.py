"""A judge of refusals trained on people's labels, measured on answers that it never saw, beside the rules and one of the people.

    sanmai get smollm2
    python benchmarks/refusal_judge.py --data FOLDER [--choose] [--seeds 1 2] [--model smollm2]

FOLDER has `xstest/labelled_completions*.jsonl`, XSTest's labelled answers (github.com/paul-rottger/exaggerated-safety, CC-BY):
those of five models, each with two people's labels. What is reported is of a quarter of the prompts, of which nobody had read an
answer when the refusal rules were written (docs/metrics/refusal.md) and which, like their contrasts, train no judge. The judge
learns from the answers of four models to the other prompts; the fifth model's are answers of a source that it never saw.
`--choose` never looks at that quarter: it trains on four fifths of the training part and measures on the last fifth, to choose
settings by.

In the file that is used here all answers to dangerous prompts are full refusals, as the others were left out of it: kappa on
harmless prompts alone, and of answers under another's prompt, stand beside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sanmai.data.files import read_rows
from sanmai.data.preferences import LabelledRefusal, load_refusals
from sanmai.data.refusals import class_of, xstest_pair
from sanmai.instruments.kappa import Kappa, cohens_kappa
from sanmai.instruments.refusal_agreement import Told
from sanmai.recipes.refusal_evaluation import agreement_of, under_other_prompts
from sanmai.recipes.reward_data import encode_examples
from sanmai.rewards.reward_model import RewardModel
from sanmai.stats import rate
from sanmai.types import InputError

Row = dict
SETTINGS = (
    "examples_per_step=16", "epochs=2", "optimizer.lr=5e-5", "optimizer.warmup_steps=5", "first_tokens=64", "other_prompts=0.5",
    "optimizer.micro_tokens=4096", "preferences.evaluation_limit=32", "checkpoints.every=100000",
)  # fmt: skip
UNSEEN_MODEL = "gpt4"


def labelled_rows(folder: Path) -> list[Row]:
    """The labelled answers of XSTest in a folder of public data."""
    files = sorted(folder.glob("xstest/labelled_completions*.jsonl")) or sorted(folder.glob("labelled_completions*.jsonl"))
    if not files:
        raise InputError(f"{folder}: no xstest/labelled_completions*.jsonl in it")
    return [dict(row) for file in files for _, row in read_rows(file) if not isinstance(row, str)]


def unread(rows: list[Row]) -> set[str]:
    """Ids of the quarter of the prompts whose answers nobody read when the rules were written (instruments/test_oracles.py)."""
    ids = sorted({row["id"] for row in rows})
    random.Random(20241121).shuffle(ids)
    later = ids[len(ids) // 2 :]
    return set(later[len(later) // 2 :])


def pair_of(row: Row) -> str:
    return xstest_pair(row["id"], row["type"]) or row["prompt"]


def parts(rows: list[Row], *, choose: bool) -> tuple[list[Row], dict[str, list[Row]]]:
    """What is trained on, and by name what is measured on; no prompt of the one is in the other, nor the contrast of one."""
    test = [row for row in rows if row["id"] in unread(rows)]
    kept_apart = {pair_of(row) for row in test}
    seen = [row for row in rows if pair_of(row) not in kept_apart and row["model"] != UNSEEN_MODEL]
    if choose:
        last = [row for row in seen if int(hashlib.sha256(pair_of(row).encode()).hexdigest(), 16) % 5 == 0]
        held_out = {pair_of(row) for row in last}
        return [row for row in seen if pair_of(row) not in held_out], {"prompts to choose by": last}
    return seen, {
        "unseen prompts, four models": [row for row in test if row["model"] != UNSEEN_MODEL],
        f"unseen prompts, unseen model ({UNSEEN_MODEL})": [row for row in test if row["model"] == UNSEEN_MODEL],
        "unseen prompts, harmless ones alone": [row for row in test if row["prompt_label"] == "safe"],
        "unseen prompts, all": test,
    }


def trained(rows: list[Row], held_out: list[Row], args: argparse.Namespace, seed: int) -> Path:
    """The run folder of a judge; one that is there already is not trained again."""
    name = hashlib.sha256(json.dumps([rows, SETTINGS, args.set, args.model, seed]).encode()).hexdigest()[:8]
    args.out.mkdir(parents=True, exist_ok=True)
    sources = {}
    for part, of in (("source", rows), ("evaluation", held_out)):
        sources[part] = args.out / f"{name}-{part}.jsonl"
        sources[part].write_text("".join(json.dumps(row) + "\n" for row in of), encoding="utf-8")
    settings = ["objective=refusal", f"model.name={args.model}", f"seed={seed}", *SETTINGS, *args.set]
    settings += [f"preferences.{part}={json.dumps(str(path))}" for part, path in sources.items()]
    command = [sys.executable, "-m", "sanmai.cli", "run", "reward", "--out", str(args.out / name)]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
    if done.returncode:
        raise SystemExit(f"training failed:\n{done.stdout[-2000:]}{done.stderr}")
    return args.out / name


def table(folder: Path, measured: dict[str, list[Row]]) -> Iterator[str]:
    """A line per part and judge, and one of answers under other prompts."""
    model = RewardModel.load(folder)
    everything = list({f"{row['id']}/{row['model']}": row for rows in measured.values() for row in rows}.values())
    items = load_refusals("answers", rows=everything, on_warning=lambda said: None).items
    scores = dict(zip((item.id for item in items), scored(model, items), strict=True))
    yield "| answers | judge | kappa with people | refusals found: full, partial, % | compliances called refusals, % | n |"
    yield "|---" * 6 + "|"
    for name, rows in measured.items():
        ids = {f"{row['id']}/{row['model']}" for row in rows}
        part = [item for item in items if item.id in ids]
        found = agreement_of(part, [scores[item.id] for item in part])
        for who, told in (("trained judge", found.judge), ("refusal rules", found.rules)):
            yield f"| {name} | {who} | {kappa(told.kappa)} | {called(told)} | {told.kappa.n} |"
        low, high = 100 * found.disagree.low, 100 * found.disagree.high
        yield f"| {name} | both, where they agree | {kappa(found.agreed)} | | | {found.agreed.n} |"
        yield f"| {name} | judge and rules disagree on {100 * found.disagree.value:.1f} % [{low:.1f}, {high:.1f}] | | | | |"
        yield f"| {name} | one person, with the other | {kappa(between_people(rows))} | | | {len(rows)} |"
    moved = under_other_prompts(items, 1.0, 0)
    right = [float((score > 0) is item.is_refusal) for score, item in zip(scored(model, moved), moved, strict=True)]
    share = rate(right, [repr(item.messages) for item in moved])
    yield f"\nunder a prompt whose own answer has the other label: {100 * share.value:.1f} % of {len(right)} answers right " + (
        f"[{100 * share.low:.1f}, {100 * share.high:.1f}], n = {share.n} prompts"
    )


def scored(model: RewardModel, items: Sequence[LabelledRefusal]) -> list[float]:
    """The judge's logit of each answer."""
    examples = encode_examples(model, items, 10**9, "answers", lambda said: None)
    return model.score([e.sequences[0] for e in examples])


def called(told: Told) -> str:
    full, partial, compliance = (told.called[c] for c in ("full_refusal", "partial_refusal", "compliance"))

    def share(found) -> str:
        return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]" if found.n else "-"

    return f"{share(full)}, {share(partial)} | {share(compliance)}"


def kappa(found: Kappa) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def between_people(rows: list[Row]) -> Kappa:
    """How the two people who labelled the answers agree on refused or not."""
    refuses: Callable[[str], str] = lambda label: str(class_of(label) != "compliance")  # noqa: E731
    pairs = [(refuses(row["annotation_1"]), refuses(row["annotation_2"])) for row in rows]
    return cohens_kappa(pairs, [xstest_pair(row["id"], row["type"]) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of public data, with xstest/ in it")
    parser.add_argument("--model", default="smollm2", help="what the judge is made of")
    parser.add_argument("--choose", action="store_true", help="measure on a part of the training prompts, to choose settings by")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of training; a table for each")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="settings in place of those above")
    parser.add_argument("--out", type=Path, default=Path("runs/refusal-judge"))
    args = parser.parse_args()
    training, measured = parts(labelled_rows(args.data), choose=args.choose)
    print(f"{len(training)} answers to train on; {args.model}; {', '.join([*SETTINGS, *args.set])}")
    for seed in args.seeds:
        began = time.monotonic()
        folder = trained(training, list(measured.values())[-1], args, seed)
        print(f"\nseed {seed}, {time.monotonic() - began:.0f} s, {folder}:\n", flush=True)
        for line in table(folder, measured):
            print(line, flush=True)


if __name__ == "__main__":
    main()
