"""The written problems: every statement of the solutions, the figures, and the PDFs."""

import re
import sys
from collections import Counter
from fractions import Fraction
from itertools import product

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, hessian

from tests.pdf.pages import filled, reader_of, text_of
from tools.common import ROOT
from written import __main__ as command
from written import backprop, figures, network
from written import hessian as costs

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


def latex_column(array):
    return latex_matrix(np.reshape(array, (-1, 1)))


# 1.1


@pytest.fixture(scope="module")
def grid():
    """All sequences of four numbers from -5 to 5, and what the definition says of each."""
    sequences = list(product(range(-5, 6), repeat=4))
    expected = judge(sequences)
    assert 50 < sum(expected) < len(expected) / 2
    return np.array(sequences), expected


def reals():
    """Sequences of random reals, with ties, and as near to ties as can be; and what is right.

    Floats are rational numbers; Fraction computes with them without rounding.
    """
    rng = np.random.default_rng(0)
    floats = rng.normal(size=(600, 4)) * 10.0 ** rng.integers(-9, 10, size=(600, 4))
    floats[:300] = np.sort(floats[:300])
    sequences = [[Fraction(x) for x in row] for row in floats]
    near = [-1, -Fraction(1, 2**40), 0, Fraction(1, 2**40), 1]
    for start, *gaps in product([Fraction(n, 7) for n in (-9, -1, 0, 5)], near, near, near):
        sequence = [start]
        for gap in gaps:
            sequence.append(sum(sequence) + gap)
        sequences.append(sequence)
    expected = judge(sequences)
    assert sum(expected[600:]) == 4 * 2**3 < sum(expected) < 600  # all three gaps positive
    return np.array(sequences, object), expected


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_networks_are_right_for_every_real_sequence(net, grid):
    sequences, expected = grid
    assert net(sequences).tolist() == expected
    assert net(sequences / 8).tolist() == expected  # fractions that floats hold exactly
    sequences, real_expected = reals()
    assert net._replace(b2=Fraction(net.b2))(sequences).tolist() == real_expected
    if net.phi2 is not network.indicator:  # its output unit is the same with either threshold
        for threshold in (network.strict_threshold, network.nonstrict_threshold):
            assert net._replace(phi2=threshold)(grid[0]).tolist() == expected


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
        assert rf"\mathbf{{w}}^{{(2)}} = \begin{{bmatrix}} {latex_column(net.w2)} \end" in SOLUTIONS
        assert f"b^{{(2)}} = {net.b2}," in SOLUTIONS
        assert not net.b1.any()
    for net in (network.STRICT_INDICATOR, network.NONSTRICT_INDICATOR):
        sums = net.w2[0] * np.arange(4) + net.b2
        weights, received = (", ".join(map(str, numbers)) for numbers in (net.w2, sums))
        assert rf"| $[{weights}]^\top$ | ${net.b2}$ | ${received}$ |" in SOLUTIONS


# 1.2

D, H, G, N = 4, 5, 3, 6


@pytest.fixture(params=range(5))
def leaves(request):
    """Random inputs and weights; no two sizes are equal, and no unit is near its kink."""
    rng = np.random.default_rng(request.param)
    shapes = {
        "x": (D,),
        "W1": (H, D),
        "b1": (H,),
        "W2": (H, D),
        "b2": (H,),
        "Wg": (G, 2 * H),
        "bg": (G,),
        "W3": (N, G),
        "W4": (N, D),
    }
    leaves = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    leaves["t"] = np.eye(N)[rng.integers(N)]
    u = backprop.forward(leaves)["u"]
    assert np.abs(u).min() > 1e-4 and (u > 0).any() and (u < 0).any()
    return leaves


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


def test_backward_pass_agrees_with_automatic_differentiation(leaves):
    """Of every variable and every weight."""
    values = backprop.forward(leaves)
    offsets = {name: 0.0 * np.asarray(values[name]) for name in backprop.STEPS}
    assert values["J"] == pytest.approx(loss(leaves, offsets), rel=1e-12)
    expected = grad(loss, 0)(leaves, offsets) | grad(loss, 1)(leaves, offsets)
    gradients = backprop.backward(values)
    assert set(gradients) == set(expected) - {"t"}
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


class Matrix(np.ndarray):
    """A matrix or column whose product with a single number is what a mathematician means."""

    def __matmul__(self, other):
        if 1 in (self.size, np.size(other)):
            return self * other
        return (self.view(np.ndarray) @ other.view(np.ndarray)).view(Matrix)


def python_of(latex):
    """The Python expression of a formula of the gradient tables; c1 with a bar is bar_c1."""
    rules = [
        (r"(?<!overline)\{\\mathbf\{y\}'\}", "y'"),
        (r"\\math(?:bf|cal)\{(\w)\}", r" \1"),
        (r"\^\{\((\w)\)\\top\}", r"^{(\1)}^\\top"),
        (r"([Wb])(?:_(\d))?\^\{\((\w)\)\}(?:_(\d))?", r"\1\3\2\4"),
        (r"([a-z])_(\d)", r"\1\2"),
        (r"y'", "y_prime"),
        (r"\\overline\{ *(\w+)\}(?:_(\d))?", r" bar_\1\2"),
        (r"\^\\top", ".T"),
        (r"\\odot", "*"),
        (r"\\mathbb\{I\}", "I"),
        (r"\\mid", ","),
        (r"\\[;,]", " "),
    ]
    for pattern, replacement in rules:
        latex = re.sub(pattern, replacement, latex)
    assert "\\" not in latex, latex
    python, previous = "", ""
    for token in re.findall(r"[A-Za-z]\w*(?:\.T)?|\d+|[^\s$]", latex):
        juxtaposed = re.search(r"[\w)\]]$", previous) and re.match(r"[\w(\[]", token)
        python += " @ " * bool(juxtaposed and previous != "I") + token
        previous = token
    return python.replace("[", "row(").replace("]", ")")


def table_after(header):
    """Cells of the table of the solutions that has this header."""
    lines = SOLUTIONS.split(header + "\n")[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def printed_gradients():
    """(variable, formula, shape) as the solutions print them; a formula may have several forms."""
    for name, formula, shape, _ in table_after("| gradient | | shape | from |"):
        yield name, formula, shape
    for row in table_after("| gradient | shape | gradient | shape |"):
        for equation, shape in zip(row[::2], row[1::2]):
            yield *re.match(r"(.*?)(=.*)", equation).groups(), shape


def test_solutions_print_the_gradients_that_are_tested(leaves):
    """Every equation of the two tables is evaluated; so is the shape beside it."""
    values = backprop.forward(leaves)
    gradients = backprop.backward(values)

    def columns(arrays):
        return {
            name: np.reshape(a, np.shape(a) if np.ndim(a) == 2 else (-1, 1)).view(Matrix)
            for name, a in arrays.items()
        }

    names = columns({name: np.asarray(value, float) for name, value in values.items()})
    expected = columns({name: np.asarray(value, float) for name, value in gradients.items()})
    names |= {"bar_" + name: value for name, value in expected.items()}
    names |= {"Wg1": names["Wg"][:, :H], "Wg2": names["Wg"][:, H:], "I": lambda truth: truth}
    names["row"] = lambda *parts: np.hstack(parts).view(Matrix)
    sizes = {"scalar": (), **{f"${k}$": (v,) for k, v in dict(D=D, H=H, G=G, N=N).items()}}
    sizes |= {r"$H \times D$": (H, D), r"$G \times 2H$": (G, 2 * H)}
    sizes |= {r"$N \times G$": (N, G), r"$N \times D$": (N, D)}
    seen = []
    for latex, formula, shape in printed_gradients():
        name = python_of(latex).removeprefix("bar_")
        seen.append(name)
        assert np.shape(gradients[name]) == sizes[shape], name
        for form in formula.strip("$ ").removeprefix("=").split("="):
            value = eval(python_of(form), {}, names)
            np.testing.assert_allclose(
                np.broadcast_to(value, expected[name].shape), expected[name], atol=1e-13
            )
    assert sorted(seen) == sorted(gradients)


# 1.3


def test_hessian_and_gradient_of_the_example():
    V, x = np.array([3.0, 1, 4]), np.array([2.0, 1, 3])

    def L(x):
        return 0.5 * anp.dot(x, anp.dot(anp.outer(V, V), x))

    H_exact = hessian(L)(x)
    assert H_exact.tolist() == [[9, 3, 12], [3, 1, 4], [12, 4, 16]]
    assert hessian(L)(-7 * x).tolist() == H_exact.tolist()
    assert latex_matrix(H_exact.astype(int)) in SOLUTIONS
    assert grad(L)(x).tolist() == [57, 19, 76] and V @ x == 19
    assert "[57, 19, 76]" in SOLUTIONS


def test_product_of_the_example_in_both_modes():
    v, y = np.array([[4], [1], [2]]), np.array([[2], [2], [1]])
    factors = {"v": v, "vT": v.T, "y": y}
    expected = {costs.REVERSE_Z: (6, 4), costs.FORWARD_Z: (18, 12)}
    for order, counts in expected.items():
        cost = costs.Cost()
        z = costs.evaluate(order, factors, cost)
        assert z.ravel().tolist() == [48, 12, 24]
        assert rf"\mathbf{{z}}^\top = {z.ravel().tolist()}" in SOLUTIONS
        assert (cost.multiplications, cost.memory) == counts
    assert latex_matrix(v @ v.T) in SOLUTIONS


SIZES = [(n, m) for n in (1, 2, 3, 4, 5, 8) for m in (1, 2, 3, 4, 5, 6, 8, 9, 15, 16)]


def measure(order, n, m):
    """Cost of an evaluation for random integers, whose result is compared with NumPy's."""
    rng = np.random.default_rng(100 * n + m)
    v, y1, y2 = (rng.integers(-9, 10, size=(size, 1)) for size in (n, n, m))
    cost = costs.Cost()
    Z = costs.evaluate(order, {"v": v, "vT": v.T, "y1": y1, "y2T": y2.T, "y": y1}, cost)
    H = v @ v.T
    expected = H @ y1 if order in (costs.REVERSE_Z, costs.FORWARD_Z) else H @ y1 @ y2.T
    assert (Z == expected).all()
    return cost


def test_measured_costs():
    """Against the formulas, and as the solutions compare the orders."""
    for n, m in SIZES:
        size = n, m
        cost = {order: measure(order, *size) for order in costs.FORMULAS}
        for order, formulas in costs.FORMULAS.items():
            assert (cost[order].multiplications, cost[order].memory) == formulas(n, m), size
        forward, reverse = cost[costs.FORWARD], cost[costs.REVERSE]
        assert reverse.peak == n * m + m and forward.peak == n * max(n, m) + n
        assert np.sign(forward.peak - reverse.peak) == np.sign(n - m)
        left, right = cost[costs.SCALAR_THEN_LEFT], cost[costs.SCALAR_THEN_RIGHT]
        assert left.multiplications <= min(forward.multiplications, reverse.multiplications)
        assert left.memory <= min(forward.memory, reverse.memory)
        assert (forward.multiplications < right.multiplications) == (m > n * (2 * n - 1))
        v, symmetric = np.arange(1, n + 1).reshape(-1, 1), costs.Cost()
        assert (costs.symmetric_outer(v, symmetric) == v @ v.T).all()
        assert symmetric.multiplications == symmetric.memory == n * (n + 1) // 2
        cheaper = symmetric.multiplications + n * n + n * m < reverse.multiplications
        assert cheaper == (m > (3 * n + 1) / 4)


def arithmetic(formula, n, m):
    """Value of a LaTeX polynomial such as 2n^2 + nm."""
    formula = re.sub(r"\\mathbf\{(.*)\}", r"\1", formula.strip("$ .,")).replace(r"\,", "")
    python = re.sub(r"(?<=[\dnm)])\s*(?=[nm(])", "*", formula.replace("^", "**"))
    python = re.sub(r"\*\*(\d)\*?", r"**\1*", python + " ").replace("* ", " ").replace("*/", "/")
    return eval(re.sub(r"\*(?=[+\-)=]|$)", "", python.strip()), {"n": n, "m": m})


def check_printed(formulas, measured):
    """Every formula gives, at every size, what was measured there: a dict by (n, m)."""
    for formula in formulas:
        assert {size: arithmetic(formula, *size) for size in measured} == measured, formula


def test_solutions_print_the_costs_of_every_order():
    rows = table_after("| order | multiplications | numbers stored |")
    for row, formulas in zip(rows, costs.FORMULAS.values(), strict=True):  # in the same order
        for part in (0, 1):
            check_printed([row[1 + part]], {size: formulas(*size)[part] for size in SIZES})


def test_solutions_print_the_costs_of_every_step():
    header = "| step | product of shapes | result | multiplications | numbers stored |"
    for number, order in [(1, costs.REVERSE), (2, costs.FORWARD)]:
        lines = SOLUTIONS.split(header)[number].split("\n\n")[0].splitlines()[2:]
        rows = [line.strip("| ").split(" | ") for line in lines]
        for n, m in SIZES:
            sums = [sum(arithmetic(row[part], n, m) for row in rows[:3]) for part in (-2, -1)]
            together = [arithmetic(rows[3][part], n, m) for part in (-2, -1)]
            assert sums == together == list(costs.FORMULAS[order](n, m))


def test_solutions_print_the_costs_of_a_product_with_a_vector():
    rows = table_after("| | multiplications | for $n = 3$ | numbers stored | for $n = 3$ |")
    for row, order in zip(rows, (costs.REVERSE_Z, costs.FORWARD_Z)):
        for column, count in [(1, "multiplications"), (3, "memory")]:
            *forms, bound = row[column].strip("$").split(" = ")
            check_printed(forms, {(n, 1): getattr(measure(order, n, 1), count) for n, _ in SIZES})
            assert int(row[column + 1]) == getattr(measure(order, 3, 1), count)
            assert bound == r"\mathcal{O}(n^2)" if order == costs.FORWARD_Z else r"\mathcal{O}(n)"


def test_solutions_print_the_crossovers():
    for count in ("multiplications", "memory"):
        line = re.search(rf"\\text\{{{count}, forward\}}.*", SOLUTIONS)[0]
        _, *forms = line.replace(r"\\", "").replace("&", "").replace("==", "=").split("=")
        assert len(forms) == 2
        measured = {
            (n, m): getattr(measure(costs.FORWARD, n, m), count)
            - getattr(measure(costs.REVERSE, n, m), count)
            for n, m in SIZES
        }
        check_printed(forms, measured)
    for statement in [
        r"the peak is $nm + m$ for reverse and $n \max(n, m) + n$ for forward",
        r"$n(n+1)/2 + n^2 + nm$ multiplications and wins already if $m > (3n + 1)/4$",
        r"$m > n(2n - 1)$",
        r"$2n^2 + nm \ge 2n + nm$",
    ]:  # as measured by the tests above
        assert statement in SOLUTIONS


# Figures and PDFs


def test_graph_draws_exactly_the_variables_of_the_network(leaves):
    assert set(figures.GRAPH) == set(backprop.forward(leaves))
    drawn = figures.edges()
    for pair in [("x", "a1"), ("x", "a2"), ("x", "y"), ("a1", "u"), ("t", "S")]:
        assert pair in drawn
    assert ("c1", "a2") not in drawn
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
    fonts = {
        font.get_object()["/BaseFont"].split("+")[-1]
        for page in reader_of(pdf).pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert all(font.startswith(("Libertinus", "NewCM", "DejaVu")) for font in fonts)
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
