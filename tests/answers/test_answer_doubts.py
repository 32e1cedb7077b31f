"""The class: a sentence that says who says an answer, doubts or hopes it, bounds it or makes another number of it states none."""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

SPOILED = {
    "told or doubted": [
        "Einige behaupten, die Antwort sei 23.", "Ich bezweifle, dass die Antwort 23 ist.",
        "Los alumnos dicen que la respuesta es 23.",
        "Je doute que la réponse soit 23.", "Tutti dicono che la risposta è 23.", "Dizem que a resposta é 23.",
        "Twierdzą, że odpowiedź to 23.", "Учителя утверждают, что ответ 23.", "Кажуть, що відповідь 23.", "有人认为答案是23。",
    ],
    "hoped, or so far": [
        "Ich hoffe, die Antwort ist 23.", "Esperemos que la respuesta sea 23.", "Per ora la risposta è 23.",
        "Até agora a resposta é 23.", "Tot nu toe is het antwoord 23.", "但愿答案是23。", "Semoga hasilnya 23.",
        "La première réponse est 23.", "Pierwszy wynik to 23.",
    ],
    "bound or near": [
        "Die Antwort ist minimal 23.", "La respuesta es a lo sumo 23.", "Odpowiedź to maksymalnie 23.", "Cevap en fazla 23.",
        "Đáp án là tối thiểu 23.", "Het antwoord is nabij 23.", "答案接近23。", "답은 기껏해야 23입니다.",
    ],
    "another number or place": [
        "Die Antwort ist das Produkt von 23.", "La respuesta es la suma de 23.", "La risposta si trova a pagina 23.",
        "Відповідь на сторінці 23.", "答案是23的倒数。", "Jawabannya separuh dari 23.", "La risposta è 23 decimi.",
    ],
    "somebody's": [
        "Die Antwort des Lehrers ist 23.", "La respuesta del profesor es 23.", "Результат студента: 23", "老师的答案：23",
        "Hasil guru: 23", "Jibu la mwalimu ni 23.",
    ],
}  # fmt: skip
PLAIN = [
    "Ohne Zweifel ist die Antwort 23.", "Am ersten Tag waren es 5, am zweiten 18, die Antwort ist 23.",
    "Die Antwort ist 23 Seiten.",
    "Sin duda, la respuesta es 23.", "El valor esperado es 23, la respuesta es 23.", "La réponse est 23 pages.",
    "Кроме того, ответ 23.", "В первый день 5, во второй 18, ответ 23.", "Ответ: 23 книг.", "Крім того, відповідь 23.",
    "34除以2，答案是23。", "她目前有23个苹果，答案是23。", "答案是23页。", "学生有23人，答案是23。", "答えは23ページです。",
    "คำตอบคือ นักเรียน 23 คน", "Đáp án là 23 học sinh.", "Cevap 23 kitap.", "الإجابة هي 23 كتابا.", "Jawabannya 23 buku.",
    "Die Antwort ist 23 Schüler.", "Antwort: Der Lehrer hat 23 Äpfel.", "Creo que la respuesta es 23.", "விடை 23 பக்கங்கள்.",
    "Zunächst addieren wir 5 und 18, also ist die Antwort 23.", "La respuesta de la suma es 23.", "கேள்வியின் விடை 23.",
]  # fmt: skip


def grade(response: str) -> float | None:
    problem = Problem("1", ({"role": "user", "content": "p"},), "23", "math")
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("kind", SPOILED)
def test_what_is_told_doubted_hoped_bounded_or_somebodys_is_no_answer(kind: str) -> None:
    assert [response for response in SPOILED[kind] if grade(response) != 0.0] == []


def test_plain_sentences_with_the_same_words_elsewhere_are_answers() -> None:
    assert [response for response in PLAIN if grade(response) != 1.0] == []


def test_a_unit_in_the_language_of_the_sentence_is_compared_with_that_of_the_reference() -> None:
    def score(response: str, reference: str) -> float | None:
        problem = Problem("1", ({"role": "user", "content": "p"},), reference, "math")
        return verify_math(problem, parse_trace(response)).score

    for response in (
        "答えは23分です。",
        "Jawabannya 23 menit.",
        "उत्तर 23 मिनट है।",
        "Cevap 23 dakika.",
        "คำตอบคือ 23 นาที",
    ):
        assert score(response, "23 minutes") == 1.0, response
        assert score(response, "23") == 1.0, response
    for response in ("答えは23秒です。", "Jawabannya 23 hari.", "उत्तर 23 सेकंड है।", "Cevap 23 hafta.", "คำตอบคือ 23 วัน"):
        assert score(response, "23 minutes") == 0.0, response
