"""Rules for the behaviours of reasoning, by language: patterns that a text shows one by. Data; `behaviours.py` reads it.

They look at words alone: who writes "let me check" and checks nothing is taken at their word. The embedded world's sentences
(world/behaviours.py) are among those of their language. `MEASURED` says how often the rules are right about passages that a
person labelled; what changes a rule changes it (tests/instruments/test_behaviours.py counts again).
"""

from __future__ import annotations

from typing import NamedTuple

from sanmai.types import Behaviour

TITLES: dict[Behaviour, str] = {
    "analysis": "Problem analysis",
    "decomposition": "Decomposition",
    "completion": "Completion",
    "alternative": "Alternative proposal",
    "self_evaluation": "Self-evaluation",
    "self_correction": "Self-correction",
}

_FIND = r"(?:find|figure|determine|compute|calculate|work out|solve|show|know|see)"
_TAKEN_BACK = r"(?:wrong|incorrect|mistaken|a mistake|an error|impossible|not (?:right|correct|possible|true|quite right))"

RULES: dict[str, dict[Behaviour, tuple[str, ...]]] = {
    "en": {
        "analysis": (
            r"\b(?:this|the) (?:problem|question|task|puzzle|statement)s?(?: here)? (?:is |was |also )?"
            r"(?:ask|say|state|give|tell|want|require|mention|describe)",
            r"\b(?:we|i)(?:'re| are|'m| am)? (?:given|told|asked)\b",
            r"\b(?:i|we)(?: just| only| then)? (?:need|have|want|am supposed|are supposed) to " + _FIND,
            r"\b(?:okay|alright|hmm)[,.]? so,? (?:i|we|there|the|this|let)\b",
            r"\b(?:let me|let's|let us) (?:first )?(?:understand|make sense of|parse|re-?read|restate)\b",
            r"\bwhat (?:is|are|do) (?:we|i|being) (?:asked|given|know)\b",
            r"\bgiven (?:that )?(?:the|that|two|three|a|an)\b(?! (?:confusion|above))",
            r"\bto solve (?:this|the) problem\b",
            r"\bi need \d+ (?:plus|minus) \d+",
        ),
        "decomposition": (
            r"\bbreak(?:ing)? (?:it|this|that|these|things|down|the \w+|each)(?: \w+)?(?: down| into)?\b",
            r"\bstep[- ]by[- ]step\b|\bone (?:step|part|piece) at a time\b",
            r"\bfirst(?:ly)?,? (?:let|i|we|of all|i'll|find|compute|calculate|determine|consider|note)\b",
            r"\b(?:next|second|then|now),? (?:let's|let me|i|we)(?:'ll| will)? (?:need|have|compute|calculate|find|determine)\b",
            r"\b(?:two|three|four|several|multiple|following|these) (?:steps|parts|cases|stages)\b",
            r"\bsub-?(?:problem|task|goal|question)s?\b|\b(?:my|the) plan is\b|\bif (?:i|we) can (?:first )?find\b",
            r"\blet(?:'s| me| us) (?:start|begin) (?:by|with)\b",
            r"\b\d+ is \d+ and \d+",
        ),
        "completion": (
            r"\\boxed\b|\bfinal answer\b",
            r"\b(?:the|my) answer (?:is|should be|must be|would be|comes out)\b|\bthat's the answer\b|\banswer: *\S",
            r"\b(?:therefore|thus|hence|so),? (?:in conclusion,? )?(?:the|there (?:is|are)|it is|he|she|they|it takes)\b"
            r"[^.?\n]{0,90}?\b(?:is|are|be|equals?|has|have|costs?|weighs?)\b[^?\n]{0,25}\d",
        ),
        "alternative": (
            r"\balternative(?:ly| (?:way|approach|method|solution))?\b",
            r"\b(?:another|a different|a second|a better|a smarter|a simpler|an easier|some other) "
            r"(?:way|approach|method|idea|possibility|option|strategy|route)\b",
            r"\b(?:maybe|perhaps) (?:we|i) (?:can|could|should)\b",
            r"\b(?:maybe|perhaps) there(?:'s| is)\b|\bwhat if (?:we|i)\b|\bor (?:maybe|perhaps),? (?:we|i|it|there)\b",
            r"\b(?:we|i) could (?:also|instead|alternatively)\b|\binstead,? (?:we|i|let)\b",
            r"\bbut i can do it with\b",
        ),
        "self_evaluation": (
            r"\bwait\b|\bhold on\b|\bhang on\b",
            r"\b(?:double|cross|re|sanity)[- ]?check(?:s|ed|ing)?\b",
            r"\b(?:let me|let's|let us|i(?:'ll| should| need to| want to)?|to) (?:just )?(?:check|verify|confirm|make sure)\b",
            r"\bverif(?:y|ied|ying|ication)\b|\bchecks out\b",
            r"\b(?:that|this|it|which)(?:'s| is| seems| looks| sounds) "
            r"(?:right|correct|consistent|reasonable|good|plausible|solid)\b",
            r"\bmakes? sense\b|\bsame (?:result|answer|as before|conclusion|equation)\b",
            r"\bis (?:that|this|it) (?:right|correct|so|possible|true)\b|\bam i (?:sure|missing|right)\b",
            r"\b(?:not|i'm) (?:entirely |quite |completely |totally |really )?sure\b",
            r"\b(?:don't|do not|can't|cannot) see any (?:mistake|error|problem)s?\b",
        ),
        "self_correction": (
            r"\bwait,? (?:no|that)\b|\bno,? wait\b|\bno,? that(?:'s| is| was| can't)\b|\bscratch that\b",
            r"\b(?:that|this|it|which|i|approach|answer|result|assumption|calculation)"
            r"(?:'s| is| was| must be| seems| looks| am| were)? " + _TAKEN_BACK + r"\b",
            r"\bi (?:think i |must have |may have |might have )?(?:made|make) (?:a|an|some) (?:\w+ )?(?:mistake|error)\b",
            r"\b(?:my|the) (?:mistake|error|bad)\b|\bi (?:\w+ )?(?:misread|miscalculated|misunderstood|forgot|overlooked)\b",
            r"\b(?:let me |i should |i need to )(?:correct|fix|re-?do|recalculate|recompute|reconsider) (?:that|this|it|my)\b",
            r"\bactually,? (?:no|that's|that is|it's|it is|i)\b",
            r"\bis it so \? no \.",
        ),
    },
    "zh": {
        "analysis": (
            r"题目(?:要求|说|给|问|告诉|中)|问题(?:是|要求|问)|(?:我们|我)?(?:需要|要|想)(?:求|找|计算|知道|确定|解)",
            r"已知|给定|(?:理解|分析|审)一?下?(?:题目|题意|问题)|题意",
            r"我 需要 \d+ (?:加|减) \d+",
        ),
        "decomposition": (
            r"(?:分|拆)(?:解|成|为|步|开)|一步(?:一步|步)|逐步|首先|第[一二三四]步|接下来(?:我们|我)?(?:要|需要|计算|求)",
            r"\d+ 是 \d+ 和 \d+",
        ),
        "completion": (
            r"(?:所以|因此|故|综上|于是)[^。\n]{0,30}(?:答案|结果|等于|是|为)[^。\n]{0,12}[\d一二三四五六七八九十]|最终答案|答案[是为：:]",
            r"所以 回答 是",
        ),
        "alternative": (
            r"另一种|另外一种|换(?:一?种|个)(?:方法|思路|方式|角度)|或者(?:我们|我|也)?可以|也可以(?:用|这样)|别的(?:方法|办法)|不妨",
            r"但是 我 能 用",
        ),
        "self_evaluation": (
            r"等等|等一下|(?:检查|验证|验算|核对|确认)(?:一下|一遍)?|检验|(?:对|正确|合理)吗|是不是|没(?:有)?错|看起来(?:对|正确|合理)",
            r"是 否 ？",
        ),
        "self_correction": (
            r"不对|错了|(?:有|出)(?:误|错)|弄错|搞错|算错|看错|(?:修正|纠正|更正|改正)|重新(?:计算|算|考虑|来)|应该是[^。\n]{0,12}(?:而)?不是",
            r"是 否 ？ 不 。",
        ),
    },
}


class Errors(NamedTuple):
    """How the rules did on labelled passages."""

    found: int
    positives: int
    seen_wrongly: int
    negatives: int


MEASURED: dict[Behaviour, Errors] = {
    "analysis": Errors(11, 18, 4, 82),
    "decomposition": Errors(7, 8, 3, 92),
    "completion": Errors(11, 12, 6, 88),
    "alternative": Errors(14, 15, 4, 85),
    "self_evaluation": Errors(22, 27, 1, 73),
    "self_correction": Errors(2, 2, 0, 98),
}
"""On 100 random paragraphs of 60 to 700 characters (84 of DeepSeek-R1's thoughts and answers, 16 of GPT-4o's, on MATH; from the
responses of MiP-Overthinking), labelled by one reader, who wrote the rules afterwards and did not change them for the result."""
