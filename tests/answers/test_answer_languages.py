"""The class: a final answer said in the words of any language is as good as a boxed one; hedged or denied it is none."""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem
from shared_data import every, shared_path, shared_rows


def grade(response: str, reference: str = "11", prompt: str = "p") -> float | None:
    problem = Problem("1", ({"role": "user", "content": prompt},), reference, "math")
    return verify_math(problem, parse_trace(response)).score


SAID = {
    "de": ["Die Antwort ist {n}.", "Die Antwort lautet {n}.", "Antwort: {n}", "**Antwort:** {n}", "Das Ergebnis ist {n}.",
           "Das Ergebnis beträgt {n} Euro.", "Die Lösung ist {n}.", "Also ist die Antwort {n}."],
    "es": ["La respuesta es {n}.", "La respuesta final es {n}.", "Respuesta: {n}", "El resultado es {n}.",
           "Por lo tanto, la respuesta es **{n}**.", "La solución es {n}."],
    "fr": ["La réponse est {n}.", "Réponse : {n}", "La réponse finale est {n}.", "Le résultat est {n} dollars.",
           "Donc la réponse est **{n}**."],
    "ru": ["Ответ: {n}", "Ответ — {n}.", "Ответ {n}.", "**Ответ:** {n}", "Итого: {n}", "Результат равен {n}."],
    "ja": ["答えは{n}です。", "答え：{n}", "答えは{n}ドルです。", "正解は{n}です。", "したがって、答えは {n} です。"],
    "zh": ["答案是{n}。", "答案：{n}", "所以答案是 {n}。", "最终答案是{n}美元。"],
    "sw": ["Jibu ni {n}.", "Jibu: {n}", "Jibu la mwisho ni {n}.", "Kwa hivyo jibu ni {n}."],
    "bn": ["উত্তর হল {n}।", "উত্তর: {n}", "উত্তর {n}।", "চূড়ান্ত উত্তর হলো {n}।"],
    "te": ["సమాధానం {n}.", "సమాధానం: {n}", "జవాబు {n}.", "తుది సమాధానం {n}."],
    "th": ["คำตอบคือ {n}", "คำตอบ: {n}", "ดังนั้นคำตอบคือ {n}"],
    "it": ["La risposta è {n}.", "Risposta: {n}", "Il risultato è {n}."],
    "pt": ["A resposta é {n}.", "Resposta: {n}", "O resultado é {n}."],
    "ko": ["정답은 {n}입니다.", "답: {n}", "답은 {n}입니다.", "따라서 정답은 {n}개입니다."],
    "vi": ["Đáp án là {n}.", "Đáp số: {n}", "Câu trả lời là {n}.", "Kết quả là {n}."],
    "hi": ["उत्तर {n} है।", "उत्तर: {n}", "जवाब {n} है।"],
    "ar": ["الإجابة هي {n}.", "الجواب: {n}", "الجواب هو {n}."],
    "tr": ["Cevap {n}.", "Cevap: {n}", "Sonuç {n}'dir.", "Cevap {n} olur."],
    "id": ["Jawabannya adalah {n}.", "Jawaban: {n}", "Hasilnya adalah {n}."],
    "nl": ["Het antwoord is {n}.", "Antwoord: {n}"], "pl": ["Odpowiedź to {n}.", "Odpowiedź: {n}"],
    "cs": ["Odpověď je {n}."], "sv": ["Svaret är {n}."], "el": ["Η απάντηση είναι {n}."], "he": ["התשובה היא {n}."],
    "uk": ["Відповідь: {n}"], "fa": ["پاسخ {n} است."], "ro": ["Răspunsul este {n}."], "hu": ["A válasz {n}."],
}  # fmt: skip
SPOILED = [
    "La respuesta no es 11.", "Die Antwort ist nicht 11.", "Die Antwort ist 11 oder 12.", "La réponse n'est pas 11.",
    "La réponse est peut-être 11.", "Ответ не 11.", "Ответ: 11 или 12", "答えは11ではありません。", "答えは11か12です。",
    "答案不是11。", "答案可能是11。", "Jibu si 11.", "Jibu ni 11 au 12.", "উত্তর 11 নয়।", "సమాధానం 11 కాదు.",
    "คำตอบไม่ใช่ 11", "La risposta non è 11.", "정답은 11이 아닙니다.", "Đáp án không phải là 11.", "उत्तर 11 नहीं है।",
    "A resposta não é 11.", "الإجابة ليست 11.", "Cevap 11 değil.", "Jawabannya bukan 11.", "Het antwoord is niet 11.",
    "La respuesta es 11. No, es 12.", "Die Antwort ist 11. Nein, 12.", "¿La respuesta es 11?", "答えは11ですか？",
    "Ist die Antwort 11?", "La respuesta es 11, 12, 13.", "Si la respuesta es 11, entonces ganamos.", "Ответ: 11? Нет.",
    "Die Antwort ist 11. Moment, das ist falsch.", "Cevap 11 veya 12.", "Jawaban: 11 atau 12", "정답은 11 또는 12입니다.",
    "La respuesta no es \\boxed{11}.", "答案是11或12。", "Entweder ist die Antwort 11 oder 12.", "คำตอบคือ 11 หรือ 12",
]  # fmt: skip


@pytest.mark.parametrize("language", SAID)
def test_an_answer_in_native_words_is_as_good_as_a_boxed_one(language: str) -> None:
    missed = [form for form in SAID[language] for n in ("11", "3", "1200") if grade(form.format(n=n), n) != 1.0]
    credited = [form for form in SAID[language] if grade(form.format(n="12")) != 0.0]
    assert not missed and not credited


@pytest.mark.parametrize("language", ["de", "es", "fr", "ru", "ja", "zh", "sw", "bn", "te", "th"])
def test_answers_of_real_questions_in_native_words_are_as_good_as_boxed_ones(language: str) -> None:
    """Some of MGSM's, in its language where the file is there, with the next number as a wrong one."""
    is_there = (shared_path("mgsm") / f"mgsm_{language}.jsonl").exists()
    rows = shared_rows(f"mgsm/mgsm_{language if is_there else 'en'}.jsonl")[:: every(10)]
    for k, row in enumerate(rows):
        form = SAID[language][k % len(SAID[language])]
        answer, question = str(row["answer"]), row["question"]
        assert grade(form.format(n=answer), answer, question) == grade(f"\\boxed{{{answer}}}", answer, question) == 1.0
        assert grade(form.format(n=int(answer) + 1), answer, question) == 0.0


def test_native_digits_and_decimal_marks_are_numbers() -> None:
    for response, reference in [
        ("উত্তর হল ১১।", "11"), ("उत्तर ११ है।", "11"), ("الإجابة هي ١١.", "11"), ("คำตอบคือ ๑๑", "11"),
        ("Die Antwort ist 3,5.", "3.5"), ("Die Antwort ist 1.200.", "1200"), ("Ответ: 1 200", "1200"),
        ("La respuesta es 5 + 6 = 11.", "11"), ("La respuesta es -4.", "-4"),
    ]:  # fmt: skip
        assert grade(response, reference) == 1.0, response


@pytest.mark.parametrize("response", SPOILED)
def test_a_denied_hedged_asked_or_enumerated_answer_earns_nothing_in_any_language(response: str) -> None:
    assert grade(response) == 0.0
