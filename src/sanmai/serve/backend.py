"""What answers requests: a model of this process, or another server. The filter stands before either."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, Protocol

Kind = Literal["chat", "text"]
PATHS: Mapping[Kind, str] = {"chat": "/chat/completions", "text": "/completions"}


class Backend(Protocol):
    name: str
    """The model's, as clients ask for it; of another server its address."""

    def lines(self) -> list[str]:
        """What the first lines of the server say of it."""
        ...

    async def models(self) -> dict[str, Any]:
        """The list of models. Raises RequestError."""
        ...

    async def whole(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request. Cancelling lets go of it. Raises RequestError."""
        ...

    def parts(self, kind: Kind, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], bool | None]:
        """The answer as the parts of a stream. Closing it lets go of the request; sending it true says that only the usage at
        its end is wanted still, so that who can may stop writing. Raises RequestError, at any part."""
        ...

    def health(self) -> dict[str, Any]:
        """Counts for /health; `"ok": False` where nothing can be answered."""
        ...

    async def close(self) -> None: ...
