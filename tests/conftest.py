"""One thread for every test: on a shared machine two that wait for each other are tens of times slower than one."""

import gc
import os

os.environ["OMP_NUM_THREADS"] = "1"  # read by PyTorch when it loads, and by the processes that tests start

import pytest
import torch

from forking import Forking

torch.set_num_threads(1)


def pytest_collection_finish():
    """What was imported stays; collecting garbage need not walk through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def forking():
    """Where the commands start that a test starts, stops or kills."""
    with Forking() as found:
        yield found
