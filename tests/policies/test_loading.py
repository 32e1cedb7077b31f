"""Model folders that libraries refuse in their own ways, and chat templates that run away: a sentence for each."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.data.test_turns import ALPACA, CHATML, GEMMA, HARMONY, LLAMA3, MISTRAL, PARTS, PHI3, QWEN3, R1, tokenizer_of
from tests.tiny_models import save_folder

from sanmai.desk.show_mask import load_tokenizer
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.loading import check_template, reason
from sanmai.types import InputError


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return save_folder(tmp_path_factory.mktemp("model") / "sound", "llama")


def change(folder: Path, file: str, **values: Any) -> None:
    """Set keys of a JSON file, "a.b" for b in a; None removes one."""
    content = json.loads((folder / file).read_text())
    for dotted, value in values.items():
        *parents, last = dotted.split("__")
        place = content
        for name in parents:
            place = place[name]
        place.pop(last) if value is None else place.update({last: value})
    (folder / file).write_text(json.dumps(content))


# The class: a folder that is no sound model. File, what is done to it (changed keys, or its bytes), and what is said.
DAMAGED: list[tuple[str, dict[str, Any] | bytes | float | None, str]] = [
    ("config.json", {"num_attention_heads": 0}, "config.json says num_attention_heads = 0; expected at least 1"),
    ("config.json", {"num_key_value_heads": 0}, "num_key_value_heads = 0"),
    ("config.json", {"head_dim": -8}, "head_dim = -8"),
    ("config.json", {"vocab_size": 0}, "vocab_size = 0"),
    ("config.json", {"num_hidden_layers": "x"}, "num_hidden_layers"),
    ("config.json", {"hidden_size": 31}, "hidden size"),
    ("config.json", {"hidden_size": None}, "other shapes than its config.json says"),
    ("config.json", {"rms_norm_eps": "small"}, "rms_norm_eps"),
    ("config.json", {"pad_token_id": 99999}, "Padding_idx"),
    ("config.json", {"model_type": "nonesuch"}, "nonesuch"),
    ("config.json", {"model_type": None}, "model_type"),
    ("config.json", {"hidden_act": "nope"}, "KeyError: 'nope'"),
    ("config.json", b"", "config.json cannot be read as JSON"),
    ("config.json", b"[]", "config.json holds '\\[\\]'; expected an object"),
    ("config.json", b"[" * 100_000, "config.json cannot be read as JSON"),
    ("config.json", None, "no config.json in that folder"),
    ("generation_config.json", b'{"eos_token_id": [2, "x"]}', "invalid literal"),
    ("model.safetensors", 0.5, "SafetensorError"),
    ("model.safetensors", b"", "SafetensorError"),
    ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 1\n", "pointer of Git LFS"),
    ("model.safetensors", None, "model.safetensors"),
    ("tokenizer.json", 0.5, "tokenizer.json cannot be read as JSON"),
    ("tokenizer.json", b"\xff\xfe", "tokenizer.json cannot be read as JSON"),
    ("tokenizer.json", b"null", "tokenizer.json holds 'None'"),
    ("tokenizer.json", {"model": None}, "its tokenizer: Model missing"),
    ("tokenizer.json", {"model__type": "Nope"}, "its tokenizer: data did not match"),
    ("tokenizer.json", {"model__merges": [["q", "nope"]]}, "its tokenizer: Token `nope` out of vocabulary"),
    ("tokenizer.json", {"version": "9.0"}, "its tokenizer: Unknown tokenizer version"),
    ("tokenizer.json", {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "its tokenizer: PanicException"),
    ("tokenizer.json", None, "its tokenizer: "),
    ("tokenizer_config.json", {"eos_token": 5}, "eos_token"),
    ("tokenizer_config.json", {"tokenizer_class": 5}, "its tokenizer: "),
]


@pytest.mark.parametrize(("file", "damage", "says"), DAMAGED)
def test_a_damaged_folder_is_refused_in_a_sentence_that_names_it(sound, tmp_path, file, damage, says):
    folder = tmp_path / "model"
    shutil.copytree(sound, folder)
    path = folder / file
    if isinstance(damage, dict):
        change(folder, file, **damage)
    elif isinstance(damage, bytes):
        path.write_bytes(damage)
    elif isinstance(damage, float):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * damage)])
    else:
        path.unlink()
    with pytest.raises(InputError, match=says) as refused:
        load_policy(ModelConfig(name=str(folder)))
    assert str(refused.value).startswith(f"model.name = {str(folder)!r}: ") and "\n" not in str(refused.value)
    if file.startswith("tokenizer"):
        with pytest.raises(InputError):
            load_tokenizer(str(folder))


def test_an_interrupt_while_a_model_loads_stays_one(sound, monkeypatch):
    import transformers

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_policy(ModelConfig(name=str(sound)))


def test_a_reason_is_one_line_that_says_something():
    assert reason(OSError("no such file\nmore")) == "no such file"
    assert reason(KeyError("x")) == "KeyError: 'x'"
    assert reason(ZeroDivisionError()) == "ZeroDivisionError"
    assert reason(ValueError("bad field:\n  it is 0")) == "bad field: it is 0"


@pytest.mark.parametrize("template", [CHATML, QWEN3, R1, LLAMA3, GEMMA, MISTRAL, PHI3, HARMONY, ALPACA])
def test_templates_of_public_models_pass_without_a_word(template):
    assert check_template("m", tokenizer_of(template)) == ()


# The class: a template whose time, memory or text grows past any use: at once, with the turns, or with the message's length.
RUNAWAY = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}x",
    "{% macro f(n) %}{% for i in range(9) %}{{ f(n) if n < 0 else '' }}{% endfor %}{% endmacro %}"
    "{% for i in range(9999) %}{% for j in range(9999) %}{{ f(1) }}{% endfor %}{% endfor %}",
    "{{ messages[0].content * 100000000 }}",
    "{{ 'x' * 5000000000 }}",
    "{{ 'x' | center(3000000000) }}",
    "{{ '%09999999d' | format(1) }}",
    "{% set ns = namespace(s='ab') %}{% for m in messages %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ messages[0].content }}",
    "{% for c in messages[-1].content %}{{ messages[-1].content }}{% endfor %}",
    "{{ messages[0].content }}{{ 10 ** (10 ** 9) }}",
]


@pytest.mark.parametrize("template", RUNAWAY)
def test_a_template_that_runs_away_is_refused_within_its_limits(template, monkeypatch):
    monkeypatch.setattr("sanmai.policies.text.loading._SECONDS", 2.0)
    started = time.monotonic()
    with pytest.raises(InputError, match=r"model.name = 'm': its chat template .*; expected conversations of 1 to 31"):
        check_template("m", tokenizer_of(template))
    assert time.monotonic() - started < 60


def test_a_folder_whose_template_never_ends_is_refused_before_it_is_used(sound, tmp_path, monkeypatch):
    monkeypatch.setattr("sanmai.policies.text.loading._SECONDS", 1.0)
    folder = tmp_path / "model"
    shutil.copytree(sound, folder)
    (folder / "chat_template.jinja").write_text(RUNAWAY[0])
    with pytest.raises(InputError, match="does not come to an end"):
        load_policy(ModelConfig(name=str(folder)))
    with pytest.raises(InputError, match="does not come to an end"):
        load_tokenizer(str(folder))


DATED = "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %b %Y') + '<|im_end|>\n' }}" + CHATML


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (DATED, "writes the date into the prompt"),
        ("{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}2024{% endif %}" + CHATML, "writes the date"),
        ("{{ ['a', 'b'] | random }}" + CHATML, "differently from one call to the next"),
        ("{{ lipsum(1) }}" + CHATML, "differently from one call to the next"),
        ("{% if add_generation_prompt %}assistant{% endif %}", "leaves out what the user says"),
        ("{% for m in messages[:-1] %}{{ m.content }}{% endfor %}x", "leaves out what the user says"),
        ("{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}{% endfor %}x", "leaves out"),
        (PARTS, "leaves out what the user says"),  # it reads lists of parts, and finds none in a text
        ("{% for m in messages %}{{ m.content[:500] }}{% endfor %}", "parts of a long question"),
        ("{% for m in messages %}{{ m.content | truncate(900) }}{% endfor %}", "parts of a long question"),
    ],
)
def test_what_is_odd_about_a_template_is_one_warning(template, says):
    [note] = check_template("m", tokenizer_of(template))
    assert note.startswith("model.name = 'm': its chat template ") and says in note and "\n" not in note


@pytest.mark.parametrize(
    "template",
    [
        "{% set today = strftime_now('%Y') %}" + CHATML,  # looked at and not written
        "{% set date = '26 Jul 2024' %}{{ date }}" + CHATML,
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        "{% for m in messages %}{{ m.content | trim | replace('\n', ' ') }}{% endfor %}",
        "{{ raise_exception('roles must alternate') }}",
        "{% for",
        "{% generation %}{% endgeneration %}" + CHATML,
        "{% for m in messages %}{% if loop.first %}{{ m | tojson }}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    ],
)
def test_near_misses_are_no_warning(template):
    assert check_template("m", tokenizer_of(template)) == ()


def test_a_run_is_told_once_of_a_template_that_writes_the_date(sound, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(sound, folder)
    (folder / "chat_template.jinja").write_text(DATED)
    assert ["writes the date" in note for note in load_policy(ModelConfig(name=str(folder))).notes] == [True]
