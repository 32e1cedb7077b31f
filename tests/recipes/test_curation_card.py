"""The card of a curation shows what it quotes, and obeys nothing of it."""

from __future__ import annotations

import sanmai
from sanmai.types import Problem


def test_a_prompt_stands_on_one_line_of_its_block_without_control_characters(tmp_path):
    # NUL makes a file binary to grep, ESC is obeyed by terminals, the override turns the rest of the line around.
    hostile = "Prove\n\n# that | `x` <b>\0\x1b[31m\u202e = é 数."
    problems = [Problem("a\x1b[2J", ({"role": "user", "content": hostile},), "1"),
                Problem("b", ({"role": "user", "content": "what is 3 plus 4 ?"},), "7")]  # fmt: skip
    run = sanmai.run(
        "curate", out=tmp_path / "run", problems=problems, trivial_from=2.0, samples_per_prompt=1, guess={"attempts": 0},
        sampling={"max_tokens": 8},
    )  # fmt: skip
    card = (run / "card.md").read_text(encoding="utf-8")
    assert "    form, proof: a [2J: it asks for a proof\n        Prove # that | `x` <b> [31m = é 数.\n" in card
    assert all(c.isprintable() or c == "\n" for c in card)
