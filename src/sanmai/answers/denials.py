"""What stands beside a marked number and makes it no answer: a bound, somebody else's word for it, a rejection."""

from __future__ import annotations

import re

_BOUND = re.compile(
    r"\b(?:at (?:the )?(?:least|most|minimum|maximum)|(?:no|not) (?:more|less|fewer|greater|smaller|larger|later|earlier) than|"
    r"up to|(?:a |the )?(?:minimum|maximum) of|(?:upper|lower) (?:bound|limit|estimate)|bounded (?:above |below )?by|"
    r"(?:over|under)estimate)"
    r"(?:\s+(?:of|is|by|for|the|answer|value|it|then|therefore|thus|equal|to|be))*[\s:=$*(\\\[]*\Z"
    r"|\b(?:exceed(?:s|ing)?|above|below|beyond|under|over)[ \t:$*(]*\Z"
    r"|\b(?:mindestens|höchstens|al menos|como máximo|como mucho|au moins|au plus|almeno|al massimo|al più|no máximo|pelo menos|"
    r"ten minste|hoogstens|не менее|не более|как минимум|至少|至多|最多|最少|不超过|不少于|少なくとも|最大で|多くとも|최소|최대)"
    r"[\s:=$*(\\\[]*\Z"
    r"|(?<![A-Za-z\\])[xyz][ \t]*(?:[≥≤]|[<>]=|\\[gl]eq?(?![a-z]))[ \t$]*\Z",  # n \\ge \\boxed{5} is how a least n is said
    re.IGNORECASE,
)
_BOUND_BEHIND = re.compile(r"[\s$)}]*(?:以上|以下|未満|이상|이하|미만)")
_BOUND_ASKED = re.compile(
    r"\b(?:at )?(?:least|most)\b|\bminim|\bmaxim|\b(?:smallest|largest|greatest|fewest|lowest|highest|shortest|longest|bounds?|"
    r"limit|estimate|guarantee\w*|ensure|up to|mindestens|höchstens|kleinste|größte|mínim|máxim|menor|mayor|moins|plus|"
    r"наименьш|наибольш|минимал|максимал)|最小|最大|最少|最多|至少|至多|최소|최대",
    re.IGNORECASE,
)


def asks_bound(question: str) -> bool:
    """Whether a question asks for a least, a greatest or a bound: "at least 5 socks" is an answer to it."""
    return _BOUND_ASKED.search(question) is not None


def is_bound(before: str, after: str = "") -> bool:
    """Whether the words beside a marked number make it a bound: "at least \\boxed{5}", "Upper bound: \\boxed{5}", "5以上"."""
    return _BOUND.search(before) is not None or _BOUND_BEHIND.match(after) is not None


_ABOUT = re.compile(
    r"(?:\b(?:roughly|approximately|about|around|nearly|almost|close to)|\\approx|\\simeq|\\sim|≈|~)[ \t:$*(\\\[{]*\Z",
    re.IGNORECASE,
)
_ABOUT_ASKED = re.compile(
    r"\b(?:approx\w*|estimat\w*|round\w*|nearest|about|around|roughly|closest|decimal\w*|significant|digits?|places?|"
    r"ungefähr|etwa|rund\w*|geschätzt|schätz\w*|nächste\w*|aproxim\w*|redonde\w*|arrond\w*|environ|approssim\w*|circa|"
    r"arrotond\w*|arredond\w*|cerca|ongeveer|afgerond|przybliż\w*|zaokrągl\w*|około|yaklaşık|yuvarla\w*|khoảng|làm tròn|"
    r"gần|sekitar|kira-kira|bulatkan|takriban)\b|пример|приблиз|округл|около|約|约|大约|四舍五入|四捨五入|概算|およそ|近似|대략|"
    r"반올림|약 |ประมาณ|लगभग|পূর্ণ|প্রায়|حوالي|تقريب|قرّب|تقریب|בערך|עגל|περίπου|సుమారు|தோராய",
    re.IGNORECASE,
)


def asks_about(question: str) -> bool:
    """Whether a question asks for a rounded or estimated number: "about 17" is an answer to it."""
    return _ABOUT_ASKED.search(question) is not None


def is_about(before: str, value: str) -> bool:
    """Whether the words before a marked whole number make it an estimate: "x \\approx \\boxed{17}" (not of 3.14)."""
    return re.search(r"\d[.,]\d", value) is None and _ABOUT.search(before) is not None


_SAYING = (
    r"(?:said|says?|think|thinks|thought|claims?|claimed|believes?|believed|tells?|told|guess(?:es|ed)?|reckons?|suspects?|"
    r"argues?|argued|insists?|insisted|wrote|writes?|suggests?|suggested|replied|replies|hoped|hopes|predicts?|"
    r"predicted|expects?|expected|estimates|estimated|states?|stated)"
)
_TOLD = re.compile(
    r"\baccording to (?!(?:the |this |that |our |my |its |these )?(?:\w+ )?(?:formula|theorem|rule|definition|problem|question|"
    r"above|calculations?|computation|data|table|equation|statement|lemma|law|steps?|figure|diagram|graph|conditions?|pattern)\b)"
    rf"|\b(?!(?:i|we|this|which|that|it|and|so|thus|hence|above|equation|formula|result|step|calculation)\b)"
    rf"[a-z'-]+\s+{_SAYING}\b(?:\s+(?:that|the|it|he|she|us|me|him|her|them|final|correct|right|an?|its?|our|your|my|is|was|be|answer|result|value|total|,)){{0,6}}[\s:$*(\\\[\"“]*\Z"
    r"|\b(?!(?:problem|question|exercise|task|today|it|that|this|there|here|what|let|he|she|who|where|how)['’]s)[a-z-]+(?:'s|s'|’s)\s+(?:\w+\s+)?(?:answer|result|guess|claim|solution|idea|"
    r"estimate|total|attempt)\b[^.!?\n]*\Z"
    r"|\b(?:i|we) (?:(?:really|do|only|can only) )?(?:hope|wish|doubt|wonder)\b[^.!?\n]*\Z"
    r"|\bbefore (?:the |any )?(?:discounts?|tax(?:es)?|fees?|tip),? the (?:final )?answer (?:is|=)\Z"
    r"|\b(?:trap|decoy|naive|na[iï]ve|tempting|obvious|intuitive|distractor|dummy|sample|example|placeholder|old|outdated|"
    r"partial|intermediate|preliminary|provisional|tentative|approximate|rough|student|opponent|rival|hypothetical|alleged|"
    r"supposed|expected|fake|bogus|erroneous|mistaken|common|popular|usual|his|her|their)\s+(?:wrong\s+)?"
    r"(?:answer|result|guess|choice|value|solution|response)s?\b[^.!?\n]*\Z",
    re.IGNORECASE,
)


def is_others(before: str) -> bool:
    """Whether the words of its sentence before a marked number give it as somebody else's or no final one.

    "According to the textbook, the answer is", "Bob's answer is", "My friend said the answer is", "The trap answer is".
    """
    return _TOLD.search(before[-300:]) is not None


_REJECTED = re.compile(
    r"[ \t$)}*\\\]]*(?:\\text\{)?[ \t]*(?:[(\[]\s*(?:incorrect|wrong|false|no|not|rejected|invalid|impossible|extraneous|"
    r"discarded)\b|[^.!?\n]{0,20}?\b(?:is|was|seems|looks|would be|turns out to be|appears|are|being)\s+"
    r"(?:(?:far|way|much|still|a bit|slightly|clearly|obviously|already|also|just|only|merely)\s+)*"
    r"(?:too\s+\w+|(?:an?|the)\s+(?:upper|lower)\s+(?:bound|limit)|incorrect|wrong|false|invalid|impossible|excluded|insufficient|"
    r"ruled out|rejected|extraneous|discarded|a trap|a common (?:mistake|error)|tempting|an? (?:over|under)estimate|"
    r"an approximation|a guess|a placeholder|an? (?:partial|intermediate)\b|not\s+(?:enough|possible|valid|allowed|final|"
    r"sufficient|an? (?:solution|answer|root)|the (?:final )?(?:answer|solution)|correct|right))"
    r"|[ \t,(—–-]{0,4}(?:contradicts|(?:just |only )?an? placeholder|placeholder|i made (?:that|this|it) up|"
    r"is off by|would (?:only )?be (?:correct|right|true|valid)(?: only)? (?:if|for|when|only)|"
    r"is (?:half|twice|double|a third) (?:of )?(?:it|that|this|what)\b|"
    r"is (?:only|just|merely) (?:part|the (?:first|partial|number of))|"
    r"is the (?:answer|solution) to (?:a different|another|the wrong)|"
    r"is (?:the number|the amount|the count) of [^.!?\n]{1,30}, not |is what (?:an? |some )?[a-z]+ (?:[a-z]+ )?(?:would|might)|"
    r"times (?:\$?\d|two|three|four|itself)|‰)"
    r"|[ \t]*(?:fails|does(?: not|n't) (?:work|fit|satisfy|hold)|cannot be|can't be|must be (?:rejected|excluded|discarded)|"
    r"would be (?:wrong|incorrect|too \w+)))",
    re.IGNORECASE,
)


def is_rejected(after: str) -> bool:
    """Whether the words right after a marked number reject it: "\\boxed{5} is too small", "\\boxed{5} (incorrect)"."""
    return _REJECTED.match(after) is not None
