"""docs/python.md as a notebook in a real kernel, from top to bottom, and a run that is interrupted in one."""

import asyncio
import re
import threading
import time
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
SMALL = "problems={'world': {'train': 60, 'heldout': 8}}, prompts_per_step=4, rollouts_per_prompt=4, evaluation={'every': 0}"


def notebook(*cells: str, folder: Path, **options):
    """A notebook with these cells and what would run it, on sockets that are no TCP ports."""
    from jupyter_client.manager import AsyncKernelManager

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
    resources = {"metadata": {"path": str(folder)}}
    return book, nbclient.NotebookClient(book, timeout=240, km=manager, resources=resources, **options)


def text_of(cell) -> str:
    found = [output.get("text", "") + output.get("data", {}).get("text/html", "") for output in cell.outputs]
    return "\n".join(found)


@pytest.mark.slow
def test_the_page_runs_as_a_notebook_from_the_first_run_to_an_audit_and_an_export(tmp_path):
    book, client = notebook(*BLOCKS, folder=tmp_path)
    client.execute()
    first = text_of(book.cells[0])
    assert "step 12 of 12" in first and "<svg" in first and "sanmai-card" in first
    assert (tmp_path / "exported" / "config.json").is_file() and (tmp_path / "runs" / "first" / "report.html").is_file()
    assert "Recipe zero" in text_of(book.cells[-1]) and "'accuracy': 1.0" not in text_of(book.cells[-2])


@pytest.mark.slow
def test_a_run_that_the_kernels_stop_button_ends_goes_on_with_the_same_call(tmp_path):
    call = f"import sanmai\nrun = sanmai.run('zero', num_steps=60, {SMALL}, out='runs/cut')"
    said = "print(run.status, len(run.metrics), run.checkpoint.name)"
    book, client = notebook(call, call, said, folder=tmp_path, allow_errors=True)
    metrics, interrupted = tmp_path / "runs" / "cut" / "metrics.jsonl", threading.Event()

    def press_stop() -> None:
        while not interrupted.is_set() and not (metrics.exists() and metrics.read_text().count("\n") > 2):
            time.sleep(0.05)
        asyncio.run(client.km.interrupt_kernel())

    presser = threading.Thread(target=press_stop, daemon=True)
    presser.start()
    try:
        client.execute()
    finally:
        interrupted.set()
    errors = [output for output in book.cells[0].outputs if output.output_type == "error"]
    assert [error.ename for error in errors] == ["KeyboardInterrupt"], book.cells[0].outputs
    assert "Stopped and saved" in text_of(book.cells[0]) and "Going on after step" in text_of(book.cells[1])
    assert text_of(book.cells[2]).strip() == "finished 61 step-000060"
