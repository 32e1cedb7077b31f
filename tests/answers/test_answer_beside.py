"""The class: words of any language that touch a box and deny, doubt, suppose, scale or rival it leave no answer there.

The same words elsewhere in the sentence, ordinary words that look like another language's, and an estimate where one is asked
for take nothing away.
"""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem


def grade(response: str, reference: str = "23", prompt: str = "p") -> float | None:
    problem = Problem("1", ({"role": "user", "content": prompt},), reference, "math")
    return verify_math(problem, parse_trace(response)).score


SPOILED = [
    r"Wahrscheinlich \boxed{23}.",
    r"Probablemente \boxed{23}.",
    r"Presque \boxed{23}.",
    r"Forse \boxed{23}.",
    r"Talvez \boxed{23}.",
    r"Misschien \boxed{23}.",
    r"Kanske \boxed{23}.",
    r"Prawdopodobnie \boxed{23}.",
    r"Labda \boxed{23}.",
    r"Ίσως \boxed{23}.",
    r"Можливо, \boxed{23}.",
    r"也许是\boxed{23}。",
    r"おそらく\boxed{23}です。",
    r"대략 \boxed{23}입니다.",
    r"Körülbelül \boxed{23}.",
    r"Nicht \boxed{23}.",
    r"Anna zegt \boxed{23}.",
    r"Аня считает \boxed{23}.",
    r"Anna crede \boxed{23}.",
    r"Falls $y < 2$, dann \boxed{23}.",
    r"Se x > 1, allora \boxed{23}.",
    r"Jeśli x > 1, to \boxed{23}.",
    r"若n<4，则\boxed{23}。",
    r"\boxed{23} ist nicht richtig.",
    r"\boxed{23} est incorrect.",
    r"\boxed{23} is fout.",
    r"\boxed{23} ошибочный ответ.",
    r"\boxed{23}は誤りです。",
    r"\boxed{23} είναι λάθος.",
    r"\boxed{23} oppure 24",
    r"\boxed{23} eller 24",
    r"\boxed{23} lub 24",
    r"\boxed{23} หรือ 24",
    r"\boxed{23} millones",
    r"\boxed{23} Tausend",
    r"\boxed{23} 亿",
    r"\boxed{23} nghìn",
    r"\boxed{23}未満",
    r"Die Antwort ist 23. Ich habe mich geirrt.",
    r"\boxed{23}. Nein, das ist falsch.",
    r"\boxed{23}. Me equivoqué.",
    r"y \le \boxed{23}",
    r"Approximately \boxed{23}.",
    r"\boxed{23} (a placeholder)",
    r"\boxed{23} is twice that.",
    r"\boxed{23} would be right only if n is odd.",
    r"\boxed{23} is only part (b).",
    r"Replace \boxed{23} with 24.",
    r"If our reading of the rules is correct, then the answer is 23.",
]
PLAIN = [
    r"Daher ist \boxed{23} die Antwort.",
    r"لذلك الإجابة \boxed{23}.",
    r"Wenn wir 11 und 12 addieren, erhalten wir \boxed{23}.",
    r"Si sumamos 11 y 12, obtenemos \boxed{23}.",
    r"如果每人3个，那么一共有\boxed{23}个。",
    r"也就是说\boxed{23}。",
    r"Obtém-se \boxed{23}.",
    r"Si ottiene \boxed{23}.",
    r"Le total est de \boxed{23}.",
    r"So the number of dice is \boxed{23}.",
    r"No, the answer is \boxed{23}.",
    r"x no es 5, luego \boxed{23}.",
    r"Das ist falsch, also \boxed{23}.",
    r"Не считая Тома, их \boxed{23}.",
    r"Dus er zijn \boxed{23} appels.",
    r"Der dritte Teil ist \boxed{23}.",
    r"Autrement dit \boxed{23}.",
    r"No es difícil: \boxed{23}.",
    r"Ana tufaha \boxed{23} kwa jumla.",
    r"\boxed{23} ist die Lösung, nicht 24.",
    r"\boxed{23}, no 24.",
    r"\boxed{23} Äpfel, nicht Birnen.",
    r"\boxed{23} min",
    r"\boxed{23}. No olvides las unidades.",
    r"\boxed{23} に間違いない。",
    r"\boxed{23}个，不多不少。",
    r"\boxed{23} o sea veintitrés",
    "\\boxed{23}\n\nErklärung: 24 wäre falsch, weil 11 + 12 nicht 24 ist.",
    r"Da $x > 0$, gilt \boxed{23}.",
    r"n \ge \boxed{23}",
]


@pytest.mark.parametrize("response", SPOILED)
def test_what_touches_a_box_in_any_language_spoils_it(response):
    assert grade(response) == 0.0


@pytest.mark.parametrize("response", PLAIN)
def test_the_same_words_elsewhere_take_nothing_away(response):
    assert grade(response) == 1.0


def test_an_estimate_or_a_bound_is_an_answer_where_one_is_asked_for():
    assert grade(r"Ungefähr \boxed{23}.", prompt="Wie viele sind es ungefähr?") == 1.0
    assert grade(r"x \approx \boxed{23}", prompt="Round to the nearest integer.") == 1.0
    assert grade(r"x \approx \boxed{2.3}", reference="2.3") == 1.0
    assert grade(r"\boxed{23}以上", prompt="最小の数は？") == 1.0


def test_and_is_not_or_between_propositions_and_between_values_of_several_names():
    assert grade(r"\boxed{q \lor r}", r"q \land r") == 0.0
    assert grade(r"\boxed{q \vee r}", r"q \lor r") == 1.0
    assert grade(r"\boxed{a=1 \text{ or } b=4}", "a=1, b=4") == 0.0
    assert grade(r"\boxed{a=1 \text{ and } b=4}", "a=1, b=4") == 1.0
    assert grade(r"\boxed{x=1 \text{ or } x=4}", "1, 4") == 1.0
    assert grade(r"\boxed{A \text{ and } C}", "A, C") == 1.0
