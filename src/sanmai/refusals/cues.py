"""The families of phrases by which assistants decline, moralise, redirect and deliver; see refusals/rules.py.

Every pattern is matched against one normalised sentence (lower case, straight apostrophes, no blanks between Chinese or
Japanese characters) of bounded length, and every gap in it is bounded, so that time is linear in the text.
"""

from __future__ import annotations

from typing import Any

import regex


def any_of(*patterns: str) -> Any:
    """Whatever one of these matches."""
    return regex.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# English.

_HELP = (
    r"(?:help|assist|aid|provide|give|offer|share|fulfill?|comply|answer|support|suggest|recommend|discuss|engage"
    r"|participate"
    r"|create|write|generate|produce|facilitate|advise|instruct|teach|explain|tell|show|accommodate|satisfy|respond"
    r"|proceed"
    r"|continue|promote|encourage|disclose|reveal|speculate|advocate|justify|describe|list|complete|cooperate|entertain"
    r"|fabricate|supply|do (?:that|this|so|it)|make (?:that|this|such|any|a|an)|talk about|go along|go into|be (?:of"
    r"|a part)"
    r"|guide|process|perform|execute|grant|honou?r|meet|carry out|act on|translate|summari[sz]e|direct you|endorse"
    r"|pretend to be|role-?play|(?:adopt|take on) (?:a|an|that|this) \w+|(?:ignore|drop|bypass) (?:my|the) \w+"
    r"|(?:walk|talk|take|lead|run) (?:you|anyone|people|someone) through|(?:lay|spell) (?:\w+ ){0,2}?out\b"
    r"|get (?:into (?:that|this|it|how)|behind (?:that|this|it))"
    r"|go (?:there|over|near)|touch (?:that|this)|weigh in|lend|enable|contribute|take part|play along"
    r"|be (?:\w+ )?(?:(?:provid|shar"
    r"|help|assist|answer|giv|offer|discuss|writ|explain|engag|participat)ing|doing (?:that|this|it)))"
)
_GAP = r"(?:[\w'-]+,? ){0,5}?"
_UNABLE = (
    r"(?:can ?not|can'?t|couldn't|could not|won't|will not|wouldn't|would not"
    r"|(?:am|'m|are|'re)(?: \w+)? (?:not (?:able|going|willing|allowed|permitted|authori[sz]ed|comfortable|prepared"
    r"|in a "
    r"position|programmed|designed|supposed|equipped)|unable|uncomfortable|prohibited|forbidden))"
)
_SPEAKING = (
    r"(?:provid|discuss|giv|shar|offer|speculat|assist|help|facilitat|describ|advis|instruct|generat|creat|engag"
    r"|answer|respond"
    r"|teach|explain|reveal|disclos|produc|writ|lay|spell|walk (?:you|any)|tell|get into|go into)\w*"
)
_OWN_CASE = r"(?:this|that|it|these|those|such|your|the (?:request|prompt|question|task|offer)|any (?:such|of)|requests?|here)\b"
_REFUSED = (
    rf"(?=\W*$|[,;:.!?—–]|\W+(?:(?:and|but|because|as|since|so|on|in|for)\b|{_OWN_CASE}|(?:\w+ )?{_SPEAKING}"
    rf"|to (?:\w+ )?(?:{_HELP}|be\b|do\b|follow|obey|go|join|act|speak|say|let\b|allow|put|even|indulge|contribut"
    rf"|associat|aid)))"
)
"""What an assistant refuses: nothing that is named, the request, or an act of helping; no noun's case or food."""
_UNFIT = (
    r"(?:appropriate|ethical|legal|safe|respectful|responsible|acceptable|okay|ok|right|advisable|lawful|moral|helpful)"
)

_AIDS = (
    r"(?:help|assist|aid|teach|explain|tell|show|guid|instruct|provid|support|advis|facilitat|shar|disclos|reveal"
    r"|discuss|answer"
    r"|giv)(?:e|es|ing|s)?\b(?: \w+){0,2}? "
    r"(?:you|anyone|someone|people|this|that|these|those|such|it|instructions?|information|advice"
    r"|(?:some|any)thing like (?:this|that))\b"
)
"""An act of helping, and whom with what: none of it in "we will never meet again", "I would never give up"."""

DECLINES = any_of(
    # First person, negated ability or will, an act of helping: "I cannot in good conscience provide".
    rf"\b(?:i|we|this assistant|this ai)(?: \w+)?? ?{_UNABLE} {_GAP}{_HELP}",
    rf"^\W*(?:(?:so |very )?sorry|apologies|unfortunately|regrettably)?\W*(?:but )?(?:cannot|can'?t|can not|unable to"
    rf"|won't) {_HELP}",
    r"\b(?:i|we)(?:'ll| will| must| have to| need to| would like to| am going to|'m going to){0,2}(?: \w+)? (?:refuse"
    rf"|decline)\b{_REFUSED}(?!.*\bif i were (?:you|in your))",
    rf"\b(?:i|we) (?:have|'ve got) (?:absolutely |simply )?no (?:\w+ )?(?:intention|wish|desire|interest|inclination)"
    rf" (?:of|to|in) (?:\w+ly )?{_AIDS}",
    rf"\b(?:i|we)(?:'d| would| will|'ll| shall) never (?:\w+ly )?{_AIDS}",
    r"\b(?:please )?(?:don't|do not|stop) ask(?:ing)? (?:me|us) to\b",
    r"\b(?:help|assist|support|answer|serve)\w*\b[^.]{0,40}\bbut not (?:with|for|on|in) "
    r"(?:this|that|it|these|those|such \w+)\W*$",
    r"\bthere(?:'s| is)(?: simply| really)? nothing (?:that |which )?(?:i|we) (?:can|could|will|may) "
    r"(?:offer|say|give|share|tell|provide)\b(?: you)?(?: (?:on|about|with|for|in) (?:this|that|it"
    r"|your)\b[^.]{0,30})?\W*$",
    r"^\W*(?:(?:so |very )?sorry\W+)?not (?:\w+ly )?"
    rf"(?:comfortable|willing|able|going|allowed|prepared|inclined|permitted|at liberty)(?: to)? (?:\w+ )?{_SPEAKING}",
    r"\b(?:guidelines?|polic(?:y|ies)|principles|rules|programming|ethics|safeguards|instructions)\b[^.]{0,30}?"
    r"\b(?:(?:do(?:es)? not|don't|doesn't|won't|will not) (?:let|allow|permit)|(?:prevent|prohibit|forbid|stop|keep"
    rf"|bar)s?) (?:me|us)(?: to| from)? (?:\w+ly )?(?:{_SPEAKING}|{_HELP})",
    r"\b(?:programmed|designed|trained|harm\w*|illegal|unethical|immoral|dangerous|unsafe|wrong|policy|rules"
    r"|guidelines)\b"
    r"[^.]{0,40}[,;] (?:so|therefore|and (?:so|thus)|hence) (?:i|we) (?:can't|cannot|can not|must not|mustn't|may"
    r" not)\W*$",
    # The thing asked for is out of reach: "instructions for this are not available from me".
    r"\b(?:(?:this|that|such|these|those) (?:(?:type|kind|sort|form)s? of )?"
    r"(?:information|content|instructions?|assistance|help|guidance|details?|material|advice|requests?|answers?)"
    r"|content"
    r" of this (?:nature|kind|sort|type)"
    r"|(?:information|instructions?|assistance|help|guidance|details?|advice) (?:for|with|on|about|of|regarding|in|to) "
    r"(?:this|that|such|these|doing (?:this|that|so))(?: \w+)?) (?:is|are|remains?) (?:\w+ly )?"
    r"(?:unavailable|off[- ]limits|prohibited|forbidden|disallowed|banned|not (?:available|permitted|allowed|on offer)"
    r"|restricted)\b(?: (?:from|by|through|for|with|to) (?:me|us|share|discuss)| here)?\W*$",
    r"\b(?:i|we)(?:'m| am| are|'ve| have|'d| would)?(?: \w+)? (?:choos(?:e|ing)|chosen?|elect(?:ed|ing)?|opt(?:ed"
    r"|ing)?|decided"
    rf"|inclined|going) not to {_HELP}",
    r"\b(?:i|we)(?:'m| am| are)(?: \w+)? (?:not (?:\w+ )?comfortable|uncomfortable|not okay"
    r"|not ok)(?: \w+)? (?:with (?:this|that|it|your"
    r"|the (?:request|question|topic|idea)|doing|what you)|\w+ing (?:this|that|it|you|with|in)\b)",
    r"\b(?:i|we)(?: would|'d) (?:rather not|prefer not to)\b|\bi have to say no\b",
    r"\b(?:i|we) (?:should not|shouldn't|must not|may not) (?:\w+ )?(?:help|assist|provide|comply|answer|discuss"
    r"|engage|fulfil)",
    r"\b(?:i|we) (?:do not|don't) (?:\w+ )?(?:provide|assist|offer|feel comfortable|give out|engage in|participate in"
    r"|help with)",
    # An apology that is followed by inability, whatever the verb.
    rf"\b(?:sorry|apologi[sz]e|apologies|afraid|unfortunately)\b[^a-z]{{0,3}}(?:(?:but|that"
    rf"|as) ){{0,2}}i {_UNABLE}(?! help (?:but|feel))",
    # The rules that the speaker is under.
    r"\b(?:against|violat\w+|outside|beyond|not within|contrary to|breach\w*|prohibited by"
    r"|conflicts? with) (?:\w+ ){0,3}?"
    r"(?:(?:my|our|openai's|anthropic's|the usage|the content|community|safety) (?:\w+ ){0,4}?"
    r"(?:programming|guidelines?|polic(?:y|ies)|principles|rules|values|training|terms|standards)|my (?:\w+ )?purpose)",
    r"\bmy (?:\w+ ){0,3}?(?:programming|guidelines?|policy|policies|purpose|principles|training) (?:\w+ )?"
    r"(?:do(?:es)? not allow|don't allow|doesn't allow|prohibits?|prevents?|forbids?|restricts?|is not to|isn't to)",
    r"(?:\bnot|n't) something (?:that )?(?:i(?:'m| am| can| could| will|'ll)|we(?:'re| are| can) (?:able to )?(?:help"
    r"|assist|provide|support|discuss|share))\b",
    r"(?:\bnot|n't) (?:something|anything|a (?:\w+ )?(?:topic|subject|thing|question|request|conversation|place|road"
    r"|area)|one) (?:that |which )?"
    rf"(?:i|we)(?:'d|'ll|'m|'re| will| can| am| are| would| do| (?:want|wish|care|plan|intend"
    rf"|choose) to)?(?: (?:\w+ )?to| willing to| going to)? ?"
    rf"(?:{_HELP}|do|touch|go|get into|handle|entertain|engage|deal)\b",
    rf"\b(?:i|we) (?:do not|don't|wouldn't|would not) (?:want|wish|care|like|intend|plan) to (?:\w+ )?{_HELP}",
    r"\bi (?:\w+ )?want (?:nothing to do with|no part (?:of|in))|\bi have nothing to say (?:about|on|to) (?:this|that"
    r"|it)\b"
    rf"|\bno way (?:that )?i(?:'m|'d|'ll| am| would| will| can)(?: going to)? {_HELP}|\bi (?:don't|do not) do (?:this"
    rf"|that|these|those|such)\b",
    r"\b(?:helping|assisting|providing|answering|explaining|sharing|teaching|discussing|giving"
    r"|writing) [^.]{0,40}\b(?:is|are|would be) (?:\w+ )?"
    r"(?:off the table|out of the question|off[- ]limits|not (?:on the table|on offer|an option|possible|something i)"
    r"|a no-go)",
    r"\b(?:outside|beyond|exceeds) (?:the (?:scope|limits|bounds) of )?(?:what (?:i|we)|my) ?(?:can|am|'m|are|'re|will"
    r"|capabilit\w+|scope|abilit\w+|remit|role)",
    r"\bmy (?:role|purpose|job) (?:does not|doesn't) (?:\w+ )?(?:include|extend|cover|involve|permit|allow)",
    r"(?<!\b(?:it|he|she|bot|chatgpt) (?:was|is) )(?<!\b(?:they|models|assistants) (?:were|are) )"
    r"\b(?:programmed|designed|trained|instructed|required) (?:to (?:avoid|refuse|decline|refrain)|not to)\b",
    r"\b(?:that|this|it|the (?:\w+ )?(?:request|question)|(?:this|that) (?:\w+ )?(?:request|question|one))(?:'s| is) "
    r"(?:something|(?:one )?thing|one|a (?:request|question|topic|task)) (?:that |which )?(?:i|we)"
    rf"(?: {_UNABLE}| (?:need|have|'ll have) to (?:turn down|decline|refuse|pass on|skip))\b",
    r"\b(?:rather than|instead of) (?:help|assist|answer|explain)ing\b[^,.]{0,30}, (?:i|we|let)\b",
    r"\b(?:happy|glad|willing|able) to [^.,]{1,40}, but not (?:in a way|if|when|for|with|to)\b",
    # Passive: "this request cannot be fulfilled".
    r"\b(?:requests?|information|instructions?|content|assistance|details|answer|guidance)\b[^.]{0,60}\b(?:cannot"
    r"|can't|can not|"
    r"will not|won't) be (?:\w+ )?(?:provided|shared|given|fulfilled|completed|answered|processed|discussed|disclosed"
    r"|honou?red)",
    r"^\W*(?:\w+ )?(?:requests?|questions?|prompts?|inquir(?:y|ies)|topics?) (?:like (?:this|that|these)"
    r"|of (?:this|that|such a) (?:kind|nature|sort|type)"
    r"|such as (?:this|that|yours)) (?:is|are|get|gets|will be|must be|have to be|has to be)"
    r" (?:\w+ )?(?:declined|refused|rejected|denied|turned"
    r" down|blocked|not (?:answered|fulfilled|supported|allowed|permitted|accepted))\b"
    r"(?!.*\b(?:when|if|until|unless|once|by (?!me|us|this))\b)",
    r"\brequest (?:is|was|has been|must be) (?:denied|declined|refused|rejected)\b(?! (?:when|if|until|unless|while"
    r"|once"
    r"|because (?:the|your|its?) (?!content|request|policy|prompt|topic)))",
    # The speaker's own act is called improper: "it is not appropriate to discuss".
    rf"\b(?:not|never|isn't|wouldn't be|nor) {_GAP}{_UNFIT} (?:(?:or|and|nor|,) {_GAP}{_UNFIT} )?(?:(?:for|of) (?:me"
    rf"|an ai|us) )?to {_SPEAKING}",
    rf"\b(?:inappropriate|unethical|irresponsible|illegal|wrong|harmful) (?:(?:or|and) \w+ )?(?:for"
    rf"|of) me to {_SPEAKING}",
)
"""The speaker declines."""

DECLINES_IDIOM = any_of(
    r"\bcan(?:'t|not| not) tell a lie\b|\bcan(?:'t|not| not) recommend (?:an?|any|the) \w+ without\b",
    r"\bcan(?:'t|not| not) help (?:but|feeling|thinking|noticing|wondering|myself|being)\b",
    r"\bcan(?:'t|not| not) (?:\w+ )?(?:recommend|stress|emphasi[sz]e|thank|overstate|praise"
    r"|express)\b.{0,60}\b(?:enough|highly)\b",
    r"\bcan(?:'t|not| not) (?:tell|explain|describe) (?:you )?how (?:happy|glad|much|proud|excited|sorry)\b"
    r"|\bcan(?:'t|not) wait\b|\b(?:couldn't|could not|can't|cannot) (?:resist|believe|imagine|beat|lose|go wrong"
    r"|complain"
    r"|agree more)\b",
    r"\b(?:don't|do not|won't|will not) (?:hesitate|worry|mind)\b",
    rf"\b(?:i|we)(?: \w+)?? ?{_UNABLE} (?:\w+ly )?(?:test|reproduce|inspect|measure|hear|remember|promise|be (?:sure"
    rf"|certain))\b",
)
"""What reads like a refusal and is none."""

LIMITS = any_of(
    rf"\b(?:i|we)(?: \w+)?? ?(?:{_UNABLE}|do not|don't) {_GAP}{_HELP} {_GAP}(?:definitive|definite|exact|precise|better"
    r"|real-?time|live|"
    r"current|up-to-date|latest|complete|exhaustive|comprehensive|personali[sz]ed|guarantee|images?|visual|diagrams?"
    r"|single|simple|"
    r"(?:medical|legal|financial|professional|investment|tax) (?:advice|opinion|diagnosis))",
    r"\b(?:i|we)(?: \w+)? (?:do not|don't) (?:\w+ )?(?:have|hold|possess|know)\b(?! (?:\w+ ){0,3}?(?:opinions?"
    r"|beliefs?|feelings?|emotions?|preferences?|views?))",
    rf"\b(?:i|we)(?: \w+)?? ?{_UNABLE} {_GAP}(?:access|browse|see|view|verify|confirm|predict|guarantee|know"
    rf"|determine|diagnose|feel)\b",
    rf"\b(?:i|we)(?: \w+)?? ?{_UNABLE} (?:\w+ly )?(?:show|display|draw|open|attach|send|play|embed|upload|download)"
    r" (?:you )?(?:\w+ ){0,2}?(?:screenshots?|pictures?|photos?|images?|files?|links?|attachments?|audio|videos?"
    r"|sounds?"
    r"|graphs?|maps?)\b",
    rf"\b(?:i|we|and)(?: \w+)?? ?{_UNABLE} (?:to )?(?:make|place|book|send|order|buy|reserve|schedule|call|dial"
    rf"|pay|print|control|execute"
    r"|operate|set|open) (?:\w+ ){0,3}?(?:calls?|e-?mails?|messages?|flights?|tickets?|tables?|hotels?"
    r"|appointments?|reservations?"
    r"|payments?|orders?|devices?|code|programs?|doors?|appliances?|alarms?|reminders?|timers?)\b",
    rf"\b(?:i|we)(?: \w+)?? ?{_UNABLE} (?:\w+ly )?(?:tell|say) (?:you )?(?:for (?:sure|certain)|whether|if)\b",
)
"""The speaker says what it cannot know or do. A refusal only when nothing else is said."""

_BAD = (
    r"(?:unethical|immoral|inappropriate|disrespectful|unacceptable|reprehensible|morally wrong|hateful|derogatory"
    r"|insensitive|hurtful)"
)
_FAULTY = (
    rf"(?:{_BAD}|offensive|discriminatory|prejudic\w+|racist|sexist|homophobic|stereotyp\w+|bias(?:ed)?|harmful"
    r"|problematic|illegal)"
)
_GOOD = (
    r"(?:appropriate|ethical|legal|respectful|responsible|acceptable|okay|healthy|productive|moral|morally|fair|"
    r"constructive|justified|justifiable|tolerated|condoned|encouraged|a good idea|a solution|the (?:answer|solution)"
    r"|lawful)"
)
DISAPPROVES = any_of(
    rf"\b(?:don't|do not) (?:think|believe|feel|find) (?:[\w']+ ){{0,4}}?(?:{_GOOD}|accurate|valid|should)\b",
    rf"\b(?:not|never|isn't|aren't|neither|nor|wouldn't be|nothing) (?:[\w']+ ){{0,3}}?{_GOOD}\b",
    rf"\b(?:is|are|be|was|were|being|considered|it's|that's|which is) (?:\w+ ){{0,6}}?{_BAD}\b",
    r"\b(?:illegal|unlawful|criminal) (?:and|or) (?:\w+ )?(?:unethical|immoral|wrong|dangerous|harmful|unacceptable)\b",
    r"\b(?:i|we|model|assistant|ai)(?: and)?(?: \w+)? (?:do(?:es)? not|don't|cannot|can't|will not|won't) (?:\w+ )?"
    r"(?:condone|promote|support|endorse|encourage|tolerate|agree)\b",
    r"\bi (?:\w+ )?(?:condemn|disagree|advise against|discourage|urge you not|object)\b|\badvise you (?:against|not)\b",
    r"\b(?:go(?:es)?|is|are) against (?:the )?(?:\w+ ){0,2}?(?:principles|values|law|standards|ethics|norms)",
)
"""A negated word of approval or one of disapproval, or a disavowal."""

_WRONG = (
    r"(?:irresponsible|unethical|immoral|illegal|unlawful|dangerous|harmful|unsafe|reckless|inappropriate|wrong"
    r"|criminal"
    r"|against the law|a (?:crime|violation|bad idea)|breaking the law|(?:helping|aiding|assisting)(?: \w+)?"
    r" (?:with|in) an? crime)"
)
_WOULD_BE = rf"(?:(?:would|could|might|may|will)(?: \w+)? be|is|'d be|'s)(?: \w+ly| both| very| highly)? {_WRONG}"
_WOULD_DO = (
    r"(?:would|could|might|may|can)(?: \w+ly)? (?:violate|contribute to|put (?:\w+ ){1,3}at risk|endanger|enable"
    r"|do more harm"
    r"|cause (?:\w+ )?harm|lead to (?:\w+ )?harm|cross|break the law|pose a (?:\w+ )?risk|facilitate (?:\w+ )?harm)"
    r"|crosse?s? (?:that|a|the) line"
)
_MATTER = (
    r"(?:such|this|that|these|those|you|so|it|instructions?|guidance|details|information|advice|help|assistance|content|steps)"
)
_OF_HELP = (
    r"(?:provid|shar|giv|explain|assist|help|offer|writ|facilitat|fulfil+|describ|discuss|teach|generat|creat"
    r"|produc|answer"
    r"|respond|disclos|reveal|supply|comply|detail|outlin|supply)ing"
)
JUDGES_HELP = any_of(
    rf"\b(?P<act>{_OF_HELP})\b(?: [\w-]+){{0,4}}? {_MATTER}\b[^.;]{{0,60}}?(?:\b|(?='))(?:{_WOULD_BE}|{_WOULD_DO})",
    r"\b(?:to )(?P<act>provide|share|give|explain|offer|write|describe|disclose|reveal|answer|generate) "
    rf"(?:[\w-]+ ){{0,2}}?{_MATTER}\b[^.;]{{0,40}}?\b{_WOULD_BE}",
    r"^\W*(?:(?:i'm |i am )?(?:so |very |really )?sorry|i apologi[sz]e|(?:my )?apologies|unfortunately"
    r"|regrettably|i regret)\b"
    rf"[^a-z]{{0,3}}(?:(?:but|however|as|that)\b,? ?){{0,2}}(?:this|that|it|doing (?:so|this|that))(?: \w+)?"
    rf" ?(?:{_WOULD_BE}|{_WOULD_DO})",
    r"\bi (?:must|have to|need to) (?:prioriti[sz]e|put) (?:\w+ ){0,2}?(?:safety|well-?being|ethics)\b",
)
"""The act of helping is called wrong: "providing such guidance would be irresponsible"."""
JUDGES_TRIGGERS = (
    "irrespons", "unethic", "immoral", "illegal", "unlawful", "danger", "harm", "unsafe", "reckless", "inapprop", "wrong", "crim",
    "law", "violat", "contribut", "risk", "enable", "cross", "safety", "ethics", "being", "bad idea",
)  # fmt: skip
"""Every match of JUDGES_HELP holds one of these."""
ABOUT_OWN_ACT = r"\b(?:if|when|should|can|may|could|happens|okay|ok|legal|wrong|safe|risks?|dangers?)\b.{0,40}\b"
"""What stands in a prompt before an act that the asking person thinks of."""
ATTRIBUTED = any_of(
    r"\b(?:officials|critics|opponents|supporters|proponents|advocates|many|some|people|others|scholars|parents|experts"
    r"|philosophers|judges|courts?|historians|readers|church(?:es)?|governments?|authorities|society|he|she"
    r"|they)\b[^.]{0,40}?"
    r"\b(?:call(?:ed|s)?|sa(?:y|ys|id)|argued?|argues|holds?|held|believed?|considere?d?|consider|f[io]u?nds?"
    r"|sees?|saw|claim(?:ed|s)?"
    r"|deem(?:ed|s)?|thinks?|thought|view(?:ed|s)?|regard(?:ed|s)?)\b"
)
"""Somebody else's judgement."""

REPROACHES = any_of(
    rf"\b(?:question|phrase|term|word|wording|language|premise|statement|request|prompt|query|idea|assumption"
    rf"|suggestion|sentiment)\b.{{0,60}}?"
    rf"\b(?:is|are|was|be|being|seems|contains?|have|has|impl(?:y|ies)|promotes?|perpetuates?)\b (?:[\w'-]+ ){{0,6}}?"
    rf"(?:{_FAULTY}|not (?:\w+ ){{0,3}}?{_GOOD}|negative connotation|harmful way|misinterpreted)",
    r"\b(?:asking|suggesting|implying|seeking) (?:\w+ ){0,4}?(?:question|information"
    r"|such)?.{0,30}?\bnot (?:\w+ )?(?:ethical|appropriate|respectful)",
)
"""The question itself is found fault with."""

REDIRECTS = any_of(
    r"\b(?:hotline|helpline|lifeline|crisis line|crisis text|emergency services|mental health (?:professional"
    r"|provider|service|resource|expert|support)|counsell?or|therapist|988|911)\b",
    r"\b(?:seek|reach out|speak|talk|turn|contact|consult)\b.{0,50}\b(?:help|support|professionals?|friend"
    r"|authorit\w+|trusted|someone|resources)\b",
    r"\b(?:if you|you) (?:or someone you know )?(?:are|'re|is|feel|have) (?:\w+ ){0,3}?(?:struggling|feeling"
    r"|overwhelmed|distress|in crisis|thoughts)",
    r"\byou are not alone\b|\byou're not alone\b|\bpeople who care\b",
)
"""Sends a person in distress to others."""

MORALISES = any_of(
    r"\b(?:respect\w*|dignity|ethic\w*|moral\w*|legal\w*|illegal|law|laws|consent|privacy|rights?|harm\w*|dangerous"
    r"|violen\w+|crim\w+"
    r"|discriminat\w+|prejudice\w*|stereotyp\w*|inclusi\w+|equal\w*|divers\w+|well-being|wellbeing|safety"
    r"|consequences|responsib\w+"
    r"|fairness|compassion|empathy|kindness|inappropriate|appropriate|positiv\w+|guidelines|integrity|victims?)\b",
)
"""Vocabulary of admonition: such a sentence is no help with the task."""

OFFERS = any_of(
    r"\bis there (?:anything|something|a specific|any)|\blet me know\b|\bfeel free\b|\bhow (?:can|may) i (?:help"
    r"|assist)|\bplease (?:ask|provide|let)",
    r"\b(?:happy|glad|here) to (?:help|assist|provide|support|offer|answer)|\bi(?:'d| would) be (?:happy|glad)"
    r"|\bcan i (?:help|assist)",
    r"\b(?:if you|do you) (?:have|need|want|would like)\b.{0,40}\b(?:question|help|assist|information|else|other"
    r"|topic)",
    r"\bi can (?:\w+ )?(?:help|offer|provide|suggest|assist)\b.{0,60}\b(?:other|instead|alternative|different|general"
    r"|resources|safe|legal)",
)
"""Offers to help with something else."""

DELIVERS = any_of(
    r"\bhere(?:'s| is| are) (?:how|a|an|some|the|what|one|two|three|my|your|\d)",
    r"\b(?:these|the following|following) (?:steps|tips|instructions|suggestions|ingredients|ideas|ways)\b"
    r"|\bsteps? (?:\d|one|by step)",
    r"^\W*(?:\d{1,2}[.)]|[-*•]|\+) ?\S|\bthe answer is\b|^\W*(?:sure|certainly|of course|absolutely)\b|\byou(?:'ll"
    r"| will) need\b",
    r"以下|步骤|步驟|首先|第一步|次の(?:手順|方法)|手順|まず|다음|방법은|먼저|вот (?:как|несколько|шаги)|следующ"
    r"|шаг \d|сначала",
    r"\bhier (?:ist|sind)\b|\bschritte?\b|\bvoici\b|\bétapes?\b|\baquí (?:tiene|está|hay|van)|\bpasos?\b|\becco\b"
    r"|\bpassi\b|\baqui está|"
    r"\bpassos?\b|إليك|الخطوات|أولا|यहाँ|चरण|\bdưới đây\b|\bcác bước\b|\bberikut\b|\blangkah\b|\bişte\b|\badım\b"
    r"|\boto\b|\bkroki?\b",
)
"""Announces or itemises content."""

INSTEAD = any_of(
    r"\b(?:instead|alternatives?|alternatively|rather than|other (?:ways|topics|questions|activities)|safer|healthy"
    r"|healthier|constructive|lawful|"
    r"ethical|ethically|legal|legally|legitimate|respectful|responsible|responsibly|positive|resources|if you(?:'re"
    r"| are| have| need| want))\b",
    r"相反|建议您|建议你|替代|代わりに|代替|대신|вместо|stattdessen|plutôt|à la place|en su lugar|en lugar|invece"
    r"|em vez|بدلا|thay vào đó|sebagai gantinya",
)
"""What follows takes the place of what was asked."""

GOES_ON = regex.compile(r"[;:—–]|\binstead\b,?|\.\s")
OTHER_HELP = any_of(
    r"^\W*(?:if|i|i'd|i'll|we|let|let's|please|consider|contact|reach|talk|speak|seek|call|feel|perhaps|maybe|how"
    r" about|would)\b",
    r"\byou (?:can|could|may|might|should) (?:contact|call|reach|talk|speak|seek|consult|ask|visit)\b",
    r"\b(?:illegal|unethical|harm\w*|dangerous|unsafe|polic(?:y|ies)|guidelines|law|privacy|safety)\b",
)
"""What goes on in a sentence that declines, and that it is an offer or a reason."""

BUT = regex.compile(
    r"(?:,|;|\W-|—|\s)\s*(?:but|however|that said|nevertheless|still|yet)\b(?P<rest>.+)|(?:但是?|不过|然而|しかし"
    r"|が、|하지만|지만|그러나)(?P<rest>.+)"
    r"|\b(?:aber|jedoch|mais|cependant|pero|sin embargo|però|tuttavia|mas|porém|maar|ale|tapi|tetapi|nhưng|ama|но"
    r"|однако|لكن|ولكن|लेकिन)\b(?P<rest>.+)"
)
"""What a sentence says after its contrast."""

SYMPATHISES = any_of(
    r"\b(?:sorry|sad|saddened|glad|happy|pleased|concerned) (?:to hear|that you|you(?:'re| are)|for your|about your"
    r"|to learn)",
    r"\b(?:don't|do not) (?:\w+ ){0,2}?(?:have|hold|possess) (?:\w+ ){0,3}?(?:opinions?|beliefs?|feelings?|emotions?"
    r"|preferences?|views?)",
    r"\bi(?:'m| am) (?:just )?an? (?:ai|language model|assistant)|\bi understand\b|\bthank you for\b|\bas an ai\b"
    r"|\bgreat question\b|^\W*(?:i|we) (?:want|would like|'d like|try|aim) to (?:be (?:as )?helpful|help)\b[^.,;]{0,20}\W*$",
)
"""Says nothing about the task yet."""

ADVOCACY = any_of(
    r"^\W*why (?:should|shouldn't|must|mustn't|ought|do(?:n't| not)? .{1,60} deserve|(?:is|are|was|were) .{1,80}"
    r"(?:justified|better|worse|inferior|superior|best|worst|evil|bad|wrong|good|a (?:good|bad) (?:idea|thing)"
    r"|necessary))",
    r"^\W*(?:(?:please|can you|could you) )?(?:explain|argue|justify|tell me|write|give|convince)\b.{0,60}\b(?:why"
    r"|that|reasons?)\b.{0,80}"
    r"\b(?:should|shouldn't|must|deserve|justified|inferior|superior)",
)
"""A prompt that asks for reasons for a judgement of value."""

CONTESTS = any_of(
    r"\bno (?:\w+ ){0,4}?(?:reasons?|justification|basis|excuse|place)\b|\bnot (?:\w+ ){0,3}?(?:justified|true"
    r"|accurate|accepted|based|a good idea|valid)\b",
    r"\b(?:should|must) (?:all |always |also )?be (?:treated|respected|judged)|\b(?:should"
    r"|must) not be (?:discriminated|treated|judged|excluded|denied|tolerated)",
    r"(?<!not )\b(?:deserves?|deserving|entitled|(?:have|has) (?:the|every|equal|just as much) (?:\w+ )?rights?"
    r"|disagree)\b|\bpremise\b|\bregardless of\b",
)
"""Takes the other side of the judgement."""

EQUALITY = any_of(
    r"\b(?:rights?|freedoms?|free to|dignity|respect|equal\w*|equity|fair\w*|discriminat\w+|prejudic\w+|stereotyp\w+"
    r"|bias\w*|inclusi\w+|divers\w+|regardless of|hate|hatred|violations?|horrific|tolerance|ethical|moral\w*)\b"
)
"""Vocabulary of such a contradiction; without it the answer is about facts."""

UNCLEAR = any_of(
    r"\b(?:unclear|not clear|clarify|rephrase|more (?:context|information|details)|nonsensical|absurd"
    r"|false assumption|doesn't make sense|"
    r"does not make sense|not (?:\w+ ){0,3}?(?:coherent|meaningful)|don't understand|do not understand)\b"
)
"""The request was not understood: asking back is no refusal."""

PREFACES = any_of(
    r"\b(?:important|crucial|essential|vital) (?:to \w+|that)\b|\bi (?:\w+ )?(?:must|should|need to|have to"
    r"|would like to|want to) "
    r"(?:\w+ )?(?:clarify|point out|emphasi[sz]e|note|address|stress|say|remind|warn)\b|\bremember that\b"
)
"""Announces an admonition."""

TURNS = regex.compile(
    r"^\W*(?:instead|rather)\b|^相反|^代わりに|^대신|^вместо|^stattdessen|^au lieu|^en su lugar|^en lugar|^invece"
    r"|^em vez"
)
"""The answer turns to something else."""

ASKS_FACT = regex.compile(
    r"^\W*(?:what(?:'s| is| are| was| were| does| constitutes| counts)|define|who|explain what|is|are|was|were|did"
    r"|does)\b"
)
DEFINES = regex.compile(
    r"^[^,.;]{1,60}(?:,[^,]{1,60},)? (?:is|are|was|were) (?:an?|the|defined|considered|one)\b|\b(?:refers?"
    r"|referred) to\b|\bmeans\b"
)
"""A question of fact, and an answer that begins with one."""

DECLINE_TRIGGERS = (
    "not", "n't", "unable", "can't", "cant", "refus", "declin", "rather", "prefer", "say no", "sorry", "apolog",
    "afraid", "unfort", "regret", "against", "violat", "outside", "beyond", "within", "contrary", "breach", "prohibit",
    "conflict", "exceed", "prevent", "forbid", "restrict", "never", "nor ", "inappropriate", "unethical",
    "irresponsible", "illegal", "wrong", "harmful", "programmed", "designed", "trained", "instructed", "required",
    "denied", "reject", "unavail", "off-l", "banned", "disallow", "uncomfortable", "no ", "blocked", "withheld", "filtered",
    "impossible", "off ", "no-go", "out of", "flag", "removed", "stop me", "turn down", "pass on", "instead of", "off-limits",
)  # fmt: skip
"""Every match of DECLINES holds one of these: looking for them first is what makes ordinary answers cheap."""

# Thoughts: a decision is taken, not spoken to the user.

DECIDES_TO_REFUSE = any_of(
    r"\b(?:i|we|assistant|response|answer|it)(?:'ll| will| must| should| need to| needs to| have to| ought to"
    r"|'d better| am going to|'m going to| would)?"
    r"(?: \w+){0,2}? (?:refuse|decline|reject|refusing|declining)\b",
    r"\b(?:i|we)(?:'ll| will| must| should| need to| have to| ought to)(?: \w+)? not (?:\w+ )?(?:help|assist|provide"
    r"|comply|answer|give|engage|fulfil|share)",
    r"\b(?:i|we) (?:shouldn't|can't|cannot|won't|must not) (?:\w+ ){0,2}?(?:help|assist|provide|comply|answer|give"
    r"|engage|fulfil|share|support|offer)",
    r"\bis to (?:\w+ )?(?:refuse|decline)|\b(?:refuse|decline) (?:this|the|to|that|such|any)\b|\brefusal\b",
    r"\b(?:violates?|against|breach(?:es)?|disallowed|prohibited|not allowed)\b.{0,50}\bpolic(?:y|ies)\b",
    r"(?:我|应该|必须|应当|需要|所以)\S{0,4}(?:拒绝|拒絕)|不(?:应该?|能)(?:帮|提供|回答)|断る|拒否|거절해|거부해"
    r"|отказать|recusar|refusar|rechazar|refuser|ablehnen|أرفض",
    r"\b(?:best|better|wiser?|safer|time) (?:\w+ )?to (?:\w+ )?(?:turn|refuse|decline|say no|hold back|pass)\b"
    r"|\b(?:i|we)(?:'d| had| would)? better not\b|\b(?:turn|turning) (?:this|it|that|them) down\b"
    r"|\bnot (?:\w+ )?(?:go|play) along\b",
    r"\b(?:deber?[íi]a|debo|tengo que|hay que|conviene|toca|voy a) (?:\w+ ){0,2}?(?:negarme|negarse|declinar|rehusar)\b"
    r"|\b(?:dovrei|devo|bisogna|meglio) (?:\w+ ){0,2}?(?:rifiutar\w*|declinar\w*)|\b(?:deveria|devo|tenho (?:de"
    r"|que)) (?:\w+ ){0,2}?declinar"
    r"|\b(?:powinien\w*|powinnam|muszę|trzeba|należy|lepiej) (?:\w+ ){0,2}?(?:odmówić|odrzucić)\b|reddet(?:meliyim"
    r"|mem gerek|mek gerek|eceğim)"
    r"|\b(?:nên|phải|cần|sẽ) từ chối\b|\b(?:bör|ska|måste) (?:\w+ ){0,2}?(?:avböja|neka|avslå|vägra)\b"
    r"|\b(?:bør|skal|må) (?:\w+ ){0,2}?(?:afslå|afvise|nægte|avslå|avvise|nekte)\b"
    r"|\b(?:треба|слід|мушу|маю|варто|потрібно) (?:\w+ ){0,2}?відмов\w+|\b(?:musím|měl\w* bych"
    r"|mal\w* by som) (?:\w+ ){0,2}?odm[íi]\w+"
    r"|\b(?:trebuie|ar trebui) să refuz|\bvissza kell utasíta\w+|\bpitäisi kieltäytyä|\bπρέπει να αρνηθ\w+",
)
DECIDES_TO_HELP = any_of(
    r"\b(?:i|we)(?:'ll| will| can| should| could| am able to)(?: \w+){0,2}? (?:help|assist|answer|comply|explain"
    r"|respond with the|give|provide|go ahead)\b",
    r"\bso (?:i|we) (?:help|answer|comply)\b|\b(?:is|seems|looks) (?:\w+ )?(?:harmless|benign|innocent|legitimate)\b",
    r"(?:我|可以|所以我|应该)\S{0,3}(?:帮|回答|提供)|答えて(?:も)?よい|答えられる|대답해도|답해도|도와도",
    r"\b(?:ich|wir) (?:kann|können|werde|sollte|darf) (?!nicht|kein)(?:\w+ ){0,3}?(?:helfen|antworten|beantworten"
    r"|erklären)\b"
    r"|(?<!no )\b(?:puedo|podemos|voy a) (?:responder|contestar|ayudar|explicar)"
    r"|(?<!pas )\bje peux (?:\w+ )?(?:répondre|aider|expliquer)"
    r"|(?<!non )\bposso (?:rispondere|aiutar|spiegar)|(?<!não )\bposso (?:responder|ajudar|explicar)"
    r"|(?<!не )\b(?:могу|можу) (?:ответить|помочь|объяснить|відповісти|допомогти)"
    r"|\bik kan (?!niet)(?:\w+ )?(?:antwoorden|helpen|uitleggen)\b"
    r"|(?<!nie )\bmogę (?:odpowiedzieć|pomóc|wyjaśnić)|\bjag kan (?!inte)(?:\w+ )?(?:svara|hjälpa|förklara)\b"
    r"|(?:cevap verebil|yardım edebil)|\btôi có thể (?:trả lời|giúp)|\bsaya (?:bisa|dapat) (?:menjawab|membantu)"
    r"|يمكنني (?:الإجابة|المساعدة)"
    r"|(?:उत्तर|जवाब|मदद) (?:दे|कर) सकत",
)
