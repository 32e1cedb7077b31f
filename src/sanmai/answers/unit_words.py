"""Units as sentences of many languages write them behind a number, by their English names: data for answers/phrases.py."""

from __future__ import annotations

import re

from sanmai.answers import units

NAMES: dict[str, str] = {
    "hour": "saa|小时|小時|jam|giờ|saat|ชั่วโมง|घंटे|घंटा|घण्टे|ঘণ্টা|ঘন্টা|గంటలు|గంటల|గంట|மணி நேரம்|ساعة|ساعات|ساعت|годин|години|"
            "година|時間|시간|timmar|timer|"
            "godziny|hodin|hodiny|óra",
    "minute": "分钟|分鐘|menit|phút|dakika|นาที|मिनट|মিনিট|నిమిషాలు|నిమిషాల|நிமிடங்கள்|நிமிடம்|دقيقة|دقائق|دقیقه|хвилин|"
            "хвилини|分間|分(?!の)|분|dakika|dakikadır",
    "second": "sekunde|detik|giây|saniye|วินาที|सेकंड|সেকেন্ড|సెకన్లు|வினாடிகள்|ثانية|ثواني|ثانیه|секунди|秒間|秒|초",
    "day": "siku|hari|ngày|gün|วัน|दिन|দিন|రోజులు|రోజుల|நாட்கள்|يوم|يوما|أيام|روز|днів|дні|日間|天|일",
    "week": "wiki|星期|周|minggu|tuần|hafta|สัปดาห์|सप्ताह|हफ्ते|সপ্তাহ|వారాలు|வாரங்கள்|أسبوع|أسابيع|هفته|тижнів|тижні|週間|주일",
    "month": "miezi|个月|個月|bulan|tháng|เดือน|महीने|মাস|నెలలు|மாதங்கள்|شهر|أشهر|місяців|місяці|か月|ヶ月|개월",
    "year": "miaka|ans|année|années|tahun|năm|yıl|ปี|साल|वर्ष|বছর|సంవత్సరాలు|ஆண்டுகள்|سنة|سنوات|років|роки|年間|年|년",
    "kilometer": "公里|千米|キロメートル|킬로미터|กิโลเมตร|किलोमीटर|কিলোমিটার|కిలోమీటర్లు|கிலோமீட்டர்|كيلومتر|کیلومتر|"
            "кілометрів|kilomètres|kilómetros|quilômetros",
    "meter": "米|メートル|미터|เมตร|मीटर|মিটার|మీటర్లు|மீட்டர்|متر|أمتار|метрів",
    "square meter": "平方米|平方メートル|제곱미터|ตารางเมตร|वर्ग मीटर|বর্গমিটার|metros cuadrados|metros quadrados|"
            "mètres carrés|metri quadrati|квадратных метров",
    "kilogram": "公斤|千克|キログラム|キロ(?!メ)|킬로그램|กิโลกรัม|किलोग्राम|কিলোগ্রাম|كيلوغرام|کیلوگرم|кілограмів",
    "yen": "円|엔|เยน", "krw": "원|ウォン", "yuan": "元|块钱|人民元|위안|หยวน|юаней", "dong": "đồng", "baht": "บาท|바트",
    "rupee": "रुपये|रुपए|रुपया|రూపాయలు|రూపాయల|ரூபாய்", "taka": "টাকা", "hryvnia": "гривень|гривні|гривня",
    "dollar": "dola|美元|ドル|달러|ดอลลาร์|डॉलर|ডলার|డాలర్లు|دولار|دولارات|دلار|доларів|долари", "kopek": "копеек|копейки|копійок",
    "cent": "centimes|centavos|centesimi", "lira": "tl|lira", "jiao": "角",
    "gram": "克|グラム|그램", "square centimeter": "平方厘米",
}  # fmt: skip
_NAMED = {word: unit for unit, words in NAMES.items() for word in words.split("|")}
_FREE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")


def _regex(word: str) -> str:
    return word if _FREE.match(word) else rf"{word}(?![^\W\d_]|[\u0900-\u0dff])"


_UNIT = re.compile(
    r"[\s*]*(?:" + "|".join(f"(?:{_regex(word)})" for word in sorted(_NAMED, key=len, reverse=True)) + ")",
    re.IGNORECASE,
)


def local_unit(after: str) -> str:
    r"""The unit that begins a text after a number, as LaTeX: " \text{hour}" for " घंटे है"; "" where it names none."""
    match = _UNIT.match(after)
    if match is None:
        return ""
    said = match[0].strip(" *\t\n").lower()
    unit = next(
        (
            unit
            for word, unit in _NAMED.items()
            if re.fullmatch(_regex(word).split("(?!メ)")[0].split("(?!の)")[0], said, re.I)
        ),
        "",
    )
    return rf" \text{{{unit}}}" if unit else ""


def unit_beside(after: str) -> str:
    r"""The unit that begins a text after a number, in English or any of these languages, as LaTeX; "" where it names none."""
    local = local_unit(after)
    return local if "square" in local else units.beside(after) or local
