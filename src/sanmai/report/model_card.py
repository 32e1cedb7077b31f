"""A model card in Hugging Face's format: what made the model, what was measured of it and how, and what is not known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sanmai.evidence.lineage import history
from sanmai.report import format as fmt
from sanmai.report.load import RunData, as_list, as_mapping, find, load_run, read_whole
from sanmai.report.summary import Measure, compare_evaluations, status
from sanmai.types import InputError, no_run

_USE = """\
- Which variant: a model trained by RL alone (R1-Zero) shows how reasoning emerges and mixes languages; one trained in layers of
  SFT and RL is for general use; a distilled one for limited hardware.
- Where the domain is special, fine-tune on data of that domain, and measure again: what is stated here does not carry over.
- Ask precisely, without worked examples in the prompt; name the output format and the languages of question and answer; ask for
  step-by-step work where the task needs reasoning.
- Do not rely on the model's own harmlessness where much is at stake: put a filter and human oversight in front of it, and watch
  what it is asked and answers."""
"""Usage recommendations of Parmar and Govindarajulu 2025 (arXiv:2501.17030)."""


_ABSOLUTE = re.compile(r"""(?<![\w:/.~])~?/(?:[^\s/"'|`]+/)+([^\s/"'|`]+)""")
"""A path from the root or from home; its last name."""


def model_card(run_folder: Path, *, audit: Path | None = None) -> str:
    """The text of README.md beside a model's weights.

    Args:
        run_folder: the run whose newest checkpoint the model is.
        audit: the folder of an audit of it; without one the card says that there is none.

    Raises:
        InputError: no run folder, an audit that is not finished, or one of another model.
    """
    folder = Path(run_folder)
    if not (folder / "config.toml").is_file():
        raise no_run(folder, ", so there is nothing to write on a card")
    run = load_run(folder)
    measures = compare_evaluations(run)
    case = _case(audit, folder) if audit is not None else {}
    lines = ["---", *_front(run, measures), "---", "", f"# {_inline(run.name)}", ""]
    lines += [*_what(run, folder), "", "## What was measured", "", *_measured(run, measures), ""]
    lines += ["## Harmlessness", "", *_harmless(case), "", "## Not known", "", *_gaps(run, case), ""]
    lines += ["## Using it", "", _USE, "", "## Doing it again", "", *_again(run), ""]
    return _ABSOLUTE.sub(r"\1", "\n".join(lines))  # others need the names of files, and nothing of this machine's folders


def _case(audit: Path, folder: Path) -> Mapping[str, Any]:
    case = read_whole(Path(audit) / "audit.json", json.loads, problems := [])
    if problems:
        raise InputError(f"{audit}: no finished audit ({problems[0]})")
    steps = as_list(case.get("history"))
    made = as_mapping(steps[-1]).get("folder") if steps else None
    if made is None or Path(str(made)).resolve().name != folder.resolve().name:
        raise InputError(f"{audit}: an audit of {made or 'another model'}, not of {folder}")
    return case


def _front(run: RunData, measures: list[Measure]) -> Iterator[str]:
    """The YAML that the hub reads; JSON is YAML, so every value is written as such."""
    base = find(as_mapping(run.config.get("model")), "name")
    yield "library_name: transformers"
    yield "pipeline_tag: text-generation"
    yield f"tags: {json.dumps(['sanmai', str(run.config.get('recipe'))])}"
    if isinstance(base, str) and base.count("/") == 1 and not base.startswith((".", "/", "runs/")):
        yield f"base_model: {json.dumps(base)}"
    found = [m for m in measures if m.after is not None and m.is_share]
    if found:
        metrics = [
            {"type": m.name, "name": f"{m.label}, 95 % interval [{m.after.low:.4f}, {m.after.high:.4f}], n = {m.after.n}",
             "value": round(m.after.value, 6)}
            for m in found if m.after is not None
        ]  # fmt: skip
        data = {"name": "held-out problems of the run", "type": "own"}
        results = [{"task": {"type": "text-generation"}, "dataset": data, "metrics": metrics}]
        yield f"model-index: {json.dumps([{'name': run.name, 'results': results}], ensure_ascii=False)}"


def _what(run: RunData, folder: Path) -> Iterator[str]:
    steps = history(str(folder))
    yield f"Made by `sanmai run {run.config.get('recipe')}`, {run.num_steps:,} steps ({status(run)})."
    yield "What its weights came through, the base first:"
    yield ""
    yield "| step | recipe | steps | data |"
    yield "|---|---|---|---|"
    for step in steps:
        data = ", ".join(_inline(Path(name).name) for name in step.data) or "–"
        yield f"| {_inline(step.name)} | {step.recipe or 'base'} | {step.facts.get('steps', '–')} | {data} |"


def _measured(run: RunData, measures: list[Measure]) -> Iterator[str]:
    if not measures:
        yield "No evaluation on held-out problems is on record."
        return
    first, last = min(run.evaluations), max(run.evaluations)
    yield f"On held-out problems, after step {first} and after step {last}."
    yield "Brackets are 95 % intervals, n counts problems, changes are paired."
    yield ""
    yield "| measure | first | last | change | finding | n |"
    yield "|---|---|---|---|---|---|"
    for m in measures:
        show = fmt.percent if m.is_share else fmt.number
        sides = [
            f"{show(s.value)} {fmt.interval(s.low, s.high, is_share=m.is_share)}" if s else "–" for s in (m.before, m.after)
        ]
        change = "–"
        if m.change:
            value = fmt.points(m.change.value) if m.is_share else fmt.signed(m.change.value)
            change = f"{value} {fmt.interval(m.change.low, m.change.high, is_share=m.is_share)}"
        n = m.after.n if m.after else m.before.n if m.before else 0
        yield f"| {_inline(m.label)} | {sides[0]} | {sides[1]} | {change} | {m.finding} | {n} |"
    yield ""
    origin = as_mapping(run.environment.get("origin"))
    protocol = {
        "evaluation": {k: v for k, v in as_mapping(run.config.get("evaluation")).items() if not isinstance(v, Mapping)},
        "sampling": run.config.get("sampling"), "seed": run.config.get("seed"),
        "problems": {k: v for k, v in origin.items() if str(k).startswith("problems")}, "template": origin.get("template"),
        "packages": run.environment.get("packages"), "git_commit": run.environment.get("git_commit"),
    }  # fmt: skip
    yield "Protocol:"
    yield ""
    yield "```json"
    yield json.dumps({name: value for name, value in protocol.items() if value}, indent=1, ensure_ascii=False, default=str)
    yield "```"


def _harmless(case: Mapping[str, Any]) -> Iterator[str]:
    if not case:
        yield "**Not audited.** Nothing here says whether it is harmless, or as harmless as the model it began with:"
        yield "`sanmai audit` measures that."
        return
    yield f"{case.get('sentence')} (together at {100 * float(case.get('confidence') or 0):.3g} % confidence)"
    yield ""
    yield "| claim | limit | found | n | outcome |"
    yield "|---|---|---|---|---|"
    for claim in map(as_mapping, as_list(case.get("claims"))):
        bounds = as_list(claim.get("interval"))
        found = fmt.percent(claim.get("value")) + (f" {fmt.interval(*bounds, is_share=True)}" if len(bounds) == 2 else "")
        limit = f"{'at most' if claim.get('rule') == 'at_most' else 'at least'} {fmt.percent(claim.get('limit'))}"
        meaning = _inline(str(claim.get("meaning") or claim.get("measure")))
        yield f"| {meaning} | {limit} | {found} | {claim.get('n')} | {claim.get('outcome')} |"
    yield ""
    yield "Undecided is not a pass. The audit's protocol, with digests of weights, template and problem sets, is in its"
    yield "`audit.json`."


def _gaps(run: RunData, case: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"- {_inline(str(gap))}" for gap in as_list(case.get("gaps")))
    if not case:
        yield "- Harm, over-refusal, attacks, other languages, tampering with the weights: not measured."
    for problem in dict.fromkeys(run.problems):
        yield f"- {_inline(problem)}"
    yield "- One run: intervals are over problems and say nothing of other seeds."
    yield "- No licence is stated here: those of the base model and of the data apply, and are the publisher's to add."


def _again(run: RunData) -> Iterator[str]:
    yield "`config.toml` of the run, whole:"
    yield ""
    yield "```json"
    yield json.dumps(run.config, indent=1, ensure_ascii=False, default=str)
    yield "```"


def _inline(text: str) -> str:
    """Text of others on one line of Markdown, which neither a table nor HTML can be broken with."""
    flat = " ".join(fmt.printable(text).split())
    for character in "\\`*_[]|":
        flat = flat.replace(character, "\\" + character)
    return flat.replace("<", "&lt;")
