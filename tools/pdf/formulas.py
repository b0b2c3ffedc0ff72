"""Formulas: found in Markdown as Jupyter finds them, read by pandoc, and written as typst.

    TeX  --expand-->  TeX without macros  --pandoc-->  MathML  --typst_of-->  typst math

Pandoc refuses TeX that it does not know, MathML has few elements, and each of them has its rule in
`RULES`. So a formula becomes what was asked for, or is shown as its source with a warning. As a
guard, its letters, digits and columns are counted at both ends (`same_symbols`).
"""

import json
import re
import unicodedata
from collections import Counter

import pypandoc
from bs4 import BeautifulSoup


class FormulaError(ValueError):
    """A formula cannot be typeset; the message says why."""


# Finding them

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
KINDS = {  # group of the pattern: what stands before and behind the typst
    **dict.fromkeys(("parentheses", "dollar", "broken"), ("$", "$")),
    **dict.fromkeys(("environment", "brackets", "dollars"), ("$ ", " $")),
}
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")  # private characters, which no text has


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


def quoted(text):
    """A typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "    ") + '"'


# Macros

DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|def|(?P<operator>DeclareMathOperator))(?P<star>\*?)\s*"
    r"\{?\\(?P<name>[A-Za-z]+)\}?(?:\[(?P<count>\d)\]|(?P<arguments>(?:#\d)*))\s*"
    rf"(?P<body>{GROUP})"
)
# What MathJax knows and pandoc does not: (number of arguments, meaning). The bold letters that
# pandoc writes are all italic, so bold sans-serif ones stand for those that are upright.
BUILT_IN = {
    **{name: (1, rf"\begin{{{name}}}#1\end{{{name}}}") for name in ("cases", "matrix", "pmatrix")},
    **{name: (1, r"\mathbfsfup{#1}") for name in ("mathbf", "bf")},
    **{name: (1, rf"\math{name}{{#1}}") for name in ("it", "rm", "sf", "tt", "cal")},
    **{name: (1, "") for name in ("label", "require", "color")},
    **{name: (0, "") for name in ("nonumber", "notag", "allowbreak")},
    "cr": (0, r"\\"),
    "negthinspace": (0, r"\!"),
    "smash": (1, "#1"),
    "textcolor": (2, "#2"),
    "tag": (1, r"\qquad\text{(#1)}"),
}
TO_THE_END = ("bf", "it", "rm", "sf", "tt", "cal")  # the argument is the rest of the group
IN_TEXT = re.compile(r"(\\(?:text|mbox|mathrm)\{[^{}$]*)\$([^{}$]*)\$")
ENVIRONMENT = re.compile(r"(\\(?:begin|end)\{)(\w+)\*?\}")
KNOWN = {"dcases": "cases", "multline": "gathered", "eqnarray": "align"}
MOST_EXPANSIONS = 1000  # of a macro that means itself


def definitions(text):
    """Macros that a text defines: a dict from the name to (number of arguments, meaning)."""
    macros = {}
    for match in DEFINITION.finditer(text):
        body = match["body"][1:-1]
        if match["operator"]:
            body = rf"\operatorname{match['star']}{{{body}}}"
        macros[match["name"]] = int(match["count"] or (match["arguments"] or "").count("#")), body
    return macros


def expand(latex, macros):
    """TeX without macros and without other things that pandoc does not know.

    macros: as `definitions` returns them, beside those that the formula defines itself.
    """
    macros = {**BUILT_IN, **macros, **definitions(latex)}
    latex = re.sub(r"(?<!\\)%.*", "", DEFINITION.sub("", latex))
    for _ in range(MOST_EXPANSIONS):
        commands = re.finditer(r"\\(?:([A-Za-z]+)\*?|.)", latex, re.DOTALL)
        match = next((command for command in commands if command[1] in macros), None)
        if match is None:
            break
        n_arguments, meaning = macros[match[1]]
        end = match.end()
        for number in range(1, n_arguments + 1):
            argument, end = argument_at(latex, end, match[1] in TO_THE_END)
            meaning = meaning.replace(f"#{number}", argument)
        space = " " if latex[end : end + 1].isalpha() else ""  # \alpha\label{a}b
        latex = latex[: match.start()] + meaning + space + latex[end:]
    while IN_TEXT.search(latex):
        latex = IN_TEXT.sub(r"\1}\2\\text{", latex)
    latex = ENVIRONMENT.sub(lambda m: f"{m[1]}{KNOWN.get(m[2], m[2])}}}", latex)
    outside = re.sub(r"\\begin\{(\w+)\}.*\\end\{\1\}", "", latex, flags=re.DOTALL)
    return rf"\begin{{gathered}}{latex}\end{{gathered}}" if r"\\" in outside else latex


def argument_at(latex, start, to_the_end=False):
    """The argument of a macro that begins at `start`, or the rest of the group; and its end."""
    start += len(latex[start:]) - len(latex[start:].lstrip())
    if not to_the_end and latex[start : start + 1] != "{":
        token = re.match(r"\\(?:[A-Za-z]+|.)|.|$", latex[start:], re.DOTALL)[0]
        return token, start + len(token)
    start += not to_the_end
    depth = 0
    for match in re.finditer(r"\\.|[{}]", latex[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth < 0:
            end = start + match.start()
            return latex[start:end], end + (not to_the_end)
    return latex[start:], len(latex)


def mathml(formulas, are_inline):
    """MathML, a bs4 Tag, for each TeX formula, or None where pandoc does not understand it."""
    kinds = [{"t": "InlineMath" if is_inline else "DisplayMath"} for is_inline in are_inline]
    blocks = [
        {"t": "Para", "c": [{"t": "Math", "c": [kind, latex]}]}
        for kind, latex in zip(kinds, formulas)
    ]
    document = json.loads(pypandoc.convert_text("", "json", format="markdown"))  # its frame
    options = ["--mathml", "--wrap=none", "--quiet"]
    source = json.dumps(document | {"blocks": blocks})
    html = pypandoc.convert_text(source, "html", format="json", extra_args=options)
    paragraphs = BeautifulSoup(html, "html.parser").find_all("p", recursive=False)
    return [paragraph.find("math") for paragraph in paragraphs]


# Writing them

ACCENTS = {"→": "\u20d7", "←": "\u20d6"}  # as a sign above a letter
LINES = {"¯": "overline", "‾": "overline", "⏞": "overbrace", "_": "underline", "⏟": "underbrace"}
LIMITS_BELOW = ("lim", "max", "min", "sup", "inf", "argmax", "argmin", "det", "gcd", "Pr")
LARGE = tuple("∑∏∐⋀⋁⋂⋃⨀⨁⨂⨄")  # whose limits stand below in a display only
STYLES = {"bold": "upright", "bold-sans-serif": "upright", "bold-italic": "italic"}
IN_COLUMN = {"left": "&{}", "right": "{}&", "center": "{}"}
INVISIBLE = "\u2061\u2062\u2063\u2064"  # operators


def typst_of(math):
    """Typst math of a MathML element: calls and symbols, which may stand beside others.

    Raises FormulaError if some of it is not known.
    """
    if math.name not in RULES:
        raise FormulaError(f"nothing is known of <{math.name}>")
    return RULES[math.name](math)


def elements(math):
    return math.find_all(True, recursive=False)


def arguments(math):
    return [typst_of(element) or '""' for element in elements(math)]


def symbols(math):
    """Each character as a symbol, whatever it means in typst."""
    text = math if isinstance(math, str) else math.get_text()
    return "".join(f"\\u{{{ord(c):x}}}" for c in text if c not in INVISIBLE)


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
        has_limits = "true" if text in LIMITS_BELOW else "false"
        return f"op({quoted(text)}, limits: #{has_limits})"
    return f"upright({symbols(text)})" if style == "normal" else symbols(text)


def operator(math):
    text = math.get_text()
    source = symbols(text.replace("∥", "‖") if math.has_attr("form") else text)
    if math.has_attr("minsize"):
        return f"lr(size: #{math['minsize']}, {source})"
    is_between = (math.get("stretchy"), math.get("form")) == ("true", "infix")
    return f"mid({source})" if is_between else source


def space(math):
    if not re.fullmatch(r"-?[\d.]+em", math["width"]):
        raise FormulaError(f"a space of width {math['width']} is not known")
    return f"#h({math['width']})"


def scripts(*places):
    """Rule for a base with marks at its places, such as "t" (top) and "b" (bottom)."""

    def rule(math):
        base, *marks = arguments(math)
        mark = elements(math)[1]
        if mark.get("accent") == "true":
            sign = mark.get_text()
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
    "mspace": space,
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
