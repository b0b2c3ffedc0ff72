"""The figures of the written problems, drawn from the networks and costs of the solutions.

What a node is can be told without colour: data are grey, parameters are in boxes.
"""

import io

import matplotlib
from matplotlib.figure import Figure

from written.backprop import STEPS, needs
from written.hessian import FORMULAS, FORWARD, REVERSE
from written.network import STRICT

CENTIMETRE = 1 / 2.54  # in inches
SETTINGS = {
    "font.family": "STIXGeneral",
    "font.size": 9,
    "mathtext.fontset": "cm",
    "svg.hashsalt": "hw1",  # so that every run gives the same bytes
}
KINDS = {
    "variable": {"boxstyle": "circle,pad=0.3", "facecolor": "white", "edgecolor": "black"},
    "data": {"boxstyle": "circle,pad=0.3", "facecolor": "0.84", "edgecolor": "black"},
    "parameter": {"boxstyle": "round,pad=0.35", "facecolor": "0.96", "edgecolor": "0.45"},
}
GRAPH = {  # place of each variable, in cm, and its label
    "x": (0, 0, r"\mathbf{x}", "data"),
    "a1": (2, 1.6, r"\mathbf{a}_1", "variable"),
    "c1": (4, 1.6, r"\mathbf{c}_1", "variable"),
    "a2": (2, -1.6, r"\mathbf{a}_2", "variable"),
    "u": (4, -1.6, r"\mathbf{u}", "variable"),
    "c2": (5.9, -1.6, r"\mathbf{c}_2", "variable"),
    "g": (7.7, 0, r"\mathbf{g}", "variable"),
    "y": (9.6, 0, r"\mathbf{y}", "variable"),
    "y_prime": (11.5, 0, r"\mathbf{y}'", "variable"),
    "S": (13.3, 0, r"\mathcal{S}", "variable"),
    "J": (15, 0, r"\mathcal{J}", "variable"),
    "t": (13.3, -1.6, r"\mathbf{t}", "data"),
    "W1": (1.3, 3.1, r"\mathbf{W}^{(1)}", "parameter"),
    "b1": (2.7, 3.1, r"\mathbf{b}^{(1)}", "parameter"),
    "W2": (1.3, -3.1, r"\mathbf{W}^{(2)}", "parameter"),
    "b2": (2.7, -3.1, r"\mathbf{b}^{(2)}", "parameter"),
    "Wg": (6.9, 1.7, r"\mathbf{W}^{(g)}", "parameter"),
    "bg": (8.2, 1.7, r"\mathbf{b}^{(g)}", "parameter"),
    "W3": (9.6, 1.7, r"\mathbf{W}^{(3)}", "parameter"),
    "W4": (11, 1.7, r"\mathbf{W}^{(4)}", "parameter"),
}
BELOW = -4.1  # where the arrow from x to y runs


def canvas(left, right, bottom, top):
    """A figure and its axes, whose units are centimetres."""
    figure = Figure(((right - left) * CENTIMETRE, (top - bottom) * CENTIMETRE))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
    axes.axis("off")
    return figure, axes


def draw_node(axes, x, y, label, kind="variable"):
    size = 9 if kind == "parameter" else 11
    axes.text(x, y, f"${label}$", size=size, ha="center", va="center", bbox=KINDS[kind], zorder=2)


def draw_arrow(axes, start, end, style="-", shrink=11):
    """An arrow between the centres of two nodes, from outline to outline."""
    arrow = {"arrowstyle": "-|>", "color": "black", "linestyle": style, "linewidth": 0.8}
    axes.annotate("", end, start, arrowprops=arrow | {"shrinkA": 0, "shrinkB": shrink}, zorder=1)


def edges():
    """Pairs (needed, variable) of the computation graph."""
    return [(needed, name) for name in STEPS for needed in needs(name)]


def draw_graph():
    figure, axes = canvas(-0.7, 15.7, -4.3, 3.7)
    for start, end in edges():
        start, end = (GRAPH[name][:2] for name in (start, end))
        if (start, end) == (GRAPH["x"][:2], GRAPH["y"][:2]):
            axes.plot([start[0], start[0], end[0]], [start[1], BELOW, BELOW], "k", lw=0.8, zorder=1)
            start = (end[0], BELOW)
        draw_arrow(axes, start, end)
    for node in GRAPH.values():
        draw_node(axes, *node)
    return figure


def draw_network(solved=False):
    """The architecture of problem 1.1; or the solution, whose weights are drawn as lines."""
    figure, axes = canvas(-0.8, 13.4, -2.9, 2.8)
    x = [(0, height) for height in (1.95, 0.65, -0.65, -1.95)]
    h = [(5, height) for height in (1.3, 0, -1.3)]
    y = (11, 0)
    styles = {1: "-", -1: "--"}
    for j, hidden in enumerate(h):
        for i, point in enumerate(x):
            if STRICT.W1[j, i] or not solved:
                draw_arrow(axes, point, hidden, styles[STRICT.W1[j, i]] if solved else "-")
        draw_arrow(axes, hidden, y)
    for i, point in enumerate(x, start=1):
        draw_node(axes, *point, f"x_{i}", "data")
    for i, point in enumerate(h, start=1):
        draw_node(axes, *point, f"h_{i}")
    draw_node(axes, *y, "y")
    captions = {(0, -2.7): "inputs", (5, -2.7): "hidden units", (11, -2.7): "output"}
    if solved:
        captions |= {
            (5, -2.7): "biases 0",
            (11, -2.7): "bias $-2.5$",
            (7.2, 1.5): "$x_2 > x_1$ ?",
            (7.1, 0.28): "$x_3 > x_1 + x_2$ ?",
            (7.8, -1.35): "$x_4 > x_1 + x_2 + x_3$ ?",
            (11, 0.85): "$h_1 + h_2 + h_3 > 2.5$ ?",
        }
    else:
        captions |= {
            (2.5, 2.4): r"$\mathbf{W}^{(1)},\ \mathbf{b}^{(1)}$",
            (5, 2.2): r"$\phi_1$",
            (8, 1.4): r"$\mathbf{w}^{(2)},\ b^{(2)}$",
            (11, 0.9): r"$\phi_2$",
        }
    for place, caption in captions.items():
        axes.text(*place, caption, ha="center", va="center")
    return figure


def draw_costs(n=100):
    """Multiplications of the two modes against the shape of Z, both divided by powers of n."""
    figure = Figure((12 * CENTIMETRE, 7 * CENTIMETRE), layout="constrained")
    axes = figure.subplots()
    ratios = [0, 0.5, 1, 1.5, 2]
    for order, style, label in [
        (FORWARD, "-", "forward, $2n^2 + nm$"),
        (REVERSE, "--", "reverse, $3nm$"),
    ]:
        counts = [FORMULAS[order](n, round(ratio * n))[0] / n**2 for ratio in ratios]
        axes.plot(ratios, counts, style, color="black", label=label)
    axes.axvline(1, color="black", linestyle=":", linewidth=0.8)
    axes.text(0.93, 5, "tall $\\mathbf{Z}$: reverse mode", ha="right")
    axes.text(1.07, 0.5, "wide $\\mathbf{Z}$: forward mode")
    axes.set(xlabel="$m / n$", ylabel="multiplications, in units of $n^2$")
    axes.set(xlim=(0, 2), ylim=(0, 6), xticks=ratios)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.78))
    return figure


FIGURES = {
    "network.svg": draw_network,
    "network_solved.svg": lambda: draw_network(solved=True),
    "graph.svg": draw_graph,
    "costs.svg": draw_costs,
}


def svg_of(name):
    """Bytes of a figure, the same at every run."""
    stream = io.BytesIO()
    with matplotlib.rc_context(matplotlib.rcParamsDefault | SETTINGS):
        FIGURES[name]().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
