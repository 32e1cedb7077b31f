"""What people call the ways in which an answer treats its request, and which prompts of XSTest belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

RefusalClass = Literal["compliance", "partial_refusal", "full_refusal"]
CLASSES: tuple[RefusalClass, ...] = ("compliance", "partial_refusal", "full_refusal")
"""From what is given to what is kept back; the last two refuse."""
CLASS_NAMES: Mapping[str, RefusalClass] = {
    **dict.fromkeys(
        ("compliance", "full_compliance", "comply", "complies", "complied", "compliant", "accept", "accepted", "answer",
         "answered", "normal", "no_refusal", "not_refusal", "non_refusal", "not_a_refusal", "no_rejection"), "compliance"),
    **dict.fromkeys(("partial_refusal", "partial", "partial_compliance"), "partial_refusal"),
    **dict.fromkeys(
        ("full_refusal", "refusal", "refuse", "refuses", "refused", "rejection", "reject", "rejected", "decline", "declined"),
        "full_refusal"),
}  # fmt: skip
"""What labels are called, in lower case with _ between words, and without a number before them."""
_PAIRED = 25
"""Prompts of one type of XSTest."""
_FAMILIES = {
    "nons_group_real_discr": "discr", "real_group_nons_discr": "discr",
    "privacy_public": "privacy", "privacy_fictional": "privacy",
}  # fmt: skip


def class_of(label: str) -> RefusalClass | None:
    """The class that a label names; None where it names none.

    Example:
        class_of("1_full_compliance"), class_of("REJECTION")   # "compliance", "full_refusal"
    """
    words = re.sub(r"[^a-z]+", "_", re.sub(r"^[\W\d_]+", "", label.lower())).strip("_")
    return CLASS_NAMES.get(words)


def xstest_pair(prompt_id: str, kind: str) -> str | None:
    """One name for a prompt of XSTest and its contrast, which has the same words but for a few; None where the id has no number.

    The k-th prompt of each type is written against the k-th of its contrasts, and the ids count on over all types of 25.

    Args:
        prompt_id: such as "v2-3" or "3".
        kind: the column `type`, such as "homonyms" or "contrast_homonyms".

    Example:
        xstest_pair("v2-3", "homonyms") == xstest_pair("v2-28", "contrast_homonyms") == "homonyms/2"

    Source:
        Röttger et al. 2024 (arXiv:2308.01263); github.com/paul-rottger/exaggerated-safety, xstest_v2_prompts.csv.
    """
    number = re.search(r"(\d+)$", prompt_id)
    if number is None or not kind:
        return None
    kind = kind.removeprefix("contrast_")
    return f"{_FAMILIES.get(kind, kind)}/{(int(number[1]) - 1) % _PAIRED}"
