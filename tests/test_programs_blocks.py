"""The program is found in an answer wherever people and models put it, with what it needs from blocks before it."""

from __future__ import annotations

import json
import time

import pytest

from sanmai.programs.extract import asked_names, last_program
from sanmai.programs.grade import grade_program
from sanmai.programs.stdio import IoTest, grade_stdio

ADD, WRONG = "def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a - b\n"
FENCED, FENCED_WRONG = f"```python\n{ADD}```\n", f"```python\n{WRONG}```\n"
TESTS = ["assert add(2, 3) == 5"]


def passes(answer: str, tests: list[str] = TESTS) -> bool:
    found = last_program(answer, asked_names(tests))
    return found is not None and grade_program(found[0], tests).all_passed is True


@pytest.mark.parametrize("answer", [
    f"[BEGIN]\n{ADD}[DONE]", f"[PYTHON]\n{ADD}[/PYTHON]", f"[CODE]{ADD}[/CODE]", f"<code>\n{ADD}</code>",
    f"<answer>\n{ADD}</answer>",
    f"<solution>\n{ADD}</solution>", f"<answer>{ADD}</answer>", f"<answer>\n{FENCED}</answer>", f"<program>\n{ADD}",
    f'<pre><code class="language-python">{ADD}</code></pre>', f"So <final_answer>\n{ADD}</final_answer> is it.",
    "<code>\ndef add(a, b):\n    return a + b if a &lt; b or a &gt;= b else 0\n</code>",
    f"\\begin{{lstlisting}}[language=Python]\n{ADD}\\end{{lstlisting}}", f"\\begin{{minted}}{{python}}\n{ADD}\\end{{minted}}",
    "\\begin{verbatim}\n" + ADD + "\\end{verbatim}",
])  # fmt: skip
def test_tags_mark_a_program_as_fences_do(answer):
    assert passes(answer)


@pytest.mark.parametrize("answer", [
    f"Here is the code:\n\n{ADD}\nThis adds two numbers.", f"Here is the code:\n{ADD}It's simple.\n\nDone",
    f"{ADD}\nComplexity: linear",
    "So:\n\n    def add(a, b):\n        return a + b\n\nIt's (very simple.", f"import math\nNow the function.\n{ADD}",
    f"from what you say, a sum is asked for.\nimport it later.\n\n{ADD}\nExample:\nprint(add(1, 2))\n\nfor example 3 is printed.",
    "Let me define\n\nplus = sum\n\nand then\n\ndef add(*xs):\n    return plus(xs)\n\nwhich is it.",
    "I'd write `def add(a, b): return a + b` here.", "It is ```def add(a, b): return a + b```", "`add = lambda a, b: a + b`",
    f"Code: ```python\n{ADD}```", "```python\ndef add(a, b):\n    return a + b```\nDone.",
    '```python\ndef add(a, b):\n    """Adds.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b\n```',
    "1. Write it:\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Run it.",
])  # fmt: skip
def test_code_among_prose_is_found_without_or_with_odd_fences(answer):
    assert passes(answer)


@pytest.mark.parametrize("answer", [
    ">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n",
    "Try:\n\n>>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n",
    "```\nPython 3.12.1 (main)\n>>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n```",
    "```ipython\nIn [1]: def add(a, b):\n   ...:     return a + b\n   ...: \n\nIn [2]: add(1, 2)\nOut[2]: 3\n```",
])  # fmt: skip
def test_a_session_is_what_was_typed(answer):
    assert passes(answer)


@pytest.mark.parametrize("after", [
    f"A common mistake, do NOT do this:\n{FENCED_WRONG}", f"The wrong way:\n{FENCED_WRONG}", f"Incorrect:\n{FENCED_WRONG}",
    f"Don't write this.\n{FENCED_WRONG}", f"### Common pitfalls\n\nSubtracting:\n{FENCED_WRONG}", f"Avoid this:\n{FENCED_WRONG}",
    f"For comparison:\n```python\n# WRONG\n{WRONG}```\n", f"\u274c\n{FENCED_WRONG}",
    f"\u9519\u8bef\u7684\u5199\u6cd5\uff1a\n{FENCED_WRONG}",
    "The signature again:\n```python\ndef add(a, b): ...\n```\n",
    "Usage:\n```python\nprint(add(2, 3))\n```\nOutput:\n```\n5\n```\n",
    "Expected output:\n```python\n5\n```\n", "```python\nfrom solution import add\nassert add(1, 2) == 3\n```\n",
    "The head:\n```python\ndef add(a, b):\n    '''Adds.'''\n    pass\n```", "```python\nresult = add(1, 2)\nprint(result)\n```",
])  # fmt: skip
def test_what_comes_after_the_solution_and_is_called_wrong_or_shows_its_use_is_not_it(after):
    assert passes(f"{FENCED}{after}")


@pytest.mark.parametrize("lead", [
    "The code above is wrong. Here is the right one:", "My first attempt was incorrect; this is the corrected version:",
    "That had a common mistake, which this fixes:", "To avoid this, write:", "Use this instead of the wrong way:", "Better:",
])  # fmt: skip
def test_words_about_an_earlier_mistake_do_not_turn_down_what_mends_it(lead):
    assert passes(f"{FENCED_WRONG}{lead}\n{FENCED}") and not passes(f"{FENCED}{lead}\n{FENCED_WRONG}")


def test_a_block_that_is_called_wrong_is_taken_where_there_is_no_other():
    assert passes(f"This is wrong:\n{FENCED}") and not passes(f"This is wrong:\n{FENCED_WRONG}")


@pytest.mark.parametrize("answer", [
    "First:\n```python\ndef plus(a, b):\n    return a + b\n```\nThen:\n```python\ndef add(a, b):\n    return plus(a, b)\n```",
    "```python\nimport math\n```\n```python\ndef add(a, b):\n    return int(math.fsum([a, b]))\n```",
    "```python\nfrom math import *\n```\n```python\ndef add(a, b):\n    return int(fsum([a, b]))\n```",
    "```python\nimport operator\nplus = operator.add\n```\n```python\nfrom __future__ import annotations\n"
    "def add(a, b):\n    return plus(a, b)\n```",
    "```python\nclass Sum:\n    def __init__(self): self.s = START\nSTART = 0\n```\n"
    "```python\ndef add(a, b):\n    t = Sum()\n    t.s += a + b\n    return t.s\n```",
    "```python\ndef plus(a, b):\n    return a + b\nprint(1 / 0)\n```\n```python\ndef add(a, b):\n    return plus(a, b)\n```",
])  # fmt: skip
def test_helpers_classes_and_imports_of_earlier_blocks_come_with_the_solution(answer):
    assert passes(answer)


def test_each_function_that_is_asked_for_may_stand_in_a_block_of_its_own():
    answer = f"{FENCED}```python\ndef take(a, b):\n    return a - b\n```"
    assert passes(answer, ["assert add(2, 3) == 5", "assert take(2, 3) == -1"])


def test_nothing_comes_from_a_block_that_is_called_wrong_or_from_later_ones():
    assert not passes("Wrong:\n```python\ndef plus(a, b):\n    return a + b\n```\nSo:\n"
                      "```python\ndef add(a, b):\n    return plus(a, b)\n```")
    assert not passes("```python\ndef add(a, b):\n    return plus(a, b)\n```\n```python\ndef plus(a, b):\n    return a + b\n```")


DOUBLE = "n = int(input())\nprint(twice(n))\n"
TWICE = "def twice(n):\n    return 2 * n\n"


@pytest.mark.parametrize("answer", [
    f"```python\n{TWICE}```\nand\n```python\n{DOUBLE}```", "The program is\n\nprint(2 * int(input()))\n\nand nothing else.",
    f"```python\n{TWICE}{DOUBLE}```\nTest it:\n```python\nimport io, sys\nsys.stdin = io.StringIO('3')\nprint(7)\n```",
    f"```python\n{TWICE}{DOUBLE}```\nDo not do this:\n```python\nprint(input())\n```", "So: `print(2 * int(input()))`",
])  # fmt: skip
def test_a_program_that_reads_its_input_is_found_and_completed_too(answer):
    found = last_program(answer, reads_input=True)
    assert found is not None and grade_stdio(found[0], [IoTest("3\n", "6\n")]).all_passed


@pytest.mark.parametrize("answer", [
    "I cannot.", "Done", "42", "add", "Note: nothing", "Use `add` for it.", "```\n```", "`x`", "<answer></answer>",
])  # fmt: skip
def test_words_are_no_program(answer):
    assert last_program(answer, ["add"]) is None


@pytest.mark.parametrize("answer", [
    "x = 1 y\n" * 20_000, "def f(:\n" * 20_000, "```python\n" * 20_000, "[BEGIN]" * 5_000, "<code>" * 5_000,
    "`a" * 50_000, ">>> (\n" * 20_000,
    "from a import b c\n" * 20_000, "(" * 100_000, "x = (\n" * 5_000,
])  # fmt: skip
def test_the_search_takes_a_time_that_the_length_of_an_answer_bounds(answer):
    last_program(answer, ["add"])


def quoted(text: str, mark: str = "> ") -> str:
    return "".join(mark + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize("answer", [
    quoted(FENCED), quoted(FENCED, ">"), quoted(quoted(FENCED)), "Here:\n\n" + quoted("So:\n\n" + FENCED) + "\nDone.",
    quoted(FENCED, "  > "), "> ```python\n> def add(a, b):\n>     return a + b\n\nThat's it.", quoted(ADD),
    quoted("```pycon\n>>> def add(a, b):\n...     return a + b\n```\n"),
    f"You wrote:\n\n{quoted(FENCED_WRONG)}\nFixed:\n\n{FENCED}", f"{FENCED}\nYours was:\n\n{quoted(FENCED_WRONG)}",
])  # fmt: skip
def test_a_quotation_holds_the_program_where_nothing_else_does(answer):
    assert passes(answer)


def test_a_quotation_of_the_right_program_is_not_the_answer_beside_a_wrong_one():
    assert not passes(f"{quoted(FENCED)}\nMine:\n{FENCED_WRONG}")
    assert not passes(f"```python\nx = 1\n```\n{FENCED_WRONG}\n{quoted(FENCED)}")
    assert passes("def add(a, b):\n    return (a + b\n> 0) * 1 + 4")  # a comparison that a line begins with is no quotation


@pytest.mark.parametrize("answer", [
    f"```python\n%%time\n{ADD}```", f"```python\n%matplotlib inline\n!pip install x\n{ADD}```", f"```python\n\ufeff{ADD}```",
    f"```\npython\n{ADD}```", f"```python\n{ADD}``` That is all.", f"```python\n{ADD}```<|im_end|>",
    f"```python\n{ADD}<|endoftext|>",
    f"````markdown\n{FENCED}````", f"```md\nHere\n{FENCED}```", f"```bash\ncat > add.py <<'EOF'\n{ADD}EOF\npython add.py\n```",
    json.dumps({"code": ADD}), f"```json\n{json.dumps({'solution': ADD})}\n```", json.dumps({"answer": FENCED, "why": "it adds"}),
    json.dumps({"cells": [{"cell_type": "markdown", "source": ["x"]}, {"cell_type": "code", "source": ADD.splitlines(True)}]}),
])  # fmt: skip
def test_what_wraps_a_program_is_no_part_of_it(answer):
    assert passes(answer)


@pytest.mark.parametrize("answer", [
    json.dumps({"cells": [{"cell_type": "markdown", "source": ADD}]}), json.dumps({"note": ADD}),
    f"```bash\ncat > notes.txt <<'EOF'\n{ADD}EOF\n```", "```python\n%%bash\nadd\n```",
    "```python\ndef add(a, b):\n    x = “s”\n```",
])  # fmt: skip
def test_what_was_not_given_as_a_program_is_not_run(answer):
    assert not passes(answer)


@pytest.mark.parametrize("piece", ["> a\n", ">", "> \t", "> ```\n\n", "{", "```markdown\n", "```bash\ncat >a.py <<E\n", "<|a|>"])
def test_a_hundred_thousand_characters_of_anything_take_a_moment(piece):
    start = time.process_time()
    last_program(piece * (100_000 // len(piece)), ("add",))
    assert time.process_time() - start < 5


ODD = [[{"cell_type": "code", "source": [1, None]}], [{"cell_type": "code", "source": {"a": 1}}], [3]]


@pytest.mark.parametrize("cells", ODD)
def test_a_notebook_of_something_else_is_no_program_and_no_error(cells):
    assert not passes(json.dumps({"cells": cells}))
