"""Problem 1.3: products evaluated in any order, with what they cost counted while they run.

An order is an expression in which parentheses are tuples: `(("v", "vT"), "y")` is (v v^T) y.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Cost:
    """What an evaluation did: multiplications of two numbers, and numbers it had to store."""

    multiplications: int = 0
    memory: int = 0  # entries of all products, intermediate ones and the result
    live: int = 0  # entries of the products that are still needed
    peak: int = 0  # the largest value of `live`

    def product(self, A, B):
        """A (p, q) times B (q, r) -> (p, r), entry by entry, each step counted."""
        (p, q), r = A.shape, B.shape[1]
        C = np.zeros((p, r), np.result_type(A, B))
        self.memory += C.size
        self.live += C.size
        self.peak = max(self.peak, self.live)
        for i in range(p):
            for j in range(r):
                for k in range(q):
                    C[i, j] += A[i, k] * B[k, j]
                    self.multiplications += 1
        return C


def evaluate(order, factors, cost):
    """Value of an order; `cost` counts what it took.

    A product is dropped as soon as the product that needs it is complete.

    Args:
        order: name of a factor, or a pair of orders.
        factors: dict from names to matrices.
        cost: Cost, changed in place.
    """
    if isinstance(order, str):
        return factors[order]
    parts = [evaluate(part, factors, cost) for part in order]
    result = cost.product(*parts)
    cost.live -= sum(value.size for part, value in zip(order, parts) if not isinstance(part, str))
    return result


# z = v v^T y, as the problem defines the two modes.
REVERSE_Z = ("v", ("vT", "y"))
FORWARD_Z = (("v", "vT"), "y")

# Z = v v^T y1 y2^T: each mode keeps its direction; the other three orders are neither.
REVERSE = ("v", ("vT", ("y1", "y2T")))
FORWARD = ((("v", "vT"), "y1"), "y2T")
SCALAR_THEN_RIGHT = ("v", (("vT", "y1"), "y2T"))
SCALAR_THEN_LEFT = (("v", ("vT", "y1")), "y2T")
BOTH_OUTER = (("v", "vT"), ("y1", "y2T"))

# (multiplications, numbers stored) in terms of n and m, as in the solutions.
FORMULAS = {
    REVERSE: lambda n, m: (3 * n * m, 2 * n * m + m),
    FORWARD: lambda n, m: (2 * n * n + n * m, n * n + n + n * m),
    SCALAR_THEN_RIGHT: lambda n, m: (n + m + n * m, 1 + m + n * m),
    SCALAR_THEN_LEFT: lambda n, m: (2 * n + n * m, 1 + n + n * m),
    BOTH_OUTER: lambda n, m: (n * n + n * m + n * n * m, n * n + 2 * n * m),
}


def symmetric_outer(v, cost):
    """v v^T (n, n) for v (n, 1), of which only the lower triangle is computed and stored."""
    n = len(v)
    H = np.zeros((n, n), v.dtype)
    for i in range(n):
        for j in range(i + 1):
            H[i, j] = H[j, i] = v[i, 0] * v[j, 0]  # one number: H[j, i] stands for its mirror
            cost.multiplications += 1
            cost.memory += 1
    return H
