"""The compiled kernels: built once, and done without where they cannot be; what attention computes in sampling."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu import native as native_module
from sanmai.policies.text.cpu.kernels import attention, rotate
from sanmai.policies.text.cpu.native import _find_or_build, attend, native


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A cache folder of its own, and nothing remembered from other tests; it is built quickly."""
    monkeypatch.setattr(native_module, "_FLAGS", ("-O0", *native_module._FLAGS[1:]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _find_or_build.cache_clear()
    yield tmp_path
    _find_or_build.cache_clear()


def needs_compiler() -> None:
    if native().attend is None:
        pytest.skip(native().reason)


@pytest.mark.parametrize("width", [8, 12, 32, 64, 128])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize(("normed", "window", "cap"), [(True, None, None), (False, None, None), (False, 5, None), (True, 8, 2.0)])
def test_it_computes_what_pytorch_computes(width, heads, kv_heads, normed, window, cap):
    needs_compiler()
    generator = torch.Generator().manual_seed(width + heads)
    slots, capacity = 5, 40
    numbers = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    projected, angle = numbers(slots, heads + 2 * kv_heads, width), numbers(capacity, 1, width // 2)
    length = torch.tensor([0, 39, 7, 16, 1])
    norm = numbers(heads + kv_heads, width) if normed else None
    keys, values = 3 * numbers(slots, capacity, kv_heads, width), numbers(slots, capacity, kv_heads, width)
    expected_keys, expected_values = keys.clone(), values.clone()

    qk = projected[:, : heads + kv_heads]
    if norm is not None:
        qk = F.rms_norm(qk, (width,), None, 1e-6) * norm
    qk = rotate(qk, angle.cos()[length], angle.sin()[length])
    expected_keys[torch.arange(slots), length], expected_values[torch.arange(slots), length] = (
        qk[:, heads:], projected[:, heads + kv_heads:])  # fmt: skip
    expected = torch.stack([
        attention(*(x[None] for x in (
            qk[s, :heads].unsqueeze(1), expected_keys[s, first : n + 1].transpose(0, 1),
            expected_values[s, first : n + 1].transpose(0, 1))), scale=0.3, mask=torch.zeros(1, n + 1 - first), cap=cap)[0]
        for s, n in enumerate(length.tolist()) for first in [max(n + 1 - (window or 99), 0)]])  # fmt: skip

    # What lies beyond a slot's tokens is not read.
    for s, n in enumerate(length.tolist()):
        keys[s, n:], values[s, n:] = float("nan"), float("nan")
    function = native().attend
    assert function is not None
    found = attend(function, projected.flatten(1), norm, 1e-6, (angle.cos(), angle.sin()), length, keys, values, 0.3,
                   window=window, cap=cap)  # fmt: skip
    assert torch.allclose(found, expected.flatten(1), atol=1e-5, rtol=1e-5)
    for s, n in enumerate(length.tolist()):
        assert torch.allclose(keys[s, : n + 1], expected_keys[s, : n + 1], atol=1e-5)
        assert torch.equal(values[s, : n + 1], expected_values[s, : n + 1])
        assert keys[s, n + 1 :].isnan().all()


def test_what_is_not_finite_stays_visible():
    needs_compiler()
    function = native().attend
    assert function is not None
    projected = torch.ones(1, 3 * 8)
    projected[0, 3] = float("nan")
    keys, values, angle = torch.zeros(1, 4, 1, 8), torch.zeros(1, 4, 1, 8), torch.ones(4, 1, 4)
    found = attend(function, projected, None, 1e-6, (angle, angle), torch.tensor([2]), keys, values, 1.0)
    assert found.isnan().any()


def test_it_is_built_once_and_again_when_damaged(fresh):
    needs_compiler()
    (kept,) = (fresh / "cache" / "sanmai").iterdir()
    kept.write_bytes(kept.read_bytes()[:8192])  # the loader would end the process on this
    _find_or_build.cache_clear()
    assert native().reason.startswith("built with") and native().attend is not None
    assert kept.stat().st_size > 1000
    _find_or_build.cache_clear()
    assert native().reason.startswith("built earlier") and native().attend is not None


def test_without_a_compiler_there_is_a_reason(fresh, monkeypatch):
    monkeypatch.setenv("PATH", str(fresh))
    monkeypatch.delenv("CC", raising=False)
    assert native().attend is None and "no C compiler" in native().reason


def test_a_compiler_that_fails_is_named(fresh, monkeypatch):
    broken = fresh / "cc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(broken))
    assert native().attend is None and str(broken) in native().reason and "3" in native().reason


def test_a_cache_that_cannot_be_written_is_done_without(fresh, monkeypatch):
    (fresh / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(fresh / "file"))
    _find_or_build.cache_clear()
    if "no C compiler" in native().reason:
        pytest.skip(native().reason)
    assert native().attend is not None and "again by each process" in native().reason


def test_the_sources_are_part_of_the_package_and_of_the_cached_name(monkeypatch, tmp_path):
    assert all(path.is_file() and path.parent == Path(native_module.__file__).parent for path in native_module.SOURCES)
    compiler = str(tmp_path / "cc")
    Path(compiler).write_text("")
    before = native_module._fingerprint(compiler)
    changed = tmp_path / "numbers.h"
    changed.write_text(native_module.SOURCES[0].read_text() + "\n")
    monkeypatch.setattr(native_module, "SOURCES", (changed, *native_module.SOURCES[1:]))
    assert native_module._fingerprint(compiler) != before
