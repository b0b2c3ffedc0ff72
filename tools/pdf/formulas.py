"""Formulas: found in Markdown as Jupyter finds them, read by pandoc, and written as typst.

    TeX  --expand-->  TeX without macros  --pandoc-->  MathML  --typst_of-->  typst math

Pandoc refuses TeX that it does not know, MathML has a few elements, and each of them has a rule
here. So a formula becomes what was asked for, or is shown as its source with a warning. As a
guard, its letters, digits and columns are counted at both ends (`same_symbols`).
"""

import json
import re
import unicodedata
from collections import Counter

import pypandoc
from bs4 import BeautifulSoup

# Finding them

GROUP = r"\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*\})*\})*\}"  # three braces deep
NO_BLANK_LINE = r"(?!\n[ \t]*\n)"
IN_MARKDOWN = re.compile(
    rf"""
      (?P<code> ^[ ]{{0,3}}(?P<fence>`{{3,}}|~{{3,}}) .*? (?:^[ ]{{0,3}}(?P=fence)[`~]*[ ]*$ | \Z)
              | (?P<ticks>`+)(?!`) .+? (?<!`)(?P=ticks)(?!`) )
    | (?P<environment> \\begin\{{(?P<name>\w+\*?)\}} .*? \\end\{{(?P=name)\}} )
    | \\\\\[ (?P<brackets> .+? ) \\\\\]
    | \\\\\( (?P<parentheses> .+? ) \\\\\)
    | (?P<escape> \\. )
    | \$\$ (?P<dollars> .+? ) \$\$
    | \$ (?P<dollar> (?: {NO_BLANK_LINE}(?:{GROUP} | \\. | [^$\\{{}}]) )+ ) \$
    | \$ (?P<broken> [^$\n]+ ) \$
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
INLINE = ("parentheses", "dollar", "broken")
DISPLAY = ("environment", "brackets", "dollars")
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")  # private characters, which `printable` removes


class Formulas:
    """The formulas of a document, each of which `take` replaces by a placeholder."""

    def __init__(self, macros=None):
        self.macros = macros or {}
        self.latex, self.is_display, self.sources, self.places = [], [], [], []

    def take(self, markdown, place=""):
        """The Markdown with a placeholder for each formula; `place` is for warnings."""

        def replace(match):
            kind = next((k for k in INLINE + DISPLAY if match[k]), None)
            if kind is None:
                return match[0]
            self.latex.append(match[kind])
            self.is_display.append(kind in DISPLAY)
            self.sources.append(match[0])
            self.places.append(place)
            return f"\ue000{len(self.latex) - 1}\ue001"

        return IN_MARKDOWN.sub(replace, markdown)

    def restore(self, text):
        """The text with the source of each formula in place of its placeholder."""
        return PLACEHOLDER.sub(lambda match: self.sources[int(match[1])], text)

    def typeset(self):
        """Typst for each formula, and a list of warnings about those shown as their source."""
        expanded = [expand(latex, self.macros) for latex in self.latex]
        typeset, warnings = [], []
        for i, math in enumerate(mathml(expanded)):
            try:
                source = typst_of(math)
                if not same_symbols(expanded[i], math, source):
                    raise FormulaError("it would lose some of its symbols")
                dollar = "$ " if self.is_display[i] else "$"
                typeset.append(dollar + source + dollar[::-1])
            except FormulaError as error:
                shown = " ".join(self.latex[i].split())[:70]
                warnings.append(
                    f"{self.places[i]}: shown as its source: the formula {shown} ({error})"
                )
                typeset.append(f"#raw({quoted(self.sources[i])})")
        return typeset, warnings


class FormulaError(ValueError):
    """A formula cannot be typeset; the message says why."""


def quoted(text):
    """A typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "    ") + '"'


# Macros

DEFINITION = re.compile(
    rf"\\(?:(?:re|provide)?newcommand|def|DeclareMathOperator)(?P<star>\*?)\s*"
    rf"\{{?\\(?P<name>[A-Za-z]+)\}}?(?:\[(?P<count>\d)\]|(?P<arguments>(?:\#\d)*))\s*(?P<body>{GROUP})"
)
# What MathJax knows and pandoc does not, by (number of arguments, meaning). The bold letters that
# pandoc writes are all italic, so sans-serif ones stand for those that are upright.
BUILT_IN = {
    "cases": (1, r"\begin{cases}#1\end{cases}"),
    "matrix": (1, r"\begin{matrix}#1\end{matrix}"),
    "pmatrix": (1, r"\begin{pmatrix}#1\end{pmatrix}"),
    "cr": (0, r"\\"),
    "negthinspace": (0, r"\!"),
    "smash": (1, "#1"),
    "mathbf": (1, r"\mathbfsfup{#1}"),
    "textcolor": (2, "#2"),
    "color": (1, ""),
    "tag": (1, r"\qquad\text{(#1)}"),
    **{name: (1, "") for name in ("label", "require")},
    **{name: (0, "") for name in ("nonumber", "notag", "allowbreak")},
}
OLD_FONTS = re.compile(r"\\(bf|it|rm|sf|tt|cal)(?![A-Za-z])")  # {\bf x}: up to the group's end
IN_TEXT = re.compile(r"(\\(?:text|mbox|mathrm)\{[^{}$]*)\$([^{}$]*)\$")
ENVIRONMENTS = {"dcases": "cases", "multline": "gathered", "eqnarray": "align"}
RULE = (
    "\ue002"  # in a table's cell: a line above its row; with characters after it, left of columns
)
FIRST_COLUMN = 0xE100
MOST_EXPANSIONS = 1000


def definitions(text):
    """Macros that a text defines: a dict from the name to (number of arguments, body)."""
    macros = {}
    for match in DEFINITION.finditer(text):
        n_arguments = int(match["count"] or len(match["arguments"] or "") // 2)
        body = match["body"][1:-1]
        if match[0].startswith(r"\Declare"):
            body = rf"\operatorname{match['star']}{{{body}}}"
        macros[match["name"]] = n_arguments, body
    return macros


def expand(latex, macros):
    """TeX without macros and other things that pandoc does not know.

    macros: as `definitions` returns them, beside those that the formula defines itself.
    """
    macros = {**BUILT_IN, **macros, **definitions(latex)}
    latex = re.sub(r"(?<!\\)%.*", "", DEFINITION.sub("", latex)).strip()
    for _ in range(MOST_EXPANSIONS):
        names = re.finditer(r"\\(?:([A-Za-z]+)\*?|.)", latex, re.DOTALL)
        match = next((match for match in names if match[1] in macros), None)
        if match is None:
            break
        n_arguments, body = macros[match[1]]
        end, arguments = match.end(), []
        for _ in range(n_arguments):
            argument, end = argument_at(latex, end)
            arguments.append(argument)
        for i, argument in enumerate(arguments, start=1):
            body = body.replace(f"#{i}", argument)
        space = " " if body[-1:].isalpha() and latex[end : end + 1].isalpha() else ""
        latex = latex[: match.start()] + body + space + latex[end:]
    while match := OLD_FONTS.search(latex):
        end = group_end(latex, match.end())
        name = "mathbfsfup" if match[1] == "bf" else f"math{match[1]}"
        latex = f"{latex[: match.start()]}\\{name}{{{latex[match.end() : end]}}}{latex[end:]}"
    while IN_TEXT.search(latex):
        latex = IN_TEXT.sub(r"\1}\2\\text{", latex)
    for name, known in ENVIRONMENTS.items():
        latex = re.sub(rf"\\(begin|end)\{{{name}\*?\}}", rf"\\\1{{{known}}}", latex)
    latex = re.sub(rf"\\begin\{{array\}}\s*({GROUP})", mark_rules, latex)
    latex = re.sub(r"\\hline\b", rf"\\text{{{RULE}}}", latex)
    outside = re.sub(r"\\begin\{(\w+\*?)\}.*\\end\{\1\}", "", latex, flags=re.DOTALL)
    return rf"\begin{{gathered}}{latex}\end{{gathered}}" if r"\\" in outside else latex


def mark_rules(match):
    r"""`\begin{array}{c|c}` without its rules, which MathML lacks, but with a note of them."""
    columns, n_before, marks = re.sub(r"[^lcr|]", "", match[1]), 0, ""
    for column in columns:
        marks += chr(FIRST_COLUMN + n_before) if column == "|" else ""
        n_before += column != "|"
    note = rf"\text{{{RULE}{marks}}}" if marks else ""
    return rf"\begin{{array}}{{{columns.replace('|', '')}}}{note}"


def argument_at(latex, start):
    """The argument of a macro that begins at `start`, and where it ends."""
    start += len(latex[start:]) - len(latex[start:].lstrip())
    if latex[start : start + 1] == "{":
        end = group_end(latex, start + 1)
        return latex[start + 1 : end], end + 1
    token = re.match(r"\\(?:[A-Za-z]+|.)|.|$", latex[start:], re.DOTALL)[0]
    return token, start + len(token)


def group_end(latex, start):
    """Index of the brace that ends the group in which `start` lies, or the end of the text."""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", latex[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth < 0:
            return start + match.start()
    return len(latex)


def mathml(formulas):
    """A bs4 Tag for each TeX formula, or None where pandoc does not understand it."""
    blocks = [
        {"t": "Para", "c": [{"t": "Math", "c": [{"t": "DisplayMath"}, latex]}]}
        for latex in formulas
    ]
    document = {"pandoc-api-version": [1, 23, 1], "meta": {}, "blocks": blocks}
    options = ["--mathml", "--wrap=none", "--quiet"]
    html = pypandoc.convert_text(json.dumps(document), "html", format="json", extra_args=options)
    paragraphs = BeautifulSoup(html, "html.parser").find_all("p", recursive=False)
    return [paragraph.find("math") for paragraph in paragraphs]


# Writing them

ACCENTS = {"→": "\u20d7", "←": "\u20d6"}  # as a sign above a letter
LINES = {"¯": "overline", "‾": "overline", "⏞": "overbrace", "_": "underline", "⏟": "underbrace"}
LIMITS_BELOW = {"lim", "max", "min", "sup", "inf", "argmax", "argmin", "det", "gcd", "Pr"}
STYLES = {"bold": "upright", "bold-sans-serif": "upright", "bold-italic": "italic"}
INVISIBLE = "\u2061\u2062\u2063\u2064"  # operators


def symbols(text):
    """Typst math that shows each character as a symbol, whatever it means in typst."""
    return "".join(f"\\u{{{ord(character):x}}}" for character in text)


def typst_of(math):
    """Typst math of a MathML element, a call, a symbol or several of them; '""' if it is empty.

    Raises FormulaError if some of it is not known.
    """
    if math is None:
        raise FormulaError("pandoc does not know it")
    if math.name not in RULES:
        raise FormulaError(f"nothing is known of <{math.name}>")
    return RULES[math.name](math) or '""'


def elements(math):
    return math.find_all(True, recursive=False)


def row(math):
    """Elements beside each other; delimiters at their ends are as high as what is between."""
    parts = elements(math)
    source = "".join(
        typst_of(part)
        for part in parts
        if part.get_text().strip(INVISIBLE) or part.name == "mspace"
    )
    ends = [part for part in (parts[:1] + parts[-1:]) if not part.has_attr("minsize")]
    return f"lr({source})" if any(part.get("stretchy") == "true" for part in ends) else source


def letters(math):
    """A letter, or the name of a function in upright ones."""
    text, style = math.get_text().strip(INVISIBLE), math.get("mathvariant")
    if style in STYLES:
        return f"bold({STYLES[style]}({symbols(unicodedata.normalize('NFKC', text))}))"
    if style == "normal" and len(text) > 1:
        has_limits = "true" if text in LIMITS_BELOW else "false"
        return f"op({quoted(text)}, limits: #{has_limits})"
    return f"upright({symbols(text)})" if style == "normal" else symbols(text)


def operator(math):
    sign = math.get_text().strip(INVISIBLE)
    source = symbols(sign.replace("∥", "‖") if math.has_attr("form") else sign)
    if math.has_attr("minsize"):
        return f"lr(size: #{math['minsize']}, {source})"
    is_between = (math.get("stretchy"), math.get("form")) == ("true", "infix")
    return f"mid({source})" if is_between else source


def space(math):
    width = math.get("width", "0em")
    if not re.fullmatch(r"-?[\d.]+em", width):
        raise FormulaError(f"a space of width {width} is not known")
    return f"#h({width})"


def scripts(*places):
    """Rule for a base with marks at its places, such as "t" (top) and "b" (bottom)."""

    def rule(math):
        base, *marks = elements(math)
        sign = marks[0].get_text()
        if marks[0].get("accent") == "true":
            if sign in LINES:
                return f"{LINES[sign]}({typst_of(base)})"
            return f"accent({typst_of(base)}, {quoted(ACCENTS.get(sign, sign))})"
        source = f"limits({typst_of(base)})" if math.name[1] in "uo" else typst_of(base)
        named = [f"{place}: {typst_of(mark)}" for place, mark in zip(places, marks)]
        return f"attach({', '.join([source, *named])})"

    return rule


def call(function, *options):
    """Rule for a function of typst that takes the elements in their order."""
    return lambda math: f"{function}({', '.join([*options, *map(typst_of, elements(math))])})"


def fraction(math):
    above, below = map(typst_of, elements(math))
    if math.get("linethickness") == "0":  # \binom
        return f"mat(delim: #none, {above}; {below})"
    return f"frac({above}, {below})"


def root(math):
    radicand, index = map(typst_of, elements(math))
    return f"root({index}, {radicand})"


def styled(math):
    style = {"true": "display", "false": "inline"}.get(math.get("displaystyle"))
    return f"{style}({row(math)})" if style else row(math)


def enclosed(math):
    if math.get("notation") == "box":
        return f"boxed({row(math)})"
    return f"cancel({row(math)})"


def in_style(cell, n_columns):
    """A cell as large as TeX sets it: as in a display if it is a line, as in a text in a matrix."""
    source = row(cell) or '""'
    if cell.find_parent(SCRIPTS):
        return source
    is_line = n_columns == 1 or "padding" in cell.get("style", "")
    return f"display({source})" if is_line else f"inline({source})"


def table(math):
    """Lines aligned at a sign, in the style of a display; a matrix; or an array with rules."""
    rules, rows = [], []
    for line in elements(math):
        for note in line.find_all("mtext", string=re.compile(f"^{RULE}")):
            marks = note.get_text()[1:]
            rules += [f"grid.vline(x: {ord(mark) - FIRST_COLUMN})" for mark in marks]
            rules += [] if marks else [f"grid.hline(y: {len(rows)})"]
            note.decompose()
        if line.get_text().strip() or line.find_next_sibling():
            rows.append(elements(line))
    cells = [cell for line in rows for cell in line]
    sources = [[in_style(cell, len(line)) for cell in line] for line in rows]
    if any("padding-right: 0" in cell.get("style", "") for cell in cells):
        lines = "; ".join("&".join(line) for line in sources)
        return f"mat(delim: #none, row-gap: #0.7em, {lines})"
    sides = {cell.get("columnalign", "center") for cell in cells}
    if len(sides) == 1 and not rules:
        lines = "; ".join(", ".join(line) for line in sources)
        return f"mat(delim: #none, align: #{sides.pop()}, {lines})"
    content = [
        f"grid.cell(align: {cell.get('columnalign', 'center')}, x: {x}, y: {y}, ${source}$)"
        for y, line in enumerate(sources)
        for x, (cell, source) in enumerate(zip(rows[y], line))
    ]
    n_columns = max(map(len, rows))
    return f"#array-with-rules({n_columns}, {', '.join(rules + content)})"


SCRIPTS = ["msub", "msup", "msubsup", "munder", "mover", "munderover"]
RULES = {
    **dict.fromkeys(("math", "mrow", "semantics", "mpadded", "mtd"), row),
    **dict.fromkeys(("mn", "ms"), lambda math: symbols(math.get_text())),
    "mi": letters,
    "mo": operator,
    "mtext": lambda math: f"words({quoted(math.get_text().strip())})",
    "mspace": space,
    "annotation": lambda math: "",
    "msub": scripts("b"),
    "msup": scripts("t"),
    "msubsup": scripts("b", "t"),
    "munder": scripts("b"),
    "mover": scripts("t"),
    "munderover": scripts("b", "t"),
    "mfrac": fraction,
    "msqrt": lambda math: f"sqrt({row(math)})",
    "mroot": root,
    "mstyle": styled,
    "mphantom": lambda math: f"#hide(${row(math)}$)",
    "menclose": enclosed,
    "mtable": table,
}

# The guard

NOT_SHOWN = re.compile(
    r"\\(?:begin|end)\{\w+\*?\}(?:\{[lcr]*\})?|\\[hm]space\*?\{[^{}]*\}|\\\\(?:\[[^\]]*\])?|\\&"
)
NAMES = {"bmod": "mod", "pmod": "mod", "limsup": "limsup", "liminf": "liminf"}
FROM_NAMES = "ℜℑℓ"  # letters whose commands do not spell them


def same_symbols(latex, math, source):
    """Whether typst shows the letters, digits and columns that a TeX formula asks for."""
    names = set(re.findall(r'op\("(.+?)"', source))
    texts = re.findall(r'(?:op|words)\("((?:[^"\\]|\\.)*)"', source)
    codes = re.findall(r"\\u\{(\w+)\}", source)
    shown = "".join(texts) + "".join(chr(int(code, 16)) for code in codes)
    asked = re.sub(
        r"\\([A-Za-z]+)",
        lambda match: match[1] if match[1] in names else NAMES.get(match[1], ""),
        NOT_SHOWN.sub(" ", latex),
    )
    n_columns = sum(max(len(elements(line)) - 1, 0) for line in math.find_all("mtr"))
    return counts(asked) == counts(shown) and asked.count("&") == n_columns


def counts(text):
    """How often each ASCII letter and digit stands in a text, in any style."""
    plain = (unicodedata.normalize("NFKC", c) for c in text if c not in FROM_NAMES)
    return Counter(c for c in plain if c.isascii() and c.isalnum())
