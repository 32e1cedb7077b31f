"""A run folder in Python: what it was, what it did, what it made. It reads files and holds nothing open."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sanmai.api.table import Table
from sanmai.types import InputError, Problem, no_run

if TYPE_CHECKING:
    from sanmai.api.model import Model

Kind = Literal["rollouts", "evaluations", "probes"]


class Run(os.PathLike[str]):
    """A run folder, finished or not, or that of a pipeline. It can stand wherever a path can.

    Args:
        folder: made by `sanmai.run` or `sanmai run`.

    Raises:
        InputError: not a run folder.

    Example:
        run = sanmai.run("zero", num_steps=20)
        run.metrics.to_pandas().plot(x="step", y="reward/mean")
        run.samples(step=20).to_list()[0]["text"]
        run.model().generate("what is 37 plus 45 ?")
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not (self.folder / "config.toml").is_file():
            raise no_run(self.folder)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, os.PathLike) and self.folder == Path(other)

    def __hash__(self) -> int:
        return hash(self.folder)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def __getattr__(self, name: str) -> Any:
        """What a path has: glob, name, exists, ..."""
        if name.startswith("_") or name == "folder":
            raise AttributeError(name)
        return getattr(self.folder, name)

    def __str__(self) -> str:
        return str(self.folder)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved settings, nested; `recipe` among them.

        Raises:
            InputError: config.toml cannot be read.
        """
        try:
            return tomllib.loads((self.folder / "config.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder / 'config.toml'}: cannot be read: {error}") from None

    @property
    def recipe(self) -> str:
        return str(self.config.get("recipe"))

    @property
    def is_pipeline(self) -> bool:
        """It has stages, and what was trained is in them."""
        return (self.folder / "graph.json").is_file()

    @property
    def status(self) -> str:
        """ "finished"; "interrupted" or "unfinished", and the same call goes on; "begun": no step is on record."""
        from sanmai.report.load import load_run
        from sanmai.report.summary import status

        if self.is_pipeline:
            stages = self._pipeline().stages.values()
            done = sum(stage.state == "finished" for stage in stages)
            return "finished" if done == len(stages) else "unfinished" if done else "begun"
        return status(load_run(self.folder))

    @property
    def stages(self) -> dict[str, Run]:
        """Of a pipeline: its stages that have begun, by name, in order."""
        if not self.is_pipeline:
            return {}
        folders = {name: self.folder / stage.folder for name, stage in self._pipeline().stages.items()}
        return {name: Run(folder) for name, folder in folders.items() if (folder / "config.toml").is_file()}

    @property
    def metrics(self) -> Table:
        """A row per step, as metrics.jsonl has them: `step`, and names of the form area/name. Damaged lines are left out."""
        from sanmai.report.load import load_run

        return Table.of(load_run(self.folder).metrics)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened when: times, warnings, resumes."""
        from sanmai.report.load import read_lines

        return read_lines(self.folder / "events.jsonl", [])

    @property
    def warnings(self) -> list[str]:
        return [str(event.get("message")) for event in self.events if event.get("event") == "warning"]

    def samples(
        self, kind: Kind = "rollouts", *, step: int | None = None, columns: Sequence[str] | None = None, tokens: bool = False
    ) -> Table:
        """Completions with prompt, text, scores and reasons: a row each, as docs/architecture.md describes the columns.

        Args:
            kind: what was trained on, evaluated on, or asked as a probe.
            step: of one step; None: of all, which may be a lot.
            columns: those wanted; None: all but tokens and sampling_logp.
            tokens: these two as well.

        Raises:
            InputError: no such kind, or nothing recorded of it, or of that step; a file that is not what the run wrote.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from sanmai.train.digests import defect_of

        if kind not in ("rollouts", "evaluations", "probes"):
            raise InputError(f"kind = {kind!r}: expected rollouts, evaluations or probes")
        files = sorted((self.folder / kind).glob("step-*.parquet"))
        files = [file for file in files if step is None or int(file.stem.removeprefix("step-")) == step]
        if not files:
            what = "nothing" if step is None else f"nothing of step {step}"
            raise InputError(f"{self.folder / kind}: {what} is recorded there")
        tables = []
        for file in files:
            if why := defect_of(file):
                raise InputError(f"{file}: {why}")
            heavy = () if tokens else ("tokens", "sampling_logp")
            try:
                names = [n for n in pq.read_schema(file).names if (n in columns if columns is not None else n not in heavy)]
                tables.append(pq.read_table(file, columns=names))
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from None
        return Table(pa.concat_tables(tables, promote_options="permissive"))

    @property
    def checkpoint(self) -> Path | None:
        """The newest whole checkpoint; None before there is one."""
        from sanmai.policies.text.checkpoints import newest_good_checkpoint

        return newest_good_checkpoint(self.folder)

    def model(self, *, device: str = "cpu", dtype: str = "float32") -> Model:
        """The model of the newest checkpoint (of a guarded stage: the one that its gate chose), ready to be asked.

        Raises:
            InputError: there is none: nothing is saved yet, or the run trains no model, or it is a pipeline's folder (`stages`).
        """
        from sanmai.api.model import Model

        return Model(self.folder, device=device, dtype=dtype)

    def summary(self) -> dict[str, Any]:
        """The headline numbers with intervals as plain data; `lines` say them."""
        from sanmai.report import summarise

        return summarise(self.folder)

    def report(self) -> Path:
        """Write report.html anew; its path."""
        from sanmai.recipes import RECIPES, resolve
        from sanmai.report import write_report

        defaults = resolve(RECIPES[self.recipe]).model_dump(mode="json") if self.recipe in RECIPES else None
        return write_report(self.folder, defaults=defaults)

    def cost(self, *, price_per_hour: float | None = None, target: Sequence[str] = ()) -> dict[str, Any]:
        """Tokens, operations, seconds and what they bought, as `sanmai cost --json` says it."""
        from sanmai.report.cost_table import CostReport

        return CostReport(self.folder, price_per_hour=price_per_hour, targets=target).to_json()

    def card(self, *, audit: str | os.PathLike[str] | None = None) -> str:
        """The model card in Hugging Face's format, with figures, intervals and what is not known.

        Args:
            audit: an audit of this run, for its claims and gaps.
        """
        from sanmai.report.model_card import model_card

        return model_card(self.folder, audit=None if audit is None else Path(audit))

    def export(self, out: str | Path, *, dtype: str = "float32", audit: str | os.PathLike[str] | None = None) -> str:
        """Write the model as a plain folder with its card, or as FILE.gguf, and check it; one sentence on what came out."""
        from sanmai.desk.export import export

        card, place = self.card(audit=audit), Path(out)
        said = export(str(self.folder), place, dtype=dtype)
        (place.with_suffix(".md") if place.suffix == ".gguf" else place / "README.md").write_text(card, encoding="utf-8")
        return said

    def _pipeline(self) -> Any:
        from sanmai.report.pipeline import load_pipeline

        return load_pipeline(self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.recipe}, {self.status})"

    def _repr_html_(self) -> str:
        """A short form of the report for a notebook."""
        from sanmai.report.card_html import run_card

        return run_card(self.folder)

    def show(self, height: int = 700) -> Any:
        """The whole report in a notebook's output; needs IPython.

        Args:
            height: of the frame, pixels.
        """
        from IPython.display import HTML

        page = escape(self.report().read_text(encoding="utf-8"), quote=True)
        return HTML(f'<iframe srcdoc="{page}" style="width:100%;height:{height}px;border:1px solid #8884"></iframe>')

    @classmethod
    def latest(cls, folder: str | Path = "runs") -> Self:
        """The run in a folder of runs that was written to last.

        Raises:
            InputError: there is none.
        """
        found = [path.parent for path in Path(folder).glob("*/config.toml")]
        if not found:
            raise InputError(f"{folder}: no run folder in it")
        return cls(max(found, key=lambda path: max(file.stat().st_mtime for file in path.iterdir())))


def own_problems(problems: Any, needs_answer: bool) -> list[Problem] | None:
    """Problems that a caller brings, of what is no path and no settings: Problem records, dictionaries, a `datasets` object.

    Args:
        needs_answer: a row without a reference answer is refused.

    Raises:
        InputError: it is none of these, or a row is malformed.
    """
    from sanmai.data.problems import load_problems

    given = problems
    if not hasattr(problems, "column_names"):
        try:
            given = list(problems)
        except TypeError:
            raise InputError(f"problems: expected a path, settings by name, or rows; got {type(problems).__name__}") from None
        if given and all(isinstance(problem, Problem) for problem in given):
            return given
        if not all(isinstance(row, Mapping) for row in given):
            raise InputError("problems: expected a path, settings by name, or a list of sanmai.Problem or of dictionaries")
    return load_problems(given, needs_answer=needs_answer, skip_setting=None).problems
