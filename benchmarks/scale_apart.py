"""Is the time of a run with samplers apart what `sanmai scale` plays? Wall time, with samplers and a trainer that wait.

    python benchmarks/scale_apart.py --smoke
    python benchmarks/scale_apart.py         # 2 samplers at staleness 0 and 1, 3 at staleness 1: 15 minutes, mostly asleep

A run of zero is the real one: its pool, its staleness, what is published, loaded, checked by canary, graded and recorded. But
a part takes as long as a GPU of so many seconds a decode step and a token would, and an update so many seconds: whoever is done
earlier sleeps. So more of them do not share this machine's cores, and what they take is known. Played are the same lengths with
the same seconds; what publishing and loading took is measured in the run. Counted is what lies between the end of the first
step, in which samplers start, and that of the last, without its evaluation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

FLEETS = ((2, 0), (2, 1), (3, 1))
"""Samplers and staleness."""
PARTS = 4
_ONE = threading.Lock()
"""`transformers` loads one model at a time in a process."""


class Waits:
    """Seconds of a decode step, of a token and of an update; and what took how long."""

    def __init__(self, scale: float) -> None:
        self.step, self.token, self.update = 0.1 * scale, 0.02 * scale, 6.0 * scale
        self.publishing: list[float] = []
        self.loading: list[float] = []

    def link(self, number: int) -> Any:
        """A sampler in this process that takes as long as it should."""
        from sanmai.cluster.worker import Worker

        return Waiting(self, f"sampler {number}", Worker)

    def work_in(self) -> None:
        """From here on runs have such samplers and such a trainer."""
        import sanmai.cluster.samplers as samplers
        import sanmai.learn.learner as learner

        def until(owner: Any, name: str, done: Any) -> None:
            function = getattr(owner, name)

            def timed(*args: Any, **named: Any) -> Any:
                start = time.monotonic()
                found = function(*args, **named)
                done(time.monotonic() - start)
                return found

            setattr(owner, name, timed)

        until(samplers.Samplers, "publish", self.publishing.append)
        until(learner.Learner, "update", lambda took: time.sleep(max(self.update - took, 0.0)))
        links = lambda config, work, policy: [self.link(number) for number in range(1, config.samplers + 1)]  # noqa: E731
        vars(samplers)["links_of"] = links


class Waiting:
    """Fills `cluster.links.Link`."""

    tells_digest = True

    def __init__(self, waits: Waits, name: str, make: Any) -> None:
        self.name, self._waits, self._make = name, waits, make

    def start(self, seconds: float) -> None:
        self._worker = self._make()

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Any = None) -> dict[str, Any]:
        start = time.monotonic()
        if publication is not None:
            question = {**question, "path": str(publication.path)}
        with _ONE:
            answer = self._worker.answer(json.loads(json.dumps(question)))
        if question["do"] == "load":
            self._waits.loading.append(time.monotonic() - start)
        elif question["do"] == "write":
            lengths = [len(tokens) for _, _, tokens, *_ in answer["done"]]
            took = self._waits.step * max(lengths) + self._waits.token * sum(lengths)
            time.sleep(max(start + took - time.monotonic(), 0.0))
        return answer

    def stop(self) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...
    def fail(self) -> bool:
        return False


def compared(waits: Waits, num_steps: int, samplers: int, staleness: int, folder: Path) -> str:
    """A run, and the same played."""
    from sanmai.learn.progress import Progress
    from sanmai.plan.scale.fleet import Fleet, simulate
    from sanmai.plan.scale.recorded import Fitted, read_run
    from sanmai.plan.scale.work import steps_of
    from sanmai.recipes import find_recipe, resolve

    recipe = find_recipe("zero")
    config = resolve(recipe, overrides=[
        f"num_steps={num_steps}", "prompts_per_step=8", "rollouts_per_prompt=4", "problems.world.heldout=2",
        "problems.world.train=60", "evaluation.every=1000", "checkpoints.every=1000", "cluster.transport=processes",
        f"cluster.samplers={samplers}", f"cluster.parts={PARTS}", "model.threads=1",
        *([f"cluster.staleness={staleness}", "loss.importance_cap=2"] if staleness else []),
    ])  # fmt: skip
    run = recipe.run(config, folder, progress=Progress.silent())
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    steps = {e["step"]: (datetime.fromisoformat(e["time"]), e["seconds"]) for e in events if e["event"] == "step"}
    last = steps[num_steps][1]
    real = (steps[num_steps][0] - steps[1][0]).total_seconds() - last.get("evaluation", 0.0) - last.get("saving", 0.0)
    recorded = read_run(run).workload
    work = replace(recorded, evaluations=(), parts=PARTS, saving=0.0, checkpoint=0.0)
    training = {"updates": waits.update}
    rates = Fitted({"sampling": {"steps": waits.step, "tokens": waits.token}, "training": training})
    publish, load = median(waits.publishing), median(waits.loading)
    fleet = Fleet(samplers, staleness, publish=publish, load=load)
    played = simulate(steps_of(work, recorded.record, rates, ranks=1), fleet)
    expected = played.seconds - played.spans[0].done
    return (
        f"{samplers} samplers, staleness {staleness}: real {real:.1f} s, played {expected:.1f} s, ratio {real / expected:.2f}; "
        f"published in {publish:.2f} s, loaded in {load:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="short waits: does it run?")
    parser.add_argument("--scale", type=float, default=4.0, help="seconds of a part and of an update, in multiples of some 5")
    args = parser.parse_args()
    waits = Waits(0.02 if args.smoke else args.scale)
    waits.work_in()
    with tempfile.TemporaryDirectory(prefix="apart-") as folder:
        for samplers, staleness in FLEETS[: 2 if args.smoke else None]:
            waits.publishing.clear()
            waits.loading.clear()
            run, num_steps = Path(folder) / f"{samplers}-{staleness}", 3 if args.smoke else 5
            print(compared(waits, num_steps, samplers, staleness, run), flush=True)


if __name__ == "__main__":
    main()
