"""The written problems: every claim of the solutions, the figures, and the PDFs."""

import functools
import io
import re
import subprocess
import sys
from fractions import Fraction
from itertools import product

import autograd.numpy as anp
import numpy as np
import pypdf
import pytest
from autograd import grad, hessian

from tools import make_written, typeset
from tools.common import ROOT
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
all_networks = pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)


def is_superincreasing(sequence):
    """The definition, word by word."""
    return all(sequence[i] > sum(sequence[:i]) for i in range(1, len(sequence)))


def judge(sequences):
    return [int(is_superincreasing(sequence)) for sequence in sequences]


def latex_matrix(array):
    """How the solutions write a matrix, without the environment around it."""
    return r" \\ ".join(" & ".join(map(str, row)) for row in np.atleast_2d(array).tolist())


def column(array):
    return latex_matrix(np.reshape(array, (-1, 1)))


# 1.1


@pytest.fixture(scope="module")
def grid():
    """All sequences of four numbers from -5 to 5, and what the definition says of each."""
    sequences = list(product(range(-5, 6), repeat=4))
    expected = judge(sequences)
    assert 50 < sum(expected) < len(expected) / 2
    return np.array(sequences), expected


@all_networks
def test_network_is_right_at_every_point_of_a_grid(net, grid):
    assert net(grid[0]).tolist() == grid[1]


@all_networks
def test_network_is_right_for_dyadic_fractions_which_floats_hold_exactly(net, grid):
    assert net(grid[0] / 8).tolist() == grid[1]


@all_networks
def test_network_is_right_for_random_reals_of_all_sizes(net):
    """Floats are rational numbers; Fraction computes with them without rounding."""
    rng = np.random.default_rng(0)
    floats = rng.normal(size=(1500, 4)) * 10.0 ** rng.integers(-9, 10, size=(1500, 4))
    floats[:500] = np.sort(floats[:500])
    exact = np.array([[Fraction(x) for x in row] for row in floats], object)
    expected = judge(exact)
    assert 50 < sum(expected) < 1450
    net = net._replace(b2=Fraction(net.b2))
    assert net(exact).tolist() == expected


@all_networks
def test_network_is_right_at_ties_and_as_near_to_them_as_can_be(net):
    rng = np.random.default_rng(1)
    net = net._replace(b2=Fraction(net.b2))
    near = [-1, -Fraction(1, 2**40), 0, Fraction(1, 2**40), 1]
    sequences = []
    for _ in range(20):
        start = Fraction(int(rng.integers(-9, 10)), 7)
        for gaps in product(near, repeat=3):
            sequence = [start]
            for gap in gaps:
                sequence.append(sum(sequence) + gap)
            sequences.append(sequence)
    expected = judge(sequences)
    assert sum(expected) == 20 * 2**3  # all three gaps positive
    assert net(np.array(sequences, object)).tolist() == expected


@all_networks
def test_examples_of_the_texts(net):
    examples = [(1, 2, 4, 8), (1, 2, 3, 7), (-3, -2, -4, -8), (0, 0, 0, 0)]
    assert net(np.array(examples)).tolist() == judge(examples) == [1, 0, 1, 0]
    assert (network.DIFFERENCES @ [-3, -2, -4, -8]).tolist() == [1, 1, 1]


def test_strict_weights_with_the_other_threshold_fail_at_ties_only(grid):
    """Why the second solution is needed."""
    wrong = network.STRICT._replace(phi1=network.nonstrict_threshold)
    sequences, expected = grid
    missed = sequences[wrong(sequences) != expected]
    assert [0, 0, 0, 0] in missed.tolist()
    assert np.all((missed @ network.DIFFERENCES.T == 0).any(axis=1))


@all_networks
def test_output_unit_is_the_same_with_either_threshold(net, grid):
    if net.phi2 is not network.indicator:
        for threshold in (network.strict_threshold, network.nonstrict_threshold):
            assert net._replace(phi2=threshold)(grid[0]).tolist() == grid[1]


def test_indicator_with_bias_minus_three_accepts_two_of_three():
    loose = network.STRICT_INDICATOR._replace(b2=-3)
    assert loose(np.array([1, 2, 3, 7])) == 1


def test_a_bias_of_one_half_serves_integers_only(grid):
    biased = network.STRICT._replace(phi1=network.nonstrict_threshold, b1=np.full(3, -0.5))
    assert biased(grid[0]).tolist() == grid[1]
    assert biased(grid[0] / 8).tolist() != grid[1]


def test_rounding_example():
    x = np.array([0.1, 0.2, 0.1 + 0.2, 1])
    exact = [Fraction(number) for number in x]
    assert is_superincreasing(exact)
    assert exact[2] - exact[0] - exact[1] == Fraction(1, 2**55)
    assert -x[0] - x[1] + x[2] == 0


def test_solutions_print_the_weights_that_are_tested():
    for net in (network.STRICT, network.NONSTRICT):
        assert latex_matrix(net.W1) in SOLUTIONS
        assert rf"\mathbf{{w}}^{{(2)}} = \begin{{bmatrix}} {column(net.w2)} \end" in SOLUTIONS
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


def loss_after(values, name, value):
    """J if one variable, computed or given, had another value."""
    steps = {step: f for step, f in backprop.STEPS.items() if step != name}
    return backprop.forward({**values, name: value}, steps)["J"]


def test_backward_pass_agrees_with_finite_differences(leaves):
    """Of every variable and every weight, entry by entry."""
    values = backprop.forward(leaves)
    gradients = backprop.backward(values)
    assert set(gradients) == set(values) - {"t"}
    eps = 1e-5
    for name, gradient in gradients.items():
        value = np.asarray(values[name], float)
        numerical = np.zeros_like(value)
        # The logarithm of a small probability bends within any fixed step.
        width = eps * value if name == "y_prime" else np.full_like(value, eps)
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = width[index]
            upper, lower = (loss_after(values, name, value + s * step) for s in (1, -1))
            numerical[index] = (upper - lower) / (2 * width[index])
        assert np.shape(gradient) == value.shape, name
        np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8, err_msg=name)


def test_backward_pass_agrees_with_automatic_differentiation(leaves):
    """A second oracle, with the network written anew from the problem's text."""

    def loss(x):
        a1 = anp.dot(leaves["W1"], x) + leaves["b1"]
        a2 = anp.dot(leaves["W2"], x) + leaves["b2"]
        joined = anp.concatenate([1 / (1 + anp.exp(-a1)), anp.maximum(a1 + a2, 0)])
        g = anp.dot(leaves["Wg"], joined) + leaves["bg"]
        y = anp.dot(leaves["W3"], g) + anp.dot(leaves["W4"], x)
        return anp.log(anp.sum(anp.exp(y))) - y[leaves["t"].argmax()]

    values = backprop.forward(leaves)
    assert values["J"] == pytest.approx(loss(leaves["x"]), rel=1e-12)
    np.testing.assert_allclose(backprop.backward(values)["x"], grad(loss)(leaves["x"]), rtol=1e-10)


def test_softmax_gradient_is_probabilities_minus_target(leaves):
    values = backprop.forward(leaves)
    expected = values["y_prime"] - leaves["t"]
    np.testing.assert_allclose(backprop.backward(values)["y"], expected, atol=1e-14)


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
    steps = 1e-3 * np.eye(3)
    numerical = [
        [(L(x + a + b) - L(x + a - b) - L(x - a + b) + L(x - a - b)) / 4e-6 for a in steps]
        for b in steps
    ]
    np.testing.assert_allclose(numerical, H_exact, rtol=1e-6)
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


@pytest.mark.parametrize("order", costs.FORMULAS, ids=str)
def test_measured_costs_equal_the_formulas(order):
    for n, m in SIZES:
        cost = measure(order, n, m)
        assert (cost.multiplications, cost.memory) == costs.FORMULAS[order](n, m), (n, m)


def test_measured_costs_of_a_product_with_a_vector():
    for n, _ in SIZES:
        reverse, forward = (measure(order, n, 1) for order in (costs.REVERSE_Z, costs.FORWARD_Z))
        assert (reverse.multiplications, reverse.memory) == (2 * n, 1 + n)
        assert (forward.multiplications, forward.memory) == (2 * n * n, n * n + n)


def test_forward_mode_is_better_exactly_for_wide_results():
    for n, m in SIZES:
        reverse, forward = measure(costs.REVERSE, n, m), measure(costs.FORWARD, n, m)
        assert forward.multiplications - reverse.multiplications == 2 * n * (n - m)
        assert forward.memory - reverse.memory == (n + 1) * (n - m)
        assert reverse.peak == n * m + m and forward.peak == n * max(n, m) + n
        assert np.sign(forward.peak - reverse.peak) == np.sign(n - m)


def test_other_orders_against_forward_mode():
    for n, m in SIZES:
        forward, reverse = measure(costs.FORWARD, n, m), measure(costs.REVERSE, n, m)
        left, right = (
            measure(order, n, m) for order in (costs.SCALAR_THEN_LEFT, costs.SCALAR_THEN_RIGHT)
        )
        assert left.multiplications <= min(forward.multiplications, reverse.multiplications)
        assert left.memory <= min(forward.memory, reverse.memory)
        assert (forward.multiplications < right.multiplications) == (m > n * (2 * n - 1))


def test_symmetric_hessian():
    for n, m in SIZES:
        v = np.arange(1, n + 1).reshape(-1, 1)
        cost = costs.Cost()
        H = costs.symmetric_outer(v, cost)
        assert (H == v @ v.T).all()
        assert cost.multiplications == cost.memory == n * (n + 1) // 2
        forward = cost.multiplications + n * n + n * m
        assert (forward < measure(costs.REVERSE, n, m).multiplications) == (m > (3 * n + 1) / 4)


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
    orders = [
        costs.REVERSE,
        costs.FORWARD,
        costs.SCALAR_THEN_RIGHT,
        costs.SCALAR_THEN_LEFT,
        costs.BOTH_OUTER,
    ]
    rows = table_after("| order | multiplications | numbers stored |")
    assert len(rows) == len(orders) == len(costs.FORMULAS)
    for row, order in zip(rows, orders):
        for part in (0, 1):
            expected = {size: costs.FORMULAS[order](*size)[part] for size in SIZES}
            check_printed([row[1 + part]], expected)


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
    for claim in [
        r"the peak is $nm + m$ for reverse and $n \max(n, m) + n$ for forward",
        r"$n(n+1)/2 + n^2 + nm$ multiplications and wins already if $m > (3n + 1)/4$",
        r"$m > n(2n - 1)$",
        r"$2n^2 + nm \ge 2n + nm$",
    ]:  # as measured by the tests above
        assert claim in SOLUTIONS


# Figures and PDFs


def test_graph_draws_exactly_the_variables_of_the_network(leaves):
    nodes = figures.DATA["graph"]["nodes"]
    assert set(nodes) == set(backprop.forward(leaves))
    drawn = figures.edges()
    for pair in [("x", "a1"), ("x", "a2"), ("x", "y"), ("a1", "u"), ("t", "S")]:
        assert pair in drawn
    assert ("c1", "a2") not in drawn
    places = np.array([node["at"] for node in nodes.values()])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    assert distances[~np.eye(len(places), dtype=bool)].min() > 2.5 * figures.NODE_RADIUS
    width, height = figures.DATA["graph"]["size"]
    left, below = figures.DATA["graph"]["origin"]
    assert ((places + [left, below] > 0) & (places + [left, below] < [width, height])).all()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_up_to_date_vectors_without_colour(name):
    drawn = figures.FIGURES[name]()
    assert drawn == (make_written.FIGURE_FOLDER / name).read_bytes(), (
        "run  python -m tools.make_written"
    )
    text = drawn.decode()
    assert "<image" not in text and "<text" not in text
    for red, green, blue in re.findall(r"#(\w\w)(\w\w)(\w\w)\b", text):
        assert red == green == blue


make_pdf = functools.cache(make_written.make_pdf)


def test_every_run_gives_the_same_bytes():
    assert make_pdf("problems", "a4") == make_written.make_pdf("problems", "a4")


def pages_of(pdf):
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def fonts_of(pdf):
    return {
        font.get_object()["/BaseFont"].split("+")[-1]
        for page in pypdf.PdfReader(io.BytesIO(pdf)).pages
        for font in page["/Resources"]["/Font"].values()
    }


@pytest.mark.parametrize("paper", typeset.PAPERS)
@pytest.mark.parametrize("name", make_written.TITLES)
def test_pdfs_are_complete(name, paper):
    pdf = make_pdf(name, paper)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    size = {"a4": (595, 842), "letter": (612, 792)}[paper]
    assert tuple(map(round, reader.pages[0].mediabox[2:])) == size
    text = "\n".join(pages_of(pdf))
    for heading in [
        "1.1 Hard-Coding Networks [10 pts]",
        "1.2 Backpropagation",
        "Computation Graph [5 pts]",
        "Backward Pass [5 pts]",
        "1.3 Automatic Differentiation",
        "Compute Hessian [5 pts]",
        "Computation Cost [5 pts]",
        "1.3.1 Vector-Hessian Products [10 pts]",
    ]:
        assert heading in text
    assert "\\" not in text and "$" not in text and "⊙" in text
    allowed = ("Libertinus", "NewCM", "DejaVu")  # what typst brings with it
    assert all(font.startswith(allowed) for font in fonts_of(pdf))


@pytest.mark.parametrize("name", make_written.TITLES)
def test_saved_pdfs_are_up_to_date(name):
    """Compared by their text: another version of pandoc may move a line."""
    saved = (make_written.WRITTEN / f"{name}.pdf").read_bytes()
    words = [" ".join(pages_of(pdf)).split() for pdf in (saved, make_pdf(name, "a4"))]
    assert words[0] == words[1], "run  python -m tools.make_written"


def test_marks_add_up():
    marks = [int(mark) for mark in re.findall(r"\[(\d+) pts\]", PROBLEMS)]
    assert sum(marks) == 40 and "40 points" in PROBLEMS
    assert re.findall(r"\[(\d+) pts\]", SOLUTIONS) == list(map(str, marks))


def run_tool(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tools.make_written", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_command(tmp_path):
    result = run_tool("--paper", "letter", "-o", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["problems.pdf", "solutions.pdf"]
    assert result.stdout.split() == [str(tmp_path / f"{name}.pdf") for name in make_written.TITLES]


def test_command_says_what_is_wrong(tmp_path):
    result = run_tool("-o", str(tmp_path / "nowhere"))
    assert result.returncode == 1 and "create it first" in result.stderr
    assert "Traceback" not in result.stderr
    assert run_tool("--paper", "a3").returncode == 2


# Typesetting in general


@pytest.mark.parametrize(
    "markdown, message",
    [
        (r"A \foo{word} here.", "outside of math"),
        (r"\begin{tabular}{c} a \end{tabular}", "outside of math"),
        (r"$\nosuchmacro{x}$", "nosuchmacro"),
        ("![](missing.png)", "missing.png"),
    ],
)
def test_nothing_is_dropped_silently(markdown, message, tmp_path):
    with pytest.raises(typeset.TypesetError, match=message):
        typeset.markdown_to_pdf(markdown, tmp_path)


def test_unknown_paper_is_refused():
    with pytest.raises(typeset.TypesetError, match="a4, letter"):
        typeset.markdown_to_pdf("text", paper="a3")


@pytest.mark.parametrize("name", ["align", "align*", "equation", "gather*", "multline"])
def test_bare_environments_become_formulas(name):
    formula = rf"\begin{{{name}}} a = b \end{{{name}}}"
    inline = typeset.markdown_to_typst(f"Text {formula} text.")
    block = typeset.markdown_to_typst(f"Text.\n\n{formula}\n\nText.")
    for source in (inline, block):
        assert re.search(r"\$ a ?&? ?= b", source)


@pytest.mark.parametrize(
    "nested, side_by_side",
    [
        (r"{\mathbf{W}^{(1)}}^\top", r"\mathbf{W}^{(1) \top}"),
        (r"{W^{(1)}}^T", "W^{(1) T}"),
        (r"{W_2^{(g)}}^{T}", "W_2^{(g) T}"),
        (r"{x_i^2}^\prime", r"x_i^{2 \prime}"),
    ],
)
def test_two_exponents_stay_beside_each_other(nested, side_by_side):
    sources = [typeset.markdown_to_typst(f"${latex}$") for latex in (nested, side_by_side)]
    assert sources[0] == sources[1]


def test_exponent_of_a_bar_stays_outside():
    assert typeset.markdown_to_typst(r"$\overline{W^2}^T$").strip() == "$overline(W^2)^T$"


def test_newpage_and_code_and_symbols():
    markdown = "one $\\odot\\otimes\\cap$\n\n\\newpage\n\ntwo\n\n```python\nx = 1\n```\n"
    pages = pages_of(typeset.markdown_to_pdf(markdown))
    assert len(pages) == 2
    assert "⊙⊗∩" in pages[0].replace(" ", "") and "x = 1" in pages[1]


def test_no_system_font_is_used():
    pdf = typeset.compile_typst('#set text(font: ("Liberation Sans", "DejaVu Sans", "Arial"))\na')
    assert all(font.startswith("Libertinus") for font in fonts_of(pdf))


def pieces_of(pdf):
    """(text, x, y, font size) of the pieces of text of all pages, lengths in points."""
    pieces = []

    def visit(text, cm, tm, font, size):
        if text.strip():
            pieces.append((text.strip(), cm[0] * tm[4] + cm[4], tm[5], size * tm[0] * cm[0]))

    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        page.extract_text(visitor_text=visit)
    return pieces


RIGHT_MARGIN = 595 - 60  # points, of A4; the text ends at 530


def test_wide_formula_stays_on_the_page():
    formula = "$$" + "+".join(f"x_{{{i}}}" for i in range(60)) + "$$"
    assert max(x for _, x, _, _ in pieces_of(typeset.markdown_to_pdf(formula))) < RIGHT_MARGIN


@pytest.mark.parametrize(
    "markdown", ["```\n" + "a" * 400 + " " + "word " * 60 + "\n```", "`" + "z" * 300 + "`"]
)
def test_long_code_is_wrapped(markdown):
    width = 0.602 * 8.3  # of a character of the code font
    for page in pages_of(typeset.markdown_to_pdf(markdown)):
        lines = page.replace("\u200b", "").splitlines()
        assert max(map(len, lines)) * width < RIGHT_MARGIN - 60


def test_cells_of_a_table_with_many_columns_do_not_overlap():
    table = "\n".join("|" + "|".join([cell] * 24) + "|" for cell in ("head", "---", "1234567"))
    cells = [p for p in pieces_of(typeset.markdown_to_pdf(table)) if p[0] == "1234567"]
    assert len(cells) == 24
    for (_, x, _, size), (_, next_x, _, _) in zip(cells, cells[1:]):
        assert x + 7 * 0.45 * size < next_x < RIGHT_MARGIN
