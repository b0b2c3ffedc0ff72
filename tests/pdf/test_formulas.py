"""Formulas: what is shown is what was asked for, or the source with a warning."""

import re

import pypandoc
import pytest

from tests.pdf.notebooks import assert_shown, text, typeset
from tests.pdf.pages import glyphs_of
from tools.pdf.formulas import Formulas

# What Jupyter shows as a formula, and the text of it in the PDF, line by line.
SHOWN = {
    r"$p\!\left(y\mid x\right)=\exp\!\left(-z\right)$": "𝑝(𝑦 ∣ 𝑥) = exp(−𝑧)",
    r"$a \; b * c$": "𝑎 𝑏 ∗ 𝑐",
    r"\\(\gamma=1\\)": "𝛾 = 1",
    r"\\[\eta=1\\]": "𝜂 = 1",
    "$$\\zeta\n=1$$": "𝜁 = 1",
    "\\begin{align}\n\\theta&=1 \\tag{7}\\\\\n\\kappa&=2\\nonumber\n\\end{align}": "𝜃=1 (7) 𝜅=2",
    "$$\n\\begin{align*}\n\\lambda&=1\n\\end{align*}\n$$": "𝜆 = 1",
    r"$v\tag*{8}$": "𝑣 (8)",
    r"\begin{equation}\mu=1\label{e}\end{equation}": "𝜇 = 1",
    r"\begin{multline} a \end{multline}": "𝑎",
    r"$$\nu=1 \\ \xi=2$$": "𝜈 = 1\n𝜉 = 2",
    r"$\bm{\rho}\mathbf{W}_2^{(g)\top}$": "𝝆𝐖(𝑔)⊤\n2",
    r"$\|\sigma\|={\rm d}\tau$": "‖𝜎‖ = d𝜏",
    r"$\bf x$": "𝐱",
    r"$\textcolor{red}{\omega}={\bf v} % colour$": "𝜔 = 𝐯",
    r"$\cases{a & b \cr c & d}$": "{𝑎 𝑐 𝑏 𝑑",
    r"$\pmatrix{a \cr b}$": "(𝑎 𝑏)",
    r"$\begin{dcases} a & b\end{dcases}$": "{𝑎 𝑏",
    r"$\begin{vmatrix} a \\ b \end{vmatrix}$": "|𝑎𝑏|",
    r"$\begin{Vmatrix} a \end{Vmatrix}$": "‖𝑎‖",
    r"$\underbrace{W}_{\text{$p$th layer}}$": "𝑊⏟\n𝑝th layer",
    r"$\negthinspace x\smash{y}$": "𝑥𝑦",
    r"$\def\E{\mathbb{E}} \E[x]$": "𝔼[𝑥]",
    r"$\newcommand{\inner}[2]{\langle #1,#2\rangle} \inner{u}{\inner vw}$": "⟨𝑢, ⟨𝑣, 𝑤⟩⟩",
    r"$\DeclareMathOperator{\rank}{rank}\rank A$": "rank 𝐴",
    r"$\newcommand{\half}{\frac12}\half{}x \alpha\label{a}b$": "1\n2𝑥𝛼𝑏",
    r"${a_{1} \over {b \over \overline{c}}}{\bf x}y 50\% % of it$": "𝑎1\n𝑏\n𝑐𝐱𝑦50%",
    r"$\newcommand{\tag}[1]{#1#1}\tag{7} \smash[b]{c}$": "77𝑐",
    r"$P(y|x), \{z\}, 3.5\%, a_b, \#1 \& \$2$": "𝑃(𝑦|𝑥), {𝑧}, 3.5%, 𝑎𝑏, #1&$2",
    r"$\hat{x}\overline{\mathbf x}\vec v x'$": "̂𝑥𝐱⃗𝑣𝑥′",
    r"$\boxed{\sqrt{x}}\phantom{q}\cancel{y}$": "√𝑥 𝑦",
    r"$\begin{bmatrix} a & b \\ c & d \end{bmatrix}^{-1}$": "[𝑎 𝑐 𝑏 𝑑]−1",
    r"$\sum_{\begin{matrix}i & j\end{matrix}}$": "∑𝑖 𝑗",
    r"$\begin{aligned} a &= b && c \end{aligned}$": "𝑎 = 𝑏 𝑐",
    r"$\operatorname*{argmin}_w \max_v \binom nk a \bmod b$": "argmin𝑤 max𝑣 (𝑛𝑘) 𝑎 mod 𝑏",
    r"$\left[\tfrac12\middle|\dfrac{u}{v}\right)$": "[1 2|𝑢 𝑣)",
    r"$\mathrm{ReLU}\mathcal{L}\sum\limits_{i=1}^n$": "ReLUℒ∑𝑛 𝑖=1",
    r"$\sqrt[3]{x}\overset{d}{=}\xrightarrow{f} \Re z \ell$": "3√𝑥 =𝑑 →𝑓 ℜ𝑧ℓ",
    r"$\substack{a\\b} \mathbb{1} \textbf{ok}$": "𝑎𝑏𝟙𝐨𝐤",
    r"$\hspace{1em}\begin{pmatrix}a\\[2pt]b\end{pmatrix}\pmod{n}\mathtt{x}$": "(𝑎𝑏) (mod 𝑛)𝚡",
}


def test_formulas_are_shown_as_jupyter_shows_them():
    assert_shown([(text(formula), words) for formula, words in SHOWN.items()])


@pytest.mark.parametrize("form", ["array}{c|cc", "bmatrix"])
def test_numbers_of_a_matrix_stand_in_rows_and_columns(form):
    rule = r"\hline" * ("|" in form)
    formula = rf"$$\begin{{{form}}} 9 & 3 & 12\\ {rule} 3 & 1 & 4\end{{{form.split('}')[0]}}}$$"
    pdf, warnings = typeset(text(formula))
    rows = {}
    for _, digit, x, y, _ in glyphs_of(pdf):
        if digit.isdigit() and y > 60:
            rows.setdefault(round(y), []).append((x, digit))
    above, below = (sorted(rows[y]) for y in sorted(rows, reverse=True))
    assert ["".join(digit for _, digit in row) for row in (above, below)] == ["9312", "314"]
    columns = [x for x, _ in above[:3]]
    assert all(after - before > 8 for before, after in zip(columns, columns[1:]))  # points
    assert [("without its lines" in w) for w in warnings] == [True] * ("|" in form)


def test_columns_of_an_array_are_on_the_left_on_the_right_and_centred():
    pdf, _ = typeset(text(r"$$\begin{array}{lrc} 77 & 88 & 99 \\ 7 & 8 & 9 \end{array}$$"))
    for digit, share in {"7": 0, "8": 1, "9": 0.5}.items():
        first, second, below = [x for _, word, x, *_ in glyphs_of(pdf) if word == digit]
        assert below == pytest.approx(first + share * (second - first), abs=0.1)


def test_letters_are_neither_printed_over_each_other_nor_too_small():
    pdf, _ = typeset(text(r"$$p\!\left(y\mid x\right)=\exp\!\left(-z\right)$$"))
    xs = [x for _, _, x, _, size in glyphs_of(pdf) if size > 10]
    assert len(xs) == 12 and all(after - before > 3 for before, after in zip(xs, xs[1:]))
    pdf, _ = typeset(text(r"one $\frac{1}{2}$ half"))
    assert min(size for _, digit, _, y, size in glyphs_of(pdf) if digit in "12" and y > 60) > 8


def typeset_one(markdown):
    formulas = Formulas()
    formulas.take(markdown, "cell 3")
    return formulas.typeset()


@pytest.mark.parametrize(
    "source", [r"$\frac{a}{$", r"$\nosuchmacro{x}$", "$$\\nosuchmacro{x} \\\\\n y$$",
               r"$\def\a{\a\a} \a$", r"$x$ $y \) z \alpha$",
               r"$x$ $\rule{1cm}{1pt}$", r"$\begin{tikzcd} A \end{tikzcd}$"]
)  # fmt: skip
def test_what_is_not_understood_is_shown_as_its_source(source):
    formulas, warnings = typeset_one(source)
    assert formulas[-1].startswith("#raw(") and formulas[-1].count("\\") > 1
    assert len(warnings) == 1 and warnings[0].startswith("cell 3: shown as its source")
    assert all(math.startswith("$") for math in formulas[:-1])


@pytest.mark.parametrize(
    "lost, kept",
    [
        ("<mi>b</mi>", ""),
        ("<mn>2</mn>", "<mn>3</mn>"),
        ("</mtd>\n<mtd", "<mi></mi"),
        ("<mi>sin</mi>", ""),
    ],
)
def test_a_formula_that_would_lose_something_is_shown_as_its_source(lost, kept, monkeypatch):
    """The guard sees what pandoc might do wrong one day."""
    convert = pypandoc.convert_text

    def convert_wrongly(*arguments, **options):
        html = convert(*arguments, **options)
        html = re.sub(r"</mtd>\s*<mtd", "</mtd>\n<mtd", html).replace(
            '<mi mathvariant="normal">sin', "<mi>sin"
        )
        assert lost in html or "<math" not in html
        return html.replace(lost, kept, 1)

    formula = r"$b \sin 2 \begin{matrix} x & y \end{matrix}$"
    assert typeset_one(formula)[1] == []
    monkeypatch.setattr(pypandoc, "convert_text", convert_wrongly)
    (source,), (warning,) = typeset_one(formula)
    assert source.startswith("#raw(") and "lost" in warning
