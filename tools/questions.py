"""The questions of the notebook: number, marks, the cells that hold them, and the rubric.

What makes the PDF, releases and grades refers to this table.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question of the handout.

    grade_id: nbgrader's name of the cell in which the student writes or that shows the result.
    marks: those of the handout, which nbgrader's metadata repeat.
    rubric: of a question that a human judges, what a full answer contains, with marks. The
        reference answers in the notebook say the same in full sentences.
    """

    number: str
    title: str
    grade_id: str
    marks: int
    rubric: tuple = ()

    @property
    def is_written(self):
        return bool(self.rubric)

    @property
    def heading(self):
        """How the title of its section in the notebook begins, "### 2.1.1"."""
        return ("## " if self.number.count(".") == 1 else "### ") + self.number


QUESTIONS = (
    Question(
        "2.1.1",
        "Number of parameters",
        "q2_1_1",
        1,
        rubric=("1: 2Vd + 2V, or the equal 2V(d + 1), with a reason",),
    ),
    Question(
        "2.1.2",
        "The gradient on paper",
        "q2_1_2",
        6,
        rubric=(
            "2: the residual of every pair in which word i is the first: a sum over j, factor 2",
            "1: each term times the vector of the other word",
            "2: for the second vectors the sum over the first index, so X_ji and not X_ij",
            "1: the steps from the loss to both, with the other parameters' subscripts right",
        ),
    ),
    Question("2.1.3", "The gradient in code", "grad_GLoVe", 6),
    Question(
        "2.1.4",
        "What the dimension does",
        "q2_1_4",
        3,
        rubric=(
            "1: the best d of each model, read from the student's own run",
            "1: why more dimensions need not help: they fit the counts of the training windows "
            "closer than the validation windows repeat them, or the counts leave nothing more to "
            "fit",
            "1: which model is better, and why: word order makes the matrix unsymmetric, which the "
            "symmetric model cannot represent, whatever its d (that W W^T has no negative "
            "eigenvalues is the smaller part of its loss, and need not be named)",
        ),
    ),
    Question("2.2.1", "The gradient at the outputs", "compute_loss_derivative", 8),
    Question("2.2.2", "The gradient of the parameters", "back_propagate", 8),
    Question("2.2.3", "Print the gradients", "print_gradients", 8),
    Question("2.2.4", "Train the model", "train", 2),
    Question(
        "2.3",
        "Arithmetic and analysis",
        "q2_3",
        8,
        rubric=(
            "2: clusters in the map of the masked model, and what their words have in common",
            "2: how the map of GLoVe compares, with an example",
            "2: how the plain two-dimensional plot compares, with a reason: two dimensions that "
            "were trained for the loss, against neighbourhoods of sixteen",
            "2: the plots are there, and the answers keep to about two sentences each",
        ),
    ),
)
