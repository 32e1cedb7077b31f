"""Advice on prompts for reasoning models: what the recommendations for R1-like models ask of a prompt, checked by rules.

The rules read English and Chinese; of a prompt in another language only what needs no words is checked, and that is said.

Source:
    Parmar & Govindarajulu 2025 (arXiv:2501.17030), usage recommendations: precise and explicit instructions, zero-shot rather
    than few-shot, a stated output format, step-by-step work on reasoning tasks, input and output language named. Zero-shot is
    DeepSeek-R1's own advice (arXiv:2501.12948 section 5). `sanmai lint --measure` shows what each does on a model.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sanmai.data.languages import language_of

RuleName = Literal["instruction", "zero_shot", "format", "steps", "language"]
READ = ("en", "zh")
"""Languages whose words the rules know."""


@dataclass(frozen=True)
class Rule:
    label: str
    why: str


RULES: Mapping[RuleName, Rule] = MappingProxyType({
    "instruction": Rule(
        "a precise instruction",
        "a model that reasons long takes an unclear task somewhere else, and reasons there; say what is to be done",
    ),
    "zero_shot": Rule(
        "no worked examples", "few-shot examples made R1 worse: it copies their length and form instead of reasoning",
    ),
    "format": Rule(
        "a stated output format", "without one the answer's form changes from call to call, and nothing can read it reliably",
    ),
    "steps": Rule(
        "step-by-step work where it reasons", "a model that is asked for the answer alone may skip the work that finds it",
    ),
    "language": Rule(
        "input and output language named", "models trained by RL mix languages in thought and answer when none is named",
    ),
})  # fmt: skip

_FLAGS = re.IGNORECASE | re.MULTILINE
_VERBS = (
    "add|analy[sz]e|answer|calculate|choose|classify|compare|complete|compute|convert|correct|count|create|decide|define|"
    "derive|describe|design|determine|draft|estimate|evaluate|explain|express|extract|factor|fill|find|fix|generate|give|"
    "identify|implement|judge|list|make|name|order|outline|paraphrase|plan|predict|produce|propose|prove|provide|rank|read|"
    "recommend|review|rewrite|select|show|simplify|solve|sort|state|suggest|sum up|summari[sz]e|tell|translate|verify|write"
)
_INSTRUCTS = re.compile(
    rf"(?:^|[.!?:;,\n]\s*|\b(?:please|to|then|and|must|should|you)\s+)(?:{_VERBS})\b|\?|？|请|計算|计算|写出|翻译|总结|解释|证明|求|"
    r"判断|列出|回答|多少|什么|如何|为什么|吗", _FLAGS,
)  # fmt: skip
_VAGUE = re.compile(r"\b(?:something|somehow|stuff|things?|whatever|and so on|etc\.?|nice|good|better|interesting)\b", _FLAGS)
_BEGINS = r"(?:^|(?<=[.?!:;。？！：；]))\s*"
"""Where a line or a sentence begins."""
_QUESTION = _BEGINS + r"(?:q|question|input|user|问题?|输入)\s*\d*\s*[:：]"
_EXAMPLES = re.compile(
    rf"^\s*(?:#+\s*)?(?:examples?|demonstrations?|shots?|例子?|示例|样例)\s*\d*\s*[:：.]|{_QUESTION}", _FLAGS
)
_ANSWERED = re.compile(_BEGINS + r"(?:a|answer|output|assistant|response|答案?|输出)\s*\d*\s*[:：]\s*\S", _FLAGS)
_FORMAT = re.compile(
    r"\b(?:json|yaml|xml|csv|markdown|latex|html|table|bullet(?:s| points?)|numbered list|code block|format(?:ted)?|template|"
    r"schema|(?:in|with|at most|no more than|under|about|exactly) (?:a |an |one |two |three |four |five |\d+ )?"
    r"(?:word|sentence|paragraph|line|number|letter|character|point|step|item)s?|answer only|only the (?:answer|number|letter)|"
    r"the final answer|as (?:a|an) (?:integer|fraction|list|number|function|essay|letter|poem))\b|"
    r"\\boxed|<answer>|格式|表格|列表|字以内|只(?:写|给出|输出|回答)|最终答案", _FLAGS,
)  # fmt: skip
_STEPS = re.compile(
    r"step[- ]by[- ]step|show (?:all |your |the )*(?:work|steps|reasoning)|think (?:carefully|through|it through|before|about)|"
    r"explain your (?:reasoning|answer|thinking)|reason (?:through|about|carefully)|<think>|work (?:it|this) out|逐步|一步一步|"
    r"一步步|推理过程|写出过程|详细过程", _FLAGS,
)  # fmt: skip
_REASONS = re.compile(
    r"\b(?:how (?:many|much|far|long|old|fast)|solve|prove|compute|calculate|derive|what is the (?:sum|value|area|probability|"
    r"remainder|number|total|length)|find (?:the|all|x)|probability|equation|integral|theorem|puzzle|logic|algorithm|debug|total|"
    r"percent|average|ratio|twice|half)\b|\d\s*[-+*/×÷=^<>]\s*\d|\b(?:plus|minus|times)\b|"
    r"多少|求|证明|计算|概率|方程|等于", _FLAGS,
)  # fmt: skip
_NAMES = (
    "english|chinese|mandarin|spanish|french|german|italian|portuguese|russian|arabic|hindi|japanese|korean|vietnamese|turkish|"
    "indonesian|polish|dutch|swedish|bengali|urdu|thai|persian|hebrew|greek|czech|ukrainian|romanian|hungarian|finnish"
)
_OUT_LANGUAGE = re.compile(
    rf"\b(?:in|into|to) (?:{_NAMES})\b|\b(?:{_NAMES}) (?:only|answer|output|text)\b|"
    r"(?:用|以|成)(?:中文|英文|英语|汉语|日文|法文|德文)",
    _FLAGS,
)
_IN_LANGUAGE = re.compile(
    rf"\b(?:question|text|input|prompt|document|passage|sentence|problem|following|below|above) (?:\w+ )?(?:is|are)? ?"
    rf"(?:written )?(?:in )?(?:{_NAMES})\b|\bfrom (?:{_NAMES})\b|"
    rf"\b(?:{_NAMES}) (?:question|text|input|sentence|passage|problem|document)\b|"
    r"(?:问题|原文|输入|题目)(?:是|为)(?:中文|英文|英语)", _FLAGS,
)  # fmt: skip
LANGUAGE_NAMES = MappingProxyType({
    "en": "English", "zh": "Chinese", "es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese",
    "ru": "Russian", "ar": "Arabic", "hi": "Hindi", "ja": "Japanese", "ko": "Korean", "vi": "Vietnamese", "tr": "Turkish",
    "id": "Indonesian", "bn": "Bengali", "te": "Telugu", "th": "Thai", "sw": "Swahili",
})  # fmt: skip


@dataclass(frozen=True)
class Finding:
    rule: RuleName
    what: str

    @property
    def why(self) -> str:
        return RULES[self.rule].why


@dataclass(frozen=True)
class Advice:
    """What the rules say of a prompt.

    Example:
        [f.rule for f in lint("what is 3 plus 4 ?").findings] == ["format", "steps", "language"]
    """

    language: str | None
    """ISO 639-1 code, where that can be told."""
    findings: tuple[Finding, ...]
    unchecked: tuple[RuleName, ...] = ()
    """Rules whose words are not known in this language."""


def lint(prompt: str) -> Advice:
    """Check a prompt; findings stand in the order of RULES.

    Raises:
        ValueError: it is empty.
    """
    if not prompt.strip():
        raise ValueError("the prompt is empty")
    language = language_of(prompt[:2000]) or ("zh" if re.search(r"[一-鿿]", prompt) else None)
    found: list[Finding] = []
    is_read = language is None or language in READ
    if is_read and not _INSTRUCTS.search(prompt):
        found.append(Finding("instruction", "nothing is asked: no question, and no verb that says what to do"))
    elif is_read and len(vague := list(dict.fromkeys(m[0].lower() for m in _VAGUE.finditer(prompt)))) >= 2:
        found.append(Finding("instruction", f"vague words: {', '.join(vague[:4])}"))
    if examples := num_examples(prompt):
        found.append(Finding("zero_shot", f"{examples} worked examples"))
    if is_read and not _FORMAT.search(prompt):
        found.append(Finding("format", "no output format is named"))
    if is_read and _REASONS.search(prompt) and not _STEPS.search(prompt):
        found.append(Finding("steps", "it asks for reasoning and not for its steps"))
    lacking = [name for name, rule in (("input", _IN_LANGUAGE), ("output", _OUT_LANGUAGE)) if not rule.search(prompt)]
    if is_read and lacking:
        verb = "is" if len(lacking) == 1 else "are"
        found.append(Finding("language", f"the {' and the '.join(lacking)} language {verb} not named"))
    return Advice(language, tuple(found), () if is_read else ("instruction", "format", "steps", "language"))


def num_examples(prompt: str) -> int:
    """Worked examples in a prompt: questions and inputs that are answered there. One answered question alone is none."""
    answered = len(_ANSWERED.findall(prompt))
    return answered if answered and len(_EXAMPLES.findall(prompt)) >= 2 else 0


def rewritten(prompt: str, advice: Advice) -> str:
    """The prompt by template: its own words, then what the findings lack. Worked examples are taken out.

    What no template can know, the task itself, stays as it is: a prompt that asks for nothing gets a place to say it.
    """
    rules = [finding.rule for finding in advice.findings]
    text = _without_examples(prompt) if "zero_shot" in rules else prompt.strip()
    added: list[str] = []
    if any(f.rule == "instruction" and f.what.startswith("nothing") for f in advice.findings):
        text = f"Task: [say here what is to be done]\n\n{text}"
    if "steps" in rules:
        added.append(_SAYS["steps"])
    if "format" in rules:
        added.append(_SAYS["format"])
    if "language" in rules:
        added.append(language_line(advice.language))
    return "\n\n".join([text, *(["\n".join(added)] if added else [])])


_SAYS: Mapping[str, str] = {
    "steps": "Work step by step before you answer.",
    "format": "Give the final answer alone on the last line, as \\boxed{answer}.",
}


def says(rule: RuleName) -> str:
    """The sentence that the template adds for a rule (steps or format)."""
    return _SAYS[rule]


def language_line(language: str | None) -> str:
    """The sentence that names input and output language."""
    name = LANGUAGE_NAMES.get(language or "en", language or "English")
    return f"The question is in {name}. Think and answer in {name}."


def _without_examples(prompt: str) -> str:
    """Without the blocks that are questions with their answers; the last unanswered one stays."""
    blocks = re.split(r"\n\s*\n", prompt.strip())
    if len(blocks) == 1:  # no blank lines: a block begins at each question
        starts = [match.start() for match in re.finditer(_QUESTION, prompt, _FLAGS)]
        cut = [prompt[a:b] for a, b in itertools.pairwise([0, *starts, len(prompt)])]
        blocks = [block for block in cut if block.strip()]
    kept = [block.strip() for block in blocks if not _ANSWERED.search(block)]
    return "\n\n".join(kept) or prompt.strip()


def counts(advices: Sequence[Advice]) -> dict[RuleName, int]:
    """How many prompts each rule has a finding on."""
    return {rule: sum(any(f.rule == rule for f in a.findings) for a in advices) for rule in RULES}
