"""How a short answer closes a subject without an act of helping, as data: rewards/refusal_phrases.py makes patterns of it.

`*`, `…` and `|` as in rewards/refusal_words.py; of languages that are written without blanks, and of Korean, regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sanmai.rewards.refusal_words import in_cyrillic


@dataclass(frozen=True)
class Closed:
    """One language's, each in the speaker's own person.

    Example:
        Closed(closes="en saa puhua|en anna … tietoja|mieluummin en vastaa|minun on hylättävä", asks="kysy jotain muuta")
    """

    closes: str
    """Is not allowed to speak, will not give it, would rather not or must decline, what has been asked for."""
    asks: str
    """Wants to be asked something else."""


_SH = Closed(
    "ne smijem … govoriti|ne smem da govorim|ne smijem reći|ne smem … reći|nije mi dopušteno|nije mi dozvoljeno"
    "|nemam pravo … govoriti|neću dati … informacij*|neću davati|te informacije ne dajem|radije ne bih"
    "|radije ne odgovaram|moram odbiti|primoran* sam odbiti|prisiljen* sam odbiti|ne želim govoriti"
    "|ne želim o tome|ne želim da govorim|ne mogu govoriti o|ne mogu da govorim|ne mogu o tome|ne mogu … reći",
    "pitaj me nešto drugo|pitajte me nešto drugo|postavite … drugo pitanje|postavi … drugo pitanje|pitaj nešto drugo"
    "|pitajte nešto drugo",
)

CLOSED: Mapping[str, Closed] = MappingProxyType({
    "hr": _SH,
    "sr": Closed(in_cyrillic(_SH.closes), in_cyrillic(_SH.asks)),
    "af": Closed(
        "ek mag … nie praat|ek mag nie … praat|ek mag … nie sê|ek word nie toegelaat|dit word my nie toegelaat"
        "|ek sal … inligting nie gee|ek gee nie … inligting|ek verkies om nie|ek sal liewer nie|ek moet … weier"
        "|ek moet … van die hand|ek wil nie daaroor|ek kan nie daaroor|ek kan dit nie sê",
        "vra my iets anders|vra … iets anders|vra 'n ander vraag",
    ),
    "ar": Closed(
        "لا يُسمح لي|لا يسمح لي|غير مسموح لي|لست مخولا|لا يحق لي|لا يجوز لي|لن أعطي* … المعلومات|لن أقدم … المعلومات"
        "|لن أفصح|أفضل عدم|أفضل ألا|أُفضّل عدم|أفضّل عدم|أود الامتناع|أمتنع عن|مضطر* … رفض|مضطر* … للرفض|علي رفض"
        "|عليّ رفض"
        "|علي أن أرفض|لا أريد … الحديث|لا أرغب في|لا أستطيع … الحديث|لا أستطيع … التحدث|لا يمكنني … الحديث"
        "|لا يمكنني … التحدث|لا أستطيع … قول|لا يمكنني … قول",
        "اسألني … آخر|اسأل … آخر|اسألني سؤالا آخر|اطرح سؤالا آخر|اسألني شيئا آخر",
    ),
    "bg": Closed(
        "не ми е позволено|не ми е разрешено|нямам право … говор*|нямам право да|няма да дам … информация"
        "|няма да дам|няма да предоставя|предпочитам да не|по-добре да не|трябва да откажа|принуден* съм … откажа"
        "|налага се … откажа|не искам … говоря|не мога … говоря|не мога … кажа",
        "попитай* ме нещо друго|питай* ме нещо друго|питайте … нещо друго|задайте … друг въпрос|задай … друг въпрос",
    ),
    "bn": Closed(
        "কথা বলার অনুমতি নেই|বলার অনুমতি নেই|আমার … অনুমতি নেই|এই তথ্য দেব না|তথ্য দেবো না|তথ্য দেব না"
        "|উত্তর না দেওয়াই|উত্তর না দেওয়াই|উত্তর দিতে চাই না|বলতে চাই না|কথা বলতে চাই না|প্রত্যাখ্যান করতে হচ্ছে"
        "|প্রত্যাখ্যান করছি|কথা বলতে পারি না|কথা বলতে পারব না|বলতে পারব না|বলতে পারি না",
        "অন্য কিছু জিজ্ঞাসা কর*|অন্য কিছু জিজ্ঞেস কর*|অন্য প্রশ্ন কর*|অন্য কোনো প্রশ্ন কর*",
    ),
    "ca": Closed(
        "no em deixen parlar|no tinc permís|no estic autoritzat*|no em és permès|no m'és permès|no se'm permet"
        "|no donaré"
        "|prefereixo no|m'estimo més no|he de declinar|he de refusar|he de rebutjar|em veig obligat*|no vull parlar"
        "|no puc parlar|no puc dir",
        "pregunta'm una altra|pregunteu-me una altra|pregunti'm una altra|pregunta'm alguna altra"
        "|fes-me una altra pregunta",
    ),
    "cs": Closed(
        "nesmím o tom|nesmím … mluvit|nesmím … říct|není mi dovoleno|nemám dovoleno|nemám povoleno|nedám … informac*"
        "|neposkytnu|informace neposkyt*|raději neodpov*|raději nebudu|radši ne*|musím odmítnout|jsem nucen* odmítnout"
        "|nechci … mluvit|nemohu … mluvit|nemůžu … mluvit|nemohu … říct|nemůžu … říct|nemohu … říci",
        "zeptej* se … na něco jiného|ptej* se … na něco jiného|položte … jinou otázku|polož … jinou otázku",
    ),
    "da": Closed(
        "jeg må ikke … tale|jeg må ikke sige|det må jeg ikke|jeg har ikke lov|jeg har ikke tilladelse"
        "|de oplysninger giver jeg ikke|den information giver jeg ikke|jeg giver ikke … oplysning*|jeg vil helst ikke"
        "|jeg vil hellere ikke|jeg foretrækker ikke|jeg foretrækker at lade|jeg må afslå|jeg må afvise"
        "|jeg er nødt til at afvise|jeg er nødt til at afslå|det vil jeg ikke tale|jeg vil ikke tale"
        "|jeg kan ikke tale om"
        "|det kan jeg ikke tale|det kan jeg ikke sige|det kan jeg ikke fortælle",
        "spørg … om noget andet|stil … et andet spørgsmål|spørg mig … andet",
    ),
    "de": Closed(
        "darf ich … sprechen|ich darf … nicht|ich darf … nichts|darf ich … nicht|darf ich … nichts"
        "|mir ist es nicht erlaubt"
        "|es ist mir nicht erlaubt|es ist mir nicht gestattet|mir ist nicht gestattet|mir ist nicht erlaubt"
        "|gebe ich keine|ich gebe … keine auskunft|ich gebe … keine informationen|gebe ich nicht"
        "|werde ich nicht … geben|gebe ich … nicht heraus|verrate ich … nicht|ich verrate … nicht"
        "|möchte ich … nicht sprechen|möchte ich … nicht reden|möchte ich nichts sagen|möchte ich lieber nicht"
        "|ich möchte nicht darüber|ich möchte darüber nicht|ich möchte … nicht beantworten|will ich nicht sprechen"
        "|will ich nicht reden|will nicht darüber|ich ziehe es vor|ich würde lieber nicht|ich möchte lieber nicht"
        "|da sage ich lieber nichts|sage ich nichts|ich sage dazu nichts|ich muss … ablehnen|muss ich … ablehnen"
        "|muss … leider ablehnen|sehe mich gezwungen|muss leider passen|ich muss passen|kann ich nicht sprechen"
        "|kann ich nichts sagen|kann ich … nicht sagen|ich kann nicht darüber|ich kann dazu nichts",
        "frag … etwas anderes|frage mich etwas anderes|fragen sie … etwas anderes|stell … eine andere frage"
        "|stellen sie … eine andere frage|frag … was anderes",
    ),
    "el": Closed(
        "δεν μου επιτρέπεται|δεν επιτρέπεται να μιλήσω|δεν έχω άδεια|δεν έχω το δικαίωμα|δεν θα δώσω|δεν δίνω"
        "|προτιμώ να μην|προτιμώ να μη|θα προτιμούσα να μην|πρέπει να αρνηθώ|είμαι αναγκασμέν*|αναγκάζομαι να"
        "|δεν θέλω να μιλήσω|δεν μπορώ να μιλήσω|δεν μπορώ να πω|δεν μπορώ να το πω",
        "ρώτα* με κάτι άλλο|ρωτήστε με κάτι άλλο|ρώτησέ με κάτι άλλο|κάντε … άλλη ερώτηση|κάνε … άλλη ερώτηση",
    ),
    "es": Closed(
        "no me está permitido|no se me permite|no tengo permiso|no tengo permitido|no estoy autorizad*"
        "|no tengo derecho a hablar|no me permiten|no me dejan|no daré|no voy a dar|no doy esa información"
        "|no doy esa|no revelaré|no compartiré|prefiero no|preferiría no|prefiero abstenerme|me abstengo de"
        "|tengo que declinar|debo declinar|he de declinar|declino responder|me veo en la obligación de"
        "|me veo obligad*|paso de responder|paso de contestar|no quiero hablar|no pienso responder|no puedo hablar"
        "|no puedo decir|no puedo decirlo|no puedo decírtelo",
        "pregúnteme otra cosa|pregúntame otra cosa|pregunta otra cosa|pregunte otra cosa|hazme otra pregunta"
        "|haga otra pregunta|hágame otra pregunta|pregúntame algo distinto|haz otra pregunta",
    ),
    "et": Closed(
        "ma ei tohi … rääkida|ma ei tohi|mul ei ole lubatud|mul pole lubatud|mul ei ole luba|mul pole luba"
        "|seda teavet ma ei anna"
        "|ma ei anna … teavet|ma ei anna … infot|eelistan mitte|pigem ei vasta|ma pigem ei|pean keelduma"
        "|olen sunnitud keelduma"
        "|ma ei taha … rääkida|ma ei saa … rääkida|ma ei saa … öelda",
        "küsi* … midagi muud|küsige … midagi muud|esita* … teine küsimus",
    ),
    "fa": Closed(
        "اجازه ندارم|مجاز نیستم|به من اجازه داده نشده|این اطلاعات را نمی*|این اطلاعات را نخواهم|اطلاعات را نمی دهم"
        "|ترجیح می* … ندهم|ترجیح می* … نکنم|ترجیح می* … نگویم|ترجیح میدهم … ندهم|ناچارم … رد|مجبورم … رد|باید … رد کنم"
        "|برنمی *|برنمیآیم|از عهده … برنمی*|نمی خواهم … صحبت|نمی خواهم … حرف|نمیخواهم … صحبت|نمی توانم … صحبت"
        "|نمیتوانم … صحبت|نمی توانم … بگویم|نمیتوانم … بگویم",
        "چیز دیگری بپرس*|سوال دیگری بپرس*|سؤال دیگری بپرس*|پرسش دیگری بپرس*|چیز دیگه ای بپرس*",
    ),
    "fi": Closed(
        "en saa puhua|en saa kertoa|en saa sanoa|minulla ei ole lupaa|minun ei ole lupa|minun ei sallita"
        "|en anna … tieto*"
        "|niitä tietoja en anna|sitä tietoa en anna|en mieluiten|mieluummin en|en mielelläni|haluan olla vastaamatta"
        "|jätän vastaamatta|minun täytyy kieltäytyä|minun on kieltäydyttävä|minun on hylättävä|joudun kieltäytymään"
        "|en halua puhua|en voi puhua|en voi sanoa|en voi kertoa",
        "kysy … jotain muuta|kysykää … jotain muuta|kysy … jotakin muuta|kysy jokin muu|esitä … toinen kysymys",
    ),
    "fr": Closed(
        "je n'ai pas le droit|je n'ai pas l'autorisation|je n'ai pas la permission|il ne m'est pas permis"
        "|on ne me permet pas|je ne suis pas autorisé*|il m'est interdit|cela m'est interdit|je ne donnerai"
        "|je ne vais pas donner|je ne donne pas|je ne fournirai|je ne révélerai|je préfère ne pas|je préférerais ne pas"
        "|je préfère m'abstenir|je préfère éviter|je m'abstiens|je dois décliner|je dois refuser|je me dois de refuser"
        "|je me vois contraint*|je suis contraint*|je décline|je suis dans l'impossibilité|dans l'incapacité de"
        "|je ne souhaite pas … parler|je ne veux pas en parler|je ne veux pas parler|je ne peux pas en parler"
        "|je ne peux pas parler|je ne peux pas … dire|je ne peux rien dire|je ne répondrai pas",
        "demandez-moi autre chose|demande-moi autre chose|posez … une autre question|pose … une autre question"
        "|veuillez … autre question|demandez autre chose",
    ),
    "he": Closed(
        "אסור לי|אין לי רשות|אין לי אישור|לא מורשה|לא מורשית|לא אמסור|לא אתן את|לא אתן מידע|מעדיף לא|מעדיפה לא"
        "|מעדיף שלא"
        "|מעדיפה שלא|נאלץ לסרב|נאלצת לסרב|נאלץ לדחות|נאלצת לדחות|עלי לסרב|עליי לסרב|עליי לדחות|לא רוצה לדבר"
        "|לא יכול לדבר|לא יכולה לדבר|לא יכול לומר|לא יכולה לומר|לא יכול להגיד",
        "שאל* אותי … אחר|שאלו אותי … אחר|תשאל* … אחר|שאל* … אחרת|שאלו שאלה אחרת",
    ),
    "hi": Closed(
        "बात करने की अनुमति नहीं|बताने की अनुमति नहीं|मुझे … अनुमति नहीं|मुझे … इजाज़त नहीं|मुझे … इजाजत नहीं"
        "|जानकारी नहीं दूँगा|जानकारी नहीं दूंगा|जानकारी नहीं दूँगी|जानकारी नहीं दूंगी|उत्तर नहीं देना चाह*"
        "|जवाब नहीं देना चाह*"
        "|उत्तर न देना|जवाब न देना|बात नहीं करना चाह*|बताना नहीं चाह*|अस्वीकार करना|मुझे … अस्वीकार|मना करना पड़*"
        "|मुझे … मना करना|बात नहीं कर सक*|नहीं बता सक*|नहीं कह सक*",
        "कुछ और पूछें|कुछ और पूछिए|कुछ और पूछिये|कुछ और पूछो|दूसरा सवाल पूछ*|कोई और सवाल पूछ*|कोई दूसरा प्रश्न पूछ*"
        "|कोई और प्रश्न पूछ*",
    ),
    "hu": Closed(
        "nem beszélhetek|nem mondhatok|nem mondhatom|nem szabad … beszélnem|nem szabad … mondanom|nincs engedélyem"
        "|nem engedélyezett számomra|nem adom meg|nem adok … információ*|nem fogom megadni|inkább nem"
        "|jobban szeretnék nem"
        "|nem szívesen|el kell utasítanom|vissza kell utasítanom|kénytelen vagyok … utasít*|nem akarok … beszélni"
        "|nem szeretnék … beszélni|nem tudok … beszélni|nem árulhatom el|nem árulom el",
        "kérdezz … mást|kérdezzen … mást|kérdezz valami mást|tegyen fel … másik kérdést|tegyél fel … másik kérdést"
        "|kérdezz … valami mást",
    ),
    "id": Closed(
        "saya tidak diizinkan|saya tidak diperbolehkan|saya tidak diperkenankan|saya tidak boleh|aku tidak boleh"
        "|saya dilarang|saya tidak akan memberikan|saya tidak akan membagikan|saya lebih suka tidak"
        "|saya lebih memilih … tidak|saya memilih … tidak|aku lebih suka tidak|saya harus menolak|saya terpaksa menolak"
        "|dengan berat hati … menolak|saya tidak mau … bicara|saya tidak ingin … membicarakan"
        "|saya tidak ingin membahas|saya tidak bisa … bicara|saya tidak bisa … membicarakan|saya tidak bisa mengatakan"
        "|saya tidak dapat … membicarakan|saya tidak dapat mengatakan",
        "tanyakan hal lain|tanya hal lain|ajukan pertanyaan lain|tanyakan yang lain|tanya yang lain"
        "|tanyakan sesuatu yang lain",
    ),
    "it": Closed(
        "non mi è permesso|non mi è consentito|non ho il permesso|non sono autorizzat*|non ho il diritto di parlar*"
        "|non posso parlar*|non darò|non do queste|non fornirò|non rivelerò|non ho intenzione di|preferisco non"
        "|preferirei non"
        "|preferisco astenermi|mi astengo|devo declinare|devo rifiutare|mi vedo costrett*|sono costrett* a"
        "|mi tocca declinare|non voglio parlar*|non posso dir*|declino",
        "chiedimi altro|chiedimi qualcos'altro|mi chieda altro|mi chieda qualcos'altro|fammi un'altra domanda"
        "|mi faccia un'altra domanda|chiedetemi altro|chiedi altro|chiedimi qualcosa d'altro",
    ),
    "jv": Closed(
        "kula mboten pareng|kula boten pareng|mboten pareng ngendika|aku ora oleh|aku ora diidini"
        "|kula mboten dipunidini"
        "|aku ora bakal menehi|kula mboten badhe|aku luwih seneng ora|kula langkung remen mboten|kula kedah nolak"
        "|aku kudu nolak|kepeksa nolak|aku ora gelem … ngomong|aku ora isa ngomong|aku ora bisa ngomong"
        "|kula mboten saged … ngendika|kula mboten saged matur",
        "takon liyane|takon bab liya|takon perkara liya|nyuwun pirsa bab sanes|takona liyane|takon sing liya",
    ),
    "lt": Closed(
        "man neleidžiama|man neleista|neturiu teisės … kalbėti|neturiu leidimo|negaliu apie tai|negaliu … kalbėti"
        "|negaliu … pasakyti|neteiksiu|nesuteiksiu|neduosiu|tos informacijos ne*|verčiau ne*|geriau ne*|norėčiau ne*"
        "|turiu atsisakyti|esu priverst*|privalau atsisakyti|turiu atmesti|nenoriu … kalbėti",
        "paklausk* … ko nors kito|klausk* … ko nors kito|paklauskite … kito|užduok* … kitą klausimą",
    ),
    "lv": Closed(
        "man nav atļauts|man nav ļauts|man nav tiesību|es nedrīkstu|nedrīkstu … runāt|es nesniegšu|es nedošu"
        "|šo informāciju nesniegšu|labāk ne*|es labprātāk ne*|dodu priekšroku ne*|man jāatsakās|man jānoraida"
        "|esmu spiest*|nevēlos … runāt|negribu … runāt|nevaru … runāt|nevaru … pateikt|nevaru to teikt",
        "pajautā* … ko citu|jautājiet … ko citu|pajautājiet … ko citu|jautā … ko citu|uzdodiet citu jautājumu"
        "|uzdod citu jautājumu",
    ),
    "mr": Closed(
        "बोलण्याची परवानगी नाही|सांगण्याची परवानगी नाही|मला … परवानगी नाही|माहिती देणार नाही|उत्तर देणार नाही"
        "|उत्तर न देणे पसंत|उत्तर द्यायचे नाही|बोलायचे नाही|बोलू इच्छित नाही|देऊ इच्छित नाही|नाकारावी लागत*"
        "|नाकारावे लागत*"
        "|नकार द्यावा लागत*|बोलू शकत नाही|सांगू शकत नाही",
        "दुसरे काही विचार*|दुसरा प्रश्न विचार*|दुसरं काही विचार*|काहीतरी वेगळे विचार*|इतर काही विचार*",
    ),
    "ms": Closed(
        "saya tidak dibenarkan|saya tidak diizinkan|saya dilarang|saya tak dibenarkan|saya tidak boleh bercakap"
        "|saya tidak boleh beritahu|saya tidak boleh berkata|saya tidak akan memberi*|saya lebih suka tidak"
        "|saya memilih … tidak|saya lebih rela tidak|saya terpaksa menolak|saya perlu menolak|saya mesti menolak"
        "|saya tidak mahu bercakap|saya tidak mahu membincangkan|saya tidak dapat … bercakap"
        "|saya tidak dapat … memberitahu",
        "tanya … perkara lain|tanyalah … perkara lain|tanya … soalan lain|tanya hal lain|tanya … benda lain"
        "|ajukan soalan lain",
    ),
    "nl": Closed(
        "mag ik … niet|mag ik niets|mag ik … niks|ik mag … niet over|ik mag … niets|ik mag er niet|ik mag dat niet"
        "|het is mij niet toegestaan|het is me niet toegestaan|ik heb geen toestemming|geef ik … niet"
        "|geef ik … geen antwoord"
        "|ik geef … niet|ik geef geen|ik zal … niet geven|liever niet|liever geen antwoord|moet ik afwijzen"
        "|moet ik … afslaan|moet ik … weigeren|ik moet … weigeren|ik moet … afwijzen|ik moet … afslaan"
        "|ik zie me genoodzaakt|ik wil … niet over praten|wil ik niet over praten|wil ik het niet"
        "|kan ik niet over praten"
        "|kan ik niets over|ik kan … niet over praten|kan ik niet zeggen|ik kan dat niet zeggen",
        "vraag … iets anders|vraagt u … iets anders|stel … een andere vraag|stelt u … andere vraag|vraag … wat anders",
    ),
    "no": Closed(
        "jeg har ikke lov|det har jeg ikke lov|jeg har ikke tillatelse|jeg får ikke lov|jeg er ikke autorisert"
        "|jeg gir ikke … informasjon*|den informasjonen gir jeg ikke|jeg vil helst ikke|jeg foretrekker … ikke"
        "|jeg vil helst slippe|jeg må avslå|jeg må avvise|jeg må takke nei|jeg er nødt til å avslå|jeg ser meg nødt"
        "|jeg vil ikke snakke|det vil jeg ikke snakke|jeg kan ikke snakke|det kan jeg ikke snakke|det kan jeg ikke si"
        "|det kan jeg ikke fortelle",
        "spør … om noe annet|still … et annet spørsmål|spør meg … annet",
    ),
    "pl": Closed(
        "nie wolno mi|nie mam prawa|nie mam pozwolenia|nie mam upoważnienia|nie jestem upoważnion*|nie pozwolono mi"
        "|nie podam|nie udzielę|nie udostępnię|nie zdradzę|wolę nie|wolał*ym nie|wolałabym nie|wolę się nie"
        "|muszę odmówić|muszę odrzucić|jestem zmuszon*|zmuszon* jestem|muszę … odmówić|muszę … odrzucić"
        "|nie chcę … mówić|nie chcę … rozmawiać|nie mogę … mówić|nie mogę … rozmawiać|nie mogę … powiedzieć",
        "zapytaj … o coś innego|proszę zapytać o coś innego|spytaj … o coś innego|zadaj … inne pytanie"
        "|proszę zadać inne pytanie|proszę pytać o coś innego|pytaj o coś innego",
    ),
    "pt": Closed(
        "não me é permitido|não me é permitid*|não tenho permissão|não tenho autorização|não estou autorizad*"
        "|não tenho o direito|não posso falar|não darei|não vou dar|não dou essa|não fornecerei|não vou revelar"
        "|prefiro não|preferia não|preferiria não|prefiro me abster|abstenho-me|me abstenho|tenho de declinar"
        "|tenho que declinar|devo declinar|tenho de recusar|tenho que recusar|tenho de rejeitar|sou obrigad* a"
        "|vejo-me obrigad*|me vejo obrigad*|me vejo forçad*|não quero falar|não quero responder|não posso dizer"
        "|não posso dizê-lo",
        "pergunte outra coisa|pergunta outra coisa|pergunte-me outra coisa|pergunta-me outra coisa"
        "|me pergunte outra coisa|me pergunta outra coisa|faça outra pergunta|faz outra pergunta"
        "|faça-me outra pergunta",
    ),
    "ro": Closed(
        "nu am voie|nu îmi este permis|nu mi se permite|nu sunt autorizat*|nu am permisiunea|nu am dreptul|nu voi da"
        "|nu voi oferi|nu dau … informații|nu dezvălui|prefer să nu|aș prefera să nu|trebuie să refuz|trebuie să declin"
        "|trebuie să resping|sunt nevoit*|mă văd nevoit*|nu vreau să vorbesc|nu doresc să|nu pot vorbi"
        "|nu pot să vorbesc"
        "|nu pot spune|nu pot să spun",
        "întreabă-mă altceva|întrebați-mă altceva|întreabă altceva|pune … altă întrebare|puneți … altă întrebare"
        "|adresați … altă întrebare",
    ),
    "ru": Closed(
        "мне нельзя|мне не разрешено|мне не позволено|мне запрещено|мне не положено|я не имею права|не имею права"
        "|я не вправе|не дам … информаци*|не дам … сведени*|не стану … делиться|не предоставлю|не скажу|не расскажу"
        "|предпочитаю не|предпоч* бы не|предпоч* не|лучше не буду|лучше промолчу|воздержусь|вынужден* отклонить"
        "|вынужден* … отклонить|вынужден* … отказать*|вынужден* … отказаться|должен … отклонить|должна … отклонить"
        "|приходится … отклон*|приходится … отказ*|не хочу … говорить|не хочу … обсуждать|не могу … говорить"
        "|не могу … сказать|не могу … обсуждать|отклоняю",
        "спросите … другом|спросите … другое|спроси … другом|спроси … другое|спросите … ещё о чём-нибудь"
        "|задайте … другой вопрос|задай … другой вопрос|спросите … ином",
    ),
    "sk": Closed(
        "nesmiem o tom|nesmiem … hovoriť|nesmiem … povedať|nie je mi dovolené|nemám dovolené|nemám povolenie"
        "|nedám … informác*"
        "|neposkytnem|radšej ne*|musím odmietnuť|som nútený … odmietnuť|som nútená … odmietnuť|nechcem … hovoriť"
        "|nemôžem … hovoriť|nemôžem … povedať",
        "opýtaj* sa … na niečo iné|spýtaj* sa … na niečo iné|pýtaj* sa … na niečo iné|položte … inú otázku"
        "|polož … inú otázku",
    ),
    "sl": Closed(
        "ne smem … govoriti|o tem ne smem|ne smem … povedati|ni mi dovoljeno|nimam dovoljenja|nimam pravice|ne bom dal*"
        "|teh informacij ne*|te informacije ne*|raje ne|raje ne bi|moram zavrniti|prisiljen* sem|moram odkloniti"
        "|nočem … govoriti|ne želim … govoriti|ne morem … govoriti|ne morem … povedati",
        "vprašaj* … kaj drugega|vprašajte … kaj drugega|vprašaj* … nekaj drugega|zastavite … drugo vprašanje"
        "|zastavi drugo vprašanje",
    ),
    "sv": Closed(
        "jag får inte … prata|jag får inte tala|jag får inte säga|det får jag inte|jag har inte tillåtelse"
        "|jag har inte lov|jag är inte tillåten|det är inte tillåtet för mig|jag ger inte … information*"
        "|den informationen ger jag inte|jag lämnar inte ut|jag vill helst inte|jag föredrar att inte|helst inte"
        "|jag avstår|jag måste avböja|jag måste avslå|jag måste tacka nej|jag måste neka|jag ser mig tvungen"
        "|jag vill inte prata|det vill jag inte prata|jag vill inte tala|jag kan inte prata|det kan jag inte prata"
        "|det kan jag inte säga|jag kan inte säga det",
        "fråga … något annat|ställ … en annan fråga|fråga mig … annat",
    ),
    "sw": Closed(
        "siruhusiwi|sina ruhusa|sijaruhusiwa|hairuhusiwi mimi|sitatoa taarifa|sitatoa habari|sitatoa maelezo|sitatoa"
        "|napendelea kutojibu|ningependa kutojibu|napendelea kuto*|ni bora nisijibu|lazima nikatae|sina budi kukataa"
        "|nalazimika kukataa|inanibidi kukataa|sitaki kuzungumz*|siwezi kuzungumz*|siwezi kusema",
        "uliza kitu kingine|niulize kitu kingine|uliza swali lingine|niulize swali lingine|uliza jambo lingine"
        "|niulize jambo lingine",
    ),
    "ta": Closed(
        "எனக்கு அனுமதி இல்லை|பேச … அனுமதி இல்லை|பேச அனுமதியில்லை|எனக்கு அனுமதியில்லை|தகவலைத் தர மாட்டேன்"
        "|தகவலை தர மாட்டேன்"
        "|தகவலை வழங்க மாட்டேன்|பதிலளிக்க விரும்பவில்லை|பதில் சொல்ல விரும்பவில்லை|பேச விரும்பவில்லை|சொல்ல விரும்பவில்லை"
        "|நிராகரிக்க வேண்டியுள்ளது|மறுக்க வேண்டியுள்ளது|மறுக்கிறேன்|பேச முடியாது|சொல்ல முடியாது|கூற முடியாது",
        "வேறு ஏதாவது கேளுங்கள்|வேறு ஏதாவது கேள்|வேறு கேள்வி கேளுங்கள்|வேறு எதையாவது கேளுங்கள்|வேறு ஏதேனும் கேளுங்கள்",
    ),
    "te": Closed(
        "నాకు అనుమతి లేదు|మాట్లాడే అనుమతి లేదు|నాకు … అనుమతి లేదు|సమాచారం ఇవ్వను|సమాచారాన్ని ఇవ్వను|ఈ వివరాలు ఇవ్వను"
        "|సమాధానం ఇవ్వకూడదని|సమాధానం చెప్పదలచుకోలేదు|సమాధానం ఇవ్వదలచుకోలేదు|మాట్లాడదలచుకోలేదు|చెప్పదలచుకోలేదు"
        "|తిరస్కరించాల్సి వస్తోంది|తిరస్కరించాలి|తిరస్కరిస్తున్నాను|మాట్లాడలేను|చెప్పలేను",
        "వేరే ఏదైనా అడగండి|వేరే ఏదైనా అడుగు|మరేదైనా అడగండి|ఇంకేదైనా అడగండి|వేరే ప్రశ్న అడగండి|మరో ప్రశ్న అడగండి",
    ),
    "tl": Closed(
        "hindi ako pinapayagan*|hindi ako pinahihintulutan*|wala akong pahintulot|bawal sa akin|hindi ko ibibigay"
        "|mas gusto kong hindi|mas pipiliin kong hindi|mas nais kong hindi|kailangan kong tumanggi"
        "|kailangan kong tanggihan"
        "|napipilitan akong tumanggi|ayokong pag-usapan|ayaw kong pag-usapan|ayokong sumagot"
        "|hindi ko pwedeng pag-usapan"
        "|hindi ko maaaring pag-usapan|hindi ko pwedeng sabihin|hindi ko maaaring sabihin|hindi ko masasabi",
        "magtanong … ng iba|magtanong … ng ibang bagay|magtanong … tungkol sa iba*|tanungin mo ako ng iba*"
        "|iba na lang ang itanong",
    ),
    "tr": Closed(
        "iznim yok|konuşmama izin verilmiyor|söylememe izin verilmiyor|buna izin verilmiyor|yetkim yok"
        "|bilgiyi vermeyeceğim"
        "|bilgiyi vermem|bilgileri vermeyeceğim|bilgi vermeyeceğim|vermemeyi tercih|yanıtlamamayı tercih"
        "|cevaplamamayı tercih"
        "|konuşmamayı tercih|söylememeyi tercih|reddetmek zorundayım|geri çevirmek zorundayım|reddetmem gerek*"
        "|konuşmak istemiyorum|cevap vermek istemiyorum|yanıtlamak istemiyorum|konuşamam|konuşamıyorum|söyleyemem"
        "|söyleyemiyorum|cevap veremem|yanıt veremem|asla olmaz",
        "başka bir şey sor*|başka bir soru sor*|başka şey sor*|başka soru sor*",
    ),
    "uk": Closed(
        "мені не можна|мені не дозволено|мені заборонено|я не маю права|не маю права|не маю дозволу|не надам"
        "|не дам … інформаці*"
        "|не скажу|не розповім|волію не|краще не буду|краще промовчу|я б не хотів*|вважаю за краще не|утримаюся"
        "|утримаюсь"
        "|мушу відхилити|мушу відмов*|мушу … відмов*|змушен* відхилити|змушен* … відмов*|маю відмовити|відхиляю"
        "|не хочу … говорити|не хочу … обговорювати|не можу … говорити|не можу … сказати",
        "запитайте … інше|запитай … інше|спитайте … інше|спитай … інше|поставте … інше запитання"
        "|постав … інше запитання"
        "|поставте інше питання",
    ),
    "ur": Closed(
        "بات کرنے کی اجازت نہیں|بتانے کی اجازت نہیں|مجھے … اجازت نہیں|معلومات نہیں دوں|معلومات فراہم نہیں کروں"
        "|جواب نہیں دینا چاہ*|جواب نہ دینا|بات نہیں کرنا چاہ*|بتانا نہیں چاہ*|مسترد کرنا پڑ*|انکار کرنا پڑ*"
        "|مجھے … انکار"
        "|معذرت کرنی پڑ*|بات نہیں کر سک*|نہیں بتا سک*|نہیں کہہ سک*",
        "کچھ اور پوچھ*|کوئی اور سوال پوچھ*|دوسرا سوال پوچھ*|کوئی دوسرا سوال",
    ),
    "vi": Closed(
        "tôi không được phép|mình không được phép|tôi không có quyền|tôi sẽ không cung cấp|tôi sẽ không đưa"
        "|tôi không muốn nói"
        "|tôi thích không|tôi xin phép không|tôi xin không|tôi không muốn trả lời|tôi muốn không trả lời|tôi không tiện"
        "|tôi phải từ chối|tôi xin từ chối|tôi đành từ chối|tôi buộc phải từ chối|buộc phải từ chối"
        "|tôi không thể nói|mình không thể nói|tôi không thể bàn",
        "hỏi … điều khác|hỏi … câu khác|hỏi … chuyện khác|hỏi … việc khác|đặt câu hỏi khác",
    ),
})  # fmt: skip
"""By ISO 639-1 code, of every language of refusal_words.WORDS."""

UNSPACED_CLOSED: Mapping[str, Closed] = MappingProxyType({
    "ja": Closed(
        r"(?:話|言|教え|答え|語)(?:す|う|える|る)?ことは?(?:許され|認められ|許可され)ていません|(?:話|教え|言)[すうえ]?(?:る)?許可"
        r"|(?:話|言|語|明か|教え|答え)(?:せ|え|れ|られ)?ません|(?:話せ|言え|教えられ|答えられ)ない"
        r"|(?:情報|こと|質問|件|それ)(?:は|を|には)?(?:お)?(?:教え|渡し|出し|提供|お答え)(?:し)?ません"
        r"|(?:答え|回答し|話し|お話し)たくありません|(?:回答|返答|コメント|お答え|発言)(?:は|を)?(?:差し)?控え"
        r"|(?:答え|話さ|回答し)ないで(?:おき|いたい)|拒否(?:します|いたします|させて)|辞退(?:します|いたします|させて)"
        r"|お受けできません|(?:却下|拒絶)(?:します|いたします)|許可されていません",
        r"(?:ほか|他|別|違う)の?(?:こと|質問|ご質問|話題)(?:を|について|にして)?(?:お)?(?:してください|聞いて|尋ね|質問して"
        r"|訊いて|お願い|どうぞ|ください)|(?:ほか|他|別)の質問にしてください",
    ),
    "ko": Closed(
        r"(?:말|이야기|얘기|답변|대답|언급|공개)\S{0,4} (?:것이 |것은 )?(?:허용|허락|허가)\S{0,3} ?(?:되지|받지|않|없)"
        r"|(?:말|이야기|얘기|언급|논의|대답|답)(?:해|하|할)?\S{0,3} 수 (?:가 )?없|(?:말|이야기|얘기)할 권한이 없"
        r"|(?:정보|내용)\S{0,2} (?:드리지|주지|제공하지|알려 ?드리지) 않"
        r"|(?:답|대답|답변|말|이야기)\S{0,4} 않(?:는 편이|는 것이|겠|고 싶)|(?:말하|답하|대답하|이야기하)고 싶지 않"
        r"|(?:거절|거부|사양|반려)(?:합니다|하겠|해야|할 수밖|하고 싶|드립니다|할게요)",
        r"다른 (?:것|질문|걸|거|이야기)\S{0,2}\s?(?:을 )?(?:해 ?주|하세요|하십시오|물어|질문|부탁)",
    ),
    "th": Closed(
        r"(?:ฉัน|ผม|ดิฉัน|เรา|หนู)?ไม่(?:ได้รับ)?อนุญาตให้(?:ฉัน|ผม)?(?:พูด|บอก|ตอบ|เปิดเผย|คุย|กล่าว)"
        r"|ไม่ได้รับอนุญาตให้"
        r"|(?:ฉัน|ผม|ดิฉัน|เรา)(?:จะ)?ไม่(?:ให้|บอก|เปิดเผย)(?:ข้อมูล|เรื่อง)|ไม่มีสิทธิ์(?:พูด|บอก|ตอบ)"
        r"|(?:ขอ|อยาก|เลือกที่จะ|ขออนุญาต)ไม่(?:ตอบ|พูด|บอก)|ไม่(?:ขอ|อยาก|ต้องการ|สะดวก)(?:ที่จะ)?(?:ตอบ|พูด|บอก)"
        r"|(?:ต้อง|ขอ|จำเป็นต้อง)(?:ขอ)?ปฏิเสธ|(?:พูด|บอก|ตอบ|คุย)(?:ถึง)?(?:เรื่อง)?(?:นี้|นั้น)?ไม่ได้"
        r"|ไม่สามารถ(?:พูด|บอก|คุย)",
        r"(?:กรุณา|โปรด|ช่วย|ลอง|ขอให้)?\s?(?:ถาม|สอบถาม)(?:ฉัน|ผม)?(?:เรื่อง|คำถาม|อย่าง|สิ่ง|ข้อ)อื่น",
    ),
    "zh": Closed(
        r"(?:我|本人)?(?:不被允许|不被允許|未被允许|没有权限|沒有權限|无权|無權|没有权利|不允许|不准)(?:我)?(?:讨论|討論|谈|談|说|說"
        r"|回答|透露|提供|告诉|公开|讲)|(?:我|这边|這邊|目前|暂时|暫時|抱歉|您好|你好)\S{0,6}(?:无法|無法|不能|不会|没法)(?:给到|給到"
        r"|给出|给您|为您|谈论|談論|讨论|討論|透露|告知|提供|回答|说|說)|(?:不会|不會|不想|不愿|不願|不打算)\S{0,3}(?:给|給|提供|透露|告诉"
        r"|回答|谈|談|说|說)\S{0,4}(?:信息|資訊|资料|内容|这个|這個|此|问题|問題)?"
        r"|(?:宁愿|寧願|选择|選擇|宁可)不(?:回答|说|說|谈|談)|(?:不得不|只好|必须|必須|只能|不得已)\S{0,3}(?:拒绝|拒絕|婉拒|谢绝|謝絕)"
        r"|(?:我)?(?:拒绝|拒絕|婉拒|谢绝|謝絕)(?:回答|提供|该|該|这|這|此|您的|你的|请求|請求|\W*$)"
        r"|(?:没有?|沒有?|还没有?|還沒有?|尚未|未)(?:学习|學習|学会|學會|掌握)\S{0,3}(?:如何|怎么|怎樣|怎样)?(?:回答|处理|處理)"
        r"|(?:这个|這個|该|該|此)(?:问题|問題|话题|話題)\S{0,8}(?:无法回答|無法回答|不能回答|不便回答|不方便|无可奉告|超出)"
        r"|超出(?:了)?我的(?:能力|知识|知識|服务|回答)\S{0,2}范围|(?:对此|對此)?不予(?:回答|回复|置评|評論|讨论|提供)|不便(?:回答|透露|多说|讨论)",
        r"请?(?:您|你)?(?:换|換)\S{0,3}(?:问题|問題|话题|話題)(?:吧|试试|再试|问|聊)?|(?:请|請)?(?:您|你)?(?:问|問)(?:我)?(?:一?些|一?个|点|點)?"
        r"(?:其他|其它|别|別)的?|(?:请|請)\S{0,4}(?:问|問|提问|提出|咨询)\S{0,3}(?:其他|其它|别的|別的|另外)",
    ),
})  # fmt: skip
"""Of the others but English, as regular expressions."""
