"""What stands around a choice's letter, or beside a number, says whether it is the answer: explanations, notes, other people.

The classes: an explanation that condemns the other choices; a note in brackets that denies another number; ticks and
pictures; marks of particular models; digits of other scripts. The wrong ones look like them: the answer itself is
condemned, rivalled or doubted, it is somebody else's, or a cross stands beside it.
"""

from __future__ import annotations

import pytest
from tests.answers.test_answer_languages import grade

OTHER_CHOICES_ARE_CONDEMNED = [
    "Answer: C\n\nExplanation: A is wrong since 3 < 4.", "\\boxed{C}\n\nA) Incorrect. The mass is 3.\nC) Correct.\nD) False: no.",
    "The correct answer is C.\n\n- A is incorrect because it ignores drag.\n- B and D are wrong because of units.",
    "The answer is (C) The Nile. Option A (The Amazon) is incorrect. The other options are wrong.",
    "**Answer: C**\n\nStatements I and III are false, so only C remains.", "The answer is C, not B.",
    "The answer is C. A is not the answer because it is too small.", "The answer is (C), rather than (A).",
    "Answer: C\n\nOption B says that it floats, which is false.",
]  # fmt: skip
THE_CHOICE_IS_DOUBTED = [
    "Answer: C\n\nExplanation: C is wrong since 3 < 4.", "Answer: C. That is wrong.", "The answer is C. B.",
    "The answer is C. Actually, B is better.", "The answer is C. No, B.", "\\boxed{C} is incorrect.", "\\boxed{C}\nIncorrect.",
    "Answer: C. A calculation above is wrong.", "Answer: B or C", "The answer is C. Or B.", "The answer is C. Maybe B.",
    "The answer is C. Options A and C are wrong.", "The answer is C.\nC) Incorrect.", "The answer is C. It is too small.",
]  # fmt: skip
FIVE = [
    "Final answer: 5 ✅", "Answer: 🎉 5", "The answer is **5** ✔️", "5 🎉", "Answer – 5", "Final Answer → 5", "Answer -> 5",
    "The answer is 5 (not 6).", "Answer: $5 (rounded from 4.6)", "Answer: 5 apples (rounded up)",
    "The answer is 5. This is because 4 is too small.", "Answer: 5\n\nHope this helps!",
    "According to the formula, the answer is 5.",
    "<think>a</think><answer>The answer is <|begin_of_box|>5<|end_of_box|></answer>", "<|begin_of_box|>5<|end_of_box|>",
    "<final_answer>5</final_answer>", "\\boxed{৫}", "\\boxed{５}", "#### ५", "<answer>٥</answer>", "\\boxed{๕}", "Answer: ۵",
]  # fmt: skip
NOT_FIVE = [
    "Answer: 5 ❌", "Answer: 5 🤔", "5 ❌", "The answer is 5 (or 6).", "The answer is 5 (6).", "The answer is 5 (maybe).",
    "Answer: 5 (rounded from 4.6, or 4)", "It is clear that \\boxed{5} is too small, so we need more.", "\\boxed{5}\\%",
    "Upper bound: \\boxed{5}. I could not find the exact value.", "\\boxed{5} \\text{ (incorrect)}",
    "It's \\boxed{5}, just a guess.",
    "Bob's answer is 5.", "My friend said the answer is 5.", "The trap answer is 5.", "Bob said: \"The answer is 5.\"",
    "Imagine the answer is 5.", "If x=2 the answer is 5; otherwise 7", "The intermediate result is 5.",
    "Student A: The answer is 5.",
    "According to the textbook, the answer is 5. But the textbook has a typo; I get six.", "Bob claims that it is \\boxed{5}.",
    "<|begin_of_box|>4<|end_of_box|> <|begin_of_box|>5<|end_of_box|>", "Let's pretend the answer is 5.",
    "Most people would say the answer is 5.", "The answer in the book is 5.", "The answer was 5 before the change.",
]  # fmt: skip


@pytest.mark.parametrize("response", OTHER_CHOICES_ARE_CONDEMNED)
def test_an_explanation_may_call_the_other_choices_wrong(response: str) -> None:
    assert grade(response, "C") == 1.0


@pytest.mark.parametrize("response", THE_CHOICE_IS_DOUBTED)
def test_a_choice_that_is_called_wrong_rivalled_or_doubted_earns_nothing(response: str) -> None:
    assert grade(response, "C") == 0.0


@pytest.mark.parametrize("response", FIVE)
def test_notes_pictures_and_the_marks_of_models_leave_a_number_alone(response: str) -> None:
    assert grade(response, "5") == 1.0


@pytest.mark.parametrize("response", NOT_FIVE)
def test_a_number_that_is_condemned_or_somebody_elses_earns_nothing(response: str) -> None:
    assert grade(response, "5") == 0.0
