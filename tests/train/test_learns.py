"""It learns; and with the sign of the advantage flipped it does not."""

from __future__ import annotations

from toy import train_toy

from sanmai.types import Drawn
from tiny_models import random_policy


def share_of_low_tokens(rollout: Drawn) -> float:
    """Share of tokens from the first third of the vocabulary: about 1/3 for a random policy."""
    return sum(token < 100 for token in rollout.completion_tokens) / len(rollout.completion_tokens)


def learn(sign: float) -> list[float]:
    return train_toy(random_policy(initializer_range=0.05), share_of_low_tokens, 40, sign=sign)


def test_a_tiny_model_solves_a_toy_problem_and_unlearns_it_when_the_sign_is_flipped():
    rewards, flipped = learn(+1.0), learn(-1.0)
    assert rewards[0] == flipped[0] and 0.2 < rewards[0] < 0.5
    assert sum(rewards[-3:]) / 3 > 0.95
    assert sum(flipped[-3:]) / 3 < 0.1


def test_a_tiny_model_learns_to_stop_because_the_stop_token_is_trained():
    policy = random_policy(initializer_range=0.05)
    policy.stop_tokens = tuple(range(1, 31))  # a tenth of the vocabulary, so that a random policy stops at times
    rewards = train_toy(policy, lambda r: float(len(r.completion_tokens) <= 2), 60)
    assert rewards[0] < 0.5 and sum(rewards[-3:]) / 3 > 0.9
