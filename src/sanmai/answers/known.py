"""Words that may stand around a stated answer in many languages and leave it what it is: data for answer_plain.py."""

from __future__ import annotations

KNOWN: dict[str, str] = {
    # language: words separated by "|", as in answer_words.py
    "en": "final|exact|right|of|to|question|problem|total|sum|we|have|get|this|that|which|for|and|in|conclusion|summary|"
          "finally|hence|overall|altogether|step|indeed|exactly|just|only|simply|equal|equals|now|then|here|a|an",
    "de": "uhr|zusammengefasst|zusammenfassend|insgesamt|schließlich|endlich|demnach|deshalb|deswegen|darum|"
          "ohne zweifel|nun|hier|"
          "wir|erhalten|bekommen|haben|ergibt|ergibt sich|sich|als|unser|unserer|diese|dieser|dieses|den|dem|des|zur|zu|"
          "der rechnung|der gleichung|der aufgabe|des problems|des rätsels|aufgabenstellung|gesamt|genau|"
          "tatsächlich|ja|so|und|"
          "nach der rechnung|schritt|pro|je|in der|von|insgesamt|aber|einfach|nur|gleich|kann nur|die anzahl|"
          "endgültigen|richtigen",
    "es": "letra|en resumen|en conclusión|finalmente|por consiguiente|por eso|por ende|sumando|obtenemos|tenemos|nos da|"
          "da|al|del|"
          "problema|ejercicio|la ecuación|de la suma|de la ecuación|del cálculo|ya|sin duda|creo que|ou|en total|"
          "pero|exactamente|simplemente|solo|igual a|paso|por|cada|y|este|esta|nuestro|un|una|cuadrados|cúbicos|sea",
    "fr": "l|lettre|en résumé|en conclusion|finalement|par conséquent|d'où|on obtient|nous obtenons|on a|nous avons|bien|"
          "du problème|"
          "de l'équation|du calcul|au problème|au|du|des|de|l'exercice|au total|enfin|mais|sans doute aucun|"
          "sans aucun doute|"
          "exactement|simplement|égale|égal|étape|par|chaque|et|ce|cet|un|une|en|carrés|cubes|obtient|l'|d'|nous|on",
    "it": "l|lettera|in conclusione|in sintesi|infine|pertanto|di conseguenza|otteniamo|si ottiene|abbiamo|del problema|"
          "dell'equazione|"
          "del calcolo|al problema|in totale|ma|senza dubbio|esattamente|semplicemente|uguale a|pari a|passo|"
          "passaggio|per|al|"
          "ogni|e|questo|questa|un|una|gli|i|di|della|del|dell'|nostro|mio|quadrati|cubi|alla|all'",
    "pt": "letra|em resumo|em conclusão|finalmente|por fim|por conseguinte|sendo assim|dessa forma|desta forma|deste modo|"
          "obtemos|"
          "temos|do problema|da equação|da soma|do cálculo|ao problema|para|no total|em|mas|sem dúvida|exatamente|"
          "simplesmente|"
          "igual a|passo|etapa|por|ao|cada|e|esta|este|um|uma|do|da|nosso|meu|quadrados|consequentemente|isso|questão",
    "ca": "en resum|finalment|per tant|obtenim|de|del|a la|pregunta|problema|total|i|les|els|nostra|meva",
    "ro": "în concluzie|în rezumat|prin urmare|astfel|obținem|avem|problemei|ecuației|la|întrebarea|total|și|finală|"
          "corectă|"
          "corectul|pe|este egal cu|egal|cu|al|a",
    "nl": "kortom|samengevat|uiteindelijk|tot slot|daarmee|hierdoor|derhalve|we|krijgen|hebben|van|de|vergelijking|som|"
          "van het|probleem|totaal|in totaal|en|maar|zonder twijfel|precies|gewoon|gelijk aan|stap|per|elke|dit|"
          "deze|een|dan ook",
    "sv": "sammanfattningsvis|slutligen|därmed|vi|får|till|uppgiften|problemet|totalt|och|men|utan tvekan|exakt|"
          "precis|"
          "steg|per|detta|den|om|slutgiltiga|korrekt|rätta|således",
    "no": "oppsummert|til slutt|dermed|følgelig|vi|får|oppgaven|problemet|totalt|og|men|uten tvil|nøyaktig|steg|"
          "per|dette|"
          "den|korrekte|slutt",
    "da": "sammenfattende|til sidst|dermed|følgelig|vi|får|opgaven|problemet|i alt|og|men|uden tvivl|præcis|"
          "trin|per|pr|"
          "dette|den",
    "fi": "yhteenvetona|lopuksi|näin ollen|täten|saamme|saadaan|tehtävän|tehtävään|yhtälön|yhteensä|ja|mutta|tasan|"
          "vaihe|se|"
          "tämä|meidän",
    "pl": "rozwiązaniem|odpowiedzią|podsumowując|ostatecznie|w związku z tym|w rezultacie|stąd|otrzymujemy|mamy|"
          "zadania|równania|zagadki|razem|łącznie|"
          "i|ale|bez wątpienia|dokładnie|krok|na|w|ta|ten|do|tego|ostatecznym|poprawną|ostateczną|końcową|"
          "prawidłową|równa|równy",
    "cs": "závěrem|nakonec|celkem|dostáváme|máme|úlohy|příkladu|rovnice|výpočtu|a|ale|bezpochyby|přesně|krok|na|ta|tato|"
          "konečný|správný|rovna|roven|tudíž",
    "hu": "összefoglalva|végül|azaz|kapjuk|feladat|feladatra|egyenlet|összesen|és|de|kétségtelenül|pontosan|lépés|"
          "az|ez|hogy|"
          "végeredmény|válaszunk",
    "tr": "sonuç olarak|özetle|sonunda|buna göre|elde ederiz|buluruz|problemin|denklemin|işlemin|toplam|toplamda|ve|ama|"
          "şüphesiz|tam|tam olarak|adım|için|başına|bir|eşittir|dir|dır|dur|dür|tir|tır|tur|tür|tane|adet|kesin|dolayı|"
          "o zaman|bizim|sorusunun|yanıt|yanıtı",
    "vi": "như|vậy thì|tóm|lại|tóm lại|cuối cùng|kết luận|ta|được|thu được|phép tính|phương trình|tổng cộng|"
          "tất cả|và|nhưng|"
          "chắc chắn|bước|mỗi|một|cho|này|vì thế|vì vậy|bởi vậy|thế|đề bài|theo đề bài",
    "id": "dengan|demikian|oleh|sebab|kesimpulannya|singkatnya|kita|peroleh|dapatkan|mendapatkan|untuk|masalah|persamaan|"
          "perhitungan|perhitungannya|total|dan|tetapi|tapi|tanpa|ragu|langkah|per|setiap|atas|adalah|sehingga|tersebut|"
          "akhir|semuanya|dari|di|pada",
    "ms": "kesimpulannya|dengan|demikian|kita|dapat|untuk|masalah|jumlah|dan|tetapi|langkah|setiap|ini|akhirnya|sebab|"
          "itu|kepada|tersebut",
    "tl": "sa|kabuuan|panghuli|ng|mga|ating|natin|at|pero|ngunit|hakbang|bawat|problema|ito|kaya naman|kung gayon|wakas",
    "jv": "dadine|mulane|kita|entuk|kanggo|masalah|gunggung|lan|nanging|saben|iki|kuwi",
    "sw": "kwa|hivyo|hiyo|kumalizia|mwishowe|tunapata|tuna|la|tatizo|jumla|na|lakini|bila shaka|hasa|hatua|kila|"
          "hili|letu|"
          "basi|kamili|sawa|tu",
    "ru": "в итоге|в результате|в целом|получаем|получается|имеем|задаче|задачу|уравнения|решением|примера|выражения|"
          "всего|и|но|кроме того|без сомнения|несомненно|ровно|именно|просто|шаг|в|за|на|каждый|данный|этот|таков|отсюда|"
          "стало|быть|а|же|по|к|окончательно|окончательным|правильным|верным|верен|тогда|решения|мы",
    "uk": "у підсумку|в підсумку|у результаті|отримуємо|маємо|задачі|задачу|рівняння|всього|разом|і|й|та|але|крім того|"
          "без сумніву|рівно|саме|просто|крок|в|у|за|на|кожен|цей|ця|звідси|остаточний|остаточно|правильною|вірна|"
          "отож|ж|а|до",
    "bg": "в крайна сметка|накрая|получаваме|имаме|задачата|уравнението|общо|и|но|без съмнение|точно|стъпка|в|за|на|"
          "всеки|"
          "този|тази|окончателният|правилният|равен|този път|окончателен|верен|равно",
    "el": "συνοψίζοντας|τελικά|έτσι|παίρνουμε|έχουμε|του προβλήματος|της εξίσωσης|συνολικά|και|αλλά|χωρίς αμφιβολία|"
          "ακριβώς|"
          "βήμα|ανά|το|ο|οι|τα|στο|πρόβλημα|της|του|αυτή|αυτό|ίση|ίσο",
    "ar": "في|الختام|النهاية|وأخيرا|أخيرا|إذًا|إذاً|وعليه|عليه|ومن ثم|ثم|نحصل|لدينا|هذا|هذه|المسألة|المعادلة|"
          "لهذه|لهذا|المجموع|إجمالي|و|لكن|بلا شك|بدون شك|بالضبط|الخطوة|لكل|كل|عن|إلى|لـ|هو|وهو|وهي|الحسابية|بهذا|"
          "وبهذا|وبذلك|"
          "بذلك|النهائيّة|للسؤال|للمسألة|إن|أن|ف|فالإجابة|السابق|المطلوبة|المطلوب|جميع",
    "fa": "در|نتیجه|نهایت|در نتیجه|در نهایت|به|سؤال|سوال|مسئله|مسأله|معادله|این|مجموع|و|اما|بدون شک|دقیقا|دقیقاً|"
          "مرحله|هر|"
          "داریم|می‌باشد|خواهد بود|برای|را|ی|شد|پایانی|از این رو|عدد|تا|بنابر|می شود|با|های|همان",
    "ur": "آخر|میں|نتیجتاً|اس طرح|ہمیں|ملتا|مسئلے|مساوات|کل|اور|لیکن|بلا شبہ|بالکل|قدم|فی|ہر|یہ|کی|کے|یوں|سوال کا|"
          "لہٰذا|پس|"
          "صحیح|روپے",
    "he": "לסיכום|לבסוף|בסופו|של|דבר|ולכן|אנחנו|מקבלים|יש לנו|הבעיה|המשוואה|בסך|הכל|הכול|ו|אבל|ללא ספק|בדיוק|שלב|"
          "לכל|זו|זה|"
          "לבעיה|לשאלה|מכאן|כך|שהתשובה",
    "hi": "अंत में|आखिरकार|संक्षेप|इस तरह|अत|हमें|मिलता|समस्या|समीकरण|कुल|और|लेकिन|निस्संदेह|ठीक|बिल्कुल|चरण|प्रति|"
          "हर|की|को|से|"
          "हमारे|पास|हुआ|रहा|यही|इसका|उसका|इसीलिए|इस|गणना|केवल",
    "mr": "शेवटी|अशा|प्रकारे|आपल्याला|मिळते|प्रश्नाचे|समस्येचे|एकूण|आणि|पण|निश्चितच|पायरी|प्रति|हे|या|त्यामुळे|अंतिमतः",
    "bn": "শেষে|শেষ|পর্যন্ত|এভাবে|আমরা|পাই|সমস্যার|সমীকরণের|মোট|এবং|কিন্তু|নিঃসন্দেহে|ঠিক|ধাপ|প্রতি|এই|হয়|হয়|টি|টা|জন|"
          "এটি|প্রশ্নটির|অঙ্কের|অঙ্কটির",
    "te": "చివరగా|ఈ|విధంగా|మనకు|వస్తుంది|సమస్యకు|సమస్య|సమీకరణం|మరియు|కానీ|నిస్సందేహంగా|ఖచ్చితంగా|దశ|ప్రతి|అందువలన|"
          "అందుకే|కనుక|"
          "సో|యొక్క|ప్రశ్న|లభిస్తుంది|ఇది",
    "ta": "இறுதியாக|இவ்வாறு|நமக்கு|கிடைக்கிறது|கேள்வியின்|கேள்விக்கான|கேள்விக்கு|சிக்கலின்|சமன்பாட்டின்|மொத்தம்|"
          "மொத்த|மற்றும்|ஆனால்|"
          "சந்தேகமின்றி|சரியாக|படி|இந்த|எங்கள்|அதனால்|ஆதலால்",
    "th": "สรุป|สรุปแล้ว|แล้ว|สรุปได้ว่า|ในที่สุด|เราได้|เรา|จะได้|คำถาม|ปัญหา|สมการ|รวม|ทั้งหมด|และ|แต่|แน่นอน|"
          "พอดี|ขั้นตอน|ต่อ|"
          "นี้|แต่ละคน|ก็|ว่า|ทั้งสิ้น|ซื้อ|ดังนี้|ครับ|ค่ะ|นักเรียน|ได้|ละ|นั้น|เลย|โดย|ด้วย|คำตอบ",
    "ko": "결론적으로|결론|마지막으로|요약하면|그래서|그러면|우리는|얻는다|방정식의|계산|총|모두|합계|그리고|하지만|"
          "의심 없이|정확히|"
          "단계|당|매|이|문제에 대한|에 대한|질문에|답|정답|최종적으로|최종적인|의|을|를|에|됩니다|된다|되며|이며|"
          "이고|이므로|구한|이 문제|바로|로",
    "ja": "結論として|結論|最後に|まとめると|よって|以上|から|求められる|得られる|方程式|計算|合計|全部で|そして|"
          "しかし|ちょうど|"
          "ステップ|当たり|この問題|設問|以上から|ですから|ゆえ|こと|すなわち|それで|そこで|残りから|計算して|"
          "となる|になる|なります|でした|と|に|で|を|も|求めて|としては|求めた|本問",
    "zh": "综上所述|綜上所述|总之|總之|由此可得|由此|可得|可知|得|得到|得出|我们得到|根据题意|根據題意|题意|計算|"
          "计算|方程|总共|總共|一共|共|"
          "而且|但|但是|恰好|正好|正是|步骤|每|这|那么|那麼|此|道|题|題|她可以买|他可以买|可以买|的是|本|这个|這個|"
          "也就是|问|綜|综|上|述|是|解|知|依|共有",
}  # fmt: skip
"""Words of conclusions, of questions and equations, and adjectives of plain answers, besides the glue."""
LEADS: dict[str, str] = {
    "de": "unterm strich|wie man sieht|am ende|zum schluss|letztlich|letztendlich|abschließend|rechnet man|rechnet|"
          "alles|zusammen|addiert|addieren|berechnen|berechnet|kommen|kommt|erhält|erhält man|man|finden|auf|nach|aller|"
          "allen|berechnungen|schritten|rechnungen|daraus|folgt|dem obigen|oben|auf diese weise|dadurch|dann|beträgt|"
          "demzufolge|kurz|kurzum|im endeffekt|bei|einer|ein|eine|steht|fest|fazit|hieraus|für|das bedeutet|bedeutet|"
          "das heißt|dass|d. h|sehen|addiert haben|nachdem",
    "es": "después de|después|tras|todos|todas|los|las|cálculos|cálculo|operaciones|realizar|hacer|en definitiva|"
          "por lo anterior|lo anterior|de este modo|de esta manera|de esta forma|al final|concluimos|concluimos que|"
          "deducimos|resulta|se obtiene|se concluye|llegamos|llegamos a|calculando|sumar|restando|multiplicando|"
          "dividiendo|simplificando|resolviendo|sustituyendo|aquí|ahí|podemos concluir|encontramos|obtuvimos|hallamos|"
          "queda|finales|para|esto significa|significa|eso significa|es decir|vemos|se ve|que|decir",
    "fr": "au final|à la fin|on en déduit|nous en déduisons|en déduit|on conclut|nous concluons|on trouve|nous trouvons|"
          "en additionnant|en calculant|en simplifiant|en résolvant|en tout|après|tous|toutes|calculs|étapes|"
          "ce qui précède|d'après ce qui précède|de cette façon|de cette manière|que|conclusion|additionnant|tout|"
          "obtenir|arrive|arrivons|dès lors|pour|cela signifie|ce qui signifie|signifie|c'est-à-dire|voyons|voit",
    "it": "alla fine|in definitiva|sommando|tutto|calcolando|semplificando|risolvendo|concludiamo|deduciamo|troviamo|"
          "si trova|ne segue|segue|dopo|tutti|i calcoli|calcoli|passaggi|da quanto sopra|in questo modo|così|"
          "nel complesso|complessivamente|arriviamo|che|sommato|questo significa|ciò significa|significa|cioè|vediamo",
    "pt": "ao todo|no final|ao final|no fim|concluímos|deduzimos|encontramos|chegamos|segue|somando|tudo|calculando|"
          "simplificando|resolvendo|após|depois de|todos|os cálculos|cálculos|passos|do exposto|dessa maneira|"
          "assim sendo|nesse caso aqui|em suma|obtém|conclusão|isso significa|isto significa|significa|vemos|isto é",
    "ro": "la final|în final|adunând|calculând|după|toate|calculele|rezultă|găsim|concluzia|că|aceasta înseamnă|"
          "înseamnă|adică",
    "nl": "alles|bij elkaar|komen|uit|uit op|aan het eind|ten slotte|optellen|opgeteld|berekening|berekeningen|na|alle|"
          "zo|op deze manier|vinden|concluderen|dat|hieruit|volgt|conclusie|samen|kom|we krijgen|dit betekent|"
          "dat betekent|betekent|dat wil zeggen|zien",
    "sv": "till slut|tillsammans|slutsatsen|beräkningen|efter|alla|på så sätt|finner|följer|det betyder|betyder|att|"
          "det vill säga|ser",
    "no": "tilsammans|konklusjonen|beregningen|etter|alle|slik|finner|det betyr|betyr|at|det vil si|ser",
    "da": "sammen|konklusionen|beregningen|efter|alle|således|finder|det betyder|betyder|at|det vil sige|ser",
    "fi": "yhteen|laskettuna|laskemalla|lopulta|kaikkiaan|tästä|seuraa|laskun|tämä tarkoittaa|tarkoittaa|että|eli",
    "pl": "na koniec|w sumie|dodając|obliczając|po|wszystkich|obliczeniach|wynika|że|w ten sposób|uzyskujemy|"
          "wnioskujemy|wnioskując|reasumując|końcowa|to oznacza|oznacza|czyli|widzimy",
    "cs": "na konci|dohromady|sečtením|výpočtem|po|všech|výpočtech|odtud|plyne|že|tímto|získáme|shrnuto|to znamená|"
          "znamená|neboli|vidíme",
    "hu": "végeredményben|összeadva|számolva|számítások|után|minden|ebből|következik|kiszámolva|ez azt jelenti|azt|"
          "jelenti|vagyis",
    "tr": "hâlde|en sonunda|hesaplayınca|hesaplarsak|toplarsak|toplayınca|hesaplamalar|sonucunda|işlemler|buradan|buna|"
          "tüm|bütün|elde|ederiz|ulaşırız|yani|demek ki|buradan anlaşılır ki",
    "vi": "sau khi|tính|tính toán|các|từ|trên|cộng|tất cả lại|ta kết luận|ta có|rút gọn|rằng|suy ra|điều này|"
          "có nghĩa là|nghĩa là|tức là|ta thấy",
    "id": "kesimpulan|pada akhirnya|setelah|menghitung|dihitung|menjumlahkan|semua|di atas|hitungan|dapat|disimpulkan|"
          "bahwa|begitu|didapat|diperoleh|ini berarti|berarti|artinya|dengan kata lain",
    "ms": "kesimpulan|setelah|mengira|semua|pengiraan|di atas|bahawa|disimpulkan|diperoleh|ini bermakna|bermakna|iaitu",
    "sw": "hitimisho|baada ya|kuhesabu|hesabu|zote|hatimaye|kwamba|kutokana na|mahesabu|hii|inamaanisha|maana yake",
    "ru": "подведём итог|подведем итог|итак|складывая|сложив|вычисляя|вычислив|посчитав|подсчитав|в конечном итоге|"
          "наконец|после|всех|вычислений|расчётов|расчетов|из|этого|вышесказанного|следует|получили|получим|находим|"
          "приходим|заключаем|вывод|решая|упрощая|подставляя|подводя|подводя итог|следовательно|это значит|означает|что|"
          "то есть|видим",
    "uk": "підсумовуючи|додавши|додаючи|обчисливши|обчислюючи|нарешті|зрештою|після|всіх|обчислень|випливає|отримали|"
          "знаходимо|висновок|підсумок|це означає|означає|що|тобто|бачимо",
    "bg": "в заключение|събирайки|изчислявайки|след|всички|изчисления|оттук|следва|че|намираме|заключение|това означава|"
          "означава|тоест",
    "el": "στο τέλος|συμπέρασμα|προσθέτοντας|υπολογίζοντας|μετά|όλους|τους|υπολογισμούς|προκύπτει|βρίσκουμε|ότι|"
          "αυτό σημαίνει|σημαίνει|δηλαδή",
    "ar": "وهكذا|هكذا|بعد|الحساب|الحسابات|بجمع|نجد|نستنتج|يتضح|مما|سبق|الخلاصة|وفي|خلاصة|وبعد|هذا يعني|يعني|أي|أي أن",
    "fa": "پس از|محاسبه|محاسبات|جمع|می‌یابیم|نتیجه می‌گیریم|که|سرانجام|خلاصه|با محاسبه|بعد از|این یعنی|یعنی|به این معنی|"
          "است",
    "he": "לאחר|חישוב|החישובים|כל|נקבל|מצאנו|מסקנה|בסוף|סך|זה אומר|אומר|כלומר|ש",
    "hi": "करने|पर|जोड़ने|जोड़कर|निष्कर्ष|हम|पाते|मिला|सभी|बाद|आखिर|अतएव|अंत में|इसका मतलब|मतलब|कि|यानी|अर्थात",
    "bn": "গণনা|করে|করলে|যোগ|উপসংহার|পাওয়া|যায়|পরে|অবশেষে|দাঁড়ায়|এর মানে|মানে|অর্থাৎ",
    "te": "లెక్కించగా|కలిపితే|మొత్తంగా|ముగింపు|తర్వాత|దీని|అర్థం|అంటే",
    "ta": "கணக்கிட்டால்|கூட்டினால்|முடிவாக|பிறகு|அதாவது|இதன் பொருள்",
    "th": "เมื่อ|คำนวณ|บวก|กัน|จาก|ข้างต้น|พบว่า|หลังจาก|การคำนวณ|หมายความว่า|นั่นคือ|กล่าวคือ",
    "ko": "계산하면|더하면|합치면|모두 더하면|정리하면|종합하면|결국|위에서|이렇게|구하면|풀면|계산 결과|이는|뜻",
    "ja": "計算すると|足すと|合わせると|まとめて|整理すると|こうして|これにより|解くと|よって求める|求めると|合計すると|"
          "上記より|以上のことから|これは|つまり",
    "zh": "经过计算|经计算|通过计算|计算可得|最后的|相加得|综合以上|由上可知|因而|可见|解得|算得|计算得|经过|整理得|"
          "化简得|总结|这意味着|意味着|这说明|这就是说|说明|即是",
    "ca": "això vol dir|que|és a dir",
    "ur": "یعنی|مطلب|کہ|اس کا",
    "mr": "म्हणजे|याचा अर्थ",
}  # fmt: skip
"""Words of what leads up to the name of an answer ("Nach allen Berechnungen ist die Antwort"): before it alone."""
STATES: dict[str, str] = {
    "en": "he|she|it|they|there|can|buy|buys|has|have|had|earns|makes|gets|needs|pays|are|is|was|were|left|day|"
          "every|each",
    "de": "sie|er|es|man|gibt|hat|haben|kann|können|kaufen|verdient|verdienen|bekommt|bekommen|braucht|brauchen|"
          "zahlt|zahlen|"
          "täglich|benötigt|macht|übrig|mal|bleiben",
    "es": "ella|él|hay|tiene|tienen|puede|pueden|comprar|gana|ganan|necesita|necesitan|recibe|paga|pagan|"
          "diariamente|quedan|"
          "se|le|les|total es",
    "fr": "elle|il|ils|elles|y|a|ont|peut|peuvent|acheter|gagne|gagnent|faut|reçoit|paie|reste|restent|quotidiennement",
    "it": "lei|lui|essi|ci|ha|hanno|può|possono|comprare|guadagna|guadagnano|riceve|paga|restano|rimangono|serve|servono",
    "pt": "no|na|nos|nas|ela|ele|eles|há|tem|têm|pode|podem|comprar|ganha|ganham|recebe|paga|restam|precisa|sobram",
    "nl": "ze|zij|hij|er|heeft|hebben|kan|kunnen|kopen|verdient|verdienen|krijgt|betaalt|blijven|over|nodig",
    "sv": "hon|han|de|finns|har|kan|köpa|tjänar|får|betalar|behöver|kvar", "no": "hun|han|de|finnes|har|kan|kjøpe|"
          "tjener|får|betaler",
    "da": "hun|han|de|har|kan|købe|tjener|får|betaler", "fi": "hän|he|voi|ostaa|ansaitsee|saa|maksaa",
    "pl": "ona|on|oni|ma|mają|może|mogą|kupić|zarabia|dostaje|płaci|zostało", "cs": "ona|on|má|mají|může|koupit|"
          "vydělá|dostane|platí",
    "hu": "van|tud|venni|keres|kap|fizet", "tr": "o|alabilir|kazanır|alır|öder|var|kaldı",
    "vi": "cô ấy|anh ấy|họ|có thể|mua|kiếm|còn|cần", "id": "ia|dia|mereka|bisa|dapat|membeli|mendapat|memiliki|"
          "membutuhkan|ada|punya",
    "ms": "dia|mereka|boleh|membeli|mendapat|mempunyai|ada", "jv": "dheweke|bisa|tuku|entuk|duwe",
    "ru": "она|он|они|может|могут|купить|зарабатывает|получит|получает|заплатит|имеет|есть|у|ему|ей|им|нужно|"
          "осталось|понадобится",
    "uk": "вона|він|вони|може|можуть|купити|заробляє|отримає|має|є|у|йому|їй|їм|потрібно|залишилося",
    "bg": "тя|той|те|може|да|купи|печели|получава|има|остават", "hi": "वह|वे|खरीद|सकता|सकती|कमाता|कमाती|मिलते|पास|"
          "हैं|बचे",
}  # fmt: skip
"""Words of a whole sentence after a colon ("Antwort: Sie kann 18 Äpfel kaufen"): one name more may stand in it."""
