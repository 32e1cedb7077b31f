"""DPO, IPO, SimPO and KTO: worked numbers, closed-form gradients, the same from TRL, and what is refused.

Shape key: B pairs or labelled completions, T tokens.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from sanmai.losses import weighted_nll
from sanmai.losses.direct_preference import (
    PREFERENCE_PRESETS,
    PreferenceLossSettings,
    dpo,
    ipo,
    kto,
    kto_reference_kl,
    mismatched_completions,
    orpo,
    preference_loss,
    preference_weights,
    sequence_logp,
    simpo,
)

torch.set_num_threads(1)
PAIRS = ("chosen_logp_B", "rejected_logp_B", "reference_chosen_logp_B", "reference_rejected_logp_B")
EVERY_PRESET = pytest.mark.parametrize("name", list(PREFERENCE_PRESETS))


def of(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def example(seed: int, num_pairs: int = 6) -> dict[str, Tensor]:
    """Summed log-probs of pairs under a policy near its reference, and lengths."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda: torch.randn(num_pairs, generator=generator, dtype=torch.float64)  # noqa: E731
    reference = [-10 + 3 * normal() for _ in range(2)]
    logps = [logp + 2 * normal() for logp in reference]
    lengths = [torch.randint(1, 12, (num_pairs,), generator=generator) for _ in range(2)]
    return dict(zip((*PAIRS, "chosen_length_B", "rejected_length_B"), (*logps, *reference, *lengths), strict=True))


def loss_of(name: str, given: dict[str, Tensor], denominator: float = 6):
    return preference_loss(
        PREFERENCE_PRESETS[name], **given, denominator=denominator, reference_kl=0.3 if name == "kto" else None
    )


def test_worked_dpo():
    # d = 3 and 1, beta = ln 3 / 2: h = ln 3, sigmoid 3/4. And the same pair the wrong way round: 1/4.
    # L = -(ln 3/4 + ln 1/4)/2. With e = 1/4 of the first pair alone: -(3/4 ln 3/4 + 1/4 ln 1/4).
    beta, high, low, zero = math.log(3) / 2, of(3.0, 1.0), of(1.0, 3.0), of(0.0, 0.0)
    loss, metrics = dpo(high - 5, low - 7, zero - 5, zero - 7, beta=beta, denominator=2)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    expected = {"pair_accuracy": 0.5, "reward_chosen": 2 * beta, "reward_rejected": 2 * beta, "reward_margin": 0.0}
    assert metrics == pytest.approx(expected)
    loss, metrics = dpo(of(3.0), of(1.0), of(0.0), of(0.0), beta=beta, label_smoothing=0.25, denominator=1)
    assert loss.item() == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    assert metrics["reward_margin"] == pytest.approx(math.log(3)) and metrics["pair_accuracy"] == 1.0


def test_worked_ipo():
    # d = 3 and 1, 1/(2 beta) = 5: (2 - 5)^2 = 9. Over 2 and 4 tokens d = 3/2 and 1/4: (5/4 - 5)^2 = 14.0625.
    tensors = of(3.0), of(1.0), of(0.0), of(0.0)
    loss, metrics = ipo(*tensors, beta=0.1, denominator=1)
    assert loss.item() == pytest.approx(9.0) and metrics["reward_margin"] == pytest.approx(0.2)
    loss, metrics = ipo(*tensors, torch.tensor([2]), torch.tensor([4]), beta=0.1, denominator=1)
    assert loss.item() == pytest.approx(14.0625) and metrics["reward_margin"] == pytest.approx(0.125)


def test_worked_simpo_does_not_reward_length():
    # Means -1/2 (4 tokens) and -1 (1 token), beta = 2 ln 3, gamma = 0: h = ln 3; gamma = ln 3: h = 0.
    # By sums, -2 against -1, the pair would be the wrong way round.
    tensors = of(-2.0), of(-1.0), torch.tensor([4]), torch.tensor([1])
    for gamma, expected in ((0.0, math.log(4 / 3)), (math.log(3), math.log(2))):
        loss, metrics = simpo(*tensors, beta=2 * math.log(3), gamma=gamma, denominator=1)
        assert loss.item() == pytest.approx(expected) and metrics["pair_accuracy"] == 1.0
        assert metrics["reward_chosen"] == pytest.approx(-math.log(3))


def test_worked_orpo():
    # Geometric means 3/4 (2 tokens) and 1/2 (1 token): odds 3 and 1, log sigmoid(ln 3) = ln 3/4; 0.1 of it.
    tensors = of(2 * math.log(0.75)), of(math.log(0.5)), torch.tensor([2]), torch.tensor([1])
    loss, metrics = orpo(*tensors, beta=0.1, denominator=1)
    assert loss.item() == pytest.approx(0.1 * math.log(4 / 3)) and metrics["pair_accuracy"] == 1.0
    assert metrics["reward_margin"] == pytest.approx(0.1 * math.log(1.5))
    # A completion that is certain has no odds: as good as certain, and no gradient that is not a number.
    certain_B = of(0.0).requires_grad_()
    loss, _ = orpo(certain_B, *tensors[1:], beta=0.1, denominator=1)
    loss.backward()
    assert 0 <= loss.item() < 1e-6 and certain_B.grad is not None and math.isfinite(certain_B.grad.item())


def test_worked_kto():
    # d = 3 and 1, z = 1, beta = ln 3 / 2. Desirable: 1 - sigmoid(ln 3) = 1/4 and 1 - sigmoid(0) = 1/2, weight 2.
    # Undesirable: 1 - sigmoid(-ln 3) = 3/4 and 1/2, weight 1. L = (2 * 3/4 + 5/4) / 4. At z itself nothing is right.
    # Rewards: beta (3 + 1) / 4 of each label.
    loss, metrics = kto(
        of(-1.0, -3.0, -1.0, -3.0), of(-4.0, -4.0, -4.0, -4.0), torch.tensor([True, True, False, False]),
        beta=math.log(3) / 2, reference_kl=1.0, desirable_weight=2.0, denominator=4,
    )  # fmt: skip
    assert loss.item() == pytest.approx(2.75 / 4)
    half = math.log(3) / 2
    assert metrics == pytest.approx(
        {"label_accuracy": 0.25, "reward_desirable": half, "reward_undesirable": half, "desirable_share": 0.5}
    )
    # mean(2, -1, 0.5) = 1/2; a policy that finds them less likely than the reference counts as having moved by 0
    assert kto_reference_kl(of(-1.0, -4.0, -2.5), of(-3.0, -3.0, -3.0)) == pytest.approx(0.5)
    assert kto_reference_kl(of(-4.0), of(-3.0)) == 0.0


def test_gradients_at_the_reference_are_those_of_the_closed_forms():
    # Policy = reference, one pair of 2 and 4 tokens; gradients to (chosen, rejected).
    # DPO: -beta sigmoid(0) = -beta/2; smoothed by e: times 1 - 2e.   IPO: 2 (0 - 1/(2 beta)) = -1/beta, per token over T.
    # ORPO, equal means of -1: -beta/2 times the slope of the log-odds, 1 / (T (1 - e^-1)).
    # SimPO, equal means: -beta sigmoid(gamma) / T.    KTO, z = 0: -beta/4 per labelled completion, of which there are 2.
    sigmoid = 1 / (1 + math.exp(-1.0))
    expected = {
        "dpo": (-0.05, 0.05), "cdpo": (-0.04, 0.04), "ipo": (-10 / 2, 10 / 4), "simpo": (-2 * sigmoid / 2, 2 * sigmoid / 4),
        "orpo": (-0.05 / 2 / (1 - math.exp(-1)), 0.05 / 4 / (1 - math.exp(-1))), "kto": (-0.0125, 0.0125),
    }  # fmt: skip
    assert expected.keys() == PREFERENCE_PRESETS.keys()
    for name, gradients in expected.items():
        chosen_B, rejected_B = of(-2.0).requires_grad_(), of(-4.0).requires_grad_()
        lengths = torch.tensor([2]), torch.tensor([4])
        loss, metrics = preference_loss(
            PREFERENCE_PRESETS[name], chosen_B, rejected_B, of(-2.0), of(-4.0), *lengths,
            denominator=1, reference_kl=0.0 if name == "kto" else None,
        )  # fmt: skip
        found = [g.item() for g in torch.autograd.grad(loss, (chosen_B, rejected_B))]
        assert found == pytest.approx(list(gradients)), name
        assert metrics.get("pair_accuracy", metrics.get("label_accuracy")) == 0.0, name  # undecided is not right


@EVERY_PRESET
def test_gradients_equal_finite_differences_and_none_reaches_the_reference(name):
    given = example(0)
    for key in PAIRS:
        given[key].requires_grad_()
    call = lambda chosen, rejected: loss_of(name, {**given, PAIRS[0]: chosen, PAIRS[1]: rejected})[0]  # noqa: E731
    assert torch.autograd.gradcheck(call, (given[PAIRS[0]], given[PAIRS[1]]))
    call(given[PAIRS[0]], given[PAIRS[1]]).backward()
    assert given[PAIRS[2]].grad is None and given[PAIRS[3]].grad is None


@EVERY_PRESET
@pytest.mark.parametrize("cuts", [[[0, 1, 2], [3, 4, 5]], [[5, 0], [3], [1, 4, 2]], [[i] for i in range(6)]])
def test_any_order_and_split_of_the_pairs_gives_the_same_loss_and_metrics(name, cuts):
    given = example(1)
    loss, metrics = loss_of(name, given)
    parts = [loss_of(name, {key: value[rows] for key, value in given.items()}) for rows in cuts]
    assert sum(part.item() for part, _ in parts) == pytest.approx(loss.item())
    assert {key: sum(m[key] for _, m in parts) for key in metrics} == pytest.approx(metrics)


@EVERY_PRESET
def test_weights_of_the_tokens_give_the_gradient_of_the_loss_with_the_rows_of_a_pair_apart(name):
    generator = torch.Generator().manual_seed(2)
    logp_BT = -torch.rand(8, 5, generator=generator, dtype=torch.float64)
    logp_BT.requires_grad_()
    mask_BT = torch.arange(5).expand(8, -1) < torch.tensor([5, 2, 1, 4, 3, 3, 5, 1])[:, None]  # 4 chosen, 4 rejected
    reference_B = sequence_logp(logp_BT.detach() + 0.5, mask_BT)[0] - 1
    logp_B, length_B = sequence_logp(logp_BT, mask_BT)
    arguments = (PREFERENCE_PRESETS[name], *logp_B.chunk(2), *reference_B.chunk(2), *length_B.chunk(2))
    numbers = dict(denominator=4, reference_kl=0.3 if name == "kto" else None)
    loss, metrics = preference_loss(*arguments, **numbers)
    (expected,) = torch.autograd.grad(loss, logp_BT, retain_graph=True)

    with torch.no_grad():  # as where sequences are scored before the step
        *weights, found = preference_weights(*arguments, **numbers)
    assert found == {"preference_loss": loss.item(), **metrics}
    weight_BT = torch.cat(weights)[:, None] * mask_BT
    for rows in ([3, 4], [0, 6, 7], [1], [2, 5]):
        weighted_nll(logp_BT[rows], mask_BT[rows], weight_BT=weight_BT[rows], denominator=1)[0].backward()
    torch.testing.assert_close(logp_BT.grad, expected)


def test_a_completions_log_prob_is_the_sum_over_its_own_tokens():
    # The prompt's and the padding's values are never read, in value and gradient; a row without tokens is 0.
    logp_BT = torch.tensor([[math.nan, -1.0, -2.0, math.inf], [-9.0, -9.0, -9.0, math.nan]]).requires_grad_()
    mask_BT = torch.tensor([[False, True, True, False], [False] * 4])
    logp_B, length_B = sequence_logp(logp_BT, mask_BT)
    logp_B.sum().backward()
    assert logp_B.tolist() == [-3.0, 0.0] and length_B.tolist() == [2, 0]
    assert logp_BT.grad is not None and logp_BT.grad.tolist() == [[0.0, 1.0, 1.0, 0.0], [0.0] * 4]
    half = torch.zeros(1, 1, dtype=torch.bfloat16)
    assert sequence_logp(half, torch.ones(1, 1, dtype=torch.bool))[0].dtype == torch.float32


@EVERY_PRESET
def test_far_log_probs_neither_overflow_nor_lose_their_gradient(name):
    given = {key: value.float() for key, value in example(3, 1).items()}
    given[PAIRS[0]] = torch.tensor([-1e5]).requires_grad_()
    loss, _ = loss_of(name, given)
    (gradient,) = torch.autograd.grad(loss, given[PAIRS[0]])
    assert math.isfinite(loss.item()) and math.isfinite(gradient.item())
    assert (gradient.item() == 0.0) if name == "kto" else (gradient.item() < 0)  # KTO gives up what is far gone


def test_mismatched_completions_are_a_permutation_that_leaves_none_with_its_own_prompt():
    for prompts in (["a", "b"], list("aabb"), list("abacad"), list("aabbc"), list("abcdefg")):
        other = mismatched_completions(prompts)
        assert sorted(other) == list(range(len(prompts)))
        assert all(prompts[row] != prompts[i] for row, i in enumerate(other))
    assert mismatched_completions([]) == []
    for prompts in (["a"], list("aab"), list("aaabb")):
        with pytest.raises(ValueError, match="expected at most half"):
            mismatched_completions(prompts)


# TRL 1.16 as an oracle: its trainers' losses on stand-ins whose model returns given log-probs.


def outputs(rows: dict[str, Tensor]) -> SimpleNamespace:
    """What TRL's model returns: log-probs that are 0, without gradient, outside the completion."""
    unused_BT = torch.zeros_like(rows["logp_BT"]).detach()
    logp_BT = rows["logp_BT"] * rows["mask_BT"]
    return SimpleNamespace(log_probs=logp_BT, entropy=unused_BT, mean_logits=unused_BT, is_top1=unused_BT.bool())


def trainer(**more) -> SimpleNamespace:
    same = lambda x: x  # noqa: E731
    return SimpleNamespace(
        model=SimpleNamespace(training=False), accelerator=SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same),
        aux_loss_enabled=False, precompute_ref_logps=True, _metrics={"eval": defaultdict(list)}, _total_train_tokens=0, **more,
    )  # fmt: skip


def token_rows(seed: int, num_rows: int = 8, width: int = 6) -> dict[str, Tensor]:
    """Token log-probs of policy and reference."""
    generator = torch.Generator().manual_seed(seed)
    mask_BT = torch.arange(width).expand(num_rows, -1) < torch.randint(1, width + 1, (num_rows, 1), generator=generator)
    logp_BT = -3 * torch.rand(num_rows, width, generator=generator)
    noise_BT = torch.randn(num_rows, width, generator=generator)
    return dict(logp_BT=logp_BT.requires_grad_(), reference_logp_BT=logp_BT.detach() + noise_BT, mask_BT=mask_BT)


def sums(rows: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    logp_B, length_B = sequence_logp(rows["logp_BT"], rows["mask_BT"])
    return logp_B, sequence_logp(rows["reference_logp_BT"], rows["mask_BT"])[0], length_B


def trl_inputs(mask_BT: Tensor, **more) -> dict[str, Tensor]:
    """One prompt token before each completion: TRL's log-probs begin with the second token."""
    wide_BT = torch.cat([torch.zeros(len(mask_BT), 1, dtype=torch.bool), mask_BT], 1)
    ids_BT = torch.zeros_like(wide_BT, dtype=torch.long)
    return dict(input_ids=ids_BT, attention_mask=torch.ones_like(ids_BT), completion_mask=wide_BT.int(), **more)


def assert_same(ours: Tensor, theirs: Tensor, at: Tensor) -> None:
    torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=1e-5, atol=1e-6)
    (a,), (b,) = (torch.autograd.grad(loss, at, retain_graph=True) for loss in (ours, theirs))
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert a.abs().sum() > 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "loss_type"), [("dpo", "sigmoid"), ("ipo", "ipo")])
def test_dpo_and_ipo_are_those_of_trls_dpo_trainer(name, loss_type, seed):
    pytest.importorskip("trl")
    from trl.trainer.dpo_trainer import DPOTrainer

    rows = token_rows(seed)
    logp_B, reference_B, length_B = sums(rows)
    chosen_B, rejected_B = reference_B.chunk(2)
    theirs = trainer(
        ld_alpha=None, f_divergence_type="reverse_kl", loss_types=[loss_type], loss_weights=[1.0], beta=0.1, use_weighting=False,
    )  # fmt: skip
    inputs = trl_inputs(rows["mask_BT"], ref_chosen_logps=chosen_B, ref_rejected_logps=rejected_B)
    expected = DPOTrainer._compute_loss(theirs, lambda **_: outputs(rows), inputs, False)
    ours, metrics = preference_loss(
        PREFERENCE_PRESETS[name], *logp_B.chunk(2), chosen_B, rejected_B, *length_B.chunk(2), denominator=4
    )
    assert_same(ours, expected, rows["logp_BT"])
    if name == "dpo":  # TRL logs the rewards of sums for IPO too
        logged = [theirs._metrics["eval"][f"rewards/{key}"] for key in ("accuracies", "chosen", "rejected", "margins")]
        assert list(metrics.values()) == pytest.approx([value for (value,) in logged], rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_simpo_and_smoothed_dpo_are_those_of_trls_cpo_trainer(seed, label_smoothing):
    pytest.importorskip("trl")
    from trl.experimental.cpo.cpo_trainer import CPOTrainer

    theirs = lambda loss_type, beta: trainer(  # noqa: E731
        alpha=0.0, loss_type=loss_type, beta=beta, simpo_gamma=1.0, label_smoothing=label_smoothing
    )
    given = example(seed)
    chosen_B, rejected_B = given[PAIRS[0]].requires_grad_(), given[PAIRS[1]]
    lengths = given["chosen_length_B"], given["rejected_length_B"]
    expected_B, reward_B, _ = CPOTrainer.cpo_loss(theirs("simpo", 2.0), chosen_B / lengths[0], rejected_B / lengths[1])
    simpo_settings = PreferenceLossSettings("simpo", beta=2.0, gamma=1.0, label_smoothing=label_smoothing)
    ours, metrics = preference_loss(simpo_settings, chosen_B, rejected_B, None, None, *lengths, denominator=6)
    assert_same(ours, expected_B.mean(), chosen_B)
    assert metrics["reward_chosen"] == pytest.approx(reward_B.mean().item())
    # CPO is DPO with a uniform reference; with log-ratios in place of log-probs it is DPO.
    ratios = chosen_B - given[PAIRS[2]], rejected_B - given[PAIRS[3]]
    expected_B, *_ = CPOTrainer.cpo_loss(theirs("sigmoid", 0.1), *ratios)
    ours, _ = dpo(*(given[key] for key in PAIRS), beta=0.1, label_smoothing=label_smoothing, denominator=6)
    assert_same(ours, expected_B.mean(), chosen_B)


@pytest.mark.parametrize("seed", range(3))
def test_orpo_is_that_of_trls_orpo_trainer(seed):
    pytest.importorskip("trl")
    from trl.experimental.orpo.orpo_trainer import ORPOTrainer

    given = example(seed)
    chosen_B, rejected_B = given[PAIRS[0]].requires_grad_(), given[PAIRS[1]]
    lengths = given["chosen_length_B"], given["rejected_length_B"]
    theirs = trainer(beta=0.1)
    expected_B, reward_B, *_ = ORPOTrainer.odds_ratio_loss(theirs, chosen_B / lengths[0], rejected_B / lengths[1])
    ours, metrics = preference_loss(PREFERENCE_PRESETS["orpo"], chosen_B, rejected_B, None, None, *lengths, denominator=6)
    assert_same(ours, -expected_B.mean(), chosen_B)
    assert metrics["reward_chosen"] == pytest.approx(reward_B.mean().item())


@pytest.mark.parametrize("seed", range(3))
def test_kto_is_that_of_trls_kto_trainer(seed):
    pytest.importorskip("trl")
    from trl.trainer.kto_trainer import KTOTrainer

    rows = token_rows(seed)
    (logp_B, reference_B, _), (other_B, other_reference_B, _) = sums(rows), sums(token_rows(seed + 10))
    label_B = torch.tensor([True, False, True, True, False, False, True, False])
    theirs = trainer(calculate_KL=True, loss_type="kto", beta=0.1, desirable_weight=1.3, undesirable_weight=0.8)
    theirs._compute_kl_logps = lambda model, batch: other_B
    inputs = trl_inputs(rows["mask_BT"], label=label_B, ref_logps=reference_B, ref_KL_logps=other_reference_B)
    expected = KTOTrainer._compute_loss(theirs, lambda **_: outputs(rows), inputs, False)
    z = kto_reference_kl(other_B, other_reference_B)
    ours, metrics = kto(
        logp_B, reference_B, label_B,
        beta=0.1, reference_kl=z, desirable_weight=1.3, undesirable_weight=0.8, denominator=8,
    )  # fmt: skip
    assert_same(ours, expected, rows["logp_BT"])
    share, logged = metrics["desirable_share"], {name: values[0] for name, values in theirs._metrics["eval"].items()}
    assert logged["kl"] == pytest.approx(z)
    assert metrics["reward_desirable"] / share == pytest.approx(logged["rewards/chosen"], rel=1e-5)
    assert metrics["reward_undesirable"] / (1 - share) == pytest.approx(logged["rewards/rejected"], rel=1e-5)


def settings(loss="dpo", beta=0.1, **more):
    return PreferenceLossSettings(loss, beta, **more)


def pair_loss(name="dpo", **changes):
    return preference_loss(PREFERENCE_PRESETS[name], **{**example(0), "denominator": 6, **changes})


ONE = torch.ones(1)


@pytest.mark.parametrize(("attempt", "says"), [
    (lambda: settings("slic"), "loss is 'slic'"), (lambda: settings(beta=0.0), "beta is 0.0"),
    (lambda: settings(label_smoothing=0.5), "label_smoothing is 0.5"),
    (lambda: settings("ipo", label_smoothing=0.1), "'ipo' does not read label_smoothing"),
    (lambda: settings("simpo"), "'simpo' needs gamma"), (lambda: settings(gamma=1.0), "'dpo' does not read gamma"),
    (lambda: settings("simpo", gamma=-1.0), "gamma is -1.0"),
    (lambda: settings("kto", desirable_weight=-1.0), "desirable_weight is -1.0"),
    (lambda: settings("kto", desirable_weight=0.0, undesirable_weight=0.0), "are both 0: no completion would count"),
    (lambda: settings(per_token=True), "'dpo' does not read per_token"),
    (lambda: settings(desirable_weight=2.0), "'dpo' does not read desirable_weight"),
    (lambda: dataclasses.replace(PREFERENCE_PRESETS["simpo"], loss="dpo"), "'dpo' does not read gamma"),
    (lambda: pair_loss(denominator=0), "denominator is 0"),
    (lambda: pair_loss(rejected_logp_B=torch.zeros(5)), "rejected_logp_B has shape"),
    (lambda: pair_loss(chosen_logp_B=torch.zeros(6, 2)), r"expected \(B,\)"),
    (lambda: pair_loss(reference_chosen_logp_B=None), "needs reference_chosen_logp_B"),
    (lambda: pair_loss(reference_kl=0.1), "'dpo' does not read reference_kl"),
    (lambda: pair_loss("kto"), "'kto' needs reference_kl"),
    (lambda: pair_loss("kto", reference_kl=math.nan), "reference_kl is nan"),
    (lambda: pair_loss("simpo", chosen_length_B=torch.zeros(6)), "chosen_length_B is"),
    (lambda: pair_loss("ipo", rejected_length_B=torch.ones(5)), "rejected_length_B is"),
    (lambda: simpo(ONE, ONE, ONE, ONE, beta=1.0, gamma=-1.0, denominator=1), "gamma is -1.0"),
    (lambda: ipo(ONE, ONE, ONE, ONE, ONE, beta=1.0, denominator=1), "go together"),
    (lambda: kto(ONE, ONE, ONE, beta=1.0, reference_kl=0.0, denominator=1), "is_desirable_B is torch.float32"),
    (lambda: kto_reference_kl(ONE[:0], ONE[:0]), "0 mismatched completions is nan"),
])  # fmt: skip
def test_what_cannot_be_a_loss_is_refused(attempt, says):
    with pytest.raises(ValueError, match=says):
        attempt()
