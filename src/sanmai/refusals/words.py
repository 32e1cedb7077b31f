"""How assistants decline, as data: per language the words that one needs, which refusals/languages.py makes patterns of.

In a word `*` stands for any letters, and `…` for up to four words; `|` parts alternatives. A language is a row: who copies one
and changes its words has taught the rules another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Words:
    """One language's.

    Example:
        Words(cannot="en voi", acts="autt*", plain="kieltäydyn", sorry="valitettavasti")
    """

    cannot: str
    """Ability, will or leave that the speaker denies having: first person, in the verb or a pronoun."""
    acts: str
    """Acts of helping: what it cannot. None that praises when negated ("I cannot recommend it enough")."""
    plain: str
    """What declines by itself: "I refuse"."""
    sorry: str
    """Apologies: one before a `cannot` declines whatever the verb."""


_ID_ACTS = (
    "*bantu*|*beri|*berikan|*sediakan|*jawab*|*penuhi|*menuhi|*dukung*|*bagikan|*berbagi|*layani|*jelaskan|*jelas"
    "|*buatkan|membuat"
    "|*tulis*|*bahas|*bincang*|*lakukan*|*ajar*|*tanggapi|*respons|*kongsi*|*tunaikan|menyokong|*panduan|*tolong"
)
_SH_ACTS = (
    "pomo*|pruž*|odgovor*|dati|dam|dajem|davati|objasn*|podij*|dijel*|podel*|delit*|podrž*|napis*|napiš*|stvor*"
    "|ispun*|izvrš*"
    "|udovolj*|sudjel*|učestv*|urad*|učin*|savjet*|savet*|raspravlj*|posluž*"
)
_SH = Words(
    "ne mogu|ne možemo|ne smijem|ne smem|neću|nećemo|nisam u mogućnosti|nisam u stanju|ne želim|nije mi dozvoljeno"
    "|nije mi dopušteno|nisam ovlašten*|nisam spreman|nisam spremna|ne bih mog*|nisam sposob*",
    _SH_ACTS + "|pokazati|naučiti",
    "odbijam|moram … odbiti|moram … odbijem|prinuđen* sam … odbi*|prisiljen* sam odbiti"
    "|neću ti reći|neću vam reći|neću pomoći|neću odgovoriti|neću objasniti|neću reći",
    "žao mi je|nažalost|na žalost|izvinjavam se|izvini*|oprosti*|ispričavam se|žalim|zao mi je|nazalost",
)
_CYRILLIC = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))


def in_cyrillic(text: str) -> str:
    """Serbian in its other letters."""
    for pair, letter in (("lj", "љ"), ("nj", "њ"), ("dž", "џ")):
        text = text.replace(pair, letter)
    return "".join(_CYRILLIC.get(letter, letter) for letter in text)


_SR = Words(*(in_cyrillic(part) for part in (_SH.cannot, _SH.acts, _SH.plain, _SH.sorry)))

WORDS: Mapping[str, Words] = MappingProxyType({
    "af": Words(
        "ek kan … nie|kan ek … nie|ek sal … nie|ek mag … nie|ek is nie in staat|ek wil nie",
        "help|bystaan|gee|verskaf|antwoord|beantwoord|deel|verduidelik|ondersteun|voldoen|skryf|doen|bied"
        "|vertel|wys",
        "ek weier|ek moet … weier|ek moet … van die hand wys"
        "|ek gaan nie vir jou|ek gaan jou nie",
        "jammer|ongelukkig|verskoon my|ekskuus",
    ),
    "ar": Words(
        "لا يمكنني|لا أستطيع|لا استطيع|لن أتمكن|لن اتمكن|لا أقدر|لا يمكننا|لا نستطيع|لن أقوم|لست قادر*"
        "|لستُ قادر*|غير قادر*|لا يجوز لي|لا أرغب|ليس بإمكاني|ليس بوسعي|ليس في وسعي|غير مسموح لي|لا يُسمح لي"
        "|لا يسمح لي|ما أقدر",
        "*ساعد*|*تقديم*|*توفير*|*إجاب*|*اجاب*|*إعطا*|*اعطا*|*مشارك*|*تلبي*|*تزويد*|*دعم*|*الرد*|*مناقش*|*شرح*"
        "|*كتاب*|*القيام*|فعل ذلك|*إخبار*|*تنفيذ*|أقدم|أوفر|أجيب|أعطي*|أشرح|*عون"
        "|*مساعد*",
        "أرفض|أعتذر عن|مضطر* … رفض|مضطر* … للرفض|لن أساعد*|لن أجيب*|لن أقدم|لن أشارك*"
        "|لن أخبر*|لن أشرح*|لن أقول*|لن أعلم*|لن أعطي*",
        "عذر*|آسف*|اسف*|أعتذر|المعذرة|معذرة|للأسف|يؤسفني|مع الأسف",
    ),
    "bg": Words(
        "не мога|не можем|няма да мога|няма да|не съм в състояние|нямам право|не ми е позволено|не желая"
        "|не съм способ*",
        "помогна|помагам|помогнем|предостав*|отговор*|дам|давам|обясня*|споделя*|подкрепя*|създам|напиша"
        "|изпълня*|обсъждам|съдействам|направя|участвам|окажа|удовлетворя|предложа"
        "|покажа",
        "отказвам|трябва да откажа|налага се да откажа|принуден* съм да откажа"
        "|няма да ти кажа|няма да ви кажа|няма да обясн*|няма да помогна|няма да отговоря",
        "съжалявам|извинявай*|извинете|извинявам се|за съжаление|моля за извинение",
    ),
    "bn": Words(
        "পারব না|পারবো না|পারছি না|পারি না|পারিনা|পারবনা|পারবোনা|পারছিনা|অক্ষম|সক্ষম নই|সম্ভব নয়|সম্ভব না"
        "|করব না|করবো না|অনুমতি নেই|অপারগ|রাজি নই|দেব না|দেবো না|দিতে চাই না|করতে চাই না|বলব না|পারলাম না",
        "সাহায্য*|সহায়তা*|সাহায্যে|তথ্য*|উত্তর*|সহযোগিতা*|প্রদান*|দিতে|নির্দেশ*|বলতে|জানাতে|সমর্থন*|ব্যাখ্যা*"
        "|শেয়ার|লিখতে|তৈরি|পরামর্শ*|অনুরোধ*|শেখাতে|আলোচনা*|সাড়া|পূরণ*|এটি করতে|এটা করতে|এই কাজ*|সরবরাহ*",
        "আমি … প্রত্যাখ্যান করছি|আমি … প্রত্যাখ্যান করি|প্রত্যাখ্যান করতে হ*|অস্বীকৃতি জানা*"
        "|আমি … অস্বীকার করছি"
        "|আমি … বলব না|আমি … বলবো না|আমি … দেব না|আমি … জানাব না|আমি … শেখাব না",
        "দুঃখিত|ক্ষমা*|মাফ*|দুঃখজনকভাবে|সরি",
    ),
    "ca": Words(
        "no puc|no podem|no et puc|no us puc|no podré|no estic autoritza*|no estic en condicions"
        "|no em és possible|no vull",
        "ajudar*|proporcionar*|oferir*|respondre*|donar*|assistir*|compartir*|facilitar|explicar*|crear"
        "|escriure*|fer això|fer-ho|participar"
        "|dir-te|dir-vos|dir-ho|ensenyar*|mostrar",
        "em nego|he de … negar-me|he de … rebutjar|refuso"
        "|no et diré|no us diré|no et diré|no t'ho diré|no t'ajudaré|no us ajudaré|no explicaré"
        "|no respondré",
        "ho sento|em sap greu|malauradament|perdona|disculp*",
    ),
    "cs": Words(
        "nemohu|nemůžu|nemůžeme|nemohl* bych|nejsem schop*|nesmím|nebudu|nechci|nejsem oprávněn*"
        "|není mi dovoleno|nedokážu|nehodlám",
        "pomo*|pomá*|poskyt*|odpov*|pora*|sděl*|vysvětl*|asist*|napsat|vytvořit|splnit|vyhov*|podpoř*|poslouž*"
        "|sdíl*|udělat|podat|diskut*|dát|dávat|účastnit"
        "|prozradit|ukázat",
        "odmítám|musím … odmítnout|jsem nucen* odmítnout"
        "|neřeknu|neprozradím|nepomůžu|nepomohu|nevysvětlím|neodpovím|neporadím",
        "omlouv*|bohužel|promiň*|je mi líto|lituji|omluv*|pardon",
    ),
    "da": Words(
        "jeg kan … ikke|kan jeg … ikke|jeg vil … ikke|vil jeg … ikke|jeg må … ikke|jeg er ikke i stand"
        "|jeg har ikke lov|jeg kommer ikke til|vi kan … ikke|kan vi … ikke",
        "hjælpe*|hjælp|assistere|give|tilbyde|svare|besvare|dele|forklare|bidrage|levere|imødekomme|skrive"
        "|støtte|vejlede|udlevere|diskutere|efterkomme|medvirke|gøre|rådgive|bistå|oplyse"
        "|fortælle|vise",
        "jeg nægter|nægter jeg|jeg må … afvise|jeg må … afslå|jeg må … sige nej|jeg afviser|jeg afslår"
        "|må jeg … afvise|må jeg … afslå"
        "|jeg fortæller … ikke|jeg hjælper … ikke",
        "beklager|undskyld|desværre|ked af",
    ),
    "de": Words(
        "ich kann … nicht|kann ich … nicht|ich kann … keine*|kann ich … keine*|ich darf … nicht"
        "|darf ich … nicht|ich darf … keine*|ich werde … nicht|werde ich … nicht|ich werde … keine*"
        "|werde ich … keine*|ich möchte … nicht|möchte ich … nicht|wir können … nicht|können wir … nicht"
        "|ich will … nicht|kann ich nicht|ist es mir nicht möglich|es ist mir nicht möglich"
        "|es ist mir nicht erlaubt|ich bin nicht bereit|ich bin nicht in der lage|bin ich nicht in der lage"
        "|ich bin nicht befugt",
        "helfen|weiterhelfen|hilfe|anleitung*|auskunft|geben|tun|machen|unterstütz*|anbieten|beantworten"
        "|liefern|teilen|erstellen|schreiben|erklären|verraten|mitwirken|eingehen|bereitstellen|herausgeben"
        "|nennen|zeigen|beibringen|nachkommen|mitmachen"
        "|erzählen",
        "ich weigere mich|ich verweigere|ich helfe … nicht|helfe ich … nicht|mache ich nicht|ich lehne … ab"
        "|lehne ich … ab|da muss ich passen|das mache ich nicht"
        "|nicht mit mir"
        "|ich werde … nicht sagen|werde ich … nicht sagen|ich sage dir … nicht|ich sage ihnen … nicht"
        "|ich erkläre … nicht|ich gebe … keine*|ich zeige … nicht",
        "leider|entschuldig*|tut mir leid|es tut mir leid|tut mir sehr leid|verzeihung|bedaure*|sorry"
        "|bedauerlicherweise",
    ),
    "el": Words(
        "δεν μπορώ|δε μπορώ|δεν μπορούμε|δεν δύναμαι|δεν είμαι σε θέση|δεν μου επιτρέπεται|δεν θα|αδυνατώ"
        "|δεν επιτρέπεται να|δεν πρόκειται να|δεν επιθυμώ|δεν έχω τη δυνατότητα|δεν θέλω|δεν γίνεται να"
        "|δεν είναι δυνατόν να",
        "βοηθήσ*|βοηθώ|βοήθεια|παρέχω|παράσχω|παρέξω|δώσω|δίνω|απαντήσω|προσφέρω|εξηγήσω|μοιραστώ|συζητήσω"
        "|γράψω|δημιουργήσω|υποστηρίξω|εκπληρώσω|ικανοποιήσω|εξυπηρετήσω|ανταποκριθώ|συμμετάσχω|κάνω αυτό"
        "|το κάνω|συνδράμω|σας πω|σου πω|καθοδηγήσω|συμβουλέψω|πραγματοποιήσω"
        "|δείξω|διδάξω",
        "αρνούμαι|πρέπει να αρνηθώ|οφείλω να αρνηθώ|θα αρνηθώ|είμαι υποχρεωμέν* να αρνηθώ"
        "|δεν θα σου πω|δεν θα σας πω|δε θα σου πω|δεν θα βοηθήσω|δεν θα απαντήσω|δεν θα εξηγήσω",
        "συγγνώμη|συγνώμη|λυπάμαι|λυπούμαι|δυστυχώς|με συγχωρ*|ζητώ συγγνώμη|απολογούμαι",
    ),
    "es": Words(
        "no puedo|no te puedo|no le puedo|no les puedo|no os puedo|no lo puedo|no podemos|no podré|no podría"
        "|no voy a|no debo|no estoy en condiciones|no estoy autorizad*|no estoy dispuest*|no me es posible"
        "|no me está permitido|no tengo permitido|no soy capaz",
        "ayudar*|proporcionar*|ofrecer*|responder*|dar|darte|darle|darles|daros|brindar*|asistir*|cumplir*"
        "|compartir*|facilitar*|apoyar*|participar|crear|generar|escribir*|discutir|hablar|explicar*"
        "|satisfacer|atender|hacer eso|hacer esto|hacerlo|enseñar*|contestar*|revelar*|complacer*|decirte"
        "|contarte|contarle|mostrarte|mostrarle|*ayudarte",
        "me niego|rehúso|debo … rechazar|debo … negarme|debo … declinar|tengo que … negarme"
        "|tengo que … rechazar|tengo que decir que no|me veo obligad* a rechazar|me veo obligad* a negarme"
        "|no lo haré|no pienso ayudar*|prefiero no ayudar*|prefiero no responder*|no te ayudaré|no le ayudaré"
        "|no te voy a|no le voy a|no os voy a|no les voy a|no te lo voy a|no se lo voy a|no te diré"
        "|no le diré|no te lo diré|no se lo diré|no te lo explicaré|no te explicaré|no voy a decir*"
        "|no responderé a|no contestaré",
        "lo siento|lo lamento|perdón|perdona|perdone|disculp*|lamentablemente|desafortunadamente|por desgracia"
        "|me temo que",
    ),
    "et": Words(
        "ma ei saa|ei saa ma|ma ei tohi|ma ei või|ma ei soovi|ma ei hakka|ma ei ole võimeline|kahjuks ei saa"
        "|me ei saa|ma ei suuda",
        "aidata|abistada|anda|pakkuda|vastata|jagada|selgitada|toetada|kirjutada|luua|teha|täita|osaleda"
        "|nõustada|arutada|abiks"
        "|rääkida|näidata|õpetada",
        "keeldun|ma pean keelduma|pean sellest keelduma"
        "|ma ei ütle|ma ei aita|ma ei vasta|ma ei räägi|ma ei õpeta|ma ei selgita",
        "vabandust|kahjuks|vabandan|mul on kahju|andke andeks|palun vabandust",
    ),
    "fa": Words(
        "نمی توانم|نمیتوانم|نمیتونم|نمی تونم|نمیتوانیم|نمی توانیم|نخواهم|قادر نیستم|مجاز نیستم|حاضر نیستم"
        "|قادر به … نیستم|نمیخواهم|نمی خواهم",
        "کمک*|ارائه*|ارایه*|پاسخ*|جواب*|بدهم|بدم|توضیح*|راهنمایی*|همکاری*|پشتیبانی*|انجام*|بنویسم|در اختیار"
        "|به اشتراک*|مساعدت|برآورده|بگویم|صحبت|بسازم|ایجاد|تهیه|یاری|داد|کرد",
        "معذورم|خودداری می کنم|خودداری میکنم|امتناع می کنم|امتناع میکنم|رد می کنم|رد میکنم|باید … رد کنم"
        "|کمک نمی کنم|کمک نمیکنم"
        "|نمی گویم|نمیگویم|نمی گم|نمیگم|به شما نخواهم|توضیح نمی دهم|توضیح نمیدهم|پاسخ نمی دهم|پاسخ نمیدهم"
        "|جواب نمی دهم",
        "متاسفم|متأسفم|ببخشید|پوزش*|متاسفانه|متأسفانه|عذر*|شرمنده|با عرض پوزش",
    ),
    "fi": Words(
        "en voi|en valitettavasti voi|emme voi|en pysty|en kykene|en saa|en aio|en halua|en suostu"
        "|en ole valmis|en voisi|en pystyisi|en taida voida",
        "autt*|avust*|tarjo*|anta*|vasta*|neuvo*|jaka*|kerto*|opasta*|tuke*|toteutt*|kirjoitt*|luoda"
        "|osallistu*|tehdä|täyttä*|noudatta*|käsitel*|keskustel*|selittä*|jatkaa|avuksi|avuksesi"
        "|näyttä*",
        "kieltäydyn|joudun kieltäytymään|täytyy kieltäytyä|on kieltäydyttävä|en auta"
        "|en kerro|en aio kertoa|en vastaa tähän|en vastaa tuohon|en selitä|en neuvo|en opeta",
        "valitettavasti|pahoittel*|anteeksi|olen pahoillani|ikävä kyllä",
    ),
    "fr": Words(
        "je ne peux pas|je ne peux malheureusement pas|je ne puis|je ne pourrai*|nous ne pouvons pas"
        "|je ne suis pas en mesure|je ne suis pas autorisé*|je ne vais pas|je ne saurais|je ne veux pas"
        "|je ne souhaite pas|je peux pas|il m'est impossible|il ne m'est pas possible|impossible pour moi"
        "|je ne dois pas|je n'ai pas le droit|je ne suis pas capable|je me vois dans l'impossibilité"
        "|je préfère ne pas|je préférerais ne pas|je préfère ne rien",
        "aider|aide|t'aider|vous aider|fournir|assister|répondre|donner|partager|proposer|accéder|satisfaire"
        "|créer|écrire|soutenir|aborder|discuter|expliquer|offrir|communiquer|participer|générer|faire cela"
        "|faire ça|le faire|apprendre|divulguer|accompagner|montrer"
        "|te dire|vous dire|t'expliquer|vous expliquer|enseigner",
        "je refuse|je décline|je dois … refuser|je dois … décliner|je me refuse"
        "|c'est non|je ne t'aiderai pas|je ne vous aiderai pas|je ne ferai pas"
        "|je ne te dirai pas|je ne vous dirai pas|je n'expliquerai pas|je ne répondrai pas"
        "|je ne t'expliquerai pas|je ne vous expliquerai pas",
        "désolé*|navré*|je regrette|malheureusement|pardon|je m'excuse|toutes mes excuses|excuse*",
    ),
    "he": Words(
        "אני לא יכול*|איני יכול*|אינני יכול*|לא אוכל|אין באפשרותי|אין ביכולתי|אסור לי|אני לא מסוגל*"
        "|אני לא מוכן*|לא ניתן לי|אני לא רשאי*|אינני רשאי*|אני לא מורש*|לא נוכל",
        "לעזור|לסייע|לספק|לענות|לתת|להסביר|לשתף|לכתוב|ליצור|לתמוך|לבצע|לעשות|להשיב|להציע|לדון|למסור|להדריך"
        "|להיענות|למלא|לייעץ|עזרה|לפרט|לשרת"
        "|לספר|ללמד|להראות",
        "אני מסרב*|עליי לסרב|עלי לסרב|נאלצ* לסרב|נאלץ לסרב|לא אעזור|לא אסייע|לא אענה"
        "|לא אגיד|לא אומר|לא אספר|לא אסביר|לא אלמד",
        "מצטער*|סליחה|מתנצל*|לצערי|צר לי",
    ),
    "hi": Words(
        "नहीं कर सकता|नहीं कर सकती|नहीं दे सकता|नहीं दे सकती|नहीं बता सकता|नहीं बता सकती|असमर्थ|नहीं करूँगा"
        "|नहीं करूंगा|नहीं करूँगी|नहीं करूंगी|नहीं दूँगा|नहीं दूंगा|नहीं दूँगी|नहीं दूंगी|सक्षम नहीं"
        "|नहीं कर पाऊ*|नहीं दे पाऊ*|नहीं बताऊ*|अनुमति नहीं है|नहीं कर पा रहा|नहीं कर पा रही|नहीं दे सकते"
        "|मैं नहीं",
        "मदद|सहायता|जानकारी|प्रदान|उत्तर|जवाब|बता*|समर्थन|सहयोग|निर्देश|अनुरोध|साझा|लिख*|मार्गदर्शन|सलाह|समझा*",
        "मैं … नहीं कर सकत*|मैं … नहीं कर पाऊ*|हम … नहीं कर सकते|मैं … मना करत*|मैं … इनकार करत*"
        "|मैं … इंकार करत*|मुझे … मना करना"
        "|मैं … नहीं बताऊँगा|मैं … नहीं बताऊंगा|मैं … नहीं बताऊँगी|मैं … नहीं बताऊंगी|मैं … नहीं दूँगा"
        "|मैं … नहीं दूंगा|मैं … नहीं सिखाऊ*|मैं … नहीं समझाऊ*",
        "क्षमा*|माफ*|माफ़*|खेद|दुर्भाग्य*|सॉरी|अफसोस|अफ़सोस",
    ),
    "hr": _SH,
    "sr": _SR,
    "hu": Words(
        "nem tudok|nem tudom|nem tudunk|nem áll módomban|nem fogok|nem vagyok hajlandó|nem szeretnék"
        "|nem lehetek|nem vagyok képes|nem akarok|nincs lehetőségem|nem engedhet*|nem állok",
        "segít*|segéd*|adni|nyújta*|válaszol*|megoszt*|elmagyaráz*|támogat*|teljesít*|írni|megten*|részt venni"
        "|szolgál*|tájékozta*|útmutat*|eleget tenni|kiszolgál*|tanácsot|elmonda*|rendelkezés*|segítséget"
        "|megmutat*|megtanít*",
        "nem segíthetek|nem adhatok|nem teljesíthet*|nem válaszolhatok|nem oszthat*|nem tehetem|nem segítek"
        "|vissza kell utasíta*|visszautasít*m|elutasítom|el kell utasíta*|nem nyújthatok|megtagadom"
        "|nem mondom el|nem fogom elmondani|nem fogok segíteni|nem árulom el|nem válaszolok|nem magyarázom",
        "sajnálom|sajnos|elnézést|bocsánat*|bocsi|bocs|sajnálattal",
    ),
    "id": Words(
        "saya … tidak dapat|saya … tidak bisa|saya tidak boleh|saya tidak akan|saya tidak mampu|saya tak bisa"
        "|aku … tidak bisa|aku nggak bisa|aku gak bisa|aku tak bisa|kami tidak dapat|kami tidak bisa"
        "|saya belum bisa|saya tidak diizinkan|saya tidak bersedia|saya tidak ingin|aku tidak akan"
        "|aku tidak mau|saya nggak bisa|saya gak bisa",
        _ID_ACTS + "|memberi tahu|memberitahu*|memberitahukan|tunjukkan",
        "saya menolak|saya harus menolak|saya terpaksa menolak|saya keberatan|aku menolak|kami menolak",
        "maaf|mohon maaf|maafkan|sayangnya",
    ),
    "it": Words(
        "non posso|non ti posso|non vi posso|non le posso|non possiamo|non potrò|non potrei|non sono in grado"
        "|non sono autorizzat*|non intendo|non voglio|non mi è possibile|non mi è consentito|non mi è permesso"
        "|non ho intenzione|mi è impossibile|non sono dispost*|non me la sento|preferisco non|preferirei non",
        "aiut*|fornir*|rispond*|dare|darti|darle|darvi|assist*|offrir*|condivid*|soddisf*|support*|discut*"
        "|partecip*|crear*|scriver*|spiegar*|farlo|fare questo|fare ciò|esaudir*|insegnar*|rivelar*|accoglier*"
        "|dirti|dirle|dirvi|raccontar*|mostrar*",
        "mi rifiuto|devo … rifiutar*|devo … declinar*|sono costrett* a rifiutare"
        "|non ti aiuterò|non lo farò"
        "|non ti dirò|non vi dirò|non le dirò|non te lo dirò|non ti spiegherò|non risponderò"
        "|non te lo spiego",
        "mi dispiace|scusa|scusami|mi scuso|spiacente|purtroppo|sono desolat*|chiedo scusa",
    ),
    "jv": Words(
        "aku … ora bisa|aku … ora iso|aku … ora isa|kula … mboten saged|kula … boten saged|kulo … mboten saged"
        "|kulo … mboten saget|kula … mboten saget|aku … ora gelem|aku … ora entuk|aku … ora oleh"
        "|kula … mboten kepareng|aku … ora arep|aku … ora bakal|kula … mboten badhe|kula … mboten purun"
        "|dalem … mboten saged|kawula … mboten saged|aku … ora saged|mboten saged|ora bisa|ora iso|boten saged"
        "|aku … ora kuwawa|kula … dereng saged",
        "*bantu*|*biyantu*|*tulung*|menehi|menehake|*wenehi|*wenehake|maringi|maringake|*caosi|nyukani|*jawab"
        "|nerangake|*sedhiyakake|*sediakake|*sediyakake|nindakake|nuruti|ngladeni|*wangsuli|mangsuli|ngajari"
        "|nyaosi|nyaosaken|ngaturi|ngaturaken|nglakoni|ndhukung|nyengkuyung|nulis|ngandhani|nanggapi|netepi"
        "|nglayani|*terangaken|paring"
        "|*wangi|*ngewangi|crita*|nduduhake|nglakokake",
        "aku nolak|kula nolak|aku kudu nolak|kula kedah nolak|kula nampik|aku nampik",
        "nyuwun pangapunten|ngapunten|pangapunten|nyuwun pangapura|pangapura|ngapura|ngapurane|nyuwun sewu"
        "|nuwun sewu|sepurane|sepuntene|kepeksa|sayange",
    ),
    "lt": Words(
        "negaliu|negalime|negalėsiu|neturiu teisės|nesu pajėg*|nenoriu|neketinu|man neleidžiama|nesugebu",
        "padėti|suteikti|atsakyti|pateikti|pasidalyti|pasidalinti|dalytis|paaiškinti|paremti|parašyti|sukurti"
        "|įvykdyti|aptarti|pagelbėti|daryti|patarti"
        "|parodyti|išmokyti",
        "atsisakau|turiu atsisakyti|privalau atsisakyti|nepadėsiu"
        "|nesakysiu|nepasakysiu|nepaaiškinsiu|neatsakysiu|neaiškinsiu|nepasakosiu",
        "atsiprašau|deja|apgailestauju|atleiskite|gaila",
    ),
    "lv": Words(
        "nevaru|nevaram|nevarēšu|nedrīkstu|nespēju|negribu|neesmu spējīg*|man nav atļauts",
        "palīdzēt|sniegt|atbildēt|dalīties|paskaidrot|izskaidrot|atbalstīt|uzrakstīt|izveidot|izpildīt"
        "|apspriest|darīt|dot|nodrošināt"
        "|parādīt|pastāstīt",
        "atsakos|man jāatsakās|man ir jāatsakās|nepalīdzēšu"
        "|neteikšu|nepateikšu|nepaskaidrošu|neatbildēšu|nestāstīšu",
        "atvaino*|diemžēl|piedod*|man žēl",
    ),
    "mr": Words(
        "करू शकत नाही|देऊ शकत नाही|सांगू शकत नाही|असमर्थ|करणार नाही|देणार नाही|परवानगी नाही|शकणार नाही",
        "मदत|मदतीस|सहाय्य|माहिती|उत्तर|प्रदान|मार्गदर्शन|सूचना|सहकार्य|सल्ला|विनंती"
        "|शिकव*|समजाव*",
        "मी … करू शकत नाही|मी … नकार देतो|मी … नकार देते|मला नकार"
        "|मी … सांगणार नाही|मी … देणार नाही|मी … शिकवणार नाही",
        "क्षमस्व|माफ*|क्षमा*|दिलगीर*|खेद|दुर्दैवाने",
    ),
    "ms": Words(
        "saya … tidak boleh|saya … tidak dapat|saya tidak akan|saya tak boleh|saya tak dapat|saya tidak mampu"
        "|kami tidak dapat|kami tidak boleh|saya tidak dibenarkan|saya tidak mahu|saya enggan|aku tak boleh"
        "|saya tidak bersedia",
        _ID_ACTS + "|beritahu|memberitahu*|tunjukkan",
        "saya menolak|saya terpaksa menolak|saya perlu menolak|saya enggan"
        "|saya tidak akan beritahu",
        "maaf|minta maaf|mohon maaf|maafkan|harap maaf|malangnya",
    ),
    "nl": Words(
        "ik kan … niet|kan ik … niet|ik kan … geen|kan ik … geen|ik mag … niet|mag ik … niet|ik mag … geen"
        "|ik wil … niet|ik zal … niet|ik zal … geen|ik ga … niet|ga ik … niet|wij kunnen … niet"
        "|we kunnen … niet|kunnen we … niet|ik ben niet in staat|ik ben niet bereid|het is mij niet toegestaan",
        "helpen|hulp|assisteren|geven|bieden|beantwoorden|antwoord*|verstrekken|ondersteunen|voldoen|delen"
        "|uitleggen|schrijven|maken|bespreken|meewerken|meehelpen|van dienst|doen|ingaan|verlenen|instructies"
        "|informatie|vertellen"
        "|tonen|leren|laten zien",
        "ik weiger|weiger ik|ik moet … weigeren|moet ik … weigeren|ik moet … verzoek afwijzen|ik moet dit afwijzen"
        "|ik doe dit niet"
        "|dat doe ik niet"
        "|ik vertel … niet|ik zeg … niet|ik help … niet|ik leg … niet uit",
        "sorry|helaas|spijt me|spijt mij|excuses|excuseer",
    ),
    "no": Words(
        "jeg kan … ikke|kan jeg … ikke|jeg vil … ikke|vil jeg … ikke|jeg får … ikke|jeg er ikke i stand"
        "|jeg har ikke lov|jeg kommer ikke til|vi kan … ikke|kan vi … ikke|eg kan … ikkje|kan eg … ikkje",
        "hjelpe*|hjelp|bistå|assistere|gi|tilby|svare|besvare|dele|forklare|bidra|levere|imøtekomme|skrive"
        "|lage|støtte|veilede|diskutere|gjøre|oppfylle|medvirke|utlevere|etterkomme|hjelpa|råde"
        "|fortelle|vise|lære",
        "jeg nekter|nekter jeg|jeg må … avslå|må jeg … avslå|jeg må … avvise|jeg må … si nei|jeg avslår"
        "|jeg avviser"
        "|jeg hjelper … ikke|jeg forteller … ikke",
        "beklager|dessverre|unnskyld|lei meg|lei for|orsak",
    ),
    "pl": Words(
        "nie mogę|nie możemy|nie jestem w stanie|nie będę|nie wolno mi|nie chcę|nie potrafię|nie zamierzam"
        "|nie mógłbym|nie mogłabym|nie jestem upoważnion*|nie będę mógł|nie będę mogła|nie jestem uprawnion*"
        "|wolę nie|wolałbym nie|wolałabym nie",
        "pom*|udziel*|dostarcz*|poda*|odpowi*|wspier*|wesprzeć|przedstawi*|zapewni*|napisa*|spełni*|wyjaśni*"
        "|zrobić|dzielić|podzielić|doradz*|uczestniczyć|stworzyć|przekaza*|opisa*|zrealizować|służyć"
        "|pokaza*|nauczy*",
        "odmawiam|muszę … odmówić|zmuszon* … odmówić|odmówię"
        "|nie powiem|nie pomogę|nie wyjaśnię|nie odpowiem|nie zdradzę|nie udzielę|nie podam",
        "przykro mi|przepraszam|niestety|wybacz*|z przykrością",
    ),
    "pt": Words(
        "não posso|não te posso|não lhe posso|não vos posso|não o posso|não podemos|não poderei|não poderia"
        "|não vou|não consigo|não estou autorizad*|não estou apt*|não sou capaz|não me é possível"
        "|não me é permitido|não estou em condições|não estou dispost*|não devo|nao posso|nao consigo|nao vou"
        "|não tenho permissão|prefiro não|preferia não|preferiria não",
        "ajud*|fornec*|oferec*|respond*|dar|dar-*|prest*|auxili*|compartilh*|partilh*|atend*|apoi*|particip*"
        "|criar|gerar|escrev*|discut*|explic*|cumpri*|assist*|fazer isso|fazer isto|fazê-lo|ensin*|orient*"
        "|revel*"
        "|mostrar|te dizer|lhe dizer|lhe ensinar|falar sobre",
        "me recuso|recuso-me|devo … recusar|devo … declinar|tenho que recusar|tenho de recusar"
        "|não o farei|não farei isso"
        "|não vou te|não te vou|não te direi|não lhe direi|não te digo|não explicarei|não responderei",
        "desculp*|sinto muito|lamento|infelizmente|perdão|peço desculpa*|lamentavelmente|me desculpe",
    ),
    "ro": Words(
        "nu pot|nu te pot|nu vă pot|nu va pot|nu îți pot|nu iti pot|nu putem|nu voi putea|nu o să pot"
        "|nu sunt în măsură|nu sunt in masura|nu am voie|nu vreau|nu voi|nu doresc|nu îmi este permis"
        "|nu sunt autorizat*|nu am cum să|nu te voi|nu vă voi|prefer să nu|aș prefera să nu",
        "ajut*|ofer*|furniz*|răspun*|raspun*|da|dau|asist*|explic*|sprijin*|împărtăș*|scri*|crea*|îndeplin*"
        "|discut*|gener*|particip*|face asta|face acest*|fac asta|detali*|pun la dispoziție|învăț*"
        "|arăt*|povesti*",
        "refuz să|trebuie să refuz|nevoit* să refuz|refuz categoric|refuz această|declin"
        "|nu îți voi spune|nu vă voi spune|nu o să-ți spun|nu voi răspunde|nu voi explica|nu te voi ajuta",
        "îmi pare rău|imi pare rau|regret|din păcate|din pacate|scuze|scuzați|îmi cer scuze|mă scuzi"
        "|ne pare rău|iertați-mă",
    ),
    "ru": Words(
        "не могу|не можем|не смогу|не буду|не стану|не имею права|не имею возможности|не вправе|не готов*"
        "|не в состоянии|не в силах|не хочу|мне нельзя|не собираюсь|мне не разрешено|мне запрещено"
        "|не уполномочен*|не намерен*",
        "помо*|предостав*|ответ*|отвеч*|дать|дава*|поддерж*|обсужд*|обсудить|выполн*|содейств*|рассказ*|созда*"
        "|консульт*|участв*|предлож*|удовлетвор*|напис*|писать|объясн*|подсказ*|подел*|делиться|с этим"
        "|сделать это|это сделать|инструкт*|раскры*|учить|научить|сообщ*"
        "|показ*",
        "отказываюсь|вынужден* отказ*|вынужден* … отказать|должен отказ*|должна отказ*|придётся отказ*"
        "|придется отказ*|воздержусь от ответ*|воздержусь от коммент*|воздержусь от помощ*"
        "|я … не скажу|не скажу вам|не скажу тебе|не стану помогать|не расскажу|не помогу|не отвечу"
        "|не объясню",
        "извин*|прости*|сожалею|к сожалению|мне жаль|прошу прощения|увы",
    ),
    "sk": Words(
        "nemôžem|nemôžeme|nie som schop*|nesmiem|nebudem|nechcem|nie som oprávnen*|nedokážem"
        "|nie je mi dovolené",
        "pomôc*|pomôž*|pomáh*|poskyt*|odpoved*|porad*|vysvetl*|asist*|napísať|vytvoriť|splniť|vyhov*|podpor*"
        "|poslúž*|zdieľ*|urobiť|podať|diskut*|dať|dávať"
        "|prezradiť|ukázať",
        "odmietam|musím … odmietnuť|som núten* odmietnuť"
        "|nepoviem|neprezradím|nepomôžem|nevysvetlím|neodpoviem|neporadím",
        "ospravedlň*|prepáč*|bohužiaľ|žiaľ|je mi ľúto|ľutujem|pardon",
    ),
    "sl": Words(
        "ne morem|ne moremo|ne smem|ne bom|nisem zmož*|ne želim|ni mi dovoljeno|nisem pooblaščen*|nočem",
        "pomag*|pomoč*|zagotov*|posred*|odgovor*|dati|razlož*|deliti|ustreči|napisati|ustvariti|izpolniti"
        "|podpreti|svetovati|nuditi|ponuditi|storiti|narediti|sodelovati"
        "|pokazal*|naredil*|storil*|razložil*",
        "zavračam|moram … zavrniti|odklanjam"
        "|ne bom povedal*|ne bom pomagal*|ne bom razložil*|ne bom odgovoril*|ne bom ti|ne bom vam",
        "žal|oprosti*|opravičujem se|se opravičujem|na žalost|obžalujem",
    ),
    "sv": Words(
        "jag kan … inte|kan jag … inte|jag får … inte|får jag … inte|jag tänker inte|tänker jag inte"
        "|jag vill inte|jag kommer inte att|kommer jag inte att|jag har inte möjlighet|har jag inte möjlighet"
        "|vi kan … inte|kan vi … inte|jag är inte i stånd",
        "hjälp*|bistå|assistera|ge|erbjuda|svara|besvara|dela|förklara|bidra*|tillhandahålla|tillmötesgå"
        "|skriva|skapa|stödja|diskutera|uppfylla|göra|medverka|instruera|vägleda|lämna|efterkomma|delta"
        "|berätta"
        "|visa|lära",
        "jag vägrar|vägrar jag|jag måste … avböja|måste jag … avböja|jag måste … neka|jag måste … säga nej"
        "|jag avböjer|jag avstår från att|jag måste … avstå"
        "|jag berättar … inte|jag hjälper … inte",
        "tyvärr|förlåt|ursäkta|beklagar|ledsen|dessvärre",
    ),
    "sw": Words(
        "siwezi|hatuwezi|sitaweza|sitoweza|hatutaweza|siruhusiwi|sijaruhusiwa|sina uwezo|sina ruhusa"
        "|nisingeweza|singeweza|sitaki|siko tayari|sipo tayari|haiwezekani kwangu",
        "*saidia*|*msaada|*toa|*jibu*|kukupa|kuwapa|kukueleza|*eleza*|*shiriki*|*fanya*|*tekeleza*|*timiza*"
        "|*fundisha*|*andika*|*kidhi*|*elekeza*|*ongoza|*jadili|*zungumza*|*unga mkono|*patia|*shirikiana"
        "|kukuambia|kukuonyesha|kuchangia"
        "|*ambia|*onyesha|*eleza",
        "nakataa|ninakataa|lazima nikatae|nalazimika kukataa|inabidi nikatae|natakiwa kukataa|sitakusaidia"
        "|sitasaidia|sitatoa|sitakupa|sitajibu|sitafanya hivyo|naomba kukataa|sikusaidii"
        "|sitakuambia|sitakueleza|sitakuonyesha|sitakufundisha|sitaeleza|sitashiriki|sitajadili"
        "|siwezi kufanya hivyo",
        "samahani|pole|poleni|naomba radhi|naomba msamaha|kwa bahati mbaya|nasikitika|niwie radhi|samahanini"
        "|ninasikitika|tunasikitika|kumradhi",
    ),
    "ta": Words(
        "முடியாது|இயலாது|முடியவில்லை|இயலவில்லை|மாட்டேன்|அனுமதி இல்லை|அனுமதியில்லை",
        "உதவ*|உதவி*|பதிலளிக்க*|தகவல*|வழங்க*|ஆதரிக்க*|ஒத்துழைக்க*|நிறைவேற்ற*|வழிகாட்ட*|கோரிக்கை*"
        "|கற்பிக்க*|விளக்க*",
        "என்னால் … முடியாது|என்னால் … இயலாது|என்னால் … முடியவில்லை|எங்களால் … முடியாது|நான் … மாட்டேன்"
        "|மறுக்கிறேன்|நிராகரிக்கிறேன்|மறுக்க வேண்டியுள்ளது|உதவமாட்டேன்"
        "|சொல்லமாட்டேன்",
        "மன்னிக்க*|மன்னிப்ப*|வருந்துகிற*|வருத்த*|துரதிர்ஷ்டவசமாக",
    ),
    "te": Words(
        "*లేను|*లేము|లేను|సాధ్యం కాదు|కుదరదు|చేయను|ఇవ్వను|చెప్పను|అనుమతి లేదు|సిద్ధంగా లేను|*లేకపోతున్నాను",
        "సహాయ*|సాయ*|సమాచార*|సమాధాన*|అందించ*|ఇవ్వ*|చెప్ప*|వివరించ*|మద్దతు*|సూచనలు|జవాబు|నెరవేర్చ*|పంచుకో*|సలహా*"
        "|సహకరించ*|స్పందించ*|అభ్యర్థన*|మార్గదర్శ*"
        "|నేర్ప*",
        "నిరాకరిస్తున్నాను|తిరస్కరిస్తున్నాను|తిరస్కరించాల్సి*|సహాయపడలేను|సహకరించలేను|అందించలేను"
        "|సమాధానం ఇవ్వలేను|పంచుకోలేను|నేను … చేయలేను|నేను … చెప్పలేను|వివరించలేను|నేను … ఇవ్వలేను|స్పందించలేను"
        "|నేను … చెప్పను|నేను … ఇవ్వను|నేను … వివరించను|సహాయం చేయను",
        "క్షమించ*|విచారిస్తున్నా*|దురదృష్టవశాత్తు|సారీ|మన్నించ*|క్షమాపణ*",
    ),
    "tl": Words(
        "hindi ko|hindi kita|hindi po kita|hindi ako|hindi po ako|hindi namin|hindi po namin|hindi ko po"
        "|di kita|di ko|di ako|hindi kami|hindi po kami|hindi ko kayo|hindi ako maaaring|hindi ko maaaring"
        "|hindi maaaring|hindi pwedeng|hindi puwedeng",
        "*tulong*|*tumulong|*tulung*|*bigay*|*bibigyan|*sagot*|*sagut*|*bahagi*|*paliwanag*|*suporta*|*sulat*|gawin"
        "|gagawin|magagawa*|*turo*|*tupad*|*pagbigyan|*pagbibigyan|*talakay|pag-usapan|sabihin|*masasabi"
        "|*bigyan"
        "|*turuan|*ipakita|*sabihin",
        "tumatanggi ako|tinatanggihan ko|kailangan kong tumanggi|kailangan ko … tanggihan"
        "|hindi ko sasabihin|hindi ko ituturo|hindi ko ipapaliwanag|hindi ako tutulong|hindi ko sasagutin"
        "|hindi ko ibibigay",
        "paumanhin|pasensya*|pasensiya*|ikinalulungkot|patawad|sori|sorry|nalulungkot|humihingi … paumanhin"
        "|sa kasamaang palad",
    ),
    "tr": Words(
        "*amam|*emem|*amıyorum|*emiyorum|*amayacağım|*emeyeceğim|*amayız|*emeyiz|*amıyoruz|*emiyoruz"
        "|mümkün değil|izin verilmiyor|yapmayacağım|etmeyeceğim|vermeyeceğim",
        "yardım*|bilgi*|sağla*|yanıt*|cevap*|paylaş*|sun*|isteği*|isteğ*|taleb*|talimat*|destek*|açıkla*|yaz*"
        "|anlat*|öğret*|yerine|tavsiye*|rehberlik*|bu konuda"
        "|göster*",
        "reddediyorum|reddetmek zorunda*|reddetmek durumunda*|yardım etmeyi reddet*|bunu yapamam"
        "|yardımcı olamam|yardımcı olamıyorum|yardımcı olamayacağım|yardım edemem|veremem|veremiyorum"
        "|veremeyeceğim|vermiyorum|sağlayamam|paylaşamam|yanıtlayamam|cevaplayamam|sunamam"
        "|söylemeyeceğim|anlatmayacağım|açıklamayacağım|vermeyeceğim|öğretmeyeceğim|yardım etmeyeceğim"
        "|yardımcı olmayacağım|cevaplamayacağım|söylemem|anlatmam",
        "üzgünüm|özür dilerim|kusura bakma*|maalesef|ne yazık ki|affedersin*|pardon",
    ),
    "uk": Words(
        "не можу|не можемо|не зможу|не буду|не маю права|не маю змоги|не в змозі|не стану|не хочу"
        "|мені не дозволено|мені заборонено|не готов*|не маю можливості|не вправі",
        "допом*|надат*|надав*|відпов*|пояс*|підказ*|розпов*|поділ*|ділит*|створ*|напис*|викон*|обговор*"
        "|підтрим*|дат*|дават*|консульт*|порад*|зробити це|це зробити|сприяти|з цим|запропон*|задовольн*"
        "|розказ*|показ*",
        "відмовляюс*|мушу … відмовит*|змушен* … відмовит*|вимушен* … відмовит*"
        "|я … не скажу|не скажу вам|не скажу тобі|не розповім|не допоможу|не відповім|не поясню",
        "вибач*|пробач*|перепрошую|на жаль|мені шкода|шкода|прошу вибачення",
    ),
    "ur": Words(
        "نہیں کر سکتا|نہیں کر سکتی|نہیں کر سکتے|نہیں دے سکتا|نہیں دے سکتی|نہیں بتا سکتا|نہیں بتا سکتی|قاصر ہوں"
        "|نہیں کروں گا|نہیں کروں گی|نہیں دوں گا|نہیں دوں گی|اجازت نہیں|نہیں کر پاؤں*",
        "مدد|معلومات|جواب|رہنمائی|فراہم|تعاون|ہدایات|معاونت|درخواست|وضاحت|مشورہ|شیئر|سوال",
        "انکار کرتا ہوں|انکار کرتی ہوں|انکار کرنا پڑ*|میں … نہیں کر سکتا|میں … نہیں کر سکتی"
        "|میں … نہیں بتا سکتا|میں … نہیں بتا سکتی"
        "|میں … نہیں بتاؤں گا|میں … نہیں بتاؤں گی|میں … نہیں دوں گا|میں … نہیں دوں گی|میں … نہیں سکھاؤں*",
        "معذرت*|معاف*|افسوس|معافی|بدقسمتی",
    ),
    "vi": Words(
        "tôi không thể|tôi … không thể|tôi không được phép|tôi không có khả năng|tôi sẽ không|tôi không muốn"
        "|tôi không có quyền|tôi chưa thể|mình không thể|em không thể|chúng tôi không thể|tớ không thể"
        "|tôi xin phép không",
        "giúp|cung cấp|hỗ trợ|trả lời|đáp ứng|chia sẻ|thực hiện|hướng dẫn|tư vấn|thảo luận|đưa ra|tạo|viết"
        "|giải thích|làm điều|làm việc|tham gia|tiết lộ|chỉ cho|bàn"
        "|chỉ bạn|chỉ dẫn|giúp được|làm được",
        "tôi từ chối|tôi xin từ chối|tôi phải từ chối|tôi buộc phải từ chối|xin phép từ chối|xin được từ chối"
        "|mình từ chối"
        "|tôi sẽ không chỉ|tôi sẽ không nói|tôi sẽ không giúp|tôi sẽ không trả lời|mình sẽ không"
        "|tôi không giúp được|mình không giúp được|em không giúp được|không giúp … được",
        "xin lỗi|rất tiếc|tiếc là|đáng tiếc|thật tiếc",
    ),
})  # fmt: skip
"""By ISO 639-1 code. Languages that are written without blanks (Chinese, Japanese, Thai) and Korean are patterns of their own in
refusals/languages.py, English in refusals/cues.py."""
