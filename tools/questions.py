"""The questions of the notebook: number, title, marks, and the cells that hold them.

What makes the PDF, releases and grades refers to this table. Students get it too, so what a full
answer contains stands in another file.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question of the handout.

    grade_id: nbgrader's name of the cell in which the student writes or that shows the result.
    marks: those of the handout, which nbgrader's metadata repeat.
    is_written: whether it is answered in words, which a human marks.
    """

    number: str
    title: str
    grade_id: str
    marks: int
    is_written: bool = False

    @property
    def heading(self):
        """How the title of its section in the notebook begins, "### 2.1.1"."""
        return ("## " if self.number.count(".") == 1 else "### ") + self.number


QUESTIONS = (
    Question("2.1.1", "Number of parameters", "q2_1_1", 1, is_written=True),
    Question("2.1.2", "The gradient on paper", "q2_1_2", 6, is_written=True),
    Question("2.1.3", "The gradient in code", "grad_GLoVe", 6),
    Question("2.1.4", "What the dimension does", "q2_1_4", 3, is_written=True),
    Question("2.2.1", "The gradient at the outputs", "compute_loss_derivative", 8),
    Question("2.2.2", "The gradient of the parameters", "back_propagate", 8),
    Question("2.2.3", "Print the gradients", "print_gradients", 8),
    Question("2.2.4", "Train the model", "train", 2),
    Question("2.3", "Arithmetic and analysis", "q2_3", 8, is_written=True),
)
