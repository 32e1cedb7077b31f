"""Reward models: ordinary `transformers` sequence classifiers with one output, and what they read of a completion.

A folder is what `AutoModelForSequenceClassification` loads, with a `sanmai.json` that says how it was trained:

    {"reward_model": {"objective": "pairwise", "reads": "answer", "center": 0.31}}

A model of correctness reads question, reference answer and response: the reference stands in the prompt, after the question. A
model of refusal reads the first tokens of an answer, finished or not: refusals show early. A process model reads all that was
written and scores it at the end of every step, in one pass (step_scores.py); a step's score is what the folder gives for the text
up to there alone:

    {"reward_model": {"objective": "process", "reads": "all", "center": 0.0, "steps": "text:\\n\\n"}}

Shape key: B sequences, T tokens.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import math
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from sanmai.data.chat import prompt_end, render_prompt
from sanmai.data.steps import Aggregation, StepRule
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.data.turns import tags_opened, turn_end
from sanmai.policies.contract import Trained
from sanmai.policies.cores import LARGE, Cores
from sanmai.policies.text.config import DTYPES, ModelConfig
from sanmai.policies.text.library import model_facts, recompute_layers
from sanmai.policies.text.loading import (
    check_folder,
    check_template,
    first_line,
    loading,
    quiet_transformers,
    refuse_lacking,
)
from sanmai.policies.text.resolve import resolve_model
from sanmai.rewards.step_scores import STEP_LABELS, HeadReader, similar_lengths
from sanmai.types import InputError, Message, Problem, Trace, TraceState, Verdict

Objective = Literal["pairwise", "pointwise", "correctness", "refusal", "process"]
"""Trained on pairs: only differences of scores mean something. On labels: the score is the logit of "safe". On labelled answers,
the reference shown: of "correct". On labelled refusals: of "refusal", wholly or in part. On labelled steps: of "right", at each
one's end."""
LABELS = {
    "pointwise": ("safe", "unsafe"), "correctness": ("correct", "wrong"), "refusal": ("refusal", "compliance"),
    "process": STEP_LABELS,
}  # fmt: skip
"""What a positive and a negative score mean, of the objectives with labels."""
Reads = Literal["answer", "all"]
"""The answer alone, or thought and answer as they were written."""
FACTS = "sanmai.json"


class RewardModel(HeadReader, Trained):
    """A sequence classifier with one output, its tokenizer, and what it reads, on one device; called, it is a BatchGrader.

    `weights` are the trained tensors by name, in a stable order.

    Example:
        RewardModel.load(Path("runs/reward-1a2b3c4d"))([(problem, trace)])   # [Verdict(0.93, ..., "safe")]
    """

    def __init__(self, model: Any, tokenizer: Any, config: ModelConfig, *, objective: Objective, reads: Reads) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.objective: Objective = objective
        self.reads: Reads = reads
        self.center = 0.0
        """Score (logit) of an average response to its evaluation's prompts, of a pairwise model; 0 of the others."""
        self.first_tokens: int | None = None
        """Of the answer that a model of refusal reads; None: all of it."""
        self.steps: StepRule | None = None
        self.aggregation: Aggregation = "min"
        self.counts: Counter[str] = Counter()
        """Since the start: "sequences" scored, and their "tokens"."""
        self.device = next(model.parameters()).device
        self.weights: dict[str, torch.nn.Parameter] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.vocabulary = model.get_input_embeddings().weight.shape[0]
        is_cpu = self.device.type == "cpu"
        # The products of a small model are not worth being split.
        self.cores = Cores(1 if is_cpu and self.num_parameters < LARGE else config.threads, is_cpu=is_cpu, is_one=True)
        takes_cache = "use_cache" in inspect.signature(model.forward).parameters
        self._options = {"use_cache": False} if takes_cache else {}
        # What a policy writes is text, though it look like a stop token.
        self._as_text = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
        if config.recompute_layers:
            recompute_layers(model, config.name, self.autocast)

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "cpu") -> RewardModel:
        """The reward model of a folder or run folder, to grade with.

        Raises:
            InputError: as load_reward_model.
        """
        return load_reward_model(ModelConfig(name=str(folder), device=device))

    @property
    def folder_is_whole(self) -> bool:
        return not self.config.lora_rank

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def facts(self) -> dict[str, Any]:
        return model_facts(self, chunked_scoring=False, path="general path")

    def origin(self) -> dict[str, str]:
        return {"chat_template": str(self.tokenizer.chat_template)}

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def max_positions(self) -> int | None:
        """Tokens of prompt and completion that the model was made for; None when it does not say."""
        config = self.model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)

    @contextlib.contextmanager
    def own_threads(self) -> Generator[None]:
        """Within, this model's share of the cores; afterwards the caller's, whose policy may be a large one."""
        before = torch.get_num_threads()
        self.cores.use_threads()
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which forward passes run in the configured dtype."""
        dtype = DTYPES[self.config.dtype]
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not torch.float32)

    def encode_prompt(self, messages: Sequence[Message], reference: str | None = None) -> list[int]:
        """The tokens of the prompt by the chat template; of a model of correctness with the reference after the question.

        Raises:
            ValueError: a model of correctness is given no reference.
        """
        if self.objective != "correctness":
            return render_prompt(self.tokenizer, messages)
        if reference is None:
            raise ValueError("reference = None: a model of correctness needs the reference answer")
        *before, last = messages
        shown = {"role": last["role"], "content": f"{last['content']}\n\nReference answer: {reference}"}
        return render_prompt(self.tokenizer, [*before, shown])

    def encode(self, messages: Sequence[Message], trace: Trace, reference: str | None = None) -> list[int] | None:
        """The tokens that are scored: the prompt by the chat template, what the model reads of the completion, a stop token.

        Only the answer of a model that reads answers: the same prompt and answer have the same score, whatever was thought.
        Where the prompt ends with an opening tag, it is closed before the answer.

        Args:
            reference: shown to a model of correctness; the others do not look at it.

        Of what a model of refusal reads, only the first tokens, and a stop token where nothing was cut off.

        Returns:
            None for a model that reads answers when the trace is incomplete: there is no answer yet. For a model of refusal when
            no word of an answer was written: it judges what is cut off as it stands.

        Raises:
            ValueError: as encode_prompt.
        """
        prompt = self.encode_prompt(messages, reference)
        tags = tags_opened(prompt_end(self.tokenizer, prompt), (OPEN_TAG, CLOSE_TAG))
        if self.reads == "answer":
            is_there = trace.is_complete or (self.objective == "refusal" and trace.state is not TraceState.UNCLOSED)
            if not is_there or (self.objective == "refusal" and not trace.answer.strip()):
                return None
            text = f"{tags[1]}\n{trace.answer.strip()}" if tags else trace.answer.strip()
        else:
            text = trace.text.removeprefix(tags[0]) if tags else trace.text
        tokens = self.tokenizer.encode(text, **self._as_text)
        kept = tokens if self.first_tokens is None else tokens[: self.first_tokens]
        is_cut = self.objective == "refusal" and (trace.is_truncated or len(kept) < len(tokens))
        end = turn_end(self.tokenizer)
        return [*prompt, *kept, *([] if end is None or is_cut else [end])]

    def forward(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """Scores score_B (float32, with gradient) of sequences, right-padded to the longest."""
        width = max(map(len, sequences))
        pad = self.model.config.get_text_config().pad_token_id
        tokens_BT = torch.tensor([[*s, *[pad] * (width - len(s))] for s in sequences], device=self.device)
        attention_BT = torch.tensor([[1] * len(s) + [0] * (width - len(s)) for s in sequences], device=self.device)
        with self.autocast():
            logits_B1 = self.model(input_ids=tokens_BT, attention_mask=attention_BT, **self._options).logits
        return logits_B1[:, 0].float()

    def score(self, sequences: Sequence[Sequence[int]], *, micro_tokens: int = 8192) -> list[float]:
        """The score of each sequence, in order: a logit. Computed in batches of similar length, without gradient.

        Args:
            sequences: what `encode` gives.
            micro_tokens: padded tokens of a batch at most; a single longer sequence is a batch of its own.
        """
        scores = [0.0] * len(sequences)
        self.counts.update(sequences=len(sequences), tokens=sum(map(len, sequences)))
        with torch.no_grad(), self.own_threads():
            for rows in similar_lengths([len(s) for s in sequences], micro_tokens):
                found = self.forward([sequences[row] for row in rows]).tolist()
                for row, score in zip(rows, found, strict=True):
                    scores[row] = score
        return scores

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """One verdict per item: a probability, 0 to 1.

        Of a model trained on labels, that the completion is safe, or correct, or that its answer refuses. Of one trained on
        pairs, that it beats a response of score `center`: sigmoid(score - center). None where there is no finished answer to
        read, or it is too long, or a model of correctness has no reference. Of a process model, its steps' probabilities
        aggregated (`aggregation`); the reason has them all.
        """
        room = self.max_positions or math.inf
        if self.objective == "process":
            return self.grade_steps(items, room)
        needs_reference = self.objective == "correctness"
        lacks = [needs_reference and problem.answer is None for problem, _ in items]
        encoded = [
            None if lack else self.encode(problem.messages, trace, problem.answer)
            for lack, (problem, trace) in zip(lacks, items, strict=True)
        ]
        fitting = [tokens for tokens in encoded if tokens is not None and len(tokens) <= room]
        scores = iter(self.score(fitting))
        verdicts = []
        for tokens, lack in zip(encoded, lacks, strict=True):
            if lack:
                verdicts.append(Verdict(None, "no reference answer", "ungradable"))
            elif tokens is None:
                what = "word of an answer to judge" if self.objective == "refusal" else "finished answer to score"
                verdicts.append(Verdict(None, f"no {what}", "incomplete"))
            elif len(tokens) > room:
                reason = f"{len(tokens)} tokens, more than the {room} positions of the reward model"
                # As what was cut off: writing on and on must not spare a policy its reward.
                verdicts.append(Verdict(None, reason, "incomplete"))
            else:
                verdicts.append(self._verdict(next(scores)))
        return verdicts

    def _verdict(self, score: float) -> Verdict:
        if not math.isfinite(score):
            return Verdict(None, f"the reward model's score is {score}", "ungradable")
        p = (1.0 + math.tanh((score - self.center) / 2.0)) / 2.0
        if self.objective == "pairwise":
            return Verdict(p, f"score {score:.3f}, an average response's is {self.center:.3f}", "graded")
        good, bad = LABELS[self.objective]
        return Verdict(p, f"probability of {good} {p:.3f}", good if p >= 0.5 else bad)

    def save(self, folder: Path) -> None:
        """Write a plain `transformers` folder (safetensors, config, tokenizer), and beside it how it was trained."""
        with quiet_transformers():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        facts: dict[str, Any] = {"objective": self.objective, "reads": self.reads, "center": self.center}
        if self.first_tokens is not None:
            facts["first_tokens"] = self.first_tokens
        if self.steps is not None:
            facts["steps"] = str(self.steps)
        (folder / FACTS).write_text(json.dumps({"reward_model": facts}, indent=1) + "\n")
        for path in folder.glob("*.safetensors"):  # written for the owner alone; the rest of the folder is not
            path.chmod((folder / "config.json").stat().st_mode)


def load_reward_model(
    config: ModelConfig,
    *,
    objective: Objective | None = None,
    reads: Reads | None = None,
    first_tokens: int | None = None,
    steps: str | None = None,
    seed: int | None = None,
    for_training: bool = False,
) -> RewardModel:
    """The reward model of a folder, or, given a seed, a new one on top of a causal language model.

    The new head is normal with deviation 1 / (D + 1), D the model's width: on hidden states of unit scale, scores begin with
    a deviation of about 1 / sqrt(D), so that every pair begins close to even.

    Args:
        config: `name` is a folder or run folder of either kind, "tiny", or a hub name.
        objective, reads: what the model must have been trained for, or is going to be; None takes what its folder says.
        first_tokens: of an answer that a model of refusal is going to read; None takes what its folder says.
        steps: rule by which a process model's completions are cut; None takes what its folder says.
        seed: of a new head; None refuses a model that has none.

    Raises:
        InputError: it cannot be loaded, has more than one output or lacks weights, or its folder says otherwise.
    """
    from transformers import AutoConfig

    if config.lora_rank:
        raise InputError(f"model.lora_rank = {config.lora_rank}: reward models train all weights; expected 0")
    name = resolve_model(config.name)
    options: dict[str, Any] = {"trust_remote_code": config.trust_remote_code, "revision": config.revision or "main"}
    failed = f"model.name = {config.name!r}: cannot load it as a reward model with a tokenizer"
    check_folder(config.name, Path(name))
    with loading(failed), quiet_transformers():
        settings = AutoConfig.from_pretrained(name, **options)
    is_classifier = any("ForSequenceClassification" in a for a in settings.architectures or ())
    if not is_classifier and seed is None:
        raise InputError(
            f"model.name = {config.name!r}: not a reward model but {', '.join(settings.architectures or ['nothing known'])}; "
            "expected a sequence classifier, such as the folder of `sanmai run reward`"
        )
    if is_classifier and settings.num_labels != 1:
        raise InputError(f"model.name = {config.name!r}: has {settings.num_labels} outputs; a reward model has 1")
    recorded = _recorded(Path(name)) if is_classifier else {}
    chosen_objective = _agreed(config, "objective", recorded.get("objective"), objective)
    chosen_reads = _agreed(config, "reads", recorded.get("reads"), reads)
    model, tokenizer, missing = _load(config, name, options, for_training)
    heads = [key for key, p in model.named_parameters() if key in missing and p.shape[0] == 1]
    if missing and (is_classifier or len(heads) != len(missing)):
        raise InputError(f"model.name = {config.name!r}: its weights lack {missing[0]!r} and {len(missing) - 1} more")
    if seed is not None and not is_classifier:
        _start_head(model, heads, seed)
    text_config = model.config.get_text_config()
    if (
        text_config.pad_token_id is None
    ):  # `transformers` finds the last token by it; where it is the stop token, the one before
        text_config.pad_token_id = tokenizer.pad_token_id
        if text_config.pad_token_id is None:
            text_config.pad_token_id = tokenizer.eos_token_id
    # Dropout would give one completion many scores; eval() turns it off for good.
    model.eval().requires_grad_(for_training)
    reward_model = RewardModel(model, tokenizer, config, objective=chosen_objective, reads=chosen_reads)
    reward_model.notes = check_template(config.name, tokenizer)
    reward_model.center = float(recorded.get("center", 0.0))
    reward_model.first_tokens = recorded.get("first_tokens") if first_tokens is None else first_tokens
    if chosen_objective == "process":
        reward_model.steps = _step_rule(config, recorded.get("steps"), steps)
    return reward_model


def _load(config: ModelConfig, name: str, options: dict[str, Any], for_training: bool) -> tuple[Any, Any, list[str]]:
    """Model on its device, tokenizer, and the names of weights that the folder lacks."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    failed = f"model.name = {config.name!r}: cannot load it as a reward model with a tokenizer"
    with loading(failed), quiet_transformers(), torch.random.fork_rng(devices=[]):  # a lacking head is drawn at random
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            name, num_labels=1, dtype=torch.float32 if for_training else DTYPES[config.dtype], use_safetensors=True,
            output_loading_info=True, **options,
        )  # fmt: skip
    model, found = loaded
    refuse_lacking(f"model.name = {config.name!r}", tokenizer=tokenizer)
    try:
        return model.to(config.device), tokenizer, sorted(found["missing_keys"])
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"model.device = {config.device!r}: not usable on this machine: {first_line(error)}"
        ) from error


def _step_rule(config: ModelConfig, recorded: Any, stated: str | None) -> StepRule:
    wanted = recorded if stated is None else stated
    if not isinstance(wanted, str):
        raise InputError(f"model.name = {config.name!r}: has no {FACTS} that says how steps are cut; state steps")
    try:
        return StepRule.parse(wanted)
    except ValueError as error:
        raise InputError(f"model.name = {config.name!r}: {error}") from None


def _recorded(folder: Path) -> dict[str, Any]:
    """What sanmai.json says of a reward model; nothing where somebody else trained it."""
    path = folder / FACTS
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).get("reward_model", {}))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); restore it or remove it") from None


def _agreed(config: ModelConfig, name: str, recorded: Any, wanted: Any) -> Any:
    known = {"objective": ("pairwise", *LABELS), "reads": ("answer", "all")}[name]
    if recorded is None and wanted is None:
        raise InputError(
            f"model.name = {config.name!r}: has no {FACTS} that says its {name}; state it: {' or '.join(known)}"
        )
    if recorded is not None and recorded not in known:
        raise InputError(
            f"model.name = {config.name!r}: {FACTS} says {name} = {recorded!r}; expected {' or '.join(known)}"
        )
    if None not in (recorded, wanted) and recorded != wanted:
        raise InputError(
            f"model.name = {config.name!r}: a reward model whose {name} is {recorded!r}; expected {wanted!r}"
        )
    return wanted if recorded is None else recorded


def _start_head(model: Any, names: Sequence[str], seed: int) -> None:
    """Draw the weights of a new head from a generator of its own; a bias begins at 0."""
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in names:
            p = parameters[name]
            start = (
                torch.randn(p.shape, generator=generator) / (p.shape[-1] + 1) if p.dim() > 1 else torch.zeros(p.shape)
            )
            p.copy_(start)
