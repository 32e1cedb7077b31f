"""The names of units, of rates and of opposite directions, in several languages: data for units.py."""

from __future__ import annotations

MEASURES: dict[str, str] = {
    name: names.split()[0]
    for names in (
        "dollar usd buck $ dólar dólares доллар доллара долларов", "cent ¢ céntimo centavo", "penny pence p",
        "euro eur €", "pound lb gbp £", "yen ¥ jpy", "yuan 元 rmb cny", "rupee ₹ inr rs", "peso ₱ php mxn",
        "won ₩ krw", "franc chf", "zloty zł złoty pln złotych", "krona krone kronor kroner kr", "sek", "nok", "dkk",
        "ruble rouble ₽ rub рубль рубля рублей", "real reais r$ brl",
        "aud a$", "cad c$", "hkd hk$", "sgd s$", "nzd nz$", "lira ₺",
        "dong ₫ vnd đ", "baht ฿ thb", "naira ₦ ngn", "hryvnia ₴ uah", "shekel ₪ ils",
        "forint huf", "koruna kč czk", "rand zar", "ringgit rm myr", "rupiah rp idr", "taka ৳ bdt",
        "meter metre m 米 metro mètre метр метра метров м",
        "kilometer kilometre km 公里 千米 kilómetro quilómetro quilômetro kilomètre chilometro chilometri километр "
        "километра километров км",
        "centimeter centimetre cm 厘米 centímetro centimètre centimetro centimetri сантиметр сантиметра сантиметров см",
        "millimeter millimetre mm 毫米", "decimeter decimetre dm", "mile mi milla meile meilen миля мили миль",
        "foot feet ft", "inch inche in", "yard yd", "acre", "hectare ha",
        "gram g 克 gramo gramme gramm грамм г",
        "kilogram kg 千克 公斤 kilogramo kilogramme kilogramm килограмм кг", "milligram mg", "ounce oz", "ton tonne",
        "liter litre l 升 litro литр литра литров л", "milliliter millilitre ml cc", "gallon gal",
        "quart", "pint", "cup", "tablespoon tbsp", "teaspoon tsp",
        "millisecond ms", "second sec s 秒 segundo seconde sekunde sekunden secondo secondi секунда секунду секунды секунд",
        "minute min 分钟 minuto minuten minuut minuti минута минуту минуты минут",
        "hour hr h 小时 hora heure stunde stunden ora ore uur uren час часа часов godzina godzinę godzin",
        "day 天 día dia jour tag tage tagen giorno giorni dag dagen день дня дней dzień dni",
        "week semana semaine woche wochen settimana settimane weken неделя неделю недели недель",
        "month mes meses mois monat monate monaten mese mesi maand maanden месяц месяца месяцев",
        "year yr 年 岁 año ano jahr jahre jahren anno anni jaar год года лет", "decade", "century centurie",
        "degree deg ° grado grad градус градуса градусов", "radian rad", "celsius centigrade", "fahrenheit", "kelvin",
        "newton n", "joule j", "kilojoule kj", "watt w", "kilowatt kw", "volt v", "ampere amp", "ohm", "hertz hz", "pascal pa",
        "jiao 角", "unit", "byte", "kilobyte kb", "megabyte mb", "gigabyte gb",
    )
    for name in names.split()
}  # fmt: skip
COUNTED: dict[str, str] = {
    name: names.split()[0]
    for names in (
        "people person 人", "child children", "man men", "woman women", "mouse mice", "tooth teeth", "fish", "sheep", "egg",
        "个", "只", "颗", "块", "本", "名", "revolution rev", "beat", "knife knives", "leaf leaves", "loaf loaves",
    )
    for name in names.split()
}  # fmt: skip
"""Nouns that are counted, where the singular, or an irregular plural, is met alone."""
THINGS = frozenset(
    # apples, oranges, books, pens, balls, students, children, people, cars, pages, eggs, flowers, trees, marbles, cookies, pieces
    "mele arance libri penne palle palline studenti bambini persone auto uova fiori alberi biscotti pezzi matite fette "  # noqa: SIM905
    "elma portakal kitap kalem top ogrenci insan kisi araba sayfa yumurta tane adet dilim "
    "apel jeruk buku pensil pena bola kelereng siswa anak orang mobil halaman telur bunga pohon kue buah biji ekor "
    "tufaha matufaha machungwa vitabu kalamu mipira wanafunzi watoto watu magari kurasa mayai maua miti vipande "
    "manzanas naranjas libros canicas pelotas alumnos estudiantes personas coches huevos flores galletas piezas "
    "pommes livres billes crayons enfants personnes voitures oeufs fleurs arbres biscuits "
    "laranjas livros bolas alunos pessoas carros ovos "
    "appels boeken ballen leerlingen kinderen mensen eieren bloemen bomen koekjes stuks knikkers "
    "bananen murmeln stifte hefte kinder leute autos eier blumen kekse personen tiere teile stunden "
    "poma pomes bolets epler kuler elever bilar barn omenaa kirjaa jablek knih mere carti copii "
    "mansanas lapis aklat itlog bata tao epal limau guli murid kereta".split()
)
"""Nouns of word problems in languages whose plural an English reader does not know: what they count is no number."""
FUSED = {
    "mph": "mile per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour", "mps": "meter per second",
    "fps": "foot per second", "rpm": "revolution per minute", "bpm": "beat per minute", "mpg": "mile per gallon",
    "km/h": "kilometer per hour", "км/ч": "kilometer per hour", "м/с": "meter per second",
    "hourly": "per hour", "daily": "per day", "weekly": "per week", "monthly": "per month", "yearly": "per year",
    "annually": "per year", "nightly": "per night", "quarterly": "per quarter",
}  # fmt: skip
PER = "per a an each every pro je por al par chaque cada ao ogni all' alla à l' в за на na za i 每"
"""What stands between a unit and what it is counted by: "dollars a day", "Kilometer pro Stunde"."""
CONVERTED = {
    ("cent", "dollar"): 100, ("cent", "euro"): 100, ("cent", "cad"): 100, ("cent", "aud"): 100, ("penny", "pound"): 100,
    ("penny", "dollar"): 100,
}  # fmt: skip
"""How many of the first are one of the second: money that people write in both."""
PARTS = [
    {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800},
    {"month": 1, "year": 12},
    {"inch": 1, "foot": 12, "yard": 36},
    {"ounce": 1, "pound": 16},
    {"cent": 1, "dollar": 100},
    {"cent": 1, "euro": 100},
    {"millimeter": 1, "centimeter": 10, "decimeter": 100, "meter": 1000, "kilometer": 1_000_000},
    {"milligram": 1, "gram": 1000, "kilogram": 1_000_000}, {"milliliter": 1, "liter": 1000},
]
"""Units that one quantity is written in together ("3 hours and 20 minutes"), and their sizes in the smallest."""
OPPOSITES = [
    # Each row: senses that exclude each other, with their words.
    ["north northward northwards", "south southward southwards", "east eastward eastwards", "west westward westwards",
     "northeast", "northwest", "southeast", "southwest"],
    ["left leftward leftwards", "right rightward rightwards"],
    ["older elder", "younger"],
    ["profit gain gained", "loss losses lost lose"],
    ["win won wins", "loss lost lose losses"],
    ["ago earlier", "later hence now"],
    ["before", "after"],
    ["early", "late"],
    ["ahead faster fast", "behind slower slow"],
    ["up upward upwards upstairs uphill", "down downward downwards downstairs downhill"],
    ["above over", "below under beneath"],
    ["more extra additional", "fewer less"],
    ["increase increased rise rose growth markup", "decrease decreased reduction drop fall discount decline markdown"],
    ["clockwise", "counterclockwise counter-clockwise anticlockwise anti-clockwise"],
    ["high tall height", "wide width broad", "long length", "deep depth", "thick thickness"],
    ["taller higher", "shorter lower"], ["longer", "shorter"], ["wider", "narrower"], ["deeper", "shallower"],
    ["hotter warmer", "colder cooler"], ["heavier", "lighter"], ["richer", "poorer"], ["larger bigger greater", "smaller"],
    ["deposit deposited", "withdrawal withdrawn"], ["surplus", "deficit shortage short"], ["credit", "debit debt"],
    ["forward forwards", "backward backwards"], ["inside", "outside"], ["horizontal horizontally", "vertical vertically"],
    ["boys males male", "girls females female"], ["minimum least", "maximum most"], ["first", "last"],
]  # fmt: skip
