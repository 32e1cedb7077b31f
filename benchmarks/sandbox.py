"""Programs per second through the sandbox, beside plain interpreters for scale.

    python benchmarks/sandbox.py --smoke
    python benchmarks/sandbox.py                      # 100 programs of each kind in each of 5 repeats, a thread per core

    plain      `python -c`, as the sandbox starts it (-s -S -P), no sandbox: what a process costs on this machine
    script     `run_program`: namespaces, a root folder, the filter of system calls, limits; its output read
    tests      `grade_program`: the same, and three tests in a process that the program cannot reach
    one core   `script` from a single thread

The kinds take turns in every repeat. Prints programs per second, median over repeats (smallest..largest), the time of one with
the machine to itself and how many plain interpreters it costs. What was in force is printed: numbers without it say nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from statistics import median
from typing import Any

import common

from sanmai.programs.grade import grade_program
from sanmai.programs.run import describe_isolation, run_program

BAR = 30.0
"""Short programs per second on 2 cores."""
CODE = "def add(a, b):\n    return a + b\n"
TESTS = ("assert add(2, 3) == 5", "assert add(-1, 1) == 0", "assert add('a', 'b') == 'ab'")


def plain(number: int) -> None:
    command = [os.path.realpath(sys.executable), "-s", "-S", "-P", "-c", f"print({number})"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{number}\n"


def script(number: int) -> None:
    assert run_program(f"print({number})").stdout == f"{number}\n"


def tests(number: int) -> None:
    assert grade_program(CODE, TESTS).all_passed


KINDS: dict[str, tuple[Callable[[int], None], bool]] = {
    "plain": (plain, True), "script": (script, True), "tests": (tests, True), "one core": (script, False),
}  # fmt: skip


def per_second(work: Callable[[int], None], count: int, threads: int) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))
    return count / (time.perf_counter() - start)


def report(runs: list[dict[str, Any]], isolation: list[str]) -> str:
    found = common.collect(runs, lambda run: run["kind"], {"programs/s": lambda run: run["per_second"]})
    ratios = {
        kind: common.ratio_cell(found["plain"]["programs/s"], found[kind]["programs/s"]).strip()
        for kind in ("script", "tests")
    }
    least = min(median(found[kind]["programs/s"]) for kind in ("script", "tests"))
    lines = [common.table(found, "kind"), "", *isolation, ""]
    lines += [f"{kind}: costs as much as {ratio} plain interpreters" for kind, ratio in ratios.items()]
    lines.append(f"{least:.0f} programs/s (bar on 2 cores: {BAR:g})")
    return "\n".join(lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--count", type=int, default=100, help="programs of each kind in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=common.num_cores(), help="programs at a time")
    args = parser.parse_args()
    if args.smoke:
        args.count, args.repeats = 4, 1
    isolation = describe_isolation()
    for work, _ in KINDS.values():
        work(0)
    runs = []
    for repeat in range(args.repeats):
        for kind, (work, is_parallel) in KINDS.items():
            load = os.getloadavg()[0]
            found = per_second(work, args.count, args.threads if is_parallel else 1)
            runs.append({"kind": kind, "repeat": repeat, "load": load, "per_second": found})
            print(f"repeat {repeat} {kind}: {found:.1f} programs/s, load {load:.1f}", file=sys.stderr)
    facts = common.facts_of(args, load=common.load_range(runs))
    print(*(f"{name}={value}" for name, value in facts.items()), end="\n\n")
    print(report(runs, isolation))
    common.write_json(args, facts=facts, runs=runs, isolation=asdict(run_program("").isolation))


if __name__ == "__main__":
    main()
