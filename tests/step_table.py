"""Measure the table in the docstring of `checking.derivative_along`:  python -m tests.step_table

For each step: the error of a right gradient, the largest over six tensors and ten networks of the
size of the assignment, and the error of a gradient of which one entry is wrong by 1 % of the
largest entry, the smallest over the same. Errors are relative to the largest of the derivatives
along the directions, as `checking.TOLERANCE` is.
"""

import contextlib
import io
from unittest import mock

import numpy as np

import checking
from tests.right_implementations import Model, random_problem

EXPONENTS = (3, 7, 9, 11, 13, 15, 20)
SIZES = {"V": 251, "D": 16, "H": 128, "B": 100, "scale": 0.3}


def tensors_of(seed):
    """The six tensors that `check_gradients` judges, for a network with right gradients."""
    params, vocab, inputs, mask = random_problem(seed, **SIZES)
    batch = checking._Batch(Model(params, vocab), inputs, mask)
    judged = []
    keep = mock.patch.object(checking, "_print_verdicts", judged.extend)
    with keep, contextlib.redirect_stdout(io.StringIO()):
        checking._judge_loss_derivative(batch)
        checking._judge_back_propagate(batch)
    return judged


def errors(tensor, step):
    """(error of the right gradient, error after one entry went wrong), relative."""
    measured = np.array(
        [
            checking.derivative_along(tensor.loss, tensor.point, direction, step)
            for direction in tensor.directions
        ]
    )
    right = np.array([np.sum(tensor.claim * direction) for direction in tensor.directions])
    entry = np.abs(tensor.claim).argmax()
    change = 0.01 * tensor.claim.flat[entry]
    wrong = right + change * tensor.directions.reshape(len(right), -1)[:, entry]
    scale = np.abs(measured).max()
    return np.abs(right - measured).max() / scale, np.abs(wrong - measured).max() / scale


def table(seeds):
    """Rows (exponent, largest error of a right gradient, smallest error of a wrong one)."""
    tensors = [tensor for seed in seeds for tensor in tensors_of(seed)]
    rows = []
    for exponent in EXPONENTS:
        right, wrong = np.transpose([errors(tensor, 2.0**-exponent) for tensor in tensors])
        rows.append((exponent, right.max(), wrong.min()))
    return rows


if __name__ == "__main__":
    print("    step      error if all is right   error if one entry is wrong by 1 %")
    for exponent, right, wrong in table(range(10)):
        print(f"    2**-{exponent:<5} {right:<23.0e} {wrong:.0e}")
