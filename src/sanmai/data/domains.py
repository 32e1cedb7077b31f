"""The domain of a problem, by its tags or else by its words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

from sanmai.types import Problem

MAX_CHARS = 20_000
"""Of a longer prompt the first so many characters are looked at."""

# One line: English words (`*` for any ending, `_` for a blank), then parts of Chinese ones. What is rarer stands first.
_WORDS = {
    "biology": (
        "cell cells gene genes genetic* dna rna protein* enzyme* species organism* chromosom* mitosis meiosis allele* "
        "evolution* photosynth* bacteri* virus* hormon*",
        "细胞 基因 蛋白质 染色体 光合作用 细菌 物种",
    ),
    "chemistry": (
        "molec* mole moles molar* acid acids base bases ion ions ionic electroly* oxid* reagent* reactant* reaction* compound "
        "compounds solute* solvent* isotope* nmr ph enthalpy bond bonds orbital*",
        "化学 摩尔 溶液 离子 氧化 化合物 原子",
    ),
    "physics": (
        "velocit* accelerat* force forces newton* joule* volt volts voltage current currents resistor* resistance magnet* "
        "photon* wavelength* frequenc* momentum kinetic gravit* friction electron electrons pressure planet* star stars "
        "circuit* capacit* energy thermodynam*",
        "加速度 牛顿 电压 电流 电阻 磁场 动能 重力 摩擦",
    ),
    "computing": (
        "algorithm* program programs python java array arrays binary bit bits byte bytes cache compil* software network "
        "networks encrypt* boolean recursi* pointer* turing operating_system neural classifier* overfit* gradient_descent",
        "算法 程序 数组 二进制 编译",
    ),
    "calculus": (
        "derivative* integral* integrate differentia* limit limits converge* diverge* continuous series",
        "导数 积分 极限 收敛 微分",
    ),
    "probability": (
        "probabilit* random* dice die coin coins expected_value variance standard_deviation median distribution* sample "
        "samples hypothesis confidence regression correlat*",
        "概率 随机 骰子 期望 方差 中位数 标准差",
    ),
    "counting": (
        "way ways how_many_different permutation* combination* arrange* committee* subset* distinguishable indistinguishable",
        "多少种 几种 排列 组合",
    ),
    "number_theory": (
        "prime primes divisor* divisible remainder modulo mod congruen* gcd lcm greatest_common least_common factors_of "
        "perfect_square* digit digits multiple_of multiples_of relatively_prime base_10 base_2",
        "质数 素数 余数 整除 公约数 公倍数 约数",
    ),
    "geometry": (
        "triangle* circle* radius radii diameter angle angles polygon* rectang* square squares perimeter area volume parallel* "
        "perpendicular hypotenuse quadrilateral* trapezoid* hexagon* sphere* cone cones cylind* cube cubes prism* vertex "
        "vertices tangent chord degrees coordinates",
        "三角形 半径 面积 体积 周长 矩形 正方形",
    ),
    "algebra": (
        "equation* polynomial* root roots quadratic function functions inequalit* solve simplify factor expand matrix matrices "
        "vector* real_number* complex logarithm* sequence arithmetic geometric asymptote* variable* expression coefficient* "
        "abelian group groups ring rings homomorphism*",
        "方程 多项式 函数 不等式 矩阵 向量 化简 未知数",
    ),
}
_NOTATION = {
    "calculus": r"\\(?:int|lim|partial|nabla)(?![a-z])",
    "counting": r"\\d?binom(?![a-z])",
    "number_theory": r"\\(?:pmod|equiv|mod)(?![a-z])|\d_\{?\d",
    "geometry": r"\\(?:triangle|angle|overline|parallel|perp|circ)(?![a-z])|\[asy\]",
    "algebra": r"\\(?:log|sqrt|sin|cos|tan)(?![a-z])|\b[a-z]\([a-z]\)|\b\d*[a-z]\s?[\^=]",
}


def _expression(domain: str) -> str:
    english, chinese = _WORDS[domain]
    words = "|".join(english.replace("*", r"\w*").replace("_", r"\s").split())
    return "|".join([rf"\b(?:{words})\b", *chinese.split(), *filter(None, [_NOTATION.get(domain)])])


_PATTERNS = {domain: regex.compile(_expression(domain), regex.IGNORECASE) for domain in _WORDS}


def domain_of(problem: Problem, *, tags: Sequence[str] = ("domain", "subject")) -> str:
    """The domain of a problem: what one of its tags states, else the one of which it has most different words.

    Numbers and no word of any domain make a "word_problem", neither makes "other". The rules are for balance and not for
    reports: docs/metrics/training.md has their agreement with the tags of MATH and MMLU. In languages other than English and
    Chinese they know notation alone.
    """
    for tag in tags:
        if isinstance(stated := problem.tags.get(tag), str) and stated.strip():
            return stated.strip()
    text = unicodedata.normalize("NFKC", problem.prompt[:MAX_CHARS])
    hits = {domain: len({match[0].casefold() for match in p.finditer(text)}) for domain, p in _PATTERNS.items()}
    best = max(hits, key=lambda domain: hits[domain])
    if hits[best]:
        return best
    return "word_problem" if regex.search(r"\d", text) else "other"
