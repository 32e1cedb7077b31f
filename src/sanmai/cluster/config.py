"""Settings of samplers apart from the process that trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sanmai.config import Config, OnlyWith


class ClusterConfig(Config):
    transport: Literal["none", "processes"] = "none"
    """Who writes rollouts: this process ("none"), or processes that it starts ("processes")."""
    parts: int = Field(0, ge=0, le=65536)
    """Rollouts of a call, and the slots of sampling.concurrent, are cut into so many parts; a sampler writes one at a time. The
    bytes of a run depend on this and not on who writes. 0: as many as threads with "none", otherwise 8."""
    samplers: int = Field(2, ge=1, le=4096)
    """Samplers at work; how many changes no result."""
    threads: int = Field(1, ge=1, le=1024)
    """CPU cores of each sampler. As many as compute one part in a single process give its bytes."""
    devices: tuple[str, ...] = ()
    """Devices of the samplers, in turn ("cuda:1", "cuda:2"); none stated: the policy's."""
    deadline_seconds: float = Field(600.0, gt=0)
    """A sampler that takes longer over a part or its start is taken for hung: it is ended, and its part goes to another."""
    patience_seconds: float = Field(300.0, gt=0)
    """The run stops when for so long no sampler has been at work or ready for it."""
    tries: int = Field(5, ge=1)
    """The run stops when a part has been the last of so many samplers."""

    without_effect = frozenset({"samplers", "devices", "deadline_seconds", "patience_seconds", "tries"})
    only_with = (
        OnlyWith(
            'transport = "processes"', lambda c: c.transport != "none", "samplers", "threads", "devices", "deadline_seconds",
            "patience_seconds", "tries",
        ),
    )  # fmt: skip

    @property
    def is_apart(self) -> bool:
        """Others than this process write."""
        return self.transport != "none"

    @property
    def num_parts(self) -> int:
        """Parts of a call; 0: as many as threads."""
        return self.parts or (8 if self.is_apart else 0)
