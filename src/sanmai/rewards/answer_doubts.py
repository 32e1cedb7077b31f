"""Words of other people, of doubt and hope, of steps and bounds that make a sentence state no final answer, in many languages.

TOLD stands anywhere in the sentence of a named answer: who says, believes, doubts or hopes it ("Algunos dicen que"), or that it
is so only so far or in part ("Bisher"). BESIDE stands between the name and the end of the sentence: a bound ("höchstens"), a
nearness, a function of the number ("ein Vielfaches von"), a place ("auf Seite"). OWNERS are people and books whose answer it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache

TOLD: dict[str, str] = {
    # language: words that end where they are written, or go on where they end in "+"; separated by "|"
    "de": "sagen|sagten|behaupte+|meinte+|schreibt|schrieb+|vermut+|bezweif+|hoff+|wünsch+|niemand|angeblich|"
          "vermeintlich+|bisher+|bislang|vorerst|zunächst|bis jetzt|ohne steuer+|vor steuer+|vor abzug|"
          "vor dem rabatt|für den ersten|für die erste|erste schritt|ersten schritt|alles andere als|alles außer|"
          "fraglich|scheinbar|anscheinend|vorhin|glauben|glaubte+|rate mal|zweifle|zweifeln|zweifelt|zweifelhaft+|"
          r"meinen,?\s+(?:dass|das|die|der)|schüler schreiben|viele schreiben|leute schreiben",
    "es": "dicen|decían|dijeron|cree|creen|creer|creían|piensan|opina+|sostien+|asegura+|afirman|ojalá|"
          "supuestamente|presuntamente|sospech+|hasta ahora|hasta aquí|por ahora|de momento|por el momento|"
          "sin impuestos|antes del descuento|antes de impuestos|primer paso|todo menos|cualquier cosa menos|nadie|"
          "parece|imagino|desearía|quisiera|escriben|dudo|dudamos|dudan|dudoso|dudosa|espero|esperamos|esperan|"
          "esperemos",
    "fr": "disent|pensent|croient|croire|prétend+|affirment|pourvu|supposément|soi-disant|prétendument|soupçonn+|"
          "jusqu'ici|jusqu'à présent|jusque-là|pour l'instant|pour le moment|hors taxe+|avant la remise|tout sauf|"
          "semble|paraît|souhait+|apparemment|on dit|écrivent|je doute|doutons|doutent|douteu+|espère|espèrent|"
          "espérons|personne ne",
    "it": "dicono|dicevano|pensano|credono|sostengono|affermano|magari|presunta+|presumibilmente|sospett+|finora|"
          "per ora|per il momento|fino ad ora|al lordo|senza iva|prima dello sconto|tutt'altro|tutto tranne|"
          "nessuno|sembra|pare|si dice|a quanto pare|scrivono|spero|speriamo|sperano|sperando|dubito|dubitiamo|"
          "dubitano|primo passo",
    "pt": "dizem|diziam|disseram|acham|achava+|acreditam|pensam|crê|creem|sustenta+|afirmam|espero|esperam|"
          "esperamos|oxalá|tomara|supostamente|alegadamente|suspeit+|até agora|até aqui|por enquanto|por ora|"
          "sem impostos|antes do desconto|tudo menos|ninguém|parece|aparentemente|escrevem|duvido|duvidamos|"
          "duvidam|primeiro passo",
    "ca": "diuen|creuen|creu|pensen|tant de bo|suposadament|fins ara|de moment|ningú|sembla|dubto|espero|esperem",
    "ro": "spun|zic|susțin|consideră|sper|speră|sperăm|chipurile|până acum|deocamdată|nimeni|pare|mă îndoiesc",
    "nl": "zeggen|denken|menen|beweren|geloven|schrijven|schrijft|betwijfel+|hoop|hopen|hopelijk|zogenaamd|"
          "vermoed+|sommigen|velen|niemand|tot nu toe|tot dusver|voorlopig|vooralsnog|zonder btw|exclusief|"
          "voor de korting|allesbehalve|alles behalve|lijkt|naar verluidt|blijkbaar|twijfelen|twijfelt|ik twijfel|"
          "eerste stap",
    "sv": "tvivl+|betvivl+|hoppas|förhoppningsvis|tycker|anser|hävdar|skriver|gissar|misstänk+|hittills|"
          "än så länge|verkar|tydligen|allt utom|allt annat än",
    "no": "tviler|håper|forhåpentligvis|synes|hevder|påstår|skriver|gjetter|mistenk+|hittil|foreløpig|"
          "tilsynelatende|alt annet enn",
    "da": "tvivler|håber|forhåbentlig+|synes|hævder|påstår|skriver|gætter|mistænk+|hidtil|indtil videre|"
          "tilsyneladende|alt andet end",
    "fi": "epäil+|toivo+|toivottavasti|sanovat|luulevat|väittävät|uskovat|arvel+|arvaa+|toistaiseksi|tähän asti|"
          "kukaan|ilmeisesti|kaikkea muuta kuin",
    "pl": "mówią|mówi+|twierdzą|sądzą|uważają|myślą|myśli|piszą|pisze|wątpliw+|nadziej+|oby|rzekomo|podobno|"
          "podejrzewa+|niektórzy|wielu|nikt|dotychczas|na razie|jak dotąd|do tej pory|wszystko oprócz|"
          "wszystkie oprócz|wydaje się|bez podatku|przed rabatem|wątpię|wątpimy|wątpią|zgaduję",
    "cs": "říkají|tvrdí|myslí|věří|soudí|píše|píší|pochyb+|doufám|doufáme|doufejme|snad|kéž|údajně|prý|někteří|"
          "mnozí|nikdo|zatím|dosud|prozatím|zdá se|všechno kromě",
    "hu": "mondják|hiszik|gondolj+|állítj+|kétl+|kételk+|remél+|bárcsak|állítólag|eddig|egyelőre|senki|sokan|"
          "néhányan|gyanít+|úgy tűnik",
    "tr": "sanıyor+|sanmıyor+|sanır+|iddia+|şüphe+|kuşku+|umar+|umuyor+|umut+|inşallah|keşke|sözde|güya|şimdiye|"
          "şimdilik|şu ana|kimse|bazıları|dışında|hariç|tahmin+|vergisiz|söylüyor|söyledi|söyler|söyleniyor|"
          "söylüyorlar|düşünüyorlar|inanıyor+|yazıyor|yazmış",
    "vi": "nói|nghĩ|cho rằng|tin rằng|nghi ngờ|ngờ rằng|hy vọng|hi vọng|mong|ước gì|nghe nói|cho đến nay|"
          "cho đến giờ|đến giờ|tạm|mọi người bảo|bảo rằng|viết rằng|đoán|ngoại trừ|tất cả trừ|chưa tính|"
          "trước khi giảm",
    "id": "bilang|berkata|mengatakan|dikatakan|katanya|percaya|yakini|menganggap|menulis|ragu|meragukan|sangsi|"
          "semoga|berharap|harap|mudah-mudahan|konon|sejauh ini|sampai sekarang|sementara ini|kecuali|menduga|"
          "tebak+|sebelum diskon|sebelum pajak|tanpa pajak",
    "ms": "berkata|mengatakan|katanya|percaya|menganggap|menulis|ragu|meragukan|semoga|berharap|harap|konon|"
          "setakat ini|sehingga kini|kecuali|menduga|teka",
    "tl": "sinasabi|sinabi|naniniwala|iniisip|nagdududa|duda|sana|umaasa|diumano|sa ngayon|hanggang ngayon|maliban",
    "jv": "ngomong|kandha|ujare|ngira|percaya|mangu|muga|mugi|pangarep+|nganti saiki|kajaba",
    "sw": "husema|wanasema|walisema|nasema|hudhani|wanadhani|sidhani|anaamini|wanaamini|siamini|ninatumaini|"
          "natumaini|tunatumaini|natumai|tumaini|shaka|nashuku|eti|inasemekana|yasemekana|mpaka sasa|hadi sasa|"
          "kwa sasa|isipokuwa|nakisia|watu wengi|wanafikiri|anafikiri",
    "ru": "говорят|говорил+|сказали|считают|думают|утверждают|пишут|пишет|написал+|верят|сомнева+|сомнительно|"
          "надею+|надеем+|надеют+|хотелось|хотел бы|вряд ли|едва ли|якобы|дескать|мол|будто+|подозрева+|никто|"
          "до сих пор|на данный момент|всё, кроме|все, кроме|все кроме|угада+|кажется|похоже|без налог+|до скидки|"
          r"неправда|предполага+|полагают|полагает|пока ответ|пока что|первый шаг|кроме [A-JА-Е](?!\w)|"
          r"пока[, ]+(?:что|ответ|результат|итог)|пока(?=\W{3})",
    "uk": "кажуть|казали|сказали|вважають|думають|гадають|стверджу+|пишуть|пише|вірять|сумніва+|сумнівно|сподіва+|"
          "хотілося|навряд|нібито|мовляв|начебто|підозрю+|багато хто|дехто|ніхто|поки що|досі|наразі|на думку|"
          "за словами|здається|схоже|неправда|без податк+|до знижки|припуска+|все, крім|усе, крім|всі, крім|"
          r"усі, крім|все крім|усе крім|всі крім|поки(?=\W{3})",
    "bg": "казват|мислят|смятат|твърд+|пишат|вярват|съмнява+|надява+|дано|уж|засега|досега|никой|мнозина|изглежда|"
          "всички освен|всичко освен",
    "el": "λένε|πιστεύουν|νομίζουν|ισχυρίζ+|γράφ+|αμφιβάλλ+|ελπίζ+|μακάρι|δήθεν|υποτίθεται|μέχρι τώρα|"
          "προς το παρόν|κανείς|μερικοί|πολλοί|φαίνεται",
    "ar": "أشك|نشك|يشك|أتمنى|آمل|نأمل|يأمل|أرجو|نرجو|ليت|لعل|يقولون|يظنون|يعتقدون|يعتقد|يزعم|يزعمون|تزعم|زعم|يقال|"
          "البعض|كثيرون|بعضهم|بعض الناس|حتى الآن|لحد الآن|مؤقتا|مبدئيا|ما عدا|عدا|باستثناء|يبدو|برأي|قبل الخصم",
    "fa": "می‌گویند|میگویند|گویند|گفته|گفتند|به گفته|به نظر|گمان|باور|معتقد+|ادعا|شک دارم|تردید|بعید|امید+|کاش|"
          "گویا|ظاهرا|ظاهراً|تاکنون|تا اینجا|تا الان|فعلا|فعلاً|برخی|بعضی|خیلی‌ها|هیچ کس|به عقیده|فکر نمی+|"
          "همه به جز|همه بجز|همه جز",
    "ur": "کہتے|سوچتے|سمجھتے|مانتے|دعوی+|شک|امید|کاش|مبینہ|اب تک|فی الحال|سوائے|لگتا|خیال",
    "he": "אומרים|חושבים|חושב+|מאמינים|מאמין|טוענים|כותב+|מסופקני|מפקפק+|ספק|מקווה|מקווים|הלוואי|כביכול|לכאורה|"
          "עד כה|עד עכשיו|בינתיים|חוץ|מלבד|פרט ל|נראה",
    "hi": "कहते|कहता|कहना|सोचते|सोचता|मानते|मानता|मानना|दावा|लिखते|लिखा|शक|संदेह|संशय|उम्मीद|काश|कथित|अब तक|अभी तक|"
          "फिलहाल|छोड़कर|सिवाय|कुछ लोग|अनुमान|आशा है|आशा करता|आशा करते|आशा करती|ऐसा लगता|लगता है कि",
    "mr": "म्हणतात|म्हणतो|वाटते|मानतात|शंका|आशा|कदाचित|आतापर्यंत|सध्या|सोडून|वगळता",
    "bn": "বলেন|বলে|বলছে|ভাবে|ভাবেন|মনে করেন|মনে হয়|দাবি|সন্দেহ|কথিত|এখন পর্যন্ত|এ পর্যন্ত|আপাতত|ব্যতীত|লোকে|"
          "কেউ কেউ|অনেকে|আশা করি|আশা করছি",
    "te": "అంటారు|అంటాడు|అన్నారు|అనుకుంటా+|చెబుతా+|చెప్పా+|నమ్ము+|సందేహ+|అనుమాన+|ఆశిస్త+|ఇప్పటివరకు|ప్రస్తుతానికి|"
          "తప్ప|కొందరు",
    "ta": "சொல்கிற+|கூறுகிற+|சொன்ன+|நினைக்கிற+|நம்புகிற+|சந்தேக+|என நம்ப+|இதுவரை|தற்போதைக்கு|தவிர|சிலர்|பலர்",
    "th": "บอก|พูดว่า|กล่าวว่า|คิดว่า|เชื่อ|อ้างว่า|สงสัย|หวัง|ขอให้|น่าจะ|คงจะ|คงเป็น|จนถึงตอนนี้|ยกเว้น|นอกจาก|"
          "เดาว่า|บางคน|หลายคน|เขาว่า",
    "ko": "라고 합|라고 하는|라고 해|라고 한|다고 합|다고 하|라고 말|다고 말|라고 생각|라고 주장|라고 믿|라고 나오|"
          "라고 나옵|라고 적|라고 쓰|면 좋겠|기를 바|길 바|바랍|지금까지|"
          "현재까지|아직까지|제외|책에|교과서|추측|의심스|의심하|의심됩",
    "ja": "思え|思って|と思|思い|言われ|言って|と言|言え|言う|という説|書いて|書かれ|書いた|はずが|はずは|といいの|"
          "と良いの|といいな|らしい|そうです|だそう|今のところ|これまで|とりあえず|"
          r"ひとまず|推測|教科書|主張|を願|希望します|希望し|望みます|疑わし|疑って|疑います|以外",
    "zh": "据说|听说|据传|他们说|认为|以为|觉得|怀疑|懷疑|希望|但愿|但願|怎么会|怎么可能|怎麼會|哪里是|难道|難道|"
          "到目前为止|到目前為止|迄今|除了|非[A-J]|传闻|有人说|似乎答案|答案似乎|"
          "好像答案|目前答案|目前的答案|目前为止|截至目前|除[A-J]",
}  # fmt: skip
BESIDE: dict[str, str] = {
    "de": "maximal|minimal|wenigstens|bestenfalls|nahe|nah|dicht|gerade so|vielfache+|teiler|drittel+|viertel+|"
          "fünftel+|sechstel+|achtel+|zehntel+|hundertstel+|seite|gefunden|auf seite|halbe|halben|halber|steht auf|"
          r"steht in|in kapitel|gut\s*#|mal\s*#|(?:summe|produkt|differenz|kehrwert)\s+(?:von|aus)\s*#",
    "es": "a lo sumo|como mucho|como máximo|al menos|por lo menos|ronda|rondan|cercano|cercana|próximo|casi|"
          "múltiplo|divisor|décim+|centésim+|tercios|cuartos|página|está en|y pico|(?:suma|producto|inverso|"
          r"diferencia)\s+de\s*#",
    "fr": "avoisine+|proche|frôle|dépasse|multiple|diviseur|dixième+|centième+|quarts|demis|page|et demi|se trouve|"
          r"près de|à peu près|(?:somme|produit|inverse|différence)\s+de\s*#",
    "it": "vicin+|sfiora|multiplo|divisore|decim+|centesim+|terzi|quarti|pagina|si trova|e mezzo|al massimo|"
          r"per lo meno|(?:somma|prodotto|inverso|differenza)\s+di\s*#",
    "pt": "próxim+|perto|beira|ronda|múltiplo|divisor|décim+|centésim+|terços|quartos|página|está na|e meio|"
          r"no máximo|pelo menos|(?:soma|produto|inverso|diferença)\s+de\s*#",
    "ca": "proper+|múltiple|divisor|pàgina|com a màxim|almenys|i mig",
    "ro": "cel mult|cel puțin|aproape|apropiat|multiplu|divizor|pagina|jumătate|sferturi|treimi",
    "nl": "rond|omstreeks|dichtbij|dicht bij|nabij|hooguit|maximaal|minimaal|ten minste|tenminste|ten hoogste|"
          "op zijn minst|veelvoud|tienden|derden|kwarten|halven|pagina|bladzijde|deler van|(?:som|product|"
          r"omgekeerde|verschil)\s+van\s*#",
    "sv": "högst|minst|nära|omkring|runt|multipel|tiondel+|tredjedel+|och en halv|på sidan|på sida|delare till",
    "no": "høyst|maks|maksimalt|nær|rundt|multiplum|tidel+|tredjedel+|og en halv|på side|deler av",
    "da": "højst|maksimalt|tæt på|omkring|multiplum|divisor|tiendedel+|tredjedel+|og en halv|på side",
    "fi": "enintään|korkeintaan|vähintään|lähellä|noin|kymmenesos+|kolmasos+|sivulla|puolikas+|monikerta+",
    "pl": "przynajmniej|co najmniej|co najwyżej|maksymalnie|minimalnie|bliski+|blisko|niemal|wielokrotno+|"
          "dzielnik+|pierwiast+|odwrotno+|połow+|dziesiąt+|trzecich|czwartych|stronie|i pół|kwadrat liczby|"
          "kwadratem liczby",
    "cs": "nejvýše|nejvíce|alespoň|nejméně|maximálně|blízko|okolo|kolem|násob+|dělitel+|odmocnin+|polovin+|"
          "desetin+|třetin+|a půl|na straně",
    "hu": "legalább|legfeljebb|maximum|közelében|többszörös+|gyök+|fele|tized+|harmad+|és fél|oldalon|osztója",
    "tr": "aşağı yukarı|en fazla|en az|en çok|yakın|kadar|küçüktür|büyüktür|azdır|fazladır|yarısı|yarım|buçuk|"
          "katıdır|katları|böleni|kökü|küpü|onda|sayfada",
    "vi": "tối đa|tối thiểu|ít nhất|không quá|cùng lắm|xấp xỉ|cỡ|tầm|một nửa|nửa|bội|ước|nghịch đảo|rưỡi|phần mười|"
          "phần ba|ở trang|tại trang|nằm ở",
    "id": "paling banyak|paling sedikit|paling tidak|setidaknya|sedikitnya|sebanyak-banyaknya|mendekati|dekat|"
          "kisaran|setengah|separuh|kelipatan|pembagi|kebalikan|sepersepuluh|sepertiga|persepuluh|di halaman|"
          r"pada halaman|faktor dari|kali\s*#",
    "ms": "paling banyak|paling sedikit|sekurang-kurangnya|selebih-lebihnya|menghampiri|dekat|separuh|setengah|"
          "gandaan|di muka surat|faktor bagi",
    "tl": "hindi bababa|hindi hihigit|malapit|kalahati|sa pahina",
    "jv": "paling akeh|paling sithik|cedhak|separo|setengah|tikelan|kaping",
    "sw": "halizidi|haizidi|halipungui|haipungui|si zaidi|kiwango cha juu|nusu|robo|thuluthi|kizidisho|kigawanyo|"
          "ukurasa|na nusu",
    "ru": "близок|близка|близко|близится|не более|не менее|максимум|минимум|от силы|как минимум|кратн+|делител+|"
          "обратн+|половин+|треть+|четверть|четвертей|сотых|сотая|третьих|странице|страницах|стр|с половиной|"
          "с лишним|в степени|десятых|десятая|десятые|десятков|куб числа",
    "uk": "менша|менший|більша|більший|щонайменше|щонайбільше|не більше|не менше|максимум|мінімум|близьк+|наближ+|"
          "кратн+|дільник+|половин+|третин+|чверт+|сотих|сторінці|з половиною|корінь|десятих|десята|квадрат числа|"
          "куб числа",
    "bg": "най-много|най-малко|поне|близо|кратн+|делител+|половин+|и половина|на страница|десети",
    "el": "το πολύ|τουλάχιστον|κοντά|πολλαπλάσι+|διαιρέτ+|μισό|δέκατα|και μισό|στη σελίδα",
    "ar": "على الأقل|على الأكثر|كحد|يقارب|تقارب|قريب|قريبة|قرابة|زهاء|يتجاوز|تتجاوز|لا يقل|لا يزيد|نصف|ثلث|ربع|"
          "مضاعف|مضاعفات|قاسم|مقلوب|الصفحة|ونصف|أعشار|أثلاث|في صفحة",
    "fa": "حداکثر|حداقل|دست کم|دست‌کم|نزدیک|کمابیش|نصف|نیم|نیمه|ثلث|مضرب|مقسوم|ریشه|جذر|معکوس|دهم|در صفحه|صفحهٔ|"
          "مجذور",
    "ur": "زیادہ سے زیادہ|کم از کم|قریب|آدھا|نصف|صفحہ نمبر",
    "he": "לכל היותר|לפחות|לכל הפחות|קרוב+|בסביבות|חצי|מחצית|שליש|רבע|כפולה|מחלק|בעמוד|וחצי|שורש|ריבוע",
    "hi": "अधिकतम|न्यूनतम|कम से कम|आसपास|निकट|क़रीब|आधा|आधे|तिहाई|चौथाई|गुणज|भाजक|वर्गमूल|साढ़े|दसवां|दसवें|दशांश|"
          "पृष्ठ पर|पेज पर|पृष्ठ संख्या|का घन",
    "mr": "जास्तीत जास्त|कमीत कमी|किमान|कमाल|जवळपास|निम्मे|अर्धे",
    "bn": "সর্বোচ্চ|সর্বনিম্ন|সর্বাধিক|কমপক্ষে|অন্তত|কাছাকাছি|অর্ধেক|আধা|সাড়ে|তৃতীয়াংশ|গুণিতক|উৎপাদক|বর্গমূল|"
          "পৃষ্ঠায়|এর বর্গ",
    "te": "గరిష్ఠంగా|గరిష్టంగా|కనీసం|కనిష్ఠంగా|దగ్గరగా|సమీప+|సగం|గుణిజ+|గుణకం|వర్గం|వర్గమూల+|రెండు రెట్లు|రెట్లు|"
          "మూడో వంతు|పేజీలో",
    "ta": "அதிகபட்ச+|குறைந்தபட்ச+|குறைந்தது|கிட்டத்தட்ட|நெருங்க+|பாதி|அரை|மடங்கு|வர்க்க+|மூன்றில்|பக்கத்தில்",
    "th": "อย่างมาก|มากที่สุด|น้อยที่สุด|สูงสุด|ต่ำสุด|ใกล้|ครึ่ง|หนึ่งในสาม|กำลังสอง|กำลังสาม|พหุคูณ|ตัวประกอบ|"
          "ผลรวม|ส่วนสิบ|ที่หน้า|อยู่หน้า|ในหน้า",
    "ko": "최대|최소|적어도|많아야|기껏해야|가깝|가까|안팎|내외|가량|절반|반입|배수|약수|제곱|세제곱|역수|쪽에|쪽입|"
          "페이지에|분의 1|분의 일",
    "ja": "最大|最小|少なくとも|多くても|せいぜい|近い|近く|前後|半分|半です|倍数|約数|二乗|2乗|三乗|逆数|平方|"
          "ページに|ページ目|頁に|分の一|分の1",
    "zh": "两倍|兩倍|倍|一半|倍数|因数|约数|倒数|相反数|平方|立方|次方|平方根|最大|最小|接近|附近|出头|不足|不止|在第|"
          "见第|翻到第|算了|分之一|的倒数",
}  # fmt: skip
OWNERS: dict[str, str] = {
    "de": "schüler+|student+|lehrer+|buchs?|mitschüler+|bruder+|schwester+|klassenkamerad+|autor+|erste+|freund|"
          "freundin|freundes|freunde|bücher",
    "es": "alumn+|estudiante+|profesor+|maestr+|amig+|libro|compañer+|herman+|autor+|niñ+|primer|primera|primero",
    "fr": "élève+|étudiant+|professeur+|prof|ami+|livre|manuel|camarade+|frère|sœur|auteur+|enfant+|premier|"
          "première",
    "it": "student+|alunn+|professor+|insegnant+|amic+|libro|compagn+|fratell+|sorell+|autor+|maestr+|primo|prima",
    "pt": "alun+|estudante+|professor+|amig+|livro|colega+|irmã+|autor+|primeiro|primeira",
    "ca": "alumn+|estudiant+|professor+|amic+|amig+|llibre|primer|primera",
    "ro": "elev+|student+|profesor+|prieten+|cartea|cărții|manual+|primul|prima",
    "nl": "leerling+|student+|leraar+|docent+|vriend+|boek|broer+|zus|klasgeno+|auteur+|jongen|meisje|eerste",
    "sv": "elev+|student+|lärar+|vän|vännens|bok|bokens|kompis+|första",
    "no": "elev+|student+|lærer+|venn+|bok+|første",
    "da": "elev+|student+|lærer+|ven|vens|bog+|første",
    "fi": "oppilaan|opiskelijan|opettajan|ystävän|kirjan|ensimmäi+",
    "pl": "uczni+|ucznia|student+|nauczyciel+|koleg+|kolegi|koleżank+|przyjaciel+|książk+|podręcznik+|brat+|"
          "siostr+|autor+|pierwsz+",
    "cs": "žák+|student+|učitel+|kamarád+|přítel+|knih+|učebnic+|spolužák+|první",
    "hu": "diák+|tanuló+|tanár+|barát+|könyv+|első",
    "tr": "öğrenci+|öğretmen+|arkadaş+|kitab+|kitap+|kardeş+|çocu+|ilk|birinci",
    "vi": "học sinh|sinh viên|giáo viên|thầy|cô giáo|bạn học|bạn tôi|sách|anh ấy|cô ấy|bạn ấy|đầu tiên|thứ nhất",
    "id": "siswa+|murid+|mahasiswa+|guru+|teman+|buku+|kakak|adik|penulis|pertama",
    "ms": "pelajar+|murid+|guru+|kawan+|rakan+|buku+|pertama",
    "tl": "estudyante|mag-aaral|guro|kaibigan|aklat|unang",
    "jv": "siswa+|murid+|guru+|kanca+|buku+|kapisan|sepisan",
    "sw": "mwanafunzi|wanafunzi|mwalimu|rafiki|kitabu|ndugu|mtoto|kwanza",
    "ru": "учени+|студент+|школьник+|учител+|друг|друга|друзей|подруг+|приятел+|одноклассник+|книг+|учебник+|брат+|"
          "сестр+|автор+|преподавател+|перв+",
    "uk": "учня|учнів|учениц+|студент+|школяр+|вчител+|учител+|друга|друзів|подруг+|однокласник+|книг+|підручник+|"
          "брат+|сестр+|автор+|перш+",
    "bg": "учени+|студент+|учител+|приятел+|книг+|учебник+|първ+",
    "el": "μαθητ+|φοιτητ+|δασκάλ+|καθηγητ+|φίλ+|βιβλί+|πρώτ+",
    "ar": "الطالب|الطالبة|الطلاب|التلميذ|التلاميذ|المعلم|المعلمة|الأستاذ|صديق+|الصديق|الكتاب|أخي|زميل+|طالب|المؤلف|"
          "الأول|الأولى|أول",
    "fa": "دانش‌آموز+|دانش آموز+|دانشجو+|معلم+|استاد+|دوست+|کتاب+|همکلاسی+|برادر+|خواهر+|اول|اولین",
    "ur": "طالب علم|استاد|دوست|کتاب|پہلا|پہلی",
    "he": "התלמיד+|תלמיד+|הסטודנט+|המורה|החבר+|הספר|חברי|הראשון|הראשונה|ראשון|ראשונה",
    "hi": "छात्र|छात्रा|विद्यार्थी|शिक्षक|अध्यापक|दोस्त|मित्र|किताब|पुस्तक|भाई|बहन|पहला|पहली",
    "mr": "विद्यार्थ्या+|शिक्षका+|मित्रा+|पुस्तका+|पहिले|पहिला",
    "bn": "ছাত্রের|ছাত্রীর|শিক্ষার্থীর|শিক্ষকের|বন্ধুর|বইয়ের|ভাইয়ের|প্রথম",
    "te": "విద్యార్థి+|ఉపాధ్యాయ+|టీచర్+|స్నేహితు+|పుస్తక+|మొదటి",
    "ta": "மாணவ+|ஆசிரிய+|நண்ப+|புத்தக+|முதல்",
    "th": "นักเรียน|นักศึกษา|ครู|อาจารย์|เพื่อน|หนังสือ|แรก",
    "ko": "학생|선생님|교사|친구|동생|교과서|첫 번째|첫번째|첫째",
    "ja": "学生|生徒|先生|友達|友人|教科書|彼女|第一の|1つ目の|最初の|彼の",
    "zh": "学生|學生|同学|同學|老师|老師|朋友|课本|书上|书中|他的|她的|弟弟|妹妹|哥哥|姐姐|作者|第一个|第一個|首个|"
          "第一步|前一个|上一个|书本|書本",
}  # fmt: skip
_BAR = re.compile(r"\|(?![^(]*\))")
_UNSPACED = frozenset({"th", "ko", "ja", "zh"})
_CONCLUDES = re.compile(
    r".*(?:[,;:.，、]\s*(?:und\s+)?(?:also|somit|daher|folglich|así que|por lo tanto|por tanto|entonces|luego|donc|"
    r"alors|quindi|dunque|perciò|"
    r"portanto|logo|então|dus|daarom|więc|zatem|поэтому|значит|следовательно|отже|тому|dolayısıyla|jadi|maka|vậy|nên|"
    r"所以|因此|故|ดังนั้น|"
    r"したがって|よって|따라서|그러므로))(?![^\W\d_])"
    r"|.*(?:是对的|是對的|是正确的|正しい)，",
    re.IGNORECASE | re.DOTALL,
)
"""What stands before a conclusion is no part of it: "Se necesitan al menos 17, así que la respuesta es 17"."""
_OBTAINED = re.compile(
    r"(?<![\w'’])(?!(?:Ich|Man|Es|Das|Dies|So|Also|Damit|On|Il|Cela|Ceci|Esto|Eso|Se|Lo|Isso|Isto|Dit|To|Это|Я|Мы|"
    r"Це)\b)[A-ZÀ-ÞЀ-Я]"
    r"[^\W\d_]+\s+(?:kam auf|kommt auf|erhielt|erhält|bekam|bekommt|fand|findet|a trouvé|trouve|a obtenu|obtient|"
    r"obtuvo|obtiene|"
    r"encontró|encuentra|halló|ha trovato|trova|ottenne|ottiene|obteve|obtém|encontrou|kreeg|krijgt|vond|vindt|"
    r"otrzymał\w?|dostał\w?|"
    r"получил\w?|получает|наш[её]л|нашла|отримав|отримала|знайшов|знайшла)(?![^\W\d_])"
)


@cache
def _pattern(table: str, code: str) -> re.Pattern[str]:
    words = {"told": TOLD, "beside": BESIDE, "owners": OWNERS}[table].get(code, "")
    parts = []
    for word in sorted(filter(None, _BAR.split(words)), key=len, reverse=True):
        body = word.rstrip("+").replace(" ", r"\s+")
        end = "" if word.endswith("+") or code in _UNSPACED else r"(?![^\W\d_]|[\u0900-\u0dff])"
        parts.append(body if code in _UNSPACED else rf"(?<![^\W\d_])(?<![\u0900-\u0dff]){body}{end}")
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)


def concluded(head: str) -> str:
    """What of the words before the name of an answer belongs to the clause that names it."""
    match = _CONCLUDES.match(head)
    return head[match.end() :] if match else head


def is_doubted(head: str, before: str, after: str, codes: Collection[str]) -> bool:
    """Whether "head NAME before VALUE after" is said by others, doubted, hoped, a step's, or bounds or changes its value."""
    head = concluded(head)
    if "th" in codes:
        head = head[-30:]
    if _OBTAINED.search(head):
        return True
    for code in codes:
        near = f"{before}#" if code in ("zh", "ja") else f"{before}#{after}"
        if _pattern("told", code).search(f"{head} | {before}#{after}") or _pattern("beside", code).search(near):
            return True
        if code in ("zh", "ja") and _pattern("beside", code).search(re.split(r"[，、。,（(]", after)[0][:8]):
            return True
    return False


def is_somebodys(head: str, between: str, codes: Iterable[str]) -> bool:
    """Whether a person or a book stands right before the name of an answer, or between it and its copula: "Ответ ученика"."""
    for code in codes:
        reach = (
            re.split(r"[\s，、,。:：]", head.rstrip())[-1][-8:]
            if code in _UNSPACED
            else " ".join(head.split()[-2:])
            if re.search(r"\w[*_]*\s*$", head)
            else ""
        )
        if _pattern("owners", code).search(reach) or _pattern("owners", code).search(between):
            return True
    return False
