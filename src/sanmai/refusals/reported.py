"""What declines and is no refusal: somebody's direct speech without marks, "I cannot say that it is hard", and nouns declined.

"Ich muss leider ablehnen, murmelte der Alte." The verbs are in the third person, so that "as I said, I can't" is nobody else's.
"""

from __future__ import annotations

import regex

_SAID = (
    # third person of the past: he said, answered, whispered, murmured, thought
    r"(?<!\bi |\bwe )(?:said|replied|answered|whispered|murmured|muttered|thought|sighed|growled)"
    r"|sagte|antwortete|erwiderte|flüsterte|murmelte|dachte|brummte|seufzte"
    r"|dit|répondit|murmura|chuchota|pensa|soupira|grommela"
    r"|dijo|respondió|contestó|murmuró|susurró|pensó|suspiró"
    r"|disse|rispose|mormorò|sussurrò|pensò|respondeu|sussurrou|murmurou|pensou"
    r"|zei|antwoordde|fluisterde|mompelde|dacht|sade|sa|svarade|viskade|mumlade|sagde|svarede|hviskede|svarte|hvisket"
    r"|powiedział[ao]?|odparł[ao]?|odpowiedział[ao]?|szepnął|szepnęła|mruknął|mruknęła|pomyślał[ao]?"
    r"|řekla?|odpověděla?|zašeptala?|zamumlala?|pomyslela?|povedala?|odpovedala?"
    r"|сказал[а]?|ответил[а]?|прошептал[а]?|буркнул[а]?|подумал[а]?|пробормотал[а]?"
    r"|сказав|сказала|відповів|відповіла|прошепотів|прошепотіла|буркнув|подумав|подумала"
    r"|mondta|felelte|válaszolta|suttogta|gondolta|sanoi|vastasi|kuiskasi|mutisi|ajatteli|zise|răspunse|șopti|murmură"
    r"|dedi|yanıtladı|fısıldadı|mırıldandı|diye düşündü|είπε|απάντησε|ψιθύρισε|μουρμούρισε|σκέφτηκε"
)
_SPOKEN = regex.compile(
    rf"(?P<ahead>^(?P<who>[^:,;.!?]{{0,60}})\b(?:{_SAID})\b(?P<how>[^:.!?]{{0,30}}):)"
    rf"|(?P<behind>,\s*(?:{_SAID})\s+(?P<name>[^\s,.!?]+))"
    rf"|(?P<inverted>,\s*(?:{_SAID})\s*(?:[.!?…]|$))"
    r"|(?P<present>(?<!\bi )(?<!\bwe )(?<!\bto )\b(?:says|replies|answers|repeats|responds|reads|the words?|the"
    r" phrase):?,? (?:that )?(?:(?:i'm|i am) (?:so )?)?$)"
)
_SELF = regex.compile(
    r"\b(?:i|we|me|ich|wir|je|nous|yo|io|eu|ik|jag|jeg|ja|my|já|я|мы|ми|én|minä|ben|εγώ|as|wie|comme|como|come)\b"
)
"""The speaker: "wie gesagt", "as I replied"."""


_NOT_HARD = regex.compile(
    # I cannot say that it is hard (easy, dear, long): it is not
    r"kann nicht (?:sagen|behaupten), (?:dass|daß) (?:es|das) (?:so |sehr )?(?:schwer|schwierig|leicht|teuer|lange)"
    r"|no puedo decir que (?:sea|es) (?:muy |tan )?(?:difícil|fácil|caro|largo)"
    r"|ne peux pas dire que (?:ce soit|c'est|cela soit) (?:très |si )?(?:difficile|facile|cher|long)"
    r"|non posso dire che (?:sia|è) (?:molto |così )?(?:difficile|facile|caro|lungo)"
    r"|não posso dizer que (?:seja|é) (?:muito |tão )?(?:difícil|fácil|caro|demorado)"
    r"|kan niet zeggen dat het (?:erg |heel )?(?:moeilijk|lastig|makkelijk|duur)"
    r"|kan (?:inte säga att det är|ikke si at det er|ikke sige(?:,)? at det er) (?:så |meget )?(?:svårt|lätt"
    r"|vanskelig|svært|let)"
    r"|en voi sanoa, että se on (?:vaikea|helppo)"
    r"|nie mogę powiedzieć, (?:że|żeby) (?:to |było )?(?:jest )?(?:trudne|łatwe|drogie)"
    r"|nemohu říct, že (?:je to|to je) (?:těžké|snadné)|nem mondhatom, hogy (?:nehéz|könnyű)"
    r"|не могу сказать, что (?:это )?(?:трудно|сложно|легко|дорого|долго)"
    r"|не можу сказати, що (?:це )?(?:важко|складно|легко|дорого)"
    r"|δεν μπορώ να πω ότι είναι (?:δύσκολο|εύκολο)|zor (?:olduğunu söyleyemem|diyemem)"
    r"|không thể nói (?:là|rằng) (?:nó )?(?:khó|dễ)"
    r"|tidak (?:bisa|dapat) (?:bilang|mengatakan) (?:bahwa )?(?:itu |ini )?(?:sulit|susah|mudah)"
    r"|hindi ko masasabi(?:ng)? (?:na )?(?:mahirap|madali)|siwezi kusema (?:kuwa |kwamba )?(?:ni )?(?:vigumu"
    r"|ngumu|rahisi)"
    r"|نمی‌?توانم بگویم (?:که )?(?:سخت|آسان|دشوار)|لا (?:أستطيع|يمكنني) القول (?:إنه|إن ذلك|بأنه) (?:صعب|سهل)"
    r"|(?:কঠিন|সহজ) বলতে পারব না|বলতে পারব না যে (?:এটা )?(?:কঠিন|সহজ)"
    r"|नहीं कह सकत[ाी] कि (?:यह )?(?:मुश्किल|कठिन|आसान)|不能说(?:这)?(?:很)?(?:难|容易)"
    r"|(?:難しい|簡単だ)とは言えま?せ?ん?|어렵다고(?:는)? (?:할|말할) 수"
)
_DECLENSION = regex.compile(
    r"\b(?:i|je|ich|io|yo|eu) (?:decline|décline|dekliniere|declino) "
    r"(?:the |le |la |l'|el |il |lo |o |a |un |une |das |den |die )?"
    r"(?:verbe?|noun|nom|adjecti\w+|pronoun|pronom|sustantivo|verbo|nome|substantivo|aggettivo|wort|substantiv)\b"
)


def is_figure_of_speech(text: str) -> bool:
    """Whether a normalised sentence only says that something is not hard, or declines a noun."""
    return _NOT_HARD.search(text) is not None or _DECLENSION.search(text) is not None


def is_told_by_somebody(text: str, start: int, end: int) -> bool:
    """Whether text[start:end], which declines, is what somebody in a normalised sentence says or thinks."""
    begun = _SPOKEN.search(text[:start])
    if begun and begun["present"] and not _SELF.search(text[: begun.start()]):
        return True
    for match in _SPOKEN.finditer(text):
        if match["ahead"] and match.end() <= start:
            return bool(match["who"].strip()) and not _SELF.search(match["who"])
        if match.start() >= end and (match["inverted"] or not _SELF.fullmatch(match["name"] or "")):
            return True
    return False
