"""How languages are named in data sets, and the frequent words of those that are often typed in Latin letters. Tables only."""

from __future__ import annotations

_NAMES = """
af afr afrikaans|am amh amharic|ar ara arabic العربية|as asm assamese|az aze azerbaijani azeri|ba bak bashkir
be bel belarusian|bg bul bulgarian български|bn ben bengali bangla বাংলা|bo tib bod tibetan|br bre breton
bs bos bosnian|ca cat catalan català valencian|cs cze ces czech čeština|cy wel cym welsh|da dan danish dansk
de ger deu german deutsch|dz dzo dzongkha|el gre ell greek ελληνικά|en eng english|eo epo esperanto
es spa spanish español castilian castellano|et est estonian eesti|eu baq eus basque euskara
fa per fas pes prs persian farsi dari فارسی|fi fin finnish suomi|fo fao faroese|fr fre fra french français
fy fry frisian|ga gle irish|gd gla gaelic|gl glg galician galego|gn grn guarani|gu guj gujarati|ha hau hausa
he heb iw hebrew עברית|hi hin hindi हिन्दी हिंदी|hr hrv croatian hrvatski|ht hat haitian|hu hun hungarian magyar
hy arm hye armenian|id ind in indonesian|ig ibo igbo|is ice isl icelandic|it ita italian italiano
ja jpn jp japanese 日本語|jv jav jw javanese|ka geo kat georgian|kk kaz kazakh|km khm khmer cambodian|kn kan kannada
ko kor kr korean 한국어|ku kur kurdish kmr ckb|ky kir kyrgyz kirghiz|la lat latin|lb ltz luxembourgish|lg lug ganda
ln lin lingala|lo lao laotian|lt lit lithuanian|lv lav latvian|mg mlg malagasy|mi mao mri maori
mk mac mkd macedonian|ml mal malayalam|mn mon mongolian khk|mr mar marathi|ms may msa malay zsm bahasa melayu
mt mlt maltese|my bur mya burmese myanmar|nb nob bokmål bokmal|ne nep nepali npi
nl dut nld dutch flemish nederlands|nn nno nynorsk|no nor norwegian norsk|oc oci occitan|om orm oromo
or ori oriya odia ory|pa pan punjabi panjabi pnb|pl pol polish polski|ps pus pashto|pt por portuguese português
qu que quechua|ro rum ron romanian moldavian română|ru rus russian русский|rw kin kinyarwanda|sa san sanskrit
sd snd sindhi|si sin sinhala sinhalese|sk slo slk slovak|sl slv slovenian slovene|sm smo samoan|sn sna shona
so som somali|sq alb sqi albanian|sr srp serbian srpski српски|st sot sotho|su sun sundanese
sv swe swedish svenska|sw swa swh swahili kiswahili|ta tam tamil தமிழ்|te tel telugu తెలుగు|tg tgk tajik
th tha thai ไทย|ti tir tigrinya|tk tuk turkmen|tl tgl fil tagalog filipino|tn tsn tswana|tr tur turkish türkçe
tt tat tatar|ug uig uyghur uighur|uk ukr ukrainian українська|ur urd urdu اردو|uz uzb uzbek uzn|vi vie vietnamese
vo vol volapük|wo wol wolof|xh xho xhosa|yi yid yiddish|yo yor yoruba
zh chi zho cmn cn yue wuu chinese mandarin cantonese 中文 汉语 漢語 简体中文 繁體中文|zu zul zulu
"""
CODES: dict[str, str] = {
    name: entry.split()[0] for entry in _NAMES.replace("\n", "|").split("|") if entry.strip() for name in entry.split()
}
CODES |= {"simplified chinese": "zh", "traditional chinese": "zh", "brazilian portuguese": "pt", "bahasa indonesia": "id",
          "tiếng việt": "vi", "scottish gaelic": "gd", "haitian creole": "ht", "norwegian bokmål": "nb", "bahasa": "id",
          "norwegian nynorsk": "nn", "mexican spanish": "es", "british english": "en", "american english": "en"}  # fmt: skip
"""The ISO 639-1 code of each code (ISO 639-1, -2, -3) and name, in lower case."""

_ROMANISED = {
    "hi ur": (
        "hai hain nahi nahin nahee aur kya mein kitna kitne kitni hota hoti hote tha thi raha rahe rahi karna "
        "karta karte karti karo karen karke kar aap aapka aapki aapko yeh woh mera meri mere hamara hamare apna "
        "apni apne liye lekin agar bhi kuch koi kaise kaisa kaisi kyun kyon kyunki kahan kahaan theek thik accha "
        "acha achha paanch panch teen chaar char shukriya dhanyavad jod jodne matlab chahiye sakta sakte sakti "
        "gaya gayi gaye kiya diya liya hua hui hue wala wale wali kaun kab jab phir bahut bohot bahot yahan wahan "
        "unka unke uska uske uski iska iske iski mujhe tumhe tumhara tujhe humein hume sirf sabhi ek haal hoon "
        "hun isliye toh jawab sawal sankhya baraabar barabar milkar milta batao bataiye namaste salaam kis kise"
    ),
    "bn": (
        "ami tumi apni amar tomar apnar amra tara kemon bhalo valo ache achhe achi hobe hoy hoyeche koto ekta "
        "duto kore korte korbo kori korle theke jonno kintu ebong ar tahole ki keno kothay eta ota sei ei jog "
        "phol uttor dui tin panch dhonnobad thik"
    ),
    "ru uk bg": (
        "privet chto kak eto skolko budet pyat ravno ravna otvet spasibo menya zovut zhivu kotoryy kotoryi kogda "
        "gde pochemu potomu esli tolko mozhno nuzhno nado ochen khorosho horosho dva chetyre poluchaem poluchim "
        "summa znachit yest est moy moi ya ty vy my oni ona ono dlya ili tak zdravstvuyte sum kakvo kolko shte "
        "togava pryvit tse shcho dyakuyu"
    ),
    "el": (
        "einai kai den tha mou sou mas sas poso posa giati pws pos ena dyo duo tria tessera pente kanei apantisi "
        "efharisto efxaristo kala kalimera geia lene onoma apo stin ston sto opote exoume echoume autos afto auto "
        "prepei"
    ),
    "ar": (
        "ana enta enti inta inti mish mesh mafi shu kifak keefak keef kayf izzayak ezayak ya3ni yaani wallah "
        "habibi shukran shokran marhaba salam alaikum ahlan kam leh lesh feen wein huwwa hiyya el al wa fi min "
        "ala ila hatha hadha hada thalatha khamsa ithnan tnein talata arba3a yusawi yisawi aljawab ismi"
    ),
    "fa": (
        "ast hast nist hastam hastid shoma baraye chand chetor chetori khoob khub khoobam mikonam mikonim "
        "mishavad mishe mitoonam salam mersi merci panj seh chahar javab pas ama agar yek ham aan va"
    ),
    "ja": (
        "desu masu deshita desuka wa ga wo kara kotae watashi arimasu imasu shimasu ikutsu sono kore sore dakara "
        "tasu nana hachi tame koto mono naru narimasu kudasai arigatou konnichiwa nihongo"
    ),
    "ta": (
        "naan nee neenga enna epdi eppadi irukku irukken illai illa oru rendu moonu naalu anju athu adhu ithu "
        "inga anga enakku unakku romba nalla nandri vanakkam evvalavu ethana aana seri panna"
    ),
    "te": (
        "nenu meeru miru nuvvu enti emi undi undhi unnaru unnanu ela ante kaani kani rendu moodu aidu naalugu "
        "okati idi adi avunu ledu kadu chala bagunnanu dhanyavadalu entha enni kalipi naku meeku"
    ),
    "mr": (
        "aahe ahe aahet ahet nahi kay kasa kashi majha majhe mala tula tumhi amhi ani aani pan kiti dona tin char "
        "paach hoto hote uttar dhanyavad kuthe"
    ),
    "gu": (
        "che chhe shu kem tame hun mane tamaru maru nathi ane pan ketla be tran chaar paanch thay jawab aabhar saru"
    ),
    "pa": "hai han nahi kiven tusi tuhada mera menu tenu ki kinne ate te da di de nu vich changa theek panj",
    "ne": (
        "cha chha chaina ho hoina ma timi tapai mero timro kasto kati ra tara pani ramro dhanyabad tin char panch "
        "uttar hunchha"
    ),
    "ko": (
        "annyeong annyeonghaseyo haseyo imnida ieyo yeyo hamnida seumnida gamsahamnida neun eun reul eul eso eseo "
        "hago geurigo dap daseot eolma myeot jeo naneun ireumeun"
    ),
}
_WEAK = {
    "hi ur": "ka ki ke ko se to do main me tum hum sab ho na par pe hi ye wo par ji is us jo",
    "bn": "na o te er ke ta je se",
    "ru uk bg": "i v na s ne da no po za iz u tri to a",
    "el": "to ta ti tis i o h na me se",
    "ja": "ni no to de mo ka ichi san go roku made",
    "mr": "cha chi che la na ha hi he ka",
    "fa": "in ra ke az be dar",
    "gu": "no ni nu na ma ke ek",
    "ne": "ko ka ki le lai ma ek",
}
ROMANISED = {tuple(languages.split()): frozenset(words.split()) for languages, words in _ROMANISED.items()}
"""Of languages of other scripts: words that are frequent in them, as they are typed in Latin letters."""
WEAK_ROMANISED = {tuple(languages.split()): frozenset(words.split()) for languages, words in _WEAK.items()}
"""More of them, that other languages have, too."""
