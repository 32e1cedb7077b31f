"""The command line: commands are in by_recipe.py, looking.py, models.py, scaling.py, serving.py, in the order of --help; `main`
makes a sentence and an exit code of an error."""

from __future__ import annotations

import io
import os
import sys

import typer

from sanmai.cli import by_recipe, looking, models, scaling, serving  # noqa: F401 - they register their commands
from sanmai.cli.app import app
from sanmai.cli.output import OUT
from sanmai.terminal import printable
from sanmai.types import InputError, SanmaiError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line. A user's error is one sentence and exit code 2; a run that cannot go on, exit code 1."""
    # Two OpenMP threads that spin while they wait make a run tens of times slower once another program wants the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to stop
    try:
        app()
    except SanmaiError as error:
        if OUT.debug:
            raise
        typer.echo(printable(f"sanmai: {error}"), err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except (MemoryError, RuntimeError) as error:
        if OUT.debug or not _is_out_of_memory(error):
            raise
        typer.echo(
            "sanmai: out of memory; lower sampling.concurrent, sampling.max_tokens or optimizer.micro_tokens "
            f"({str(error).splitlines()[0][:200] if str(error) else 'MemoryError'})",
            err=True,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("sanmai: stopped; the newest checkpoint is intact", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has gone; Python would complain again when it flushes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if OUT.debug:
            raise
        typer.echo(printable(f"sanmai: {error}"), err=True)
        sys.exit(1)


def _is_out_of_memory(error: BaseException) -> bool:
    """PyTorch has a class for it on accelerators and only words for it on the CPU."""
    words = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
