"""What a row says under other names, in other wraps, or by other columns, put under the names that the formats read.

| found | becomes |
|---|---|
| a row that is a list of turns, or an object with the keys "0", "1", ... | `conversation` |
| texts in turn, the user's first (UltraChat's `data`) | the same |
| a last turn of the assistant without words but with a `ground_truth` (ORZ) | `answer`; the turn is left out |
| a message with `replies` (OASST) | `conversation` along the best ranked replies |
| the prompt as `user_input`, `inputs`, ...; the response as `model_output`, `targets`, `llm_response` | `prompt`, `response` |
| whether the prompt is harmful (`prompt_harm_label`, `toxicity`, `data_type`, ...) | `kind`: safety or general |
| tests inside `verification_info` or `ground_truth`; test functions (pytest) and cases (unittest) as text | `test_cases` |
| true or false as an answer | yes or no |
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sanmai.data.choices import options_of
from sanmai.data.files import Row
from sanmai.data.messages import as_turns
from sanmai.data.rows import CONVERSATIONS, OTHER_CONVERSATIONS, PROMPTS, RowError, is_nothing, json_value, plain_name
from sanmai.programs.test_functions import sources_of

_OTHER_PROMPTS = (
    "user_input", "user_prompt", "user_query", "user_message", "prompt_text", "inputs", "squestion", "adversarial", "vanilla",
    "instruct_prompt", "forbidden_question", "question_text", "problem_text", "task_prompt", "text_prompt", "inputs_pretokenized",
    "jailbreak_query",
)  # fmt: skip
_OTHER_RESPONSES = ("model_output", "model_response", "llm_response", "assistant_response", "targets", "bot_response",
                    "targets_pretokenized")  # fmt: skip
_OTHER_ANSWERS = ("final_ans", "lsolutions", "answers_spans", "numeric_answer", "short_answer", "golden", "final_decision")
_OF_PROMPT = (
    "prompt_harm_label", "prompt_label", "prompt_harmfulness", "prompt_safety_label", "harmfulness", "is_harmful", "harmful",
    "toxicity", "toxic", "jailbreaking", "jailbreak", "is_jailbreak", "is_toxic", "data_type", "is_prompt_harmful",
    "prompt_is_harmful",
)  # fmt: skip
_HARMLESS = re.compile(
    r"(?:\w*_)?(?:un-?harmful|harmless|benign|safe|non-?toxic|not_?harmful|no|false|0(?:\.0+)?)", re.IGNORECASE)
_HARMFUL = re.compile(r"(?:\w*_)?(?:harmful|unsafe|malicious|toxic|yes|true|1(?:\.0+)?)", re.IGNORECASE)


def usual(row: Row, *, tells_kind: bool = True) -> Row:
    """The row, with what it says in another way under the usual names beside it; what has its usual name stays as it is.

    Args:
        tells_kind: say whether the prompt is harmful, as `kind`.
    """
    row = _of_numbers(row)
    names = {plain_name(name): name for name, value in row.items() if not is_nothing(value)}
    found: dict[str, Any] = dict(_conversation(row, names))
    has_prompt = bool(found) or any(name in names for name in (*PROMPTS, *CONVERSATIONS))
    if not has_prompt or "instruct_prompt" in names:
        found |= _renamed(row, names, _OTHER_PROMPTS, "prompt")
    if ("prompt" in found or has_prompt) and "response" not in names and not _is_judged(names):
        found |= _renamed(row, names, _OTHER_RESPONSES, "response")
    if "answer" not in found and "answer" not in names:
        found |= _other_answer(row, names)
    if isinstance(row.get("answer"), bool) and options_of(row) is None and _asks_yes_or_no(row, names):
        found["answer"] = "yes" if row["answer"] else "no"
    if not has_prompt and "prompt" not in found and isinstance(about := row.get("info"), Mapping):
        post = next((about[key] for key in ("post", "article") if isinstance(about.get(key), str) and about[key].strip()), None)
        found |= {"prompt": post} if post else {}
    if tells_kind and "kind" not in names and (kind := _kind(row, names)) is not None:
        found["kind"] = kind
    whole = {**row, **found}
    return {**whole, **_tests(whole, names)}


_YES_NO = re.compile(
    r"\W*(?:is|are|was|were|am|do|does|did|can|could|will|would|has|have|had|should|shall|may|might|must|isn't|aren't"
    r"|don't|doesn't)\b",
    re.IGNORECASE,
)


def _asks_yes_or_no(row: Row, names: Mapping[str, str]) -> bool:
    asked = next((row[names[name]] for name in PROMPTS if name in names), None)
    return isinstance(asked, str) and _YES_NO.match(asked) is not None


def _is_judged(names: Mapping[str, str]) -> bool:
    """Whether columns say how harmful the row is: its response was drawn out, and is no demonstration."""
    return any(re.search(r"harm|toxic|red_team|jailbreak", name) for name in names)


def _of_numbers(row: Row) -> Row:
    """A row whose keys count from 0 is a list of turns."""
    keys = list(map(str, row))
    if len(keys) < 2 or keys != [str(k) for k in range(len(keys))]:
        return row
    turns = list(row.values())
    return {"conversation": turns} if all(isinstance(turn, Mapping | str) for turn in turns) else row


def _conversation(row: Row, names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name in (*CONVERSATIONS, "data", "utterances", "trajectory", "transcript", *OTHER_CONVERSATIONS):
        value = json_value(row[names[name]]) if name in names else None
        target = name if name in CONVERSATIONS else "conversation"
        if isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) and text.strip() for text in value):
            if name in OTHER_CONVERSATIONS:
                yield "prompt", value[0]  # of questions alone (MT-Bench) the first
            else:
                yield target, [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(value)]
            return
        if name == "trajectory" and isinstance(value, list) and value and all(isinstance(turn, Mapping) for turn in value):
            yield target, value
            return
        if name == "transcript" and isinstance(value, str) and isinstance(turns := as_turns(value), list):
            is_attack = _is_judged(names) and turns[-1].get("role") == "assistant"
            yield target, turns[:-1] if is_attack else turns  # what an attack drew from a model is nothing to imitate
            return
        if isinstance(value, list) and len(value) > 1 and isinstance(value[-1], Mapping) and "ground_truth" in value[-1]:
            gold = value[-1]["ground_truth"]
            if not any(isinstance(value[-1].get(key), str) for key in ("value", "content", "text")):
                yield target, value[:-1]
                yield "answer", gold.get("value") if isinstance(gold, Mapping) else gold
                return
    prompt = row[names["prompt"]] if "prompt" in names else None
    if isinstance(prompt, Mapping) and isinstance(prompt.get("text"), str) and "role" not in prompt:
        yield "prompt", prompt["text"]
    elif isinstance(prompt, Mapping) and isinstance(prompt.get("replies"), list):
        yield "conversation", list(_best_path(prompt))
        yield "prompt", None
    elif isinstance(prompt, list) and len(prompt) > 1 and all(isinstance(text, str) for text in prompt):
        yield "prompt", prompt[0]


def _best_path(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A message and the best ranked replies below it, to the last of the assistant's."""
    path: list[Mapping[str, Any]] = [message]
    while isinstance(replies := path[-1].get("replies"), list) and replies and len(path) < 100:
        ranked = [reply for reply in replies if isinstance(reply, Mapping)]
        if not ranked:
            break
        path.append(min(ranked, key=lambda one: one["rank"] if isinstance(one.get("rank"), int | float) else 1e9))
    while len(path) > 2 and path[-1].get("role") == "prompter":
        path.pop()
    for one in path:
        yield {"role": one.get("role"), "content": one.get("text")}


def ranked_replies(row: Row) -> Row:
    """A pair of the best and the worst ranked reply to a message with several (OASST's trees); any other row as it is."""
    prompt = row.get("prompt")
    replies = prompt.get("replies") if isinstance(prompt, Mapping) else None
    if not isinstance(prompt, Mapping) or not isinstance(replies, list):
        return row
    ranked = [one for one in replies if isinstance(one, Mapping) and isinstance(one.get("rank"), int | float)]
    if len(ranked) < 2:
        raise RowError("prompt.replies: fewer than two replies with a rank; a pair needs a better and a worse one")
    ranked.sort(key=lambda one: one["rank"])
    return {**row, "prompt": prompt.get("text"), "chosen": ranked[0].get("text"), "rejected": ranked[-1].get("text")}


def _renamed(row: Row, names: Mapping[str, str], others: tuple[str, ...], to: str) -> dict[str, Any]:
    return next(({to: row[names[name]]} for name in others if name in names and isinstance(row[names[name]], str)), {})


def _other_answer(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    for name in _OTHER_ANSWERS:
        value = row[names[name]] if name in names else None
        value = value.get("spans") if isinstance(value, Mapping) else value
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(value, str | int | float):
            return {"answer": value}
    held = _object(row[names["verification_info"]]) if "verification_info" in names else {}
    return {"answer": held["ground_truth"]} if isinstance(held.get("ground_truth"), str | int | float) else {}


def _object(value: Any) -> Mapping[str, Any]:
    """An object, from JSON text or as Python writes it; an empty one where it is none."""
    value = json_value(value)
    if isinstance(value, str) and value.lstrip()[:1] == "{" and len(value) < 100_000:
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _kind(row: Row, names: Mapping[str, str]) -> str | None:
    """What the row's columns say of its prompt: one that calls it harmful is enough; None where none says anything."""
    said = [str(row[names[name]]).strip() for name in _OF_PROMPT if name in names]
    if any(_HARMFUL.fullmatch(word) and not _HARMLESS.fullmatch(word) for word in said):
        return "safety"
    return "general" if any(map(_HARMLESS.fullmatch, said)) else None


def _tests(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """Tests of a program where the formats look for them, with the code to begin with and the solution where they are known."""
    if any(name in row for name in ("test_list", "input_output", "test_cases", "public_test_cases")):
        return {}
    rewarded = row.get("reward_model")
    for value in (row.get("verification_info"), rewarded.get("ground_truth") if isinstance(rewarded, Mapping) else None):
        held = _object(value)
        if held.get("test_cases"):
            return {"test_cases": held["test_cases"]} | _statement(row)
        if "inputs" in held and "outputs" in held:
            return {"input_output": dict(held)} | _statement(row)
        if isinstance(code := held.get("test_code"), str) and isinstance(entry := held.get("entry_point"), str):
            return {"test_cases": [f"{held.get('import_prefix') or ''}\n{code}\ncheck({entry})"]} | _statement(row)
    code = next((row[names[name]] for name in ("test", "test_code", "unit_test", "tests") if name in names), None)
    if not isinstance(code, str):
        return {}
    sources = sources_of(code)
    if not sources:
        return {}
    found: dict[str, Any] = {"test_cases": sources} | _statement(row)
    info = json_value(row.get("test_info"))
    declared = info[0].get("function_declaration") if isinstance(info, list) and info and isinstance(info[0], Mapping) else None
    if isinstance(declared, str) and declared.strip():
        found["starter_code"] = declared
    whole = row.get("complete_prompt")
    solution = row.get("canonical_solution") if isinstance(whole, str) else row.get("solution")
    if isinstance(solution, str) and "solutions" not in row:
        found["solutions"] = [f"{whole or ''}{solution}"]
    return found | ({"entry_point": None} if "entry_point" in row else {})


def _statement(row: Row) -> dict[str, Any]:
    """The statement of a task whose prompt is a conversation of one question."""
    turns = as_turns(row.get("prompt"))
    turns = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    asked = [turn.get("content") for turn in turns if turn.get("role") == "user"]
    return {"prompt": asked[0]} if len(asked) == 1 and isinstance(asked[0], str) else {}


def refuse_parts(row: Row) -> None:
    """Says of a row that is a part of what is asked for that it is one.

    Raises:
        RowError: it is one message of a tree that stands over several rows.
    """
    if "parent_id" in row and "message_id" in row and isinstance(row.get("text"), str):
        raise RowError("parent_id: a row is one message of a tree; expected whole conversations, or trees (prompt with replies)")
