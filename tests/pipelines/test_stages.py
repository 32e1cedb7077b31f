"""Stages: what identifies one, what is done again and what is not, and which are chosen."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field
from rich.console import Console

from sanmai.config import Config
from sanmai.learn.progress import Progress
from sanmai.pipelines import graph as stages
from sanmai.pipelines import identity
from sanmai.pipelines.graph import Graph, Stage, run_graph
from sanmai.recipes import RECIPES
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
    graph = lambda: Graph([Stage("a", "note", Note(text="a", source=str(source)), "")], tmp_path / "out")  # noqa: E731
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
        "name": "c", "recipe": "note", "digest": graph.digests["c"], "version": 1, "graders": {}, "files": {},
        "settings": {"text": "c", "source": "@b"}, "made_from": {"b": graph.digests["b"]}, "keeps": "models"}
    rows = json.loads((tmp_path / "new" / "graph.json").read_text())
    assert [row["inputs"] for row in rows] == [[], ["a"], [], ["b"]]


def test_a_folder_of_something_else_is_refused(tmp_path, recipe):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="not the folder of a pipeline"):
        chain(tmp_path).write("")


def raised(monkeypatch, recipe: str, version: int) -> None:
    monkeypatch.setitem(RECIPES, recipe, dataclasses.replace(RECIPES[recipe], version=version))


def test_a_comment_in_the_source_redoes_nothing_and_a_raised_version_does_and_says_so(tmp_path, recipe, monkeypatch, capsys):
    build = lambda: Graph(  # noqa: E731
        [Stage("a", "sft", Note(text="a"), ""), Stage("b", "zero", Note(text="b", source="@a"), "")], tmp_path)
    monkeypatch.setattr(stages, "_has_model", lambda name, path: True)
    run_graph(build(), Progress.silent())
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: real(path) + b"# a comment" if path.suffix == ".py" else real(path))
    run_graph(build(), Progress.silent())
    assert recipe.calls == ["a", "b"]
    raised(monkeypatch, "sft", 7)
    run_graph(build(), Progress(Console(width=2000)))
    assert recipe.calls == ["a", "b", "a", "b"]
    said = capsys.readouterr().out
    assert "a is done anew: recipe sft, version 1, is now recipe sft, version 7." in said
    assert "b is done anew: a was done anew." in said and str(tmp_path / "stages" / "a-") in said


@pytest.mark.parametrize(("changed", "reason"), [
    ({"b": "B"}, "b is done anew: text was 'b', now 'B'."),
    ({"a": "A"}, "b is done anew: a was done anew."),
])  # fmt: skip
def test_one_sentence_says_why_a_finished_stage_is_not_reused(tmp_path, recipe, capsys, changed, reason):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(chain(tmp_path, **changed), Progress(Console(width=2000)))
    said = capsys.readouterr().out
    assert reason in said and "d is done anew" not in said
    run_graph(chain(tmp_path, **changed), Progress(Console(width=2000)))
    assert "anew" not in capsys.readouterr().out


def test_a_verifier_that_grades_otherwise_redoes_the_stages_that_it_graded_and_what_hangs_on_them(
    tmp_path, recipe, monkeypatch, capsys
):
    graded, run = {"b": {"code": 1}, "d": {"math": 1}}, recipe.run

    def run_graded(config: Note, folder: Path, *, progress: Progress) -> None:
        run(config, folder, progress=progress)
        (folder / "environment.json").write_text(json.dumps({"graders": graded.get(config.text, {})}))

    monkeypatch.setattr(recipe, "run", run_graded)
    run_graph(chain(tmp_path), Progress.silent())
    monkeypatch.setitem(identity.VERSIONS, "code", 2)
    graded["b"] = {"code": 2}
    assert [chain(tmp_path).state(name) for name in "abcd"] == ["finished", "outdated", "outdated", "finished"]
    run_graph(chain(tmp_path), Progress(Console(width=2000)))
    assert recipe.calls == ["a", "b", "d", "c", "b", "c"]
    assert 'b is done anew: the verifier "code" was version 1 and is 2.' in capsys.readouterr().out
    assert len(list((tmp_path / "stages").glob("b-*-before1"))) == 1
    assert {chain(tmp_path).state(name) for name in "abcd"} == {"finished"}


class Later(Config):
    """What `Note` became: `turns`, `tool` and `drafts` came, `colour` went."""

    text: str = ""
    source: str = ""
    turns: int = 8
    tool: str | None = None
    drafts: int = 1
    unlike_before = frozenset({"drafts"})
    gone: ClassVar = {"colour": "red"}


def later(folder: Path, **changed) -> Graph:
    """`chain`, asked for by a Sanmai with other settings; `changed` are b's."""
    return Graph(
        [
            Stage("a", "note", Later(text="a"), "first"),
            Stage("b", "note", Later(text="b", source="@a", **changed), "second"),
            Stage("d", "note", Later(text="d"), "apart"),
            Stage("c", "note", Later(text="c", source="@b"), "third"),
        ],
        folder,
    )


@pytest.fixture
def drafts_are_as_before(monkeypatch):
    monkeypatch.setattr(Later, "unlike_before", frozenset())


def test_a_setting_that_came_later_redoes_nothing_at_its_default_and_is_told_of_once(
    tmp_path, recipe, capsys, drafts_are_as_before
):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(later(tmp_path), Progress(Console(width=2000)))
    said = capsys.readouterr().out
    assert recipe.calls == ["a", "b", "d", "c"] and "anew" not in said
    told = "a, b, d and 1 more were made before turns, tool and drafts were settings, which change nothing at their defaults: "
    assert said.count(told) == 1 and said.count("were settings") == 1
    assert [later(tmp_path).path(name) for name in "abcd"] == [chain(tmp_path).path(name) for name in "abcd"]


def test_a_later_setting_with_another_value_redoes_the_stage_and_names_that_alone(
    tmp_path, recipe, capsys, drafts_are_as_before
):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(later(tmp_path, turns=4), Progress(Console(width=2000)))
    assert recipe.calls[4:] == ["b", "c"]
    assert "b is done anew: turns was None, now 4. What" in capsys.readouterr().out


def test_a_default_that_is_not_what_was_done_before_redoes_the_stages(tmp_path, recipe, capsys):
    run_graph(chain(tmp_path), Progress.silent())
    run_graph(later(tmp_path), Progress(Console(width=2000)))
    assert recipe.calls[4:] == ["a", "b", "d", "c"]
    assert "a is done anew: drafts was None, now 1. What" in capsys.readouterr().out


@pytest.mark.parametrize(("colour", "redone"), [("red", []), ("blue", ["b", "c"])])
def test_a_setting_that_went_redoes_what_was_made_with_another_value_than_changes_nothing(
    tmp_path, recipe, colour, redone, drafts_are_as_before
):
    run_graph(chain(tmp_path), Progress.silent())
    manifest = chain(tmp_path).path("b") / "stage.json"
    made = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(made | {"settings": made["settings"] | {"colour": colour}}))
    run_graph(later(tmp_path), Progress.silent())
    assert recipe.calls[4:] == redone


def test_an_interrupted_stage_of_other_settings_is_gone_on_with(tmp_path, recipe, drafts_are_as_before):
    recipe.fails_at = "b"
    with pytest.raises(RuntimeError):
        run_graph(chain(tmp_path), Progress.silent())
    graph = later(tmp_path)
    assert [graph.state(name) for name in "abcd"] == ["finished", "interrupted", "new", "new"]
    recipe.fails_at = ""
    run_graph(graph, Progress.silent())
    assert recipe.calls == ["a", "b", "d", "c"]
    assert len(list((tmp_path / "stages").iterdir())) == 4
    assert [later(tmp_path).state(name) for name in "abcd"] == ["finished"] * 4


def test_a_stage_that_was_begun_from_something_else_is_begun_anew_with_a_sentence(tmp_path, recipe, capsys):
    recipe.fails_at = "b"
    with pytest.raises(RuntimeError):
        run_graph(chain(tmp_path), Progress.silent())
    recipe.fails_at = ""
    record = (tmp_path / "begun.json").read_text()
    run_graph(chain(tmp_path, b="B"), Progress(Console(width=2000)), until="b")
    assert "b is begun anew: text was 'b', now 'B'. What was begun before stays in" in capsys.readouterr().out
    shutil.rmtree(chain(tmp_path, b="B").path("b"))
    (tmp_path / "begun.json").unlink()  # as an older Sanmai leaves it
    run_graph(chain(tmp_path, b="B"), Progress(Console(width=2000)), until="b")
    assert "b is begun anew: what it was made from is not written down" in capsys.readouterr().out
    (tmp_path / "begun.json").write_text(record)
    run_graph(chain(tmp_path), Progress(Console(width=2000)))
    assert "anew" not in capsys.readouterr().out.split("[3/4]")[0] and recipe.calls[:2] == ["a", "B"]


def test_a_file_that_a_later_setting_names_is_no_change_and_a_file_that_was_named_is(
    tmp_path, recipe, monkeypatch, drafts_are_as_before
):
    tool, source = tmp_path / "tool.txt", tmp_path / "source"
    source.mkdir()
    tool.write_text("x")
    (source / "note").write_text("x")
    monkeypatch.setitem(Later.model_fields, "tool", Field(str(tool)))
    before = Graph([Stage("a", "note", Note(text="a", source=str(source)), "")], tmp_path / "out")
    run_graph(before, Progress.silent())
    stage = Stage("a", "note", Later(text="a", source=str(source), tool=str(tool)), "")
    asked = lambda: Graph([stage], tmp_path / "out")  # noqa: E731
    assert asked().state("a") == "finished"
    (source / "note").write_text("y")
    assert asked().state("a") == "new"


def test_a_stage_that_refuses_is_named(tmp_path):
    bad = ZeroConfig.read({"model": {"name": "tiny"}, "problems": {"source": str(tmp_path / "none.jsonl")}}, source="test")
    graph = Graph([Stage("late", "zero", bad, "RL")], tmp_path / "out")
    graph.write("")
    with pytest.raises(InputError, match=r"^stage late: .*none\.jsonl"):
        run_graph(graph, Progress.silent())


@pytest.mark.parametrize("damage", [
    '{"name": "b", "version": 1}', "[1]", "", '{"name": "b", "graders": 3, "settings": []}', "[" * 100_000,
])  # fmt: skip
def test_a_damaged_manifest_of_an_earlier_stage_stops_nothing(tmp_path, recipe, damage):
    run_graph(chain(tmp_path), Progress.silent())
    (chain(tmp_path).path("b") / "stage.json").write_text(damage)
    assert chain(tmp_path).state("b") == "finished"  # of the same settings: it is its own evidence
    run_graph(chain(tmp_path, b="B"), Progress.silent())
    assert recipe.calls[4:] == ["B", "c"]



class Scored(Note):
    command: str = ""


def test_a_stage_is_of_the_files_that_a_command_names_and_not_of_what_a_program_leaves_beside_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clone" / "cache").mkdir(parents=True)
    (tmp_path / "my scorer.py").write_text("1")
    config, found = Scored(command="python3 'my scorer.py' --of clone"), []
    for path in ("my scorer.py", "clone/cache/x"):
        found.append(identity.facts_of("note", config, {}))
        (tmp_path / path).write_text("2")
    found.append(identity.facts_of("note", config, {}))
    assert found[0] != found[1] == found[2] and [*found[0]["files"]] == ["my scorer.py"]


def test_words_of_a_command_name_stages_as_other_settings_do(tmp_path):
    plain, naming = Scored(command="python3  'my scorer.py' a@b"), Scored(command="python3 'my scorer.py' @a/model @b")
    graph = Graph([Stage(name, "note", Note(text=name), "") for name in "ab"] + [Stage("c", "note", naming, "")], tmp_path)
    assert graph.stages[2].inputs == ["a", "b"] and Stage("d", "note", plain, "").inputs == []
    resolved = graph.resolved(graph.stages[2])
    assert resolved.command == f"python3 'my scorer.py' {graph.path('a')}/model {graph.path('b')}"
    with pytest.raises(InputError, match="refers to @b, which is no stage before it"):
        Graph([Stage("a", "note", Note(), ""), Stage("c", "note", naming, "")], tmp_path)


def test_a_choice_among_words_names_no_file_whatever_lies_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dapo", "wrong", "runs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a")
    config = ZeroConfig.read({"loss": {"preset": "dapo"}, "rewards": {"incomplete": "wrong"}, "problems": {"source": "runs"}})
    assert config.loss.preset == "dapo" and [*identity.facts_of("zero", config, {})["files"]] == ["tiny", "runs"]
