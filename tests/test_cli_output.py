"""--json, --quiet, --version, completion, `init` and `schema`: of every verb, as a user or an editor meets them."""

import json
import re
import tomllib

import pytest
import typer
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.cli.app import EXIT_CODES
from sanmai.config import load_values, settings_in_force
from sanmai.desk.settings import settings_file, settings_schema
from sanmai.recipes import RECIPES, find_recipe, resolve
from sanmai.types import InputError
from test_cli import SMALL, sanmai_here

COMMANDS = typer.main.get_command(app).commands
ROW = '{"id": "a", "prompt": "2+3?", "response": "\\\\boxed{5}", "reference": "5"}\n'


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_has_both_flags(name):
    assert {"--json", "--quiet"} <= {word for parameter in COMMANDS[name].params for word in parameter.opts}


def test_version_and_exit_codes_are_told():
    assert re.fullmatch(r"sanmai \d+\.\d+\.\d+\n", sanmai_here("--version").stdout)
    told = " ".join(sanmai_here("--help").stdout.split())
    assert EXIT_CODES in told


def test_a_bare_compare_says_what_it_would_begin_and_begins_nothing_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["compare"])
    assert isinstance(told.exception, InputError) and "--yes" in str(told.exception)
    assert "51 stages" in told.output and "17 minutes" in told.output and not list(tmp_path.iterdir())
    begun = []
    monkeypatch.setattr("sanmai.cli.by_recipe.run_recipe", lambda *given, **more: begun.append(given))
    CliRunner().invoke(app, ["compare", "--yes"])
    CliRunner().invoke(app, ["compare", "--set", "seeds=[0]"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert len(begun) == 2


def test_a_shell_is_told_the_recipes(monkeypatch):
    monkeypatch.setenv("_SANMAI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "sanmai run z")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert CliRunner().invoke(app, prog_name="sanmai").output.split() == ["zero"]


def test_a_run_with_json_prints_one_object_and_its_lines_to_standard_error(tmp_path):
    done = sanmai_here("run", "zero", "--out", str(tmp_path / "run"), "--json", *SMALL)
    found = json.loads(done.stdout)
    assert found["status"] == "finished" and found["folder"] == str(tmp_path / "run") and found["steps"] == 2
    assert {"measures", "lines", "report", "tokens"} <= found.keys() and "step 2/2" in done.stderr
    again = sanmai_here("run", "zero", "--out", str(tmp_path / "run"), "--quiet", *SMALL)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    told = json.loads(sanmai_here("report", str(tmp_path / "run"), "--json").stdout)
    assert told["report"] == str(tmp_path / "run" / "report.html") and told["steps"] == 2
    cost = json.loads(sanmai_here("cost", str(tmp_path / "run"), "--json").stdout)
    assert cost["total"]["steps"] == 2
    exported = json.loads(sanmai_here("export", str(tmp_path / "run"), str(tmp_path / "model"), "--json").stdout)
    assert exported["out"] == str(tmp_path / "model")


def test_other_verbs_answer_with_an_object_too(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(ROW)
    assert json.loads(sanmai_here("score", str(file), "--json").stdout) == json.loads(sanmai_here("score", str(file)).stdout)
    planned = json.loads(sanmai_here("plan", "zero", "--no-measure", "--json").stdout)
    assert planned["lines"][0].startswith("Recipe zero") and planned["recipe"] == "zero"
    copied = json.loads(sanmai_here("twins", "world", str(tmp_path / "twins.jsonl"), "--json").stdout)
    assert copied["out"].endswith("twins.jsonl") and "have a copy" in copied["lines"][0]


def test_an_error_is_an_object_as_well_and_keeps_its_exit_code():
    done = sanmai_here("run", "zro", "--json")
    assert done.returncode == 2 and "zero" in json.loads(done.stdout)["error"] and "sanmai: recipe 'zro'" in done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_file_to_begin_with_is_the_default_run_and_every_line_of_it_can_be_used(recipe):
    lines = list(settings_file(find_recipe(recipe)))
    text = "\n".join(lines)
    assert resolve(find_recipe(recipe), None, (), tomllib.loads(text)) == resolve(find_recipe(recipe))
    meant = [line for line in lines if re.match(r"#?[\w.\"-]+ = ", line)]
    assert len(meant) == 1 + len(list(settings_in_force(resolve(find_recipe(recipe)))))
    if find_recipe(recipe).has_stages or find_recipe(recipe).chooses:
        return  # a pipeline gives its stages settings that nobody else may state
    used = "\n".join(re.sub(r"^#(?=\S+ = (?!  ))", "", line) for line in lines)
    assert len(tomllib.loads(used)) > 1
    assert resolve(find_recipe(recipe), None, (), tomllib.loads(used)) == resolve(find_recipe(recipe))


def test_what_is_stated_is_in_force_and_settings_of_other_sources_are_hidden(tmp_path):
    stated = ["model.name=smollm2", "problems.source=train.jsonl", "loss.kl_weight=0.1"]
    text = "\n".join(settings_file(find_recipe("zero"), None, stated))
    file = tmp_path / "zero.toml"
    file.write_text(text)
    assert resolve(find_recipe("zero"), file) == resolve(find_recipe("zero"), None, stated)
    assert load_values(file)["loss"] == {"kl_weight": 0.1} and load_values(file)["model"] == {"name": "smollm2"}
    assert "problems.world.train" not in text and "#problems.holdout = 0.1" in text
    assert "settings more are read only under" in text
    unstated = "\n".join(settings_file(find_recipe("zero")))
    assert "problems.world.train" in unstated and "#problems.holdout" not in unstated
    everything = "\n".join(settings_file(find_recipe("zero"), None, stated, show_all=True))
    assert "problems.world.train" in everything and "more are read only" not in everything
    with pytest.raises(InputError, match="--set"):
        list(settings_file(find_recipe("zero"), None, ["nothing"]))


def test_a_plan_lists_the_settings_in_force_and_all_of_them_when_asked():
    few, all_of_them = sanmai_here("plan", "zero", "--settings").stdout, sanmai_here("plan", "zero", "--all").stdout
    assert "problems.stories.train" not in few and "settings more are read only" in few
    assert "problems.stories.train" in all_of_them


@pytest.mark.parametrize("recipe", ["zero", "r1", "dpo"])
def test_the_schema_knows_every_setting_with_its_meaning_and_an_editor_may_check_with_it(recipe):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(json.dumps(settings_schema(find_recipe(recipe))))
    config = resolve(find_recipe(recipe)).model_dump(mode="json")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"recipe": recipe, **config}, schema)
    assert set(schema["properties"]) == {"recipe", *config}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "seed": "one"}, schema)
