"""Certified refusal on the embedded model: brackets in order, both sides, exact counts, and what cannot be used is refused."""

import json

import pytest
import torch

from sanmai.evidence import certify as certify_module
from sanmai.evidence.certify import CertifyConfig, describe_certify, run_certify, train_head
from sanmai.instruments.certify import interval
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise, write_report
from sanmai.types import InputError


def config(**values) -> CertifyConfig:
    small = {"limit": 6, "steps": 60, "boxes": 32, "most_edits": 1, "max_texts": 6, "sampling": {"max_tokens": 24}}
    found = resolve(find_recipe("certify"), values={**small, **values})
    assert isinstance(found, CertifyConfig)
    return found


def test_the_bracket_holds_its_ends_in_order_and_edits_are_counted_exactly(tmp_path):
    folder = run_certify(config(), tmp_path / "run")
    found = json.loads((folder / "certify.json").read_text(encoding="utf-8"))
    for side in found["sides"].values():
        assert side["requests"] == 6 and len(side["sizes"]) == 3
        for row in side["sizes"]:
            attacked, split, intervals = (row[key]["value"] for key in ("attacked", "uncertified_split", "uncertified"))
            assert attacked <= split <= intervals and row["volume"][0] <= row["volume"][1]
        unproved = [row["uncertified"]["value"] for row in side["sizes"]]
        assert unproved == sorted(unproved)
    edits = found["edits"]
    assert edits["left_out"] + edits["model"]["requests"] == 6 and edits["model"]["texts"] >= edits["model"]["requests"]
    assert edits["model"]["some_edit"]["value"] >= edits["model"]["as_it_is"]["value"]  # the text as it is is among its edits
    assert any("not certified" in line for line in summarise(folder)["lines"])
    page = write_report(folder).read_text(encoding="utf-8")
    assert "a refusal flips" in page and "Every edit" in page
    before = (folder / "certify.json").read_bytes()
    run_certify(config(), folder)
    assert (folder / "certify.json").read_bytes() == before


def test_the_worst_bound_in_the_loss_is_lower_where_it_was_trained_on():
    generator = torch.Generator().manual_seed(0)
    dangerous_NC, harmless_NC = (torch.randn(40, 2, generator=generator) + shift for shift in (0.7, -0.7))
    worst = []
    for robust in (0.0, 0.7):
        head = train_head(config(robust=robust, steps=200), dangerous_NC, harmless_NC)
        low_N1, _ = interval(head, dangerous_NC - 1, dangerous_NC + 1)
        _, high_N1 = interval(head, harmless_NC - 1, harmless_NC + 1)
        worst.append(torch.nn.functional.softplus(torch.cat([-low_N1, high_N1])).mean().item())
    assert worst[1] < worst[0]


def test_harmless_requests_are_looked_at_from_the_other_side():
    head = train_head(config(steps=5), torch.ones(3, 2), -torch.ones(3, 2))
    x_NC = torch.randn(7, 2)
    assert torch.equal(certify_module._turned(head)(x_NC), -head(x_NC))


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"sampling\.temperature: expected 0"):
        config(sampling={"temperature": 1.0})
    with pytest.raises(InputError, match="in rising order"):
        config(sizes=(0.5, 0.1))
    table = tmp_path / "words.json"
    table.write_text('{"make": "build"}')
    with pytest.raises(InputError, match="expected a JSON object of words and lists of words"):
        run_certify(config(synonyms=table), tmp_path / "run")
    table.write_text('{"blow up": ["burst"]}')
    with pytest.raises(InputError, match="'blow up' is not one word"):
        run_certify(config(synonyms=table), tmp_path / "run")
    table.write_text('{"Make": ["build"], "make": ["form"]}')
    assert certify_module._of(certify_module._synonyms(table))("MAKE") == ("build", "form")
    said = " ".join(describe_certify(config(synonyms=table), tmp_path / "plan", measure=False))
    assert "6 dangerous and 6 harmless others" in said and "answered greedily" in said
