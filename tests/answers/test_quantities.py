"""The classes: kinds of quantity, opposite directions, bounds, other people's answers; none of these earns credit for another."""

from __future__ import annotations

import pytest

from sanmai.answers.units import parse
from sanmai.score.recorded import score


def scores(rows: list[tuple[str, str]], prompt: str = "p") -> list[float | None]:
    given = [{"id": k, "prompt": prompt, "reference": ref, "response": text} for k, (ref, text) in enumerate(rows)]
    return [row["score"] for row in score(given, "math")["rows"]]


def box(text: str) -> str:
    return rf"So \boxed{{{text}}}."


KINDS = [
    # reference | the same quantity | another kind of quantity
    (
        r"5\text{ m}",
        ["5", "5 m", r"5 \text{ meters}", "5 metres", r"5\,\mathrm{m}"],
        [
            r"5\text{ m/s}",
            "5 m/s",
            "5 meters per second",
            r"5\,\mathrm{m\,s^{-1}}",
            "5 m^2",
            r"5\text{ m}^2",
            "5 square metres",
            "5 cubic meters",
            "5 seconds",
            "5 m/s^2",
            "5 metres squared",
            r"5\ \text{m}/\text{s}",
            "5 km",
            "5 kg m",
            "5 per metre",
        ],
    ),
    (
        "60 miles per hour",
        ["60", "60 mph", "60 miles/hour", "60 mi/h", "60 miles an hour", r"60\text{ miles per hour}"],
        [
            "60 miles",
            "60 miles per minute",
            "60 hours",
            "60 miles per day",
            "60 kilometers per hour",
            "60 km/h",
            "60 hours per mile",
        ],
    ),
    (
        "5 m/s",
        [
            r"5\,\mathrm{m\,s^{-1}}",
            r"5\ \text{m s}^{-1}",
            r"5 \text{ m} / \text{s}",
            "5 meters per second",
            "5 m s^{-1}",
        ],
        ["5 m", "5 s", "5 m/s^2", "5 km/h", r"5\,\mathrm{m\,s^{-2}}", "5 m s"],
    ),
    (
        "5 dollars",
        ["$5", "5", "5 USD", "5.00 dollars"],
        [
            "5 per day",
            "5 dollars per hour",
            "$5/hour",
            "5 dollars a week",
            "5 cents",
            "5 percent",
            "5 dollars each week",
            "5 hours",
        ],
    ),
    ("5 days", ["5", "5 days"], ["5 per day", "5 a day", "5 days per week", "5 weeks"]),
    (
        "4 pages a week",
        ["4", "4 pages per week", "4 pages/week", "4 pages each week", "4 pages weekly"],
        ["4 pages a day", "4 pages", "4 weeks", "4 books a week"],
    ),
    (
        r"\$0.50",
        ["50 cents", "50¢", "0.5", "0.50 dollars", "50 \\text{ cents}"],
        ["0.50 cents", "5 cents", "50 dollars", "50"],
    ),
    ("50 cents", ["$0.50", "50", "0.5 dollars"], ["$50", "0.5 cents", "0.50"]),
    (
        r"3 \text{ hours } 20 \text{ minutes}",
        [r"3 \text{ hours and } 20 \text{ minutes}", "3 h 20 min", "200 minutes", "3 hours, 20 minutes"],
        ["3 hours", "20 minutes", "3 hours or 20 minutes", "3 minutes 20 seconds", "3.20 hours", "20 hours 3 minutes"],
    ),
    (
        "5 feet 3 inches",
        ["5 ft 3 in", "63 inches", "5 feet and 3 inches"],
        ["5.3 feet", "5 feet", "53 inches", "5 inches 3 feet"],
    ),
    (r"5\%", ["5", "5%", "0.05"], ["5 percent points", "5 per cent points", "5 percentage points", "5 per day"]),
    ("5 red apples", ["5 apples", "5"], ["5 pears", "5 apples per child"]),
]


@pytest.mark.parametrize(("reference", "same", "other"), KINDS, ids=[row[0] for row in KINDS])
def test_a_unit_of_another_kind_is_wrong_and_another_name_of_it_is_right(reference, same, other):
    rows = [(reference, box(text)) for text in same + other]
    found = dict(zip(same + other, scores(rows), strict=True))
    assert [text for text in same if found[text] != 1.0] == []
    assert [text for text in other if found[text] != 0.0] == []


def test_a_rate_that_the_question_names_may_be_left_away():
    rows = [("18 dollars", box("18 dollars per day")), ("18 dollars per day", box("18 dollars"))]
    assert scores(rows, "How much in dollars does she make every day?") == [1.0, 1.0]
    assert scores(rows, "How much does she make?") == [0.0, 0.0]


SAID = [
    ("5 km", "Die Antwort ist 5 km/h.", 0.0),
    ("5 km", "Die Antwort ist 5 Kilometer pro Stunde.", 0.0),
    ("5 km", "La respuesta es 5 kilómetros por hora.", 0.0),
    ("5 km", "La réponse est 5 km par heure.", 0.0),
    ("5 km", "Ответ: 5 км/ч.", 0.0),
    ("5 km", "Ответ: 5 км в час.", 0.0),
    ("5 km", "La risposta è 5 km all'ora.", 0.0),
    ("5 km", "答案是5公里/小时。", 0.0),
    ("5 km", "Die Antwort ist 5 Meter.", 0.0),
    ("5 days", "La respuesta es 5 horas.", 0.0),
    ("5 km", "Die Antwort ist 5 Kilometer.", 1.0),
    ("5 km", "La respuesta es 5 kilómetros.", 1.0),
    ("5 km", "Ответ: 5 км.", 1.0),
    ("5 km", "答案是5公里。", 1.0),
    ("5 days", "La respuesta es 5 días.", 1.0),
    ("5 km", "Die Antwort ist 5.", 1.0),
    ("5 km", r"\boxed{5} km/h", 0.0),
    ("5 km", r"\boxed{5} \text{ km/h}", 0.0),
    ("5 km", r"$\boxed{5}$ km per hour", 0.0),
    ("5 km", r"\boxed{5} km", 1.0),
    ("5 km", r"$\boxed{5}$ kilometers in all.", 1.0),
    ("5 km", r"\boxed{5} is what we want", 1.0),
]


def test_the_unit_that_stands_in_the_sentence_counts():
    assert [row for row, found in zip(SAID, scores([row[:2] for row in SAID]), strict=True) if found != row[2]] == []


OPPOSED = [
    ("5 miles north", "5 miles south"),
    ("5 miles north", "5 miles northeast"),
    ("5 km east", "5 km west"),
    ("5 steps left", "5 steps right"),
    ("5 years younger", "5 years older"),
    ("5 dollars profit", "5 dollars loss"),
    ("a gain of 5 dollars", "a loss of 5 dollars"),
    ("10 years from now", "10 years ago"),
    ("5 minutes late", "5 minutes early"),
    ("5 floors up", "5 floors down"),
    ("5 more apples", "5 fewer apples"),
    ("5% increase", "5% decrease"),
    ("5 meters above sea level", "5 meters below sea level"),
    ("90 degrees clockwise", "90 degrees counterclockwise"),
    ("5 feet wide", "5 feet high"),
    ("5 cm taller", "5 cm shorter"),
    ("7 AM", "7 PM"),
    ("5 days before", "5 days after"),
    ("5 steps forward", "5 steps backward"),
    ("5 points ahead", "5 points behind"),
    ("30 degrees north of east", "30 degrees east of north"),
    ("5 degrees warmer", "5 degrees colder"),
]


def test_the_opposite_of_what_the_reference_states_is_wrong():
    both = OPPOSED + [(b, a) for a, b in OPPOSED]
    assert [
        pair for pair, found in zip(both, scores([(a, box(b)) for a, b in both]), strict=True) if found == 1.0
    ] == []
    same = [(a, box(a)) for a, _ in OPPOSED]
    assert [pair for pair, found in zip(same, scores(same), strict=True) if found != 1.0] == []


def test_one_side_may_leave_the_direction_away():
    rows = [
        ("5 miles north", box("5 miles")),
        ("5", box(r"5 \text{ more apples}")),
        (r"15\%", box(r"15\%\text{ increase}")),
        ("6", box("6 additional seats")),
        ("5 years", box("5 years older")),
    ]
    assert scores(rows) == [1.0] * len(rows)


def test_below_zero_is_a_sign():
    forms = [
        box(r"5 \text{ degrees below zero}"),
        "The answer is 5 degrees below zero.",
        box("5°C below zero"),
        box("5 degrees Celsius below zero"),
    ]
    assert scores([("5", form) for form in forms]) == [0.0] * len(forms)
    assert scores([("-5", form) for form in forms]) == [1.0] * len(forms)
    assert (
        scores(
            [
                ("5", "Die Antwort ist 5 Grad unter null."),
                ("5", "答案是零下5度。"),
                ("5", "La respuesta es 5 grados bajo cero."),
            ]
        )
        == [0.0] * 3
    )


BOUNDS = [
    r"at least \boxed{5}",
    r"It is at most \boxed{5}.",
    r"no more than \boxed{5}",
    r"Upper bound: \boxed{5}. No exact value.",
    r"The lower bound is \boxed{5}.",
    r"not less than $\boxed{5}$",
    r"up to \boxed{5}",
    r"It exceeds \boxed{5}.",
    r"The answer is below \boxed{5}.",
    r"至少\boxed{5}",
    r"mindestens \boxed{5}",
]


def test_a_bound_is_an_answer_only_where_the_question_asks_for_one():
    rows = [("5", text) for text in BOUNDS]
    assert scores(rows) == [0.0] * len(rows)
    assert scores(rows[:2], "What is the smallest number of socks that she must take?") == [1.0, 1.0]


OTHERS = [
    "According to the textbook, the answer is 5.",
    "Bob's answer is 5.",
    "My friend said the answer is 5.",
    "The trap answer is 5.",
    "Imagine the answer is 5.",
    r"According to Ann, it is \boxed{5}.",
    "The student claims that the answer is 5.",
    "The naive answer is 5.",
    r"Bob's answer is \boxed{5}.",
    r"The book says it is \boxed{5}.",
    "Her answer is 5.",
    "The intermediate result is 5.",
    "If x=2 the answer is 5; otherwise 7",
    r"\boxed{5} is too small, so we need more.",
    r"\boxed{5} \text{ (incorrect)}",
    r"\boxed{5} (rejected)",
    r"\boxed{5} is an upper bound.",
    r"\boxed{5} does not work.",
    r"$\boxed{5}$ is a common mistake.",
    r"\boxed{5}\%",
    r"$\boxed{5}$%",
    "Die Antwort von Teil a ist 5. Teil b ist leider unlösbar.",
    "Le résultat intermédiaire est 5.",
    "El resultado parcial es 5.",
    "Промежуточный результат: 5",
    "途中の答えは5です。",
    "Falsche Antwort: 5",
    "Ara sonuç 5.",
    "Wynik pośredni: 5",
]
OURS = [
    r"Today's answer is \boxed{5}.",
    r"The problem's answer is \boxed{5}.",
    r"That's a total of $\boxed{5}$.",
    r"We said that it is \boxed{5}.",
    "My answer is 5.",
    r"The equation says that it is \boxed{5}.",
    r"\boxed{5} is the answer.",
    r"\boxed{5} (five)",
    r"\boxed{5} is also the sum.",
    r"The region above is \boxed{5}.",
    "Das Ergebnis ist 5.",
    "Ответ: 5",
]


def test_other_peoples_answers_parts_and_rejected_numbers_are_none():
    assert [
        text for text, found in zip(OTHERS, scores([("5", text) for text in OTHERS]), strict=True) if found != 0.0
    ] == []
    assert [
        text for text, found in zip(OURS, scores([("5", text) for text in OURS]), strict=True) if found != 1.0
    ] == []


def test_a_percent_sign_beside_a_box_is_read_as_one_inside():
    rows = [("5", r"\boxed{5}\%"), (r"5\%", r"\boxed{5}\%"), ("0.05", r"\boxed{5}\%")]
    assert scores(rows) == [0.0, 1.0, 1.0] and scores(rows[:1], "What percentage is left?") == [1.0]


@pytest.mark.parametrize(
    "words",
    [
        "is the answer",
        "x",
        "more than",
        "hundred",
        "and a half",
        "points or goals",
        "left",
        "percent points",
        "xy",
        "times",
    ],
)
def test_words_that_are_no_unit(words):
    assert parse(words) is None
