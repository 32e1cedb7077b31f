"""How a final answer is said in many languages: data, and the one reader of it.

A mark is a phrase ("die Antwort"); what counts is the one number that its sentence states after it. A word that denies,
asks, hedges or takes back in that language spoils it, and so does a second number: no credit where it is not plain.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sanmai.rewards import units
from sanmai.rewards.answer_changes import is_changed

PHRASES: dict[str, tuple[str, str]] = {
    # language: (phrases that name the answer, words that spoil it), both separated by "|"
    "de": ("antwort|antworten|ergebnis|lösung|endergebnis|gesamtzahl",
           "nicht|kein|keine|keinen|keineswegs|niemals|oder|vielleicht|möglicherweise|wahrscheinlich|falsch|wenn|falls|moment|"
           "warte|entweder|weder|sondern|doch|könnte|dürfte|eigentlich|nein|irrtum|fehler|etwa|ungefähr|außer|hälfte"),
    "es": ("respuesta|resultado|solución|total es",
           "no|ni|nunca|o|u|quizá|quizás|tal vez|probablemente|posiblemente|incorrecta|incorrecto|falso|falsa|si|espera|podría|"
           "puede|sino|perdón|error|equivoqué|casi|tampoco|menos|excepto|mitad|doble"),
    "fr": ("réponse|résultat|la solution",
           "pas|ni|jamais|ou|peut-être|probablement|faux|fausse|incorrect|incorrecte|si|attends|attendez|pourrait|non|erreur|"
           "plutôt|mais|presque|environ|sauf|aucun|moitié|double|aucune|aucunement|nullement"),
    "it": ("risposta|risultato|soluzione",
           "non|né|mai|o|oppure|forse|probabilmente|sbagliata|sbagliato|falso|se|aspetta|potrebbe|errore|anzi|quasi|ma|no|"
           "scusa|metà|doppio"),
    "pt": ("resposta|resultado|solução",
           "não|nem|nunca|ou|talvez|provavelmente|errada|errado|falso|se|espera|espere|poderia|pode|erro|mas|quase|aliás|"
           "metade|dobro"),
    "ca": ("resposta|resultat|solució", "no|ni|o|potser|si|incorrecta|però|error|mai"),
    "ro": ("răspunsul|raspunsul|rezultatul|soluția", "nu|sau|poate|dacă|greșit|probabil|nici|ci|greșeală"),
    "nl": ("antwoord|resultaat|oplossing|uitkomst",
           "niet|geen|nooit|of|misschien|waarschijnlijk|fout|verkeerd|als|wacht|maar|nee|zou|kan|ongeveer|helft"),
    "sv": ("svaret|svar|resultatet", "inte|ej|eller|kanske|om|fel|vänta|men|nej|aldrig|troligen"),
    "no": ("svaret|svar|resultatet", "ikke|eller|kanskje|hvis|feil|vent|men|nei|aldri|trolig"),
    "da": ("svaret|svar|resultatet", "ikke|eller|måske|hvis|forkert|fejl|vent|men|nej|aldrig"),
    "fi": ("vastaus|vastaukseksi|tulos", "ei|eikä|tai|vai|ehkä|jos|väärä|väärin|mutta|odota|en"),
    "pl": ("odpowiedź|odpowiedz|wynik|rozwiązanie",
           "nie|ani|nigdy|lub|albo|może|czy|błędna|błąd|jeśli|jeżeli|czekaj|ale|prawdopodobnie|chyba|lecz|połowa"),
    "cs": ("odpověď|výsledek|řešení", "není|ne|ani|nebo|možná|pokud|špatně|chyba|ale|počkat|asi|nikdy"),
    "hu": ("válasz|eredmény|megoldás", "nem|vagy|talán|ha|hibás|hiba|de|várj|sem|lehet"),
    "tr": ("cevap|cevabı|cevabımız|yanıt|yanıtı|sonuç",
           "değil|değildir|veya|ya da|yahut|belki|muhtemelen|yanlış|yanlıştır|eğer|bekle|ama|olabilir|hayır|hata|galiba|olamaz"),
    "vi": ("đáp án|câu trả lời|kết quả|đáp số|trả lời",
           "không|chẳng|chưa|hoặc|hay|có lẽ|có thể|sai|nếu|khoan|nhưng|nhầm|chắc"),
    "id": ("jawaban|jawabannya|hasil|hasilnya",
           "bukan|bukanlah|tidak|atau|mungkin|barangkali|salah|jika|kalau|tunggu|tapi|tetapi|bisa|tak"),
    "ms": ("jawapan|jawapannya|hasil", "bukan|tidak|atau|mungkin|salah|jika|tunggu|tetapi|tak"),
    "tl": ("sagot|kasagutan", "hindi|o|siguro|baka|mali|kung|pero|teka"),
    "jv": ("jawaban|jawabane|wangsulan|wangsulane", "dudu|ora|utawa|mungkin|salah|menawa|nanging"),
    "sw": ("jibu|majibu", "si|sio|siyo|hapana|au|labda|pengine|huenda|makosa|kosa|ikiwa|kama|subiri|lakini|wala|ama|sivyo"),
    "ru": ("ответ|ответом|ответа|результат|итог|итого",
           "не|ни|нет|или|либо|возможно|вероятно|может|неверно|неверный|неправильный|ошибка|если|подожди|стоп|но|наверное|"
           "неправильно|ошибся|половина|примерно|якобы"),
    "uk": ("відповідь|відповіддю|результат", "не|ні|або|чи|можливо|якщо|неправильно|помилка|але|мабуть"),
    "bg": ("отговорът|отговор|резултатът", "не|нито|или|може|ако|грешно|грешка|но"),
    "el": ("απάντηση|αποτέλεσμα|λύση", "δεν|δε|μην|όχι|ή|ίσως|αν|εάν|λάθος|αλλά|ούτε|μήπως"),
    "ar": ("الإجابة|الاجابة|الجواب|إجابة|جواب|النتيجة|الناتج",
           "ليس|ليست|لا|لم|لن|أو|او|أم|ربما|قد|خطأ|خاطئة|إذا|لو|لكن|انتظر|غير|وليس|وليست"),
    "fa": ("پاسخ|جواب|نتیجه", "نیست|نه|یا|شاید|اگر|اشتباه|غلط|اما|ولی"),
    "ur": ("جواب", "نہیں|نہ|یا|شاید|اگر|غلط|لیکن"),
    "he": ("התשובה|תשובה|התוצאה", "לא|אינה|אינו|או|אולי|אם|שגוי|שגויה|טעות|אבל|איננה"),
    "hi": ("उत्तर|जवाब|परिणाम", "नहीं|न|ना|या|शायद|अगर|यदि|गलत|ग़लत|लेकिन|रुको|संभवतः|सकता"),
    "mr": ("उत्तर", "नाही|किंवा|कदाचित|जर|चुकीचे|पण"),
    "bn": ("উত্তর|উত্তরটি|উত্তরটা|উত্তরঃ|জবাব|ফলাফল", "নয়|নয়|না|নেই|বা|অথবা|কিংবা|হয়তো|হয়তো|সম্ভবত|ভুল|যদি|কিন্তু|নাকি"),
    "te": ("సమాధానం|జవాబు|ఫలితం", "కాదు|లేదు|లేదా|బహుశా|తప్పు|అయితే|కానీ|ఒకవేళ|కావచ్చు"),
    "ta": ("பதில்|விடை", "இல்லை|அல்ல|அல்லது|ஒருவேளை|தவறு|ஆனால்"),
    "th": ("คำตอบ|คําตอบ|ผลลัพธ์", "ไม่|หรือ|อาจ|บางที|ผิด|ถ้า|หาก|แต่|เดี๋ยว|มิใช่"),
    "ko": ("정답|답|답은|답이|정답은|해답|결과",
           "아니|아닙|아닌|않|또는|혹은|이나|아마|틀|만약|잠깐|하지만|수도|거나|없"),
    "ja": ("答え|答|こたえ|解答|回答|正解|結果",
           "ない|ません|ではな|じゃな|または|もしくは|あるいは|か|多分|たぶん|恐らく|おそらく|かも|間違|誤|もし|待|いや|違|しかし|半分"),
    "zh": ("答案|答案是|答", "不|非|或|可能|也许|大概|如果|错|但|等等|還是|还是|没|並|莫"),
}  # fmt: skip
UNSPACED = frozenset({"th", "ko", "ja", "zh"})
"""Written without spaces, or with endings joined on: their words are looked for anywhere."""
ENDINGS = frozenset({"tr", "hu", "fi", "te", "ta", "bn", "hi", "id", "he", "el", "sw"})
"""A phrase may go on with letters ("cevabınız", "సమాధానము")."""
SHARED_SPOILERS = re.compile(r"[?？؟;≠~≈]|\b(?:not|or|maybe|perhaps|wrong|wait|if)\b", re.IGNORECASE)

_END = re.compile(r"[!?;。．।؟！？；\n]|\.(?=\s|$|[*_\"'”’)<])|</answer>")
_VALUE = re.compile(r"[-−]?\d+(?:[.,٫٬'’   ]\d+)*(?:/\d+)?(?:\^\d+)?(?![\w^]*[\^/])")
_NUMBER = re.compile(r"\d+(?:[.,٫٬'’]\d+|[   ]\d{3}(?!\d))*(?:/\d+)?")


def _words(words: str, languages: frozenset[str], language: str, *, is_phrase: bool = False) -> str:
    alternatives = "|".join(re.escape(word) for word in sorted(words.split("|"), key=len, reverse=True))
    if language in UNSPACED:
        return f"(?:{alternatives})"
    end = "" if is_phrase and language in languages else r"(?![^\W\d_]|[\u0900-\u0dff])"
    return rf"(?<![^\W\d_])(?:{alternatives}){end}"


_SPOILED = {code: re.compile(_words(spoil, ENDINGS, code), re.I) for code, (_, spoil) in PHRASES.items()}
_NAMED = {code: re.compile(_words(named, ENDINGS, code, is_phrase=True), re.I) for code, (named, _) in PHRASES.items()}
_ANY = re.compile("|".join(pattern.pattern for pattern in _NAMED.values()), re.IGNORECASE)


_BOLD = re.compile(r"\*\*|__|(?<!\d)\*(?=[-$\d])|(?<=\d)\*(?!\s*\d)")
_ARTICLE = re.compile(r"(?<![^\W\d_])o\s+\Z", re.IGNORECASE)
"""Portuguese for "the", Spanish for "or"."""
MAX_TAIL = 2_000
"""Characters at the end of an answer in which a phrase is looked for."""


def last_said(answer: str) -> str | None:
    """The number, with its unit, that an answer without any other mark states after a phrase; None where none does so plainly.

    Example:
        last_said("Tiene 5 + 6 = 11. La respuesta es 11.") == "11"
    """
    text = answer[-MAX_TAIL:]
    found = list(_ANY.finditer(text))
    stops = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    stated = [(match, said(text, match.start(), match.end(), stop)) for match, stop in zip(found, stops, strict=True)]
    numbers = [(match, spoken) for match, spoken in stated if spoken is not None]
    if not numbers or any(spoken.is_spoiled for _, spoken in numbers) or len({s.value for _, s in numbers}) > 1:
        return None
    match, spoken = numbers[-1]
    return None if rivalled(match[0], text[spoken.end :], spoken.value) else spoken.value + spoken.unit


def denies(before: str) -> bool:
    """Whether what a sentence says before its answer names it in some language and denies it there: "La respuesta no es"."""
    return any(spoils(match[0], before, before[match.end() :]) for match in _ANY.finditer(before))


@dataclass(frozen=True)
class Said:
    """What a sentence states after a phrase: its number as plain digits and its unit, or that it spoils it."""

    value: str
    unit: str
    end: int
    is_spoiled: bool


def said(text: str, start: int, end: int, stop: int) -> Said | None:
    """What the sentence around the phrase text[start:end] states; None when it states no number after it."""
    limit = min(stop, end + 300)
    head_ends = [match.end() for match in _END.finditer(text, max(0, start - 200), start)]
    begin = head_ends[-1] if head_ends else max(0, start - 200)
    finish = _END.search(text, min(end + 1, limit) if text[end : end + 1] == "\n" else end, limit)
    close = finish.start() if finish else limit
    head, rest = text[begin:start], text[end:close]
    head = _ARTICLE.sub("", head)
    spoken = _BOLD.sub(" ", digits(rest))
    spoken = re.sub(r"[-+*/×·÷()\d.,\s$]*\d[\d)\s$]*=\s*(?=[-$]?\d)", " ", spoken)  # 5 + 6 = 11
    numbers = _NUMBER.findall(spoken)
    if not numbers:
        return None
    mark = text[close : close + 1]
    is_spoiled = mark in ("?", "？", "؟", ";") or spoils(text[start:end], f"{head} {text[start:end]} {rest}", rest)
    if len({*numbers}) > 1 or re.search(r"\d\s*[-+*/^×÷]|\\[a-z]|\d\s*%", spoken):
        is_spoiled = True
    languages = [code for code, named in _NAMED.items() if named.search(text[start:end])]
    if is_changed(f"{head} {spoken}", languages):
        is_spoiled = True
    sign = "-" if re.search(rf"(?<![\w–—])[-−]\$?{re.escape(numbers[0])}", spoken) else ""
    unit = units.beside(spoken.partition(numbers[0])[2])
    return Said(sign + plain(numbers[0]), unit, close, is_spoiled)


def spoils(phrase: str, sentence: str, rest: str) -> bool:
    """Whether a sentence that has a phrase holds a word of the phrase's languages that denies, asks or hedges."""
    if SHARED_SPOILERS.search(sentence):
        return True
    for code, named in _NAMED.items():
        if named.search(phrase):
            # Where words are looked for anywhere, only what follows the phrase is looked at, and what denies before it.
            where = rest if code in UNSPACED else sentence
            if _SPOILED[code].search(where):
                return True
    return False


def rivalled(phrase: str, tail: str, value: str) -> bool:
    """Whether what follows the sentence names another number, or takes it back in the phrase's language."""
    numbers = [plain(found) for found in _NUMBER.findall(digits(tail))]
    return any(number != value.lstrip("-") for number in numbers) or (tail.strip() != "" and spoils(phrase, tail, tail))


def digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)


def plain(number: str) -> str:
    """A number with either decimal mark, without the marks between its thousands: 1.234,5 and 1,234.5 are 1234.5."""
    number = re.sub(r"['’٬   ]", "", number).replace("٫", ".")
    if "." in number and "," in number:
        last = max(number.rfind("."), number.rfind(","))
        return re.sub(r"[.,]", "", number[:last]) + "." + number[last + 1 :]
    if re.fullmatch(r"[1-9]\d{0,2}([.,]\d{3})+", number):
        return re.sub(r"[.,]", "", number)
    return number.replace(",", ".")
