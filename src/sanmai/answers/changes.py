"""Words that make another number, or none, of the number beside them, in many languages: data for answer_phrases.py.

The kinds: a scale (million, dozen), a sign in words (minus), a comparison (more than), an approximation (about), a supposition
(suppose), somebody else's word for it (according to), a multiple or power (twice, squared), a share (percent), a part or
draft of the answer (intermediate, part a), one that is called false.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

CHANGES: dict[str, str] = {
    # language: words that end where they are written, or go on where they end in "+"; separated by "|"
    "de": "halbe|drittel|viertel|zehntel|hundertstel|vermutlich|mutmaßlich|höchstens|wohl|womöglich|"
          "falsch+|teilergebnis+|zwischenergebnis+|teil|teilaufgabe|vorläufig+|unter null|"
          "million+|milliard+|billion+|tausend+|hunderttausend+|dutzend+|"
          "minus|negativ+|größer|kleiner|mehr|weniger|mindestens|"
          "höchstens|über|unter|rund|circa|ca|annähernd|knapp|fast|beinahe|angenommen|nehmen wir an|sagen wir|laut|zufolge|"
          "doppelte+|dreifache+|vierfache+|mal so|hoch|quadrat+|wurzel+|prozent",
    "es": "décimas|décimos|tercios|cuartos|medios|centésimas|quintos|presuntamente|supuestamente|"
          "parcial+|intermedi+|provisional+|falsa+|bajo cero|parte|apartado|"
          "mil|miles|millón|millones|docena+|minus|negativo|más|mayor|"
          "menor|mínimo|máximo|aproximadamente|aproximado|unos|unas|"
          "alrededor|cerca|supongamos|supón|supongo|digamos|según|"
          "triple|cuádruple|veces|elevado|cuadrado|raíz|por ciento|tercio",
    "fr": "dixièmes|quarts|demis|centièmes|cinquièmes|vraisemblablement|apparemment|"
          "intermédiaire+|partiel+|provisoire+|sous zéro|partie|"
          "mille|million|millions|milliard+|douzaine+|moins|négatif|plus de|plus que|supérieur+|inférieur+|au moins|au plus|"
          "maximum|minimum|approximativement|à peu près|autour|supposons|"
          "disons|admettons|selon|d'après|triple|fois|puissance|"
          "carré|racine|pour cent|tiers",
    "it": "decimi|terzi|quarti|mezzi|quinti|presumibilmente|apparentemente|"
          "intermedi+|parzial+|provvisori+|sotto zero|parte|"
          "mila|mille|milione|milioni|miliard+|dozzin+|meno|negativo|più|maggiore|minore|almeno|massimo|minimo|circa|"
          "all'incirca|approssimativamente|intorno|supponiamo|diciamo|secondo|triplo|volte|elevato|quadrato|radice|per cento",
    "pt": "décimos|terços|quartos|meios|quintos|centésimos|supostamente|aparentemente|"
          "intermediári+|parcia+|provisóri+|abaixo de zero|parte|alínea|"
          "mil|milhão|milhões|milhares|bilh+|dúzia+|menos|negativo|mais|maior|menor|mínimo|máximo|aproximadamente|cerca|"
          "suponha+|supondo|digamos|segundo|triplo|vezes|elevado|quadrado|raiz|por cento",
    "ca": "parcia+|intermedi+|part|apartat|"
          "mil|milió|milions|dotzen+|menys|més|major|menor|aproximadament|uns|suposem|segons|doble|triple|per cent",
    "ro": "zecimi|treimi|sferturi|jumătate|probabil|"
          "intermediar+|parțial+|provizori+|partea|punctul|"
          "mii|mie|milion+|miliard+|duzin+|minus|negativ|mai mult|mai puțin|peste|sub|aproximativ|circa|cam|presupunem|"
          "presupunând|conform|dublul|triplul|la sută",
    "nl": "tienden|derden|kwarten|halven|vermoedelijk|"
          "tussenresultaat+|tussentijds+|voorlopig+|gedeeltelijk+|foute|verkeerde|onder nul|deel|"
          "duizend|miljoen+|miljard+|dozijn|min|minus|negatief|meer|"
          "minder|groter|kleiner|minstens|hoogstens|circa|bijna|stel|"
          "volgens|dubbele|drievoudige|keer|macht|kwadraat|wortel|procent",
    "sv": "tiondel+|tredjedel+|troligen|förmodligen|"
          "delresultat+|delsvar+|preliminär+|mellan+|felaktig+|del|"
          "tusen|miljon+|miljard+|dussin|minus|negativt|mer|mindre|större|minst|högst|ungefär|cirka|nästan|anta|antag|enligt|"
          "dubbla|dubbelt|procent",
    "no": "tidel+|tredjedel+|trolig+|"
          "delresultat+|delsvar+|foreløpig+|mellom+|feilaktig+|del|"
          "tusen|million+|milliard+|dusin|minus|negativ|mer|mindre|"
          "større|minst|høyst|omtrent|cirka|nesten|anta|ifølge|dobbelt+|"
          "prosent",
    "da": "tiendedel+|tredjedel+|formentlig|"
          "delresultat+|delsvar+|foreløbig+|mellem+|forkert+|del|"
          "tusind|million+|milliard+|dusin|minus|negativ|mere|mindre|større|mindst|højst|omtrent|cirka|næsten|antag|ifølge|"
          "dobbelt+|procent",
    "fi": "kymmenesos+|kolmasos+|ehkä|"
          "välitulos+|välivaih+|alustav+|osa|osan|"
          "tuhat+|miljoon+|miljard+|tusina+|miinus|negatiiv+|enemmän|"
          "vähemmän|suurempi|pienempi|yli|alle|noin|lähes|oletetaan|"
          "oletetaan|mukaan|kaksinkertai+|prosentti+",
    "pl": "dziesiąt+|trzecich|czwartych|setn+|połów+|zapewne|"
          "pośredni+|częściow+|wstępn+|błędn+|część|części|cząstkow+|"
          "tysiąc+|tysięcy|tysiące|milion+|miliard+|tuzin+|minus|ujemn+|"
          "więcej|mniej|większ+|mniejsz+|ponad|poniżej|około|prawie|"
          "załóżmy|przypuśćmy|według|zdaniem|podwoj+|dwukrotn+|razy|procent",
    "cs": "desetin+|třetin+|čtvrtin+|zřejmě|"
          "mezivýsled+|částečn+|předběžn+|špatn+|část|části|"
          "tisíc+|milion+|miliard+|tucet+|minus|mínus|záporn+|více|"
          "méně|větší|menší|přes|přibližně|okolo|skoro|předpokládejme|"
          "podle|dvojnásob+|krát|procent",
    "hu": "tized+|harmad+|negyed+|talán|"
          "rész+|köztes+|előzetes+|hibás+|téves+|"
          "ezer+|millió+|milliárd+|tucat+|mínusz|negatív|több|kevesebb|nagyobb|kisebb|legalább|legfeljebb|körülbelül|közel|"
          "tegyük fel|szerint|kétszeres+|százalék+",
    "tr": "basamak+|buçuk|yarım|üçte|onda|sanırım|herhalde|"
          "ara|kısmi+|geçici+|yanlış+|şık+|kısım+|"
          "bin|milyon|milyar|düzine|eksi|negatif|fazla|büyük|küçük|"
          "az|çok|yaklaşık|civarında|neredeyse|varsayalım|diyelim|göre|"
          "katı|yüzde|karesi|karekök",
    "vi": "rưỡi|phần mười|phần ba|có lẽ|"
          "trung gian|một phần|tạm thời|sai|câu a|phần a|"
          "nghìn|ngàn|triệu|tỷ|tá|trăm|âm|trừ|hơn|dưới|trên|ít nhất|"
          "nhiều nhất|khoảng|gần|xấp xỉ|giả sử|theo|gấp|lần|bình phương|"
          "phần trăm|căn",
    "id": "setengah|persepuluh|sepertiga|mungkin|"
          "sementara+|sebagian+|antara|bagian|salah+|"
          "ribu|juta|miliar|lusin|ratus|minus|negatif|lebih|kurang|"
          "minimal|maksimal|sekitar|kira-kira|hampir|misalkan|andaikan|"
          "anggap|menurut|kali lipat|persen|kuadrat|akar",
    "ms": "setengah|persepuluh|mungkin|"
          "sementara+|sebahagian+|perantaraan|bahagian|salah+|"
          "ribu|juta|bilion|dozen|ratus|minus|negatif|tolak|lebih|"
          "kurang|kira-kira|hampir|andaikan|menurut|kali ganda|peratus",
    "tl": "pansamantala|bahagi|mali+|"
          "libo|libong|milyon|dosena|minus|negatibo|higit|mas|humigit|halos|ipagpalagay|ayon|doble|porsiyento",
    "jv": "sementara|bagean|salah+|"
          "ewu|yuta|lusin|minus|luwih|kurang|kira-kira|meh|upama|miturut|persen",
    "sw": "muda|sehemu|kati|"
          "elfu|milioni|bilioni|dazeni|mia|hasi|zaidi|chini|pungufu|"
          "angalau|takriban|karibu|tuseme|chukulia|kulingana|mara mbili|"
          "mara tatu|asilimia",
    "ru": "десят+|третьих|четверт+|сотых|половин+|наверное|вероятно|видимо|"
          "промежуточн+|частичн+|предварительн+|неверн+|неправильн+|ошибочн+|ниже нуля|пункт+|часть|части|"
          "тысяч+|миллион+|миллиард+|сот|дюжин+|минус|отрицательн+|более|менее|больше|меньше|свыше|выше|ниже|около|"
          "приблизительно|порядка|почти|допустим|предположим|пусть|согласно|по словам|по мнению|вдвое|втрое|удвоенн+|раза|"
          "процент+|квадрат+|корень",
    "uk": "десят+|третин+|чверт+|сотих|половин+|мабуть|ймовірно|"
          "проміжн+|частков+|попередн+|неправильн+|хибн+|пункт+|частин+|"
          "тисяч+|мільйон+|мільярд+|дюжин+|мінус|від'ємн+|більше|менше|понад|близько|приблизно|майже|припустимо|нехай|згідно|"
          "вдвічі|процент+|відсот+",
    "bg": "десети|трети|половин+|вероятно|"
          "междин+|частич+|предварител+|грешн+|част|"
          "хиляд+|милион+|милиард+|дузин+|минус|повече|по-малко|над|под|около|приблизително|почти|да предположим|според|"
          "двойно|процент+",
    "el": "δέκατα|τρίτα|μισό|μάλλον|ίσως|"
          "ενδιάμεσ+|μερικ+|προσωριν+|λάθος+|μέρος|"
          "χιλιάδ+|εκατομμύρι+|δισεκατομμύρι+|ντουζίν+|μείον|πλην|περισσότερ+|λιγότερ+|πάνω|κάτω|περίπου|σχεδόν|υποθέτ+|"
          "ας υποθέσουμε|σύμφωνα|διπλάσι+|τοις εκατό",
    "ar": "جزئي+|الجزئي+|الجزئية+|مؤقت+|المؤقت+|المرحلي+|المتوسط|الوسيط+|الجزء|الخاطئ+|"
          "ألف|آلاف|ألفا|مليون|ملايين|مليار|دزينة|سالب|ناقص|أكثر|"
          "أقل|أكبر|أصغر|تقريبا|تقريبًا|حوالي|نحو|لنفرض|افترض|نفترض|حسب|"
          "وفقا|ضعف|أضعاف|بالمئة|بالمائة|مربع|جذر",
    "fa": "میانی+|جزئی+|موقت+|بخش+|غلط|"
          "هزار|میلیون|میلیارد|دوجین|منفی|بیش|بیشتر|کمتر|حدود|تقریبا|تقریباً|فرض|طبق|دو برابر|"
          "سه برابر|چهار برابر|پنج برابر|ده برابر|"
          "چند برابر|# برابر|#برابر|درصد",
    "ur": "درمیانی|جزوی|عارضی|حصہ|"
          "ہزار|لاکھ|کروڑ|ملین|درجن|منفی|زیادہ|کم|تقریبا|تقریباً|فرض|مطابق|دگنا|فیصد",
    "he": "ביניים|חלקי+|זמני+|חלק|סעיף|השגוי+|"
          "אלף|אלפים|מיליון|מיליארד|תריסר|מינוס|שלילי|יותר|פחות|בערך|כ-|נניח|לפי|כפול|אחוז+",
    "hi": "मध्यवर्ती|आंशिक|अस्थायी|भाग|गलत|ग़लत|"
          "हज़ार|हजार|लाख|करोड़|करोड|दर्जन|ऋण|ऋणात्मक|माइनस|अधिक|ज़्यादा|ज्यादा|कम|लगभग|करीब|मान लो|मान लीजिए|मानो|अनुसार|"
          "दोगुना|दुगुना|तिगुना|गुना|प्रतिशत|वर्ग",
    "mr": "मध्यवर्ती|आंशिक|भाग|चुकीच+|"
          "हजार|लाख|कोटी|डझन|उणे|जास्त|कमी|सुमारे|अंदाजे|समजा|नुसार|दुप्पट|टक्के",
    "bn": "মধ্যবর্তী|আংশিক|অস্থায়ী|অংশ|ভুল|"
          "হাজার|লাখ|লক্ষ|কোটি|ডজন|ঋণাত্মক|মাইনাস|বেশি|কম|প্রায়|প্রায়|আনুমানিক|ধরা যাক|ধরি|মতে|দ্বিগুণ|তিনগুণ|গুণ|শতাংশ",
    "te": "మధ్యంతర|పాక్షిక|తాత్కాలిక|భాగం|తప్పు|"
          "వేలు|వేల|లక్ష+|కోట్ల+|కోటి|డజను+|మైనస్|ఋణ+|ఎక్కువ|తక్కువ|సుమారు|దాదాపు|అనుకుందాం|ప్రకారం|రెట్టింపు|శాతం",
    "ta": "இடைநிலை|பகுதி|தற்காலிக|தவறான|"
          "ஆயிரம்|லட்சம்|கோடி|டஜன்|மைனஸ்|கழித்தல்|அதிகம்|குறைவு|சுமார்|ஏறக்குறைய|வைத்துக்கொள்வோம்|படி|இரட்டிப்பு|சதவீதம்",
    "th": "ระหว่างทาง|ชั่วคราว|บางส่วน|ส่วนที่|ผิด|"
          "พัน|หมื่น|แสน|ล้าน|โหล|ลบ|มากกว่า|น้อยกว่า|อย่างน้อย|ไม่เกิน|"
          "เกิน|ประมาณ|ราว|เกือบ|สมมติ|สมมุติ|ตามที่|เท่าของ|สองเท่า|ร้อยละ|"
          "เปอร์เซ็นต์|ยกกำลัง|ราก",
    "ko": "중간|부분|임시|오답|틀린|영하|"
          "천|만|억|조|다스|마이너스|음수|이상|이하|미만|초과|넘|보다|약 |"
          "대략|정도|쯤|거의|가정|라고 하자|에 따르면|두 배|2배|세 배|배입|배이|"
          "퍼센트|프로입|제곱|루트",
    "ja": "途中|中間|部分|仮の|誤|間違|偽|氷点下|零下|(1)の|（1）の|一つ目の|最初の|"
          "十|百|千|万|億|兆|ダース|マイナス|負の|以上|以下|未満|超|より|"
          "約|およそ|くらい|ぐらい|ほど|程度|ほぼ|仮に|仮定|とすると|としよう|による|"
          "によれば|倍|パーセント|割|乗|平方|ルート",
    "zh": "中间|中間|部分|暂时|暫時|临时|臨時|错误|錯誤|零下|第一问|第一問|第一步|小题|"
          "十|百|千|万|萬|亿|億|兆|打|负|負|超过|超過|不到|以上|以下|"
          "大于|小于|多于|少于|至少|至多|最多|最少|约|約|左右|近|将近|差不多|假设|假設|"
          "假如|假定|根据书|据说|据他|倍|百分之|平方|立方|根号|次方",
}  # fmt: skip
_GLUED = r"[^\W\d_]"
MARKS = "".join(chr(c) for c in range(0x900, 0xE00) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
"""Vowel signs of the scripts of India: within a word, though Python's \\w does not hold them."""
_UNSPACED = ("th", "ko", "ja", "zh")
_SUPPOSED = frozenset(
    ["仮に", "仮定", "とすると", "としよう", "によれば", "假设", "假設", "假如", "假定",
     "가정", "라고 하자", "에 따르면", "สมมติ", "สมมุติ", "ตามที่", "百分之"]
)  # fmt: skip
_SYMBOLS = re.compile(r"[√∛±≤≥<>≠≈~²³⁴⁵⁶⁷⁸⁹¹⁰ⁿˣ^!‰°]|#\s*[πᴨ]|#[a-zA-Z](?![a-zA-Z])|#\s+[xyznk]\b|#\s*\(?[xyz]\b")
"""Signs, powers and letters beside a number, in every language."""


@cache
def _pattern(language: str) -> re.Pattern[str]:
    parts, begin = [], rf"(?<!{_GLUED})(?<![{MARKS}])"
    for word in sorted(CHANGES[language].split("|"), key=len, reverse=True):
        if language in _UNSPACED:
            parts.append(_beside(word))
        else:
            end = "" if word.endswith("+") else r"(?![^\W\d_]|[\u0900-\u0dff])"
            parts.append(rf"{begin}{re.escape(word.rstrip('+'))}{end}")
    return re.compile("|".join(parts), re.IGNORECASE)


def _beside(word: str) -> str:
    """A word of a language without spaces: beside the number, the nearer the shorter it is; what supposes may stand anywhere."""
    if word in _SUPPOSED:
        return re.escape(word)
    before, after = (2, 0) if len(word.strip()) == 1 else (8, 4)
    return rf"{re.escape(word)}[^#]{{0,{before}}}#|#\s?[^#]{{0,{after}}}{re.escape(word)}"


def is_changed(sentence: str, languages: list[str]) -> bool:
    """Whether a sentence, its number written "#", holds a sign or a word of these languages that makes another of it."""
    return bool(_SYMBOLS.search(sentence)) or any(
        language in CHANGES and _pattern(language).search(sentence) for language in languages
    )
