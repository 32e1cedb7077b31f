"""How the answers of each generator of reasoning-gym are graded here, and which generators are refused.

Made with reasoning-gym 0.1.25 by reading every scorer and measuring it (benchmarks/gym_graders.py, which prints the table in
docs/data.md anew). A generator that is not in the table has not been looked at and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Grading = Literal["exact", "math", "expression", "scorer", "refused"]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EXACT = _listed("""
    ab acre aiw arc_1d arc_agi base_conversion basic_arithmetic bf binary_alternation binary_matrix bitwise_arithmetic
    caesar_cipher calendar_arithmetic chain_sum circuit_logic color_cube_rotation count_bits count_primes course_schedule
    decimal_arithmetic decimal_chain_sum dice emoji_mystery family_relationships figlet_font fraction_simplification futoshiki
    game_of_life game_of_life_halting gcd gsm_symbolic largest_island lcm leg_counting letter_counting
    letter_jumble mahjong_puzzle manipulate_matrix maze mini_sudoku modulo_grid needle_haystack number_filtering
    number_format number_sequence number_sorting path_star pool_matrix products rearc rectangle_count rotate_matrix
    rotten_oranges self_reference sentence_reordering simple_equations simple_geometry spell_backward spiral_matrix
    string_insertion string_manipulation string_splitting string_synthesis sudoku survo syllogism time_intervals tsumego
    word_sequence_reversal word_sorting zebra_puzzles
""")
"""One answer is right (answers/exact.py). Not by algebra: `4 + 3` is no answer to `4 + 3 =`, nor 92/524 to its lowest terms."""

MATH = ("coin_flip", "polynomial_equations")
"""One value is right, in any form, and the question does not hold it (answers/math.py)."""

EXPRESSION = ("countdown", "puzzle24")
"""Numbers to be put together to a target (answers/number_puzzle.py)."""

SCORED = _listed("""
    advanced_geometry complex_arithmetic cryptarithm graph_color group_anagrams intermediate_integration jugs kakurasu
    knights_knaves n_queens palindrome_generation palindrome_partitioning power_function prime_factorization quantum_lock
    rubiks_cube shortest_path simple_integration sokoban tower_of_hanoi
""")
"""Many answers are right, or one within a tolerance: the generator's own scorer says, in the sandbox (rewards/gym.py)."""

_OTHER_ITEMS = (
    "every process makes other items of the same seed (by Python's hash seed), so that no run could be resumed"
)
REFUSED = {
    "boxnet": "it has no answer of its own, so that nothing shows that its scorer gives full marks to a right one",
    "codeio": "it runs recorded programs of strangers in this process to make its items, and some of them write files",
    "composite": "it mixes other generators; name those instead (gym:chain_sum,leg_counting)",
    "isomorphic_strings": _OTHER_ITEMS,
    "knight_swap": _OTHER_ITEMS,
    "list_functions": _OTHER_ITEMS,
    "polynomial_multiplication": _OTHER_ITEMS,
    "propositional_logic": "its scorer gives full marks to a premise that is said again",
    "ransom_note": _OTHER_ITEMS,
    "rush_hour": "it has no answer of its own, so that nothing shows that its scorer gives full marks to a right one",
    "word_ladder": _OTHER_ITEMS,
}
"""Generators that are no source, and why."""

_LETTER = r"(?<![A-Za-z])[a-zCEXYZ](?![A-Za-z])"
_FUNCTION = r"(?<![A-Za-z])(?:a?sin|a?cos|a?tan|sinh|cosh|tanh|sec|csc|cot|exp|log|ln|sqrt|pi|Abs)(?![A-Za-z])"
_INTEGRAL = rf"(?:{_LETTER}|{_FUNCTION}|[0-9 .()+*/-])+"

FORMS = {
    "intermediate_integration": _INTEGRAL, "simple_integration": _INTEGRAL, "n_queens": r"[Q_\s]+",
    "kakurasu": r"[01\s]+", "quantum_lock": r"[A-Ca-c\s,→>-]+", "rubiks_cube": r"[UDLRFBMESxyzudlrfb'2\s]+",
    "sokoban": r"[UDLR\s,]+",
}  # fmt: skip
"""What alone is shown to two sorts of scorers. Those that run answers as Python: the sandbox contains what one does to the
machine and cannot keep it from choosing its own score, and `Integral(x**2, x)` is a right antiderivative that nobody worked out.
And those that pick their moves out of any text: repeated, the question of a sokoban may solve it."""

OWN_ANSWER = {"graph_color": "possible_answer", "rubiks_cube": "example_correct_answer"}
"""Where the metadata has the answer and `answer` is empty."""


@dataclass(frozen=True)
class Graded:
    """How a generator's answers are graded.

    Example:
        grading_of("boxnet") == Graded("refused", "it has no answer of its own, ...")
    """

    by: Grading
    reason: str = ""
    """Why it is refused."""


def grading_of(name: str) -> Graded:
    """How the answers of a generator are graded; one that is not in the table is refused."""
    if name in REFUSED:
        return Graded("refused", REFUSED[name])
    kinds: dict[Grading, Sequence[str]] = {"exact": EXACT, "math": MATH, "expression": EXPRESSION, "scorer": SCORED}
    for by, names in kinds.items():
        if name in names:
            return Graded(by)
    return Graded("refused", "how it is to be graded has not been looked at here (data/gym_table.py)")
