"""How a short answer closes a subject without an act of helping, as data: refusals/phrases.py makes patterns of it.

`*`, `…` and `|` as in refusals/words.py; of languages that are written without blanks, and of Korean, regular
expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType

from sanmai.refusals.words import in_cyrillic


@dataclass(frozen=True)
class Closed:
    """One language's, each in the speaker's own person.

    Example:
        Closed(
            closes="en saa puhua|en anna … tietoja|mieluummin en", asks="kysy jotain muuta", topic="siitä|kysymy*|vastata",
            small="minä|teille",
        )
    """

    closes: str
    """Is not allowed to speak, will not give it, would rather not or must decline, what has been asked for."""
    asks: str
    """Wants to be asked something else."""
    topic: str
    """What such a sentence speaks of: this, that, a question, a request, information; and verbs of speech."""
    small: str = ""
    """Other words that say nothing in particular."""


_SH = Closed(
    "ne smijem … govoriti|ne smem da govorim|ne smijem reći|ne smem … reći|nije mi dopušteno|nije mi dozvoljeno"
    "|nemam pravo … govoriti|neću dati … informacij*|neću davati|te informacije ne dajem|radije ne bih"
    "|radije ne odgovaram|moram odbiti|primoran* sam odbiti|prisiljen* sam odbiti|ne želim govoriti|ne želim o tome"
    "|ne želim da govorim|ne mogu govoriti o|ne mogu da govorim|ne mogu o tome|ne mogu … reći",
    "pitaj me nešto drugo|pitajte me nešto drugo|postavite … drugo pitanje|postavi … drugo pitanje|pitaj nešto drugo"
    "|pitajte nešto drugo",
    "to|tome|o tome|ovo|ovome|tog*|pitanj*|informacij*|tem*|zahtjev*|zahtev*|odgovor*|govoriti|reći|razgovarati"
    "|pričati|komentir*|otkriti|dijeliti|odbiti|odgovoriti",
    "ja|vam|ti|vas|te|na|o|da|je|mi|se|s|više|ništa|molim|molim te|vaš|tvoj|ovaj|taj|ove|nažalost|drugo|neko|mene"
    "|nikakve|ovdje|bih|sam",
)

CLOSED: Mapping[str, Closed] = MappingProxyType({
    "hr": _SH,
    "sr": Closed(*map(in_cyrillic, astuple(_SH))),
    "af": Closed(
        "ek mag … nie praat|ek mag nie … praat|ek mag … nie sê|ek word nie toegelaat|dit word my nie toegelaat"
        "|ek sal … inligting nie gee|ek gee nie … inligting|ek verkies om nie|ek sal liewer nie|ek moet … weier"
        "|ek moet … van die hand|ek wil nie daaroor|ek kan nie daaroor|ek kan dit nie sê",
        "vra my iets anders|vra … iets anders|vra 'n ander vraag",
        "daaroor|daarvan|dit|dié|hieroor|vraag|inligting|onderwerp|versoek|praat|sê|antwoord*|bespreek|weier",
        "ek|jou|u|nie|asseblief|'n|die|van|oor|op|hierdie|daardie|te|om|mag|iets|niks|ander|maar|my|julle|geen|hier"
        "|enige",
    ),
    "ar": Closed(
        "لا يُسمح لي|لا يسمح لي|غير مسموح لي|لست مخولا|لا يحق لي|لا يجوز لي|لن أعطي* … المعلومات|لن أقدم … المعلومات"
        "|لن أفصح|أفضل عدم|أفضل ألا|أُفضّل عدم|أفضّل عدم|أود الامتناع|أمتنع عن|مضطر* … رفض|مضطر* … للرفض|علي رفض"
        "|عليّ رفض|علي أن أرفض|لا أريد … الحديث|لا أرغب في|لا أستطيع … الحديث|لا أستطيع … التحدث|لا يمكنني … الحديث"
        "|لا يمكنني … التحدث|لا أستطيع … قول|لا يمكنني … قول|لن أقول شيئا|أفضل الصمت|لا تعليق|لن أقول شيئا|أفضل الصمت"
        "|لا تعليق|لست الشخص المناسب|لا أريد الخوض|لن أخوض|أفضل عدم الخوض",
        "اسألني … آخر|اسأل … آخر|اسألني سؤالا آخر|اطرح سؤالا آخر|اسألني شيئا آخر",
        "ذلك|هذا|هذه|تلك|عنه|عنها|*موضوع*|*سؤال*|*معلومات*|*طلب*|*حديث*|*تحدث*|*تكلم*|*كلام*|*إجابة*|*الإجابة*"
        "|*إفصاح*|*قول*|*مناقشة*",
        "عن|في|من|على|مع|لك|لكم|أن|أنا|إلى|ب*|فضلك|فضلكم|رجاء|بشأن|حول|لي|شيء|آخر|أي|إليكم|أنت|لأي|بعد|هنا|لهذا|أنني"
        "|أخشى",
    ),
    "bg": Closed(
        "не ми е позволено|не ми е разрешено|нямам право … говор*|нямам право да|няма да дам … информация|няма да дам"
        "|няма да предоставя|предпочитам да не|по-добре да не|трябва да откажа|принуден* съм … откажа"
        "|налага се … откажа|не искам … говоря|не мога … говоря|не мога … кажа|не съм подходящият човек"
        "|не искам да навлизам|няма да навлизам",
        "попитай* ме нещо друго|питай* ме нещо друго|питайте … нещо друго|задайте … друг въпрос|задай … друг въпрос",
        "това|този|тази|тези|темата|тема|въпрос*|информация*|искане*|молба*|заявка*|говоря|говорим|кажа|отговор*"
        "|отговарям|обсъждам|споделя*",
        "за|с|ви|ти|вас|теб|аз|на|да|моля|по|нищо|повече|такава|такива|вашия*|вашата|друго|нещо|съм|се|мен|ми|не"
        "|никаква|тук|би|боя",
    ),
    "bn": Closed(
        "কথা বলার অনুমতি নেই|বলার অনুমতি নেই|আমার … অনুমতি নেই|এই তথ্য দেব না|তথ্য দেবো না|তথ্য দেব না"
        "|উত্তর না দেওয়াই|উত্তর না দেওয়াই|উত্তর দিতে চাই না|বলতে চাই না|কথা বলতে চাই না|প্রত্যাখ্যান করতে হচ্ছে"
        "|প্রত্যাখ্যান করছি|কথা বলতে পারি না|কথা বলতে পারব না|বলতে পারব না|বলতে পারি না",
        "অন্য কিছু জিজ্ঞাসা কর*|অন্য কিছু জিজ্ঞেস কর*|অন্য প্রশ্ন কর*|অন্য কোনো প্রশ্ন কর*",
        "এ|এই|এটা|এটি|বিষয়ে|প্রশ্ন*|তথ্য*|অনুরোধ*|কথা|উত্তর*|বলতে|বলা*|আলোচনা*",
        "আমি|আমার|আমাকে|আপনাকে|তোমাকে|নিয়ে|সম্পর্কে|করে|অনুগ্রহ|দয়া|অন্য|কিছু|কোনো|হচ্ছে|আপনার|তোমার|আমরা|তা|আর|কোন"
        "|পারি|না",
    ),
    "ca": Closed(
        "no em deixen parlar|no tinc permís|no estic autoritzat*|no em és permès|no m'és permès|no se'm permet"
        "|no donaré|prefereixo no|m'estimo més no|he de declinar|he de refusar|he de rebutjar|em veig obligat*"
        "|no vull parlar|no puc parlar|no puc dir",
        "pregunta'm una altra|pregunteu-me una altra|pregunti'm una altra|pregunta'm alguna altra"
        "|fes-me una altra pregunta",
        "això|d'això|allò|aquest|aquesta|aquestes|informació|pregunta|tema|sol·licitud|petició|parlar*|respondre*"
        "|contestar*|dir*|comentar*",
        "ne|de|d'|sobre|us|et|em|si|plau|la|el|les|no|jo|a|en|altra|cosa|hi|res|més|per|per a|dir|altre",
    ),
    "cs": Closed(
        "nesmím o tom|nesmím … mluvit|nesmím … říct|není mi dovoleno|nemám dovoleno|nemám povoleno|nedám … informac*"
        "|neposkytnu|informace neposkyt*|raději neodpov*|raději nebudu|radši neodpov*|radši nebudu|raději o tom ne*"
        "|musím odmítnout|jsem nucen* odmítnout|nechci … mluvit|nemohu … mluvit|nemůžu … mluvit|nemohu … říct"
        "|nemůžu … říct|nemohu … říci|raději pomlčím|nic neřeknu|o tom nebudu|raději pomlčím|nic neřeknu|o tom nebudu"
        "|nejsem ten pravý|nejsem správná osoba|nebudu zabíhat|nechci zabíhat",
        "zeptej* se … na něco jiného|ptej* se … na něco jiného|položte … jinou otázku|polož … jinou otázku",
        "o tom|tom|to|toto|tuto|této|tomto|tyto|téma*|tématu|otázk*|informac*|žádost*|prosb*|požadavek|mluvit|hovořit"
        "|říct|říci|říkat|odpověd*|odpovídat|bavit|diskutovat",
        "o|vám|ti|vás|tě|s|na|se|prosím|mi|já|k|nic|více|víc|jiného|něco|takové|takov*|vaši|tvoji|bohužel|mě|mne|mé"
        "|pro|obávám",
    ),
    "da": Closed(
        "jeg må ikke … tale|jeg må ikke sige|det må jeg ikke|jeg har ikke lov|jeg har ikke tilladelse"
        "|de oplysninger giver jeg ikke|den information giver jeg ikke|jeg giver ikke … oplysning*|jeg vil helst ikke"
        "|jeg vil hellere ikke|jeg foretrækker ikke|jeg foretrækker at lade|jeg må afslå|jeg må afvise"
        "|jeg er nødt til at afvise|jeg er nødt til at afslå|det vil jeg ikke tale|jeg vil ikke tale"
        "|jeg kan ikke tale om|det kan jeg ikke tale|det kan jeg ikke sige|det kan jeg ikke fortælle"
        "|jeg siger ikke noget|det siger jeg ikke|ingen kommentar|jeg siger ikke noget|det siger jeg ikke"
        "|ingen kommentar|ikke den rette person|vil jeg ikke gå ind på|jeg går ikke ind på",
        "spørg … om noget andet|stil … et andet spørgsmål|spørg mig … andet",
        "det|dette|denne|disse|herom|derom|emne*|spørgsmål*|oplysning*|information*|anmodning*|tale|snakke|sige|svare"
        "|udtale|diskutere|fortælle|besvare",
        "jeg|om|på|dig|jer|dem|til|venligst|mig|noget|andet|ikke|at|de|den|her|desværre|dit|din|ingen|så|bede|vil|du"
        "|må|kan|nogen",
    ),
    "de": Closed(
        "darf ich … sprechen|ich darf … nicht|ich darf … nichts|darf ich … nicht|darf ich … nichts"
        "|mir ist es nicht erlaubt|es ist mir nicht erlaubt|es ist mir nicht gestattet|mir ist nicht gestattet"
        "|mir ist nicht erlaubt|gebe ich keine|ich gebe … keine auskunft|ich gebe … keine informationen"
        "|gebe ich nicht|werde ich nicht … geben|gebe ich … nicht heraus|verrate ich … nicht|ich verrate … nicht"
        "|möchte ich … nicht sprechen|möchte ich … nicht reden|möchte ich nichts sagen|möchte ich lieber nicht"
        "|ich möchte nicht darüber|ich möchte darüber nicht|ich möchte … nicht beantworten|will ich nicht sprechen"
        "|will ich nicht reden|will nicht darüber|ich ziehe es vor|ich würde lieber nicht|ich möchte lieber nicht"
        "|da sage ich lieber nichts|sage ich nichts|ich sage dazu nichts|ich muss … ablehnen|muss ich … ablehnen"
        "|muss … leider ablehnen|sehe mich gezwungen|muss leider passen|ich muss passen|kann ich nicht sprechen"
        "|kann ich nichts sagen|kann ich … nicht sagen|ich kann nicht darüber|ich kann dazu nichts"
        "|möchte ich lieber nichts|sage ich lieber nichts|sage ich … nichts|ich sage … nichts"
        "|ich möchte … lieber nichts|halte mich … zurück|enthalte ich mich|ich enthalte mich|möchte ich lieber nichts"
        "|sage ich lieber nichts|sage ich … nichts|ich sage … nichts|ich möchte … lieber nichts|halte mich … zurück"
        "|enthalte ich mich|ich enthalte mich|nicht der richtige ansprechpartner|nicht die richtige ansprechpartnerin"
        "|nicht der richtige dafür|nicht die richtige dafür|ich mich nicht einlassen|lasse ich mich nicht ein"
        "|gehe ich nicht ein|gehe ich lieber nicht ein|nicht näher eingehen|halte ich mich … heraus"
        "|halte ich mich … raus|ich halte mich … heraus|ich halte mich … raus",
        "frag … etwas anderes|frage mich etwas anderes|fragen sie … etwas anderes|stell … eine andere frage"
        "|stellen sie … eine andere frage|frag … was anderes",
        "darüber|dazu|davon|hierzu|hierüber|das|dies|diese|diesem|dieser|dieses|thema|frage*|anfrage*|bitte"
        "|information*|auskunft|auskünfte|antwort*|sprechen|reden|sagen|äußern|antworten|beantworten|verraten"
        "|diskutieren|mitteilen|preisgeben|anliegen|ersuchen|wunsch|dafür|damit",
        "ich|ihnen|dir|euch|dich|sie|du|mir|mich|zu|zum|zur|auf|über|leider|hier|da|mehr|weiter|die|den|der|es|keine"
        "|keinen|etwas|anderes|nicht|nichts|lieber|hierauf|darauf|ihre|ihrer|deine|so|auch|gar|an|dürfen|würde|wollen"
        "|euer|eure|einmal|gerne|gern|nun|bin",
    ),
    "el": Closed(
        "δεν μου επιτρέπεται|δεν επιτρέπεται να μιλήσω|δεν έχω άδεια|δεν έχω το δικαίωμα|δεν θα δώσω|δεν δίνω"
        "|προτιμώ να μην|προτιμώ να μη|θα προτιμούσα να μην|πρέπει να αρνηθώ|είμαι αναγκασμέν*|αναγκάζομαι να"
        "|δεν θέλω να μιλήσω|δεν μπορώ να μιλήσω|δεν μπορώ να πω|δεν μπορώ να το πω|ουδέν σχόλιο|δεν θα πω τίποτα"
        "|προτιμώ να σιωπήσω|ουδέν σχόλιο|δεν θα πω τίποτα|προτιμώ να σιωπήσω|δεν είμαι το κατάλληλο άτομο"
        "|δεν θα υπεισέλθω",
        "ρώτα* με κάτι άλλο|ρωτήστε με κάτι άλλο|ρώτησέ με κάτι άλλο|κάντε … άλλη ερώτηση|κάνε … άλλη ερώτηση",
        "αυτό|αυτή|αυτές|αυτά|γι' αυτό|γι|θέμα|ερώτηση|ερώτημα|πληροφορ*|αίτημα|μιλήσω|πω|απαντήσω|συζητήσω|σχολιάσω"
        "|αποκαλύψω|αυτού|ερωτήσεις",
        "για|το|την|τις|τα|σε|σας|σου|σχετικά|με|παρακαλώ|να|κάτι|άλλο|μια|στο|στην|δυστυχώς|τέτοι*|τίποτα|κι|μου"
        "|εμένα|μπορώ|καμία|φοβάμαι|ότι",
    ),
    "es": Closed(
        "no me está permitido|no se me permite|no tengo permiso|no tengo permitido|no estoy autorizad*"
        "|no tengo derecho a hablar|no me permiten|no me dejan|no daré|no voy a dar|no doy esa información|no doy esa"
        "|no revelaré|no compartiré|prefiero no|preferiría no|prefiero abstenerme|me abstengo de|tengo que declinar"
        "|debo declinar|he de declinar|declino responder|me veo en la obligación de|me veo obligad*|paso de responder"
        "|paso de contestar|no quiero hablar|no pienso responder|no puedo hablar|no puedo decir|no puedo decirlo"
        "|no puedo decírtelo|prefiero guardar silencio|prefiero callar|no diré nada|me reservo"
        "|prefiero guardar silencio|prefiero callar|no diré nada|me reservo|no soy la persona indicada"
        "|no soy la persona adecuada|no soy quien|prefiero no entrar|no voy a entrar|no entraré en|no quiero entrar"
        "|no me meto",
        "pregúnteme otra cosa|pregúntame otra cosa|pregunta otra cosa|pregunte otra cosa|hazme otra pregunta"
        "|haga otra pregunta|hágame otra pregunta|pregúntame algo distinto|haz otra pregunta",
        "eso|esto|ello|ese|esa|esas|este|esta|estas|tema|asunto|pregunta|información|informaciones|solicitud|petición"
        "|hablar|responder*|contestar*|decir*|decírselo|comentar*|discutir*|revelar*|compartir*",
        "de|del|al|sobre|a|en|le|te|lo|la|las|me|por|favor|yo|con|no|nada|más|que|usted|ustedes|su|tu|ni|otra|cosa"
        "|otro|ninguna|mí|eh|alguna|indicada|adecuada|mucho|temo",
    ),
    "et": Closed(
        "ma ei tohi … rääkida|ma ei tohi|mul ei ole lubatud|mul pole lubatud|mul ei ole luba|mul pole luba"
        "|seda teavet ma ei anna|ma ei anna … teavet|ma ei anna … infot|eelistan mitte|pigem ei vasta|ma pigem ei"
        "|pean keelduma|olen sunnitud keelduma|ma ei taha … rääkida|ma ei saa … rääkida|ma ei saa … öelda"
        "|pean … keelduma|olen sunnitud … keelduma",
        "küsi* … midagi muud|küsige … midagi muud|esita* … teine küsimus",
        "sellest|seda|selle|see|teema*|küsimus*|teave*|teabe*|info*|taotlus*|palve*|rääkida|öelda|vastata|vasta"
        "|arutada|avaldada|palvest|küsimusele",
        "ma|mina|teile|sulle|palun|kohta|midagi|muud|kahjuks|pean|sellele|sellist|teie|sinu|ei|minult|minu|teilt"
        "|keelduma",
    ),
    "fa": Closed(
        "اجازه ندارم|مجاز نیستم|به من اجازه داده نشده|این اطلاعات را نمی*|این اطلاعات را نخواهم|اطلاعات را نمی دهم"
        "|ترجیح می* … ندهم|ترجیح می* … نکنم|ترجیح می* … نگویم|ترجیح میدهم … ندهم|ناچارم … رد|مجبورم … رد"
        "|باید … رد کنم|برنمی *|برنمیآیم|از عهده … برنمی*|نمی خواهم … صحبت|نمی خواهم … حرف|نمیخواهم … صحبت"
        "|نمی توانم … صحبت|نمیتوانم … صحبت|نمی توانم … بگویم|نمیتوانم … بگویم|چیزی نمیگویم|چیزی نمی گویم"
        "|ترجیح می دهم … سکوت|چیزی نمیگویم|چیزی نمی گویم|ترجیح می دهم … سکوت|من فرد مناسبی نیستم|وارد این بحث نمیشوم"
        "|وارد این موضوع نمیشوم",
        "چیز دیگری بپرس*|سوال دیگری بپرس*|سؤال دیگری بپرس*|پرسش دیگری بپرس*|چیز دیگه ای بپرس*",
        "این|آن|مورد|باره|درباره|دربارهٔ|موضوع|سوال|سؤال|پرسش|اطلاعات|درخواست*|صحبت|حرف|پاسخ|جواب|بگویم|چیزی",
        "در|را|به|من|شما|تو|کنم|بدهم|لطفا|لطفاً|که|با|از|ندهم|نکنم|نگویم|دیگری|کردن|کند|هیچ|بیشتر|هم|باره|مورد|دهم"
        "|نمی|است",
    ),
    "fi": Closed(
        "en saa puhua|en saa kertoa|en saa sanoa|minulla ei ole lupaa|minun ei ole lupa|minun ei sallita"
        "|en anna … tieto*|niitä tietoja en anna|sitä tietoa en anna|en mieluiten|mieluummin en|en mielelläni"
        "|haluan olla vastaamatta|jätän vastaamatta|minun täytyy kieltäytyä|minun on kieltäydyttävä"
        "|minun on hylättävä|joudun kieltäytymään|en halua puhua|en voi puhua|en voi sanoa|en voi kertoa"
        "|en sano mitään|en kommentoi|mieluummin vaikenen|en sano mitään|en kommentoi|mieluummin vaikenen"
        "|en ole oikea henkilö|en halua mennä",
        "kysy … jotain muuta|kysykää … jotain muuta|kysy … jotakin muuta|kysy jokin muu|esitä … toinen kysymys",
        "siitä|tästä|sitä|tätä|tähän|siihen|asia*|aihe*|kysymy*|tieto*|tietoja|pyyntö*|pyynnö*|puhua|kertoa|sanoa"
        "|vastata|vastaamatta|keskustella|kommentoi*|tämä|tuo|pyynnöstä|kysymykseen",
        "minä|teille|sinulle|ole|hyvä|minulta|jotain|muuta|en|valitettavasti|näitä|niitä|tuota|tämän|mitään|enempää"
        "|pyydä*|kysy*|tuosta|tällaista",
    ),
    "fr": Closed(
        "je n'ai pas le droit|je n'ai pas l'autorisation|je n'ai pas la permission|il ne m'est pas permis"
        "|on ne me permet pas|je ne suis pas autorisé*|il m'est interdit|cela m'est interdit|je ne donnerai"
        "|je ne vais pas donner|je ne donne pas|je ne fournirai|je ne révélerai|je préfère ne pas"
        "|je préférerais ne pas|je préfère m'abstenir|je préfère éviter|je m'abstiens|je dois décliner"
        "|je dois refuser|je me dois de refuser|je me vois contraint*|je suis contraint*|je décline"
        "|je suis dans l'impossibilité|dans l'incapacité de|je ne souhaite pas … parler|je ne veux pas en parler"
        "|je ne veux pas parler|je ne peux pas en parler|je ne peux pas parler|je ne peux pas … dire"
        "|je ne peux rien dire|je ne répondrai pas|je préfère ne rien|je préfère me taire"
        "|je préfère garder le silence|je ne dirai rien|je m'abstiendrai|je préfère ne rien|je préfère me taire"
        "|je préfère garder le silence|je ne dirai rien|je m'abstiendrai|ne pas être la bonne personne"
        "|je ne suis pas la bonne personne|je ne suis pas le mieux placé|je préfère ne pas entrer"
        "|je préfère ne pas aborder|je n'entrerai pas|je ne veux pas entrer|je ne m'avancerai pas",
        "demandez-moi autre chose|demande-moi autre chose|posez … une autre question|pose … une autre question"
        "|veuillez … autre question|demandez autre chose|posez-moi une autre question|pose-moi une autre question"
        "|passons à autre chose|parlons d'autre chose",
        "cela|ça|ceci|ce|cette|ces|sujet|question*|information*|demande*|requête|parler|répondre|dire|discuter"
        "|aborder|commenter|évoquer|dévoiler|révéler|renseignement*",
        "d'en|d'y|de|du|à|en|y|le|la|les|vous|te|t'|pas|point|là-dessus|dessus|sur|s'il|plaît|merci|svp|rien|plus|ne"
        "|je|me|votre|ta|une|autre|chose|aux|au|à ce|aucun|aucune|puis|là|moi|veuillez|bien|pour|dans|ce|bonne|crains",
    ),
    "he": Closed(
        "אסור לי|אין לי רשות|אין לי אישור|לא מורשה|לא מורשית|לא אמסור|לא אתן את|לא אתן מידע|מעדיף לא|מעדיפה לא"
        "|מעדיף שלא|מעדיפה שלא|נאלץ לסרב|נאלצת לסרב|נאלץ לדחות|נאלצת לדחות|עלי לסרב|עליי לסרב|עליי לדחות|לא רוצה לדבר"
        "|לא יכול לדבר|לא יכולה לדבר|לא יכול לומר|לא יכולה לומר|לא יכול להגיד|אין תגובה|אין לי תגובה|מעדיף לשתוק"
        "|מעדיפה לשתוק|אין תגובה|אין לי תגובה|מעדיף לשתוק|מעדיפה לשתוק|אני לא האדם הנכון|לא רוצה להיכנס|לא אכנס",
        "שאל* אותי … אחר|שאלו אותי … אחר|תשאל* … אחר|שאל* … אחרת|שאלו שאלה אחרת",
        "זה|זאת|זו|כך|הזה|הזאת|הזו|נושא*|שאלה|השאלה|לשאלה|מידע|המידע|בקשה|הבקשה|לבקשה|לדבר|לומר|להגיד|לענות|להשיב"
        "|לדון|אחר|אחרת",
        "על|על כך|את|לך|לכם|אני|בבקשה|אנא|של|לי|ב*|עם|שום|דבר|יותר|אותי|משהו|להשיב|אתכם|אותך|כאן|חוששני",
    ),
    "hi": Closed(
        "बात करने की अनुमति नहीं|बताने की अनुमति नहीं|मुझे … अनुमति नहीं|मुझे … इजाज़त नहीं|मुझे … इजाजत नहीं"
        "|जानकारी नहीं दूँगा|जानकारी नहीं दूंगा|जानकारी नहीं दूँगी|जानकारी नहीं दूंगी|उत्तर नहीं देना चाह*"
        "|जवाब नहीं देना चाह*|उत्तर न देना|जवाब न देना|बात नहीं करना चाह*|बताना नहीं चाह*|अस्वीकार करना"
        "|मुझे … अस्वीकार|मना करना पड़*|मुझे … मना करना|बात नहीं कर सक*|नहीं बता सक*|नहीं कह सक*|कुछ नहीं कहूँगा"
        "|कुछ नहीं कहूंगा|कुछ नहीं कहना चाह*|अस्वीकार करता हूँ|अस्वीकार करती हूँ|कुछ नहीं कहूँगा|कुछ नहीं कहूंगा"
        "|कुछ नहीं कहना चाह*|अस्वीकार करता हूँ|अस्वीकार करती हूँ|सही व्यक्ति नहीं|विषय में नहीं जाना चाह*"
        "|नहीं जाना चाह*",
        "कुछ और पूछें|कुछ और पूछिए|कुछ और पूछिये|कुछ और पूछो|दूसरा सवाल पूछ*|कोई और सवाल पूछ*|कोई दूसरा प्रश्न पूछ*"
        "|कोई और प्रश्न पूछ*",
        "इस|इसके|यह|इसका|विषय|सवाल|प्रश्न|जानकारी|अनुरोध|बात|उत्तर|जवाब|बताने|बताना|चर्चा|बोलने|कहने|टिप्पणी",
        "मैं|मुझे|मुझसे|आपको|आपसे|तुम्हें|के|की|का|को|में|पर|बारे|है|हूँ|हूं|नहीं|कृपया|करने|करना|कर|कुछ|और|कोई|अन्य"
        "|सकता|सकती|चाहूँगा|चाहूंगा|चाहूँगी|चाहूंगी|चाहता|चाहती|देना|से|रहा|पड़*|ही|न|होगा|होगी|पड़ेगा|पड़ेगी|इसे|यही"
        "|सकूँगा|सकूंगा|इसके|लिए|कि|डर",
    ),
    "hu": Closed(
        "nem beszélhetek|nem mondhatok|nem mondhatom|nem szabad … beszélnem|nem szabad … mondanom|nincs engedélyem"
        "|nem engedélyezett számomra|nem adom meg|nem adok … információ*|nem fogom megadni|inkább nem"
        "|jobban szeretnék nem|nem szívesen|el kell utasítanom|vissza kell utasítanom|kénytelen vagyok … utasít*"
        "|nem akarok … beszélni|nem szeretnék … beszélni|nem tudok … beszélni|nem árulhatom el|nem árulom el"
        "|inkább hallgatok|nem mondok semmit|nem nyilatkozom|inkább hallgatok|nem mondok semmit|nem nyilatkozom"
        "|nem én vagyok a megfelelő személy|nem szeretnék belemenni|nem megyek bele",
        "kérdezz … mást|kérdezzen … mást|kérdezz valami mást|tegyen fel … másik kérdést|tegyél fel … másik kérdést"
        "|kérdezz … valami mást",
        "erről|arról|ez|ezt|azt|ilyen|téma*|kérdés*|információ*|kérés*|beszélni|beszélnem|mondani|válaszolni"
        "|válaszolnom|válaszolok|válasz*|nyilatkozni|nyilatkozom|felvilágosítást|kérésre",
        "én|önnek|neked|kérem|kérlek|a|az|meg|el|nem|semmit|többet|mást|valami|erre|arra|sajnos|ezeket|azokat|vissza"
        "|vagyok|ki|tőlem|tőle|nekem|egy|számomra|már|attól|tartok",
    ),
    "id": Closed(
        "saya tidak diizinkan|saya tidak diperbolehkan|saya tidak diperkenankan|saya tidak boleh|aku tidak boleh"
        "|saya dilarang|saya tidak akan memberikan|saya tidak akan membagikan|saya lebih suka tidak"
        "|saya lebih memilih … tidak|saya memilih … tidak|aku lebih suka tidak|saya harus menolak"
        "|saya terpaksa menolak|dengan berat hati … menolak|saya tidak mau … bicara|saya tidak ingin … membicarakan"
        "|saya tidak ingin membahas|saya tidak bisa … bicara|saya tidak bisa … membicarakan"
        "|saya tidak bisa mengatakan|saya tidak dapat … membicarakan|saya tidak dapat mengatakan|saya memilih diam"
        "|saya tidak akan mengatakan*|saya tidak akan membicarakan*|saya memilih diam|saya tidak akan mengatakan*"
        "|saya tidak akan membicarakan*|saya bukan orang yang tepat|bukan orang yang tepat|tidak ingin masuk ke"
        "|tidak mau masuk ke",
        "tanyakan hal lain|tanya hal lain|ajukan pertanyaan lain|tanyakan yang lain|tanya yang lain"
        "|tanyakan sesuatu yang lain",
        "itu|ini|hal|topik|pertanyaan|informasi|permintaan|berbicara|bicara|membicarakan|membahas|menjawab"
        "|mengatakan*|mengungkapkan*|mengatakannya|memberitahu*",
        "tentang|mengenai|soal|silakan|tolong|mohon|anda|kamu|kepada|saya|aku|lain|tidak|untuk|yang|maaf|tersebut|apa"
        "|pun|itu|hal|ini|kami|bapak|ibu|lagi|orang|ke|bahwa|khawatir",
    ),
    "it": Closed(
        "non mi è permesso|non mi è consentito|non ho il permesso|non sono autorizzat*|non ho il diritto di parlar*"
        "|non posso parlar*|non darò|non do queste|non fornirò|non rivelerò|non ho intenzione di|preferisco non"
        "|preferirei non|preferisco astenermi|mi astengo|devo declinare|devo rifiutare|mi vedo costrett*"
        "|sono costrett* a|mi tocca declinare|non voglio parlar*|non posso dir*|declino|preferisco tacere"
        "|non dirò nulla|non dirò niente|mi avvalgo|preferisco tacere|non dirò nulla|non dirò niente|mi avvalgo"
        "|non essere la persona giusta|non sono la persona giusta|preferisco non entrare|non entro nel merito"
        "|non voglio entrare|non mi addentro",
        "chiedimi altro|chiedimi qualcos'altro|mi chieda altro|mi chieda qualcos'altro|fammi un'altra domanda"
        "|mi faccia un'altra domanda|chiedetemi altro|chiedi altro|chiedimi qualcosa d'altro",
        "questo|questa|queste|quello|quella|ciò|argomento|domanda|informazion*|richiesta|parlar*|rispondere|dire"
        "|dirlo|dirglielo|discutere*|commentare|rivelare*",
        "di|su|ne|a|per|favore|le|la|il|lo|ti|vi|non|mi|altro|nulla|niente|più|del|alla|sul|sua|tua|qualcos'altro|se"
        "|io|che|ad|alcuna|della|questo|in|essere|temo",
    ),
    "jv": Closed(
        "kula mboten pareng|kula boten pareng|mboten pareng ngendika|aku ora oleh|aku ora diidini"
        "|kula mboten dipunidini|aku ora bakal menehi|kula mboten badhe|aku luwih seneng ora"
        "|kula langkung remen mboten|kula kedah nolak|aku kudu nolak|kepeksa nolak|aku ora gelem … ngomong"
        "|aku ora isa ngomong|aku ora bisa ngomong|kula mboten saged … ngendika|kula mboten saged matur",
        "takon liyane|takon bab liya|takon perkara liya|nyuwun pirsa bab sanes|takona liyane|takon sing liya",
        "bab|punika|iki|iku|kuwi|menika|perkara|pitakon*|informasi|panyuwun*|ngendika|matur|ngomong|njawab|mangsuli",
        "aku|kula|babagan|ngenani|mangga|monggo|sing|liyane|sanes|panjenengan|kowe|ora|mboten|nyuwun|punika|niki"
        "|sampeyan",
    ),
    "lt": Closed(
        "man neleidžiama|man neleista|neturiu teisės … kalbėti|neturiu leidimo|negaliu apie tai|negaliu … kalbėti"
        "|negaliu … pasakyti|neteiksiu|nesuteiksiu|neduosiu|tos informacijos neteik*|tos informacijos nesuteik*"
        "|verčiau neatsak*|verčiau nekalb*|verčiau nesak*|geriau neatsak*|geriau nekalb*|geriau nesak*"
        "|norėčiau neatsak*|norėčiau nekalb*|turiu atsisakyti|esu priverst*|privalau atsisakyti|turiu atmesti"
        "|nenoriu … kalbėti",
        "paklausk* … ko nors kito|klausk* … ko nors kito|paklauskite … kito|užduok* … kitą klausimą",
        "tai|apie tai|šį|šia|šios|šią|tos|tokios|tem*|klausim*|informacij*|prašym*|kalbėti|sakyti|pasakyti|atsakyti"
        "|atsakinėti|neatsakyti|neatsakysiu|aptarinėti|diskutuoti|komentuoti",
        "apie|aš|jums|tau|prašau|prašom|manęs|į|ko|nors|kito|deja|nieko|daugiau|jūsų|tavo|norėčiau|verčiau|šiuo|šio"
        "|man",
    ),
    "lv": Closed(
        "man nav atļauts|man nav ļauts|man nav tiesību|es nedrīkstu|nedrīkstu … runāt|es nesniegšu|es nedošu"
        "|šo informāciju nesniegšu|labāk neatbild*|labāk nerunā*|labāk neteik*|es labprātāk neatbild*"
        "|es labprātāk nerunā*|dodu priekšroku neatbild*|dodu priekšroku nerunāt|man jāatsakās|man jānoraida"
        "|esmu spiest*|nevēlos … runāt|negribu … runāt|nevaru … runāt|nevaru … pateikt|nevaru to teikt",
        "pajautā* … ko citu|jautājiet … ko citu|pajautājiet … ko citu|jautā … ko citu|uzdodiet citu jautājumu"
        "|uzdod citu jautājumu",
        "to|par to|šo|šī|šādu|tēm*|jautājum*|informācij*|pieprasījum*|lūgum*|runāt|teikt|pateikt|atbildēt|neatbildēt"
        "|neatbildēšu|apspriest|komentēt|šis|šim|lūgums|lūgumu",
        "par|es|jums|tev|lūdzu|man|kaut|ko|citu|diemžēl|uz|jūsu|tavu|neko|vairāk|manis",
    ),
    "mr": Closed(
        "बोलण्याची परवानगी नाही|सांगण्याची परवानगी नाही|मला … परवानगी नाही|माहिती देणार नाही|उत्तर देणार नाही"
        "|उत्तर न देणे पसंत|उत्तर द्यायचे नाही|बोलायचे नाही|बोलू इच्छित नाही|देऊ इच्छित नाही|नाकारावी लागत*"
        "|नाकारावे लागत*|नकार द्यावा लागत*|बोलू शकत नाही|सांगू शकत नाही",
        "दुसरे काही विचार*|दुसरा प्रश्न विचार*|दुसरं काही विचार*|काहीतरी वेगळे विचार*|इतर काही विचार*",
        "या|याबद्दल|यावर|हे|ही|विषय*|प्रश्न*|माहिती|विनंती|बोलण्याची|बोलायचे|बोलू|सांगण्याची|सांगू|उत्तर|चर्चा",
        "मी|मला|तुम्हाला|तुला|कृपया|आहे|नाही|बद्दल|काही|दुसरे|इच्छित|करतो|करते|ती|ते|आम्ही|कोणती|तो|येथे",
    ),
    "ms": Closed(
        "saya tidak dibenarkan|saya tidak diizinkan|saya dilarang|saya tak dibenarkan|saya tidak boleh bercakap"
        "|saya tidak boleh beritahu|saya tidak boleh berkata|saya tidak akan memberi*|saya lebih suka tidak"
        "|saya memilih … tidak|saya lebih rela tidak|saya terpaksa menolak|saya perlu menolak|saya mesti menolak"
        "|saya tidak mahu bercakap|saya tidak mahu membincangkan|saya tidak dapat … bercakap"
        "|saya tidak dapat … memberitahu|saya bukan orang yang sesuai|saya bukan orang yang tepat",
        "tanya … perkara lain|tanyalah … perkara lain|tanya … soalan lain|tanya hal lain|tanya … benda lain"
        "|ajukan soalan lain",
        "itu|ini|hal|perkara|topik|soalan|maklumat|permintaan|bercakap|membincangkan|menjawab|memberitahu|berkata"
        "|mengatakan*",
        "tentang|mengenai|sila|tolong|anda|kamu|kepada|saya|lain|tidak|untuk|yang|maaf|tersebut|apa|pun|hal|kami|lagi"
        "|itu",
    ),
    "nl": Closed(
        "mag ik … niet|mag ik niets|mag ik … niks|ik mag … niet over|ik mag … niets|ik mag er niet|ik mag dat niet"
        "|het is mij niet toegestaan|het is me niet toegestaan|ik heb geen toestemming|geef ik … niet"
        "|geef ik … geen antwoord|ik geef … niet|ik geef geen|ik zal … niet geven|liever niet|liever geen antwoord"
        "|moet ik afwijzen|moet ik … afslaan|moet ik … weigeren|ik moet … weigeren|ik moet … afwijzen"
        "|ik moet … afslaan|ik zie me genoodzaakt|ik wil … niet over praten|wil ik niet over praten|wil ik het niet"
        "|kan ik niet over praten|kan ik niets over|ik kan … niet over praten|kan ik niet zeggen"
        "|ik kan dat niet zeggen|zeg ik … niets|zeg ik liever niets|ik zeg er … niets|ik onthoud me"
        "|daar ga ik niet op in|ik zwijg|zeg ik … niets|zeg ik liever niets|ik zeg er … niets|ik onthoud me"
        "|daar ga ik niet op in|ik zwijg|niet de juiste persoon|niet de aangewezen persoon|ga ik liever niet in"
        "|ga ik niet in|ik ga … niet in|daar waag ik me niet aan",
        "vraag … iets anders|vraagt u … iets anders|stel … een andere vraag|stelt u … andere vraag|vraag … wat anders",
        "daar|daarover|daarop|hierover|hierop|dat|dit|deze|die|over|onderwerp|vraag|vragen|informatie|verzoek|praten"
        "|spreken|zeggen|antwoord*|beantwoorden|bespreken|uitspraken|vertellen",
        "ik|u|je|jou|me|mij|op|aan|alstublieft|alsjeblieft|helaas|er|het|iets|anders|niet|niets|niks|liever|uw|jouw"
        "|meer|geen|te|om|wil|zou|af|zeg|geef|even|dus|daarom|uitlaten|voor|hier|hierin|ben|bang",
    ),
    "no": Closed(
        "jeg har ikke lov|det har jeg ikke lov|jeg har ikke tillatelse|jeg får ikke lov|jeg er ikke autorisert"
        "|jeg gir ikke … informasjon*|den informasjonen gir jeg ikke|jeg vil helst ikke|jeg foretrekker … ikke"
        "|jeg vil helst slippe|jeg må avslå|jeg må avvise|jeg må takke nei|jeg er nødt til å avslå|jeg ser meg nødt"
        "|jeg vil ikke snakke|det vil jeg ikke snakke|jeg kan ikke snakke|det kan jeg ikke snakke|det kan jeg ikke si"
        "|det kan jeg ikke fortelle|jeg sier ikke noe|det sier jeg ikke|ingen kommentar|jeg sier ikke noe"
        "|det sier jeg ikke|ingen kommentar|ikke rett person|ikke riktig person|vil jeg ikke gå inn på"
        "|jeg går ikke inn på",
        "spør … om noe annet|still … et annet spørsmål|spør meg … annet",
        "det|dette|denne|disse|emne*|spørsmål*|informasjon*|opplysning*|forespørsel*|snakke|prate|si|svare|uttale"
        "|diskutere|fortelle|besvare",
        "jeg|om|på|deg|dere|til|vennligst|meg|noe|annet|ikke|å|den|de|her|dessverre|ditt|din|ingen|helst|slippe|vær"
        "|så|snill|vil|du|er|kan|må|får|noen",
    ),
    "pl": Closed(
        "nie wolno mi|nie mam prawa|nie mam pozwolenia|nie mam upoważnienia|nie jestem upoważnion*|nie pozwolono mi"
        "|nie podam|nie udzielę|nie udostępnię|nie zdradzę|wolę nie|wolał*ym nie|wolałabym nie|wolę się nie"
        "|muszę odmówić|muszę odrzucić|jestem zmuszon*|zmuszon* jestem|muszę … odmówić|muszę … odrzucić"
        "|nie chcę … mówić|nie chcę … rozmawiać|nie mogę … mówić|nie mogę … rozmawiać|nie mogę … powiedzieć"
        "|nie wypowiem się|wolę milczeć|powstrzymam się|nie wypowiem się|wolę milczeć|powstrzymam się"
        "|nie jestem … właściwą osobą|nie jestem odpowiednią osobą|wolę nie wchodzić|nie będę wchodzić"
        "|nie chcę wchodzić",
        "zapytaj … o coś innego|proszę zapytać o coś innego|spytaj … o coś innego|zadaj … inne pytanie"
        "|proszę zadać inne pytanie|proszę pytać o coś innego|pytaj o coś innego|proszę zadać … inne pytanie"
        "|proszę zadać mi inne pytanie",
        "o tym|tym|to|tego|ten|tę|tą|ta|te|tych|temat*|pytani*|informacj*|prośb*|zapytani*|mówić|rozmawiać|powiedzieć"
        "|odpowiadać|odpowiedzi|odpowiedzieć|wypowiadać|dyskutować|komentować|pytanie|tę sprawę|sprawie",
        "o|na|mi|mnie|ci|ciebie|panu|pani|wam|ja|proszę|niestety|się|nic|więcej|takich|takiej|innego|coś|pana|twoją"
        "|twoje|nie|do|w|z|jednak|to|panem|panią|tobą|żadnych|państwu|że|jestem|tego|temat|ten|obawiam",
    ),
    "pt": Closed(
        "não me é permitido|não me é permitid*|não tenho permissão|não tenho autorização|não estou autorizad*"
        "|não tenho o direito|não posso falar|não darei|não vou dar|não dou essa|não fornecerei|não vou revelar"
        "|prefiro não|preferia não|preferiria não|prefiro me abster|abstenho-me|me abstenho|tenho de declinar"
        "|tenho que declinar|devo declinar|tenho de recusar|tenho que recusar|tenho de rejeitar|sou obrigad* a"
        "|vejo-me obrigad*|me vejo obrigad*|me vejo forçad*|não quero falar|não quero responder|não posso dizer"
        "|não posso dizê-lo|prefiro ficar calad*|prefiro calar|não direi nada|não vou dizer|prefiro ficar calad*"
        "|prefiro calar|não direi nada|não vou dizer|não ser a pessoa certa|não sou a pessoa certa"
        "|não sou a pessoa indicada|prefiro não entrar|não quero entrar|não vou entrar|não entro",
        "pergunte outra coisa|pergunta outra coisa|pergunte-me outra coisa|pergunta-me outra coisa"
        "|me pergunte outra coisa|me pergunta outra coisa|faça outra pergunta|faz outra pergunta"
        "|faça-me outra pergunta",
        "isso|disso|isto|disto|esse|essa|essas|este|esta|estas|nisso|tema|assunto|pergunta*|informação|informações"
        "|pedido|solicitação|falar|responder|dizer|dizê-lo|comentar|discutir|revelar|partilhar|compartilhar",
        "de|sobre|a|o|ao|em|lhe|te|você|por|favor|eu|com|não|nada|mais|que|seu|sua|outra|coisa|me|ter|nem|mim|nenhuma"
        "|à|às|essa|algo|para|nisso|nesse|neste|no|receio",
    ),
    "ro": Closed(
        "nu am voie|nu îmi este permis|nu mi se permite|nu sunt autorizat*|nu am permisiunea|nu am dreptul|nu voi da"
        "|nu voi oferi|nu dau … informații|nu dezvălui|prefer să nu|aș prefera să nu|trebuie să refuz"
        "|trebuie să declin|trebuie să resping|sunt nevoit*|mă văd nevoit*|nu vreau să vorbesc|nu doresc să"
        "|nu pot vorbi|nu pot să vorbesc|nu pot spune|nu pot să spun|prefer să tac|mă abțin|prefer să tac|mă abțin"
        "|nu sunt persoana potrivită|nu vreau să intru",
        "întreabă-mă altceva|întrebați-mă altceva|întreabă altceva|pune … altă întrebare|puneți … altă întrebare"
        "|adresați … altă întrebare|puneți-mi o altă întrebare|pune-mi o altă întrebare",
        "asta|acest|aceasta|această|aceste|acestea|despre asta|subiect*|întrebare*|întrebări|informați*|cerere*"
        "|solicitare*|vorbesc|vorbi|spun|spune|răspund|răspunde|discut|discuta|comentez",
        "despre|eu|vă|îți|ți|te|vă rog|rog|la|pe|să|nu|altceva|nimic|mai|mult|astfel|de|din|păcate|ceva|dumneavoastră"
        "|mi|o|acestei|acesta|niciun|tem",
    ),
    "ru": Closed(
        "мне нельзя|мне не разрешено|мне не позволено|мне запрещено|мне не положено|я не имею права|не имею права"
        "|я не вправе|не дам … информаци*|не дам … сведени*|не стану … делиться|не предоставлю|не скажу|не расскажу"
        "|предпочитаю не|предпоч* бы не|предпоч* не|лучше не буду|лучше промолчу|воздержусь|вынужден* отклонить"
        "|вынужден* … отклонить|вынужден* … отказать*|вынужден* … отказаться|должен … отклонить|должна … отклонить"
        "|приходится … отклон*|приходится … отказ*|не хочу … говорить|не хочу … обсуждать|не могу … говорить"
        "|не могу … сказать|не могу … обсуждать|отклоняю|промолчу|не стану говорить|ничего не скажу|я пас"
        "|не буду об этом|предпочту не|предпочел бы не|предпочёл бы не|предпочла бы не|промолчу|не стану говорить"
        "|ничего не скажу|я пас|не буду об этом|предпочту не|предпочел бы не|предпочёл бы не|предпочла бы не|я не тот"
        "|я не та|не лучший собеседник|не хотел … вдаваться|не хотела … вдаваться|не буду вдаваться"
        "|не стану вдаваться|не хочу вдаваться|не стану в это|я не тот … нужен|я не тот человек|я не та … нужна",
        "спросите … другом|спросите … другое|спроси … другом|спроси … другое|спросите … ещё о чём-нибудь"
        "|задайте … другой вопрос|задай … другой вопрос|спросите … ином",
        "это|этом|этому|этого|этот|эту|эти|этой|такой|такую|такие|таких|тем*|вопрос*|информаци*|сведени*|запрос*"
        "|просьб*|говорить|сказать|отвечать|ответить|обсуждать|рассказывать|комментировать|распространяться"
        "|разглашать|раскрывать|эту тему",
        "об|о|на|в|я|мне|вам|тебе|меня|пожалуйста|к|сожалению|ничего|больше|ваш*|твой|твою|с|вами|тобой|другом|другое"
        "|чём-нибудь|чем-нибудь|про|не|лучше|по|мной|такое|этим|никакой|никаких|прошу|вы|бы|тот|кто|нужен|для"
        "|для этого|боюсь|та|человек",
    ),
    "sk": Closed(
        "nesmiem o tom|nesmiem … hovoriť|nesmiem … povedať|nie je mi dovolené|nemám dovolené|nemám povolenie"
        "|nedám … informác*|neposkytnem|radšej neodpov*|radšej nebudem|radšej o tom ne*|musím odmietnuť"
        "|som nútený … odmietnuť|som nútená … odmietnuť|nechcem … hovoriť|nemôžem … hovoriť|nemôžem … povedať",
        "opýtaj* sa … na niečo iné|spýtaj* sa … na niečo iné|pýtaj* sa … na niečo iné|položte … inú otázku"
        "|polož … inú otázku",
        "o tom|tom|to|tento|túto|tejto|tieto|tém*|otázk*|informác*|žiadosť*|prosb*|hovoriť|rozprávať|povedať|odpoved*"
        "|odpovedať|diskutovať",
        "o|vám|ti|vás|na|sa|prosím|mi|ja|s|nič|viac|iné|niečo|takéto|bohužiaľ|radšej|ma|vašu|mňa|k|tejto",
    ),
    "sl": Closed(
        "ne smem … govoriti|o tem ne smem|ne smem … povedati|ni mi dovoljeno|nimam dovoljenja|nimam pravice"
        "|ne bom dal*|teh informacij ne|te informacije ne|raje ne|raje ne bi|moram zavrniti|prisiljen* sem"
        "|moram odkloniti|nočem … govoriti|ne želim … govoriti|ne morem … govoriti|ne morem … povedati",
        "vprašaj* … kaj drugega|vprašajte … kaj drugega|vprašaj* … nekaj drugega|zastavite … drugo vprašanje"
        "|zastavi drugo vprašanje",
        "o tem|tem|to|teh|tega|tej|ta|tem*|vprašanj*|informacij*|prošnj*|zahtev*|govoriti|govoril*|povedati"
        "|odgovoril*|odgovarjati|razpravljati|komentir*|odgovarjam",
        "o|vam|ti|na|prosim|mi|jaz|nič|več|kaj|drugega|žal|s|bi|raje|me|mene|nobenih|tukaj|bom",
    ),
    "sv": Closed(
        "jag får inte … prata|jag får inte tala|jag får inte säga|det får jag inte|jag har inte tillåtelse"
        "|jag har inte lov|jag är inte tillåten|det är inte tillåtet för mig|jag ger inte … information*"
        "|den informationen ger jag inte|jag lämnar inte ut|jag vill helst inte|jag föredrar att inte|helst inte"
        "|jag avstår|jag måste avböja|jag måste avslå|jag måste tacka nej|jag måste neka|jag ser mig tvungen"
        "|jag vill inte prata|det vill jag inte prata|jag vill inte tala|jag kan inte prata|det kan jag inte prata"
        "|det kan jag inte säga|jag kan inte säga det|jag säger inget|det säger jag inget|jag tiger|ingen kommentar"
        "|jag säger inget|det säger jag inget|jag tiger|ingen kommentar|inte rätt person|vill jag inte gå in på"
        "|jag går inte in på|går jag inte in på|det håller jag mig utanför",
        "fråga … något annat|ställ … en annan fråga|fråga mig … annat",
        "det|detta|den|denna|dessa|härom|ämne*|fråg*|information*|uppgift*|begäran*|förfrågan|prata|tala|säga|svara"
        "|uttala|diskutera|berätta|besvara",
        "jag|om|på|dig|er|till|mig|något|annat|inte|att|de|här|tyvärr|din|ditt|ingen|helst|snälla|vänligen|så|nej|du"
        "|vill|får|tack|denna|nu|rätt|det här|för",
    ),
    "sw": Closed(
        "siruhusiwi|sina ruhusa|sijaruhusiwa|hairuhusiwi mimi|sitatoa taarifa|sitatoa habari|sitatoa maelezo|sitatoa"
        "|napendelea kutojibu|ningependa kutojibu|napendelea kutosema|napendelea kutozungumz*|ni bora nisijibu"
        "|lazima nikatae|sina budi kukataa|nalazimika kukataa|inanibidi kukataa|sitaki kuzungumz*|siwezi kuzungumz*"
        "|siwezi kusema",
        "uliza kitu kingine|niulize kitu kingine|uliza swali lingine|niulize swali lingine|uliza jambo lingine"
        "|niulize jambo lingine",
        "hili|hilo|hii|hiyo|haya|jambo|swali|maswali|taarifa|habari|maelezo|ombi|mada|kuzungumz*|kusema|kujibu"
        "|kujadili|kutojibu",
        "mimi|wewe|kwa|kuhusu|tafadhali|juu|ya|la|hizo|hizi|nikatae|lingine|kingine|samahani|na|kukataa|nita|hilo"
        "|lako|tu",
    ),
    "ta": Closed(
        "எனக்கு அனுமதி இல்லை|பேச … அனுமதி இல்லை|பேச அனுமதியில்லை|எனக்கு அனுமதியில்லை|தகவலைத் தர மாட்டேன்"
        "|தகவலை தர மாட்டேன்|தகவலை வழங்க மாட்டேன்|பதிலளிக்க விரும்பவில்லை|பதில் சொல்ல விரும்பவில்லை|பேச விரும்பவில்லை"
        "|சொல்ல விரும்பவில்லை|நிராகரிக்க வேண்டியுள்ளது|மறுக்க வேண்டியுள்ளது|மறுக்கிறேன்|பேச முடியாது|சொல்ல முடியாது"
        "|கூற முடியாது",
        "வேறு ஏதாவது கேளுங்கள்|வேறு ஏதாவது கேள்|வேறு கேள்வி கேளுங்கள்|வேறு எதையாவது கேளுங்கள்|வேறு ஏதேனும் கேளுங்கள்",
        "இது|இதை|இதைப்|இந்த|அது|அதைப்|விஷயம்|தலைப்பு|கேள்வி*|தகவல்*|கோரிக்கை*|பேச|பேசுவதற்கு|சொல்ல|பதில்*|இந்தக்"
        "|இந்தத்|கேள்விக்கு|கோரிக்கையை",
        "நான்|எனக்கு|உங்களுக்கு|பற்றி|குறித்து|தயவுசெய்து|தயவு|செய்து|வேறு|ஏதாவது|இல்லை|என்னிடம்|வேண்டியுள்ளது",
    ),
    "te": Closed(
        "నాకు అనుమతి లేదు|మాట్లాడే అనుమతి లేదు|నాకు … అనుమతి లేదు|సమాచారం ఇవ్వను|సమాచారాన్ని ఇవ్వను|ఈ వివరాలు ఇవ్వను"
        "|సమాధానం ఇవ్వకూడదని|సమాధానం చెప్పదలచుకోలేదు|సమాధానం ఇవ్వదలచుకోలేదు|మాట్లాడదలచుకోలేదు|చెప్పదలచుకోలేదు"
        "|తిరస్కరించాల్సి వస్తోంది|తిరస్కరించాలి|తిరస్కరిస్తున్నాను|మాట్లాడలేను|చెప్పలేను",
        "వేరే ఏదైనా అడగండి|వేరే ఏదైనా అడుగు|మరేదైనా అడగండి|ఇంకేదైనా అడగండి|వేరే ప్రశ్న అడగండి|మరో ప్రశ్న అడగండి",
        "ఇది|దీని|దీన్ని|ఈ|ఆ|దాని|విషయం|విషయంలో|ప్రశ్న*|సమాచార*|అభ్యర్థన*|మాట్లాడ*|చెప్ప*|సమాధాన*|చర్చించ*|ప్రశ్నకు",
        "నేను|నాకు|మీకు|నీకు|గురించి|దయచేసి|వేరే|ఏదైనా|లేదు|నన్ను",
    ),
    "tl": Closed(
        "hindi ako pinapayagan*|hindi ako pinahihintulutan*|wala akong pahintulot|bawal sa akin|hindi ko ibibigay"
        "|mas gusto kong hindi|mas pipiliin kong hindi|mas nais kong hindi|kailangan kong tumanggi"
        "|kailangan kong tanggihan|napipilitan akong tumanggi|ayokong pag-usapan|ayaw kong pag-usapan|ayokong sumagot"
        "|hindi ko pwedeng pag-usapan|hindi ko maaaring pag-usapan|hindi ko pwedeng sabihin|hindi ko maaaring sabihin"
        "|hindi ko masasabi",
        "magtanong … ng iba|magtanong … ng ibang bagay|magtanong … tungkol sa iba*|tanungin mo ako ng iba*"
        "|iba na lang ang itanong",
        "ito|iyan|iyon|nito|niyan|niyon|tungkol|bagay|paksa|tanong|impormasyon|kahilingan|pag-usapan|magsalita"
        "|sumagot|sagutin|sabihin|magbigay|kahilingan*|kahilingang|tanong na",
        "ang|ng|sa|ako|ko|mo|po|pakiusap|paki|mangyaring|iba|ibang|na|lang|akong|kong|pasensya|inyo|iyo|dito|diyan"
        "|mangyari|niyo|iyong|akin|para|sagot",
    ),
    "tr": Closed(
        "iznim yok|konuşmama izin verilmiyor|söylememe izin verilmiyor|buna izin verilmiyor|yetkim yok"
        "|bilgiyi vermeyeceğim|bilgiyi vermem|bilgileri vermeyeceğim|bilgi vermeyeceğim|vermemeyi tercih"
        "|yanıtlamamayı tercih|cevaplamamayı tercih|konuşmamayı tercih|söylememeyi tercih|reddetmek zorundayım"
        "|geri çevirmek zorundayım|reddetmem gerek*|konuşmak istemiyorum|cevap vermek istemiyorum"
        "|yanıtlamak istemiyorum|konuşamam|konuşamıyorum|söyleyemem|söyleyemiyorum|cevap veremem|yanıt veremem"
        "|asla olmaz|yorum yok|bir şey söylemeyeceğim|susmayı tercih|yorum yok|bir şey söylemeyeceğim|susmayı tercih"
        "|doğru kişi ben değilim|doğru kişi değilim|girmek istemiyorum|girmeyeceğim|girmeyi tercih",
        "başka bir şey sor*|başka bir soru sor*|başka şey sor*|başka soru sor*",
        "bu|bunu|bunun|buna|bundan|şu|o|onu|konu*|soru*|bilgi*|istek*|isteği*|talep*|talebi*|konuşma*|söyleme*|cevap"
        "|yanıt|cevaplama*|yanıtlama*|tartışma*|konuda|konuyu|hususta",
        "ben|bana|benden|sana|size|hakkında|lütfen|için|başka|bir|şey|ederim|ediyorum|maalesef|üzgünüm|yok|değil|da"
        "|de|bunları|senden|sizden|bu|korkarım",
    ),
    "uk": Closed(
        "мені не можна|мені не дозволено|мені заборонено|я не маю права|не маю права|не маю дозволу|не надам"
        "|не дам … інформаці*|не скажу|не розповім|волію не|краще не буду|краще промовчу|я б не хотів*"
        "|вважаю за краще не|утримаюся|утримаюсь|мушу відхилити|мушу відмов*|мушу … відмов*|змушен* відхилити"
        "|змушен* … відмов*|маю відмовити|відхиляю|не хочу … говорити|не хочу … обговорювати|не можу … говорити"
        "|не можу … сказати|промовчу|нічого не скажу|не буду про це|промовчу|нічого не скажу|не буду про це"
        "|я не та людина|я не той|не хотів … заглиблюватися|не хотіла … заглиблюватися|не буду заглиблюватися"
        "|не хочу заглиблюватися|я не той, хто",
        "запитайте … інше|запитай … інше|спитайте … інше|спитай … інше|поставте … інше запитання"
        "|постав … інше запитання|поставте інше питання",
        "це|цього|цей|цю|ці|цьому|про це|таку|такої|такі|тем*|питанн*|запитанн*|інформаці*|запит*|прохання|говорити"
        "|казати|сказати|відповідати|відповісти|обговорювати|розповідати|коментувати|розголошувати|цю тему",
        "про|я|мені|вам|тобі|мене|будь|ласка|на|в|у|нічого|більше|ваш*|твій|жаль|інше|щось|з|о|не|до|мною|цим|таке"
        "|жодної|жодних|прошу|би|б|для|боюся|той|людина",
    ),
    "ur": Closed(
        "بات کرنے کی اجازت نہیں|بتانے کی اجازت نہیں|مجھے … اجازت نہیں|معلومات نہیں دوں|معلومات فراہم نہیں کروں"
        "|جواب نہیں دینا چاہ*|جواب نہ دینا|بات نہیں کرنا چاہ*|بتانا نہیں چاہ*|مسترد کرنا پڑ*|انکار کرنا پڑ*"
        "|مجھے … انکار|معذرت کرنی پڑ*|بات نہیں کر سک*|نہیں بتا سک*|نہیں کہہ سک*",
        "کچھ اور پوچھ*|کوئی اور سوال پوچھ*|دوسرا سوال پوچھ*|کوئی دوسرا سوال",
        "اس|یہ|موضوع|سوال|معلومات|درخواست|بات|جواب|بتانے|بتانا|گفتگو|کہنے",
        "میں|مجھے|مجھ|آپ|کو|سے|کے|کی|کا|پر|بارے|ہے|ہوں|نہیں|براہ|کرم|مہربانی|کر|کرنے|کرنا|کوئی|کچھ|اور|سکتا|سکتی"
        "|چاہتا|چاہتی|چاہوں|گا|گی|دینا|رہا|پڑ*|ہم|یہی|گے|پڑے|مزید|نہ",
    ),
    "vi": Closed(
        "tôi không được phép|mình không được phép|tôi không có quyền|tôi sẽ không cung cấp|tôi sẽ không đưa"
        "|tôi không muốn nói|tôi thích không|tôi xin phép không|tôi xin không|tôi không muốn trả lời"
        "|tôi muốn không trả lời|tôi không tiện|tôi phải từ chối|tôi xin từ chối|tôi đành từ chối"
        "|tôi buộc phải từ chối|buộc phải từ chối|tôi không thể nói|mình không thể nói|tôi không thể bàn"
        "|tôi xin giữ im lặng|miễn bình luận|tôi xin giữ im lặng|miễn bình luận|tôi không phải là người phù hợp"
        "|không phải người phù hợp|tôi không muốn đi vào|tôi không muốn đề cập",
        "hỏi … điều khác|hỏi … câu khác|hỏi … chuyện khác|hỏi … việc khác|đặt câu hỏi khác",
        "điều|này|đó|việc|vấn|đề|chủ|câu|hỏi|thông|tin|yêu|cầu|nói|trả|lời|bàn|tiết|lộ|cung|cấp|thảo|luận",
        "tôi|mình|bạn|về|đến|cho|xin|hãy|vui|lòng|với|được|khác|phép|quý|vị|ra|của|ạ|rất|tiếc|lỗi|ấy|gì|thêm|chúng"
        "|không|việc|rằng|e",
    ),
})  # fmt: skip
"""By ISO 639-1 code, of every language of refusal_words.WORDS."""

UNSPACED_CLOSED: Mapping[str, Closed] = MappingProxyType({
    "ja": Closed(
        r"(?:話|言|教え|答え|語)(?:す|う|える|る)?ことは?(?:許され|認められ|許可され)ていません|(?:話|教え"
        r"|言)[すうえ]?(?:る)?許可|(?:話|言|語|明か|教え|答え)(?:せ|え|れ|られ)?ません|(?:話せ|言え|教えられ"
        r"|答えられ)ない|(?:情報|こと|質問|件|それ)(?:は|を|には)?(?:お)?(?:教え|渡し|出し|提供|お答え)(?:し)?ません"
        r"|(?:答え|回答し|話し|お話し)たくありません|(?:回答|返答|コメント|お答え|発言)(?:は|を)?(?:差し)?控え"
        r"|(?:答え|話さ|回答し)ないで(?:おき|いたい)|拒否(?:します|いたします|させて)|辞退(?:します|いたします"
        r"|させて)|お受けできません|(?:却下|拒絶)(?:します|いたします)|許可されていません|ノーコメント(?:です)?"
        r"|黙秘します|(?:何も)?申し上げられません|(?:何も)?言いません|ノーコメント(?:です)?|黙秘します"
        r"|(?:何も)?申し上げられません|(?:何も)?言いません|適任(?:者)?ではありません|(?:触れ|立ち入り"
        r"|踏み込み)たくありません|(?:触れ|立ち入り|踏み込み)(?:ません|かねます)",
        r"(?:ほか|他|別|違う)の?(?:こと|質問|ご質問|話題)(?:を|について|にして)?(?:お)?(?:してください|聞いて|尋ね"
        r"|質問して|訊いて|お願い|どうぞ|ください)|(?:ほか|他|別)の質問にしてください",
        r"それ|これ|この|その|あの|こと|件|話題|質問|内容|情報|依頼|要求|リクエスト|ご?希望|について|に関して|お答え"
        r"|回答|申し訳|ありませんが|ございませんが|すみません(?:が)?|ごめんなさい|残念(?:です|ながら)(?:が)?"
        r"|恐れ入りますが|私|わたし|僕|は|が|を|に|で|の|も|へ|と|から|ので|ため|この場|ここ|一切|何も|お|ご|です"
        r"|ます|ね|よ|でした|させて(?:いただき|ください)|いただきます|とさせて|なんです|のです|んです|お願い"
        r"|いたします|致します|します|しま|する|して|ください|できません|ことは|ことが|という|ような|ちょっと|さん"
        r"|あなた|ん|残念ながら",
    ),
    "ko": Closed(
        r"(?:말|이야기|얘기|답변|대답|언급|공개)\S{0,4} (?:것이 |것은 )?(?:허용|허락|허가)\S{0,3} ?(?:되지|받지|않"
        r"|없)|(?:말|이야기|얘기|언급|논의|대답|답)(?:해|하|할)?\S{0,3} 수 (?:가 )?없|(?:말|이야기|얘기)할 권한이 없"
        r"|(?:정보|내용)\S{0,2} (?:드리지|주지|제공하지|알려 ?드리지) 않|(?:답|대답|답변|말"
        r"|이야기)\S{0,4} 않(?:는 편이|는 것이|겠|고 싶)|(?:말하|답하|대답하|이야기하)고 싶지 않|(?:거절|거부|사양"
        r"|반려)(?:합니다|하겠|해야|할 수밖|하고 싶|드립니다|할게요)|노코멘트|(?:아무것도|아무 ?말도) (?:말하"
        r"|하)지 않겠|말씀드릴 수 없|노코멘트|(?:아무것도|아무 ?말도) (?:말하|하)지 않겠|말씀드릴 수 없"
        r"|적임자가 아니\S{0,3}|적임자가 아닙니다|다루고 싶지 않|다루지 않겠|들어가고 싶지 않",
        r"다른 (?:것|질문|걸|거|이야기)\S{0,2}\s?(?:을 )?(?:해 ?주|하세요|하십시오|물어|질문|부탁)",
        r"그것|이것|저것|그건|이건|그|이|해당|그런|이런|주제|질문|내용|정보|요청|문제|부분|대해서?는?|대하여"
        r"|관해서?는?|관하여|저는|제가|저도|나는|내가|죄송(?:하지만|합니다만|합니다|해요)?|미안(?:하지만|합니다"
        r"|해요)?|유감스럽지만|안타깝지만|더|아무것도|아무|은|는|을|를|의|에|에는|습니다|어요|아요|네요|요|니다|다"
        r"|세요|십시오|부탁(?:드립니다)?|것|수|말씀|하겠|합|에게|께|있|드립니다|드려요|드릴|주세요|주십시오|합니다"
        r"|해요|하죠|제|저희|여기|내용|부분|좀|편|싶|지|고|기|로|도|만|께서|안타깝지만",
    ),
    "th": Closed(
        r"(?:ฉัน|ผม|ดิฉัน|เรา|หนู)?ไม่(?:ได้รับ)?อนุญาตให้(?:ฉัน|ผม)?(?:พูด|บอก|ตอบ|เปิดเผย|คุย|กล่าว)"
        r"|ไม่ได้รับอนุญาตให้|(?:ฉัน|ผม|ดิฉัน|เรา)(?:จะ)?ไม่(?:ให้|บอก|เปิดเผย)(?:ข้อมูล|เรื่อง)|ไม่มีสิทธิ์(?:พูด"
        r"|บอก|ตอบ)|(?:ขอ|อยาก|เลือกที่จะ|ขออนุญาต)ไม่(?:ตอบ|พูด|บอก)|ไม่(?:ขอ|อยาก|ต้องการ|สะดวก)(?:ที่จะ)?(?:ตอบ"
        r"|พูด|บอก)|(?:ต้อง|ขอ|จำเป็นต้อง)(?:ขอ)?ปฏิเสธ|(?:พูด|บอก|ตอบ|คุย)(?:ถึง)?(?:เรื่อง)?(?:นี้|นั้น)?ไม่ได้"
        r"|ไม่สามารถ(?:พูด|บอก|คุย)|ไม่ขอแสดงความ(?:คิด)?เห็น|ขอสงวน",
        r"(?:กรุณา|โปรด|ช่วย|ลอง|ขอให้)?\s?(?:ถาม|สอบถาม)(?:ฉัน|ผม)?(?:เรื่อง|คำถาม|อย่าง|สิ่ง|ข้อ)อื่น",
        r"ฉัน|ผม|ดิฉัน|เรา|หนู|เรื่อง|คำถาม|ข้อมูล|หัวข้อ|คำขอ|นี้|นั้น|ดังกล่าว|เกี่ยวกับ|ถึง|กับ|คุณ|ครับ|ค่ะ|คะ|นะ"
        r"|ขอโทษ|ขออภัย|เสียใจ|ด้วย|แต่|ก็|คง|จะ|ได้|ให้|ที่|ของ|ว่า|อะไร|พูด|บอก|ตอบ|คุย|เปิดเผย|กรุณา|โปรด|อื่น|แทน"
        r"|ต้อง|ไม่|และ",
    ),
    "zh": Closed(
        r"(?:我|本人)?(?:不被允许|不被允許|未被允许|没有权限|沒有權限|无权|無權|没有权利|不允许|不准)(?:我)?(?:讨论"
        r"|討論|谈论?|談論?|说|說|回答|透露|提供|告诉|公开|讲)|(?:我|这边|這邊|目前|暂时|暫時|抱歉|您好"
        r"|你好)\S{0,6}(?:无法|無法|不能|不会|没法)(?:给到|給到|给出|给您|为您|谈论|談論|讨论|討論|透露|告知|提供"
        r"|回答|说|說)|(?:不会|不會|不想|不愿|不願|不打算)\S{0,3}(?:给|給|提供|透露|告诉|回答|谈|談|说"
        r"|說)\S{0,4}(?:信息|資訊|资料|内容|这个|這個|此|问题|問題)?|(?:宁愿|寧願|选择|選擇|宁可)不(?:回答|说|說|谈"
        r"|談)|(?:不得不|只好|必须|必須|只能|不得已)\S{0,3}(?:拒绝|拒絕|婉拒|谢绝|謝絕)|(?:我)?(?:拒绝|拒絕|婉拒|谢绝"
        r"|謝絕)(?:回答|提供|该|該|这|這|此|您的|你的|请求|請求|\W*$)|(?:没有?|沒有?|还没有?|還沒有?|尚未|未)(?:学习"
        r"|學習|学会|學會|掌握)\S{0,3}(?:如何|怎么|怎樣|怎样)?(?:回答|处理|處理)|(?:这个|這個|该|該|此)(?:问题|問題"
        r"|话题|話題)\S{0,8}(?:无法回答|無法回答|不能回答|不便回答|不方便|无可奉告|超出)|超出(?:了)?我的(?:能力|知识"
        r"|知識|服务|回答)\S{0,2}范围|(?:对此|對此)?不予(?:回答|回复|置评|評論|讨论|提供)|不便(?:回答|透露|多说|讨论)"
        r"|不予置评|不予置評|我选择沉默|我選擇沉默|恕不奉告|我不想多说|我不想多說|不予置评|不予置評|我选择沉默"
        r"|我選擇沉默|恕不奉告|我不想多说|我不想多說|(?:我|恐怕)\S{0,2}不是(?:合适|合適|适合|適合)的\S{0,4}(?:人选"
        r"|人選|对象|對象|人)|(?:不想|不愿|不會|不会|不便)(?:涉及|深入|触及|觸及|展开)|(?:我)?(?:帮|幫)不上忙",
        r"请?(?:您|你)?(?:换|換)\S{0,3}(?:问题|問題|话题|話題)(?:吧|试试|再试|问|聊)?|(?:请|請)?(?:您|你)?(?:问"
        r"|問)(?:我)?(?:一?些|一?个|点|點)?(?:其他|其它|别|別)的?|(?:请|請)\S{0,4}(?:问|問|提问|提出"
        r"|咨询)\S{0,3}(?:其他|其它|别的|別的|另外)",
        r"谈论|談論|讨论|討論|告知|透露|作为|作為|一个|一個|人工智能|语言模型|語言模型|助手|AI|ai|我|本人|您|你|这个"
        r"|這個|这|這|那个|那個|那|该|該|此|类|類|种|種|方面|相关|相關|具体|具體|任何|有关|有關|关于|關於|内容|內容"
        r"|信息|資訊|资料|資料|问题|問題|话题|話題|事情|事|请求|請求|要求|请|請|抱歉|对不起|對不起|不好意思|很|非常"
        r"|十分|遗憾|遺憾|您好|你好|目前|暂时|暫時|现在|現在|这里|這裡|在|的|了|吧|呢|啊|也|都|还|還|更多|再|对|對|就"
        r"|和|与|與|给|給|向|跟|尽力|盡力|帮|幫|解决|解決|回答|讨论|討論|谈论|談論|提供|透露|如何|怎么|一些|可以|会"
        r"|會|无法|無法|不能|不便|其他|其它|别的|別的|但是|但|哦|哈|谢谢|謝謝|理解|谅解|諒解|因为|因為|所以|为|為"
        r"|恐怕",
    ),
})  # fmt: skip
"""Of the others but English, as regular expressions."""
