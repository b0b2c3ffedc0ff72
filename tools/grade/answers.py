"""Written answers as HTML: Markdown with formulas as MathML, which browsers show without help.

Whatever a student wrote, the HTML holds no element of the student's own, and needs no network.
"""

import html
import re
from urllib.parse import unquote

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

LARGEST_ANSWER = 20_000  # characters without pictures


def mathml(formula, options):
    """MathML of a formula, or its source where that cannot be read."""
    source = re.sub(r"\\(begin|end)\{(aligned|align|split|eqnarray)\*?\}", r"\\\1{align*}", formula)
    # latex2mathml copies what it does not know, so that the signs of HTML come back escaped.
    source = source.translate(str.maketrans('<>"', "\ue000\ue001\ue002"))
    try:
        made = convert(source.strip(), display="block" if options["display_mode"] else "inline")
    except Exception:  # its errors have no common class
        return f"<code>{html.escape(formula)}</code>"
    return re.sub("[\ue000-\ue002]", lambda m: html.escape('<>"'[ord(m[0]) - 0xE000]), made)


def display_mathml(formula):
    return mathml(formula, {"display_mode": True})


markdown = MarkdownIt("js-default")  # refuses HTML and links that run something
markdown.use(dollarmath_plugin, allow_labels=False, allow_space=False, renderer=mathml)
markdown.use(amsmath_plugin, renderer=display_mathml)


def picture_urls(attachments):
    """Data URLs of the pictures that were pasted into a cell, by name."""
    found = {}
    for name, kinds in attachments.items():
        for kind, data in kinds.items():
            if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind):
                found[name] = f"data:{kind};base64,{''.join(data.split())}"
    return found


def answer_html(cell):
    """HTML of one cell of an answer, with its pictures."""
    urls = picture_urls(cell.get("attachments", {}))

    def keep(found):
        """Make a picture in the text an attachment, too."""
        urls[f"in-the-text-{len(urls)}"] = found[0]
        return f"attachment:in-the-text-{len(urls) - 1}"

    def show(found):
        return f'src="{html.escape(urls.get(unquote(found[1]), ""))}"'

    source = cell["source"].encode(errors="replace").decode()
    source = re.sub(r"data:image/[\w+;,/=-]*", keep, source)
    if len(source) > LARGEST_ANSWER:
        return f"<pre>{html.escape(source[:LARGEST_ANSWER])}</pre><p>(cut here)</p>"
    try:
        shown = markdown.render(source)
    except Exception:  # what no answer does by chance must not keep the others from being shown
        return f"<pre>{html.escape(source)}</pre>"
    return re.sub(r'src="attachment:([^"]*)"', show, shown)
