"""Search at test time: what is written next, what is kept, what is answered.

The room is called like the function `sanmai.search(model, problems, ...)`, so the module can be called: see sanmai/__init__.py.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A module that is called as `sanmai.search_problems`."""

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return sys.modules["sanmai"].search_problems(*arguments, **settings)


sys.modules[__name__].__class__ = _Room
