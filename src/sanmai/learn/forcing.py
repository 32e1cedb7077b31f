"""Budget forcing: a thought that is too long is cut, closed for the policy, and answered.

    thought[:budget] </think> answer        the answer is sampled; the closing tag is not

Source:
    Muennighoff et al. 2025 (arXiv:2501.19393) section 3.1, the end-of-thinking half.
"""

from __future__ import annotations

from collections.abc import Sequence

from sanmai.learn.continuations import whole
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, check_budget, grade
from sanmai.types import Drawn, Graded, Group, InputError, TraceState, regrouped


def thought_tokens(policy: TextPolicy, r: Drawn, close_tag: str) -> int:
    """Tokens of a completion's thought, its opening tag included and its closing one not; 0 of one without tags.

    Counted in the tokens that were sampled: the least number of them whose text has the closing tag.
    """
    if r.trace is None or r.trace.state is TraceState.NONE:
        return 0
    if r.trace.state is TraceState.UNCLOSED:
        return r.length
    low, high = 0, r.length
    while low < high:
        middle = (low + high) // 2
        if close_tag in policy.tokenizer.decode(r.completion_tokens[:middle], skip_special_tokens=False):
            high = middle
        else:
            low = middle + 1
    return max(low - len(_closing(policy, close_tag)), 0)


def forced(
    policy: TextPolicy, rubric: Rubric, groups: Sequence[Group[Graded]], *, budget: int, seed: tuple, sampling: SamplingConfig,
    grading: GradingConfig,
) -> list[Group[Graded]]:  # fmt: skip
    """The groups as they would be had no thought been allowed more than `budget` tokens; shorter ones are as they were.

    The tokens up to the budget are those that were drawn: forcing changes nothing of what came before it.

    Args:
        seed: of the answers' random streams, before problem and sample.

    Raises:
        InputError: the budget and the closing tag leave no token of sampling.max_tokens for an answer.
        RunError: the verifier broke for more completions than grading.failure_budget allows.
    """
    tags = grading.thought_tags
    closing = _closing(policy, tags[1])
    if budget + len(closing) >= sampling.max_tokens:
        raise InputError(
            f"budget = {budget}: with the closing tag no token of sampling.max_tokens = {sampling.max_tokens} is left to answer"
        )
    long = [(group.problem, r) for group in groups for r in group.rollouts if thought_tokens(policy, r, tags[1]) > budget]
    requests = [
        Request(
            [*r.prompt_tokens, *r.completion_tokens[:budget], *closing], [(*seed, p.id, r.sample)], written=budget + len(closing),
            images=r.images,
        )
        for p, r in long
    ]  # fmt: skip
    written = [(*long[done.request], done) for done in sample(policy, requests, sampling)]
    drawn = [(p, whole(policy, r, budget, done, r.sample, tags, closing)) for p, r, done in written]
    graded, failures = grade(drawn, rubric, grading)
    check_budget(failures, len(graded), grading.failure_budget)
    instead = {(r.problem_id, r.sample): r for r in graded}
    return regrouped(groups, (instead.get((r.problem_id, r.sample), r) for group in groups for r in group.rollouts))


def _closing(policy: TextPolicy, close_tag: str) -> list[int]:
    return policy.tokenizer.encode(close_tag, add_special_tokens=False)
