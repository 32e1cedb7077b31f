"""The compiled passes of training against autograd of their definitions in float64, and against doing without them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from sanmai.losses import token_logp_and_entropy
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.cpu import compiled, kernels
from sanmai.policies.text.cpu.native import Native, native
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from tiny_models import bpe_tokenizer, random_model

BOTH = [torch.float32, torch.bfloat16]
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 1.5e-2}  # bfloat16 has 8 bits: a rounding is up to 2^-9 = 0.2 %


@pytest.fixture(scope="module")
def library():
    found = native().library
    return found if found is not None else pytest.skip(native().reason)


def numbers(*shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return (scale * torch.randn(*shape, generator=generator)).to(dtype).requires_grad_()


def assert_same(function, definition, inputs: list[Tensor], dtype: torch.dtype) -> None:
    """Values and gradients are those of the definition in float64, to the rounding of `dtype`."""
    exact = [x.detach().double().requires_grad_() for x in inputs]
    found, expected = function(*inputs), definition(*exact)
    for value, true in zip(found, expected, strict=True):
        assert_close(value, true, dtype)
    weights = [numbers(*x.shape).detach() for x in found]
    total = lambda outputs: sum((x * w).sum() for x, w in zip(outputs, weights, strict=True))  # noqa: E731
    total(found).backward()
    total(expected).backward()
    for x, true in zip(inputs, exact, strict=True):
        assert x.grad is not None and x.grad.dtype is x.dtype
        assert_close(x.grad, true.grad, dtype)


def assert_close(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    bound = TOLERANCE[dtype] * max(expected.abs().max().item(), 1e-3) if expected.numel() else 0.0
    assert found.shape == expected.shape and torch.allclose(found.double(), expected, rtol=TOLERANCE[dtype], atol=bound)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(("rows", "width"), [(5, 32), (1, 7), (3, 131), (0, 8), (150, 33)])
@pytest.mark.parametrize("has_update", [True, False])
def test_the_sum_and_its_norm(library, dtype, rows, width, has_update):
    x, weight = numbers(rows, width), numbers(width)
    update = [numbers(rows, width + 1, dtype=dtype)[:, 1:].detach().requires_grad_()] if has_update else []

    def definition(x, weight, *update):
        total = sum(update, x)
        return total, F.rms_norm(total, (width,), weight, 1e-6)

    def function(x, weight, *update):
        return compiled.add_norm(library, x, update[0] if update else None, weight, 1e-6, dtype)

    assert_same(function, definition, [x, weight, *update], dtype)


def test_a_sum_of_which_the_norm_is_not_used_has_a_gradient(library):
    x, update, weight = numbers(3, 5), numbers(3, 5, dtype=torch.bfloat16), numbers(5)
    total, _ = compiled.add_norm(library, x, update, weight, 1e-6, torch.bfloat16)
    total.sum().backward()
    assert torch.equal(x.grad, torch.ones(3, 5)) and torch.equal(update.grad, torch.ones(3, 5).bfloat16())
    assert torch.equal(weight.grad, torch.zeros(5))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(("rows", "width"), [(5, 32), (1, 7), (0, 8), (9, 131)])
def test_swiglu(library, dtype, rows, width):
    definition = lambda x: [F.silu(x[:, :width]) * x[:, width:]]  # noqa: E731
    assert_same(lambda x: [compiled.swiglu(library, x)], definition, [numbers(rows, 2 * width, dtype=dtype, scale=4.0)], dtype)


def test_swiglu_far_from_zero_neither_overflows_nor_vanishes(library):
    # silu(-200) = -200 e^-200 = 0, silu(200) = 200; slopes 0 and 1
    x = torch.tensor([[-200.0, 200.0, 3.0, 3.0]], requires_grad=True)
    found = compiled.swiglu(library, x)
    found.sum().backward()
    assert found.tolist() == [[0.0, 600.0]] and x.grad.tolist() == [[0.0, 3.0, 0.0, 200.0]]


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(("rows", "words"), [(5, 209), (1, 7), (0, 8), (9, 48), (3, 1)])
def test_logp_and_entropy_of_targets(library, dtype, rows, words):
    targets = torch.arange(rows) % words
    logits, transposed = numbers(rows, words, dtype=dtype, scale=3.0), numbers(words, rows, dtype=dtype, scale=3.0)
    definition = lambda x: [torch.log_softmax(x / 0.7, -1).gather(1, targets[:, None])[:, 0]]  # noqa: E731
    for x in (logits, transposed.t().detach().requires_grad_()):
        assert_same(lambda x: compiled.logp_and_entropy(x, targets, 0.7)[:1], definition, [x], dtype)
        exact = torch.log_softmax(x.detach().double() / 0.7, -1)
        entropy = -(exact.exp() * exact).sum(-1)
        found = compiled.logp_and_entropy(x, targets, 0.7)[1]
        assert not found.requires_grad and torch.allclose(found.double(), entropy, atol=1e-5)


def test_log_probs_keep_their_digits_and_words_may_be_ruled_out(library):
    # p = (1/2, 1/2, 0): log-prob and entropy ln 2 = 0.693147 whatever is added to all logits
    logits = torch.tensor([[5e4, 5e4, -torch.inf]], requires_grad=True)
    logp, entropy = compiled.logp_and_entropy(logits, torch.tensor([1]), 1.0)
    logp.sum().backward()
    assert logp.item() == pytest.approx(-0.693147, abs=1e-6) and entropy.item() == pytest.approx(0.693147, abs=1e-6)
    assert logits.grad.tolist()[0] == pytest.approx([-0.5, 0.5, 0.0])
    with pytest.raises(IndexError, match="3 tokens"):
        compiled.logp_and_entropy(logits, torch.tensor([3]), 1.0)


def test_scoring_takes_the_compiled_pass_where_the_entropy_has_no_gradient(library):
    hidden, targets, calls = numbers(9, 5), torch.arange(9) % 5, []

    def recording(*arguments):
        calls.append(arguments)
        return compiled.logp_and_entropy(*arguments)

    plain = token_logp_and_entropy(hidden, lambda h: 2 * h, targets, temperature=0.7, chunk_tokens=4, entropy_gradient=False)
    for gradient, expected in ((True, 0), (False, 3)):
        found = token_logp_and_entropy(hidden, lambda h: 2 * h, targets, temperature=0.7, chunk_tokens=4,
                                       entropy_gradient=gradient, compiled=recording)  # fmt: skip
        assert len(calls) == expected
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, plain, strict=True))


# Three rows; the second one's first three tokens are the first row's. Row lengths 20, 37 and 1; 20 + 34 + 1 tokens.
INDEX = torch.zeros(3, 37, dtype=torch.long)
INDEX[0, :20], INDEX[1, :3], INDEX[1, 3:], INDEX[2, 0] = torch.arange(20), torch.arange(3), torch.arange(20, 54), 54
START, LENGTH = torch.tensor([0, 3, 0]), torch.tensor([20, 37, 1])
POSITION = torch.cat([torch.arange(20), torch.arange(3, 37), torch.tensor([0])])


def attention_by_definition(heads, cos, sin, num_heads, num_kv_heads, scale, query_norm=None, key_norm=None, *,
                            window=99, cap=None):  # fmt: skip
    """Token by token, over the tokens of its row up to itself, the last `window` of them."""
    q, k, v = heads.unflatten(1, (num_heads + 2 * num_kv_heads, -1)).split((num_heads, num_kv_heads, num_kv_heads), dim=1)
    if query_norm is not None:
        q, k = (F.rms_norm(x, x.shape[-1:], weight, 1e-6) for x, weight in ((q, query_norm), (k, key_norm)))
    q, k = (torch.cat([a * cos - b * sin, b * cos + a * sin], -1) for a, b in (x.chunk(2, -1) for x in (q, k)))
    k, v = (x.repeat_interleave(num_heads // num_kv_heads, 1) for x in (k, v))
    rows = {}
    for row, length in enumerate(LENGTH.tolist()):
        for t in range(START[row], length):
            seen = INDEX[row, max(t + 1 - window, 0) : t + 1]
            score = scale * torch.einsum("he,the->ht", q[INDEX[row, t]], k[seen])
            p = (score if cap is None else cap * torch.tanh(score / cap)).softmax(-1)
            rows[int(INDEX[row, t])] = torch.einsum("ht,the->he", p, v[seen]).flatten()
    return torch.stack([rows[n] for n in range(len(heads))])


def attend(library, heads, angle, num_heads, num_kv_heads, norms=(), **more):
    return compiled.attention(library, heads, norms or None, (angle.cos(), angle.sin()), (INDEX, START, LENGTH),
                              num_heads=num_heads, num_kv_heads=num_kv_heads, eps=1e-6, scale=0.4, **more)  # fmt: skip


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("width", [2, 12, 32, 40])
@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(4, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("normed", [True, False])
def test_attention_with_its_norm_and_rotation(library, dtype, width, num_heads, num_kv_heads, normed):
    heads = numbers(55, (num_heads + 2 * num_kv_heads) * width, dtype=dtype)
    angle = POSITION[:, None, None] / 10 ** torch.linspace(0, 2, width // 2)
    norms = [numbers(width), numbers(width + 1)[1:].detach().requires_grad_()] if normed else []
    exact = angle.double()
    assert_same(
        lambda heads, *norms: [attend(library, heads, angle, num_heads, num_kv_heads, norms)],
        lambda heads, *norms: [attention_by_definition(heads, exact.cos(), exact.sin(), num_heads, num_kv_heads, 0.4, *norms)],
        [heads, *norms], dtype)  # fmt: skip


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(
    "more", [{"window": 1}, {"window": 5}, {"window": 17, "cap": 0.7}, {"window": 36}, {"cap": 50.0}], ids=str)  # fmt: skip
def test_attention_of_a_window_and_with_a_soft_cap(library, dtype, more):
    heads, angle = numbers(55, 8 * 12, dtype=dtype), POSITION[:, None, None] / 10 ** torch.linspace(0, 2, 6)
    exact = angle.double()
    assert_same(
        lambda heads: [attend(library, heads, angle, 4, 2, **more)],
        lambda heads: [attention_by_definition(heads, exact.cos(), exact.sin(), 4, 2, 0.4, **more)], [heads], dtype)  # fmt: skip


@pytest.mark.parametrize("dtype", BOTH)
def test_what_is_not_finite_stays_visible_and_later_tokens_change_nothing(library, dtype):
    heads, angle = numbers(55, 3 * 8, dtype=dtype).detach(), torch.zeros(55, 1, 4)
    before = attend(library, heads, angle, 1, 1)
    for value in (5.0, torch.nan):
        heads[10] = value  # in the first row
        after = attend(library, heads, angle, 1, 1)
        assert torch.equal(after[20:], before[20:]) and not torch.isclose(after[10:20], before[10:20]).all(dim=1).any()
        if value == 5.0:
            assert torch.equal(after[:10], before[:10])
    assert after[10:20].isnan().all()
    x = torch.full((1, 4), torch.nan, dtype=dtype)
    assert compiled.swiglu(library, x).isnan().all() and compiled.logp_and_entropy(x, torch.tensor([0]), 1.0)[0].isnan()
    assert compiled.add_norm(library, x.float(), x, torch.ones(4), 1e-6, dtype)[1].isnan().all()


def test_angles_of_other_tokens_are_refused(library):
    with pytest.raises(ValueError, match="do not belong"):
        attend(library, numbers(55, 3 * 8), torch.zeros(54, 1, 4), 1, 1)


def test_every_thread_computes_the_same_bytes(library):
    policy = random_policy_of("bfloat16")
    rows = [([5, 6, 7], list(range(30 + row, 60 + row))) for row in range(4)]

    def gradient(_: int) -> bytes:
        logp_BT, _ = policy.score(pack(rows))
        grads = torch.autograd.grad(logp_BT.sum(), list(policy.weights.values()), allow_unused=True)
        return b"".join(g.numpy().tobytes() for g in grads if g is not None)

    with ThreadPoolExecutor(3, initializer=policy.cores.use_threads) as pool:
        assert len(set(pool.map(gradient, range(6)))) == 1


def random_policy_of(dtype: str) -> TextPolicy:
    tokenizer = bpe_tokenizer()
    return TextPolicy(random_model("qwen3", len(tokenizer)).eval(), tokenizer, ModelConfig(dtype=dtype, threads=1))


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_a_policy_without_a_compiler_scores_and_learns_the_same(library, monkeypatch, dtype, bound):
    policy, found = random_policy_of(dtype), []
    rows = [([5, 6, 7], list(range(30, 45))), ([5, 6, 7], [9, 8, 7]), ([4], [11])]
    for there in (True, False):
        if not there:
            monkeypatch.setattr(compiled, "native", lambda: Native(None, "no C compiler found"))
        policy.model.zero_grad()
        logp_BT, entropy_BT = policy.score(pack(rows), temperature=0.7)
        logp_BT.sum().backward()
        grads = torch.cat([p.grad.flatten() for p in policy.weights.values() if p.grad is not None])
        found.append((logp_BT.detach(), entropy_BT, grads))
    for a, b in zip(*found, strict=True):
        assert b.norm() > 0 and (a - b).norm() <= bound * b.norm()
    assert not torch.equal(found[0][2], found[1][2])  # two ways were taken


@pytest.mark.parametrize("dtype", BOTH)
def test_any_number_of_threads_gives_the_same_bytes(library, dtype, monkeypatch):
    """Of values and gradients; each thread takes a range of rows, of sequences or of groups of heads."""
    monkeypatch.setattr(compiled, "_WORTH", 1)
    ranges: list[tuple[str, int, int]] = []
    call = compiled._call

    def recording(function, *arguments):
        ranges.append((function.__name__, *arguments[-2:]))
        call(function, *arguments)

    monkeypatch.setattr(compiled, "_call", recording)
    targets = torch.arange(150) % 512

    def found(threads: int) -> list[Tensor]:
        ranges.clear()
        torch.set_num_threads(threads)
        try:
            x, update, weight = numbers(150, 512), numbers(150, 512, dtype=dtype), numbers(512)
            gate_up, logits = numbers(150, 1024, dtype=dtype), numbers(150, 512, dtype=dtype)
            heads, norms, angle = numbers(55, 10 * 12, dtype=dtype), [numbers(12), numbers(12)], POSITION[:, None, None] / 10
            total, normed = kernels.add_norm(x, update, weight, 1e-6, dtype)
            outs = [total, normed, kernels.swiglu(gate_up), compiled.logp_and_entropy(logits, targets, 0.7)[0],
                    attend(library, heads, angle.expand(55, 1, 6), 6, 2, norms)]  # fmt: skip
            sum((out * numbers(*out.shape)).sum() for out in outs).backward()
        finally:
            torch.set_num_threads(1)
        return [*outs, *(t.grad for t in (x, update, weight, gate_up, logits, heads, *norms))]

    alone = found(1)
    assert len(ranges) == len({name for name, *_ in ranges}) + 2  # `prepare` in both directions, parts of two weights
    for threads in (2, 3, 7):
        assert all(torch.equal(one, two) for one, two in zip(alone, found(threads), strict=True))
        assert len([r for r in ranges if r[0] == "swiglu_forward"]) == threads
        assert max(end - first for name, first, end in ranges if name == "norm_backward") == 128 if threads == 2 else 64
        assert len([r for r in ranges if r[0] == "attention_backward"]) == 2  # groups of heads


def test_a_small_pass_stays_on_its_thread(library, monkeypatch):
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr(compiled, "_pool", lambda threads: pytest.fail("handed over"))
        kernels.swiglu(numbers(64, 2 * 1536))
    finally:
        torch.set_num_threads(1)


def test_other_tensors_and_many_threads_take_pytorch(library):
    assert compiled.passes(torch.ones(1)) is library and compiled.passes(torch.ones(1).bfloat16()) is library
    assert compiled.passes(torch.ones(1).double()) is None and compiled.passes(torch.ones(1, device="meta")) is None
    try:
        torch.set_num_threads(2)
        assert compiled.passes(torch.ones(1)) is None and compiled.logp_and_entropy(torch.ones(1, 2), torch.ones(1), 1.0) is None
    finally:
        torch.set_num_threads(1)
    x, weight = numbers(2, 6).detach().double(), numbers(6).detach().double()
    assert torch.equal(kernels.swiglu(x), F.silu(x[:, :3]) * x[:, 3:])
    total, normed = kernels.add_norm(x, 2 * x, weight, 1e-6, torch.float64)
    assert torch.equal(total, 3 * x) and torch.allclose(normed, F.rms_norm(3 * x, (6,), weight, 1e-6))
