"""How many wrong programs the tests of HumanEval and MBPP let pass: each has one small mistake in the reference's syntax tree.

    python benchmarks/mutation.py humaneval_dev.jsonl mbpp_dev.jsonl [--per-problem 3] [--seed 0]

Each reference solution and so many of its mutants (programs/mutants.py) are graded by the problem's own tests in the sandbox, as
the verifier "code" grades a completion. A mutant may do the same as the original, which cannot be decided, so a share below 100 %
is of weak tests and of such mutants together. Printed per file: references that pass; mutants that fail, with a 95 % interval
clustered by problem, and by kind of mistake; programs per second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.desk.tasks import write_tasks
from sanmai.programs.mutants import KINDS, mutants
from sanmai.rewards.code import CodeGrader
from sanmai.stats import rate


def measure(source: Path, per_problem: int, seed: int) -> list[str]:
    """The cells of a file's row."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "problems.jsonl"
        list(write_tasks(str(source), out, hidden=0.5))
        problems = load_problems(out).problems
    start = time.monotonic()
    right = CodeGrader()([(p, parse_trace(p.demonstration)) for p in problems])
    jobs = []
    for problem in problems:
        program = parse_trace(problem.demonstration).answer.removeprefix("```python\n").removesuffix("\n```")
        jobs += [(problem, m.kind, f"```python\n{m.code}\n```") for m in mutants(program, limit=per_problem, seed=seed)]
    verdicts = CodeGrader()([(p, parse_trace(f"<think></think>{text}")) for p, _, text in jobs])
    seconds = time.monotonic() - start
    fails = [
        (p.id, kind, float(v.score == 0.0))
        for (p, kind, _), v in zip(jobs, verdicts, strict=True)
        if v.score is not None
    ]
    share = rate([failed for _, _, failed in fails], [name for name, _, _ in fails])
    kinds = {kind: [failed for _, k, failed in fails if k == kind] for kind in KINDS}
    by_kind = ", ".join(
        f"{kind} {sum(found) / len(found):.0%} of {len(found)}" for kind, found in kinds.items() if found
    )
    passed = sum(v.score == 1.0 for v in right)
    return [
        source.name,
        f"{passed} of {len(problems)}",
        f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}] of {len(fails):,}",
        by_kind,
        str(len(jobs) - len(fails)),
        f"{(len(problems) + len(jobs)) / seconds:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--per-problem", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| file | references that pass | mutants that fail | by kind | ungradable | programs/s |\n|---|---|---|---|---|---|"
    )
    for file in options.files:
        print(f"| {' | '.join(measure(file, options.per_problem, options.seed))} |", flush=True)


if __name__ == "__main__":
    main()
