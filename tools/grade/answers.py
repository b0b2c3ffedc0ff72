"""Written answers as HTML: Markdown with formulas as MathML, which browsers show without help.

Whatever a student wrote, the HTML holds no element of the student's own, and needs no network.
"""

import html
import re

import mistune
from latex2mathml.converter import convert

LARGEST_ANSWER = 20_000  # characters
CODE_OR_FORMULA = re.compile(
    r"(?P<code>```.*?```|``.+?``|`[^`\n]+`)"
    r"|\$\$(?P<display>.+?)\$\$"
    r"|(?P<environment>\\begin\{(?P<name>[a-z]+\*?)\}.*?\\end\{(?P=name)\})"
    r"|(?<!\\)\$(?!\s)(?P<inline>[^$\n]+?(?:\n[^$\n]+?)*)(?<!\s)\$",
    re.DOTALL,
)
ATTACHED = re.compile(r"\(attachment:([^)\s]+)\)")
# latex2mathml copies what it does not know, so that the signs of HTML have to come back escaped.
SIGNS = {"<": "\ue000", ">": "\ue001", '"': "\ue002"}
markdown = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])


def mathml(formula, display):
    """MathML of a formula, or its source where that cannot be read."""
    source = re.sub(r"\\(begin|end)\{(aligned|align|split|eqnarray)\*?\}", r"\\\1{align*}", formula)
    for sign, stand_in in SIGNS.items():
        source = source.replace(sign, stand_in)
    try:
        made = convert(source.strip(), display="block" if display else "inline")
    except Exception:  # its errors have no common class
        return f"<code>{html.escape(formula)}</code>"
    for sign, stand_in in SIGNS.items():
        made = made.replace(stand_in, html.escape(sign))
    return made


def attachment_url(attachments, name):
    """Data URL of the picture that was pasted under a name; "" if there is none."""
    for kind, data in (attachments.get(name) or {}).items():
        text = "".join(data) if isinstance(data, list) else str(data)
        if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind):
            return f"data:{kind};base64,{''.join(text.split())}"
    return ""


def answer_html(cell):
    """HTML of one cell of an answer, with its pictures."""
    formulas = []

    def keep(found):
        if found["code"]:
            return found[0]
        display = found["display"] or found["environment"]
        formulas.append(mathml(display or found["inline"], bool(display)))
        return f"\ue010{len(formulas) - 1}\ue011"

    def show(found):
        return f"({attachment_url(cell.get('attachments', {}), found[1])})"

    source = cell["source"].encode(errors="replace").decode()
    pictures = re.findall(r"!\[[^\]]*\]\(data:[^)]*\)", source)  # not part of the length
    if len(source) - sum(map(len, pictures)) > LARGEST_ANSWER:
        return f"<pre>{html.escape(source[:LARGEST_ANSWER])}</pre><p>(cut here)</p>"
    text = re.sub("[\ue000-\ue011]", "", source)
    try:
        shown = markdown(ATTACHED.sub(show, CODE_OR_FORMULA.sub(keep, text)))
    except Exception:  # what no answer does by chance must not keep the others from being shown
        return f"<pre>{html.escape(source)}</pre>"
    return re.sub("\ue010(\\d+)\ue011", lambda found: formulas[int(found[1])], shown)
