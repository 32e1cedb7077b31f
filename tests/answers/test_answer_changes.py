"""A number in a sentence is the answer only where nothing there makes another number of it, or none.

The class: scales, signs in words, comparisons, approximations, suppositions, other people's answers, multiples, symbols
beside the number, and boxes that stand within an expression. English and other languages; none of these earns credit for 5.
"""

from __future__ import annotations

import pytest

from sanmai.answers.vocabulary import WORDS
from sanmai.score.recorded import score

NONE_OF_THEM_IS_5 = [
    "Die Antwort ist 5 Millionen.", "La réponse est 5 mille.",
    "Odpowiedź to 5 tysięcy.", "答案是5亿。", "답은 5만입니다.", "คำตอบคือ 5 ล้าน",
    "Cevap 5 bin.", "Đáp án là 5 triệu.", "Jawabannya 5 ribu.", "Jibu ni milioni 5.",
    "उत्तर 5 हज़ार है।", "Svaret är 5 dussin.",
    "La risposta è meno 5.", "A resposta é menos 5.", "Відповідь: мінус 5.",
    "答案是负5。", "정답은 마이너스 5입니다.", "Svaret är minus 5.",
    "Die Antwort ist mindestens 5.", "La respuesta es mayor que 5.",
    "Het antwoord is meer dan 5.", "答案是5以上。", "답은 5 이상입니다.",
    "Ответ: свыше 5.", "Đáp án là hơn 5.", "Vastaus on enemmän kuin 5.", "Jibu ni zaidi ya 5.",
    "Die Antwort ist ungefähr 5.", "La réponse est environ 5.", "答えは約5です。", "答案大约是5。",
    "Odpověď je přibližně 5.", "คำตอบคือประมาณ 5",
    "Nehmen wir an, die Antwort ist 5.", "Suponhamos que a resposta é 5.",
    "Załóżmy, że odpowiedź to 5.", "仮に答えは5です。", "假设答案是5。",
    "Según el libro, la respuesta es 5.", "Volgens Jan is het antwoord 5.", "По словам Анны, ответ 5.",
    "Die Antwort ist das Dreifache von 5.", "La réponse est le triple de 5.",
    "答えは5の2倍です。", "Ответ: удвоенное число 5.",
    "Die Antwort ist √5.", "La respuesta es 5π.", "Ответ: 5³", "La réponse est 5y.", "答えは±5です。", "Svaret är ≥ 5.",
    r"\boxed{5}\pi", r"\boxed{5}x + 3", r"\boxed{5}\sqrt{2}", r"\boxed{5}k",
    r"\boxed{5} \text{ million}", r"\boxed{5}^{2}",
    r"So $\sqrt{\boxed{5}}$.", r"$\frac{\boxed{5}}{2}$", r"$x^{\boxed{5}}$",
    r"$\log \boxed{5}$", r"$\left(\boxed{5}\right)^2$",
    r"The answer is less than \boxed{5}.", r"It is greater than \boxed{5}.", r"$x > \boxed{5}$", r"$x \neq \boxed{5}$",
    "<cot>so it is \\boxed{5}", "<analysis>so \\boxed{5}, let me check",
    "<details type=\"reasoning\" done=\"false\">\\boxed{5}",
]  # fmt: skip
ALL_OF_THEM_ARE_5 = [
    "Die Antwort ist 5.", "La réponse est 5 euros.", "Odpowiedź: 5 jabłek.",
    "答案是5。", "답은 5개입니다.", "คำตอบคือ 5", "Cevap 5.",
    "Đáp án là 5.", "Jibu ni 5.", "Ответ: 5 рублей.", "答えは5個です。",
    r"\boxed{5} \text{ apples}", r"$n \ge \boxed{5}$", r"$x = \boxed{5}$",
    r"So \boxed{5} is right.", r"< think >2+3</ think >\boxed{5}",
    r"\large{\boxed{5}}", r"The answer is \boxed{5}.", r"<answer>\boxed{5}</answer>", r"$\left(\boxed{5}\right)$",
    "<cot>maybe \\boxed{4}</cot>\\boxed{5}", "<antThinking>maybe \\boxed{4}</antThinking>\\boxed{5}",
    "<unused94>thought\nmaybe \\boxed{4}<unused95>\\boxed{5}",
    "<|inner_prefix|>maybe \\boxed{4}<|inner_suffix|>\\boxed{5}",
    "<|im_start|>think\nmaybe \\boxed{4}\n<|im_start|>answer\nThe answer is \\boxed{5}.",
    '<details type="reasoning" done="true">\nmaybe \\boxed{4}\n</details>\n\\boxed{5}',
]  # fmt: skip


@pytest.mark.parametrize("right", [False, True])
def test_what_changes_a_number_is_no_credit_and_what_does_not_is(right):
    texts = ALL_OF_THEM_ARE_5 if right else NONE_OF_THEM_IS_5
    rows = [{"id": text, "prompt": "p", "reference": "5", "response": text} for text in texts]
    found = {row["id"]: row["score"] for row in score(rows, "math")["rows"]}
    assert [text for text, value in found.items() if (value == 1.0) is not right] == []


def test_every_language_whose_answers_are_read_has_words_that_change_a_number():
    assert [code for code, words in WORDS.items() if not words.changes] == ["en"]
