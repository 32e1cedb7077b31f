"""Settings of samplers apart from the process that trains."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith


class ClusterConfig(Config):
    transport: Literal["none", "processes", "ray", "http"] = "none"
    """Who writes rollouts: this process ("none"), processes that it starts ("processes"), actors on a Ray cluster ("ray"), or
    servers of vLLM ("http")."""
    parts: int = Field(0, ge=0, le=65536)
    """Rollouts of a call, and the slots of sampling.concurrent, are cut into so many parts; a sampler writes one at a time. The
    bytes of a run depend on this and not on who writes. 0: as many as threads with "none", otherwise 8."""
    samplers: int = Field(2, ge=1, le=4096)
    """Samplers at work; how many changes no result."""
    threads: int = Field(1, ge=1, le=1024)
    """CPU cores of each sampler. As many as compute one part in a single process give its bytes."""
    devices: tuple[str, ...] = ()
    """Devices of the samplers, in turn ("cuda:1", "cuda:2"); none stated: the policy's."""
    address: str | None = None
    """Of a Ray cluster that runs ("auto", "10.0.0.1:6379"); none: one is started on this machine for the time of the run."""
    gpus: float = Field(0.0, ge=0)
    """GPUs that Ray gives each sampler; 0: it computes on its CPU."""
    urls: tuple[str, ...] = ()
    """vLLM's servers, such as "http://127.0.0.1:8000"; each is a sampler."""
    deadline_seconds: float = Field(600.0, gt=0)
    """A sampler that takes longer over a part or its start is taken for hung: it is ended, and its part goes to another."""
    patience_seconds: float = Field(300.0, gt=0)
    """The run stops when for so long no sampler has been at work or ready for it."""
    tries: int = Field(5, ge=1)
    """The run stops when a part has been the last of so many samplers."""

    staleness: int = Field(0, ge=0, le=16)
    """Steps that rollouts are written ahead of training: 0 waits for each update; with 1 those of step k + 1 are written, by the
    policy of before it, while k is trained. Needs loss.importance_cap."""

    without_effect = frozenset({
        "samplers", "devices", "address", "gpus", "urls", "deadline_seconds", "patience_seconds", "tries",
    })  # fmt: skip
    only_with = (
        OnlyWith(
            'transport = "processes", "ray" or "http"', lambda c: c.transport != "none", "deadline_seconds", "patience_seconds",
            "tries", "staleness",
        ),
        OnlyWith('transport = "processes" or "ray"', lambda c: c.transport in ("processes", "ray"), "samplers", "threads"),
        OnlyWith('transport = "processes"', lambda c: c.transport == "processes", "devices"),
        OnlyWith('transport = "ray"', lambda c: c.transport == "ray", "address", "gpus"),
        OnlyWith('transport = "http"', lambda c: c.transport == "http", "urls"),
    )  # fmt: skip

    @property
    def is_apart(self) -> bool:
        """Others than this process write."""
        return self.transport != "none"

    @property
    def words(self) -> str:
        """Who writes, in a sentence; "" where this process does."""
        who = {
            "none": "", "processes": f"{self.samplers} processes", "ray": f"{self.samplers} actors of Ray",
            "http": f"{len(self.urls)} servers",
        }  # fmt: skip
        ahead = f", up to {self.staleness} steps ahead" if self.staleness else ""
        return f"Rollouts are written apart: {who[self.transport]}, {self.num_parts} parts{ahead}." if self.is_apart else ""

    @property
    def num_parts(self) -> int:
        """Parts of a call; 0: as many as threads."""
        return self.parts or (8 if self.is_apart else 0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.transport == "http" and not self.urls:
            raise ValueError('transport = "http" needs urls: the servers that write, such as ["http://127.0.0.1:8000"]')
        if odd := [url for url in self.urls if not url.startswith(("http://", "https://"))]:
            raise ValueError(f"urls: {odd[0]!r} does not begin with http:// or https://")
        if len({url.rstrip("/") for url in self.urls}) < len(self.urls):
            raise ValueError("urls names a server twice")
        return self
