"""A policy: a causal language model with its tokenizer, which can score tokens, be swapped to older weights, and be saved.

Shape key: B rollouts, T tokens, N trained tokens of a micro-batch, D model width, V vocabulary.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.turns import turn_end
from sanmai.losses import token_logp_and_entropy
from sanmai.policies.text import tiny
from sanmai.policies.text.architectures import FastPathError, scaled_logits
from sanmai.policies.text.cpu.allocator import keep_freed_memory, return_freed_memory
from sanmai.policies.text.cpu.compiled import logp_and_entropy as compiled_logp_and_entropy
from sanmai.policies.text.dense import DenseModel, Layout
from sanmai.policies.text.gguf_files import gguf_note, is_gguf, unpacked
from sanmai.policies.text.loading import check_folder, check_template, loading
from sanmai.policies.text.named import NAMED, fetched
from sanmai.policies.text.vision import ARCHITECTURES, Vision
from sanmai.types import Image, InputError, TokenBatch

_CHUNK_LOGITS = 2**23
"""Logits (tokens x vocabulary) that exist at once in float32 while scoring: 32 MiB."""
LARGE = 50_000_000
"""Parameters from which on a CPU's cores share each product; see Policy.workers."""
_MOST_WORKERS = 8
"""Each holds a micro-batch and a gradient of its own."""
_SAMPLING_WORKERS = 2
"""Of a large model; see Policy.sampling_workers."""
DECISION = "decision.json"
"""In a guarded stage's folder: what its gate found, and the model that it chose; see pipelines/guarded.py."""
Result = TypeVar("Result")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ModelConfig(Config):
    name: str = "tiny"
    """"tiny" (the embedded base), a `transformers` folder, a Sanmai run folder (its newest checkpoint), or a hub name."""
    device: str = Field("cpu", pattern=r"^(cpu|mps|cuda(:\d+)?)$")
    """"cpu", "cuda", "cuda:1", "mps"."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward and backward pass. Trained weights and optimizer state are float32 either way."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU cores to use; 0: OMP_NUM_THREADS, or all. A small model splits the rollouts over them, a large one each product."""
    fast_path: bool = True
    """Run the architectures that policies/text/dense.py knows by Sanmai's own functions; false takes the library's forward for all."""
    recompute_layers: bool = False
    """Activation checkpointing: keep each layer's input alone and compute the layer again in the backward pass. Saves memory."""
    lora_rank: int = Field(0, ge=0)
    """Rank of LoRA adapters on every linear layer; 0 trains all weights."""
    lora_alpha: int = Field(32, ge=1)
    """LoRA scale; the update is multiplied by lora_alpha / lora_rank."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Off unless you turn it on by name."""

    only_with = (
        OnlyWith("lora_rank above 0", lambda c: c.lora_rank > 0, "lora_alpha"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.revision is not None and (self.name == "tiny" or Path(self.name).is_dir()):
            raise ValueError(f"revision of {self.name!r}: only a hub model has revisions")
        return self


def available_cores() -> int:
    """CPU cores that this process may use: OMP_NUM_THREADS where the user sets it, else those it may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of each period, or "max"
    if quota.is_file():
        granted, period = quota.read_text().split()
        if granted != "max":
            cores = min(cores, max(round(int(granted) / int(period)), 1))
    return cores


def native_bfloat16() -> bool | None:
    """Whether this CPU has instructions for bfloat16 products; None where that cannot be found out."""
    found = torch.cpu.get_capabilities()
    names = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16", "sve_bf16")
    if any(found.get(name) for name in names):
        return True
    return False if platform.machine().lower() in ("x86_64", "amd64") and found else None


class Policy:
    """A model and its tokenizer on one device.

    `weights` are the trained tensors by name (all parameters, or the LoRA adapters), in a stable order.
    """

    def __init__(self, model: Any, tokenizer: Any, config: ModelConfig, vision: Vision | None = None) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.notes: tuple[str, ...] = ()
        """What a user should know of the model's chat template; warnings of whoever loads it."""
        self.vision = vision
        """How pictures come into prompts; None of a model that reads text alone."""
        self.device = next(model.parameters()).device
        self.weights: dict[str, torch.nn.Parameter] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.stop_tokens = _stop_tokens(model, tokenizer)
        self.vocabulary = model.get_output_embeddings().weight.shape[0]
        self.threads = config.threads or available_cores()
        rotation = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
        # The library rewrites the frequencies of these during a forward pass, for all threads at once.
        self._is_stateless = rotation.get("rope_type") not in ("dynamic", "longrope")
        self.use_threads()
        if self.device.type == "cpu":
            keep_freed_memory(shared=self.is_large)
        self._head = _verified_head(self)
        self.dense: DenseModel | None = None
        """The fast path, for the architectures that have one."""
        self.path = self._choose_path()
        """"fast path", or "general path" and why."""
        if config.recompute_layers and self.dense is None:
            recompute_layers(self)
        self.cache_works: bool | None = None
        """Whether the sampler's KV cache gives this model's own logits; None until the sampler has tried."""

    def _choose_path(self) -> str:
        if not self.config.fast_path:
            return "general path (model.fast_path = false)"
        try:
            if self._head is None:
                raise FastPathError("its head does more than Sanmai knows")
            self.dense = DenseModel.of(self.model, _DTYPES[self.config.dtype], probe_tokens(self.tokenizer, self.vocabulary))
        except FastPathError as why:
            return f"general path: {why}"
        return self.dense.path

    @property
    def num_parameters(self) -> int:
        """Parameters in all, trained or not."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def is_large(self) -> bool:
        """Its products are large enough to be split over the cores."""
        return self.num_parameters >= LARGE

    def end_phase(self) -> None:
        """Sampling and training of a large model each need a GB or more; without this a run would hold both at once.

        Gradients, a copy of the weights' size that sampling does not need, are let go of too.
        """
        if self.device.type == "cpu" and self.is_large:
            for p in self.weights.values():
                p.grad = None
            return_freed_memory(collect=False)

    @property
    def workers(self) -> int:
        """Threads that each compute a part of the rollouts; more than one for a small model on a CPU.

        Its products are too small to be split, and threads that wait for each other at each of them lose all when another
        program wants a core. Above the bound the products are large, and a gradient per worker would cost memory.
        """
        if self.device.type != "cpu" or self.is_large or not self._is_stateless:
            return 1
        return min(self.threads, _MOST_WORKERS)

    @property
    def sampling_workers(self) -> int:
        """Threads that each write a part of the rollouts.

        A large model has two on a CPU: while one draws or attends, which takes a core at most, the other multiplies. More would
        read the weights more often.
        """
        if self.workers > 1 or self.device.type != "cpu" or self.dense is None:
            return self.workers
        return min(self.threads, _SAMPLING_WORKERS)

    @functools.cached_property
    def sampling_pool(self) -> ThreadPoolExecutor:
        """The threads that write rollouts, each with its share of the cores."""
        count = self.sampling_workers
        share = max(self.threads // count, 1)
        return ThreadPoolExecutor(count, "sampling", torch.set_num_threads, (share,))

    @functools.cached_property
    def pool(self) -> ThreadPoolExecutor:
        """The workers. They live as long as the policy: a thread that has computed leaves some KB behind when it ends."""
        # The threads must not hold the policy itself, or it would never be freed.
        return ThreadPoolExecutor(self.workers, "worker", torch.set_num_threads, (1,))

    def use_threads(self) -> None:
        """Give the calling thread its share of the cores; PyTorch's setting belongs to a thread."""
        torch.set_num_threads(self.threads if self.workers == 1 else 1)

    def map(
        self, function: Callable[[int], Result], count: int, *, on_error: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """function(0) ... function(count - 1), computed by the policy's workers in that order of starting.

        After an error no further call is started; the error is raised when the calls under way have ended.

        Args:
            on_error: called as soon as one has failed, or the caller is interrupted, if calls wait for each other.
        """
        if self.workers == 1 or count < 2:
            return [function(i) for i in range(count)]

        def attempt(i: int) -> Result:
            try:
                return function(i)
            except BaseException:
                on_error()
                raise

        futures = [self.pool.submit(attempt, i) for i in range(count)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            on_error()
            for future in futures:
                future.cancel()
            wait(futures)
            raise

    @property
    def max_positions(self) -> int | None:
        """Tokens of prompt and completion that the model was made for; None when it does not say."""
        config = self.model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)

    @property
    def scores_in_chunks(self) -> bool:
        """Log-probs are computed chunk by chunk; false for an architecture whose head does more than Sanmai knows."""
        return self._head is not None

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which forward passes run in the configured dtype."""
        dtype = _DTYPES[self.config.dtype]
        # The cache of casts is one for all threads, and does not notice swapped weights.
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not torch.float32, cache_enabled=False)

    def micro_rows(self, batch: TokenBatch, micro_tokens: int) -> list[list[int]]:
        """Rows of the batch's micro-batches: what the workers hold at once is at most micro_tokens in all."""
        return batch.micro_rows(max(micro_tokens // self.workers, 1))

    def score(
        self, batch: TokenBatch, *, temperature: float = 1.0, entropy_gradient: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Log-probs and entropies of the batch's trained tokens under softmax(logits / temperature).

        Args:
            batch: B sequences on this policy's device.
            temperature: the one that the completions were sampled at (law 2).
            entropy_gradient: the entropies carry a gradient too, which costs passes over the logits.

        Returns:
            logp_BT (nats, float32, with gradient) and entropy_BT (nats per token), 0 outside batch.mask_BT.
        """
        mask_BT = batch.mask_BT
        if mask_BT[:, 0].any():
            raise ValueError("mask_BT is true at token 0, which nothing stands before that could predict it")
        targets_N = batch.tokens_BT[mask_BT]
        hidden_ND, head = self.predicting(batch)
        with self.autocast():
            logp_N, entropy_N = token_logp_and_entropy(
                hidden_ND,
                head,
                targets_N,
                temperature=temperature,
                chunk_tokens=max(_CHUNK_LOGITS // self.vocabulary, 1),
                entropy_gradient=entropy_gradient,
                compiled=compiled_logp_and_entropy,
            )
        zeros_BT = torch.zeros(mask_BT.shape, dtype=torch.float32, device=self.device)
        return zeros_BT.masked_scatter(mask_BT, logp_N), zeros_BT.masked_scatter(mask_BT, entropy_N)

    def predicting(self, batch: TokenBatch) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """For each trained token what the head reads to predict it, and the head; the logits and identity if it is unknown."""
        predicts_BT = batch.mask_BT.roll(-1, dims=1)  # position t predicts token t + 1; token 0 is never a completion's
        if self.dense is not None and not any(batch.images):
            prompt_B = torch.where(batch.mask_BT.any(dim=1), batch.mask_BT.int().argmax(dim=1), 0)
            layout = Layout.of(batch.tokens_BT, batch.attention_BT, prompt_B)
            hidden_ND = self.dense.hidden(layout, recompute=self.config.recompute_layers)
            assert self._head is not None
            return hidden_ND.index_select(0, layout.index_BT[predicts_BT]), self._head
        with self.autocast():
            inputs = self._inputs(batch.tokens_BT, batch.attention_BT, batch.images)
            if self._head is not None:
                return _backbone(self.model)(**inputs).last_hidden_state[predicts_BT], self._head
            return self.model(**inputs).logits[predicts_BT], torch.nn.Identity()

    def _inputs(self, tokens_BT: Tensor, attention_BT: Tensor, images: Sequence[tuple[Image, ...]]) -> dict[str, Any]:
        """What the model's own forward reads of right-padded rows, some of which may have pictures."""
        shown = self.pictured(tokens_BT, attention_BT, images) if any(images) else {"input_ids": tokens_BT}
        return {**shown, "attention_mask": attention_BT.long(), "use_cache": False}

    def pictured(self, tokens_BT: Tensor, attention_BT: Tensor, images: Sequence[tuple[Image, ...]]) -> dict[str, Tensor]:
        """Embeddings and positions of rows with pictures, which the model takes in place of tokens; see policies/text/vision.py."""
        if self.vision is None:
            raise ValueError("images: expected none, the policy reads text alone")
        return self.vision.embed(_plain(self.model), tokens_BT, attention_BT, images)

    def next_logits(
        self, tokens_RT: Tensor, attention_RT: Tensor, images: Sequence[tuple[Image, ...]] = ()
    ) -> Tensor:
        """Logits_RV of the token after each right-padded row, by a whole forward pass; no gradient, no cache."""
        rows_R = torch.arange(len(tokens_RT), device=self.device)
        last_R = attention_RT.sum(dim=1) - 1
        with torch.no_grad(), self.autocast():
            inputs = self._inputs(tokens_RT, attention_RT, images)
            if self._head is None:
                return self.model(**inputs).logits[rows_R, last_R]
            return self._head(_backbone(self.model)(**inputs).last_hidden_state[rows_R, last_R])

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the trained weights: what a reference policy is made of."""
        return {name: p.detach().clone() for name, p in self.weights.items()}

    @contextlib.contextmanager
    def swapped(self, weights: Mapping[str, Tensor]) -> Generator[None]:
        """Within, the policy has these weights instead of its own (no copy is made); nothing is to be trained inside."""
        own = {name: p.data for name, p in self.weights.items()}
        try:
            for name, p in self.weights.items():
                p.data = weights[name]
            yield
        finally:
            for name, p in self.weights.items():
                p.data = own[name]

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy trained weights in; the names and shapes must be this policy's."""
        if weights.keys() != self.weights.keys():
            odd = sorted(weights.keys() ^ self.weights.keys())
            raise InputError(
                f"these weights are not this model's: they differ in {odd[0]!r} and {len(odd) - 1} other names"
            )
        with torch.no_grad():
            for name, p in self.weights.items():
                p.copy_(weights[name])

    def save(self, folder: Path) -> None:
        """Write a plain `transformers` folder (safetensors, config, tokenizer), LoRA adapters merged in (law 12)."""
        model = self.model.get_base_model() if self.config.lora_rank else self.model
        state = _merged_state(model) if self.config.lora_rank else model.state_dict()
        with quiet_transformers():
            model.save_pretrained(folder, state_dict=state)
            self.tokenizer.save_pretrained(folder)
            if self.vision is not None:
                self.vision.save(folder)
        for path in folder.glob("*.safetensors"):  # written for the owner alone; the rest of the folder is not
            path.chmod((folder / "config.json").stat().st_mode)


def load_policy(config: ModelConfig, *, for_training: bool = True) -> Policy:
    """The policy that a configuration names.

    Raises:
        InputError: no such folder or hub model, no safetensors weights, no tokenizer, or no such device.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

    name = resolve_model(config.name)
    options: dict[str, Any] = {"trust_remote_code": config.trust_remote_code, "revision": config.revision or "main"}
    frozen_base = config.lora_rank > 0 or not for_training
    failed = f"model.name = {config.name!r}: cannot load it as a causal language model with a tokenizer"
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise InputError(f"model.name = {config.name!r}: no config.json in that folder; expected a transformers model's")
    check_folder(config.name, Path(name))
    with loading(f"model.name = {config.name!r}: cannot load its tokenizer"), quiet_transformers():
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
    with loading(failed), quiet_transformers():
        has_vision = AutoConfig.from_pretrained(name, **options).model_type in ARCHITECTURES
        architectures = AutoModelForImageTextToText if has_vision else AutoModelForCausalLM
        loaded: Any = architectures.from_pretrained(
            name,
            dtype=_DTYPES[config.dtype] if frozen_base else torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        vision = Vision.of(name, loaded[0], tokenizer, options) if has_vision else None
    model, found = loaded
    # `transformers` fills what a folder lacks with random weights and an empty vocabulary.
    if missing := sorted(found["missing_keys"]):
        raise InputError(f"model.name = {config.name!r}: its weights lack {missing[0]!r} and {len(missing) - 1} more")
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise InputError(f"model.name = {config.name!r}: its tokenizer has no vocabulary (is tokenizer.json missing?)")
    try:
        model = model.to(config.device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"model.device = {config.device!r}: not usable on this machine: {_first_line(error)}"
        ) from error
    # Dropout would make the trainer's log-probs differ from the sampler's; eval() turns it off for good.
    model.eval().requires_grad_(not frozen_base)
    if config.lora_rank and for_training:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(0)  # the adapters' start is part of the configuration, not of chance
        with quiet_transformers():
            adapters = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules="all-linear")
            model = get_peft_model(model, adapters).eval()
    # Added tokens that never occur may lie outside; the vocabulary itself may not.
    if tokenizer.vocab_size > model.get_input_embeddings().weight.shape[0]:
        raise InputError(
            f"model.name = {config.name!r}: its tokenizer has {tokenizer.vocab_size} words, more than its embedding"
        )
    notes = check_template(config.name, tokenizer)
    if quantised := gguf_note(Path(name)):
        notes = (*notes, f"model.name = {config.name!r}: {quantised}")
    with loading(failed):  # it is tried on a few tokens
        policy = Policy(model, tokenizer, config, vision)
    slower = [f"{policy.path}; it gives the same results, but takes longer"] if ":" in policy.path else []
    if config.dtype == "bfloat16" and policy.device.type == "cpu" and native_bfloat16() is False:
        slower.append("this processor has no instructions for bfloat16: products take several times as long as in float32")
    policy.notes = (*notes, *slower)
    return policy


def resolve_model(name: str) -> str:
    """What `transformers` is to load: the embedded base, the newest good checkpoint of a run folder, or the name itself.

    Of a guarded stage's folder that of the model that its gate chose.
    """
    if name == "tiny":
        return str(tiny.TINY_PATH)
    if name in NAMED and not Path(name).is_dir():
        return str(fetched(name))
    if is_gguf(name):
        return str(unpacked(Path(name)))
    if (chosen := chosen_model(name)) is not None:
        return resolve_model(chosen)
    if (Path(name) / "graph.json").is_file():
        made = max(Path(name).glob("stages/r1-*/stage.json"), key=lambda path: path.stat().st_mtime, default=None)
        raise InputError(
            f"model.name = {name!r}: this is a pipeline's folder, and its models are in {Path(name) / 'stages' / 'NAME-DIGEST'}"
            + (f"; r1 is {made.parent}" if made is not None else "")
        )
    checkpoints = Path(name) / "checkpoints"
    if checkpoints.is_dir():
        from sanmai.policies.text.checkpoints import newest_good_checkpoint

        found = newest_good_checkpoint(Path(name))
        if found is None:
            raise InputError(f"model.name = {name!r}: this run folder has no complete checkpoint yet")
        if not (found / "config.json").is_file():
            raise InputError(f"model.name = {name!r}: this run trains no model; its checkpoints hold none")
        return str(found)
    if not name or (not Path(name).is_dir() and (name.count("/") != 1 or name.startswith((".", "/", "~")))):
        raise InputError(f"model.name = {name!r}: no such folder (a hub name has the form owner/model)")
    return name


def chosen_model(name: str) -> str | None:
    """The model that the gate of a guarded stage chose, as `model.name` takes it; None where the folder holds no decision.

    Raises:
        InputError: the decision cannot be read, or it was to stop.
    """
    path = Path(name) / DECISION
    if not path.is_file() or not (Path(name) / "graph.json").is_file():
        return None
    try:
        chosen = dict(json.loads(path.read_text(encoding="utf-8")))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"model.name = {name!r}: its {DECISION} cannot be read; repeat the command that made it"
        ) from None
    if not isinstance(chosen, str) or not chosen:
        raise InputError(f"model.name = {name!r}: its gate promoted no model; {path} says why")
    return os.path.normpath(Path(name) / chosen) if chosen.startswith(".") else chosen


def _backbone(model: Any) -> Any:
    """The model below its language-model head."""
    return _plain(model).base_model


def _plain(model: Any) -> Any:
    """The `transformers` model, whose layers have the adapters in them where there are any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


_PROBE_TEXT = (
    "Every morning the baker carries 24 loaves to the market, sells 17 of them, and gives the rest to his neighbours. "
    "How many does he give away? He has 24 - 17 = 7 loaves left."
)


def probe_tokens(tokenizer: Any, vocabulary: int) -> Tensor | None:
    """Two rows of ordinary text, on which ways of computing are compared; None where the tokenizer makes too little of it."""
    tokens = [token for token in tokenizer.encode(_PROBE_TEXT, add_special_tokens=False) if token < vocabulary]
    width = min(len(tokens) // 2, 24)
    return torch.tensor(tokens[: 2 * width]).view(2, width) if width > 1 else None


def _verified_head(policy: Policy) -> Callable[[Tensor], Tensor] | None:
    """The map hidden_ND -> logits_NV, if it reproduces the model's own logits on a probe; else None.

    Architectures scale or cap their logits after the head in their own ways; the known ones are built here and every
    one is checked, so that an unknown one falls back to the model's own forward instead of training on wrong log-probs.
    """
    model, config = policy.model, policy.model.config.get_text_config()
    linear, scaled = model.get_output_embeddings(), scaled_logits(config)

    def head(hidden_ND: Tensor) -> Tensor:
        return scaled(linear(hidden_ND))

    probe_BT = torch.arange(1, 6, device=policy.device).remainder(policy.vocabulary).unsqueeze(0)
    with torch.no_grad(), policy.autocast():
        expected_BTV = model(input_ids=probe_BT, use_cache=False).logits
        try:
            actual_BTV = head(_backbone(model)(input_ids=probe_BT, use_cache=False).last_hidden_state)
        except (AttributeError, TypeError, RuntimeError):
            return None
    same = actual_BTV.shape == expected_BTV.shape and torch.allclose(actual_BTV, expected_BTV, atol=1e-4, rtol=1e-3)
    return head if same else None


def recompute_layers(policy: Policy) -> None:
    """Turn on activation checkpointing in a `transformers` model that stays in evaluation mode.

    Raises:
        InputError: the architecture has none, or does something else in training mode than in evaluation (dropout).
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    model, name = policy.model, policy.config.name
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    probe_BT = torch.arange(1, 6, device=policy.device).remainder(policy.vocabulary).unsqueeze(0)
    with policy.autocast():
        expected_BTV = model(input_ids=probe_BT, use_cache=False).logits
        try:
            model.activation_checkpointing_enable({"use_reentrant": False})
        except ValueError as error:
            raise InputError(f"model.recompute_layers: {name!r} cannot do that: {_first_line(error)}") from error
        for layer in layers:
            layer.training = True  # the layer alone: what is in it stays in evaluation mode
        same = torch.allclose(model(input_ids=probe_BT, use_cache=False).logits, expected_BTV, atol=1e-4, rtol=1e-3)
    if not layers or not same:
        raise InputError(f"model.recompute_layers: {name!r} cannot do that without changing what it computes")


def _merged_state(model: Any) -> dict[str, Tensor]:
    """The state of a model under LoRA with W + delta in place of W, under the plain model's names.

    Computed beside the live weights: merging and unmerging in place would not give the same bits back.
    """
    layers = dict(model.named_modules())
    state = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" in name:
            continue
        plain = name.replace(".base_layer.", ".")
        if plain != name and name.endswith(".weight"):
            delta = layers[name.removesuffix(".base_layer.weight")].get_delta_weight("default")
            tensor = (tensor.float() + delta.float()).to(tensor.dtype)
        state[plain] = tensor
    return state


def _stop_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    configured: Any = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    candidates = [*(configured if isinstance(configured, list) else [configured]), tokenizer.eos_token_id, turn_end(tokenizer)]
    found = {int(token) for token in candidates if token is not None}
    if not found:
        raise InputError(
            "the model names no end-of-sequence token: set eos_token in its tokenizer or generation config"
        )
    return tuple(sorted(found))


@contextlib.contextmanager
def quiet_transformers() -> Generator[None]:
    """No progress bars or advice from `transformers` and its friends within."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__
