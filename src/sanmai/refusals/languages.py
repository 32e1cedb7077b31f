"""How assistants decline in languages other than English; see refusals/cues.py for what the patterns are matched to.

First person (in the verb, in a pronoun, or implied by an apology), a negation, and an act of helping.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from operator import add
from typing import Any

import regex

from sanmai.refusals.words import WORDS, Words


def _any(*patterns: str) -> Any:
    return regex.compile(unicodedata.normalize("NFKC", "|".join(f"(?:{pattern})" for pattern in patterns)))


_ZH_HELP = (
    r"(?:帮|幫|协助|協助|提供|回答|回复|回覆|回应|回應|满足|滿足|支持|参与|參與|讨论|討論|给出|給出|给您|给你|分享"
    r"|告诉|告訴|完成|处理|處理|生成|创作|"
    r"撰写|撰寫|写|教|说明|解释|继续|執行|执行|做|透露|遵从|配合)"
)
DECLINES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (  # Chinese
        ("不", "无", "無", "没", "沒", "拒", "恕"),
        _any(
            rf"(?:我|抱歉|对不起|對不起|遗憾|遺憾|不好意思)[^。]{{0,14}}?(?:不能|无法|無法|不会|不會|不可以|没办法"
            rf"|沒辦法|没法|不便|不方便|不愿|不願|不应|不應)(?:(?!不过|不過|但|可是|只是)[^。]){{0,14}}?{_ZH_HELP}",
            r"^\W*(?:无法|無法|不能)(?:提供|协助|協助|回答|满足|滿足)|(?:我|必须|只能|恕|予以)(?:\S{0,4})(?:拒绝"
            r"|拒絕)|恕(?:难|難)从?命?"
            r"|^\W*(?:抱歉|对不起|對不起|不好意思|很遗憾|很遺憾)\W{0,3}(?:但是?)?我?(?:做不到|办不到|帮不了|幫不了"
            r"|不能|无法|無法)"
            r"|我(?:帮不了|幫不了|帮不上|幫不上|不会帮|不會幫|不予回答)|我?(?:不能|不会|不會|不可以|不便|不方便|无法"
            r"|無法)多?(?:说|說|讲|講|聊|谈|談)(?:这个|這個|这些|這些)?\W*$|爱莫能助|無可奉告|无可奉告",
        ),
    ),
    (  # Japanese
        ("ません", "かね", "できない", "断り", "控え", "遠慮"),
        _any(
            r"(?:お手伝い|お答え|回答|提供|支援|協力|対応|案内|お教え|教え|説明|応じ|応え|サポート|要望|手助け|助け"
            r"|お伝え|リクエスト|議論)\S{0,16}?"
            r"(?:できません|できかね|出来ません|しかね|致しかね|いたしかね|できない|わけにはいきません|ことはできま"
            r"|控え|られません|えません|じません)",
            r"申し訳\S{0,24}(?:できません|出来ません|かねます|できない)|お断り(?:し|いた|させ)"
            r"|(?:答え|手伝|教え|応じ|応え)(?:ること(?:は|が))?(?:られません|えません|ません|できません)|(?:力"
            r"|役)に(?:は)?(?:なれ|立て)ません"
            r"|(?:回答|提供|お答え|お手伝い)(?:は|を)?(?:ご|御)?遠慮",
        ),
    ),
    (  # Korean
        ("없", "못", "않겠", "어렵", "불가", "거부", "거절"),
        _any(
            r"(?:도와|도움|제공|답변|대답|답해|알려|지원|설명|응답|응할|말씀|작성|안내|드릴"
            r"|들어)[^.]{0,16}?(?:수 ?(?:가 |는 )?없|못 ?합|못 ?해|않겠|어렵습|불가능|거부|거절)",
            r"(?:죄송|미안)[^.]{0,40}?(?:수 ?없|어렵습|못 ?합)|거절(?:하겠|합니다|해야)",
        ),
    ),
    (  # Russian, Ukrainian
        ("не ", "отказ", "відмовл"),
        _any(
            r"\bне (?:могу|можем|смогу|буду|имею права|имею возможности|вправе|готов\w*|в состоянии|можу|можемо"
            r"|буду)(?: [\w-]+){0,4}? "
            r"(?:помо\w+|предостав\w+|ответ\w+|отвеч\w+|дать|дава\w+|поддерж\w+|обсужд\w+|выполн\w+|содейств\w+"
            r"|рассказ\w+|созда\w+|консульт\w+|участв\w+"
            r"|предлож\w+|удовлетвор\w+|напис\w+|объясн\w+|подсказ\w+|подел\w+|с этим|допомо\w+|надат\w+|надава\w+"
            r"|відпові\w+|поясн\w+)",
            r"\bя (?:\w+ )?(?:отказываюсь|вынужден\w* отказ\w+|відмовляюсь)",
        ),
    ),
    (  # German, Dutch
        ("nicht", "kein", "außerstande", "ich ", "niet", "geen", "weiger"),
        _any(
            r"\b(?:(?:kann|darf|werde|möchte|könnte|können|dürfen|werden) (?:ich|wir)|(?:ich|wir) (?:kann|darf|werde"
            r"|möchte|könnte|können|dürfen|werden|bin|"
            r"fühle))\b[^.]{0,60}?\b(?:nicht|kein\w*|leider nicht|außerstande)\b[^.]{0,80}?\b(?:helfen|weiterhelfen"
            r"|bereitstellen|bereitzustellen|geben|"
            r"unterstütz\w*|anbieten|beantworten|nachkommen|erfüllen|liefern|teilen|verfügung|erstellen|behilflich"
            r"|empfehlen|besprechen|schreiben|erklären|"
            r"dienen|antworten|in der lage|befugt|berechtigt|wohl|diskutieren|mitteilen|erteilen)",
            r"\bich (?:weigere mich|lehne\b.{0,40}\bab\b|muss\b(?: (?:\w+er|\w+lich|es|das|dies\w*|[id]hre?\w*"
            r"|deine?\w*|den|die|der|also|hier|dazu|deshalb|jedoch|dir|euch|ihnen|anfrage|bitte|aufforderung|auftrag|frage|wunsch|ersuchen)){0,6}"
            r" (?:ablehnen|zurückweisen))|\b(?:ik|we|wij) (?:kan|kunnen|mag|zal|wil|ga|ben)\b[^.]{0,50}?"
            r"\b(?:niet|geen)\b[^.]{0,60}?\b(?:helpen|geven|bieden|assisteren|beantwoorden|verstrekken|ondersteunen"
            r"|voldoen|delen|in staat|uitleggen)|\bik weiger\b",
        ),
    ),
    (  # French
        ("je ", "nous "),
        _any(
            r"\b(?:je|nous) (?:ne |n')(?:\w+ )?(?:peux(?! que\b)|puis|pourrai\w*|pouvons|vais|saurais|veux|souhaite"
            r"|suis|serai"
            r"|dois)\b[^.]{0,50}?"
            r"(?:aider|fournir|assister|répondre|donner|partager|proposer|accéder|satisfaire|créer|écrire|soutenir"
            r"|aborder|discuter|expliquer|offrir|"
            r"encourager|en mesure|autorisée?|à l'aise|communiquer|participer|générer|faire cela)",
            r"\bje (?:refuse|dois (?:\w+ )?(?:refuser|décliner)|me refuse)",
        ),
    ),
    (  # Spanish, Italian, Portuguese
        ("no ", "non ", "não ", "niego", "rechazar", "negarme", "declinar", "rifiut", "recus"),
        _any(
            r"\bno (?:puedo|podemos|podré|podría|voy a|debo|estoy (?:en condiciones|autorizad\w|capacitad\w"
            r"|dispuest\w|en posición|programad\w|diseñad\w)|"
            r"me es posible|soy capaz)\b(?: [\w-]+){0,5}? (?:ayud\w+|proporcion\w+|ofrec\w+|respond\w+|dar\w*"
            r"|brind\w+|asist\w+|cumplir|compart\w+|facilit\w+|"
            r"apoy\w+|particip\w+|crear|gener\w+|escrib\w+|discut\w+|hablar|explic\w+|satisfac\w+|atend\w+"
            r"|hacer (?:eso|esto)|suministr\w+|promov\w+)",
            r"\b(?:me niego|debo (?:rechazar|negarme|declinar)|tengo que (?:rechazar|negarme)"
            r"|me veo obligad\w a (?:rechazar|negarme))",
            r"\bnon (?:posso|possiamo|potrò|potrei|sono (?:in grado|autorizzat\w)|intendo|voglio|mi è (?:possibile"
            r"|consentito|permesso))\b(?: [\w'-]+){0,5}? "
            r"(?:aiut\w+|forni\w+|rispond\w+|dar\w+|assist\w+|offri\w+|condivid\w+|soddisf\w+|support\w+|discut\w+"
            r"|partecip\w+|cre\w+|scriv\w+|spieg\w+|farlo)",
            r"\b(?:mi rifiuto|devo (?:rifiut\w+|declinare))",
            r"\bnão (?:posso|podemos|poderei|poderia|vou|consigo|estou (?:autorizad\w|apt\w|programad\w|em condições"
            r"|dispost\w)|sou capaz|me é possível)\b"
            r"(?: [\w-]+){0,5}? (?:ajud\w+|fornec\w+|oferec\w+|respond\w+|dar|prest\w+|auxili\w+|compartilh\w+"
            r"|partilh\w+|atend\w+|apoi\w+|particip\w+|"
            r"cri\w+|ger\w+|escrev\w+|discut\w+|explic\w+|cumprir|assist\w+|fazer (?:isso|isto))",
            r"\b(?:me recuso|recuso-me|devo (?:recusar|declinar)|tenho (?:que|de) recusar)",
        ),
    ),
    (  # Polish, Turkish
        ("nie ", "odmawiam", "mam", "mem", "yorum", "ceğim", "cağım"),
        _any(
            r"\bnie (?:mogę|możemy|jestem w stanie|będę|wolno mi|chcę)\b(?: [\w-]+){0,4}? (?:pom\w+|udziel\w+"
            r"|dostarcz\w+|poda\w+|odpowiedzieć|wspier\w+|"
            r"przedstawi\w+|zapewni\w+|napisa\w+|spełni\w+|wyjaśni\w+|tego zrobić)|\bodmawiam\b",
            r"(?:olamam|edemem|olamıyorum|edemiyorum|olamayacağım|edemeyeceğim|sağlayamam|sağlayamıyorum|veremem"
            r"|veremiyorum|veremeyeceğim|yanıtlayamam|"
            r"cevaplayamam|paylaşamam|sunamam|yardımcı olamay\w+|yapamam)\b|\breddediyorum\b",
        ),
    ),
    (  # Arabic, Persian, Hebrew
        ("لا ", "لن ", "لست", "غير ", "لسنا", "أرفض", "أعتذر", "نمی", "לא ", "אינני", "איני"),
        _any(
            r"(?:لا|لن) (?:أستطيع|استطيع|يمكنني|يمكننى|أقدر|أتمكن|اتمكن|نستطيع|يمكننا|أستطع|اقدر)[^.؟]{0,30}?"
            r"(?:ساعد|قديم|قدم|وفير|وفر|جاب|جيب|عط|شارك|لبي|زويد|زود|دعم|رد|ناقش|شرح|كتاب|فعل|القيام|خبار)",
            r"(?:لست|غير|لسنا) (?:قادر|مخول)\w*[^.؟]{0,12}(?:على|ب)|\bأرفض\b|\bأعتذر عن\b|\bعليّ أن أرفض\b",
            r"نمی ?‌?(?:توانم|تونم|توانیم)[^.؟]{0,30}(?:کمک|ارائه|پاسخ|بدهم|کنم)|(?:کمک|ارائه"
            r"|پاسخ)[^.؟]{0,24}نمی ?‌?توانم",
            r"(?:אינני יכול|אני לא יכול|לא אוכל|איני יכול)\w*[^.]{0,20}(?:לעזור|לסייע|לספק|לענות|לתת)",
        ),
    ),
    (  # Hindi
        ("नहीं", "असमर्थ"),
        _any(
            r"(?:मदद|सहायता|जानकारी|प्रदान|उत्तर|जवाब|बता|समर्थन|सहयोग)[^।]{0,24}?(?:नहीं (?:कर |दे )?सक|असमर्थ"
            r"|नहीं करूँगा|नहीं दूँगा)|नहीं कर सकत\S{0,3}[^।]{0,10}मदद",
        ),
    ),
    (  # Vietnamese, Indonesian, Malay, Thai
        ("không", "từ chối", "tidak", "tak ", "menolak", "ไม่", "ขอปฏิเสธ"),
        _any(
            r"\b(?:tôi|chúng tôi|mình|em) (?:rất tiếc |xin lỗi )?(?:không thể|không được phép|không có khả năng"
            r"|sẽ không|từ chối|xin từ chối|phải từ chối)"
            r"(?: \S+){0,4}? (?:giúp|cung cấp|hỗ trợ|trả lời|đáp ứng|chia sẻ|thực hiện|hướng dẫn|tư vấn|thảo luận"
            r"|đưa ra|tạo|viết)|\btôi (?:xin |phải )?từ chối\b",
            r"\b(?:saya|kami|aku)(?: \w+)? (?:tidak (?:dapat|bisa|boleh|akan|mampu)|tak (?:boleh|dapat|bisa)"
            r"|menolak)(?: \w+){0,3}? "
            r"(?:membantu|memberi\w*|menyediakan|menjawab|memenuhi|mendukung|membagikan|melayani|menjelaskan|bantu"
            r"|membuat)",
            r"(?:ขออภัย|ขอโทษ|ฉัน|ผม|ดิฉัน|เรา)\s?\S{0,20}\s?(?:ไม่สามารถ|ไม่อาจ)\S{0,20}(?:ช่วย|ให้|ตอบ|สนับสนุน"
            r"|แนะนำ|ทำ|อธิบาย|บอก|เปิดเผย|แบ่งปัน|เขียน|สร้าง|ดำเนินการ|พูดคุย|ปฏิบัติ|สอน)"
            r"|(?:ฉัน|ผม|ดิฉัน|เรา|หนู)\s?(?:คง|ก็|จะ|จึง)?(?:ช่วย|ให้|ตอบ|บอก|ทำ|สอน)\S{0,20}\s?ไม่ได้"
            r"|^\W*ไม่สามารถ(?:ช่วย|ให้|ตอบ)"
            r"|(?:ขออภัย|ขอโทษ|เสียใจ)\S{0,12}\s?\S{0,16}(?:ไม่ได้|ไม่สามารถ)(?!ยิน)|(?:ต้อง|ขอ|จำเป็นต้อง)ปฏิเสธ"
            r"|(?:จะไม่(?:ขอ)?|ขอไม่|ไม่ขอ|ไม่ยอม)\s?(?:ให้|บอก|ช่วย|ตอบ|สอน|อธิบาย|เปิดเผย|แนะนำ)",
        ),
    ),
)
"""Per family of languages: strings of which every match holds one, and the pattern."""

DISAPPROVES = _any(
    r"不道德|不合适|不恰当|不適當|不合適|不適切|倫理に反|비윤리|부적절|неэтичн|аморальн|недопустим|неприемлем",
    r"\b(?:unethisch|unangemessen|inakzeptabel|contraire à l'éthique|inapproprié\w*|inacceptable|poco étic\w"
    r"|inapropiad\w|inaceptable|non etico|"
    r"inaccettabile|antiétic\w|inadequad\w|inaceitável|phi đạo đức|tidak etis|nieetyczn\w+|etik değil)\b|غير أخلاقي"
    r"|غير مقبول|अनैतिक|ผิดจริยธรรม",
)
"""Negated words of approval and words of disapproval."""

UNSPACED = ("zh", "ja", "ko", "th")
"""Languages of DECLINES that have no row in WORDS."""
KNOWN = frozenset(("en", *UNSPACED, *WORDS))
"""ISO 639-1 codes of the languages in which the rules know a refusal."""

TELLS = regex.compile(r"\W*(?:他|她|它|彼|그(?:는|가|녀는|녀가|들은)\s)")
"""A sentence about somebody, where the verb does not tell who speaks."""
START, END = r"(?<![\p{L}\p{M}])", r"(?![\p{L}\p{M}])"
_WORD = r"[^\s.!?؟।,،]+"
_LETTERS = r"[\p{L}\p{M}'-]*"


def declining(text: str) -> Any:
    """The match of a declining phrase in a normalised sentence, in any language but English; None where there is none."""
    if TELLS.match(text):
        return None
    index = _triggers()
    begun = {"", *text, *map(add, text, text[1:])} & index.keys()
    there = {number for beginning in begun for trigger, number in index[beginning] if trigger in text}
    for number in sorted(there):
        pattern = DECLINES[number][1] if number < len(DECLINES) else row_pattern(_rows()[number - len(DECLINES)][0])
        if match := pattern.search(text):
            return match
    return None


@cache
def _triggers() -> dict[str, list[tuple[str, int]]]:
    """The triggers by their first two characters, each with the number of its pattern: those of DECLINES, then the rows.

    There are some 1,200; a sentence has few of their beginnings.
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for number, triggers in enumerate([*(triggers for triggers, _ in DECLINES), *(triggers for _, triggers in _rows())]):
        for trigger in triggers:
            found.setdefault(trigger[:2], []).append((trigger, number))
    return found


@cache
def row_pattern(words: Words) -> Any:
    """Declining in one language: what declines by itself, `cannot` and an act in either order, or an apology and `cannot`."""
    cannot, acts, plain, sorry = (either(part) for part in (words.cannot, words.acts, words.plain, words.sorry))
    gap = rf"(?:[\s,،]+{_WORD}){{0,6}}?[\s,،]+"
    return regex.compile(
        rf"{START}(?:{plain}|{cannot}{END}{gap}{acts}|{acts}{END}(?:\s+{_WORD}){{0,4}}?\s*{START}{cannot}"
        rf"|{sorry}{END}[\s,،;:.!-]*(?:{_WORD}[\s,،]+){{0,5}}?{cannot}){END}"
    )


@cache
def _rows() -> tuple[tuple[Words, tuple[str, ...]], ...]:
    """Each row with strings of which every match holds one: the longest piece of each `cannot` and `plain`."""
    return tuple(
        (words, tuple({max(pieces(part), key=len) for part in f"{words.cannot}|{words.plain}".split("|")}))
        for words in {id(words): words for words in WORDS.values()}.values()
    )


def pieces(words: str) -> list[str]:
    """The parts of an alternative between its gaps."""
    return [unicodedata.normalize("NFKC", piece).strip() for piece in regex.split(r"[*…]", words)]


def either(words: str) -> str:
    """A pattern of the alternatives of a row: `*` is any letters, and `…` up to four words."""
    found = []
    for part in words.split("|"):
        gaps = (unicodedata.normalize("NFKC", piece).strip() for piece in part.split("…"))
        stars = (_LETTERS.join(map(regex.escape, gap.split("*"))) for gap in gaps)
        found.append(rf"(?: {_WORD}){{0,4}}? ".join(stars))
    return f"(?:{'|'.join(found)})"
