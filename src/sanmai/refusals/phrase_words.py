"""What stands beside a refusal or in place of one, as data: refusals/phrases.py makes patterns of it.

A language is a row, as in refusals/words.py: `*` stands for any letters, `…` for up to four words, `|` parts
alternatives. The rows of languages that are written without blanks, and of Korean, are regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType

from sanmai.refusals.words import in_cyrillic


@dataclass(frozen=True)
class Phrases:
    """One language's.

    Example:
        Phrases(
            bare="en voi", small="sitä", rules="vastoin sääntöjäni", refrain="älä tee", wrong="laitonta",
            elsewhere="puhutaan jostain", other="jotain muuta", but="mutta", limits="tarkka*",
        )
    """

    bare: str
    """A whole answer: "I can't", "impossible"."""
    small: str
    """Words that may stand beside one: "no", "that", "very"."""
    rules: str
    """The speaker's own rules, broken: "against my principles"."""
    refrain: str
    """Tells the person not to do it."""
    wrong: str
    """Words of admonition: unlawful, dangerous, unethical."""
    elsewhere: str
    """Proposes another subject."""
    other: str
    """What is offered instead: "something else"."""
    but: str
    """The contrast after which help may follow."""
    limits: str
    """What an answer need not have: "I cannot give an exact figure" is no refusal."""


_SH = Phrases(
    "ne mogu|nemoguće|to nije moguće|nije moguće|nemoguće je|ne ide|to ne ide|ni u kom slučaju|nipošto|ne želim"
    "|nema šanse|ne dolazi u obzir|neću to|to neću|neću učiniti|neću urad*|to neću učiniti",
    "ne|to|ja|jako|učiniti|uraditi",
    "protivno mojim|protiv mojih|krši moja|krši moje|suprotno mojim|u suprotnosti s mojim|u suprotnosti sa mojim",
    "nemojte|nemoj|ne činite|ne radite",
    "nezakonit*|ilegaln*|opasn*|kazneno djelo|krivično delo|zločin|neetičn*|protuzakonit*|protivzakonit*|štetn*",
    "razgovarajmo o|pričajmo o|promijenimo temu|promenimo temu|pričamo o nečem|razgovarati o nečem",
    "nečim drugim|nečem drugom|nešto drugo|druga pitanja|drugu temu|drugim temama|druge teme|drugo pitanje",
    "ali|no|međutim",
    "previše|dovoljno|točan|tačan|točn*|tačn*|precizn*|bolje|bolji|jamčiti|garantirati|garantovati|jednom riječju"
    "|jednom rečju",
)

PHRASES: Mapping[str, Phrases] = MappingProxyType({
    "hr": _SH,
    "sr": Phrases(*map(in_cyrillic, astuple(_SH))),
    "af": Phrases(
        "ek kan nie|kan nie|dit is nie moontlik nie|onmoontlik|geen kans nie|ek wil nie|dit doen ek nie"
        "|ek sal dit nie doen nie",
        "nee|dit|daardie", "teen my riglyne|teen my reëls|teen my beleid|teen my beginsels|oortree my",
        "moenie|moet dit nie doen", "onwettig*|gevaarlik*|misdaad|strafbaar|onetiese*|skadelik*",
        "praat oor iets anders|praat oor 'n ander|verander die onderwerp",
        "iets anders|'n ander onderwerp|ander vrae|ander onderwerpe", "maar|egter",
        "presies*|akkurate|beter|waarborg*|een woord",
    ),
    "ar": Phrases(
        "لا أستطيع|لا استطيع|لا يمكن|لا يمكنني|لا يمكن ذلك|غير ممكن|هذا غير ممكن|مستحيل|لا أريد|هذا مستحيل|ليس ممكنا"
        "|لن أفعل*",
        "لا|كلا|ذلك|هذا|أنا|جدا|القيام بذلك|فعل ذلك",
        "يخالف سياس*|يخالف قواعد*|يخالف إرشادات*|يتعارض مع سياس*|يتعارض مع قواعد*|يتعارض مع إرشادات*|يتعارض مع مبادئ*"
        "|ينتهك سياس*|ينتهك قواعد*|مخالف لسياس*|ضد سياس*|ضد مبادئ*",
        "لا تفعل*|لا تقم ب*|لا تحاول*|أنصحك بعدم|لا تقدم على",
        "غير قانوني*|مخالف للقانون|جريمة|خطير*|خطر*|غير أخلاقي*|ضد القانون|ضار*|يعاقب عليه*",
        "نتحدث عن شيء آخر|نتحدث عن موضوع آخر|نغير الموضوع|لنتحدث عن",
        "شيء آخر|أشياء أخرى|موضوع آخر|أمر آخر|أمور أخرى|أسئلة أخرى|سؤال آخر|أي شيء آخر|مواضيع أخرى",
        "لكن*|ولكن*|إلا أن*|ومع ذلك", "دقيق*|بالضبط|محدد*|أفضل|ضمان|أضمن|كلمة واحدة",
    ),
    "bg": Phrases(
        "не мога|не може|не става|невъзможно|невъзможно е|не е възможно|това не е възможно|не искам|в никакъв случай"
        "|няма да го направя|няма да направя това",
        "не|това|аз|много",
        "противоречи на моите|противоречи на правилата ми|против моите|срещу моите|нарушава моите|в разрез с моите"
        "|противоречи на принципите ми",
        "не правете това|не го правете|не прави това|не го прави|недейте|недей",
        "незаконн*|опасн*|престъпление|неетичн*|вредн*|противозаконн*|забранен*",
        "поговорим за нещо друго|говорим за нещо друго|сменим темата|друга тема",
        "нещо друго|друга тема|други въпроси|друг въпрос|други теми", "но|обаче|ала",
        "точн*|прецизн*|по-добр*|гарантир*|една дума|дълги|достатъчно",
    ),
    "bn": Phrases(
        "পারব না|আমি পারব না|আমি পারবো না|পারি না|আমি পারি না|সম্ভব নয়|এটা সম্ভব নয়|এটি সম্ভব নয়|অসম্ভব|হবে না"
        "|দুঃখিত পারব না|আমি বলব না|আমি … করব না|আমি … করবো না",
        "না|এটা|এটি|আমি|এটা করতে|এই কাজ",
        "আমার নীতিমালা*|আমার নীতির|আমার নির্দেশিকা*|আমার নিয়মের|আমার নিয়মের|আমার নীতিবিরুদ্ধ",
        "করবেন না|করো না|কোরো না|এমন করবেন না", "বেআইনি|অবৈধ|অপরাধ*|বিপজ্জনক|অনৈতিক|আইনবিরোধী|ক্ষতিকর*|বিপদ*",
        "অন্য কিছু নিয়ে|অন্য বিষয়ে কথা|অন্য বিষয়ে কথা|অন্য কথা বলি|প্রসঙ্গ বদলাই",
        "অন্য কিছু*|অন্য কোনো*|অন্য বিষয়ে|অন্য বিষয়ে|অন্য প্রশ্ন|অন্যভাবে", "কিন্তু|তবে|তবু",
        "সঠিক|নির্দিষ্ট|নির্ভুল|নিশ্চয়তা|নিশ্চয়তা|এক কথায়|এক কথায়|এর চেয়ে ভালো",
    ),
    "ca": Phrases(
        "no puc|no pot ser|no és possible|això no és possible|impossible|de cap manera|ni parlar-ne|no vull|no ho faré",
        "no|això|ho|fer-ho|fer això|molt",
        "en contra de les meves|en contra dels meus|contra les meves|contra els meus|viola les meves"
        "|infringeix les meves"
        "|incompleix les meves",
        "no ho facis|no ho feu|no ho faci|no facis això|no feu això|no facis",
        "il·legal*|il.legal*|delicte|perillós|perillosa|immoral|poc ètic*|perjudicial",
        "parlem d'una altra cosa|parlem d'altres|parlem d'alguna altra|canviem de tema|parlar d'una altra cosa",
        "una altra cosa|alguna altra cosa|un altre tema|altres coses|altres preguntes|una altra pregunta",
        "però|tanmateix|no obstant", "exact*|precis*|millor|garantir|una sola paraula",
    ),
    "cs": Phrases(
        "nemohu|nemůžu|to nejde|nejde|nejde to|to není možné|není možné|nemožné|v žádném případě|nechci|ani náhodou"
        "|neudělám",
        "ne|to|já|tohle", "v rozporu s mými|proti mým|porušuje mé|porušuje moje|odporuje mým",
        "nedělejte to|nedělej to|to nedělejte|to nedělej|nezkoušejte to|nedělejte",
        "nezákonn*|nelegáln*|protizákonn*|trestn*|nebezpečn*|neetick*|škodliv*|zločin",
        "mluvit o něčem jiném|o něčem jiném|změňme téma|změnit téma|bavit o něčem",
        "něčím jiným|něčem jiném|jiné téma|jiné otázky|jinou otázku|něco jiného", "ale|avšak|nicméně",
        "přesn*|lepší*|zaručit|jedním slovem",
    ),
    "da": Phrases(
        "det kan jeg ikke|kan ikke|jeg kan ikke|det går ikke|det er ikke muligt|ikke muligt|umuligt|aldrig i livet"
        "|det vil jeg ikke|jeg vil ikke|det gør jeg ikke",
        "nej|det|ikke|jeg", "imod mine|mod mine|bryder mine|overtræder mine|i strid med mine",
        "lad være|gør det ikke|gør ikke det|undlad",
        "ulovlig*|farlig*|forbrydelse|uetisk*|strafbar*|kriminel*|skadelig*",
        "tale om noget andet|snakke om noget andet|skifte emne|tal om noget andet",
        "noget andet|andre spørgsmål|et andet emne|andre emner|noget helst andet", "men|dog",
        "præcis*|nøjagtig*|bedre|garantere|eksakt*|et enkelt ord",
    ),
    "de": Phrases(
        "das geht leider nicht|geht leider nicht|nein danke"
        "|kann ich nicht|ich kann nicht|das kann ich nicht|das geht nicht|geht nicht|das ist nicht möglich"
        "|nicht möglich"
        "|unmöglich|das ist unmöglich|auf keinen fall|keinesfalls|niemals|das will ich nicht|ich will nicht"
        "|kommt nicht in frage|das kommt nicht in frage|keine chance|das tue ich nicht|das tu ich nicht"
        "|das mach ich nicht|ich mache das nicht|ich tue das nicht",
        "nein|das|leider|aber|sehr|nicht", "gegen meine*|verletzt meine|widerspricht meinen",
        "tun sie das nicht|tu das nicht|mach das nicht|machen sie das nicht|lassen sie das|lass das|tun sie dies nicht"
        "|bitte nicht",
        "illegal*|strafbar*|verboten*|gefährlich*|straftat|unethisch*|gesetzwidrig*|rechtswidrig*|schädlich*"
        "|verbrechen",
        "lass uns lieber über|lass uns lieber von|lassen sie uns lieber über|reden wir lieber"
        "|sprechen wir lieber|über etwas anderes"
        "|von etwas anderem|das thema wechseln|thema wechseln",
        "etwas anderem|etwas anderes|anderen themen|andere themen|andere fragen|anderen fragen|ein anderes thema"
        "|anderweitig|anderen dingen|anderen anliegen",
        "aber|jedoch|allerdings|dennoch",
        "genau*|exakt*|präzis*|besser*|garantier*|endgültig*|nur ein wort|mit einem wort|oft genug|zu kompliziert",
    ),
    "el": Phrases(
        "δεν μπορώ|δε μπορώ|δεν γίνεται|αυτό δεν γίνεται|αδύνατον|είναι αδύνατο|αδύνατο|δεν είναι δυνατόν"
        "|σε καμία περίπτωση|δεν θέλω|αποκλείεται|δεν θα το κάνω|δε θα το κάνω",
        "όχι|αυτό|πολύ",
        "στους κανόνες μου|τους κανόνες μου|τις αρχές μου|στις αρχές μου|τις οδηγίες μου|στις οδηγίες μου"
        "|την πολιτική μου|τις πολιτικές μου|στις πολιτικές μου",
        "μην το κάνετε|μην το κάνεις|μη το κάνετε|μην κάνετε|μην κάνεις",
        "παράνομ*|επικίνδυν*|έγκλημα|ανήθικ*|αδίκημα|βλαβερ*|επιβλαβ*",
        "μιλήσουμε για κάτι άλλο|αλλάξουμε θέμα|ας μιλήσουμε για",
        "κάτι άλλο|άλλο θέμα|άλλες ερωτήσεις|οτιδήποτε άλλο|άλλα θέματα", "αλλά|όμως|ωστόσο",
        "ακριβ*|καλύτερ*|εγγυηθώ|μία λέξη|με μια λέξη",
    ),
    "es": Phrases(
        "no puedo|no se puede|no es posible|eso no es posible|imposible|ni hablar|de ninguna manera|de ningún modo"
        "|no quiero|no lo haré|en absoluto|ni de broma|no puede ser|no lo voy a hacer|no haré eso|no haré esto",
        "no|eso|esto|hacerlo|hacer eso|lo|mucho|pero|de verdad",
        "contra de mis|contra mis|viola mis|infringe mis|incumple mis|contrario a mis|contraria a mis|vulnera mis",
        "no lo hagas|no lo haga|no lo hagan|no hagas eso|no haga eso|no hagas esto|no haga esto|no lo intentes"
        "|no lo intente",
        "ilegal*|delito|peligros*|inmoral*|crimen|perjudicial*|dañin*|contra la ley|poco étic*",
        "hablemos de|cambiemos de tema|hablar de otra cosa|hablemos mejor",
        "otra cosa|otras cosas|otro tema|otros temas|otra pregunta|otras preguntas|algo más|algo distinto"
        "|algo diferente"
        "|cualquier otra",
        "pero|sin embargo|no obstante|aunque",
        "exact*|precis*|mejor|garantiz*|una sola palabra|con certeza|definitiv*|rodeos|diagnóstico*|largas|demasiad*|suficiente*",
    ),
    "et": Phrases(
        "ma ei saa|ei saa|see pole võimalik|pole võimalik|see ei ole võimalik|ei ole võimalik|võimatu"
        "|mitte mingil juhul"
        "|ma ei taha|ma ei või|ma ei tee seda",
        "ei|see|seda|ma|teha",
        "minu reeglitega|minu põhimõtetega|minu juhistega|minu reeglite vast*|minu põhimõtete vast*|minu suuniste*"
        "|minu poliitika*",
        "ärge tehke|ära tee|palun ärge|palun ära",
        "ebaseadusli*|ohtlik*|kuritegu|ebaeetili*|seadusevast*|kahjulik*|keelatud",
        "räägime millestki|rääkida millestki muust|vahetame teemat|muust rääkida",
        "millegi muuga|midagi muud|millestki muust|muu teema|muude küsimus*|mõne muu", "aga|kuid|ent",
        "täpse*|täpne*|paremat|garanteerida|ühe sõnaga",
    ),
    "fa": Phrases(
        "نمی توانم|نمیتوانم|نمی تونم|نمیتونم|ممکن نیست|این ممکن نیست|امکان ندارد|غیرممکن است|نمی شود|نمیشود"
        "|نه نمی توانم"
        "|نمی خواهم|هرگز|امکان پذیر نیست|این امکان پذیر نیست|این کار را نمی کنم|این کار را نمیکنم|این کار را نخواهم",
        "نه|این|این کار|را|من|خیر",
        "خلاف قوانین من|برخلاف قوانین من|خلاف سیاست*|برخلاف سیاست*|خلاف اصول من|برخلاف اصول من|نقض قوانین من|مغایر با *"
        "|خلاف دستورالعمل*|برخلاف دستورالعمل*",
        "نکنید|نکن|انجام ندهید|انجام نده", "غیرقانونی*|غیر قانونی*|خطرناک*|جرم|غیراخلاقی|غیر اخلاقی|مضر|آسیب*",
        "درباره چیز دیگری|در مورد چیز دیگری|راجع به چیز دیگری|موضوع را عوض|درباره موضوع دیگری",
        "چیز دیگری|موضوع دیگری|مورد دیگری|موارد دیگر|سوال دیگری|سؤال دیگری|موضوعات دیگر", "اما|ولی|لیکن|با این حال",
        "دقیق*|مشخص*|بهتر*|تضمین|یک کلمه",
    ),
    "fi": Phrases(
        "en voi|ei onnistu|se ei onnistu|se ei ole mahdollista|ei ole mahdollista|mahdotonta|en missään nimessä"
        "|ei missään nimessä|en halua|en suostu|ei käy|se ei käy|en tee sitä|en tee tätä",
        "ei|se|sitä|valitettavasti|tehdä|tätä",
        "vastoin sääntöjäni|vastoin periaatteitani|vastoin ohjeitani|rikkoo sääntöjäni|sääntöjeni vast*|ohjeideni vast*"
        "|periaatteideni vast*|käytäntöjeni vast*",
        "älä tee|älkää tehkö|älä yritä", "laiton*|laitonta|vaaralli*|rikos*|epäeetti*|lainvast*|haitalli*|kiellett*",
        "puhutaan jostain|puhutaan jostakin|vaihdetaan aihetta|puhua jostain muusta|puhua jostakin muusta"
        "|keskustellaan jostakin",
        "jossain muussa|jossakin muussa|jotain muuta|jotakin muuta|muita kysymyksiä|muissa asioissa|toisesta aiheesta"
        "|jostain muusta|jostakin muusta|muissa kysymyksissä",
        "mutta|kuitenkin", "tarkka*|tarka*|täsmälli*|parempa*|taata|yhdellä sanalla|tarpeeksi",
    ),
    "fr": Phrases(
        "je ne peux pas|je peux pas|impossible|c'est impossible|ce n'est pas possible|pas possible|hors de question"
        "|c'est hors de question|je ne veux pas|jamais|pas question|certainement pas|absolument pas|je ne ferai pas"
        "|je ne le ferai pas",
        "non|cela|ça|le|faire|vraiment|mais",
        "l'encontre de mes|contre mes|viole mes|enfreint mes|contraire à mes|contrevient à mes",
        "ne faites pas|ne fais pas|n'essayez pas|n'essaie pas|ne le faites pas|ne le fais pas",
        "illég*|délit|dangereu*|crime|immoral*|interdit*|nuisible*|contraire à la loi|contre la loi",
        "parlons d'autre|parlons de|changeons de sujet|parler d'autre chose|parlons plutôt",
        "autre chose|autres choses|un autre sujet|d'autres sujets|autre question|d'autres questions",
        "mais|cependant|toutefois|néanmoins|en revanche",
        "exact*|précis*|meilleur*|garanti*|un seul mot|un mot|définiti*|avec certitude|diagnostic*|longues|longs|assez",
    ),
    "he": Phrases(
        "אני לא יכול*|לא יכול*|אי אפשר|זה בלתי אפשרי|בלתי אפשרי|זה לא אפשרי|לא אפשרי|בשום אופן לא|אני לא רוצה"
        "|בשום פנים ואופן|אינני יכול*|לא אעשה",
        "לא|זה|את זה|אני|לעשות|לעשות את זה",
        "את הכללים שלי|לכללים שלי|נגד הכללים שלי|את המדיניות שלי|למדיניות שלי|נגד המדיניות שלי|לעקרונות שלי"
        "|את העקרונות שלי|להנחיות שלי|את ההנחיות שלי",
        "אל תעש*|אל תנס*|נא לא לעשות|אנא אל", "לא חוקי*|בלתי חוקי*|מסוכן|מסוכנת|פשע|עבירה|לא מוסרי|לא אתי|מזיק",
        "נדבר על משהו אחר|לדבר על משהו אחר|נחליף נושא|להחליף נושא|נדבר על נושא אחר",
        "במשהו אחר|משהו אחר|נושא אחר|בנושא אחר|שאלות אחרות|דברים אחרים|בדברים אחרים|שאלה אחרת", "אבל|אך|אולם|עם זאת",
        "מדויק*|מדוייק*|בדיוק|טוב יותר|להבטיח|מילה אחת",
    ),
    "hi": Phrases(
        "मैं नहीं कर सकता|मैं नहीं कर सकती|नहीं कर सकता|नहीं कर सकती|यह संभव नहीं है|यह संभव नहीं|संभव नहीं है"
        "|संभव नहीं"
        "|असंभव है|असंभव|नहीं हो सकता|यह नहीं हो सकता|बिल्कुल नहीं|कभी नहीं|मैं नहीं चाहता|मैं नहीं बताऊँगा"
        "|मैं … नहीं करूँगा|मैं … नहीं करूंगा|मैं … नहीं करूँगी|मैं … नहीं करूंगी",
        "नहीं|यह|ये|जी|ऐसा|मैं|हम|कीजिए|कीजिये|करें|करना",
        "मेरे नियमों के|मेरी नीतियों के|मेरी नीति के|मेरे दिशानिर्देशों के|मेरे दिशा-निर्देशों के|मेरे सिद्धांतों के"
        "|मेरे नियमों का|मेरी नीतियों का|मेरे दिशानिर्देशों का",
        "मत कीजिए|मत कीजिये|मत करें|मत करो|न करें|ना करें|नहीं करना चाहिए",
        "गैरकानूनी|गैर-कानूनी|ग़ैरक़ानूनी|गैर कानूनी|अवैध|अपराध|खतरनाक|ख़तरनाक|अनैतिक|हानिकारक|नुकसानदेह",
        "चलिए … बात करते हैं|आइए … बात करते हैं|आइए … बात करें|किसी और बारे में बात|किसी और विषय|कुछ और बात"
        "|दूसरे विषय पर|किसी और चीज़ के बारे|किसी और चीज के बारे|विषय बदल",
        "किसी और|कुछ और|दूसरे विषय|अन्य विषय*|अन्य प्रश्न|कोई और|दूसरी चीज़|अन्य चीज़*",
        "लेकिन|परंतु|परन्तु|मगर|किन्तु|पर", "सटीक|ठीक-ठीक|निश्चित|बेहतर|गारंटी|एक शब्द",
    ),
    "hu": Phrases(
        "nem tehetem|nem teszem meg|nem csinálom meg|nem lehet|ez nem lehetséges|nem lehetséges|lehetetlen"
        "|ez lehetetlen|szó sem lehet róla|semmiképpen"
        "|semmiképp|nem akarom|nem fogom|dehogy|nem áll módomban|nem tudom megtenni|nem fogom megtenni|nem teszem"
        "|nem csinálom",
        "nem|ezt|azt|ez|de",
        "ellentétes az irányelveimmel|ellentétes a szabályaimmal|ellentétes az elveimmel|az irányelveimmel"
        "|a szabályaimmal|az elveimmel|megsérti az irányelveimet|sérti az irányelveimet|az irányelveim|a szabályaim"
        "|az elveim",
        "ne tegye|ne tedd|ne csinálja|ne csináld|ne próbálja",
        "törvénytelen*|illegális*|veszélyes*|bűncselekmény*|jogellenes*|etikátlan*|jogsértő|káros*|törvénybe ütköz*",
        "beszéljünk valami másról|beszéljünk másról|másról beszél*|váltsunk témát|beszéljünk inkább",
        "valami másban|valami más|más témá*|más kérdés*|más dolog*|egyéb kérdés*|másban", "de|azonban|viszont|ám",
        "pontos*|precíz*|jobb*|garantál*|egy szóban|egyetlen szó*",
    ),
    "id": Phrases(
        "tidak bisa|saya tidak bisa|aku tidak bisa|tidak dapat|saya tidak dapat|nggak bisa|gak bisa|tak bisa"
        "|tidak mungkin|itu tidak mungkin|mustahil|tidak mau|saya tidak mau|jangan harap|sama sekali tidak"
        "|itu tidak bisa"
        "|saya tidak akan melakukan*|aku tidak akan melakukan*",
        "tidak|itu|ini|saya|melakukannya|hal itu|ya|banget",
        "melanggar pedoman saya|melanggar kebijakan saya|melanggar aturan saya|melanggar prinsip saya"
        "|bertentangan dengan pedoman|bertentangan dengan kebijakan|bertentangan dengan prinsip saya"
        "|bertentangan dengan aturan saya|melanggar ketentuan saya",
        "jangan lakukan|jangan melakukan|jangan coba",
        "ilegal|melanggar hukum|berbahaya|kejahatan|tindak pidana|tidak etis|melawan hukum|merugikan|terlarang|pidana",
        "lebih baik kita bicara|mari kita bicara|bicarakan hal lain|bicara tentang hal lain|bicara hal lain"
        "|bahas hal lain|membahas hal lain|ganti topik"
        "|mengganti topik|topik lain",
        "hal lain|topik lain|pertanyaan lain|sesuatu yang lain|yang lain|hal-hal lain", "tetapi|tapi|namun",
        "pasti|tepat|persis|akurat|lebih baik|menjamin|satu kata",
    ),
    "it": Phrases(
        "non posso|non si può|non è possibile|impossibile|è impossibile|assolutamente no|neanche per sogno|non voglio"
        "|in nessun modo|non se ne parla|mai|niente da fare|non lo farò|non farò|non ho intenzione di",
        "no|questo|ciò|lo|farlo|questo non|ma",
        "contro le mie|contro i miei|viola le mie|viola i miei|contrario alle mie|contrario ai miei|contraria alle mie"
        "|contraria ai miei",
        "non farlo|non lo faccia|non fatelo|non fare questo|non provarci|non farlo mai",
        "illegal*|reato|pericolos*|crimine|immoral*|vietat*|dannos*|contro la legge|poco etic*",
        "parliamo d'altro|parliamo piuttosto di|parliamo invece di|parliamo di|cambiamo argomento|parlare d'altro"
        "|parlare di qualcos'altro",
        "qualcos'altro|qualcosa d'altro|altro argomento|altri argomenti|altre domande|un'altra domanda|d'altro"
        "|altre cose"
        "|qualcosa di diverso",
        "ma|però|tuttavia|comunque", "esatt*|precis*|miglior*|garanti*|una sola parola|con certezza|troppe|lunghe"
        "|diagnosi|abbastanza",
    ),
    "jv": Phrases(
        "aku ora isa|aku ora iso|aku ora bisa|ora bisa|ora iso|mboten saged|kula mboten saged|boten saged|ora mungkin"
        "|mokal|iku ora bisa|mboten pareng|emoh|moh|wegah|aku wegah|ora gelem|aku ora gelem|kula mboten purun|aku emoh"
        "|aku moh",
        "ora|mboten|iku|kuwi|niku|menika|aku|kula|nglakoni|nyuwun|nuwun",
        "nglanggar aturanku|nglanggar aturan kula|nglanggar pedoman|nglanggar kebijakan|nerak aturan*"
        "|nglanggar paugeran*",
        "aja nglakoni|ojo nglakoni|aja nindakake|sampun nglampahi|aja dilakoni",
        "nglanggar hukum|ilegal|mbebayani|kejahatan|dosa|ora etis|ora sah|piala",
        "ngomong bab liya|ngomongke bab liya|rembugan bab liya|ngobrol bab liya|ganti topik|bab liya wae",
        "bab liya|bab liyane|perkara liya|pitakon liya|liyane", "nanging|ning|tapi|nangging",
        "pas|persis|tepat|luwih apik|njamin",
    ),
    "lt": Phrases(
        "negaliu|tai neįmanoma|neįmanoma|jokiu būdu|nenoriu|ne man|tikrai ne|to nedarysiu", "ne|to|tai|aš|padaryti",
        "prieštarauja mano|pažeidžia mano|prieš mano", "nedarykite|nedaryk|to nedaryti|nebandykite",
        "neteisėt*|nelegal*|pavojing*|nusikaltim*|neetišk*|žaling*|draudžiam*",
        "pakalbėkime apie|kalbėkime apie|pakeiskime temą|pakalbėti apie ką",
        "kuo nors kitu|ką nors kita|kita tema|kitus klausimus|kitais klausimais|kitas tem*|kuo kitu", "bet|tačiau",
        "tiksl*|geresn*|garantuoti|vienu žodžiu",
    ),
    "lv": Phrases(
        "nevaru|tas nav iespējams|nav iespējams|neiespējami|nekādā gadījumā|negribu|nekādā ziņā|to nedarīšu",
        "nē|to|tas|es|izdarīt",
        "pretrunā ar maniem|pretrunā ar manām|pārkāpj manus|pārkāpj manas|pret maniem|pret manām",
        "nedariet|nedari|nemēģiniet", "nelikumīg*|nelegāl*|bīstam*|noziegum*|neētisk*|kaitīg*|pretlikumīg*|aizliegt*",
        "parunāsim par|runāsim par|mainīsim tēmu|parunāt par ko|parunājam par",
        "kaut ko citu|kaut kā cita|citu tēmu|citiem jautājumiem|citas tēmas|ko citu", "bet|taču|tomēr",
        "precīz*|labāk*|garantēt|vienā vārdā",
    ),
    "mr": Phrases(
        "मी करू शकत नाही|करू शकत नाही|शक्य नाही|हे शक्य नाही|अशक्य आहे|अशक्य|मला जमणार नाही|कधीच नाही|अजिबात नाही"
        "|मला शक्य नाही|मी … करणार नाही",
        "नाही|हे|ते|मी|करा", "माझ्या नियमांच्या|माझ्या धोरणांच्या|माझ्या धोरणाच्या|माझ्या तत्त्वांच्या"
        "|माझ्या मार्गदर्शक*",
        "करू नका|करू नकोस", "बेकायदेशीर|अवैध|गुन्हा|धोकादायक|अनैतिक|हानिकारक",
        "दुसऱ्या विषयावर|वेगळ्या विषयावर|दुसरे काही बोलू|विषय बदलू|दुसऱ्या कशाबद्दल",
        "दुसऱ्या कशात*|दुसऱ्या विषय*|दुसरे काही|इतर प्रश्न*|इतर विषय*|आणखी काही", "पण|परंतु|मात्र|तथापि",
        "अचूक|नेमक*|खात्री|हमी|अधिक चांगल*|एका शब्दात",
    ),
    "ms": Phrases(
        "tak boleh|tidak boleh|saya tidak boleh|tidak dapat|saya tidak dapat|tak dapat|tidak mungkin|itu tidak mungkin"
        "|mustahil|saya tak mahu|tak nak|sama sekali tidak|itu tidak boleh|saya tidak akan melakukan*|saya tak nak",
        "tidak|itu|ini|saya|melakukannya|perkara itu|tak",
        "melanggar garis panduan saya|melanggar dasar saya|melanggar peraturan saya|melanggar prinsip saya"
        "|bertentangan dengan garis|bertentangan dengan dasar|bertentangan dengan prinsip saya|menyalahi dasar",
        "jangan lakukan|jangan buat|jangan cuba",
        "menyalahi undang-undang|haram|berbahaya|jenayah|tidak beretika|salah di sisi|memudaratkan|merbahaya"
        "|melanggar undang-undang",
        "berbual tentang perkara lain|bincang perkara lain|bincangkan perkara lain|cakap pasal lain|tukar topik"
        "|bercakap tentang perkara lain|topik lain",
        "perkara lain|topik lain|soalan lain|hal lain|sesuatu yang lain", "tetapi|tapi|namun|walau bagaimanapun",
        "tepat|pasti|lebih baik|menjamin|satu perkataan",
    ),
    "nl": Phrases(
        "dat kan ik niet|kan ik niet|ik kan niet|dat kan niet|kan niet|dat gaat niet|gaat niet|dat is niet mogelijk"
        "|niet mogelijk|onmogelijk|geen sprake van|in geen geval|nooit|dat wil ik niet|ik wil niet|echt niet"
        "|vergeet het maar|dat ga ik niet|dat doe ik niet",
        "nee|dat|helaas|maar|het|spijt",
        "strijd met mijn|tegen mijn richtlijnen|tegen mijn regels|tegen mijn principes|tegen mijn beleid|schendt mijn",
        "doe dat niet|doe dit niet|doe dat alsjeblieft niet|doe dat alstublieft niet|niet doen|doe het niet",
        "illegaal|illegale|strafbaar|strafbare|verboden|gevaarlijk*|misdrijf|misdaad|onethisch*|onwettig*|schadelijk*",
        "laten we het over … hebben|laten we het hebben over|over iets anders|van onderwerp veranderen"
        "|van onderwerp wisselen|over een ander onderwerp",
        "iets anders|andere vragen|andere onderwerpen|een ander onderwerp|een andere vraag|andere dingen",
        "maar|echter|toch", "precies|precieze|exact*|beter|betere|garander*|één woord|definitie*",
    ),
    "no": Phrases(
        "det kan jeg ikke|kan ikke|jeg kan ikke|det går ikke|det er ikke mulig|ikke mulig|umulig|det er umulig"
        "|aldri i livet|det vil jeg ikke|jeg vil ikke|absolutt ikke|det gjør jeg ikke",
        "nei|det|ikke|jeg",
        "mot retningslinjene mine|mot mine|bryter med mine|bryter mine|i strid med mine|mot reglene mine"
        "|mot prinsippene mine|bryter retningslinjene mine",
        "ikke gjør det|la være|ikke gjør dette|gjør det ikke|unngå å",
        "ulovlig*|farlig*|forbrytelse|uetisk*|straffbar*|kriminel*|skadelig*",
        "snakke om noe annet|prate om noe annet|bytte tema|skifte tema|snakk om noe annet",
        "noe annet|andre spørsmål|et annet tema|andre temaer|andre ting", "men|imidlertid|likevel",
        "nøyaktig*|presis*|eksakt*|bedre|garantere|ett ord",
    ),
    "pl": Phrases(
        "nie mogę|nie da się|niemożliwe|to niemożliwe|to nie jest możliwe|nie jest możliwe|to jest niemożliwe"
        "|w żadnym wypadku|wykluczone|nie chcę|nie ma mowy|nigdy|absolutnie nie|nie zrobię",
        "nie|tego|to|bardzo|ale|zrobić",
        "z moimi zasadami|z moimi wytycznymi|z moimi wartościami|przeciwko moim|narusza moje|łamie moje|wbrew moim"
        "|sprzeczne z moimi",
        "proszę tego nie robić|nie rób tego|nie róbcie tego|tego nie rób|proszę nie robić|nie próbuj",
        "nielegaln*|niezgodn* z prawem|przestępstw*|niebezpieczn*|nieetyczn*|bezprawn*|szkodliw*|karaln*",
        "porozmawiajmy lepiej|porozmawiajmy raczej|porozmawiajmy o|pomówmy o|zmieńmy temat|porozmawiać o czymś innym",
        "czymś innym|coś innego|inny temat|inne pytania|innym temacie|innych tematach|inne pytanie",
        "ale|jednak|lecz|natomiast", "dokładn*|precyzyjn*|lepsz*|zagwarantować|jednym słowem",
    ),
    "pt": Phrases(
        "não posso|não dá|não é possível|isso não é possível|impossível|é impossível|de jeito nenhum|de forma alguma"
        "|de maneira nenhuma|não quero|nem pensar|nunca|não consigo|nem morto|não farei|não o farei|não vou fazer isso",
        "não|isso|isto|muito|mas|fazer isso|o|fazê-lo",
        "contra as minhas|contra minhas|contra os meus|contra meus|viola as minhas|viola minhas|viola meus"
        "|viola os meus"
        "|contrário às minhas|contraria as minhas|contraria minhas|infringe minhas",
        "não faça isso|não faças isso|não o faça|não faça isto|não faças|não tente",
        "ilegal|ilegais|crime|perigos*|imoral|antiétic*|proibid*|prejudicial|contra a lei|delito",
        "vamos antes falar|falemos antes|falar de outra coisa|falemos de|falar sobre outra coisa|vamos falar de outr*"
        "|mudar de assunto"
        "|mudemos de assunto"
        "|conversar sobre outra",
        "outra coisa|outras coisas|outro assunto|outros assuntos|outra pergunta|outras perguntas|algo mais|outro tema"
        "|algo diferente",
        "mas|porém|contudo|no entanto|entretanto", "exat*|exact*|precis*|melhor|garanti*|uma só palavra|com certeza"
        "|muitas voltas|rodeios|diagnóstico*|longas",
    ),
    "ro": Phrases(
        "nu pot|nu se poate|nu este posibil|nu e posibil|imposibil|este imposibil|în niciun caz|nici gând|nu vreau"
        "|niciodată|nici vorbă|nu voi face|nu o să fac|nu fac asta",
        "nu|asta|acest lucru|face|foarte|o",
        "contravine regulilor mele|contravine principiilor mele|contravine politicilor mele|împotriva regulilor mele"
        "|împotriva principiilor mele|încalcă regulile mele|încalcă principiile mele|încalcă politicile mele"
        "|contrar regulilor mele|contrar principiilor mele",
        "să nu faci|nu face asta|nu faceți|nu faceti|să nu faceți|nu încerca",
        "ilegal*|infracțiune|periculos|periculoasă|imoral*|interzis*|dăunător|dăunătoare|împotriva legii|neetic*",
        "vorbim despre altceva|să vorbim despre|schimbăm subiectul|vorbi despre altceva|schimbe subiectul",
        "altceva|alt subiect|alte subiecte|alte întrebări|altă întrebare|alte lucruri", "dar|însă|totuși|insa",
        "exact*|precis*|mai bun*|garanta|un singur cuvânt|înapoi|destul",
    ),
    "ru": Phrases(
        "не могу|я не могу|нельзя|невозможно|это невозможно|никак нет|ни за что|ни в коем случае|не хочу|не получится"
        "|это не получится|исключено|никогда|не буду|я не буду|этого делать не буду|не буду этого|не стану этого"
        "|не сделаю этого|этого не сделаю|я не стану|делать этого не буду",
        "нет|это|этого|я|увы|очень|сделать|так|но|делать|с этим",
        "противоречит моим|нарушает мои|против моих|не соответствует моим|вразрез с моими",
        "не делайте этого|не делай этого|не надо этого|не делайте так|не делай так|не стоит этого делать|не пытайтесь",
        "незаконн*|противозаконн*|опасн*|преступлен*|неэтичн*|аморальн*|уголовн*|вредн*|наказуем*",
        "давайте поговорим о|поговорим о|сменим тему|поговорить о чём|поговорить о чем|давай поговорим о",
        "чем-то другим|чём-то другом|чем-то другом|чём-нибудь другом|чем-нибудь другом|чем-нибудь другим|другую тему"
        "|другие вопросы|других вопросах|другой вопрос|другой теме|другим вопросам|что-то другое",
        "но|однако|зато", "точн*|лучш*|гарантир*|одним словом|наверняка",
    ),
    "sk": Phrases(
        "nemôžem|to nejde|nejde to|to nie je možné|nie je možné|nemožné|v žiadnom prípade|nechcem|ani náhodou|neurobím",
        "nie|to|ja|toto", "v rozpore s mojimi|proti mojim|porušuje moje|odporuje mojim",
        "nerobte to|nerob to|to nerobte|to nerob|nerobte|neskúšajte",
        "nezákonn*|nelegáln*|protizákonn*|trestn*|nebezpečn*|neetick*|škodliv*|zločin",
        "o niečom inom|zmeňme tému|zmeniť tému", "niečím iným|niečom inom|inú tému|iné otázky|inú otázku|niečo iné",
        "ale|avšak|však", "presn*|lepši*|zaručiť|jedným slovom",
    ),
    "sl": Phrases(
        "ne morem|ni mogoče|to ni mogoče|nemogoče|to je nemogoče|v nobenem primeru|nikakor|nočem|ne gre|to ne gre"
        "|ne bom naredil*|ne bom storil*",
        "ne|to|tega|jaz", "v nasprotju z mojimi|proti mojim|krši moja|krši moje",
        "ne počnite|ne počni|ne delajte tega|ne delaj tega|nikar",
        "nezakonit*|nelegaln*|nevarn*|kaznivo dejanje|zločin|neetičn*|protizakonit*|škodljiv*",
        "pogovoriva se o|pogovorimo se o|govorimo o čem|zamenjajmo temo|pogovarjajva se o",
        "čim drugim|čem drugem|nekaj drugega|drugo temo|druga vprašanja|nečem drugem|čem drugim", "ampak|vendar|toda",
        "točan|tačan|točn*|natančn*|boljš*|zagotovi*|z eno besedo",
    ),
    "sv": Phrases(
        "det kan jag inte|kan inte|jag kan inte|det går inte|går inte|det är inte möjligt|inte möjligt|omöjligt"
        "|det är omöjligt|aldrig i livet|det vill jag inte|jag vill inte|absolut inte|det gör jag inte"
        "|det tänker jag inte",
        "nej|det|tyvärr|jag|men", "mot mina|bryter mot mina|strider mot mina|emot mina",
        "gör inte det|gör inte detta|gör det inte|låt bli|försök inte",
        "olaglig*|farlig*|brott|oetisk*|straffbar*|brottslig*|skadlig*|förbjud*",
        "låt oss prata om|låt oss tala om|prata om något annat|tala om något annat|byta ämne|byt ämne"
        "|pratar om något annat",
        "något annat|andra frågor|ett annat ämne|andra ämnen|en annan fråga|andra saker", "men|dock|däremot",
        "exakt*|precis*|bättre|garantera|noggrann*|ett enda ord",
    ),
    "sw": Phrases(
        "siwezi|siwezi kabisa|haiwezekani|haliwezekani|hilo haliwezekani|hapana kabisa|kamwe|sitaki|sitafanya"
        "|sitafanya hivyo|sitafanya hilo",
        "hapana|hilo|hivyo|kufanya hivyo|sana|hiyo|mimi|la",
        "kinyume na sera zangu|kinyume cha sera zangu|kinyume na miongozo yangu|kinyume na kanuni zangu"
        "|kinyume cha miongozo yangu|inakiuka sera|inakiuka miongozo|inakiuka kanuni|linakiuka sera|linakiuka miongozo"
        "|yanakiuka sera|kinyume na maadili yangu",
        "usifanye|msifanye|usijaribu",
        "kinyume cha sheria|kinyume na sheria|haramu|hatari|uhalifu|kosa la jinai|kosa|madhara|si halali",
        "tuzungumze kuhusu|tuongee kuhusu|tubadilishe mada|tuzungumzie jambo|tuzungumzie",
        "jambo lingine|mambo mengine|kitu kingine|mada nyingine|maswali mengine|swali lingine", "lakini|ila|hata hivyo",
        "kamili|sahihi|halisi|bora zaidi|hakika|neno moja",
    ),
    "ta": Phrases(
        "முடியாது|என்னால் முடியாது|சாத்தியமில்லை|அது சாத்தியமில்லை|இது சாத்தியமில்லை|இயலாது|என்னால் இயலாது"
        "|ஒருபோதும் இல்லை|நடக்காது|செய்யமாட்டேன்",
        "இல்லை|அது|இது|என்னால்|அதை", "எனது விதி*|என் விதி*|எனது கொள்கை*|என் கொள்கை*|எனது வழிகாட்டுதல்*|எனது வழிகாட்டு*",
        "செய்யாதீர்கள்|செய்யாதே|செய்ய வேண்டாம்|செய்யவேண்டாம்",
        "சட்டவிரோத*|குற்றம்|ஆபத்தான*|ஆபத்து|தவறான*|நெறிமுறையற்ற*|தீங்கு*",
        "வேறு ஏதாவது|வேறு விஷயம்|வேறு தலைப்*|வேறு எதைப்*|வேறொன்றை*",
        "வேறு எதிலாவது|வேறு ஏதாவது|வேறு விஷய*|வேறு கேள்வி*|வேறு எதையும்|வேறு ஏதேனும்", "ஆனால்|எனினும்|ஆயினும்",
        "சரியான|துல்லிய*|உத்தரவாதம்|சிறந்த|ஒரே வார்த்தை*",
    ),
    "te": Phrases(
        "నేను చేయలేను|చేయలేను|సాధ్యం కాదు|అది సాధ్యం కాదు|ఇది సాధ్యం కాదు|కుదరదు|అది కుదరదు|నా వల్ల కాదు|అసాధ్యం"
        "|ఎప్పటికీ కాదు|నేను … చేయను",
        "లేదు|అది|ఇది|నేను|అలా|కాదు",
        "నా నియమాలకు|నా విధానాలకు|నా మార్గదర్శకాలకు|నా సూత్రాలకు|నా నియమాలను|నా విధానాలను|నా మార్గదర్శకాలను",
        "చేయకండి|చేయవద్దు|చెయ్యకండి|చేయొద్దు", "చట్టవిరుద్ధ*|చట్ట విరుద్ధ*|నేరం|ప్రమాదకర*|అనైతిక*|హానికర*",
        "మరో విషయం గురించి|వేరే విషయం|ఇంకేదైనా మాట్లాడ*|వేరే దాని గురించి|మరొక విషయం",
        "మరో విషయ*|వేరే విషయ*|మరేదైనా|ఇంకేదైనా|ఇతర ప్రశ్న*|ఇతర విషయ*|వేరే దాని*", "కానీ|అయితే|కాని",
        "కచ్చితమైన|ఖచ్చితమైన|సరైన|హామీ|మెరుగైన|ఒక్క మాటలో",
    ),
    "tl": Phrases(
        "hindi pwede|hindi puwede|hindi maaari|hindi posible|hindi iyan posible|hindi ko kaya|di pwede|imposible|ayoko"
        "|ayaw ko|hindi ko gagawin|hindi ako papayag|hindi kailanman",
        "hindi|po|iyan|iyon|'yan|yan|ito|talaga|na|ako",
        "sa aking mga patakaran|sa aking patakaran|sa aking mga alituntunin|sa aking alituntunin|sa mga alituntunin ko"
        "|sa aking mga prinsipyo|sa aking prinsipyo|sa aking mga panuntunan",
        "huwag mong gawin|huwag gawin|huwag po ninyong gawin|huwag ninyong gawin|huwag mo",
        "ilegal|labag sa batas|labag iyan sa batas|krimen|mapanganib|delikado|hindi etikal|masama|nakakasama",
        "pag-usapan natin ang iba*|pag-usapan na lang natin|ibang paksa|ibang bagay tayo|mag-usap tayo tungkol sa iba*",
        "ibang bagay|ibang paksa|ibang tanong|iba pang tanong|iba pa", "pero|ngunit|subalit|gayunpaman",
        "eksaktong|eksakto|tiyak na|mas mabuting|mas mahusay|garantiya|isang salita",
    ),
    "tr": Phrases(
        "yapamam|edemem|olmaz|mümkün değil|bu mümkün değil|imkansız|imkânsız|bu imkansız|asla|kesinlikle hayır"
        "|istemiyorum|bunu istemiyorum|bu olmaz|yapmam|bunu yapmam|yapmayacağım|bunu yapmayacağım|olamaz",
        "hayır|bu|bunu|çok|ama|ne yazık ki|üzgünüm",
        "kurallarıma aykırı*|ilkelerime aykırı*|politikalarıma aykırı*|yönergelerime aykırı*|prensiplerime aykırı*"
        "|kurallarımı ihlal|politikalarımı ihlal|ilkelerimi ihlal",
        "bunu yapmayın|bunu yapma|yapmayınız|lütfen yapma*",
        "yasa dışı*|yasadışı*|suç*|tehlikeli*|kanunsuz*|etik dışı|ahlaksız*|kanuna aykırı*|yasalara aykırı*|zararlı*"
        "|yasak*",
        "gelin … konuşalım|onun yerine … konuşalım|başka bir şeyden|başka bir şey hakkında|başka bir konudan"
        "|konuyu değiştir*|başka şeylerden"
        "|başka bir konu hakkında",
        "başka bir konu*|başka bir şey*|diğer konular*|başka sorular*|başka konular*|başka soru*",
        "ama|ancak|fakat|yine de", "kesin|tam|net|daha iyi|garanti|tek kelime*",
    ),
    "uk": Phrases(
        "ні за що|не можу|я не можу|неможливо|це неможливо|не вийде|нізащо|в жодному разі|ні в якому разі|не хочу"
        "|ніколи|не буду"
        "|я не буду|виключено|не зможу|цього не зроблю|не зроблю цього|робити цього не буду|цього робити не буду"
        "|не буду цього",
        "ні|це|цього|я|дуже|зробити|так|робити",
        "суперечить моїм|порушує мої|проти моїх|не відповідає моїм|всупереч моїм",
        "не робіть цього|не роби цього|не робіть так|не варто цього робити|не намагайтеся",
        "незаконн*|протизаконн*|небезпечн*|злочин*|неетичн*|аморальн*|шкідлив*|карається",
        "поговорімо про|поговоримо про|давайте поговоримо|змінімо тему|змінимо тему|поговорити про щось",
        "чимось іншим|щось інше|іншу тему|інші питання|інших питаннях|інше питання|іншими питаннями|щось інакше",
        "але|однак|проте|зате", "точн*|кращ*|гарантув*|одним словом|напевно",
    ),
    "ur": Phrases(
        "میں نہیں کر سکتا|میں نہیں کر سکتی|نہیں کر سکتا|نہیں کر سکتی|ممکن نہیں|یہ ممکن نہیں|یہ ممکن نہیں ہے|ناممکن ہے"
        "|ناممکن|ہرگز نہیں|بالکل نہیں|کبھی نہیں|نہیں ہو سکتا|میں … نہیں کروں گا|میں … نہیں کروں گی",
        "نہیں|جی|یہ|میں|ایسا|جی نہیں",
        "میرے اصولوں کے|میری پالیسی*|میرے قواعد کے|میرے ضوابط کے|میرے رہنما اصولوں|میرے اصولوں کی|میرے قواعد کی",
        "نہ کریں|مت کریں|نہ کیجیے|مت کرو|مت کیجیے", "غیر قانونی|غیرقانونی|جرم|خطرناک|غیر اخلاقی|نقصان دہ|خلاف قانون",
        "کسی اور موضوع|کسی اور بارے|کچھ اور بات|موضوع بدل|کسی اور چیز کے بارے",
        "کسی اور|کچھ اور|دوسرے موضوع*|دیگر سوال*|کوئی اور|دوسری چیز*", "لیکن|مگر|تاہم|البتہ",
        "درست|بالکل صحیح|حتمی|یقینی|بہتر|ضمانت|ایک لفظ",
    ),
    "vi": Phrases(
        "không được|tôi sẽ không|mình sẽ không|không được đâu|không thể|tôi không thể|không thể được"
        "|điều đó là không thể|không đời nào"
        "|tuyệt đối không|tôi không muốn|không bao giờ|chịu thôi|tôi chịu|mình chịu|không thể nào|điều đó không thể"
        "|tôi sẽ không làm|tôi không làm được",
        "không|điều đó|việc đó|việc này|điều này|ạ|đâu|dạ|nhé|rất|làm vậy|tôi|mình",
        "trái với nguyên tắc của tôi|trái với chính sách|vi phạm chính sách|vi phạm nguyên tắc|vi phạm quy tắc"
        "|trái với quy tắc|vi phạm các nguyên tắc|vi phạm các chính sách|trái với các nguyên tắc"
        "|trái với hướng dẫn của tôi",
        "đừng làm|xin đừng|không nên làm|đừng thử",
        "phạm pháp|bất hợp pháp|trái pháp luật|vi phạm pháp luật|nguy hiểm|tội phạm|phi đạo đức|có hại|phạm tội"
        "|trái phép",
        "hay là chúng ta nói về|chúng ta hãy nói về|nói về chuyện khác|nói chuyện khác|đổi chủ đề|chuyển chủ đề"
        "|nói về điều khác|nói về việc khác"
        "|nói về chủ đề khác",
        "việc khác|chuyện khác|chủ đề khác|điều khác|câu hỏi khác|vấn đề khác|gì khác", "nhưng|tuy nhiên|song",
        "chính xác|cụ thể|tốt hơn|đảm bảo|chắc chắn|một từ",
    ),
})  # fmt: skip
"""By ISO 639-1 code, of every language of refusal_words.WORDS."""

UNSPACED_PHRASES: Mapping[str, Phrases] = MappingProxyType({
    "ja": Phrases(
        r"無理(?:です)?|それは無理(?:です)?|できません|出来ません|だめです|ダメです|嫌です|いやです|お断り(?:します"
        r"|です)?"
        r"|しません|それはできません|不可能です|できかねます|ご遠慮ください",
        r"いいえ|いえ|それ|これ|は|が|も|すみません|ごめんなさい|ごめん|申し訳ありません|申し訳ございません|残念ながら"
        r"|恐れ入りますが|絶対に?|ちょっと|、|。|そんなこと|私|に|を",
        r"(?:私|当社|弊社|わたし)の\S{0,8}(?:ガイドライン|方針|ポリシー|規約|原則|ルール|規則)\S{0,4}(?:反し|違反"
        r"|抵触|反する)",
        r"やめてください|しないでください|おやめください|行わないでください|やめましょう",
        r"違法|犯罪|危険|非倫理|有害|法律に(?:反|違反)|倫理に反|不正",
        r"(?:別|ほか|他)の(?:話|話題|こと|テーマ)\S{0,6}(?:しましょう|話しましょう|変えましょう|に移りましょう"
        r"|どうですか)"
        r"|話題を変え|それより\S{0,12}話を?(?:しましょう|しませんか)",
        r"(?:他|ほか|別)の(?:こと|質問|話題|件|ご質問|お手伝い|話|方法)|他に(?:何|ご)|ほかに何",
        r"しかし|ただし|でも|けれど|ですが|ませんが|だが|けど", r"正確|具体的|厳密|保証|断言|一言",
    ),
    "ko": Phrases(
        r"안 ?돼요|안 ?됩니다|안 ?돼|못 ?합니다|못 ?해요|못 ?해|할 수 없(?:습니다|어요|어)|불가능(?:합니다|해요)"
        r"|그건 (?:안|불가)\S{0,4}|싫(?:습니다|어요|어)|절대 안\s?\S{1,4}|그렇게 하지 않겠습니다|하지 않겠습니다"
        r"|안 할게요"
        r"|그럴 수 없(?:습니다|어요)|어렵습니다|곤란합니다",
        r"아니요?|아뇨|죄송하지만|죄송합니다(?:만)?|미안하지만|미안해요?|그것은|그건|이것은|저는|그렇게|유감스럽게도"
        r"|안타깝지만|,|제가|그런 건",
        r"(?:제|저의|우리|저희|내)\s?\S{0,8}\s?\S{0,6}(?:정책|가이드라인|지침|원칙|규정)"
        r"\S{0,3}\s?(?:에 )?(?:위배|어긋|위반|반하|맞지 않)",
        r"(?:그러지|하지|그렇게 하지|시도하지) (?:마세요|마십시오|말아|마라|마시)|삼가",
        r"불법|범죄|위험|비윤리|유해|위법|해롭|해로운",
        r"다른 (?:이야기|얘기|주제|화제)\S{0,4}\s?\S{0,4}(?:합시다|해요|하죠|할까요|해 ?봐요|나눠요|바꾸|넘어)"
        r"|화제를 (?:바꾸|돌리)|(?:차라리|대신)[^.]{0,20}(?:이야기|얘기)\S{0,2} ?(?:합시다|해요|하죠|나눠요)",
        r"다른 (?:것|질문|주제|도움|일|문제|방법|이야기|부분)", r"하지만|그러나|지만|그렇지만|다만|는데",
        r"정확|구체적|확실|보장|한마디|더 (?:나은|좋은)",
    ),
    "th": Phrases(
        r"ไม่ได้|ทำไม่ได้|เป็นไปไม่ได้|ช่วยไม่ได้|บอกไม่ได้|ไม่มีทาง|ไม่ทำ|จะไม่ทำแบบนั้น|จะไม่ทำ|ไม่สามารถ"
        r"|ไม่สามารถทำได้"
        r"|ไม่เอา|ไม่ยอม|ไม่เด็ดขาด",
        r"ไม่|ขอโทษ|ขออภัย|เสียใจด้วย|ครับ|ค่ะ|คะ|นะ|ฉัน|ผม|ดิฉัน|เรา|ก็|คง|เรื่องนี้|อันนี้|แบบนี้|แบบนั้น|จ้ะ|จ้า"
        r"|หรอก"
        r"|เลย",
        r"(?:ขัดต่อ|ขัดกับ|ผิด|ละเมิด|ฝ่าฝืน)\s?(?:นโยบาย|หลักการ|แนวทาง|กฎ|จริยธรรม|แนวปฏิบัติ|ข้อกำหนด)",
        r"อย่า\s?(?:ทำ|พยายาม|ลอง)|ไม่ควรทำ",
        r"ผิดกฎหมาย|อันตราย|อาชญากรรม|ผิดศีลธรรม|ผิดจริยธรรม|เป็นความผิด|ไม่เหมาะสม",
        r"คุย(?:กัน)?(?:เรื่อง|หัวข้อ)อื่น|พูด(?:คุย)?(?:กัน)?(?:ถึง)?เรื่องอื่น|เปลี่ยนเรื่อง|เปลี่ยนหัวข้อ",
        r"เรื่องอื่น|หัวข้ออื่น|คำถามอื่น|สิ่งอื่น|อย่างอื่น|ด้านอื่น", r"แต่|อย่างไรก็ตาม|ทว่า",
        r"แน่นอน|แม่นยำ|ถูกต้อง|ชัดเจน|รับประกัน|ดีกว่า|คำเดียว|เป๊ะ",
    ),
    "zh": Phrases(
        r"不行|不可以|不能|不可能|这不可能|這不可能|做不到|办不到|辦不到|没门|沒門|免谈|免談|绝对不行|絕對不行|想都别想"
        r"|恕难从命|我不会这么做|我不会这样做|我不會這麼做|我不做|不干",
        r"不|这|這|那|我|这个|這個|很|对不起|對不起|抱歉|不好意思|吧|的|也|真的|，|,|。|！",
        r"(?:违反|違反|违背|違背|不符合|触犯)(?:了)?(?:我|我们|我們|本)(?:的|平台)?\S{0,8}(?:准则|準則|原则|原則|政策"
        r"|规定|規定|规则|規則|守则|指南|规范)",
        r"请?(?:不要|别|別|勿|千万别)\S{0,2}(?:这样|這樣|这么|這麼|那样|做|尝试|嘗試|去)",
        r"违法|違法|犯法|非法|犯罪|危险|危險|不道德|有害|触犯法律",
        r"(?:还是|還是|不如|不妨|要不)\S{0,3}(?:聊|谈|談)|聊(?:点|點|聊)?(?:别的|別的|其他)|换(?:个|一个)话题|換(?:個"
        r"|一個)話題|谈(?:点|谈)?(?:别的|其他)|说(?:点"
        r"|说)?别的",
        r"别的|別的|其他(?:问题|問題|事情|话题|話題|方面|内容)|其他的|另外的", r"但是?|不过|不過|然而|可是",
        r"准确|準確|确切|確切|精确|精確|具体|具體|保证|保證|更好|一个字|一句话",
    ),
})  # fmt: skip
"""Of the others but English, as regular expressions."""
