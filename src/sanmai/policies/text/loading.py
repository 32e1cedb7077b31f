"""What other people's model folders can do while they are loaded: one sentence for each way in which they cannot be used.

`transformers` and the libraries below it raise anything on a damaged folder, a panic of Rust's among it, which is no Exception.
"""

from __future__ import annotations

import contextlib
import functools
import json
import warnings
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from sanmai.data.template_probe import conversations
from sanmai.sandbox import ChildPool, Crashed, TimedOut
from sanmai.types import InputError
from sanmai.world.tokenizer import CHAT_TEMPLATE

_SECONDS, _BYTES = 10.0, 1 << 30
"""For a template to render a handful of conversations, in a child process; a sound one needs some milliseconds."""
_COUNTS = frozenset({
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "hidden_size", "intermediate_size", "head_dim",
    "vocab_size", "max_position_embeddings", "n_head", "n_layer", "n_embd", "n_positions", "num_heads", "num_layers", "d_model",
})  # fmt: skip
"""Keys of config.json that count something, by which `transformers` divides."""
_JSON_FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "model.safetensors.index.json",
)  # fmt: skip


@contextlib.contextmanager
def loading(what: str) -> Generator[None]:
    """Whatever goes wrong within is an InputError that begins with `what` ("model.name = 'x': cannot load it as ...")."""
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise InputError(f"{what}: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """The first line that an error says, with the next where it ends in a colon; with its kind where it says little."""
    if "ignore_mismatched_sizes" in str(error):
        return "its weights have other shapes than its config.json says"
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    said = " ".join(lines[:2]) if lines and lines[0].endswith(":") else (lines or [""])[0]
    plain = isinstance(error, (OSError, ValueError, ImportError, RuntimeError)) or type(error) is Exception
    return (said if plain and said else f"{type(error).__name__}{': ' if said else ''}{said}")[:300]


def refuse_lacking(what: str, missing: Iterable[str] = (), tokenizer: Any = None) -> None:
    """Refuse what `transformers` makes up for a folder: random weights, and an empty vocabulary.

    Args:
        what: the sentence begins with it ("model.name = 'x'").
        missing: names of the weights that the folder lacks.

    Raises:
        InputError: something was made up.
    """
    if lacking := sorted(missing):
        raise InputError(f"{what}: its weights lack {lacking[0]!r} and {len(lacking) - 1} more")
    if tokenizer is not None and len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise InputError(f"{what}: its tokenizer has no vocabulary (is tokenizer.json missing?)")


def check_folder(name: str, folder: Path) -> None:
    """Raises InputError when a file of a model's folder is not what its name says, or config.json counts fewer than 1.

    Args:
        name: as in model.name.
        folder: nothing is looked at where it is none (a hub name).
    """
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        _refuse_pointer(name, path)
    for file in _JSON_FILES if folder.is_dir() else ():
        if not (path := folder / file).is_file():
            continue
        _refuse_pointer(name, path)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"model.name = {name!r}: its {file} cannot be read as JSON: {reason(error)}") from None
        if not isinstance(found, dict):
            raise InputError(f"model.name = {name!r}: its {file} holds {str(found)[:40]!r}; expected an object of JSON")
        if file == "config.json":
            if "model_type" not in found and isinstance(found.get("kind"), str):
                kind = found["kind"][:40]
                others = "; a flow's clips have `run flow`, `run flow_evaluate`, audit, compare, report, watch and cost"
                others = others if kind == "flow" else ""
                raise InputError(f"model.name = {name!r}: is a {kind}; expected a model that writes text{others}")
            _check_counts(name, found)


def _refuse_pointer(name: str, path: Path) -> None:
    """The text that Git LFS leaves in place of a file that was not fetched."""
    try:
        with path.open("rb") as file:
            is_pointer = file.read(40).startswith(b"version https://git-lfs")
    except OSError:
        return  # a folder, or not readable: whoever loads it says so
    if is_pointer:
        raise InputError(f"model.name = {name!r}: its {path.name} is a pointer of Git LFS, not the file; run git lfs pull there")


def _check_counts(name: str, config: dict[str, Any]) -> None:
    for section in [config, *config.values()]:
        for key in sorted(_COUNTS & section.keys()) if isinstance(section, dict) else ():
            if type(section[key]) in (int, float) and section[key] < 1:
                raise InputError(
                    f"model.name = {name!r}: its config.json says {key} = {section[key]}; expected at least 1"
                )


def check_template(name: str, tokenizer: Any) -> tuple[str, ...]:
    """What a user should know of a tokenizer's chat template: warnings, each a sentence.

    Args:
        name: as in model.name.

    Raises:
        InputError: it takes too long, too much memory or writes too much.
    """
    if not tokenizer.chat_template or tokenizer.chat_template == CHAT_TEMPLATE:
        return ()
    try:
        template = tokenizer.get_chat_template()
        special = json.dumps({key: str(token) for key, token in tokenizer.special_tokens_map.items()}, sort_keys=True)
    except (AttributeError, ValueError, TypeError):
        return ()  # whoever renders with it says what is wrong with it
    if not isinstance(template, str):
        return ()
    found = _probed(template, special)
    if isinstance(found, str):
        raise InputError(f"model.name = {name!r}: its chat template {found}")
    notes = []
    if found["clock"]:
        notes.append("writes the date into the prompt, so that a run of another day is not this one; set a fixed one in it")
    if found["chance"]:
        notes.append("renders the same conversation differently from one call to the next: nothing can be repeated")
    if found["drops"]:
        long = "" if "short" in found["drops"] else "parts of a long question, "
        notes.append(f"leaves out what the user says ({long or 'a question of a few words, '}tried on {_tried(found)})")
    return tuple(f"model.name = {name!r}: its chat template {note}" for note in notes)


def _tried(found: Mapping[str, Any]) -> str:
    return f"{found['given'][found['drops'][0]]:,} characters"


@functools.lru_cache(maxsize=64)
def _probed(template: str, special: str) -> dict[str, Any] | str:
    """What data/template_probe.py finds; or why the template cannot be used."""
    with ChildPool(1, memory_bytes=_BYTES) as pool:
        outcome = pool.call("sanmai.data.template_probe:probe", template, json.loads(special), timeout_seconds=_SECONDS)
    tried = f"expected conversations of 1 to {len(conversations()['many turns'])} short messages within"
    if isinstance(outcome, TimedOut):
        return f"does not come to an end; {tried} {_SECONDS:g} s"
    if isinstance(outcome, Crashed):
        return f"needs too much memory or ends its process ({outcome.reason}); {tried} {_BYTES >> 30} GiB"
    found = outcome.value
    for name, count in found["chars"].items():
        if count > 1_000_000 + 100 * found["given"][name]:
            return f"writes {count:,} characters for a conversation of {found['given'][name]:,}; {tried} 100 times that"
    return found


@contextlib.contextmanager
def quiet_transformers() -> Generator[None]:
    """No progress bars or advice from `transformers` and its friends within."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__
