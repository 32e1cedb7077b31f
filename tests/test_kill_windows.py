"""Law 6: killed, or out of disk, at any change that a command makes to its folder, it goes on to the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.slow
def test_at_every_change_of_the_beginning_and_some_of_the_others():
    """The other ways, all windows, and those of r1: python tests/kill_windows.py --help."""
    command = [sys.executable, Path(__file__).with_name("kill_windows.py"), "zero", "--sample", "3", "--ways", "before"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    *wrong, last = done.stdout.splitlines() or [""]
    assert done.returncode == 0 and last.endswith("stops tried") and wrong == [], done.stdout + done.stderr[-2000:]
