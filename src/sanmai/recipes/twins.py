"""Perturbed copies of a file's problems (`sanmai twins`): twins with other numbers, or the same behind a decoy or in a picture.

Evaluate originals and copies together, with one seed, and compare them problem by problem (instruments/generalisation.py,
instruments/overthinking.py; rollout/measure.py for pictures): a generic file that `sanmai run evaluate --set problems.source=OUT`
reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sanmai.data.decoys import add_decoy
from sanmai.data.rendering import RenderingError, draw_text, rendered
from sanmai.data.testbeds import TESTBEDS, find_testbed, own_testbed
from sanmai.data.twins import RefusedError, Worked, make_twin, read_worked
from sanmai.learn.sources import ProblemsConfig, problems_of_testbed
from sanmai.recipes.gather import write_problems
from sanmai.train.runs import storing
from sanmai.types import InputError, Problem


@dataclass(frozen=True)
class Copies:
    """What was written."""

    problems: list[Problem]
    """Each original that has a copy, followed by it, or the copies alone."""
    num_read: int
    num_copies: int
    refused: Counter[str] = field(default_factory=Counter)
    """Why others have none, and how many."""

    @property
    def lines(self) -> list[str]:
        """For the terminal."""
        share = self.num_copies / self.num_read
        return [f"{self.num_copies} of {self.num_read} problems ({share:.1%}) have a copy."] + [
            f"{count} without one: {reason}" for reason, count in self.refused.most_common()
        ]


def write_copies(
    source: str,
    out: Path,
    *,
    seed: int = 0,
    kind: str = "numbers",
    originals: bool = True,
    font: Path | None = None,
) -> Copies:
    """Write the copies of a source's problems as a generic JSONL file.

    Args:
        source: a file or folder of problems, or "world" for the embedded world's held-out sums.
        out: ends in .jsonl; must not exist yet.
        seed: names the numbers, or the puzzles.
        kind: "numbers" for twins with other numbers, tag `twin_of`; "decoys" for a puzzle before the question, tag `decoy_of`;
            "rendered" for the question in a picture, tag `rendered_of`, the pictures in the folder OUT-images.
        originals: write each problem that has a copy before it.
        font: file of the letters in pictures; None for Pillow's own, which has little more than ASCII.

    Raises:
        InputError: the source cannot be read, no problem of it has a copy, or out cannot be written.
    """
    if kind not in ("numbers", "decoys", "rendered"):
        raise InputError(f"--kind {kind}: expected numbers, decoys, rendered or impossible")
    if font is not None and kind != "rendered":
        raise InputError(f"--font {font}: expected with --kind rendered alone")
    if out.suffix != ".jsonl" or out.exists():
        raise InputError(f"{out}: {'is there already' if out.exists() else 'expected a file name that ends in .jsonl'}")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent}")
    bed = find_testbed(source)
    held_out = problems_of_testbed(bed, ProblemsConfig(), seed)[1] if bed is not None else []
    read = [Worked(p) for p in held_out] if bed is not None else list(read_worked(source))
    pictures = out.with_name(f"{out.stem}-images")
    if kind == "rendered":
        draw_text("0", font=font)  # without Pillow, or with another file than a font, no folder is left behind
        with storing(pictures):
            pictures.mkdir()
    refused: Counter[str] = Counter()
    problems: list[Problem] = []
    num_copies = 0
    copies = _copies(read, seed, kind) if kind != "rendered" else _pictures(read, pictures, font)
    for worked, copy in zip(read, copies, strict=True):
        if isinstance(copy, str):
            refused[copy] += 1
        else:
            num_copies += 1
            problems += [worked.problem, copy] if originals else [copy]
    if not num_copies:
        if kind == "rendered":
            pictures.rmdir()
        why = refused.most_common(1)[0][0] if refused else "there is none"
        if kind == "numbers":
            why += "; numbers are read from the calculator notes in GSM8K's `answer` (<<3+4=7>>) and from SVAMP's `Equation`"
        raise InputError(f"{source}: no problem of it has a copy; the most frequent reason: {why}")
    write_problems(out, problems)
    return Copies(problems, len(read), num_copies, refused)


def _copies(read: list[Worked], seed: int, kind: str) -> Iterator[Problem | str]:
    """For each problem its copy, or the reason why it has none."""
    if kind == "decoys":
        for worked in read:
            bed = own_testbed(worked.problem)
            yield add_decoy(worked.problem, seed) if bed is None else f"the tokenizer of {bed.about} does not know the words"
        return
    found = {
        name: iter(bed.twins([w.problem for w in read if own_testbed(w.problem) is bed], seed)) for name, bed in TESTBEDS.items()
    }
    for worked in read:
        if (bed := own_testbed(worked.problem)) is not None:
            yield next(found[bed.name]) or f"not arithmetic of {bed.about}, or its kind has no other problem left"
            continue
        try:
            yield make_twin(worked, seed)
        except RefusedError as error:
            yield str(error)


def _pictures(read: list[Worked], folder: Path, font: Path | None) -> Iterator[Problem | str]:
    """For each problem the same in a picture of this folder, or the reason why there is none."""
    for number, worked in enumerate(read):
        try:
            with storing(folder):
                copy = rendered(worked.problem, folder / f"{number:06d}.png", font=font)
        except RenderingError as error:
            yield str(error)
        else:
            yield copy
