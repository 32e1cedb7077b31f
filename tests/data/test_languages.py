"""Which language a text is in: scripts, py3langid, codes as data sets write them, languages typed in Latin letters."""

import csv

import pytest

from sanmai.data.languages import language_of, normalise
from shared_data import shared_path, shared_rows

# The class: one plain sentence about sums or everyday things, in each of many languages.
SENTENCES = {
    "en": "Sarah buys three apples and gives two of them to her brother.",
    "de": "Sarah kauft drei Äpfel und gibt ihrem Bruder zwei davon.",
    "fr": "Sarah achète trois pommes et en donne deux à son frère.",
    "es": "Sara compra tres manzanas y le da dos a su hermano.",
    "it": "Sara compra tre mele e ne dà due a suo fratello.",
    "pt": "A Sara compra três maçãs e dá duas ao seu irmão.",
    "nl": "Sara koopt drie appels en geeft er twee aan haar broer.",
    "pl": "Sara kupuje trzy jabłka i daje dwa z nich swojemu bratu.",
    "tr": "Sara üç elma alıyor ve ikisini kardeşine veriyor.",
    "vi": "Sara mua ba quả táo và đưa hai quả cho em trai của mình.",
    "id": "Sara membeli tiga apel dan memberikan dua di antaranya kepada adiknya.",
    "jv": "Sara tuku apel telu lan menehi loro kanggo adhine.",
    "sw": "Sara ananunua matofaa matatu na anampa kaka yake mawili.",
    "sv": "Sara köper tre äpplen och ger två av dem till sin bror.",
    "fi": "Sara ostaa kolme omenaa ja antaa niistä kaksi veljelleen.",
    "hu": "Sára vesz három almát, és kettőt odaad a testvérének.",
    "cs": "Sára koupí tři jablka a dvě z nich dá svému bratrovi.",
    "ro": "Sara cumpără trei mere și îi dă două fratelui ei.",
    "ru": "Сара покупает три яблока и отдаёт два своему брату.",
    "uk": "Сара купує три яблука і віддає два своєму братові.",
    "bg": "Сара купува три ябълки и дава две от тях на брат си.",
    "ar": "تشتري سارة ثلاث تفاحات وتعطي اثنتين منها لأخيها.",
    "fa": "سارا سه سیب می‌خرد و دو تای آن را به برادرش می‌دهد.",
    "ur": "سارہ تین سیب خریدتی ہے اور ان میں سے دو اپنے بھائی کو دیتی ہے۔",
    "hi": "सारा तीन सेब खरीदती है और उनमें से दो अपने भाई को देती है।",
    "mr": "सारा तीन सफरचंद विकत घेते आणि त्यातील दोन आपल्या भावाला देते.",
    "ne": "साराले तीन वटा स्याउ किन्छिन् र तीमध्ये दुई वटा आफ्नो भाइलाई दिन्छिन्।",
    "bn": "সারা তিনটি আপেল কেনে এবং তার ভাইকে দুটি দেয়।",
    "te": "సారా మూడు యాపిల్స్ కొని వాటిలో రెండు తన తమ్ముడికి ఇస్తుంది.",
    "ta": "சாரா மூன்று ஆப்பிள்களை வாங்கி இரண்டை தன் தம்பிக்குக் கொடுக்கிறாள்.",
    "th": "ซาราซื้อแอปเปิลสามลูกและให้น้องชายสองลูก",
    "zh": "萨拉买了三个苹果，给了弟弟两个。",
    "ja": "サラはりんごを三つ買って、弟に二つあげます。",
    "ko": "사라는 사과 세 개를 사서 동생에게 두 개를 줍니다.",
    "el": "Η Σάρα αγοράζει τρία μήλα και δίνει δύο στον αδερφό της.",
    "he": "שרה קונה שלושה תפוחים ונותנת שניים מהם לאחיה.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentences_language_is_told_among_all_and_among_a_few(language):
    assert language_of(SENTENCES[language]) == language
    assert language_of(SENTENCES[language], ["en", "zh", "ar", "ru", "hi", language]) == language


@pytest.mark.parametrize("text", ["", "46", "7 + 8 = 15", "?!", "OK", "x", "Yes.", "John Smith", "$y$"])
def test_what_has_too_few_letters_is_in_no_language(text):
    assert language_of(text) is None
    assert language_of(text, ["bn", "de", "jv"]) is None


def test_letters_of_no_named_language_are_in_none():
    assert language_of(SENTENCES["ru"], ["en", "ar"]) is None
    assert language_of(SENTENCES["ko"], ["ja", "zh"]) is None
    assert language_of("Зовем се Марко и живим у Београду.", ["sr"]) == "sr"


@pytest.mark.parametrize("language", ["de", "en", "es", "fr", "ja", "ru", "zh"])
def test_the_language_of_real_questions_is_told_among_all(language):
    questions = [row["question"] for row in shared_rows(f"mgsm/mgsm_{language}.jsonl")]
    assert sum(language_of(question) == language for question in questions) >= 0.99 * len(questions)


@pytest.mark.parametrize("language", ["en", "zh", "ko", "vi", "it", "ar"])
def test_the_language_of_real_requests_is_told_among_all(language):
    with shared_path("multijail/multijail_dev.csv").open(encoding="utf-8", newline="") as file:
        texts = [row[language] for row in csv.DictReader(file)]
    assert sum(language_of(text) == language for text in texts) >= 0.98 * len(texts)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Do aur teen ka jod paanch hota hai.", "hi"),
        ("Mujhe nahi pata ki jawab kya hai, lekin main koshish karta hoon.", "hi"),
        ("Ami bhalo achi, tumi kemon acho? Dui ar tin jog korle panch hoy.", "bn"),
        ("Privet, menya zovut Ivan i ya zhivu v Moskve.", "ru"),
        ("Watashi wa gakusei desu, kotae wa go desu.", "ja"),
        ("To apotelesma einai pente kai den exoume allo.", "el"),
        ("Ana mish fahim shu el jawab, shukran ya habibi.", "ar"),
    ],
)
def test_a_language_typed_in_latin_letters_is_told_by_its_frequent_words(text, language):
    assert language_of(text) == language and language_of(text, [language, "en"]) == language
    assert language_of(text, ["en", "de"]) != language


@pytest.mark.parametrize(
    ("written", "code"),
    [("en", "en"), ("English", "en"), ("ENGLISH", "en"), (" english ", "en"), ("en-US", "en"), ("en_GB.UTF-8", "en"),
     ("eng", "en"), ("zh_CN", "zh"), ("zh-Hant-TW", "zh"), ("Chinese", "zh"), ("Chinese (Simplified)", "zh"),
     ("Simplified Chinese", "zh"), ("cmn", "zh"), ("zho", "zh"), ("中文", "zh"), ("deu", "de"), ("ger", "de"), ("Deutsch", "de"),
     ("jv", "jv"), ("jav", "jv"), ("Javanese", "jv"), ("kk", "kk"), ("Kazakh", "kk"),
     ("swh", "sw"), ("Kiswahili", "sw"), ("pt-BR", "pt"), ("nb", "nb"),
     ("Bokmål", "nb"), ("iw", "he"), ("fil", "tl"), ("fra_Latn", "fr"), ("日本語", "ja"), ("bn-IN", "bn")],
)  # fmt: skip
def test_a_code_or_a_name_in_any_usual_writing_is_read(written, code):
    assert normalise(written) == code


@pytest.mark.parametrize(
    "written", ["", "python", "xx", "qq", "java", "klingon", "123", "?", "und", "multilingual", "c++"]
)
def test_what_names_no_language_is_none(written):
    assert normalise(written) is None


def test_the_setting_of_the_process_is_left_alone():
    import py3langid

    before = py3langid.classify("Das ist ein ganz einfacher Satz.")[0]
    language_of(SENTENCES["fr"], ["fr", "it"])
    assert before == "de" == py3langid.classify("Das ist ein ganz einfacher Satz.")[0]
