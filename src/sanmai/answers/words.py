"""How a final answer is said, hedged, denied and taken back in Latin, Cyrillic and Greek script: data for answer_phrases.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of one language, separated by "|". A "+" goes on with letters, "…" is any text, "#" the answer itself."""

    named: str
    """Names the answer ("Antwort")."""
    spoils: str
    """Denies, doubts, supposes or attributes it, anywhere in its sentence."""
    either: str
    """Sets another beside it ("or"), where it touches it."""
    turns: str
    """Turns against it behind it ("but")."""
    back: str
    """Takes it back, behind it or in a later sentence."""
    glue: str
    """May stand between the answer and its name: copulas, articles, adjectives, "therefore"."""
    why: str
    """Begins the reason, which may hold other numbers."""
    fine: str = ""
    """Holds a word of the other kinds, and is none ("not a cent more", "each")."""


WEST: dict[str, Words] = {
    # English has its own marks (answer_marks.py); here it is read where the answer comes first: "18 is the answer".
    "en": Words(
        named="answer|final answer",
        spoils="not|n't|never|no|if|maybe|perhaps|possibly|probably|might|may|could|would|half|twice|wrong|incorrect|says+|"
               "said|"
               "thinks|thought|claim+|guess+|believes|suppose+|assum+|imagine|pretend|according|intermediate|partial|first|"
               "part",
        either="or|either",
        turns="but|however",
        back="no|wait|wrong|incorrect|mistake|sorry|actually|correction|oops|not sure|not correct|not right",
        glue="is|are|the|our|my|final|correct|so|thus|therefore|hence|required|and|right|desired|to the question|"
             "to the problem|to this question|to this problem|to your question|we are looking for|we were looking for",
        why="because|since|as",
    ),
    "de": Words(
        named="antwort|antworten|ergebnis|lösung|endergebnis|gesamtzahl",
        spoils="nicht|kein|keine|keinen|keineswegs|niemals|vielleicht|möglicherweise|wahrscheinlich|wenn|falls|"
               "weder|eigentlich|nein|irrtum|fehler|etwa|ungefähr|außer|hälfte|falsch+|könnte|dürfte|kann…sein|"
               "kann…lauten|zwischen+|vorläufig+|teil|teilergebnis|laut|stell dir vor|stellen wir uns vor|sagt|sagte|meint|"
               "behauptet|glaubt|angeblich",
        either="oder|entweder|beziehungsweise|bzw",
        turns="aber|doch|sondern|jedoch|allerdings",
        back="nein|moment|halt|doch nicht|warte|falsch+|irrtum|geirrt|verrechnet|korrektur|korrigier+|fehler|stimmt nicht|"
             "nicht richtig|nicht korrekt|unsicher|nicht sicher|vielleicht",
        glue="ist|lautet|beträgt|sind|also|somit|daher|folglich|damit|die|das|der|unsere|meine|endgültige|finale|"
             "richtige|korrekte|gesuchte|gesamte|exakte|auf|frage|aufgabe|es",
        why="weil|denn|da|nämlich|wobei",
        fine="nicht mehr und nicht weniger|nicht anders als|nichts anderes als",
    ),
    "es": Words(
        named="respuesta|opción correcta|resultado|solución|total es",
        spoils="ni|nunca|quizá|quizás|tal vez|probablemente|posiblemente|incorrecta|incorrecto|falso|falsa|si|"
               "perdón|error|equivoqué|casi|tampoco|menos|excepto|mitad|doble|no|puede ser|puede que|pueden ser|"
               "podría|podrían|parcial|parciales|intermedio|intermedia|provisional|parte|dice|dijo|cree|piensa|"
               "afirma|imagina",
        either="o|u|o bien",
        turns="pero|sino|aunque",
        back="espera|espere|perdón|error|equivoqué|me equivoco|incorrecto|incorrecta|falso|no es correcto|"
             "no es correcta|no estoy seguro|no estoy segura|corrijo|corrección|quizá|quizás|tal vez",
        glue="es|son|sería|la|el|las|los|correcta|correcto|final|definitiva|exacta|por|lo|tanto|entonces|así|que|"
             "luego|mi|nuestra|a|pregunta|de|buscada|buscado|total",
        why="porque|ya que|pues|puesto que|dado que",
        fine="no puede ser otra que|no puede ser otro que|no puede ser más que|no es otra que|no es otro que|"
             "o sea|más ni menos",
    ),
    "fr": Words(
        named="réponse|résultat|la solution",
        spoils="pas|ni|jamais|peut-être|probablement|faux|fausse|incorrect|incorrecte|non|erreur|presque|environ|"
               "aucun|moitié|double|aucune|aucunement|nullement|si|pourrait|pourraient|peut être|peut valoir|"
               "intermédiaire+|partiel+|provisoire+|partie|dit|pense|croit|affirme|imagine+|plutôt",
        either="ou|ou bien|soit",
        turns="mais|sauf|cependant",
        back="non|attends|attendez|erreur|trompé|trompée|incorrect|incorrecte|faux|fausse|pas correct|pas exact|"
             "corrige|correction|pas sûr|pas sûre|peut-être|plutôt",
        glue="est|sont|vaut|la|le|les|bonne|correcte|finale|exacte|donc|ainsi|alors|notre|ma|c'est|à|question|"
             "recherchée|définitive|cette",
        why="car|parce que|puisque|étant donné",
        fine="autrement dit|ou encore|pas moins ni plus|ne peut être que",
    ),
    "it": Words(
        named="risposta|opzione corretta|risultato|soluzione",
        spoils="non|né|mai|forse|probabilmente|sbagliata|sbagliato|falso|errore|quasi|no|scusa|metà|doppio|se|"
               "potrebbe|potrebbero|può essere|parziale|parziali|intermedio|intermedia|provvisorio|parte|dice|pensa|"
               "crede|sostiene|immagina",
        either="o|oppure",
        turns="ma|anzi|però|tuttavia",
        back="no|aspetta|errore|sbagliato|sbagliata|sbagliavo|non è corretto|non è corretta|correggo|correzione|"
             "non sono sicuro|forse|anzi",
        glue="è|sono|sarà|la|il|le|corretta|corretto|finale|esatta|esatto|giusta|quindi|dunque|allora|perciò|"
             "nostra|mia|alla|domanda|definitiva|totale",
        why="perché|poiché|dato che|siccome|in quanto",
        fine="non può essere altro che|non è altro che|ossia",
    ),
    "pt": Words(
        named="resposta|resultado|solução|alternativa correta|opção correta",
        spoils="não|nem|nunca|talvez|provavelmente|errada|errado|falso|erro|quase|metade|dobro|se|poderia|pode ser|"
               "podem ser|parcial|parciais|intermediário|intermediária|provisório|parte|disse|diz|acha|acredita|"
               "afirma|imagine",
        either="ou",
        turns="mas|aliás|porém|contudo",
        back="espera|espere|erro|errei|enganei|incorreta|incorreto|errado|errada|falso|não está correto|"
             "não está certo|corrijo|correção|não tenho certeza|talvez",
        glue="é|são|será|a|o|as|os|correta|correto|final|certa|exata|exato|portanto|logo|então|assim|por|isso|"
             "minha|nossa|à|pergunta|que|definitiva|total|de",
        why="porque|pois|já que|visto que|uma vez que",
        fine="não pode ser outra que|não é outra senão|ou seja",
    ),
    "ca": Words(
        named="resposta|resultat|solució",
        spoils="no|ni|potser|si|incorrecta|error|mai|pot ser|podria|parcial|intermedi",
        either="o|o bé",
        turns="però|sinó",
        back="error|incorrecta|espera|potser",
        glue="és|són|la|el|correcta|final|per|tant|doncs",
        why="perquè|ja que",
        fine="o sigui",
    ),
    "ro": Words(
        named="răspunsul|raspunsul|rezultatul|soluția",
        spoils="nu|dacă|greșit|probabil|nici|greșeală|poate fi|poate #|ar putea|parțial|intermediar|zice|crede|spune",
        either="sau|ori",
        turns="ci|dar|însă",
        back="nu este corect|greșit|greșeală|stai|poate",
        glue="este|e|sunt|final|corect|deci|prin|urmare|așadar|la|întrebare",
        why="deoarece|pentru că|fiindcă|căci",
        fine="nu mai mult",
    ),
    "nl": Words(
        named="antwoord|eindantwoord|resultaat|oplossing|uitkomst",
        spoils="niet|geen|nooit|misschien|waarschijnlijk|fout|verkeerd|nee|ongeveer|helft|als|zou|kan…zijn|"
               "kan…bedragen|tussen+|voorlopig+|deel|deelresultaat|zegt|zei|denkt|meent|beweert|gelooft",
        either="of|ofwel|hetzij",
        turns="maar|echter",
        back="nee|wacht|fout|vergissing|vergist|verkeerd|klopt niet|niet juist|niet correct|correctie|niet zeker|"
             "misschien",
        glue="is|zijn|bedraagt|luidt|dus|het|de|juiste|correcte|goede|uiteindelijke|daarom|ons|onze|mijn|op|vraag|"
             "totale|definitieve",
        why="omdat|want|aangezien",
        fine="oftewel|niets anders dan",
    ),
    "sv": Words(
        named="svaret|svar|resultatet",
        spoils="inte|ej|kanske|fel|nej|aldrig|troligen|om|kan vara|skulle kunna|del+|preliminär+|säger|tror|påstår",
        either="eller|antingen",
        turns="men|utan",
        back="nej|vänta|fel|felaktigt|stämmer inte|inte rätt|inte korrekt|kanske|rättelse",
        glue="är|blir|alltså|det|rätta|rätt|korrekta|slutliga|därför|så|på|frågan|vårt|mitt",
        why="eftersom|därför att|för att|ty",
        fine="inget annat än",
    ),
    "no": Words(
        named="svaret|svar|resultatet",
        spoils="ikke|kanskje|hvis|feil|nei|aldri|trolig|kan være|kunne være|del+|foreløpig+|sier|tror|mener",
        either="eller|enten",
        turns="men",
        back="nei|vent|feil|stemmer ikke|ikke riktig|ikke korrekt|kanskje",
        glue="er|blir|altså|det|riktige|rette|endelige|derfor|så|på|spørsmålet|vårt|mitt",
        why="fordi|siden|ettersom",
    ),
    "da": Words(
        named="svaret|svar|resultatet",
        spoils="ikke|måske|hvis|forkert|fejl|nej|aldrig|kan være|kunne være|del+|foreløbig+|siger|tror|mener",
        either="eller|enten",
        turns="men",
        back="nej|vent|fejl|forkert|passer ikke|ikke rigtigt|ikke korrekt|måske",
        glue="er|bliver|altså|det|rigtige|korrekte|endelige|derfor|så|på|spørgsmålet|vores|mit",
        why="fordi|da|eftersom",
    ),
    "fi": Words(
        named="vastaus|vastaukseksi|tulos",
        spoils="ei|eikä|ehkä|jos|väärä|väärin|en|voi olla|saattaa olla|väli+|osa+|sanoo|luulee|väittää",
        either="tai|vai|joko",
        turns="mutta|vaan",
        back="ei|odota|virhe|väärin|väärä|ei pidä paikkaansa|korjaus|ehkä",
        glue="on|siis|oikea|lopullinen|joten|näin|kysymykseen",
        why="koska|sillä",
        fine="ei enempää eikä vähempää",
    ),
    "pl": Words(
        named="odpowiedź|odp|odpowiedzią|odpowiedz|wynik|rozwiązanie",
        spoils="nie|ani|nigdy|błędna|błąd|jeśli|jeżeli|prawdopodobnie|chyba|połowa|może być|może wynosić|może #|"
               "może to|czy|częściow+|pośredni+|wstępn+|część|części|mówi|twierdzi|sądzi|uważa|błędn+",
        either="lub|albo|bądź",
        turns="ale|lecz|jednak",
        back="czekaj|błąd|pomyłka|pomyliłem|pomyliłam|źle|błędn+|niepoprawn+|nieprawda|to nie jest|poprawka|"
             "nie jestem pewien|nie jestem pewna|może",
        glue="to|jest|wynosi|brzmi|więc|zatem|czyli|ostateczna|ostateczny|końcowa|końcowy|poprawna|prawidłowa|"
             "poprawny|prawidłowy|nasza|moja|dlatego|na|pytanie",
        why="ponieważ|bo|gdyż",
        fine="nie mniej|to nic innego jak",
    ),
    "cs": Words(
        named="odpověď|výsledek|řešení",
        spoils="není|ne|ani|možná|pokud|špatně|chyba|asi|nikdy|může být|mohla by|částečn+|průběžn+|část|říká|tvrdí|"
               "myslí|nesprávn+|špatn+",
        either="nebo|buď|či",
        turns="ale|avšak|nýbrž",
        back="počkat|počkej|chyba|špatně|není správně|oprava|možná",
        glue="je|činí|tedy|takže|proto|správná|konečná|finální|naše|moje|na|otázku",
        why="protože|neboť",
    ),
    "hu": Words(
        named="válasz|eredmény|megoldás",
        spoils="nem|talán|ha|hibás|hiba|sem|lehet|lehetne|rész+|közbenső|átmeneti|mondja|szerinte|hiszi|helytelen",
        either="vagy|illetve",
        turns="de|hanem",
        back="nem helyes|várj|hiba|hibás|tévedtem|rossz|javítás|talán",
        glue="a|az|végső|helyes|tehát|így|ezért|kérdésre",
        why="mert|mivel|ugyanis",
        fine="nem más, mint|nem más mint",
    ),
    "tr": Words(
        named="cevap|doğru seçenek|doğru şık|cevabı|cevabımız|yanıt|yanıtı|sonuç",
        spoils="değil|değildir|belki|muhtemelen|yanlış|yanlıştır|eğer|olabilir|hayır|hata|galiba|olamaz|ara|kısmi|"
               "geçici|diyor|dedi|düşünüyor|iddia ediyor|sanıyor",
        either="veya|ya da|yahut|ya",
        turns="ama|fakat|ancak|ise",
        back="hayır|bekle|hata|yanlış|yanlıştır|doğru değil|düzeltme|belki|emin değilim",
        glue="olur|o|halde|doğru|nihai|son|sorunun|dolayısıyla|bu|yüzden|nedenle|yani|böylece",
        why="çünkü|zira",
        fine="başka bir şey değil",
    ),
    "vi": Words(
        named="đáp án|vậy chọn|do đó chọn|ta chọn|câu trả lời|kết quả|đáp số|trả lời",
        spoils="không|chẳng|chưa|có lẽ|sai|nếu|nhầm|có thể là|có thể bằng|chắc là|chắc|tạm thời|trung gian|một phần|"
               "phần a|nói|nghĩ|cho rằng",
        either="hoặc|hay|hay là",
        turns="nhưng|song|tuy nhiên",
        back="khoan|nhầm|sai|không đúng|không phải|sửa lại|có lẽ|không chắc",
        glue="là|vậy|do|đó|đúng|cuối|cùng|chính|xác|của|bài|toán|câu|hỏi|nên|bằng|cần|tìm|suy|ra",
        why="vì|bởi vì|do",
        fine="không gì khác ngoài|không khác gì",
    ),
    "id": Words(
        named="jawaban|jawabannya|hasil|hasilnya",
        spoils="bukan|bukanlah|tidak|mungkin|barangkali|salah|jika|kalau|tak|bisa jadi|bisa saja|bisa adalah|bisa #|"
               "sementara|antara|sebagian|bagian|kata|menurut|mengira|berpikir",
        either="atau",
        turns="tapi|tetapi|namun|melainkan",
        back="tunggu|salah|keliru|tidak benar|bukan itu|ralat|maaf|mungkin|tidak yakin",
        glue="adalah|ialah|yaitu|jadi|maka|oleh|karena|itu|yang|benar|akhir|akhirnya|kita|dari|soal|pertanyaan|"
             "tepat|nya|ini|sama|dengan",
        why="karena|sebab",
        fine="tidak lain adalah|tak lain adalah|tidak lebih dan tidak kurang",
    ),
    "ms": Words(
        named="jawapan|jawapannya|hasil",
        spoils="bukan|tidak|mungkin|salah|jika|tak|boleh jadi|separa|sementara|bahagian|kata|menurut",
        either="atau",
        turns="tetapi|namun",
        back="tunggu|salah|silap|tidak betul|maaf|mungkin",
        glue="ialah|adalah|jadi|maka|oleh|itu|yang|betul|akhir|bagi|soalan",
        why="kerana|sebab",
    ),
    "tl": Words(
        named="sagot|kasagutan",
        spoils="hindi|siguro|baka|mali|kung|maaaring|bahagi|pansamantala|sabi|ayon",
        either="o|o kaya",
        turns="pero|ngunit|subalit",
        back="teka|mali|hindi tama|siguro|hindi ako sigurado",
        glue="ay|ang|kaya|tamang|huling|na|sa|tanong|samakatuwid",
        why="dahil|sapagkat",
        fine="walang iba kundi",
    ),
    "jv": Words(
        named="jawaban|jawabane|wangsulan|wangsulane",
        spoils="dudu|ora|mungkin|salah|menawa|bisa dadi|bagean|jare|miturut",
        either="utawa",
        turns="nanging|tapi",
        back="salah|luput|dudu iku|ora bener|menawa",
        glue="yaiku|iku|dadi|mula|sing|bener|pungkasan|saka|pitakonan",
        why="amarga|jalaran",
        fine="ora liya yaiku",
    ),
    "sw": Words(
        named="jibu|majibu",
        spoils="si|sio|siyo|hapana|labda|pengine|huenda|makosa|kosa|ikiwa|kama|wala|sivyo|inaweza kuwa|"
               "linaweza kuwa|sehemu|muda|anasema|alisema|anadhani",
        either="au|ama",
        turns="lakini|bali",
        back="hapana|subiri|nimekosea|nilikosea|makosa|kosa|si sahihi|sio sahihi|labda|samahani",
        glue="ni|ya|la|mwisho|sahihi|hivyo|kwa|swali|yetu|letu|basi|kwahiyo",
        why="kwa sababu|kwani|maana",
        fine="si lingine bali",
    ),
    "ru": Words(
        named="ответ|правильный вариант|верный вариант|ответом|ответа|результат|итог|итого",
        spoils="не|ни|нет|возможно|вероятно|неверно|неправильный|ошибка|если|наверное|неправильно|ошибся|половина|"
               "примерно|якобы|может быть|может равняться|может составлять|может оказаться|может #|может,|"
               "промежуточн+|частичн+|предварительн+|часть|части|говорит|сказал|сказала|считает|думает|утверждает|"
               "неверн+|неправильн+|ошибочн+|представь+",
        either="или|либо",
        turns="но|однако|а",
        back="нет|подожди|подождите|стоп|ошибка|ошибся|ошиблась|неверно|неправильно|это не|поправка|исправл+|"
             "извините|не уверен|не уверена|возможно",
        glue="это|есть|равен|равна|равно|составляет|будет|является|итак|значит|следовательно|таким|образом|"
             "поэтому|правильный|верный|окончательный|итоговый|наш|мой|на|вопрос|задачи|конечный|точный|полный",
        why="потому что|так как|поскольку|ибо|ведь",
        fine="не хватает|не хватит|не хватало|не хватило|недостаёт|не что иное, как|не что иное как|"
             "не больше и не меньше|не достаёт|не достает",
    ),
    "uk": Words(
        named="відповідь|відповіддю|результат",
        spoils="не|ні|можливо|якщо|неправильно|помилка|мабуть|може бути|може дорівнювати|може #|проміжн+|частков+|"
               "попередн+|частина|частини|каже|сказав|вважає|думає|неправильн+|хибн+",
        either="або|чи",
        turns="але|однак|проте",
        back="ні|зачекай|стоп|помилка|помилився|неправильно|невірно|це не|виправл+|можливо",
        glue="це|є|дорівнює|становить|буде|отже|тому|таким|чином|правильна|остаточна|наша|кінцева|на|запитання|"
             "питання|правильний|кінцевий",
        why="тому що|оскільки|бо|адже",
        fine="не вистачає|не вистачить|не вистачало|не що інше, як|не що інше як",
    ),
    "bg": Words(
        named="отговорът|отговор|резултатът",
        spoils="не|нито|ако|грешно|грешка|може да|може би|частич+|междин+|част|казва|мисли|смята|грешн+",
        either="или|либо",
        turns="но|обаче|а",
        back="почакай|грешка|грешно|не е вярно|сбърках|поправка|може би",
        glue="е|са|значи|следователно|верният|правилният|крайният|правилен|верен|на|въпроса|така|и|затова",
        why="защото|понеже|тъй като",
        fine="не е друго освен|не достигат|не стигат",
    ),
    "el": Words(
        named="απάντηση|αποτέλεσμα|λύση",
        spoils="δεν|δε|μην|όχι|ίσως|αν|εάν|λάθος|ούτε|μήπως|μπορεί|ενδιάμεσ+|μερικ+|προσωρινό|μέρος|λέει|είπε|"
               "πιστεύει|νομίζει|λανθασμέν+",
        either="ή|είτε",
        turns="αλλά|όμως|μα",
        back="όχι|περίμενε|λάθος|δεν είναι σωστό|διόρθωση|ίσως",
        glue="είναι|ισούται|με|η|το|άρα|λοιπόν|τελική|τελικό|σωστή|σωστό|επομένως|συνεπώς|μας|στην|ερώτηση",
        why="γιατί|επειδή|διότι|αφού",
    ),
}  # fmt: skip
