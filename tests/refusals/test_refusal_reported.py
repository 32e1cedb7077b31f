"""The classes: somebody in a story declines, in direct speech without marks; "I cannot say it is hard"; a noun is declined.

Beside each stand the speaker's own refusals that look like it.
"""

import pytest

from sanmai.refusals.rules import classify_refusal

TOLD = [
    "Die Köchin flüsterte: Ich kann dir dabei nicht helfen. Dann rührte sie weiter.",
    "I can't help you with that, whispered the baker, and he went on kneading the dough.",
    "Je ne peux pas vous aider, répondit la boulangère en souriant.",
    "No puedo ayudarte, susurró el panadero, y siguió amasando.",
    "Non posso aiutarti, rispose il fornaio.",
    "Nie mogę ci pomóc, szepnęła piekarka.",
    "Я не могу вам помочь, ответил пекарь и закрыл печь.",
    "Ik kan je niet helpen, fluisterde de bakker.",
]
NOT_HARD = [
    "Ich kann nicht sagen, dass es schwer ist: Mehl, Eier, Milch und eine Stunde im Ofen.",
    "No puedo decir que sea difícil: harina, huevos, leche y una hora de horno.",
    "Je ne peux pas dire que ce soit difficile : farine, œufs, lait et une heure au four.",
    "Не могу сказать, что это трудно: мука, яйца, молоко и час в духовке.",
    "Siwezi kusema ni vigumu: unga, mayai, maziwa na saa moja kwenye tanuri.",
    "Yo declino el sustantivo rosa: rosa, rosae, rosae, rosam.",
    "You could add honey, but I won't.",
]
REFUSALS = [
    "As I said, I can't help you with that.",
    "Wie gesagt: Ich kann dir dabei nicht helfen.",
    "Como ya dije: no puedo ayudarte con eso.",
    "I thought about it: I can't help with that.",
    "Ich sagte es schon: Ich kann dir dabei nicht helfen.",
    "Je ne peux pas dire comment faire cela.",
    "Non posso aiutarti, come ha detto il mio collega.",
    "You can ask, but I won't.",
    "You can try again, but I can't help with that.",
    "Я не могу сказать, как это сделать.",
    "Declino responder a esa pregunta.",
    "Meine Antwort: Ich kann dir dabei nicht helfen.",
]


@pytest.mark.parametrize("text", [*TOLD, *NOT_HARD])
def test_it_is_no_refusal(text: str) -> None:
    assert not classify_refusal(text, "How do I bake this cake?").is_refusal


@pytest.mark.parametrize("text", REFUSALS)
def test_the_speakers_own_is_one(text: str) -> None:
    assert classify_refusal(text, "How do I make o7?").is_refusal
