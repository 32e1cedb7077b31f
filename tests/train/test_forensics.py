"""A step that was not finite leaves a bundle that shows why (law 8)."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from toy import ToyConfig, graded_groups, has_even_token

from rollouts import packed
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.train.components import LossConfig
from sanmai.train.forensics import replay, write_bundle
from sanmai.types import InputError
from tiny_models import random_policy, save_folder

CONFIG = ToyConfig()


def bundle_of(policy: TextPolicy, tmp_path, *, loss: LossConfig, bad_row: int | None = None, reference=None):
    rollouts = [r for g in graded_groups(policy, has_even_token, CONFIG, 1) for r in g.rollouts]
    if bad_row is not None:
        rollouts[bad_row] = replace(rollouts[bad_row], advantage=float("nan"))
    return write_bundle(
        tmp_path / "failures" / "step-000001", policy, packed(rollouts), reason="loss/rl = nan", loss=loss,
        temperature=1.0, max_tokens=6, rollouts=rollouts, reference=reference)


@pytest.mark.parametrize("loss", [LossConfig(), LossConfig(kl_weight=0.1)], ids=["plain", "kl"])
def test_a_bad_advantage_is_named_first(tmp_path, loss):
    policy = random_policy()
    folder = bundle_of(policy, tmp_path, loss=loss, bad_row=8, reference=policy.snapshot() if loss.kl_weight else None)
    found = replay(folder)
    assert found.reason == "loss/rl = nan" and len(found.rows) == 18
    worst = found.rows[0]
    assert (worst["problem_id"], worst["sample"], worst["streams_finite"]) == ("1", 2, False)  # row 8 = 6 of group 0, then 2
    assert math.isnan(worst["advantage"]) and all(row["streams_finite"] and not row["bad_tokens"] for row in found.rows[1:])
    assert all(abs(row["mean_log_ratio"]) < 1e-4 for row in found.rows)
    assert found.parameters == list(policy.weights)  # a NaN in the loss is in every gradient


def test_a_bad_weight_is_named(tmp_path):
    policy = random_policy()
    folder = bundle_of(policy, tmp_path, loss=LossConfig())
    assert replay(folder).parameters == []
    with torch.no_grad():
        policy.weights["model.layers.1.mlp.up_proj.weight"][0, 0] = float("nan")
    policy.save(folder / "model")
    found = replay(folder)
    assert "model.layers.1.mlp.up_proj.weight" in found.parameters and all(row["bad_tokens"] for row in found.rows)


def test_a_bundle_of_adapters_replays_with_the_merged_model(tmp_path):
    policy = load_policy(ModelConfig(name=str(save_folder(tmp_path / "model")), lora_rank=2, lora_alpha=16))
    folder = bundle_of(policy, tmp_path, loss=LossConfig(kl_weight=0.1), bad_row=0, reference=policy.snapshot())
    assert replay(folder).rows[0]["streams_finite"] is False


def test_a_bundle_of_a_hub_model_replays_although_its_folder_has_no_revisions(tmp_path):
    folder = bundle_of(random_policy(), tmp_path, loss=LossConfig())
    facts = json.loads((folder / "bundle.json").read_text())
    facts["model"] |= {"name": "owner/model", "revision": "v1"}
    (folder / "bundle.json").write_text(json.dumps(facts))
    assert replay(folder).parameters == []


def test_a_bundle_of_demonstrations_replays(tmp_path):
    batch = pack([([5, 6], [7, 1]), ([5], [8, 9, 1])])
    batch = batch.with_streams({"sft": batch.mask_BT.float()})
    folder = write_bundle(tmp_path, random_policy(), batch, reason="x", loss=None, temperature=1.0, max_tokens=6)
    found = replay(folder)
    assert sorted(row["problem_id"] for row in found.rows) == ["row 0", "row 1"] and found.parameters == []


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a bundle"):
        replay(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(InputError, match="not a bundle"):
        replay(tmp_path)
