"""Messages to tokens: the tokenizer's chat template, or the one of R1-Zero; and demonstrations.

Text that was sampled is never tokenized again (law 3): what is rendered here is a prompt or a demonstration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sanmai.data.trace import CLOSE_TAG, LONGEST_MARK, OPEN_TAG, marks_in, opens_thought
from sanmai.data.turns import continues, lacks_thought, turn_end, without_reopening
from sanmai.types import IMAGE_MARK, InputError, Message, Problem, Tokenizer, images_of

R1_ZERO_SYSTEM = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant "
    "first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning "
    "process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., "
    "<think> reasoning process here </think> <answer> answer here </answer>."
)
"""DeepSeek-R1 (arXiv:2501.12948) table 1."""


def render_prompt(tokenizer: Tokenizer, messages: Sequence[Message], *, carries_images: bool = False) -> list[int]:
    """The prompt's tokens, up to where the policy goes on writing.

    Uses the tokenizer's chat template where it has one. The R1-Zero template otherwise; its completion is expected as
    `<think>...</think> <answer>...</answer>`. An assistant's message at the end is left open, for the policy to go on with;
    where the prompt before it ends with <think>, the message's own is left out.

    Args:
        carries_images: the caller gives the model the prompt's pictures too, in order; each has its placeholders in the tokens.

    Raises:
        InputError: the template fails; or there are pictures that the caller does not carry, or that the model cannot read.
    """
    images = images_of(messages)
    make_room = getattr(tokenizer, "make_room", None)  # of a vision-language model; see policies/text/vision.py
    if images and not carries_images:
        raise InputError(
            "the prompts have images, which this command does not read; zero, sft and evaluate do (see docs/recipes.md)"
        )
    if images and not (make_room and tokenizer.chat_template):
        lack = "has no chat template to place them by" if make_room else "reads text alone"
        raise InputError(
            f"the prompts have images, and the model {lack}; expected a vision-language model such as Qwen2-VL"
        )
    if messages[-1]["role"] == "assistant":
        before = render_prompt(tokenizer, messages[:-1], carries_images=carries_images)
        words = without_reopening(messages[-1]["content"], prompt_end(tokenizer, before), OPEN_TAG)
        return [*before, *tokenizer.encode(words, add_special_tokens=False)]
    if tokenizer.chat_template:
        conversation = [_with_parts(message) for message in messages]
        try:
            tokens = list(tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_dict=False))
        except Exception as error:  # noqa: BLE001 - a template is a foreign program
            reason = (str(error) or type(error).__name__).splitlines()[0]
            # No words of theirs: they may ask for something harmful.
            turns = ", ".join(f"{m['role']} ({len(str(m['content'])):,} characters)" for m in messages)
            raise InputError(f"the chat template cannot render a conversation of {turns}: {reason}") from None
        if not tokens:
            raise InputError("the chat template renders nothing; expected the prompt's tokens")
        return make_room(tokens, images) if make_room and images else tokens
    names = {"user": "User", "assistant": "Assistant"}
    system = [m["content"] for m in messages if m["role"] == "system"]
    turns = [f"{names[m['role']]}: {m['content']}" for m in messages if m["role"] != "system"]
    tokens = list(tokenizer.encode("\n".join([R1_ZERO_SYSTEM, *system, *turns, "Assistant:"])))
    # Some tokenizers end every text with their stop token; a prompt goes on.
    return tokens[:-1] if tokens and tokens[-1] == tokenizer.eos_token_id else tokens


def _with_parts(message: Message) -> dict[str, Any]:
    """A message as chat templates take it: with pictures, its content is a list of pictures and texts in order."""
    images, content = message.get("images"), message["content"]
    if not images:
        return dict(message)
    texts = content.split(IMAGE_MARK) if IMAGE_MARK in content else [*[""] * len(images), content]
    parts: list[dict[str, str]] = []
    for k, text in enumerate(texts):
        parts += [{"type": "image"}] if k else []
        parts += [{"type": "text", "text": text}] if text else []
    return {"role": message["role"], "content": parts}


def opened_in_prompt(tokenizer: Tokenizer, prompt_tokens: Sequence[int], open_tag: str = OPEN_TAG) -> bool:
    """Whether the rendered prompt ends with an opening mark, the given or a known one: completions start inside the thought."""
    return opens_thought(prompt_end(tokenizer, prompt_tokens, open_tag), open_tag)


def prompt_end(tokenizer: Tokenizer, prompt_tokens: Sequence[int], open_tag: str = OPEN_TAG) -> str:
    """The prompt's end as text, long enough for any opening tag."""
    return tokenizer.decode(list(prompt_tokens[-max(4 * len(open_tag), LONGEST_MARK) :]), skip_special_tokens=False)


def demonstration(
    problem: Problem, *, thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG), with_answer_tags: bool = False
) -> str | None:
    """The completion to imitate: the recorded one, or thought and answer, each on lines of their own; None when there is none.

    Args:
        thought_tags: what stands in place of <think> and </think>.
        with_answer_tags: write the answer as ` <answer>...</answer>`, which the R1-Zero template asks for.
    """
    if problem.solution is None or problem.demonstration is not None:
        return problem.demonstration
    answer = problem.answer or ""
    open_tag, close_tag = thought_tags
    # Line breaks as R1 writes them; a tokenizer that splits at blanks would otherwise melt a tag and a word into one.
    end = f" <answer>{answer}</answer>" if with_answer_tags else f"\n{answer}"
    return f"{open_tag}\n{problem.solution}\n{close_tag}{end}"


def render_demonstration(
    tokenizer: Tokenizer,
    problem: Problem,
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG),
    *,
    carries_images: bool = False,
    may_stay_open: bool = False,
) -> tuple[list[int], list[int]]:
    """Prompt tokens, and completion tokens that end with the token that ends a turn (`turn_end`).

    Where the prompt opens the thought, the completion begins inside it; a demonstration without a thought closes it at once.

    Args:
        carries_images: as of `render_prompt`.
        may_stay_open: as of `continues`.

    Raises:
        InputError: the problem has no demonstration, or an unclosed thought where the prompt opens one, or the tokenizer has no
            stop token.
    """
    prompt = render_prompt(tokenizer, problem.messages, carries_images=carries_images)
    text = demonstrated_text(tokenizer, problem, prompt, thought_tags, may_stay_open=may_stay_open)
    if (end := turn_end(tokenizer)) is None:
        raise InputError("the tokenizer has no stop token (eos_token_id); a policy could not learn to stop")
    return prompt, [*tokenizer.encode(text, add_special_tokens=False), end]


def demonstrated_text(
    tokenizer: Tokenizer, problem: Problem, prompt: Sequence[int], thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG), *,
    may_stay_open: bool = False,
) -> str:
    """The text of which `render_demonstration` gives the tokens, behind a prompt that is rendered. Raises as that does."""
    text = demonstration(problem, thought_tags=thought_tags, with_answer_tags=not tokenizer.chat_template)
    if text is None:
        raise InputError(f"problem {problem.id}: has no worked solution to imitate; expected a file with solutions")
    try:
        return continues(text, prompt_end(tokenizer, list(prompt), thought_tags[0]), thought_tags, may_stay_open=may_stay_open)
    except ValueError as error:
        raise InputError(f"problem {problem.id}: the prompt opens the thought, and the demonstration: {error}") from None


def thought_warnings(
    tokenizer: Tokenizer, problems: Sequence[Problem], thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
) -> Iterator[str]:
    """What to know of the thoughts in these demonstrations, in sentences.

    The template opens the thought and some have none, so that an empty one is trained; or the model has other marks than those
    that they are written with.
    """
    texts = [(p, text) for p in problems if (text := demonstration(p, thought_tags=thought_tags)) is not None]
    own = thought_tags_of(tokenizer)
    if own is not None and own != thought_tags and any(thought_tags[0] in text for _, text in texts):
        yield (
            f"this model marks thoughts with {' and '.join(own)}, and the demonstrations are written with "
            f"{' and '.join(thought_tags)}: grading.thought_tags={json.dumps(own, ensure_ascii=False)} changes that"
        )
    if not texts or not opened_in_prompt(
        tokenizer, render_prompt(tokenizer, texts[0][0].messages, carries_images=True), thought_tags[0]
    ):
        return
    if bare := [p for p, text in texts if lacks_thought(text, thought_tags)]:
        yield (
            f"the chat template opens a thought, and {len(bare)} of {len(texts)} demonstrations have none (the first is "
            f"{bare[0].id}): there the model learns to close an empty one and answer at once"
        )


def thought_tags_of(tokenizer: Tokenizer) -> tuple[str, str] | None:
    """The one pair of known marks that are tokens of their own or stand in the template; None where it has none or several."""
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    added = getattr(tokenizer, "get_added_vocab", dict)()
    return marks_in("\n".join([*added, template]))
