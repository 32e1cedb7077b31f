"""What every page of the report shares: one offline file, and nothing hostile in it.

Text from models and files is hostile until shown otherwise: templates escape it, embedded JSON cannot leave its element,
scripts set it as text, and a content security policy lets nothing run or load but what is written here.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sanmai.report import format as fmt


def render_page(
    template: str, *, styles: Sequence[str], scripts: Sequence[str], data: Mapping[str, Any], **values: Any
) -> str:
    """A page from one of the templates.

    Args:
        styles, scripts: what it may use, whole; nothing else runs.
        data: values by name; the scripts find each as JSON in the element `data-NAME`.
        values: what the template asks for.
    """
    return _environment().get_template(template).render(
        styles=[Markup(style) for style in styles],
        scripts=[Markup(script) for script in scripts],
        policy=f"default-src 'none'; img-src data:; style-src {_hashes(styles)}; script-src {_hashes(scripts)}; "
        "base-uri 'none'; form-action 'none'",
        data={name: _json(value) for name, value in data.items()},
        **values,
    )


def fragment(template: str, **values: Any) -> str:
    """A piece of a page from one of the templates, for a place that has a page already."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """One per process: it keeps the templates that it has compiled."""
    environment = Environment(
        loader=PackageLoader("sanmai.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": fmt.number,
        "percent": fmt.percent,
        "duration": fmt.duration,
        "scientific": fmt.scientific,
    }
    return environment


def resource(name: str) -> str:
    """A file of this package as text."""
    return files("sanmai.report").joinpath(name).read_text(encoding="utf-8").strip()


def write_whole(path: Path, text: str) -> Path:
    """Writes a text in one rename and returns its path; a file that holds it already is left alone.

    Raises:
        OSError: it cannot be written there.
    """
    with contextlib.suppress(OSError):
        if path.read_bytes() == text.encode("utf-8", "replace"):
            return path
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{threading.get_ident()}{path.suffix}")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _drop_left(path)
    return path


def _drop_left(path: Path) -> None:
    """Remove what a process that was killed in the middle of writing the page has left beside it."""
    for left in path.parent.glob(f".{glob.escape(path.stem)}-*{glob.escape(path.suffix)}"):
        process = re.fullmatch(r"(\d+)-\d+", left.name[len(path.stem) + 2 : -len(path.suffix)])
        if process is not None and not _is_alive(int(process[1])):
            left.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _json(value: Any) -> Markup:
    """JSON that can stand in a script element: no tag, comment or line separator of its own."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
