"""Problem 1.1: networks that recognise superincreasing sequences of four numbers.

Both work in the arithmetic of their input: floats, integers, or `fractions.Fraction` in an
object array, with which nothing is rounded.
"""

from typing import NamedTuple

import numpy as np


def strict_threshold(z):
    """1 where z > 0, else 0; the convention of the problem."""
    return (z > 0).astype(int)


def nonstrict_threshold(z):
    """1 where z >= 0, else 0."""
    return (z >= 0).astype(int)


def indicator(z):
    """1 where -1 <= z <= 1, else 0."""
    return ((z >= -1) & (z <= 1)).astype(int)


class Network(NamedTuple):
    W1: np.ndarray  # (3, 4)
    b1: np.ndarray  # (3,)
    w2: np.ndarray  # (3,)
    b2: float
    phi1: callable
    phi2: callable

    def hidden(self, x):
        """Hidden units for x (..., 4), an array (..., 3) of 0 and 1."""
        return self.phi1(x @ self.W1.T + self.b1)

    def __call__(self, x):
        """Outputs for x (..., 4), an array (...) of 0 and 1."""
        return self.phi2(self.hidden(x) @ self.w2 + self.b2)


# Row i of the differences is x[i+1] minus everything before it: positive iff condition i holds.
DIFFERENCES = np.array([[-1, 1, 0, 0], [-1, -1, 1, 0], [-1, -1, -1, 1]])
NO_BIASES = np.zeros(3, int)
SUM = np.ones(3, int)  # the weights that add the hidden units up

# A hidden unit is 1 iff its condition holds; the output, iff all three are 1.
STRICT = Network(DIFFERENCES, NO_BIASES, SUM, -2.5, strict_threshold, strict_threshold)
# A hidden unit is 1 iff its condition is broken; the output, iff none is.
NONSTRICT = Network(-DIFFERENCES, NO_BIASES, -SUM, 0.5, nonstrict_threshold, nonstrict_threshold)
# The same hidden layers with the other activation function for the output.
STRICT_INDICATOR = STRICT._replace(b2=-3.5, phi2=indicator)
NONSTRICT_INDICATOR = NONSTRICT._replace(w2=2 * SUM, b2=0, phi2=indicator)
