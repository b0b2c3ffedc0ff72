"""The written problems: every statement of the solutions, the figures, and the PDFs."""

import functools
import re
import sys
from collections import Counter
from fractions import Fraction
from itertools import product

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, hessian

from tests.pdf.pages import assert_fonts_are_ours, filled, reader_of, text_of
from tools.common import ROOT
from written import __main__ as command
from written import backprop, figures, network
from written import hessian as costs
from written.hessian import FORWARD, REVERSE

SOLUTIONS = (ROOT / "written" / "solutions.md").read_text(encoding="utf-8")
PROBLEMS = (ROOT / "written" / "problems.md").read_text(encoding="utf-8")
NETWORKS = {
    "strict": network.STRICT,
    "non-strict": network.NONSTRICT,
    "strict, indicator": network.STRICT_INDICATOR,
    "non-strict, indicator": network.NONSTRICT_INDICATOR,
}


def judge(sequences):
    """Whether each sequence is superincreasing, by the definition, as 0 or 1."""
    return [
        int(all(sequence[i] > sum(sequence[:i]) for i in range(1, len(sequence))))
        for sequence in sequences
    ]


def latex_matrix(array):
    """How the solutions write a matrix, without the environment around it."""
    return r" \\ ".join(" & ".join(map(str, row)) for row in np.atleast_2d(array).tolist())


# 1.1


@pytest.fixture(scope="module")
def grid():
    """All sequences of four numbers from -5 to 5, and what the definition says of each."""
    sequences = list(product(range(-5, 6), repeat=4))
    expected = judge(sequences)
    assert 50 < sum(expected) < len(expected) / 2
    return np.array(sequences), expected


def near_ties():
    """Sequences of fractions, with which nothing is rounded, at ties and as near as can be."""
    sequences, near = [], [-1, -Fraction(1, 2**60), 0, Fraction(1, 2**60), 1]
    for start, *gaps in product([Fraction(n, 7) for n in (-9, -1, 0, 5)], near, near, near):
        sequence = [start]
        for gap in gaps:
            sequence.append(sum(sequence) + gap)
        sequences.append(sequence)
    expected = judge(sequences)
    assert sum(expected) == 4 * 2**3  # all three gaps positive
    return np.array(sequences, object), expected


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_networks_are_right_for_every_real_sequence(net, grid):
    sequences, expected = grid
    assert net(sequences).tolist() == expected
    if net.phi2 is not network.indicator:  # its output unit is the same with either threshold
        for threshold in (network.strict_threshold, network.nonstrict_threshold):
            assert net._replace(phi2=threshold)(sequences).tolist() == expected
    sequences, expected = near_ties()
    assert net._replace(b2=Fraction(net.b2))(sequences).tolist() == expected


def test_what_the_texts_say_of_other_networks(grid):
    sequences, expected = grid
    loose = network.STRICT._replace(phi1=network.nonstrict_threshold)
    missed = sequences[loose(sequences) != expected]  # ties only: why the second is needed
    assert [0, 0, 0, 0] in missed.tolist()
    assert np.all((missed @ network.DIFFERENCES.T == 0).any(axis=1))
    biased = loose._replace(b1=np.full(3, -0.5))  # serves integers only
    assert biased(sequences).tolist() == expected != biased(sequences / 8).tolist()
    two_of_three = network.STRICT_INDICATOR._replace(b2=-3)
    assert two_of_three(np.array([1, 2, 3, 7])) == 1


def test_examples_of_the_texts():
    examples = [(1, 2, 4, 8), (1, 2, 3, 7), (-3, -2, -4, -8), (0, 0, 0, 0)]
    assert judge(examples) == [1, 0, 1, 0]
    assert (network.DIFFERENCES @ [-3, -2, -4, -8]).tolist() == [1, 1, 1]
    x = np.array([0.1, 0.2, 0.1 + 0.2, 1])  # rounding
    exact = [Fraction(number) for number in x]
    assert judge([exact]) == [1]
    assert exact[2] - exact[0] - exact[1] == Fraction(1, 2**55)
    assert -x[0] - x[1] + x[2] == 0


def test_solutions_print_the_weights_that_are_tested():
    for net in (network.STRICT, network.NONSTRICT):
        assert latex_matrix(net.W1) in SOLUTIONS
        column = latex_matrix(net.w2[:, np.newaxis])
        assert rf"\mathbf{{w}}^{{(2)}} = \begin{{bmatrix}} {column} \end" in SOLUTIONS
        assert f"b^{{(2)}} = {net.b2}," in SOLUTIONS
        assert not net.b1.any()
    for net in (network.STRICT_INDICATOR, network.NONSTRICT_INDICATOR):
        sums = net.w2[0] * np.arange(4) + net.b2
        weights, received = (", ".join(map(str, numbers)) for numbers in (net.w2, sums))
        assert rf"| $[{weights}]^\top$ | ${net.b2}$ | ${received}$ |" in SOLUTIONS


# What the solutions print


class Matrix(np.ndarray):
    """A matrix whose product with a single number is what a mathematician means by it."""

    def __matmul__(self, other):
        return self * other if 1 in (self.size, np.size(other)) else super().__matmul__(other)

    def __rmatmul__(self, number):
        return number * self


def matrices(values):
    """A dict of Matrix: vectors are columns, numbers 1 x 1."""
    arrays = {name: np.asarray(value, float) for name, value in values.items()}
    return {
        name: (array if array.ndim == 2 else array.reshape(-1, 1)).view(Matrix)
        for name, array in arrays.items()
    }


RULES = [  # from LaTeX towards Python, one after the other; the name of c1 with a bar is bar_c1
    (r"(?<!overline)\{\\mathbf\{y\}'\}", "y'"),
    (r"\\math(?:bf|cal)\{([^{}]+)\}", r" \1"),
    (r"\^\{\((\w)\)\\top\}", r"^{(\1)}^\\top"),
    (r"([Wb])(?:_(\d))?\^\{\((\w)\)\}(?:_(\d))?", r"\1\3\2\4"),
    (r"([a-z])_(\d)", r"\1\2"),
    (r"y'", "y_prime"),
    (r"\\overline\{ *(\w+)\}(?:_(\d))?", r" bar_\1\2"),
    (r"\^\\top", ".T"),
    (r"\^", "**"),
    (r"\\odot", "*"),
    (r"\\ge", ">="),
    (r"\\mathbb\{I\}", "I"),
    (r"\\max", "max"),
    (r"\[", "row("),
    (r"\]", ")"),
    (r"\\mid", ","),
    (r"\\[;,]|[$&]|==", " "),
]


def value_of(latex, names):
    """Value of a printed formula, in which names that stand side by side are multiplied."""
    for pattern, replacement in RULES:
        latex = re.sub(pattern, replacement, latex)
    assert "\\" not in latex, latex
    known = "|".join(sorted(names, key=len, reverse=True))
    python, previous = "", ""
    for token in re.findall(rf"(?:{known})(?:\.T)?|\d+|\S", latex):
        is_product = re.search(r"[\w)]$", previous) and re.match(r"[\w(]", token)
        python += " @ " * bool(is_product and not callable(names.get(previous))) + token
        previous = token
    return eval(python, {}, names)


def tables_after(header):
    """Cells of each table of the solutions that has this header, without LaTeX's dollars."""
    for text in SOLUTIONS.split(header + "\n")[1:]:
        lines = text.split("\n\n")[0].splitlines()[1:]
        yield [[cell.strip(" $") for cell in line.strip("| ").split(" | ")] for line in lines]


# 1.2

SIZES = {"D": 4, "H": 5, "G": 3, "N": 6}  # no two are equal


@pytest.fixture(scope="module")
def values():
    """The network for random inputs and weights, with which no hidden unit is near its kink."""
    rng, (D, H, G, N) = np.random.default_rng(0), SIZES.values()
    shapes = {"x": (D,), "W1": (H, D), "b1": (H,), "W2": (H, D), "b2": (H,)}
    shapes |= {"Wg": (G, 2 * H), "bg": (G,), "W3": (N, G), "W4": (N, D)}
    leaves = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    values = backprop.forward(leaves | {"t": np.eye(N)[rng.integers(N)]})
    u = values["u"]
    assert np.abs(u).min() > 1e-4 and (u > 0).any() and (u < 0).any()
    return values


def loss(leaves, offsets):
    """J, from the problem's text; each variable is moved by its offset."""

    def moved(name, value):
        return value + offsets[name]

    a1 = moved("a1", anp.dot(leaves["W1"], leaves["x"]) + leaves["b1"])
    a2 = moved("a2", anp.dot(leaves["W2"], leaves["x"]) + leaves["b2"])
    u = moved("u", a1 + a2)
    c1, c2 = moved("c1", 1 / (1 + anp.exp(-a1))), moved("c2", anp.maximum(u, 0))
    g = moved("g", anp.dot(leaves["Wg"], anp.concatenate([c1, c2])) + leaves["bg"])
    y = moved("y", anp.dot(leaves["W3"], g) + anp.dot(leaves["W4"], leaves["x"]))
    y_prime = moved("y_prime", anp.exp(y) / anp.sum(anp.exp(y)))
    S = moved("S", anp.log(y_prime[leaves["t"].argmax()]))
    return moved("J", -S)


@pytest.fixture(scope="module")
def gradients(values):
    """Of every variable and every weight, by automatic differentiation."""
    leaves = {name: values[name] for name in values if name not in backprop.STEPS}
    offsets = {name: 0.0 * np.asarray(values[name]) for name in backprop.STEPS}
    assert values["J"] == pytest.approx(loss(leaves, offsets), rel=1e-12)
    gradients = grad(loss, 0)(leaves, offsets) | grad(loss, 1)(leaves, offsets)
    del gradients["t"]
    return gradients


def test_backward_pass_agrees_with_automatic_differentiation(values, gradients):
    found = backprop.backward(values)
    assert set(found) == set(gradients)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, gradients[name], 1e-9, 1e-12, err_msg=name)


def test_printed_gradients_agree_with_automatic_differentiation(values, gradients):
    """Every equation of the two tables is evaluated; so is the shape beside it."""
    (steps,), (weights,) = map(
        tables_after, ["| gradient | | shape | from |", "| gradient | shape | gradient | shape |"]
    )
    printed = [(f"{name} {formula}", shape) for name, formula, shape, _ in steps]
    printed += [row[i : i + 2] for row in weights for i in (0, 2)]
    names = matrices(values) | matrices({f"bar_{k}": v for k, v in gradients.items()})
    sizes, H = matrices(SIZES), SIZES["H"]
    names |= {"Wg1": names["Wg"][:, :H], "Wg2": names["Wg"][:, H:], "I": lambda truth: truth}
    names["row"] = lambda *parts: np.hstack(parts).view(Matrix)
    seen = []
    for equation, shape in printed:
        gradient, *forms = (value_of(form, names) for form in equation.split("="))
        (name,) = [k for k, v in names.items() if v is gradient]
        seen.append(name.removeprefix("bar_"))
        sides = [] if shape == "scalar" else shape.split(r"\times")
        assert np.shape(gradients[seen[-1]]) == tuple(value_of(s, sizes) for s in sides), name
        for value in forms:
            value = np.broadcast_to(value, gradient.shape)
            np.testing.assert_allclose(value, gradient, 1e-9, 1e-12, err_msg=equation)
    assert sorted(seen) == sorted(gradients)


# 1.3


def test_examples_of_the_hessian():
    V, x = np.array([3.0, 1, 4]), np.array([2.0, 1, 3])

    def L(x):
        return 0.5 * anp.dot(x, anp.dot(anp.outer(V, V), x))

    H = hessian(L)(x)
    assert hessian(L)(-7 * x).tolist() == H.tolist()
    assert latex_matrix(H.astype(int)) in SOLUTIONS
    assert rf"\mathbf{{g}} = {grad(L)(x).astype(int).tolist()}" in SOLUTIONS
    assert rf"\mathbf{{x}} = {int(V @ x)}" in SOLUTIONS
    v, y = np.array([[4], [1], [2]]), np.array([[2], [2], [1]])
    assert latex_matrix(v @ v.T) in SOLUTIONS
    assert rf"\mathbf{{z}}^\top = {(v @ v.T @ y).ravel().tolist()}" in SOLUTIONS


N_M = [(n, m) for n in (1, 2, 3, 4, 5, 8) for m in (1, 2, 3, 4, 5, 6, 8, 9, 15, 16)]
SQUARE, NARROW, EXAMPLE = ([(n, n) for n, _ in N_M], [(n, 1) for n, _ in N_M], len(N_M) * [(3, 1)])
OUTER, TRIANGLE = ("v", "vT"), "the lower triangle of v v^T"


@functools.cache
def measure(order, n, m):
    """Cost of an evaluation for random integers, whose result is compared with NumPy's."""
    rng = np.random.default_rng(100 * n + m)
    v, y1, y2 = (rng.integers(-9, 10, size=(size, 1)) for size in (n, n, m))
    cost, H = costs.Cost(), v @ v.T
    if order == TRIANGLE:
        assert (costs.symmetric_outer(v, cost) == H).all()
        return cost
    Z = costs.evaluate(order, {"v": v, "vT": v.T, "y1": y1, "y2T": y2.T, "y": y1}, cost)
    expected = H if order == OUTER else H @ y1
    assert (Z == (expected @ y2.T if "y2T" in str(order) else expected)).all()
    return cost


def measured(order, count="multiplications", sizes=N_M):
    """What an evaluation takes, for each of the sizes (n, m)."""
    return np.array([getattr(measure(order, n, m), count) for n, m in sizes])


def printed_in_tables():
    """Formulas of n and m, and what was measured for each of N_M or in its place."""
    both = [("multiplications", N_M), ("memory", N_M)]
    with_example = [(count, sizes) for count, _ in both for sizes in (N_M, EXAMPLE)]
    for header, orders, columns in [
        ("| order | multiplications | numbers stored |", costs.FORMULAS, both),
        (r"| | multiplications | numbers stored for $\mathbf{H}$ |", (OUTER, TRIANGLE), both),
        (
            "| | multiplications | for $n = 3$ | numbers stored | for $n = 3$ |",
            (costs.REVERSE_Z, costs.FORWARD_Z),
            with_example,
        ),
    ]:
        (rows,) = tables_after(header)
        for row, order in zip(rows, orders, strict=True):
            for cell, (count, sizes) in zip(row[1:], columns, strict=True):
                yield cell, measured(order, count, sizes)
    header = "| step | product of shapes | result | multiplications | numbers stored |"
    for rows, order in zip(tables_after(header), (REVERSE, FORWARD), strict=True):
        for column, (count, _) in zip((-2, -1), both):
            *steps, together = (row[column] for row in rows)
            yield f"{together} = {' + '.join(steps)}", measured(order, count)


def printed_in_sentences():
    """Formulas and inequalities that the text of the solutions holds, and what was measured."""
    forward, reverse, memory, peak = measured(FORWARD), measured(REVERSE), "memory", "peak"
    with_triangle = forward - measured(OUTER) + measured(TRIANGLE)
    for count in ("multiplications", memory):  # "the fourth never costs more than either mode"
        fourth, *modes = (measured(o, count) for o in (costs.SCALAR_THEN_LEFT, FORWARD, REVERSE))
        assert (fourth <= np.minimum(*modes)).all()
    prose = " ".join(SOLUTIONS.replace("\n>", " ").split())
    for sentence, numbers in [
        (r"&= $(2n^2 + nm) - 3nm &&= 2n \, (n - m)$,", forward - reverse),
        (
            "&= $(n^2 + n + nm) - (2nm + m) &&= (n + 1)(n - m)$.",
            measured(FORWARD, memory) - measured(REVERSE, memory),
        ),
        ("is the better choice exactly if $m > n$", forward < reverse),
        ("they cost the same, $3n^2$ multiplications", measured(REVERSE, sizes=SQUARE)),
        ("multiplications and $2n^2 + n$ numbers", measured(REVERSE, memory, SQUARE)),
        ("reverse mode takes $3n$ multiplications", measured(REVERSE, sizes=NARROW)),
        ("multiplications, forward mode $2n^2 + n$", measured(FORWARD, sizes=NARROW)),
        ("the peak is $nm + m$ for reverse", measured(REVERSE, peak)),
        (r"reverse and $n \max(n, m) + n$ for forward", measured(FORWARD, peak)),
        ("forward is lower exactly if $m > n$", measured(FORWARD, peak) < measured(REVERSE, peak)),
        ("forward mode takes $n(n+1)/2 + n^2 + nm$ multiplications", with_triangle),
        ("wins already if $m > (3n + 1)/4$", with_triangle < reverse),
        (
            r"never takes fewer multiplications, since $2n^2 + nm \ge 2n + nm$",
            forward >= measured(costs.SCALAR_THEN_LEFT),
        ),
        (r"$\mathbf{Z}$, $m > n(2n - 1)$. Such", forward < measured(costs.SCALAR_THEN_RIGHT)),
    ]:
        assert sentence in prose or sentence.replace("$", "") in prose  # a line of display maths
        yield re.findall(r"\$([^$]+)\$", sentence)[-1], numbers


def test_printed_costs_are_those_that_are_measured():
    """So are the figure's formulas. What is O(n^2) in the solutions does grow like n^2."""
    for order, formulas in costs.FORMULAS.items():
        expected = list(zip(measured(order), measured(order, "memory")))
        assert [formulas(n, m) for n, m in N_M] == expected
    for equation, numbers in [*printed_in_tables(), *printed_in_sentences()]:
        *forms, last = re.split(r" &*= ", equation)
        if bound := re.fullmatch(r"\\mathcal\{O\}\((.*)\)", last):
            large = matrices({"n": 1e6})
            assert 0.1 < value_of(forms[0], large) / value_of(bound[1], large) < 10, equation
        else:
            forms.append(last)
        for form in forms:
            values = [value_of(form, {"max": max} | matrices({"n": n, "m": m})) for n, m in N_M]
            assert np.ravel(values).tolist() == numbers.tolist(), equation


# Figures and PDFs


def test_graph_draws_exactly_the_variables_of_the_network(values):
    assert set(figures.GRAPH) == set(values)  # the arrows are the arguments of backprop.STEPS
    places = np.array([node[:2] for node in figures.GRAPH.values()])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    assert distances[~np.eye(len(places), dtype=bool)].min() > 1.2  # cm


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_up_to_date_small_and_without_colour(name):
    """Compared by their parts: another version of matplotlib may move a point."""
    drawn = figures.svg_of(name)
    assert drawn == figures.svg_of(name)
    saved = (command.FIGURE_FOLDER / name).read_text(encoding="utf-8")
    parts = [Counter(re.findall(r"<(\w+)", text)) for text in (saved, drawn.decode())]
    assert parts[0] == parts[1], "run  python -m written"
    assert len(drawn) < 45_000 and "<text" not in saved
    for red, green, blue in re.findall(r": #(\w\w)(\w\w)(\w\w)\b", saved):
        assert red == green == blue


@pytest.fixture(scope="module", params=command.TITLES)
def made(request):
    """Name of a text, its Markdown, and its PDF on the paper of America."""
    return request.param, command.text_of(request.param), command.make_pdf(request.param, "letter")


def test_pdfs_are_complete(made):
    name, markdown, pdf = made
    text = " ".join(text_of(pdf).split())
    for heading in re.findall(r"^#+ ([^$\n]+)$", markdown, re.MULTILINE):
        assert heading in text
    assert "\\" not in text and "$" not in text
    assert len(re.findall("Figure", text)) == markdown.count("![")
    assert_fonts_are_ours(pdf)
    assert tuple(map(round, reader_of(pdf).pages[0].mediabox[2:])) == (612, 792)
    assert min(filled(pdf)[:-1]) > 0.5


def test_saved_pdfs_are_up_to_date(made):
    """Compared by their words: paper of another size breaks lines elsewhere."""
    name, _, pdf = made
    saved = (command.WRITTEN / f"{name}.pdf").read_bytes()
    words = [Counter(re.sub(r"\d+ / \d+|\s|-|\xad", "", text_of(file))) for file in (saved, pdf)]
    assert words[0] == words[1], "run  python -m written"


def test_problems_begin_with_what_the_course_says(made):
    name, markdown, _ = made
    course = (command.WRITTEN / "course.md").read_text(encoding="utf-8")
    for topic in ("Due", "hand in", "Working together", "Generative AI"):
        assert topic in course
    assert (course in markdown) == (name == "problems")


def test_marks_add_up():
    marks = [int(mark) for mark in re.findall(r"\[(\d+) pts\]", PROBLEMS)]
    assert sum(marks) == 40 and "40 points" in PROBLEMS
    assert re.findall(r"\[(\d+) pts\]", SOLUTIONS) == list(map(str, marks))


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "make_figures", lambda: None)
    monkeypatch.setattr(command, "make_pdf", lambda name, paper: f"{name} {paper}".encode())
    monkeypatch.setattr(sys, "argv", ["written", "-o", str(tmp_path)])
    command.main()
    files = [tmp_path / f"{name}.pdf" for name in command.TITLES]
    assert capsys.readouterr().out.split() == list(map(str, files))
    assert [file.read_bytes() for file in files] == [b"problems a4", b"solutions a4"]
    monkeypatch.setattr(sys, "argv", ["written", "-o", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        command.main()
    assert "create it first" in capsys.readouterr().err
