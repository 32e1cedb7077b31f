"""Misdirection and anchoring of hidden states, by hand.

Shape key: B sequences, T tokens, D model width.
"""

from __future__ import annotations

import pytest
import torch

from sanmai.losses.unlearning import anchoring, misdirection, random_direction

HIDDEN_BTD = torch.tensor([[[1.0, 2.0], [0.0, 4.0]], [[3.0, 0.0], [9.0, 9.0]]])
MASK_BT = torch.tensor([[True, True], [True, False]])


def test_misdirection_is_the_mean_squared_distance_to_the_target_over_tokens_and_dimensions():
    # c u = (1, 1). Squared distances: (0 + 1), (1 + 9), (4 + 1) = 16, over 3 tokens and 2 dimensions: 16 / 6.
    loss = misdirection(HIDDEN_BTD, torch.ones(2), MASK_BT, token_count=3)
    assert loss.item() == pytest.approx(16 / 6)


def test_anchoring_is_nothing_at_the_start_and_the_mean_squared_distance_from_it_elsewhere():
    # Moved by (1, -2) on three tokens: each 1 + 4 = 5; 15 / (3 x 2) = 2.5. The masked token moved too and is not read.
    assert anchoring(HIDDEN_BTD, HIDDEN_BTD, MASK_BT, token_count=3).item() == 0
    moved_BTD = HIDDEN_BTD + torch.tensor([1.0, -2.0])
    assert anchoring(moved_BTD, HIDDEN_BTD, MASK_BT, token_count=3).item() == pytest.approx(2.5)


def test_gradients_point_from_the_target_and_cutting_the_step_changes_nothing():
    # dL/dh = 2 (h - c u) / (N D): of the first token 2 x (0, 1) / 6, and none of the masked one, whatever stands there.
    hidden_BTD = HIDDEN_BTD.clone()
    hidden_BTD[1, 1] = float("nan")
    hidden_BTD.requires_grad_()
    misdirection(hidden_BTD, torch.ones(2), MASK_BT, token_count=3).backward()
    assert hidden_BTD.grad is not None
    assert torch.allclose(hidden_BTD.grad[0, 0], torch.tensor([0.0, 1 / 3])) and not hidden_BTD.grad[1, 1].any()
    whole = misdirection(HIDDEN_BTD, torch.ones(2), MASK_BT, token_count=3)
    parts = [misdirection(HIDDEN_BTD[[b]], torch.ones(2), MASK_BT[[b]], token_count=3) for b in (0, 1)]
    assert sum(parts).item() == pytest.approx(whole.item())


def test_the_direction_has_length_one_no_negative_entry_and_is_the_seeds():
    drawn_D = random_direction(64, 7)
    assert drawn_D.norm().item() == pytest.approx(1) and (drawn_D >= 0).all()
    assert torch.equal(drawn_D, random_direction(64, 7)) and not torch.equal(drawn_D, random_direction(64, 8))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="target_D"):
        misdirection(HIDDEN_BTD, torch.ones(3), MASK_BT, token_count=3)
    with pytest.raises(ValueError, match="start_BTD"):
        anchoring(HIDDEN_BTD, HIDDEN_BTD[:1], MASK_BT, token_count=3)
    with pytest.raises(ValueError, match="denominator"):
        misdirection(HIDDEN_BTD, torch.ones(2), MASK_BT, token_count=0)
    with pytest.raises(ValueError, match="width"):
        random_direction(0, 0)
