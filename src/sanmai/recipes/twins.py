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
from sanmai.data.twins import RefusedError, Worked, make_twin, read_worked
from sanmai.learn.sources import WorldConfig, world_problems
from sanmai.recipes.gather import write_problems
from sanmai.train.runs import storing
from sanmai.types import InputError, Problem
from sanmai.world import twins as world_twins


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
    read = (
        [Worked(p) for p in world_problems(WorldConfig(), seed)[1]] if source == "world" else list(read_worked(source))
    )
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
            is_world = worked.problem.verifier == "world"
            yield (
                "the embedded world's tokenizer does not know the words"
                if is_world
                else add_decoy(worked.problem, seed)
            )
        return
    found = iter(world_twins.make_twins([w.problem for w in read if w.problem.verifier == "world"], seed))
    for worked in read:
        if worked.problem.verifier == "world":
            yield next(found) or "not arithmetic of the embedded world, or its kind has no other problem left"
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
