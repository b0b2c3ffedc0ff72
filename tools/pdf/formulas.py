r"""Formulas: found in Markdown as Jupyter finds them, read by pandoc, and written as typst.

    TeX  --pandoc-->  MathML, without macros  --typst_of-->  typst math

Pandoc refuses TeX that it does not know, MathML has few elements, and each of them has its rule in
`tools.pdf.mathml`. So a formula becomes what was asked for, or is shown as its source with a
warning. As a guard, its letters, digits and columns are counted at both ends (`same_symbols`).
"""

import re
import unicodedata
from collections import Counter

import pypandoc
from bs4 import BeautifulSoup

from tools.pdf.mathml import FormulaError, elements, quoted, typst_of

GROUP = r"\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*\})*\})*\}"  # three braces deep
IN_MARKDOWN = re.compile(
    rf"""
      ^[ ]{{0,3}}(?P<fence>`{{3,}}|~{{3,}}) .*? (?: ^[ ]{{0,3}}(?P=fence)[`~]*[ ]*$ | \Z )
    | (?P<ticks>`+)(?!`) .+? (?<!`)(?P=ticks)(?!`)
    | (?P<environment> \\begin\{{(?P<name>\w+\*?)\}} .*? \\end\{{(?P=name)\}} )
    | \\\\\[ (?P<brackets> .+? ) \\\\\]
    | \\\\\( (?P<parentheses> .+? ) \\\\\)
    | \\.
    | \$\$ (?P<dollars> .+? ) \$\$
    | \$ (?P<dollar> (?: (?!\n[ \t]*\n) (?: {GROUP} | \\. | [^$\\{{}}] ) )+ ) \$
    | \$ (?P<broken> [^$\n]+ ) \$
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
DISPLAYED = ("environment", "brackets", "dollars")  # groups of the pattern
INLINE = ("parentheses", "dollar", "broken")
# Private characters, which no text has; in the address of a link they are encoded.
PLACEHOLDER = re.compile("(?:\ue000|%EE%80%80)(\\d+)(?:\ue001|%EE%80%81)")


class Formulas:
    """The formulas of a document, for which `take` puts placeholders."""

    def __init__(self):
        self.found = []  # (place, whether it is displayed, TeX, source)

    def take(self, markdown, place=""):
        """The Markdown with a placeholder for each formula; `place` is for warnings."""

        def replace(match):
            kind = next((kind for kind in DISPLAYED + INLINE if match[kind]), None)
            if kind is None:  # code, or an escaped character
                return match[0]
            self.found.append((place, kind in DISPLAYED, match[kind], match[0]))
            return f"\ue000{len(self.found) - 1}\ue001"

        return IN_MARKDOWN.sub(replace, markdown)

    def restore(self, text):
        """The text with the source of each formula in place of its placeholder."""
        return PLACEHOLDER.sub(lambda match: self.found[int(match[1])][-1], text)

    def typeset(self):
        """Typst for each formula, and warnings about those that are not shown as they are meant."""
        typeset, warnings = [], []
        trees = mathml([(is_displayed, latex) for _, is_displayed, latex, _ in self.found])
        for (place, is_displayed, latex, source), math in zip(self.found, trees):
            shown = f"the formula {' '.join(latex.split())[:70]}"
            try:
                typst = checked(math)
                typeset.append(f"$ {typst} $" if is_displayed else f"${typst}$")
                if r"\hline" in latex or re.search(r"\{array\} *\{[^}]*\|", latex):
                    warnings.append(f"{place}: without its lines between rows or columns: {shown}")
            except FormulaError as error:
                typeset.append(f"#raw({quoted(source)})")
                warnings.append(f"{place}: shown as its source: {shown} ({error})")
        return typeset, warnings


def with_formulas(source, typeset):
    """Typst with formulas, as `Formulas.typeset` returns them, in place of their placeholders."""
    return PLACEHOLDER.sub(lambda match: typeset[int(match[1])], source)


# TeX -> MathML

DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|def|DeclareMathOperator)\*?\s*\{?\\[A-Za-z]+\}?"
    rf"(?:\[[^\]]*\]|#\d|\s)*{GROUP}"
)
# What MathJax knows and pandoc does not. The bold letters that pandoc writes are all italic, so
# bold sans-serif ones stand for those that are upright.
MACROS = r"""
\renewcommand{\mathbf}[1]{\mathbfsfup{#1}}
\renewcommand{\callcases}[1]{\begin{cases}#1\end{cases}}
\renewcommand{\callmatrix}[1]{\begin{matrix}#1\end{matrix}}
\renewcommand{\callpmatrix}[1]{\begin{pmatrix}#1\end{pmatrix}}
\renewcommand{\dcases}{\begin{cases}} \renewcommand{\enddcases}{\end{cases}}
\renewcommand{\cr}{\\} \renewcommand{\negthinspace}{\!} \renewcommand{\allowbreak}{}
\renewcommand{\nonumber}{} \renewcommand{\notag}{} \renewcommand{\label}[1]{}
\renewcommand{\tag}[1]{\qquad\text{(#1)}} \renewcommand{\mbox}[1]{\text{#1}}
\renewcommand{\require}[1]{} \renewcommand{\color}[1]{} \renewcommand{\textcolor}[2]{#2}
\renewcommand{\smash}[2][]{#2}
"""
SIDE = rf"((?:{GROUP}|\\(?!over\b).|[^{{}}\\])*)"
REWRITTEN = {  # what no macro can be: pattern, replacement
    r"(?<!\\)%.*": "",
    r"\\tag\*": r"\\tag",
    r"\\(cases|p?matrix)(?![A-Za-z])": r"\\call\1",  # pandoc knows environments by these names
    rf"\{{{SIDE}\\over\b{SIDE}\}}": r"\\frac{\1}{\2}",
    rf"\\(bf|it|rm|sf|tt|cal)(?![A-Za-z]){SIDE}": r"\\math\1{\2}",  # the rest of the group
}


def mathml(formulas):
    """MathML, a bs4 Tag, for each formula, or None where pandoc does not understand it.

    formulas: pairs (whether it is displayed, TeX). A macro that one of them defines serves in
    those that follow, as in Jupyter.
    """
    definitions, written = [], []
    for number, (is_displayed, latex) in enumerate(formulas):
        for pattern, replacement in REWRITTEN.items():
            while re.search(pattern, latex):
                latex = re.sub(pattern, replacement, latex)
        found = "\n".join(DEFINITION.findall(latex))
        # \newcommand would keep a macro of ours.
        definitions.append(re.sub(r"\\(?:new|provide)command", r"\\renewcommand", found))
        latex = " ".join(DEFINITION.sub("", latex).split()) or "{}"
        outside = re.sub(r"\\begin\{(\w+\*?)\}.*\\end\{\1\}", "", latex)
        if r"\\" in outside or r"\cr" in outside:
            latex = rf"\begin{{gathered}}{latex}\end{{gathered}}"
        start, end = (r"\[", r"\]") if is_displayed else (r"\(", r"\)")
        written.append(f'<div id="formula{number}">\n\n{start} {latex} {end}\n\n</div>')
    parts = [f"{new}\n\n{formula}" for new, formula in zip(definitions, written)]
    try:
        return trees(parts, range(len(formulas)))
    except RuntimeError:  # a macro that means itself; only the formulas with it are lost
        found = []
        for number, formula in enumerate(written):
            try:
                found += trees([*definitions[: number + 1], formula], [number])
            except RuntimeError:
                found.append(None)
        return found


def trees(parts, numbers):
    """The <math> elements of some formulas in Markdown, each alone in its <div>.

    Raises RuntimeError if pandoc stops.
    """
    html = pypandoc.convert_text(
        "\n\n".join([MACROS, *parts]),
        "html",
        format="markdown+tex_math_single_backslash",
        extra_args=["--mathml", "--wrap=none", "--quiet"],
    )
    soup = BeautifulSoup(html, "html.parser")
    paragraphs = [soup.find(id=f"formula{number}").find("p") for number in numbers]
    return [p.math if p and [*p.children] == [p.math] else None for p in paragraphs]


# The guard

NOT_SHOWN = re.compile(
    r"\\(?:begin|end)\{\w+\*?\}(?:\{[lcr| ]*\})?|\\[hm]space\*?\{[^{}]*\}|\\\\(?:\[[^\]]*\])?|\\&"
)
FUNCTIONS = (  # whose commands show their names
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf "
    "limsup ln log max min mod Pr sec sin sinh sup tan tanh"
).split()
FROM_NAMES = "ℜℑℓ"  # letters whose commands do not spell them


def checked(math):
    """Typst math of a formula. Raises FormulaError if it is not known to be right."""
    if math is None:
        raise FormulaError("pandoc does not know it")
    source = typst_of(math)
    if not same_symbols(math.find("annotation").get_text(), math, source):
        raise FormulaError("some of its symbols would be lost")
    return source


def same_symbols(latex, math, source):
    """Whether typst shows the letters, digits and columns that a TeX formula asks for.

    latex: without macros, as pandoc puts it beside the MathML `math`.
    """
    texts = re.findall(r'(?:op|words)\("((?:[^"\\]|\\.)*)"', source)
    codes = re.findall(r"\\u\{(\w+)\}", source)
    shown = "".join(texts) + "".join(chr(int(code, 16)) for code in codes)
    asked = re.sub(
        r"\\[bp]?([A-Za-z]+)",  # \pmod{n} and \bmod show "mod"
        lambda match: match[1] if match[1] in FUNCTIONS else "",
        NOT_SHOWN.sub(" ", latex),
    )
    n_columns = sum(max(len(elements(line)) - 1, 0) for line in math.find_all("mtr"))
    return counts(asked) == counts(shown) and asked.count("&") == n_columns


def counts(text):
    """How often each ASCII letter and digit stands in a text, in any style."""
    plain = "".join(unicodedata.normalize("NFKC", c) for c in text if c not in FROM_NAMES)
    return Counter(c for c in plain if c.isascii() and c.isalnum())
