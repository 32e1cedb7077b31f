"""Gradients of several threads: whose turn it is, and who waits for whom."""

import threading

import torch

from sanmai.train.in_order import GradientsInOrder


def test_a_weight_takes_its_gradients_in_order_and_one_without_a_gradient_holds_up_nobody():
    """Adding floats in another order rounds otherwise: 1 + 1e8 - 1e8 is 0 in float32, 1e8 - 1e8 + 1 is 1."""
    for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0]):
        a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        a.grad, b.grad = torch.zeros(1), torch.zeros(1)
        losses = [1e8 * a, -1e8 * a + 3 * b, a + 4 * b]  # the first knows nothing of b
        with GradientsInOrder([a, b]) as adding:
            threads = [threading.Thread(target=adding.backward, args=(losses[i].sum(), i)) for i in order]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)
        assert (a.grad.item(), b.grad.item()) == (1.0, 7.0)
        (5 * a).sum().backward()  # outside, gradients are added as ever
        assert a.grad.item() == 6.0


def test_after_a_stop_nobody_waits_and_nothing_is_added():
    a = torch.zeros(1, requires_grad=True)
    a.grad = torch.zeros(1)
    with GradientsInOrder([a]) as adding:
        thread = threading.Thread(target=adding.backward, args=((2 * a).sum(), 1))  # the first never comes
        thread.start()
        adding.stop()
        thread.join(60)
        assert not thread.is_alive() and a.grad.item() == 0.0
