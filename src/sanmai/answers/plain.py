"""Whether a sentence states its answer plainly: every word around the value is one that is known to leave it what it is.

Ways to doubt, bound, attribute or change a number have no end ("My grandmother swears that", "ends in", "is divisible by"); ways
to state one plainly do. A right answer in words that nobody foresaw earns nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sanmai.answers.unit_names import PER
from sanmai.answers.vocabulary import UNSPACED, words_pattern

_CONCLUDES = re.compile(
    r".*(?:[,;:.，、]\s*(?:und\s+)?(?:also|somit|daher|folglich|así que|por lo tanto|por tanto|entonces|luego|donc|alors|quindi|"
    r"dunque|perciò|portanto|logo|então|dus|daarom|więc|zatem|поэтому|значит|следовательно|отже|тому|dolayısıyla|jadi|maka|vậy|nên|"
    r"所以|因此|故|ดังนั้น|したがって|よって|따라서|그러므로))(?![^\W\d_])"
    r"|.*(?:是对的|是對的|是正确的|正しい)，",
    re.IGNORECASE | re.DOTALL,
)
"""What stands before a conclusion is no part of it: "Se necesitan al menos 17, así que la respuesta es 17"."""
_CLAUSE_END = re.compile(r"[,，、;:：]")
_FORMULA = re.compile(r"\$[^$\n]*\$|\\\([^\n]*?\\\)|\\\[[^\n]*?\\\]|\\[A-Za-z]+|(?<![^\W\d_])[A-Za-z]\s*=")
_WORD = r"[^\W\d_][\w\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f]*"
_NOUN = re.compile(rf"[\s*_$()€£₹)}}]*(?:টি|টা|জন)?\s*({_WORD})")
_PER = re.compile(rf"\s*(?:/|(?:{'|'.join(map(re.escape, sorted(PER.split(), key=len, reverse=True)))})\s)\s*{_WORD}")
_THAT = re.compile(r"\W*(?:é|es|est|è|ist|is|är|er|adalah)\s+(?:que|dass|che|dat|att|at|bahwa)(?!\w)")
_COUNTERS = {
    "zh": "元 美元 欧元 日元 英镑 块 块钱 角 个 個 个人 人 天 小时 小時 分钟 分鐘 秒 岁 歲 页 頁 本 只 隻 条 條 米 "
          "公里 千米 厘米 毫米 英里 英尺 英寸 公斤 千克 克 磅 斤 升 毫升 次 张 張 件 名 位 双 雙 辆 輛 棵 朵 瓶 盒 "
          "袋 箱 颗 顆 支 杯 周 星期 个月 月 年 枚 根 匹 头 頭 架 台 家 场 部 首 份 包 套 层 排 行 步 片 平方米 "
          "立方米 平方厘米 分 度 种 組 组 点 點 篇 把 碗 座 道 题 盏 盆 筐 车",
    "ja": "個 人 本 枚 円 ドル ユーロ セント 時間 分 分間 秒 秒間 日 日間 年 年間 歳 才 冊 匹 頭 回 台 杯 羽 つ か月 "
          "ヶ月 ヵ月 週間 週 メートル キロ キロメートル センチ センチメートル キログラム グラム リットル ページ "
          "ポイント 点 通り 組 セット 箱 袋 足 着 件 軒 階 度 名 問 曲 皿 切れ 平方メートル 元",
    "ko": "개 명 원 달러 유로 센트 엔 시간 분 초 일 년 살 세 권 마리 대 장 번 회 잔 송이 그루 미터 킬로미터 센티미터 "
          "킬로그램 그램 리터 페이지 쪽 점 가지 쌍 상자 봉지 켤레 벌 채 층 주 주일 개월 도 인분 병 조각 문제 위안",
}  # fmt: skip
_COUNTER = {
    code: re.compile(rf"[\s*_]*(?:{'|'.join(sorted(words.split(), key=len, reverse=True))})(?!之|数|數)")
    for code, words in _COUNTERS.items()
}
MAX_COUNTED_CHARS = 3
"""Of a Chinese noun behind its counter (个苹果)."""
MAX_THAI_NOUN = 15


_BOUND_WORDS = re.compile(
    r"(?<!\w)(?:al menos|como (?:máximo|mucho|mínimo)|por lo menos|au (?:moins|plus)|almeno|al (?:massimo|più|meno)|"
    r"(?:no|pelo|ao) (?:máximo|menos)|ten minste|niet (?:meer|minder)|nicht (?:mehr|weniger)|inte (?:mer|mindre)|"
    r"не (?:менее|менше|более|меньше|больше|менш|більше|меньш)|nie (?:mniej|więcej)|ne (?:méně|více)|"
    r"không (?:quá|ít hơn|nhiều hơn)|tidak (?:kurang|lebih)|si (?:chini|zaidi))(?!\w)"
    r"|不(?:超过|超過|少于|少於|多于|多於|小于|大于|低于)|を(?:超え|下回ら)ない|ไม่(?:เกิน|น้อยกว่า|ต่ำกว่า|มากกว่า)|"
    r"कम से कम|ज़्यादा से ज़्यादा",
    re.IGNORECASE,
)


def concluded(head: str) -> str:
    """The words before the name of an answer without the bounds of what it is concluded from: "Нужно не менее 17, поэтому"."""
    match = _CONCLUDES.match(head)
    return _BOUND_WORDS.sub(" ", head[: match.end()]) + head[match.end() :] if match else head


def own_clause(head: str) -> str:
    """What of the words before the name of an answer belongs to the clause that names it."""
    return _clauses(head)[-1]


def is_plain(codes: Iterable[str], head: str, before: str, between: str, after: str, *, is_colon: bool) -> bool:
    """Whether every word of the sentence "head NAME before VALUE between VALUE after" is known to leave its value what it is.

    Args:
        codes: the languages that it may be in.
        is_colon: the name and a colon come first; a whole short sentence may follow ("Antwort: Sie kann 18 Äpfel kaufen").
    """
    codes = tuple(codes)
    is_sentence = is_colon or _THAT.match(before) is not None
    return (
        _is_led_up_to(codes, head)
        and _is_named(codes, before, is_sentence)
        and not _left(codes, between, states=True)
        and _is_counted(codes, after, is_sentence)
    )


def _clauses(head: str) -> list[str]:
    match = _CONCLUDES.match(head)
    return _CLAUSE_END.split(head[match.end() :] if match else head)


def _left(codes: tuple[str, ...], text: str, *, states: bool = False, kind: str = "known") -> list[str]:
    """The words of a text that are not known."""
    text = _FORMULA.sub(" ", text)
    text = words_pattern(kind, codes).sub(" ", text)
    if states:
        text = words_pattern("states", codes).sub(" ", text)
    return re.findall(_WORD, text)


def _is_led_up_to(codes: tuple[str, ...], head: str) -> bool:
    """Whether the clause with the name holds known words only, and each clause before it too, or numbers that are worked with."""
    *earlier, last = _clauses(head)
    return not _left(codes, last, kind="leads") and all(
        re.search(r"\d", clause) or not _left(codes, clause, kind="leads") for clause in earlier
    )


def _is_named(codes: tuple[str, ...], before: str, is_sentence: bool) -> bool:
    left = _left(codes, before)
    if not left:
        return True
    if is_sentence and words_pattern("states", codes).search(before):
        return len(_left(codes, before, states=True)) <= 1
    is_noun_first = "sw" in codes and re.search(rf"(?:\bni|:)\s+{re.escape(left[0])}\W*$", before) is not None
    return len(left) == 1 and is_noun_first


def _is_counted(codes: tuple[str, ...], after: str, is_sentence: bool) -> bool:
    """Whether known words follow, or one other right behind the value: a unit, or what is counted, perhaps "per" another."""
    if not _left(codes, after, states=is_sentence):
        return True
    for code in set(codes) & set(_COUNTER):
        counter = _COUNTER[code].match(after)
        if counter is None:
            continue
        left = _left(codes, after[counter.end() :], states=is_sentence)
        if sum(map(len, left)) <= (MAX_COUNTED_CHARS if code == "zh" else 0):
            return True
    if set(codes) & UNSPACED:
        left = _left(codes, after, states=is_sentence)
        return "th" in codes and sum(map(len, left)) <= MAX_THAI_NOUN
    position = 0
    for _ in range(3 if "vi" in codes else 1):
        noun = _NOUN.match(after, position)
        if noun is None:
            return False
        position = noun.end()
        per = _PER.match(after, position)
        if len(_left(codes, after[per.end() if per else position :], states=is_sentence)) <= is_sentence:
            return True
    return False
