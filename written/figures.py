"""The figures of the written problems: drawn from figures.json and from what the solutions compute.

A figure is a canvas in centimetres, y upwards, that becomes typst and then SVG: its labels are set
in the same fonts as the text around it, and every run gives the same bytes.
"""

import json
from math import hypot
from pathlib import Path

from tools.pdf.typeset import compile_typst
from written.backprop import STEPS, needs
from written.hessian import FORMULAS, FORWARD, REVERSE
from written.network import STRICT

DATA = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

NODE_RADIUS = 0.42  # cm
# What a node is can be told without colour: by its outline and its grey.
OUTLINES = {
    "variable": "radius: 50%, fill: white, stroke: 0.9pt",
    "data": "radius: 50%, fill: luma(215), stroke: 0.9pt",
    "weight": "radius: 2pt, fill: luma(245), stroke: 0.5pt + luma(110)",
}
TEXT_SIZES = {"variable": "10.5pt", "data": "10.5pt", "weight": "8.5pt"}


class Canvas:
    """Collects typst code that draws at given points."""

    def __init__(self, size, origin):
        self.size, self.origin = size, origin
        self.code = []

    def point(self, x, y):
        """Typst coordinates of a point: from the upper left corner, y downwards."""
        return f"({self.origin[0] + x:.3f}cm, {self.size[1] - self.origin[1] - y:.3f}cm)"

    def line(self, points, stroke="0.8pt"):
        steps = ", ".join(f"curve.line({self.point(*point)})" for point in points[1:])
        self.code.append(
            f"#place(curve(stroke: {stroke}, curve.move({self.point(*points[0])}), {steps}))"
        )

    def arrow(self, points, stroke="0.8pt", gap=NODE_RADIUS):
        """A line between the centres of two nodes, from outline to outline, with a head."""
        start = towards(points[0], points[1], gap)
        tip = towards(points[-1], points[-2], gap)
        back = towards(tip, points[-2], 0.22)
        across = (0.35 * (back[1] - tip[1]), 0.35 * (tip[0] - back[0]))
        corners = [
            tip,
            (back[0] + across[0], back[1] + across[1]),
            (back[0] - across[0], back[1] - across[1]),
        ]
        self.line([start, *points[1:-1], back], stroke)
        head = ", ".join(self.point(*corner) for corner in corners)
        self.code.append(f"#place(polygon(fill: black, {head}))")

    def node(self, at, label, kind="variable"):
        side = 2 * NODE_RADIUS
        corner = self.point(at[0] - NODE_RADIUS, at[1] + NODE_RADIUS)
        self.code.append(
            f"#at({corner}, box(width: {side}cm, height: {side}cm, {OUTLINES[kind]}, "
            f"align(center + horizon, text({TEXT_SIZES[kind]}, ${label}$))))"
        )

    def label(self, at, label):
        """Text centred at a point, on white, so that no line runs through it."""
        corner = self.point(at[0] - 3, at[1] + 0.3)
        self.code.append(
            f"#at({corner}, box(width: 6cm, height: 0.6cm, align(center + horizon, "
            f"box(fill: white, inset: 1.5pt, ${label}$))))"
        )

    def svg(self):
        width, height = self.size
        head = (
            f"#set page(width: {width}cm, height: {height}cm, margin: 0pt, fill: white)\n"
            '#set text(font: "Libertinus Serif", size: 10.5pt)\n'
            '#show math.equation: set text(font: "New Computer Modern Math")\n'
            "#let at(corner, body) = place(dx: corner.at(0), dy: corner.at(1), body)\n"
        )
        return compile_typst(head + "\n".join(self.code), format="svg")


def towards(start, end, distance):
    """The point that lies `distance` from `start` on the way to `end`."""
    step = distance / hypot(end[0] - start[0], end[1] - start[1])
    return (start[0] + step * (end[0] - start[0]), start[1] + step * (end[1] - start[1]))


def edges():
    """Pairs (needed, variable) of the computation graph."""
    return [(needed, name) for name in STEPS for needed in needs(name)]


def draw_graph():
    data = DATA["graph"]
    canvas = Canvas(data["size"], data["origin"])
    for start, end in edges():
        detour = data["detours"].get(f"{start} {end}", [])
        ends = (data["nodes"][start]["at"], data["nodes"][end]["at"])
        canvas.arrow([ends[0], *detour, ends[1]])
    for node in data["nodes"].values():
        canvas.node(**node)
    return canvas.svg()


def draw_network(solved=False):
    """The architecture of problem 1.1; or the solution, weights drawn as lines."""
    data = DATA["network"]
    canvas = Canvas(data["size"], data["origin"])
    columns = []
    for column in data["columns"]:
        top = data["spacing"] * (len(column["labels"]) - 1) / 2
        columns.append([(column["x"], top - data["spacing"] * i) for i in range(4)])
    strokes = {1: "1pt", -1: '(thickness: 1pt, dash: "dashed")'}
    for j, hidden in enumerate(columns[1][:3]):
        for i, x in enumerate(columns[0]):
            if not solved:
                canvas.arrow([x, hidden], "0.6pt")
            elif STRICT.W1[j, i]:
                canvas.arrow([x, hidden], strokes[STRICT.W1[j, i]])
        canvas.arrow([hidden, columns[2][0]], strokes[STRICT.w2[j]] if solved else "0.6pt")
    for column, places in zip(data["columns"], columns):
        for label, at in zip(column["labels"], places):
            canvas.node(at, label, column.get("kind", "variable"))
    for caption in DATA["solved" if solved else "network"]["captions"]:
        canvas.label(**caption)
    return canvas.svg()


def draw_costs():
    """Multiplications of the two modes against the shape of Z, both divided by powers of n."""
    data = DATA["costs"]
    n = data["n"]
    x_unit, y_unit = data["unit"]
    canvas = Canvas(data["size"], data["origin"])
    right, top = data["ratios"][-1] * x_unit, data["values"][-1] * y_unit
    canvas.line([(0, top), (0, 0), (right, 0)], "0.6pt")
    for ratio in data["ratios"]:
        canvas.line([(ratio * x_unit, 0), (ratio * x_unit, -0.12)], "0.6pt")
        canvas.label((ratio * x_unit, -0.42), f"{ratio}")
    for value in data["values"]:
        canvas.line([(0, value * y_unit), (-0.12, value * y_unit)], "0.6pt")
        canvas.label((-0.42, value * y_unit), f"{value}")
    canvas.line([(x_unit, 0), (x_unit, top)], '(thickness: 0.6pt, dash: "dotted")')
    for order, stroke in [
        (FORWARD, "1.3pt"),
        (REVERSE, '(thickness: 1.3pt, dash: "dashed")'),
    ]:
        multiplications = [FORMULAS[order](n, round(ratio * n))[0] for ratio in data["ratios"]]
        canvas.line(
            [
                (ratio * x_unit, count / n**2 * y_unit)
                for ratio, count in zip(data["ratios"], multiplications)
            ],
            stroke,
        )
    for caption in data["captions"]:
        canvas.label(**caption)
    return canvas.svg()


FIGURES = {
    "network.svg": draw_network,
    "network_solved.svg": lambda: draw_network(solved=True),
    "graph.svg": draw_graph,
    "costs.svg": draw_costs,
}
