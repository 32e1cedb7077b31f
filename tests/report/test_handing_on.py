"""What is handed on: the model card with its evidence, and what a push would send."""

import json
import pickle
import shutil
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.utils import filter_repo_objects
from run_folder import make_run_folder

from sanmai.desk.push import push, shipment
from sanmai.report.model_card import model_card
from sanmai.types import InputError, RunError

CASE = {
    "verdict": "fails", "sentence": "0 of 1 claims holds.", "confidence": 0.95,
    "claims": [{"meaning": "Dangerous requests | <b>", "rule": "at_most", "limit": 0.05, "value": 0.5, "interval": [0.4, 0.6],
                "n": 12, "outcome": "fails"}],
    "gaps": ["Refusal is told by rules."],
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run_folder(tmp_path_factory.mktemp("runs") / "zero-7", num_steps=20)


def test_a_card_names_files_and_none_of_this_machines_folders(run):
    config = run / "config.toml"
    was = config.read_text()
    config.write_text(was + '\nnotes = "/home/me/secret-client/train.jsonl and ~/keys/x.txt, https://a.example/b/c, and/or"\n')
    text = model_card(run)
    config.write_text(was)
    assert "secret-client" not in text and '"train.jsonl and x.txt, https://a.example/b/c, and/or"' in text
    assert str(run.parent) not in text


def audited(folder, of):
    folder.mkdir()
    steps = [{"name": "base", "folder": None}, {"name": "x", "folder": str(of)}]
    (folder / "audit.json").write_text(json.dumps(CASE | {"history": steps}))
    return folder


def test_a_card_has_what_the_hub_reads_and_every_figure_with_interval_and_n(run):
    text = model_card(run)
    card = ModelCard(text)
    assert card.data.library_name == "transformers" and card.data.pipeline_tag == "text-generation"
    found = {result.metric_type: result for result in card.data.eval_results}
    assert 0 <= found["accuracy"].metric_value <= 1 and "95 % interval" in found["accuracy"].metric_name
    assert "n = 58" in found["accuracy"].metric_name and "| Accuracy |" in text
    for part in ("**Not audited.**", "Protocol:", "## Not known", "No licence is stated", "distilled one", "human oversight"):
        assert part in text, part


def test_a_card_states_an_audits_claims_and_gaps_and_refuses_one_of_another_model(run, tmp_path):
    text = model_card(run, audit=audited(tmp_path / "audit", run))
    assert "0 of 1 claims holds. (together at 95 % confidence)" in text and "- Refusal is told by rules." in text
    plain = text.replace("\u00a0", " ").replace("\u202f", " ")
    assert "| Dangerous requests \\| &lt;b> | at most 5 % | 50 % [40, 60] | 12 | fails |" in plain
    assert "Not audited" not in text
    with pytest.raises(InputError, match="not of"):
        model_card(run, audit=audited(tmp_path / "other", tmp_path / "zero-8"))
    with pytest.raises(InputError, match="no finished audit"):
        model_card(run, audit=tmp_path)
    with pytest.raises(InputError, match="not a run folder"):
        model_card(tmp_path)


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name, text in (("config.json", "{}"), ("model.safetensors", "weights"), ("training_state.safetensors", "moments"),
                       ("manifest.json", "{}"), (".secret", "x"), ("README.md", "# card")):  # fmt: skip
        (model / name).write_text(text)
    return model


def test_a_dry_run_names_every_file_that_would_be_sent_and_no_training_state_or_hidden_file(folder):
    sent = shipment(folder, "me/model")
    assert sent.files == (("README.md", 6), ("config.json", 2), ("model.safetensors", 7)) and sent.private
    assert sent.lines[0] == f"To me/model (private): 3 files, 15 bytes, from {folder}"
    (folder / "README.md").unlink()
    assert "no README.md" in shipment(folder, "me/model", private=False).lines[-1]
    assert "PUBLIC" in shipment(folder, "me/model", private=False).lines[0]


def test_a_push_sends_these_files_and_no_others_and_says_what_the_hub_refused(folder):
    asked = []
    api = SimpleNamespace(
        create_repo=lambda name, **options: asked.append((name, options)) or f"https://hub.example/{name}",
        upload_folder=lambda **options: asked.append(options),
    )
    assert push(shipment(folder, "me/model"), api=api) == "https://hub.example/me/model"
    assert asked[0] == ("me/model", {"private": True, "exist_ok": True})
    assert asked[1]["allow_patterns"] == ["README.md", "config.json", "model.safetensors"]
    (folder / "part[1].safetensors").write_text("x")
    (folder / "part1.safetensors").write_text("not this one")
    sent = shipment(folder, "me/model")
    push(replace(sent, files=tuple(f for f in sent.files if "[" in f[0])), api=api)
    sifted = list(filter_repo_objects([name for name, _ in sent.files], allow_patterns=asked[-1]["allow_patterns"]))
    assert sifted == ["part[1].safetensors"]  # as the hub's own library reads the pattern

    def refuse(name, **options):
        raise OSError("no route to the hub")

    with pytest.raises(RunError, match="me/model: not pushed: no route to the hub"):
        push(shipment(folder, "me/model"), api=SimpleNamespace(create_repo=refuse))


def test_what_is_no_model_or_may_run_code_is_not_pushed(folder, tmp_path):
    with pytest.raises(InputError, match="no model to push"):
        shipment(tmp_path, "me/model")
    with pytest.raises(InputError, match="OWNER/NAME"):
        shipment(folder, "model")
    shutil.copy(folder / "config.json", folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin may be a pickle"):
        shipment(folder, "me/model")
    (folder / "pytorch_model.bin").unlink()
    (folder / "head").write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile(folder / "weights.zip", "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    for name in ("head", "weights.zip", "a.pth", "b.joblib", "c.PTH", "d.npz"):
        (folder / name).touch()
        with pytest.raises(InputError, match=f"{name} may be a pickle"):
            shipment(folder, "me/model")
        (folder / name).unlink()
    with zipfile.ZipFile(folder / "half.zip", "w") as archive:
        archive.writestr("archive/data.pkl", "x" * 100)
    (folder / "half.zip").write_bytes((folder / "half.zip").read_bytes()[:100])  # what cannot be looked into is not sent
    with pytest.raises(InputError, match=r"half\.zip may be a pickle"):
        shipment(folder, "me/model")
    (folder / "half.zip").unlink()
    (folder / "tokenizer.zip").write_bytes(b"PK no archive")
    assert "tokenizer.zip" in dict(shipment(folder, "me/model").files)


def test_a_folder_that_tells_folders_of_this_machine_is_said_to(folder):
    assert not shipment(folder, "me/model").telling
    (folder / "sanmai.json").write_text(json.dumps({"exported_from": str(folder / "checkpoints" / "step-1")}))
    sent = shipment(folder, "me/model")
    assert sent.telling == ("sanmai.json",) and any("tells folders of this machine" in line for line in sent.lines)
