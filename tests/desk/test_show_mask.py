"""What `sanmai doctor --show-mask` shows is what SFT trains on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from rich.console import Console

from sanmai.data.chat import render_demonstration
from sanmai.data.problems import load_problems
from sanmai.desk.show_mask import load_tokenizer, mask_lines, print_mask, shown_tokens
from sanmai.policies.text.tiny import tiny_tokenizer
from sanmai.types import InputError, Problem
from tiny_models import bpe_tokenizer, save_folder

ROWS = [
    {"prompt": "what is 1 plus 1 ?", "answer": "2"},
    {"messages": [{"role": "user", "content": "what is 2 plus 3 ?"}, {"role": "assistant", "content": "<think> 5 </think> 5"}]},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def test_the_completion_and_its_stop_token_are_trained_and_nothing_else(file):
    [problem] = [p for p in load_problems(file, needs_answer=False).problems if p.demonstration]
    tokens = shown_tokens(tiny_tokenizer(), problem)
    # <user> what is 2 plus 3 ? <assistant> | <think> 5 </think> 5 <eos>
    assert [t.text for t in tokens if not t.is_trained] == ["<user>", "what", "is", "2", "plus", "3", "?", "<assistant>"]
    assert [t.text for t in tokens if t.is_trained] == ["<think>", "5", "</think>", "5", "<eos>"]
    assert [t.is_stop for t in tokens] == [False] * 12 + [True] and [t.position for t in tokens] == list(range(13))
    prompt, completion = render_demonstration(tiny_tokenizer(), problem)
    assert [t.number for t in tokens] == prompt + completion


def test_there_is_a_line_per_token_and_rows_without_a_demonstration_are_not_counted(file):
    lines = [text for text, _ in mask_lines(file, "tiny", 0)]
    assert lines[1].startswith("13 tokens; 5 of them are trained") and lines[-1].endswith("character for character.")
    assert lines[2:-1][7:9] == [" 7  -            4  '<assistant>'", " 8  train        5  '<think>'"]
    assert lines[-2].endswith("'<eos>'   the stop token")
    with pytest.raises(InputError, match=r"--row 1: .*rows.jsonl has 1 demonstrations; expected a number from 0 to 0"):
        list(mask_lines(file, "tiny", 1))


def test_a_file_without_any_demonstration_says_so(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]))
    with pytest.raises(InputError, match=r"rows.jsonl has no demonstration"):
        list(mask_lines(path, "tiny", 0))


def test_colour_is_for_terminals_and_text_is_never_markup(file, tmp_path):
    path = tmp_path / "markup.jsonl"
    path.write_text(json.dumps({"prompt": "[red]x[/red] :smile:", "solution": "[bold]", "answer": "1"}))
    for is_terminal in (False, True):
        console = Console(force_terminal=is_terminal, width=200, color_system="standard" if is_terminal else None)
        with console.capture() as capture:
            print_mask(path, str(save_folder(tmp_path / f"model{is_terminal}")), 0, console)
        text = capture.get()
        assert ("\x1b[32m" in text) is is_terminal and "  '['" in text and "  ':'" in text


def test_a_thought_that_the_prompt_opens_is_not_trained_twice():
    tokenizer = bpe_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }} <think>"
    problem = Problem("p", ({"role": "user", "content": "what is 3"},), demonstration="<think> 3 </think> 3")
    tokens = shown_tokens(tokenizer, problem)
    assert "".join(t.text for t in tokens if not t.is_trained).endswith("<think>")
    assert "".join(t.text for t in tokens if t.is_trained) == " 3 </think> 3<eos>"


def test_a_model_that_is_none_is_named(tmp_path, file):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"--model .*empty.*cannot be loaded"):
        load_tokenizer(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such folder"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_the_command_prints_plain_text_into_a_pipe(file):
    done = subprocess.run(
        [sys.executable, "-m", "sanmai.cli", "doctor", "--show-mask", str(file)], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "\x1b" not in done.stdout and done.stdout.count("  train  ") == 5, done.stderr
