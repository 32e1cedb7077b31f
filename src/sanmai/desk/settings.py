"""Settings to begin with: `sanmai init RECIPE`, a commented TOML file, and `sanmai schema RECIPE`, for editors."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from sanmai.config import Config, key_text, load_values, settings_in_force
from sanmai.recipes import Recipe, resolve

_WIDTH = 100


def settings_file(
    recipe: Recipe, file: Path | None = None, overrides: Iterable[str] = (), *, show_all: bool = False
) -> Iterator[str]:
    """Lines of a TOML file: what is stated, and every other setting that would be read then, with its meaning and as a comment.

    It gives the run that the settings stated here give, whatever its comments say, and taking a # away changes one of them.

    Args:
        file, overrides: what is stated, as `sanmai run` takes them.
        show_all: also the settings that are read only under conditions that do not hold, such as those of other sources.

    Raises:
        InputError: a setting that cannot be used.
    """
    overrides = list(overrides)
    config = resolve(recipe, file, overrides)
    stated = _stated(file, overrides)
    yield f"# Settings of `sanmai run {recipe.name} --config FILE`. A line such as #name = 3 says what is when it is left out;"
    yield "# take the # away to change it. Numbers and choices are checked when the file is read, unknown names refused."
    yield f'recipe = "{recipe.name}"'
    shown = list(settings_in_force(config, show_all=show_all))
    section = ""
    for name, value, meaning in shown:
        if (table := name.partition(".")[0] if "." in name else "") != section:
            section = table
            yield from ["", f"# {f' {section} ' if section else '':-^{_WIDTH}}"]
        yield ""
        yield from textwrap.wrap(meaning, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        yield _line(name, value, _at(stated, name))
    hidden = len(list(settings_in_force(config, show_all=True))) - len(shown)
    if hidden:
        yield ""
        yield f"# {hidden} settings more are read only under conditions that do not hold here: `sanmai init {recipe.name} --all`."


def _line(key: str, value: Any, stated: Any) -> str:
    if stated is not None:
        return f"{key} = {_inline(stated)}"
    return f"#{key} = {_inline(value)}" if value is not None else f"#{key} =    # not set"


def settings_schema(recipe: Recipe) -> dict[str, Any]:
    """JSON schema of the recipe's TOML file, with the meaning and the default of every setting.

    An editor that knows TOML schemas (Taplo, Even Better TOML) takes it by a first line `#:schema FILE`.
    """
    schema = recipe.config.model_json_schema()
    schema["title"] = f"sanmai run {recipe.name}"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    own = {"const": recipe.name, "description": "The recipe that these settings are for."}
    return schema | {"properties": {"recipe": own} | schema["properties"]}


def _stated(file: Path | None, overrides: Iterable[str]) -> dict[str, Any]:
    """What a person states, nested; of a preset what it states."""
    from sanmai.recipes import preset_or_file

    return load_values(preset_or_file(file), overrides)


def _at(values: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, Config):
        value = value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f" {key_text(str(k))} = {_inline(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"v": str(value) if isinstance(value, Path) else value}).partition("=")[2].strip()
