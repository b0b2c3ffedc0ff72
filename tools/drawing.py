"""Put the pictures in their places that no cell of the notebook draws there.

    python -m tools.drawing

draws the network of Section 2.2 into the notebook, as an attachment of the cell that shows it, and
copies the strip of the embedding that learns from the notebook's outputs to the README's picture.
"""

import base64
import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from tools.common import NOTEBOOK, ROOT, clear_exit, command_parser, write_atomically
from tools.notebook import NotebookError, code_cells, notebook_bytes, read_notebook

NAME = "network.png"
LEARNING = ROOT / "tools" / "learning.png"  # in the README
WINDOW = ["we", "[MASK]", "to", "school"]
GUESSES = [0.15, 0.9, 0.3, 0.1, 0.2]  # heights of the bars: some word is much more likely
BLUE, ORANGE, GREY = "#446aef", "#bb571f", "0.55"
CENTRES = [1.0, 2.5, 4.0, 5.5]
HIDDEN = [0.9 + 0.47 * k for k in range(11)]  # units of the hidden layer


def box(axis, x, y, width, height, colour, text=""):
    """A rectangle around (x, y) with a text in it."""
    corner = x - width / 2, y - height / 2
    axis.add_patch(plt.Rectangle(corner, width, height, ec=colour, fc="white", lw=1.4, zorder=2))
    axis.text(x, y, text, ha="center", va="center", color=colour, zorder=3)


def arrow(axis, start, end, colour=GREY):
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1})


def draw():
    """The figure: inputs at the bottom, outputs at the top, names and shapes on the right."""
    figure, axis = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    axis.set(xlim=(0, 10), ylim=(0, 6.3))
    axis.axis("off")
    for x, word in zip(CENTRES, WINDOW):
        is_masked = word == "[MASK]"
        colour = ORANGE if is_masked else BLUE
        axis.text(x, 0.3, word, ha="center", va="center", color=colour, weight="bold")
        arrow(axis, (x, 0.55), (x, 1.05))
        box(axis, x, 1.3, 1.4, 0.5, colour, "$D$")
        arrow(axis, (x, 1.55), (3.25 + 0.75 * (x - 3.25), 2.6))
        arrow(axis, (3.25 + 0.75 * (x - 3.25), 3.2), (x, 4.15))
        box(axis, x, 4.4, 1.4, 0.5, ORANGE if is_masked else GREY, "$V$")
    for x in HIDDEN:
        axis.add_patch(plt.Circle((x, 2.9), 0.17, ec="black", fc="0.9", zorder=2))
    arrow(axis, (CENTRES[1], 4.65), (CENTRES[1], 5.1), ORANGE)
    for k, height in enumerate(GUESSES):
        bar = plt.Rectangle((1.95 + 0.22 * k, 5.15), 0.18, height, color=ORANGE)
        axis.add_patch(bar)
    axis.text(3.25, 5.5, "a probability for each word:\n$\\it{went}$ is likely", va="center")
    for y, layer, weights in [
        (0.3, "inputs  $(B, N)$", ""),
        (1.3, "embedding_layer  $(B, ND)$", "word_embedding_weights  $(V, D)$"),
        (
            2.9,
            "hidden_layer  $(B, H)$",
            "embed_to_hid_weights  $(H, ND)$,\nhid_bias  $(H,)$; sigmoid",
        ),
        (
            4.4,
            "output_layer  $(B, NV)$",
            "hid_to_output_weights  $(NV, H)$,\noutput_bias  $(NV,)$; softmax",
        ),
    ]:
        axis.text(6.5, y, layer, va="bottom" if weights else "center", weight="bold", size=9)
        axis.text(6.5, y - 0.05, weights, va="top", size=8.5)
    return figure


def png(figure):
    """The bytes of a picture of the figure, the same at every call."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, metadata={"Software": None})
    plt.close(figure)
    return content.getvalue()


def picture_of(notebook, words):
    """The bytes of the picture in a notebook's outputs whose alternative text begins with words."""
    (found,) = [
        output["data"]["image/png"]
        for cell in code_cells(notebook)
        for output in cell.outputs
        if str(output.get("metadata", {}).get("image/png", {}).get("alt")).startswith(words)
    ]
    return base64.b64decode("".join(found))


@clear_exit(NotebookError)
def main():
    command_parser(__doc__).parse_args()
    notebook = read_notebook(NOTEBOOK)
    (cell,) = [cell for cell in notebook.cells if f"attachment:{NAME}" in cell.source]
    cell.attachments = {NAME: {"image/png": base64.b64encode(png(draw())).decode()}}
    write_atomically(NOTEBOOK, notebook_bytes(notebook))
    write_atomically(LEARNING, picture_of(notebook, "five plots"))


if __name__ == "__main__":
    main()
