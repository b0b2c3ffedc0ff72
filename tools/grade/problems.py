"""The problems on which the functions of a submission are judged.

The same code makes them where a submission runs, with its own classes, and where its results are
compared, with those of the reference: the same seed gives the same numbers in both.
"""

from dataclasses import dataclass

import numpy as np

from checking import PARAMETERS, parameter_shapes

FUNCTIONS = {  # and the tensors that they return
    "grad_GLoVe": ("grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde"),
    "compute_loss_derivative": ("loss_derivative",),
    "back_propagate": tuple(PARAMETERS),
}


@dataclass(frozen=True)
class Problem:
    """Sizes of a problem: N words in a window, D dimensions, H hidden units, B windows.

    V: words in the vocabulary; None stands for that of the notebook, and for the assignment's
    sizes. model: of GLoVe, "asymmetric" or "symmetric".
    """

    V: int = None
    N: int = 4
    D: int = 16
    H: int = 128
    B: int = 7
    model: str = ""
    seed: int = 0


SMALL = {"V": 9, "N": 3, "D": 5, "H": 8, "B": 11}  # no two of a tensor's sizes are equal


def problems_of(function):
    """The Problems of a function, for each model two of the assignment's sizes and a small one."""
    models = ("asymmetric", "symmetric") if function == "grad_GLoVe" else ("",)
    return [
        Problem(**sizes, model=model, seed=seed)
        for model in models
        for seed, sizes in enumerate(({"B": 7}, {"B": 6}, SMALL))
    ]


def arguments_of(function, problem, namespace):
    """The arguments of a call, a tuple.

    namespace: definitions of a notebook, a dict with vocab and, for the network, its classes.
    """
    random = np.random.RandomState(problem.seed)
    vocab = namespace["vocab"]
    if problem.V is not None:
        vocab = ["[MASK]", *(f"word{i}" for i in range(1, problem.V))]
    if function == "grad_GLoVe":
        V = len(vocab)
        W, W_tilde = random.randn(2, V, problem.D)
        b, b_tilde = random.randn(2, V, 1)
        if problem.model == "symmetric":
            W_tilde = b_tilde = None
        return W, W_tilde, b, b_tilde, 2 * random.randn(V, V)
    return network_arguments(function, problem, vocab, namespace, random)


def network_arguments(function, problem, vocab, namespace, random):
    """A model with random parameters, and what training gives the function for a masked batch."""
    V, N, B = len(vocab), problem.N, problem.B
    shapes = parameter_shapes(N, V, problem.D, problem.H)
    params = {name: random.randn(*shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}
    model = namespace["Model"](namespace["Params"](**params), vocab)
    words = random.randint(1, V, size=(B, N))
    words[1:3] = words[0]  # repeated words
    mask = np.eye(N, dtype=int)[np.arange(B) % N]  # each position is masked in some window
    activations = model.compute_activations(words * (1 - mask))
    targets = model.indicator_matrix(words * mask)
    if function == "compute_loss_derivative":
        return model, activations.output_layer, targets, mask[:, :, np.newaxis].astype(float)
    # Like the derivative of a loss: 0 where nothing is masked, a sum of 0 in each masked chunk.
    in_chunk = np.repeat(mask, V, axis=1)  # (B, N V)
    derivative = random.randn(B, N * V) * in_chunk
    derivative -= in_chunk * derivative.sum(axis=1, keepdims=True) / V
    return model, words * (1 - mask), activations, derivative


def named_results(function, result):
    """What a function returned, as a dict from the names of the tensors to values."""
    if function == "compute_loss_derivative":
        return {"loss_derivative": result}
    if function == "grad_GLoVe":
        is_complete = isinstance(result, (tuple, list)) and len(result) == 4
        return dict(zip(FUNCTIONS[function], result)) if is_complete else {}
    if isinstance(result, dict):
        return result
    return {name: getattr(result, name, None) for name in FUNCTIONS[function]}
