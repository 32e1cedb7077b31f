"""A sentence in any language states its number or letter, wherever in it that stands; what touches it decides, not every word.

The classes: letters; an answer before its name; a line break behind the mark; formulas, percent, scales and other digits;
ordinary words that elsewhere hedge ("can", "no", "but", "or" within idioms); reasons, checks and courtesies behind it. The
wrong ones: hedged, denied, enumerated, conditional, asked, taken back, rivalled, a part's, somebody else's.
"""

from __future__ import annotations

import pytest
from tests.answers.test_answer_languages import grade

LETTERS = [
    "Die Antwort ist (B).", "Die richtige Antwort ist B, weil A zu klein ist.", "Die Antwort ist B. A ist falsch, da 3 < 4.",
    "La respuesta correcta es B.", "La respuesta es **B**.", "Respuesta: B) El Nilo", "La bonne réponse est **(B)**.",
    "Правильный ответ: B", "Ответ: B. Вариант A неверен, потому что 3 < 4.", "答案是B。", "答案：B，因为A不对。",
    "正解はBです。",
    "정답은 B입니다.", "คำตอบคือ B", "La risposta corretta è B.", "A resposta correta é (B).", "Het juiste antwoord is B.",
    "Poprawna odpowiedź to B.", "Doğru cevap B.", "Đáp án đúng là B.", "Jawaban yang benar adalah B.", "सही उत्तर B है।",
    "الإجابة الصحيحة هي B.", "Jibu sahihi ni B.",
]  # fmt: skip
NO_LETTERS = [
    "Die Antwort ist B oder C.", "Die Antwort ist nicht B.", "Die Antwort ist B. Nein, C.", "La respuesta no es B.",
    "La respuesta es B o C.", "Ответ: B или C", "Ответ не B.", "答案是B或C。", "答案不是B。", "正解はBかCです。",
    "정답은 B가 아닙니다.",
    "La réponse est peut-être B.", "La respuesta es B. Espera, es C.", "Die Antwort ist B. B ist falsch.",
    "Bobs Antwort ist B.",
    "Respuesta: A Juan le gusta B o C.", "Cevap B değil.", "Jawabannya bukan B.", "Đáp án là B hoặc C.",
]  # fmt: skip
EIGHTEEN = [
    # the answer comes first
    "Also ist 18 die Antwort.", "18 is the answer.", "So 18 is our final answer.", "18 es la respuesta.",
    "Donc 18 est la réponse.",
    "18が答えです。", "18就是答案。", "18 — это ответ.", "18 è la risposta.", "Portanto, 18 é a resposta.", "18이 정답입니다.",
    # a break behind the mark
    "Antwort:\n18", "**Réponse :**\n\n18", "**Respuesta:**\n\n**18**", "## Ответ\n\n18", "答案：\n18", "**คำตอบ:**\n18",
    "Cevap:\n\n18",
    "### Risposta finale\n\n18", "उत्तर:\n18", "答え:\n\n**18**",
    # formulas and figures
    "La respuesta es $18$.", "La réponse est $18\\text{ €}$.", "Die Antwort ist \\(18\\).", "答えは $18$ です。", "উত্তর: ১৮",
    "الجواب: ١٨",
    "Die Antwort ist $\\frac{36}{2}$.", "คำตอบคือ ๑๘", "पाठ: 9 x 2. उत्तर: १८",
    # ordinary words
    "Ответ: она может купить 18 яблок.", "Respuesta: Puede comprar 18 manzanas.", "Antwoord: Ze kan 18 appels kopen.",
    "Antwort: Sie kann 18 Äpfel kaufen.", "Jawaban: Ia bisa membeli 18 apel.", "คำตอบคือ แต่ละคนได้ 18 บาท",
    "Ответ: ему не хватает 18 рублей.", "Resposta: o total é 18.", "A resposta é que Janet ganha 18 dólares no mercado.",
    "答えは残りから計算して18ドルです。", "La respuesta es 18, o sea, gana 18 dólares al día.",
    "La respuesta no puede ser otra que 18.",
    "Réponse : elle peut acheter 18 pommes.", "Risposta: può comprare 18 mele.", "Odpowiedź: może kupić 18 jabłek.",
    "Svar: Hon kan köpa 18 äpplen.", "Відповідь: йому не вистачає 18 гривень.", "答案是她可以买18个苹果。",
    "Aber die Antwort ist 18.",
    "Но ответ 18.", "Pero la respuesta es 18.", "根据题意，答案是18。", "Ou seja, a resposta é 18.",
    # reasons, checks, notes, courtesies
    "La respuesta es 18 porque 9 × 2 = 18.", "Die Antwort ist 18, weil 9 mal 2 gleich 18 ist.",
    "Ответ: 18, так как 9 · 2 = 18.",
    "La respuesta es 18.\n\nComprobación: 16 - 3 - 4 = 9; 9 × 2 = 18.",
    "Die Antwort ist 18 Dollar. Das sind 9 Eier mal 2 Dollar.",
    "Antwort: Janet verdient täglich 18 Dollar (9 Eier zu je 2 Dollar).",
    "La réponse est 18.\n\nExplication : 9 œufs à 2 dollars.",
    "Die Antwort ist 18, nicht 17.", "La respuesta es 18, no 17.", "Ответ: 18, а не 17.",
    "La respuesta es 18. ¡Espero que ayude!",
    "Die Antwort ist 18. Ich hoffe, das hilft!", "La réponse est 18. N'hésitez pas si vous avez des questions !",
    "答案是18。希望对你有帮助！", "答えは18です。お役に立てば幸いです。", "Ответ: 18 ✅", "Jawaban: 18. Semoga membantu!",
    "Vastaus: 18 euroa", "Η απάντηση είναι 18 ευρώ.", "A válasz: 18 forint.", "Ang sagot ay 18.", "Jawabane yaiku 18.",
    "పాఠం: 9 x 2. సమాధానం: 18 డాలర్లు.", "پاسخ نهایی 18 است.", "התשובה היא 18 שקלים.", "La resposta és 18.",
    "所以，最终答案是：**18**美元。", "¡La respuesta es 18! No dudes en preguntar.",
]  # fmt: skip
NOT_EIGHTEEN = [
    "Die Antwort könnte 18 sein.", "Die Antwort kann auch 18 sein.", "La respuesta puede ser 18.",
    "La respuesta podría ser 18.",
    "Ответ может быть 18.", "Odpowiedź może być 18.", "Het antwoord kan 18 zijn.", "Jawabannya bisa jadi 18.",
    "Đáp án có thể là 18.",
    "คำตอบอาจเป็น 18", "答えは18かもしれません。", "答えは18か。", "答案恐怕是18。", "정답은 18일지도 모릅니다.",
    "الإجابة قد تكون 18.",
    "उत्तर 18 हो सकता है।", "Cevap 18 olabilir.", "La réponse pourrait être 18.", "La risposta può essere 18.",
    "A resposta pode ser 18.",
    "Also ist 18 nicht die Antwort.", "18 is not the answer.", "18 is half the answer.", "18 no es la respuesta.",
    "18は答えではありません。",
    "18不是答案。", "Ist 18 die Antwort?", "Maybe 18 is the answer.", "Bob said 18 is the answer.", "17 + 18 is the answer.",
    "Antwort:\n17\n18", "Antwort:\n18 oder 19", "Respuesta:\n\nNo es 18.", "Die Antwort von Teil a ist 18.",
    "Bobs Antwort ist 18.",
    "La respuesta de Bob es 18.", "La réponse de Marie est 18.", "Ответ Боба: 18", "小明的答案是18。",
    "ボブの答えは18です。", "밥의 답은 18입니다.",
    "คำตอบของบ๊อบคือ 18", "Bob sagt, die Antwort ist 18.", "Bob dice que la respuesta es 18.", "Bob'un cevabı 18.",
    "बॉब का उत्तर 18 है।",
    "Le résultat intermédiaire est 18.", "El resultado parcial es 18.", "Промежуточный результат: 18", "途中の答えは18です。",
    "Falsche Antwort: 18", "Das Zwischenergebnis ist 18.", "Il risultato parziale è 18.", "Wynik pośredni to 18.",
    "Wenn x = 2, ist die Antwort 18.", "Si x = 2, la respuesta es 18; si no, 19.", "Если x = 2, то ответ 18.",
    "如果x=2，答案是18。",
    "Stell dir vor, es stimmt: Die Antwort ist 18 oder nicht.", "Die Antwort ist 18. Nein, 19.",
    "La respuesta es 18. Perdón, 19.",
    "Ответ: 18. Нет, 19.", "答えは18です。いや、19です。", "答案是18。不对，是19。", "La respuesta es 18 (o 19).",
    "Die Antwort ist 18 (vielleicht 19).",
    "La réponse est 18 ou plus.", "Die Antwort ist 18. Es sind 19.", "Die Antwort ist 18, aber sicher ist das nicht.",
    "La respuesta es 18. Me equivoqué.", "Ответ: 18. Это неверно.", "Die Antwort ist 18 ❌", "La respuesta es $18$ o $19$.",
    "Het antwoord van Bob is 18.", "Stell dir vor, die Antwort ist 18.", "想象答案是18。", "18 ist die halbe Antwort.",
    "18 ist Bobs Antwort.", "Svaret från Bob är 18.", "Câu trả lời của Nam là 18.", "太郎は答えは18だと言った。",
    "Die Antwort ist 18. Nach erneuter Rechnung komme ich auf 19.", "Ответ: 18. После проверки получилось 19.",
    "Η απάντηση δεν είναι 18.", "Відповідь не 18.", "பதில் 18 அல்ல.", "Sagot: hindi 18", "Jawabane dudu 18.",
    "Die Antwort ist 18 Millionen.", "答案是18万。", "La respuesta es 18%.", "Die Antwort ist $18+x$.",
    "Die Antwort ist 18 + 1.",
]  # fmt: skip
FIGURES = [
    ("La respuesta es $\\frac{1}{2}$.", "\\frac12", "p"), ("Antwort: 1/2", "\\frac12", "p"), ("Ответ: 1/2", "\\frac12", "p"),
    ("Die Antwort ist 50 %.", "50", "Wie viel Prozent sind das?"), ("Die Antwort ist 50 Prozent.", "50", "Wie viel Prozent?"),
    ("La respuesta es 25%.", "25", "¿Qué porcentaje?"), ("答えは25%です。", "25", "何パーセントですか"),
    ("Ответ: 25 процентов", "25", "Сколько процентов?"),
    ("Die Antwort ist 5 Millionen Dollar.", "5000000", "p"), ("答案是5万元。", "50000", "p"), ("Ответ: 5 тысяч рублей.",
    "5000", "p"),
    ("La respuesta es 2,5 millones.", "2500000", "p"), ("La respuesta es $-4$.", "-4", "p"), ("Die Antwort ist -4.", "-4", "p"),
]  # fmt: skip


def check(responses: list[str], reference: str, score: float) -> None:
    assert [response for response in responses if grade(response, reference) != score] == []


def test_a_letter_is_read_after_the_marks_of_every_language() -> None:
    check(LETTERS, "B", 1.0)


def test_a_letter_that_is_hedged_denied_rivalled_or_somebody_elses_earns_nothing() -> None:
    check(NO_LETTERS, "B", 0.0)


def test_what_does_not_touch_the_number_leaves_it_alone() -> None:
    check(EIGHTEEN, "18", 1.0)


def test_what_touches_the_number_or_owns_the_answer_spoils_it() -> None:
    check(NOT_EIGHTEEN, "18", 0.0)


@pytest.mark.parametrize(("response", "reference", "prompt"), FIGURES)
def test_formulas_percent_and_scales_are_read_as_numbers(response: str, reference: str, prompt: str) -> None:
    assert grade(response, reference, prompt) == 1.0
