"""The embedded world: problems and requests whose truth is known, and the noisy corpus of the base model.

Nothing here needs torch; `world.tokenizer` alone imports `tokenizers`.
"""

from sanmai.world.arithmetic import make_problems, verify
from sanmai.world.corpus import CorpusConfig, Document, documents
from sanmai.world.requests import Request, holds_recipe, holds_refusal, is_answered, is_leak, make_requests

__all__ = [
    "CorpusConfig",
    "Document",
    "Request",
    "documents",
    "holds_recipe",
    "holds_refusal",
    "is_answered",
    "is_leak",
    "make_problems",
    "make_requests",
    "verify",
]
