"""TeX with macros -> TeX that pandoc knows: macros of the text, and those that MathJax has."""

import re

GROUP = r"\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*\})*\})*\}"  # three braces deep
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
SIDE = rf"((?:{GROUP}|\\(?!over\b).|[^{{}}\\])*)"
OVER = re.compile(rf"\{{{SIDE}\\over\b{SIDE}\}}")  # {a \over b}
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
    while OVER.search(latex):
        latex = OVER.sub(r"\\frac{\1}{\2}", latex)
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
