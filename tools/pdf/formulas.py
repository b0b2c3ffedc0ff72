"""Formulas: found in Markdown as Jupyter finds them, read by pandoc, and written as typst.

    TeX  --expand-->  TeX without macros  --pandoc-->  MathML  --typst_of-->  typst math

Pandoc refuses TeX that it does not know, MathML has few elements, and each of them has its rule in
`RULES`. So a formula becomes what was asked for, or is shown as its source with a warning. As a
guard, its letters, digits and columns are counted at both ends (`same_symbols`).
"""

import re
import unicodedata
from collections import Counter

from tools.pdf.macros import GROUP, expand
from tools.pdf.mathml import FormulaError, elements, mathml, quoted, typst_of

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
KINDS = {  # group of the pattern: what stands before and behind the typst
    **dict.fromkeys(("parentheses", "dollar", "broken"), ("$", "$")),
    **dict.fromkeys(("environment", "brackets", "dollars"), ("$ ", " $")),
}
# Private characters, which no text has; in the address of a link they are encoded.
PLACEHOLDER = re.compile("(?:\ue000|%EE%80%80)(\\d+)(?:\ue001|%EE%80%81)")


class Formulas:
    """The formulas of a document, for which `take` puts placeholders."""

    def __init__(self, macros=None):
        self.macros = macros or {}
        self.found = []  # (place, kind, TeX, source)

    def take(self, markdown, place=""):
        """The Markdown with a placeholder for each formula; `place` is for warnings."""

        def replace(match):
            kind = next((kind for kind in KINDS if match[kind]), None)
            if kind is None:  # code, or an escaped character
                return match[0]
            self.found.append((place, kind, match[kind], match[0]))
            return f"\ue000{len(self.found) - 1}\ue001"

        return IN_MARKDOWN.sub(replace, markdown)

    def restore(self, text):
        """The text with the source of each formula in place of its placeholder."""
        return PLACEHOLDER.sub(lambda match: self.found[int(match[1])][-1], text)

    def typeset(self):
        """Typst for each formula, and warnings about those that are not shown as they are meant."""
        expanded = [expand(latex, self.macros) for _, _, latex, _ in self.found]
        typeset, warnings = [], []
        trees = mathml(expanded, [KINDS[kind][0] == "$" for _, kind, _, _ in self.found])
        for (place, kind, latex, source), meant, math in zip(self.found, expanded, trees):
            shown = f"the formula {' '.join(latex.split())[:70]}"
            try:
                typst = checked(meant, math)
                typeset.append(KINDS[kind][0] + typst + KINDS[kind][1])
                if r"\hline" in meant or re.search(r"\{array\} *\{[^}]*\|", meant):
                    warnings.append(f"{place}: without its lines between rows or columns: {shown}")
            except FormulaError as error:
                typeset.append(f"#raw({quoted(source)})")
                warnings.append(f"{place}: shown as its source: {shown} ({error})")
        return typeset, warnings


def with_formulas(source, typeset):
    """Typst with formulas, as `Formulas.typeset` returns them, in place of their placeholders."""
    return PLACEHOLDER.sub(lambda match: typeset[int(match[1])], source)


NOT_SHOWN = re.compile(
    r"\\(?:begin|end)\{\w+\*?\}(?:\{[lcr| ]*\})?|\\[hm]space\*?\{[^{}]*\}|\\\\(?:\[[^\]]*\])?|\\&"
)
FUNCTIONS = (  # whose commands show their names
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf "
    "limsup ln log max min mod Pr sec sin sinh sup tan tanh"
).split()
FROM_NAMES = "ℜℑℓ"  # letters whose commands do not spell them


def checked(latex, math):
    """Typst math of a formula. Raises FormulaError if it is not known to be right."""
    if math is None:
        raise FormulaError("pandoc does not know it")
    source = typst_of(math)
    if not same_symbols(latex, math, source):
        raise FormulaError("some of its symbols would be lost")
    return source


def same_symbols(latex, math, source):
    """Whether typst shows the letters, digits and columns that a TeX formula asks for."""
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
