"""Problem 1.2: the network, one step a line, and its backward pass, one gradient a line.

Sizes: D inputs, H units in each of two branches, G units that join them, N classes. All vectors
are columns, held as one-dimensional arrays; a gradient has the shape of its variable.
"""

import inspect

import numpy as np


def softmax(y):
    """Softmax of y (N,), without overflow."""
    exponentials = np.exp(y - y.max())
    return exponentials / exponentials.sum()


# The variables in the order in which they are computed. The arguments of a step are the variables
# that it needs: the computation graph of the solutions is drawn from them.
STEPS = {
    "a1": lambda W1, x, b1: W1 @ x + b1,  # (H,)
    "c1": lambda a1: 1 / (1 + np.exp(-a1)),  # (H,)
    "a2": lambda W2, x, b2: W2 @ x + b2,  # (H,)
    "u": lambda a1, a2: a1 + a2,  # (H,)
    "c2": lambda u: np.maximum(u, 0),  # (H,)
    "g": lambda Wg, c1, c2, bg: Wg @ np.concatenate([c1, c2]) + bg,  # (G,)
    "y": lambda W3, g, W4, x: W3 @ g + W4 @ x,  # (N,)
    "y_prime": lambda y: softmax(y),  # (N,)
    "S": lambda t, y_prime: t @ np.log(y_prime),  # scalar
    "J": lambda S: -S,  # scalar
}


def needs(variable):
    """Names of the variables that a step of STEPS computes its own from."""
    return list(inspect.signature(STEPS[variable]).parameters)


def forward(leaves, steps=STEPS):
    """All variables of the network.

    Args:
        leaves: dict: x (D,), one-hot t (N,), W1 and W2 (H, D), b1 and b2 (H,), Wg (G, 2H),
            bg (G,), W3 (N, G), W4 (N, D).

    Returns:
        dict, the leaves and what is computed from them.
    """
    values = dict(leaves)
    for name, step in steps.items():
        values[name] = step(*(values[needed] for needed in needs(name)))
    return values


def backward(values):
    """Gradients of J with respect to every variable of `forward`, in the order of the solutions.

    Args:
        values: dict that `forward` returned.

    Returns:
        dict, gradients by name of the variable; J itself has gradient 1.
    """
    v = values
    n_hidden = v["a1"].size
    bar = {"J": 1.0}
    bar["S"] = -bar["J"]
    bar["y_prime"] = bar["S"] * v["t"] / v["y_prime"]
    bar["y"] = v["y_prime"] * (bar["y_prime"] - v["y_prime"] @ bar["y_prime"])
    bar["g"] = v["W3"].T @ bar["y"]
    bar["c1"] = v["Wg"][:, :n_hidden].T @ bar["g"]
    bar["c2"] = v["Wg"][:, n_hidden:].T @ bar["g"]
    bar["u"] = bar["c2"] * (v["u"] > 0)
    bar["a2"] = bar["u"]
    bar["a1"] = bar["c1"] * v["c1"] * (1 - v["c1"]) + bar["u"]
    bar["x"] = v["W1"].T @ bar["a1"] + v["W2"].T @ bar["a2"] + v["W4"].T @ bar["y"]

    bar["W1"], bar["b1"] = np.outer(bar["a1"], v["x"]), bar["a1"]
    bar["W2"], bar["b2"] = np.outer(bar["a2"], v["x"]), bar["a2"]
    bar["Wg"] = np.outer(bar["g"], np.concatenate([v["c1"], v["c2"]]))
    bar["bg"] = bar["g"]
    bar["W3"], bar["W4"] = np.outer(bar["y"], v["g"]), np.outer(bar["y"], v["x"])
    return bar
