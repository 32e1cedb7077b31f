"""The launch files in examples/cluster: settings, commands, options and paths in them are those that there are."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sanmai.config import load_values
from sanmai.recipes import find_recipe, resolve
from test_docs import COMMANDS, settings_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "cluster"
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())
KINDS = {".toml", ".sbatch", ".yaml", ""}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("\\\n", " ")


def commands_of(path: Path) -> list[list[str]]:
    """The words of every `sanmai` command of a file, whatever launches it."""
    found = []
    for line in text_of(path).splitlines():
        begun = re.search(r"(?:^|[\s:])(?:sanmai|-m(?:odule)? sanmai\.cli) (?=[a-z])(.*)", line)
        if begun and (not line.lstrip().startswith("#") or "--config" in line):
            found.append(re.findall(r'"[^"]*"|\S+', begun[1]))
    return found


def test_every_file_is_of_a_kind_that_is_checked():
    assert {path.suffix for path in FILES} == KINDS
    assert sum(len(commands_of(path)) for path in FILES) >= 6


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".toml"], ids=lambda p: p.name)
def test_settings_files_are_read_by_the_recipe_that_they_name(path):
    config = resolve(find_recipe(load_values(path)["recipe"]), path)
    assert (config.cluster.is_apart or config.cluster.trainers > 1) and config.cluster.num_parts % 2 == 0
    if config.cluster.transport == "processes":  # the trainer's GPU is nobody else's
        assert len(config.cluster.devices) == config.cluster.samplers and config.model.device not in config.cluster.devices


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_commands_can_be_typed_and_the_files_they_name_are_there(path):
    for words in commands_of(path):
        name, options = words[0], {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert name in COMMANDS and options <= COMMANDS[name], words
        for before, word in itertools.pairwise(words):
            if before == "--config":
                assert (FOLDER / Path(word).name).is_file(), words
            if before == "--set":
                assert word.strip('"').partition("=")[0] in settings_of("zero"), words


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".sbatch"], ids=lambda p: p.name)
def test_shell_scripts_are_shell(path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    done = subprocess.run([bash, "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    head = [line for line in path.read_text().splitlines() if line.startswith("#SBATCH")]
    assert head and all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", line) for line in head)


def test_torchrun_starts_as_many_trainers_as_the_settings_want():
    settings = load_values(FOLDER / "trainers.toml")["cluster"]
    script = text_of(FOLDER / "slurm_trainers.sbatch")
    nodes, each, gpus, job = (
        int(re.search(rf"{name}[ =](\d+)", script)[1]) for name in ("--nnodes", "--nproc-per-node", "--gpus-per-node", "--nodes")
    )
    assert nodes * each == settings["trainers"] and each == gpus and nodes == job
    assert settings["parts"] % settings["trainers"] == 0
    # Every node runs one torchrun, whose options are those that there are.
    from torch.distributed.run import get_args_parser

    known = {option.replace("_", "-") for action in get_args_parser()._actions for option in action.option_strings}
    words = script.partition("srun torchrun ")[2].partition(" -m sanmai.cli")[0].split()
    assert "#SBATCH --ntasks-per-node=1" in script and {word for word in words if word.startswith("--")} <= known


def test_yaml_is_yaml_and_says_what_its_readers_need(tmp_path):
    sky = yaml.safe_load((FOLDER / "skypilot.yaml").read_text())
    assert {"resources", "setup", "run"} <= sky.keys()
    for part in ("setup", "run"):
        done = subprocess.run(["bash", "-n"], input=sky[part], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec, settings = job["spec"]["rayClusterSpec"], load_values(FOLDER / "ray.toml")
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
    # As many GPUs as samplers want, and the head's for the trainer.
    gpus = [
        int(one["resources"]["limits"]["nvidia.com/gpu"]) * group.get("replicas", 1)
        for group in groups for one in group["template"]["spec"]["containers"]
    ]  # fmt: skip
    cluster = settings["cluster"]
    assert gpus[0] == job["spec"]["entrypointNumGpus"] and sum(gpus[1:]) == cluster["samplers"] * cluster["gpus"]
    assert job["spec"]["entrypoint"].split("--config ")[1].split()[0] == "/etc/sanmai/ray.toml"


def test_the_image_copies_what_there_is():
    for line in (FOLDER / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line
