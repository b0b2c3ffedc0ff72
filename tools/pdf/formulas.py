r"""Formulas: found in Markdown as Jupyter finds them, read by pandoc, and written as typst.

    TeX  --pandoc-->  MathML, without macros  --typst_of-->  typst math

Pandoc refuses TeX that it does not know, and MathML has few elements, each of which has its rule
here. So a formula becomes what was asked for, or is shown as its source with a warning. As a guard,
its letters, digits and columns are counted at both ends (`same_symbols`).

Pandoc writes typst math, too, but without a word it loses columns, limits, signs such as \& and the
heights of delimiters, and which of its names of symbols exist depends on the release of typst.
"""

import re
import unicodedata
from collections import Counter
from typing import NamedTuple

import pypandoc
from bs4 import BeautifulSoup

# Finding

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


class FormulaError(ValueError):
    """A formula cannot be typeset; the message says why."""


class Formula(NamedTuple):
    source: str  # as it stands in the text
    latex: str  # without what marks it as a formula
    is_displayed: bool  # on lines of its own
    place: str  # for warnings


class Formulas:
    """The formulas of a document, for which `take` puts placeholders."""

    def __init__(self):
        self.found = []

    def take(self, markdown, place=""):
        """The Markdown with a placeholder for each formula; `place` is for warnings."""

        def replace(match):
            kind = next((kind for kind in DISPLAYED + INLINE if match[kind]), None)
            if kind is None:  # code, or an escaped character
                return match[0]
            self.found.append(Formula(match[0], match[kind], kind in DISPLAYED, place))
            return f"\ue000{len(self.found) - 1}\ue001"

        return IN_MARKDOWN.sub(replace, markdown)

    def restore(self, text):
        """The text with the source of each formula in place of its placeholder."""
        return PLACEHOLDER.sub(lambda match: self.found[int(match[1])].source, text)

    def typeset(self):
        """Typst for each formula, and warnings about those that are not shown as they are meant."""
        typeset, warnings = [], []
        for formula, math in zip(self.found, mathml(self.found)):
            latex = formula.latex
            shown = f"the formula {' '.join(latex.split())[:70]}"
            try:
                typst = checked(math)
                typeset.append(f"$ {typst} $" if formula.is_displayed else f"${typst}$")
                if r"\hline" in latex or re.search(r"\{array\} *\{[^}]*\|", latex):
                    lines = "without its lines between rows or columns"
                    warnings.append(f"{formula.place}: {lines}: {shown}")
            except FormulaError as error:
                typeset.append(f"#raw({quoted(formula.source)})")
                warnings.append(f"{formula.place}: shown as its source: {shown} ({error})")
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
\renewcommand{\dcases}{\begin{cases}} \renewcommand{\enddcases}{\end{cases}}
\renewcommand{\cr}{\\} \renewcommand{\negthinspace}{\!} \renewcommand{\allowbreak}{}
\renewcommand{\notag}{} \renewcommand{\label}[1]{}
\renewcommand{\tag}[1]{\qquad\text{(#1)}} \renewcommand{\mbox}[1]{\text{#1}}
\renewcommand{\require}[1]{} \renewcommand{\color}[1]{} \renewcommand{\textcolor}[2]{#2}
\renewcommand{\smash}[2][]{#2}
"""
SIDE = rf"((?:{GROUP}|\\(?!over\b).|[^{{}}\\])*)"
REWRITTEN = {  # what no macro can be: pattern, replacement
    r"(?<!\\)%.*": "",
    r"\\tag\*": r"\\tag",
    rf"\\(cases|p?matrix)\s*\{{{SIDE}\}}": r"\\begin{\1}\2\\end{\1}",
    rf"\{{{SIDE}\\over\b{SIDE}\}}": r"\\frac{\1}{\2}",
    rf"\\(bf|it|rm|sf|tt|cal)(?![A-Za-z]){SIDE}": r"\\math\1{\2}",  # the rest of the group
}


def mathml(formulas):
    """MathML, a bs4 Tag, for each Formula, or None where pandoc does not understand it.

    A macro that one of them defines serves in those that follow, as in Jupyter.
    """
    parts = [MACROS]
    for number, formula in enumerate(formulas):
        latex = formula.latex
        for pattern, replacement in REWRITTEN.items():
            while re.search(pattern, latex):
                latex = re.sub(pattern, replacement, latex)
        definitions = "\n".join(DEFINITION.findall(latex))
        # \newcommand would keep a macro of ours.
        parts.append(re.sub(r"\\(?:new|provide)command", r"\\renewcommand", definitions))
        latex = " ".join(DEFINITION.sub("", latex).split()) or "{}"
        outside = re.sub(r"\\begin\{(\w+\*?)\}.*\\end\{\1\}", "", latex)
        if r"\\" in outside or r"\cr" in outside:
            latex = rf"\begin{{gathered}}{latex}\end{{gathered}}"
        start, end = (r"\[", r"\]") if formula.is_displayed else (r"\(", r"\)")
        parts.append(f'<div id="formula{number}">\n\n{start} {latex} {end}\n\n</div>')
    try:
        html = pypandoc.convert_text(
            "\n\n".join(parts),
            "html",
            format="markdown+tex_math_single_backslash",
            extra_args=["--mathml", "--wrap=none", "--quiet"],
        )
    except RuntimeError:  # a macro that means itself
        return [None] * len(formulas)
    soup = BeautifulSoup(html, "html.parser")
    shown = [soup.find(id=f"formula{number}").find("p") for number in range(len(formulas))]
    return [p.math if p and [*p.children] == [p.math] else None for p in shown]


# MathML -> typst

ACCENTS = {"→": "\u20d7", "←": "\u20d6"}  # as a sign above a letter
LINES = {"¯": "overline", "‾": "overline", "⏞": "overbrace", "_": "underline", "⏟": "underbrace"}
LARGE = tuple("∑∏∐⋀⋁⋂⋃⨀⨁⨂⨄")  # whose limits stand below in a display only
STYLES = {"bold": "upright", "bold-sans-serif": "upright", "bold-italic": "italic"}
IN_COLUMN = {"left": "&{}", "right": "{}&", "center": "{}"}
INVISIBLE = "\u2061\u2062\u2063\u2064"  # operators
BARS = str.maketrans("∣∥", "|‖")  # delimiters, which grow in these shapes only


def typst_of(math):
    """Typst math of a MathML element: calls and symbols, which may stand beside others.

    Raises FormulaError if some of it is not known.
    """
    if math.name not in RULES:
        raise FormulaError(f"nothing is known of <{math.name}>")
    return RULES[math.name](math)


def quoted(text):
    """A typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "    ") + '"'


def elements(math):
    return math.find_all(True, recursive=False)


def arguments(math):
    return [typst_of(element) or '""' for element in elements(math)]


def symbols(text):
    """Each character as a symbol, whatever it means in typst; TeX's asterisk is not raised."""
    shown = (c for c in text.replace("*", "∗") if c not in INVISIBLE)
    return "".join(f"\\u{{{ord(c):x}}}" for c in shown)


def row(math):
    """Elements beside each other; delimiters at their ends are as high as what is between."""
    parts = elements(math)
    source = "".join(map(typst_of, parts))
    ends = [part for part in parts[:1] + parts[-1:] if not part.has_attr("minsize")]
    return f"lr({source})" if any(part.get("stretchy") == "true" for part in ends) else source


def letters(math):
    """A letter, a number, or the name of a function in upright letters."""
    text, style = math.get_text().strip(INVISIBLE), math.get("mathvariant")
    if style in STYLES:
        return f"bold({STYLES[style]}({symbols(unicodedata.normalize('NFKC', text))}))"
    if style == "normal" and math.name == "mi" and len(text) > 1:
        return f"op({quoted(text)})"
    return f"upright({symbols(text)})" if style == "normal" else symbols(text)


def operator(math):
    text = math.get_text()
    source = symbols(text.translate(BARS) if math.has_attr("form") else text)
    if math.has_attr("minsize"):
        return f"lr(size: #{math['minsize']}, {source})"
    is_between = (math.get("stretchy"), math.get("form")) == ("true", "infix")
    return f"mid({source})" if is_between else source


def scripts(*places):
    """Rule for a base with marks at its places, such as "t" (top) and "b" (bottom)."""

    def rule(math):
        base, *marks = arguments(math)
        if elements(math)[1].get("accent") == "true":
            sign = elements(math)[1].get_text()
            if sign in LINES:
                return f"{LINES[sign]}({base})"
            return f"accent({base}, {quoted(ACCENTS.get(sign, sign))})"
        if math.name.startswith(("mu", "mo")) and elements(math)[0].get_text() not in LARGE:
            base = f"limits({base})"
        named = [f"{place}: {mark}" for place, mark in zip(places, marks)]
        return f"attach({', '.join([base, *named])})"

    return rule


def fraction(math):
    above, below = arguments(math)
    if math.get("linethickness") == "0":  # \binom
        return f"mat(delim: #none, {above}; {below})"
    is_inside = in_script(math) or math.find_parent(["mfrac", "mstyle", "mtable"])
    is_small = math.find_parent("math")["display"] == "inline" and not is_inside
    return f"legible(frac({above}, {below}))" if is_small else f"frac({above}, {below})"


def styled(math):
    style = {"true": "display", "false": "inline"}.get(math.get("displaystyle"))
    return f"{style}({row(math)})" if style else row(math)


def in_script(math):
    """Whether an element is part of an index, an exponent or the like."""
    return any(
        parent.name in SCRIPTS and elements(parent)[0] is not child
        for child, parent in zip([math, *math.parents], math.parents)
    )


def table(math):
    """A matrix, or lines that are aligned at a sign; each cell is as large as TeX sets it."""
    rows = [elements(line) for line in elements(math) if line.get_text().strip()]
    are_lines = any(len(cells) == 1 or "padding" in cells[0]["style"] for cells in rows)
    style = "script" if in_script(math) else "display" if are_lines else "inline"
    lines = []
    for cells in rows:
        sources = [f"{style}({row(cell)})" if cell.contents else "" for cell in cells]
        if "padding" in cells[0]["style"]:  # pairs of right and left, with a space between pairs
            sources[2::2] = ["#h(1em)" + source for source in sources[2::2]]
            lines.append("&".join(sources))
        else:
            sides = [IN_COLUMN[cell["columnalign"]] for cell in cells]
            lines.append(", ".join(side.format(cell) for side, cell in zip(sides, sources)))
    gap = "row-gap: #0.7em, " if are_lines else ""
    return f"mat(delim: #none, {gap}{'; '.join(lines)})"


SCRIPTS = ["msub", "msup", "msubsup", "munder", "mover", "munderover"]
RULES = {
    **dict.fromkeys(("math", "mrow", "semantics"), row),
    "annotation": lambda math: "",
    **dict.fromkeys(("mi", "mn"), letters),
    "mo": operator,
    "mtext": lambda math: f"words({quoted(math.get_text().strip())})",
    "mspace": lambda math: f"#h({math['width']})",
    **dict.fromkeys(("msub", "munder"), scripts("b")),
    **dict.fromkeys(("msup", "mover"), scripts("t")),
    **dict.fromkeys(("msubsup", "munderover"), scripts("b", "t")),
    "mfrac": fraction,
    "msqrt": lambda math: f"sqrt({row(math)})",
    "mroot": lambda math: "root({1}, {0})".format(*arguments(math)),
    "mstyle": styled,
    "mphantom": lambda math: f"#hide(${row(math)}$)",
    "menclose": lambda math: f"{'boxed' if math['notation'] == 'box' else 'cancel'}({row(math)})",
    "mtable": table,
}


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
