"""The class: an answer is stated only where every word around it is known to leave it what it is, in 37 languages.

The texts that state none have words that no list of doubts, bounds, owners and functions foresaw when the rule was made.
"""

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

PLAIN = r"""
Also lautet die endgültige Antwort 17.
Die Lösung der Gleichung ist 17.
Das Ergebnis der Rechnung ist 17.
Die Antwort auf die Aufgabe lautet daher: 17 Euro.
Tom hat 5 Äpfel und bekommt 12 dazu. Insgesamt beträgt das Ergebnis also 17 Äpfel.
Damit haben wir die Antwort: 17
Folglich ist die richtige Antwort 17 Meter pro Sekunde.
Nach der Rechnung 5 + 12 = 17 ist die Antwort 17.
Da 5 + 12 = 17 ist, lautet die Antwort 17.
Wir erhalten als Ergebnis 17.
Die Antwort ist 17, denn 5 + 12 = 17.
**Antwort:** 17 Schüler
Die gesuchte Antwort ist somit genau 17.
Zusammengefasst: Die Antwort ist 17.
Deshalb ist die Antwort 17 Stunden.
Así que la respuesta final es 17.
La solución de la ecuación es 17.
Por consiguiente, la respuesta es 17 manzanas.
Entonces, la respuesta correcta a la pregunta es 17 euros.
En resumen, la respuesta es 17.
Sumando, obtenemos el resultado: 17
Por eso la respuesta es 17.
Como 5 + 12 = 17, la respuesta es 17.
Finalmente, la respuesta es 17 horas.
La respuesta es 17 porque 5 + 12 = 17.
La respuesta al problema es: 17 kilómetros por hora.
La réponse finale est donc 17.
La solution de l'équation est 17.
Par conséquent, la réponse est 17 pommes.
Ainsi, la réponse à la question est 17 euros.
En résumé, la réponse est 17.
Le résultat du calcul est 17.
Comme 5 + 12 = 17, la réponse est 17.
Finalement, la réponse est 17 heures.
Nous obtenons donc la réponse : 17
La réponse est donc bien 17.
La risposta finale è quindi 17.
La soluzione dell'equazione è 17.
Pertanto, la risposta è 17 mele.
Di conseguenza, la risposta alla domanda è 17 euro.
In conclusione, la risposta è 17.
Il risultato del calcolo è 17.
Poiché 5 + 12 = 17, la risposta è 17.
Infine, la risposta è 17 ore.
A resposta final é, portanto, 17.
A solução da equação é 17.
Sendo assim, a resposta é 17 maçãs.
Dessa forma, a resposta para a pergunta é 17 reais.
Em resumo, a resposta é 17.
O resultado do cálculo é 17.
Como 5 + 12 = 17, a resposta é 17.
Finalmente, a resposta é 17 horas.
Het uiteindelijke antwoord is dus 17.
De oplossing van de vergelijking is 17.
Daarom is het antwoord 17 appels.
Het antwoord op de vraag is dus 17 euro.
Kortom, het antwoord is 17.
Det slutgiltiga svaret är alltså 17.
Därför är svaret 17 äpplen.
Svaret på frågan är 17 kronor.
Det endelige svaret er derfor 17.
Dermed er svaret 17 epler.
Det endelige svar er altså 17.
Derfor er svaret 17 æbler.
Lopullinen vastaus on siis 17.
Näin ollen vastaus on 17 omenaa.
Ostateczna odpowiedź to 17.
Zatem odpowiedź brzmi 17 jabłek.
W związku z tym odpowiedź to 17 złotych.
Konečná odpověď je tedy 17.
Proto je odpověď 17 jablek.
Výsledek výpočtu je 17.
A végső válasz tehát 17.
Így a válasz 17 alma.
Ezért a helyes válasz 17.
Dolayısıyla nihai cevap 17'dir.
Bu nedenle cevap 17 elmadır.
Sonuç olarak cevap 17'dir.
Böylece sorunun cevabı 17 liradır.
Vậy đáp án cuối cùng là 17.
Do đó, câu trả lời là 17 quả táo.
Như vậy, đáp án của bài toán là 17 đồng.
Tóm lại, câu trả lời là 17.
Jadi, jawaban akhirnya adalah 17.
Oleh karena itu, jawabannya adalah 17 apel.
Dengan demikian, jawaban untuk soal ini adalah 17 rupiah.
Hasil perhitungannya adalah 17.
Kwa hivyo, jibu la mwisho ni 17.
Hivyo jibu ni matufaha 17.
Jibu la swali ni 17.
Итак, окончательный ответ: 17.
Таким образом, ответ на вопрос задачи — 17 яблок.
Следовательно, правильный ответ 17 рублей.
В итоге получаем ответ: 17.
Решением уравнения является 17. Ответ: 17.
Так как 5 + 12 = 17, ответ: 17.
В результате ответ равен 17 часам.
Отже, остаточна відповідь: 17.
Таким чином, відповідь на запитання — 17 яблук.
Тому правильна відповідь 17 гривень.
Следователно крайният отговор е 17.
Така отговорът е 17 ябълки.
Επομένως, η τελική απάντηση είναι 17.
Άρα η απάντηση στην ερώτηση είναι 17 μήλα.
إذن، الإجابة النهائية هي 17.
لذلك فإن الجواب هو 17 تفاحة.
وبالتالي، فإن الإجابة على السؤال هي 17 دولارًا.
في الختام، الإجابة الصحيحة هي 17.
بنابراین، پاسخ نهایی 17 است.
پس جواب مسئله 17 سیب است.
لہذا، حتمی جواب 17 ہے۔
اس لیے صحیح جواب 17 سیب ہے۔
לכן, התשובה הסופית היא 17.
इसलिए, अंतिम उत्तर 17 है।
अतः सही उत्तर 17 सेब है।
म्हणून अंतिम उत्तर 17 आहे.
অতএব, চূড়ান্ত উত্তর হল 17।
সুতরাং, সঠিক উত্তর 17টি আপেল।
তাই উত্তরটি হলো 17 টাকা।
కాబట్టి, తుది సమాధానం 17.
అందువల్ల సరైన సమాధానం 17 ఆపిల్స్.
అందువలన, ఈ ప్రశ్నకు సమాధానం 17 రూపాయలు.
எனவே, இறுதி விடை 17.
ஆகவே சரியான பதில் 17 ஆப்பிள்கள்.
ดังนั้น คำตอบสุดท้ายคือ 17
เพราะฉะนั้นคำตอบคือ 17 ผล
สรุปแล้ว คำตอบคือ 17 บาท
따라서 최종 답은 17입니다.
그러므로 정답은 17개입니다.
결론적으로, 답은 17원입니다.
그래서 문제의 답은 17입니다.
したがって、最終的な答えは17です。
よって、答えは17個です。
以上より、答えは17円となります。
ですから、答えは17になります。
この問題の答えは17時間です。
所以，最终答案是17。
因此，答案为17个苹果。
综上所述，答案是17元。
由此可得，答案是17。
这道题的答案是17米。
故答案为17。
The answer is 17.
So the answer is 17.
Therefore, the final answer is 17.
Hence the answer to the question is 17 apples.
Thus, the correct answer is 17.
In conclusion, the answer is 17.
Adding these up, the answer is 17.
Since 5 + 12 = 17, the answer is 17.
Tom has 5 apples and buys 12 more, so the answer is 17.
After 3 days he has 17 left, and the answer is 17.
We find that the answer is 17.
This means the answer is 17.
This means that the answer is 17 dollars.
It follows that the answer is 17.
We conclude that the answer is 17.
As a result, the answer is 17.
Finally, the answer is 17.
Now we know the answer is 17.
Rounding to the nearest integer, the answer is 17.
To summarize, the answer is 17.
Putting it all together, the answer is 17.
Simplifying, the answer is 17.
From the calculation above, the answer is 17.
By the Pythagorean theorem, the answer is 17.
Using the formula, the answer is 17.
I believe the answer is 17.
I think the answer is 17.
Great, the answer is 17!
Okay, so the answer is 17.
Final Answer: 17
**Final Answer:** 17
Answer: 17
**Answer: 17 apples**
The answer is $17$.
The answer is **17**.
My answer is 17.
Our answer is 17.
The total cost is $17, so the answer is $17.
Then the answer is 17 because 5 + 12 = 17.
Step 4: The answer is 17.
4. The answer is 17.
Since x must be positive, the answer is 17.
Since there are 5 boys and 12 girls, the answer is 17.
Because a week has 7 days, the answer is 17.
The answer is 17 miles per hour.
The answer is 17, since 5 + 12 = 17.
Dividing both sides by 2 gives x = 17, so the answer is 17.
Let me state it clearly: the answer is 17.
Checking: 5 + 12 = 17, so our answer is correct. The answer is 17.
The number of ways is 17. The answer is 17.
Janet earns 17 dollars each day. The answer is 17.
#### 17
For the given triangle, the answer is 17.
For n = 4, the answer is 17.
With these values, the answer is 17.
Overall, the answer is 17 hours.
The simplified answer is 17.
The exact answer is 17.
The numerical answer is 17.
The desired answer is 17.
Given the above, the answer is 17.
Based on the information provided, the answer is 17.
Based on these steps, our final answer is 17.
Accordingly, the answer is 17.
Consequently, the answer is 17.
Combining the two cases, the answer is 17.
Summing over all cases, the answer is 17.
Substituting back, the answer is 17.
Hence, Tom needs 17 more apples. The answer is 17.
Unterm Strich ist die Antwort 17.
Wie man sieht, lautet die Antwort 17.
Rechnet man alles zusammen, ist die Antwort 17.
Somit kommen wir auf das Ergebnis 17.
Tom besitzt am Ende 17 Äpfel. Antwort: 17 Äpfel
Endergebnis: 17 €
Después de todos los cálculos, la respuesta es 17.
La respuesta correcta sería 17.
En definitiva, la respuesta es 17 litros.
Por lo anterior, la respuesta es 17.
De este modo, la respuesta es 17.
Au final, la réponse est 17.
On en déduit que la réponse est 17.
La bonne réponse est donc 17 kilomètres.
En additionnant, la réponse est 17.
Alla fine, la risposta è 17.
Sommando tutto, la risposta è 17.
Abbiamo quindi la risposta: 17 metri
Ao todo, a resposta é 17.
Concluímos que a resposta é 17.
Assim, obtemos a resposta 17.
We komen dus uit op het antwoord 17.
Alles bij elkaar is het antwoord 17.
Podsumowując, odpowiedź to 17.
Odpowiedź: Tomek ma 17 jabłek.
Ответ: у Тома 17 яблок.
Подведём итог: ответ 17.
Складывая, получаем ответ 17.
Значит, правильный ответ — 17.
Підсумовуючи, відповідь 17.
Sonuç: 17
O hâlde cevap 17 olur.
Kết luận: đáp án là 17.
Vậy Tom có 17 quả táo. Đáp số: 17 quả táo
Kesimpulan: jawabannya adalah 17.
Jadi Tom memiliki 17 apel. Jawaban: 17 apel.
Kwa hiyo jibu ni 17.
এভাবে আমরা উত্তর পাই 17।
সুতরাং উত্তর হল 17 টাকা।
కాబట్టి జవాబు 17 రూపాయలు.
అందుకే సమాధానం 17 అవుతుంది.
ดังนั้นคำตอบที่ถูกต้องคือ 17
คำตอบ: 17 ลูก
계산하면 답은 17입니다.
따라서 톰은 사과 17개를 가지고 있습니다. 정답: 17
計算すると答えは17です。
したがって、トムのりんごは17個です。答え: 17個
经过计算，答案是17。
所以汤姆有17个苹果。答案：17个
最后的答案是17元。
अंत में उत्तर 17 है।
तो सही जवाब 17 रुपये है।
في النهاية الجواب هو 17.
وهكذا تكون الإجابة 17 تفاحة.
בסופו של דבר התשובה היא 17.
Τελικά η απάντηση είναι 17.
Végül a válasz 17 forint.
Answering the question, the answer is 17.
After simplification the answer is 17.
Plugging in the numbers gives us the answer: 17
So Tom ends up with 17 apples, which makes the answer 17.
Looks like the answer is 17.
That gives a final answer of 17 meters.
The answer, rounded to the nearest whole number, is 17.
Doing the math, the answer comes out to be 17.
In total, the final answer is: 17
Nachdem wir alles addiert haben, ist die Antwort 17.
Das bedeutet, dass die Antwort 17 ist.
Die endgültige Antwort lautet somit: **17**
Also beträgt die Antwort 17 Kilogramm.
Insgesamt sind es 5 + 12 = 17 Äpfel. Die Antwort ist also 17.
Esto significa que la respuesta es 17.
Por lo que la respuesta es 17.
La respuesta final, por lo tanto, es 17 pesos.
Vemos que la respuesta es 17.
Cela signifie que la réponse est 17.
La réponse finale est : **17**
Nous voyons que la réponse est 17.
La réponse est alors 17 euros par jour.
Questo significa che la risposta è 17.
La risposta finale, quindi, è 17 chili.
Isso significa que a resposta é 17.
A resposta final é: 17 quilômetros
Vemos que a resposta é 17.
Dit betekent dat het antwoord 17 is.
Det betyder att svaret är 17.
To oznacza, że odpowiedź to 17.
To znamená, že odpověď je 17.
Это значит, что ответ 17.
Это означает, что ответ равен 17.
Це означає, що відповідь 17.
Điều này có nghĩa là đáp án là 17.
Ini berarti jawabannya adalah 17.
Hii inamaanisha jibu ni 17.
এর মানে উত্তর হল 17।
దీని అర్థం సమాధానం 17.
หมายความว่าคำตอบคือ 17
즉, 답은 17입니다.
つまり、答えは17です。
这意味着答案是17。
इसका मतलब है कि उत्तर 17 है।
هذا يعني أن الإجابة هي 17.
यानी उत्तर 17 है।
也就是说，答案是17。
With everything considered, the answer is 17.
Working backwards, the answer is 17.
The only possible answer is 17.
Rewriting this, we see the answer is 17.
Our final total, and the answer, is 17.
From this we deduce the answer is 17.
That is why the answer is 17.
Evaluating at x = 2 we find the answer to be 17.
Hence our desired answer is just 17.
"""
NOT_PLAIN = r"""
Meine Oma schwört, die Antwort sei 17.
Gerüchteweise ist die Antwort 17.
Die naheliegende, aber trügerische Antwort ist 17.
Die Antwort wäre 17 gewesen.
Früher war die Antwort 17.
Wer unachtsam rechnet, dem scheint die Antwort 17.
Die Antwort liegt irgendwo um die 17 herum.
Die Antwort übersteigt 17.
Die Antwort des Nachbarn ist 17.
Die Quersumme der Antwort ist 17.
Die Antwort hat die Quersumme 17.
Die Antwort ist eine Zahl mit Endziffer 17.
Die Antwort ist teilbar durch 17.
Die Antwort ist 17 zu groß.
Die Antwort ist 17, sofern n gerade ist.
Die Antwort ist 17 vermutlich.
Die Antwort ist 17 oder so.
Die Antwort ist 17 mehr als erwartet.
Hätte er alles behalten, so wäre die Antwort 17.
Die halbe Antwort ist 17.
Die Antwort von Peter lautet 17.
Das Zwischenergebnis ist 17.
Niemals kann die Antwort 17 sein.
Die Antwort beginnt mit 17.
Mi abuela jura que la respuesta es 17.
Se rumorea que la respuesta es 17.
La respuesta tramposa es 17.
La respuesta hubiera sido 17.
Antes la respuesta era 17.
La respuesta ronda los 17.
La respuesta supera 17.
La respuesta del vecino es 17.
La suma de los dígitos de la respuesta es 17.
La respuesta termina en 17.
La respuesta es divisible entre 17.
La respuesta es 17 de más.
La respuesta es 17 siempre que n sea par.
La respuesta es 17 más o menos.
La respuesta es 17 y pico.
La respuesta es 17 por persona menos 2.
Me niego a aceptar que la respuesta es 17.
La respuesta de Pedro resultó ser 17.
La respuesta empieza por 17.
Ma grand-mère jure que la réponse est 17.
La rumeur veut que la réponse soit 17.
La réponse piège est 17.
La réponse aurait été 17.
Autrefois la réponse était 17.
La réponse avoisine 17.
La réponse dépasse 17.
La réponse du voisin est 17.
La somme des chiffres de la réponse est 17.
La réponse se termine par 17.
La réponse est divisible par 17.
La réponse est 17 de trop.
La réponse est 17 à condition que n soit pair.
La réponse est 17 et des poussières.
Je refuse de croire que la réponse est 17.
Le carré de la réponse est 17.
Mia nonna giura che la risposta è 17.
La risposta ingannevole è 17.
La risposta sarebbe stata 17.
Una volta la risposta era 17.
La risposta sfiora 17.
La risposta supera 17.
La risposta del vicino è 17.
La somma delle cifre della risposta è 17.
La risposta finisce per 17.
La risposta è divisibile per 17.
La risposta è 17 di troppo.
La risposta è 17 a patto che n sia pari.
La risposta è 17 e rotti.
Minha avó jura que a resposta é 17.
A resposta enganosa é 17.
A resposta teria sido 17.
Antigamente a resposta era 17.
A resposta beira 17.
A resposta ultrapassa 17.
A resposta do vizinho é 17.
A soma dos algarismos da resposta é 17.
A resposta termina em 17.
A resposta é divisível por 17.
A resposta é 17 e pouco.
A resposta é 17 contanto que n seja par.
Mijn oma zweert dat het antwoord 17 is.
Het antwoord had 17 kunnen zijn.
Het antwoord overstijgt 17.
Het antwoord van de buurman is 17.
De som van de cijfers van het antwoord is 17.
Het antwoord is deelbaar door 17.
Het antwoord is 17 te veel.
Het antwoord is 17 of zoiets.
Het antwoord is 17 mits n even is.
Min mormor svär på att svaret är 17.
Svaret hade varit 17.
Svaret överstiger 17.
Svaret är delbart med 17.
Grannens svar är 17.
Moja babcia przysięga, że odpowiedź to 17.
Odpowiedź przekracza 17.
Odpowiedź sąsiada to 17.
Odpowiedź jest podzielna przez 17.
Odpowiedź to 17 z hakiem.
Suma cyfr odpowiedzi to 17.
Moje babička přísahá, že odpověď je 17.
Odpověď převyšuje 17.
Odpověď souseda je 17.
Odpověď je dělitelná číslem 17.
A nagymamám esküszik, hogy a válasz 17.
A válasz meghaladja a 17.
A válasz osztható 17 számmal.
Ninem cevabın 17 olduğuna yemin ediyor.
Cevap 17 sayısını aşıyor.
Komşunun cevabı 17.
Cevap 17 ile bölünür.
Bà tôi thề rằng đáp án là 17.
Đáp án vượt quá 17.
Đáp án của hàng xóm là 17.
Đáp án chia hết cho 17.
Tổng các chữ số của đáp án là 17.
Nenek saya bersumpah jawabannya adalah 17.
Jawabannya melampaui 17.
Jawaban tetangga adalah 17.
Jawabannya habis dibagi 17.
Jumlah digit jawabannya adalah 17.
Bibi yangu anaapa kuwa jibu ni 17.
Jibu la jirani ni 17.
Jibu linagawanyika kwa 17.
Моя бабушка клянётся, что ответ 17.
Ходят слухи, что ответ 17.
Ответ превышает 17.
Ответ соседа: 17.
Ответ делится на 17.
Сумма цифр ответа равна 17.
Ответ оканчивается на 17.
Ответ был бы 17.
Раньше ответ был 17.
Ответ 17 при условии, что n чётно.
Ответ 17 с хвостиком.
Отказываюсь верить, что ответ 17.
Ответ крутится вокруг 17.
Моя бабуся присягається, що відповідь 17.
Відповідь перевищує 17.
Відповідь сусіда: 17.
Відповідь ділиться на 17.
Баба ми се кълне, че отговорът е 17.
Отговорът надвишава 17.
Отговорът се дели на 17.
Η γιαγιά μου ορκίζεται ότι η απάντηση είναι 17.
Η απάντηση ξεπερνά το 17.
Η απάντηση διαιρείται με το 17.
جدتي تقسم أن الإجابة هي 17.
الإجابة تفوق 17.
إجابة الجار هي 17.
الإجابة تقبل القسمة على 17.
مجموع أرقام الإجابة هو 17.
مادربزرگم قسم می‌خورد که پاسخ 17 است.
پاسخ همسایه 17 است.
پاسخ بر 17 بخش‌پذیر است.
میری دادی قسم کھاتی ہیں کہ جواب 17 ہے۔
جواب 17 پر تقسیم ہوتا ہے۔
סבתא שלי נשבעת שהתשובה היא 17.
התשובה עולה על 17.
התשובה של השכן היא 17.
התשובה מתחלקת ב 17.
मेरी दादी कसम खाती हैं कि उत्तर 17 है।
पड़ोसी का उत्तर 17 है।
उत्तर 17 से विभाज्य है।
उत्तर के अंकों का योग 17 है।
আমার দাদি কসম খেয়ে বলেন উত্তর 17।
প্রতিবেশীর উত্তর 17।
উত্তর 17 দিয়ে বিভাজ্য।
మా అమ్మమ్మ ఒట్టేసి చెప్పింది సమాధానం 17.
సమాధానం 17 తో భాగించబడుతుంది.
పక్కింటి వారి సమాధానం 17.
என் பாட்டி சத்தியம் செய்கிறார் விடை 17.
விடை 17 ஆல் வகுபடும்.
คุณยายของฉันสาบานว่าคำตอบคือ 17
คำตอบหารด้วย 17 ลงตัว
คำตอบของเพื่อนบ้านคือ 17
ผลบวกของเลขโดดของคำตอบคือ 17
할머니는 답이 17이라고 맹세하신다.
답은 17로 나누어떨어집니다.
이웃의 답은 17입니다.
답의 각 자리 숫자의 합은 17입니다.
답은 17을 웃돕니다.
祖母は答えが17だと誓っている。
答えは17で割り切れます。
隣人の答えは17です。
答えの各桁の和は17です。
答えは17を上回ります。
答えは17のはずがありません。
我奶奶发誓答案是17。
答案能被17整除。
邻居的答案是17。
答案的各位数字之和是17。
答案高于17。
答案本来是17。
答案的末两位是17。
传闻答案是17。
My grandma swears the answer is 17.
Rumor has it the answer is 17.
The tricky answer is 17.
Legend says the answer is 17.
The answer would have been 17.
The answer used to be 17.
The answer was 17 before I fixed the bug.
The answer hovers around 17.
The answer exceeds 17.
The neighbour's answer is 17.
The digit sum of the answer is 17.
The sum of the digits of the answer is 17.
The square of the answer is 17.
The answer ends in 17.
The answer is divisible by 17.
The answer is 17 too many.
The answer is 17 provided n is even.
The answer is 17 give or take.
The answer is 17 or so.
The answer is 17 and change.
The answer is 17-ish.
I refuse to accept that the answer is 17.
It is a myth that the answer is 17.
It is absurd that the answer is 17.
Bob is convinced the answer is 17.
The book has it that the answer is 17.
Contrary to what some believe, the answer is 17 is a lie.
Half the answer is 17.
The remainder of the answer mod 5 is 17.
The first digit of the answer is 17.
The last two digits of the answer are 17.
The reciprocal of the answer is 17.
The negative of the answer is 17.
A lower bound for the answer is 17.
The answer starts with 17.
The answer is greater by 17.
The answer is a multiple of 17.
The answer is a factor of 17.
The answer is one of 17.
The answer is on page 17.
The answer is in row 17.
The answer is coprime to 17.
The answer is congruent to 17.
The answer is below 17.
The answer is north of 17.
The answer is the cube of 17.
The answer is the square root of 17.
The answer is a prime near 17.
The answer is 17 squared.
The answer is 17 percent.
The answer is 17 dozen.
The answer is 17 thousand.
The answer is 17 score.
The answer is 17 halves.
The answer is 17 tenths.
The answer is 17 in base 8.
The answer is 17 factorial.
The answer is 17 when rounded up from 16.2.
The answer is 17 only when k > 3.
The answer is 17 mod 20.
The answer is 17 for the first part.
Whoever says the answer is 17 is confused.
Many people will tell you that the answer is 17.
One might be tempted to say the answer is 17.
A careless reader concludes that the answer is 17.
At first glance the answer is 17.
Naively, the answer is 17.
In the wrong units the answer is 17.
Ignoring the tax, the answer is 17.
Before tax the answer is 17.
Without the discount, the answer is 17.
For part (a), the answer is 17.
For Monday alone the answer is 17.
In that case the answer is 17.
In the first case, the answer is 17.
In an alternate universe the answer is 17.
Under a different reading, the answer is 17.
Were n odd, the answer is 17.
Should n be odd, the answer is 17.
Say the answer is 17.
Let us pretend that the answer is 17.
Nobody believes the answer is 17.
Hardly anyone thinks that the answer is 17.
It's not clear that the answer is 17.
It remains to be seen that the answer is 17.
I wish the answer is 17.
I hope the answer is 17.
Fingers crossed the answer is 17.
Bet the answer is 17.
Answer (wild guess): 17
Answer of the previous student: 17
Answer: roughly 17
Answer: close to 17
Answer: just under 17
Answer: anything but 17
Answer: fewer than 17
Answer: 17 short of 40
Answer: 17 less than x
Die Antwort reimt sich auf 17.
Auf dem Zettel stand als Antwort 17.
Die Antwort passt nicht zu 17.
Wer schummelt, bekommt die Antwort 17.
Die Antwort minus eins ist 17.
Die Antwort schwankt um 17.
Zum Quadrat ist die Antwort 17.
La respuesta se acerca a 17.
La respuesta difiere de 17.
Mi vecino apostó a que la respuesta es 17.
La respuesta cabe en 17.
Al cuadrado, la respuesta es 17.
La réponse se rapproche de 17.
Mon voisin parie que la réponse est 17.
Au carré, la réponse est 17.
La réponse a 17 chiffres.
La risposta ha 17 cifre.
Al quadrato, la risposta è 17.
Mio zio scommette che la risposta è 17.
A resposta tem 17 algarismos.
Ao quadrado, a resposta é 17.
Meu tio aposta que a resposta é 17.
Het antwoord telt 17 cijfers.
In het kwadraat is het antwoord 17.
Svaret har 17 siffror.
Odpowiedź ma 17 cyfr.
В квадрате ответ 17.
В ответе 17 цифр.
Ответ состоит из 17 цифр.
Дядя спорит, что ответ 17.
У відповіді 17 цифр.
Cevap 17 basamaklıdır.
Cevabın karesi 17.
Đáp án có 17 chữ số.
Jawabannya terdiri dari 17 angka.
Kuadrat dari jawabannya adalah 17.
Jibu lina tarakimu 17.
উত্তরে 17টি অঙ্ক আছে।
సమాధానంలో 17 అంకెలు ఉన్నాయి.
คำตอบมี 17 หลัก
답은 17자리입니다.
答えは17桁です。
答案有17位数。
答案是17位数。
उत्तर में 17 अंक हैं।
الإجابة مكونة من 17 رقما.
התשובה מורכבת מ 17 ספרות.
Squared, the answer is 17.
The answer has 17 digits.
In the textbook the answer is 17.
My uncle bets the answer is 17.
The answer rhymes with 17.
The answer differs from 17.
If you cheat you get the answer 17.
Modulo 20 the answer is 17.
On the slip it says the answer is 17.
Last year the answer is 17.
Doubled, the answer is 17.
To a different question the answer is 17.
Upside down the answer is 17.
Das heißt nicht viel, aber die Antwort ist rund um 17.
Angeblich heißt das, dass die Antwort 17 ist.
Nach 17 kommt die Antwort.
Die Antwort kommt nach 17.
Die Antwort folgt auf 17.
Die Anzahl der falschen Antworten ist 17.
El número de respuestas posibles es 17.
La respuesta sigue a 17.
La respuesta está entre todos los 17.
Le nombre de réponses possibles est 17.
La réponse suit 17.
La risposta segue 17.
A resposta segue 17.
Ответ следует после 17.
Ответ находится после 17.
Ответ получается из 17 вычитанием.
Количество ответов равно 17.
Cevap 17 sayısından sonra gelir.
Đáp án đứng sau 17.
Jawabannya setelah 17.
Jibu ni baada ya 17.
答案在17之后。
答案的个数是17。
答えの数は17です。
답의 개수는 17입니다.
จำนวนคำตอบคือ 17
उत्तरों की संख्या 17 है।
عدد الإجابات هو 17.
מספר התשובות הוא 17.
The number of answers is 17.
The answer comes after 17.
The answer follows from 17.
The last answer but one is 17.
The nearest integer to the answer is 17.
The whole answer is up to 17.
The answer makes 17 look small.
Adding 3 to the answer makes 17.
"""


def credited(texts: str) -> list[str]:
    def score(text: str) -> float | None:
        problem = Problem("1", ({"role": "user", "content": "p"},), "17", "math")
        return verify_math(problem, parse_trace(text)).score

    return [line for line in texts.strip().splitlines() if score(line) == 1.0]


def test_plain_statements_in_usual_words_are_answers() -> None:
    assert credited(PLAIN) == PLAIN.strip().splitlines()


def test_words_that_nobody_foresaw_state_no_answer() -> None:
    assert credited(NOT_PLAIN) == []
