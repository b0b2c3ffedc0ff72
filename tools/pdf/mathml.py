"""MathML -> typst math, by a rule for each of its few elements."""

import re
import unicodedata


class FormulaError(ValueError):
    """A formula cannot be typeset; the message says why."""


def quoted(text):
    """A typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "    ") + '"'


ACCENTS = {"→": "\u20d7", "←": "\u20d6"}  # as a sign above a letter
LINES = {"¯": "overline", "‾": "overline", "⏞": "overbrace", "_": "underline", "⏟": "underbrace"}
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


def symbols(text):
    """Each character as a symbol, whatever it means in typst."""
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
        return f"op({quoted(text)})"
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
