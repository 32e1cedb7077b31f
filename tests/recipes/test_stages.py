"""Stages: what identifies one, what is done again and what is not, and which are chosen."""

import json
from pathlib import Path

import pytest
from pydantic import Field

from sanmai.config import Config
from sanmai.learn.progress import Progress
from sanmai.pipelines import graph as stages
from sanmai.pipelines.graph import Graph, Stage, code_version, run_graph
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.runs import holding
from sanmai.types import InputError


class Note(Config):
    text: str = ""
    source: str = ""


class FakeRecipe:
    """Writes its settings into its folder, and remembers that it was called; fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails_at = ""

    def run(self, config: Note, folder: Path, *, progress: Progress) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "begun").touch()
        if config.text == self.fails_at:
            raise RuntimeError("killed")
        self.calls.append(config.text)
        before = (Path(config.source) / "note").read_text() if config.source else ""
        (folder / "note").write_text(before + config.text)


@pytest.fixture
def recipe(monkeypatch):
    fake = FakeRecipe()
    monkeypatch.setattr(stages, "find_recipe", lambda name: fake)
    monkeypatch.setattr(stages, "code_version", lambda name: "1")
    return fake


def chain(folder: Path, **changed: str) -> Graph:
    """a -> b -> c, and d on its own."""
    texts = {"a": "a", "b": "b", "c": "c", "d": "d"} | changed
    return Graph(
        [
            Stage("a", "note", Note(text=texts["a"]), "first"),
            Stage("b", "note", Note(text=texts["b"], source="@a"), "second"),
            Stage("d", "note", Note(text=texts["d"]), "apart"),
            Stage("c", "note", Note(text=texts["c"], source="@b"), "third"),
        ],
        folder,
    )


def test_a_stage_reads_the_folders_that_it_names_and_is_done_once(tmp_path, recipe):
    graph = chain(tmp_path)
    assert run_graph(graph, Progress.silent()) and recipe.calls == ["a", "b", "d", "c"]
    assert (graph.path("c") / "note").read_text() == "abc"
    assert run_graph(chain(tmp_path), Progress.silent()) and recipe.calls == ["a", "b", "d", "c"]


def test_a_changed_stage_is_done_again_with_all_that_hangs_on_it_and_nothing_else(tmp_path, recipe):
    run_graph(chain(tmp_path), Progress.silent())
    before = chain(tmp_path)
    graph = chain(tmp_path, b="B")
    assert [name for name in "abcd" if graph.path(name) != before.path(name)] == ["b", "c"]
    run_graph(graph, Progress.silent())
    assert recipe.calls[4:] == ["B", "c"] and (graph.path("c") / "note").read_text() == "aBc"
    run_graph(chain(tmp_path), Progress.silent())  # back again: all of it is still there
    assert len(recipe.calls) == 6


def test_a_stage_that_was_cut_short_goes_on_in_its_folder(tmp_path, recipe):
    recipe.fails_at = "b"
    with pytest.raises(RuntimeError):
        run_graph(chain(tmp_path), Progress.silent())
    graph = chain(tmp_path)
    assert [graph.state(name) for name in "abcd"] == ["finished", "interrupted", "new", "new"]
    recipe.fails_at = ""
    run_graph(graph, Progress.silent())
    assert recipe.calls == ["a", "b", "d", "c"]


def test_from_does_a_stage_and_what_hangs_on_it_again(tmp_path, recipe):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(chain(tmp_path), Progress.silent(), since="b")
    assert recipe.calls[4:] == ["b", "c"]  # d comes after b and does not hang on it


def test_from_leaves_what_is_not_chosen_alone(tmp_path, recipe):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(chain(tmp_path), Progress.silent(), since="b", until="d")
    assert recipe.calls[4:] == ["b"] and chain(tmp_path).state("c") == "finished"


def test_a_changed_file_or_model_folder_is_a_changed_stage(tmp_path, recipe):
    source = tmp_path / "problems.jsonl"
    source.write_text("one")
    graph = lambda: Graph([Stage("a", "note", Note(source=str(source)), "")], tmp_path / "out")  # noqa: E731
    before = graph().digests["a"]
    assert graph().digests["a"] == before
    source.write_text("two")
    assert graph().digests["a"] != before
    source.unlink()
    source.mkdir()
    (source / "model.safetensors").write_text("x")
    folder = graph().digests["a"]
    (source / "model.safetensors").write_text("y")
    assert graph().digests["a"] not in (before, folder)


def test_an_interrupted_pipeline_goes_on_under_another_name(tmp_path, recipe):
    recipe.fails_at = "b"
    with pytest.raises(RuntimeError):
        run_graph(chain(tmp_path / "old"), Progress.silent())
    stage = chain(tmp_path / "old").path("b")
    (stage / "config.toml").write_text(f'recipe = "note"\nsource = "{tmp_path}/old/stages/a"\n')
    (tmp_path / "old").rename(tmp_path / "new")
    recipe.fails_at = ""
    graph = chain(tmp_path / "new")
    run_graph(graph, Progress.silent())
    assert recipe.calls == ["a", "b", "d", "c"]
    assert f"{tmp_path}/new/stages/a-" in (graph.path("b") / "config.toml").read_text()


def test_two_processes_do_not_work_on_one_pipeline(tmp_path, recipe):
    with holding(tmp_path), pytest.raises(InputError, match="another process"):
        run_graph(chain(tmp_path), Progress.silent())


def test_a_stage_whose_model_is_gone_is_not_finished(tmp_path, monkeypatch):
    graph = Graph([Stage("a", "zero", Note(), "")], tmp_path)
    graph.path("a").mkdir(parents=True)
    (graph.path("a") / "stage.json").write_text("{}")
    assert graph.state("a") == "interrupted"


def test_settings_that_cannot_work_are_refused_before_the_first_stage(tmp_path, recipe):
    class Strict(Note):
        limit: int = Field(1, ge=1)

    broken = Strict.model_construct(text="z", source="@a", limit=0)
    graph = Graph([Stage("a", "note", Note(text="a"), ""), Stage("z", "note", broken, "")], tmp_path)
    with pytest.raises(InputError, match="stage z: limit"):
        run_graph(graph, Progress.silent())
    assert recipe.calls == []


def test_until_and_only_choose_stages_and_need_what_comes_before(tmp_path, recipe):
    run_graph(chain(tmp_path), Progress.silent(), until="b")
    assert recipe.calls == ["a", "b"]
    run_graph(chain(tmp_path), Progress.silent(), only="c")
    assert recipe.calls == ["a", "b", "c"]
    with pytest.raises(InputError, match="stage c needs b, which is not finished"):
        run_graph(chain(tmp_path / "new"), Progress.silent(), only="c")
    for wrong in ({"until": "x"}, {"only": "a", "until": "b"}, {"since": "c", "until": "a"}):
        with pytest.raises(InputError, match="--"):
            run_graph(chain(tmp_path), Progress.silent(), **wrong)


def test_what_a_stage_was_made_from_is_written_down_without_a_time(tmp_path, recipe):
    graph = chain(tmp_path / "new")
    graph.write("seed = 0\n")
    run_graph(graph, Progress.silent())
    manifest = json.loads((graph.path("c") / "stage.json").read_text())
    assert manifest == {
        "name": "c", "recipe": "note", "digest": graph.digests["c"], "code": "1",
        "made_from": {"b": graph.path("b").name}}
    rows = json.loads((tmp_path / "new" / "graph.json").read_text())
    assert [row["inputs"] for row in rows] == [[], ["a"], [], ["b"]]


def test_a_folder_of_something_else_is_refused(tmp_path, recipe):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="not the folder of a pipeline"):
        chain(tmp_path).write("")


def test_the_code_of_a_recipe_is_its_own_and_that_of_what_it_imports(monkeypatch):
    assert code_version("zero") != code_version("sft")
    before, real = code_version("zero"), Path.read_bytes

    def edited(path: Path) -> bytes:
        return real(path) + (b"#" if path.name == name else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    for name, changes in (
        ("sampler.py", True), ("pretrain.py", False), ("progress.py", False), ("kernels.py", True), ("symbolic.py", True),
        ("html.py", False), ("attend.c", True),
    ):
        code_version.cache_clear()
        assert (code_version("zero") != before) is changes, name
    code_version.cache_clear()


def test_a_stage_that_refuses_is_named(tmp_path):
    bad = ZeroConfig.read({"model": {"name": "tiny"}, "problems": {"source": str(tmp_path / "none.jsonl")}}, source="test")
    graph = Graph([Stage("late", "zero", bad, "RL")], tmp_path / "out")
    graph.write("")
    with pytest.raises(InputError, match=r"^stage late: .*none\.jsonl"):
        run_graph(graph, Progress.silent())
