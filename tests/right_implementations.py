"""A plain model for the tests of the checker, and right implementations in many styles.

`Model` has what a student is given. What a student writes is in the lists `GLOVE`,
`LOSS_DERIVATIVE` and `BACK_PROPAGATE`: the plain function, and variants of it with a piece of the
source replaced by another that does the same. The checker can tell them apart by the layout of
their arrays, by the rounding of their sums, or by what they use of their arguments, and has to pass
every one.
"""

import inspect
import linecache
import textwrap
from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np


@dataclass
class Params:
    word_embedding_weights: np.ndarray  # (V, D)
    embed_to_hid_weights: np.ndarray  # (H, ND)
    hid_bias: np.ndarray  # (H,)
    hid_to_output_weights: np.ndarray  # (NV, H)
    output_bias: np.ndarray  # (NV,)


@dataclass
class Activations:
    embedding_layer: np.ndarray  # (B, ND)
    hidden_layer: np.ndarray  # (B, H)
    output_layer: np.ndarray  # (B, NV)


class Model:
    """The network of part 2, in the plainest code, with the two gaps filled by plain solutions."""

    def __init__(self, params, vocab):
        self.params, self.vocab = params, vocab

    def indicator_matrix(self, targets, mask_zero_index=True):
        V = len(self.vocab)
        expanded = np.zeros(targets.shape + (V,))
        for index in np.ndindex(targets.shape):
            if targets[index] != 0 or not mask_zero_index:
                expanded[index + (targets[index],)] = 1
        return expanded.reshape(len(targets), -1)

    def compute_activations(self, inputs):
        params = self.params
        embedding_layer = params.word_embedding_weights[inputs].reshape(len(inputs), -1)
        to_hidden = embedding_layer @ params.embed_to_hid_weights.T + params.hid_bias
        hidden_layer = (1 + np.tanh(to_hidden / 2)) / 2
        z = hidden_layer @ params.hid_to_output_weights.T + params.output_bias
        chunks = z.reshape(*inputs.shape, len(self.vocab))
        powers = np.exp(chunks - chunks.max(axis=2, keepdims=True))
        output_layer = (powers / powers.sum(axis=2, keepdims=True)).reshape(z.shape)
        return Activations(embedding_layer, hidden_layer, output_layer)

    def compute_loss_derivative(self, y, t, m):
        shape = y.shape
        y, t = y.reshape(*m.shape[:2], -1), t.reshape(*m.shape[:2], -1)
        derivative = (y - t) * m
        return derivative.reshape(shape)

    def back_propagate(self, i, a, d):
        p, E, S = self.params, a.embedding_layer, a.hidden_layer
        W1, W2 = p.embed_to_hid_weights, p.hid_to_output_weights
        slope = S * (1 - S)
        h = d @ W2 * slope
        e = (h @ W1).reshape(*i.shape, -1)
        word_embedding = np.zeros_like(p.word_embedding_weights)
        np.add.at(word_embedding, i, e)
        gradient = Params(
            output_bias=d.sum(axis=0),
            hid_to_output_weights=d.T @ S,
            hid_bias=h.sum(axis=0),
            embed_to_hid_weights=h.T @ E,
            word_embedding_weights=word_embedding,
        )
        return gradient


def cross_entropy(z, words, mask):
    """The loss by its definition, for autograd: of inputs z (B, NV) of the softmax."""
    V, total = z.shape[1] // mask.shape[1], 0.0
    for i, n in zip(*np.nonzero(mask)):
        chunk = z[i, n * V : (n + 1) * V]
        total = total + anp.log(anp.sum(anp.exp(chunk))) - chunk[words[i, n]]
    return total


def loss_of_model(arrays, inputs, words, mask):
    """The loss of the network, for autograd: a function of a dict of arrays; inputs: masked."""
    rows = [anp.concatenate([arrays["word_embedding_weights"][i] for i in row]) for row in inputs]
    a = anp.dot(anp.array(rows), arrays["embed_to_hid_weights"].T) + arrays["hid_bias"]
    z = anp.dot(1 / (1 + anp.exp(-a)), arrays["hid_to_output_weights"].T) + arrays["output_bias"]
    return cross_entropy(z, words, mask)


def random_problem(seed, V=30, N=4, D=3, H=7, B=16, scale=0.6):
    """Parameters, vocabulary, windows and mask; some words occur often, some never."""
    random = np.random.RandomState(seed)
    params = Params(
        random.randn(V, D) * scale,
        random.randn(H, N * D) * scale,
        random.randn(H) * scale,
        random.randn(N * V, H) * scale,
        random.randn(N * V) * scale,
    )
    # the last word never occurs; the likelihood of the others falls with their index
    odds = 1 / np.arange(1, V - 1)
    inputs = random.choice(np.arange(1, V - 1), size=(B, N), p=odds / odds.sum()).astype(np.int32)
    mask = np.eye(N, dtype=int)[random.permutation(np.arange(B) % N)]
    return params, ["[MASK]"] + [f"word{i}" for i in range(1, V)], inputs, mask


def replaced(function, old, new, **more):
    """The function with a piece of its source, which stands there once, replaced.

    more: names that the new piece uses.
    """
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, old
    lines, file = source.replace(old, new).splitlines(keepends=True), f"<{old} -> {new}>"
    linecache.cache[file] = len(source), None, lines, file  # messages show lines of it
    names = function.__globals__ | more
    exec(compile("".join(lines), file, "exec"), names)
    names[function.__name__].__qualname__ = file
    return names[function.__name__]


def all_replaced(function, table):
    """The function, and one for each of the pieces in a table {old: pieces that do the same}."""
    pieces = [(old, new) for old, pieces in table.items() for new in pieces]
    return [function, *(replaced(function, old, new) for old, new in pieces)]


# grad_GLoVe


def loss_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
    if W_tilde is None:
        W_tilde, b_tilde = W, b
    return np.sum((W @ W_tilde.T + b + b_tilde.T - log_co_occurrence) ** 2)


def grad_GLoVe(W, T, b, c, X):
    if T is None:
        E = W @ W.T + b + b.T - X
        S = E + E.T
        return 2 * S @ W, None, 2 * S.sum(axis=1)[:, None], None
    E = W @ T.T + b + c.T - X
    return 2 * E @ T, 2 * E.T @ W, 2 * E.sum(axis=1)[:, None], 2 * E.sum(axis=0)[:, None]


GLOVE = all_replaced(
    grad_GLoVe,
    {
        "W @ T.T + b + c.T - X": ["np.array([T @ w + v + c[:, 0] for w, v in zip(W, b)]) - X"],
        "2 * E @ T": ["2 * (T.T @ E.T).T"],
        "2 * E.T @ W": ["np.asfortranarray(2 * E.T @ W)"],
        "2 * E.sum(axis=1)[:, None]": ["(2 * E.mean(axis=1) * len(c)).reshape(-1, 1)"],
        "2 * E.sum(axis=0)[:, None]": ["np.atleast_2d(2 * E.sum(axis=0)).T"],
        "2 * S @ W": ["2 * (E @ W + E.T @ W)"],
        "S = E + E.T": ["S = W @ W.T + b + b.T - X.T; S += E", "S = E.copy(); S += E.T"],
        "E = W @ T.T + b": ["E = W @ T.T; E += b; E = E"],  # + c.T - X
        "if T is None": ["if c is None"],
    },
)


# compute_loss_derivative(self, output_activations, expanded_target_batch, target_mask)


def derivative_in_a_buffer(self, y, t, m):
    """The same array is returned again and again, filled again."""
    if getattr(type(self), "buffer", None) is None or type(self).buffer.shape != y.shape:
        type(self).buffer = np.empty_like(y)
    type(self).buffer[:] = Model.compute_loss_derivative(self, y, t, m)
    return type(self).buffer


LOSS_DERIVATIVE = [derivative_in_a_buffer]
LOSS_DERIVATIVE += all_replaced(
    Model.compute_loss_derivative,
    {
        "(y - t) * m": [
            "y * m - t",
            "np.where(m, y - t, -0.0)",
            "(y - t) * t.sum(axis=2, keepdims=True)",
            "(m.transpose(0, 2, 1) * (y - t).transpose(0, 2, 1)).transpose(0, 2, 1)",
            "((y.astype(np.longdouble) - t) * m).astype(np.float64)",
            "np.zeros_like(y); derivative[m[..., 0] > 0] = (y - t)[m[..., 0] > 0]",
            "y - t; derivative[m[..., 0] == 0] = 0",
        ],
        "derivative.reshape(shape)": ["np.asfortranarray(derivative.reshape(shape))"],
    },
)


# back_propagate(self, input_batch, activations, loss_derivative)


BACK_PROPAGATE = all_replaced(
    Model.back_propagate,
    {
        "d.sum(axis=0)": ["d.mean(axis=0) * len(d)", "d[::-1].cumsum(axis=0)[-1].copy()"],
        "d.T @ S": ["(S.T @ d).T", "np.matmul(d.T, S, out=np.empty_like(W2))"],
        "slope = S * (1 - S)": [
            "slope = S - S**2",
            "S = self.compute_activations(i).hidden_layer; slope = S * (1 - S)",
            "slope = (1 - S) / (1 / np.maximum(S, 1e-300))",
            # The loss does not depend on what is shown, so its derivative there is 0.
            "slope = S * (1 - S); assert not d.reshape(*i.shape, -1)[i > 0].any()",
        ],
        "d @ W2 * slope": ["d @ W2; h *= slope"],
        "h.T @ E": ["h.T @ p.word_embedding_weights[i].reshape(E.shape)"],
        "np.zeros_like(p.word_embedding_weights)": ["0 * p.word_embedding_weights"],
        "np.add.at(word_embedding, i, e)": [
            "for word in np.unique(i): word_embedding[word] = e[i == word].sum(axis=0)",
            "word_embedding = np.array([e[i == k].sum(0) for k in range(len(self.vocab))])",
            "word_embedding += np.eye(len(self.vocab))[:, i.ravel()] @ e.reshape(i.size, -1)",
            "word_embedding = np.transpose([np.bincount(i.flat, x, len(self.vocab))"
            " for x in e.reshape(i.size, -1).T])",
        ],
        "return gradient": [
            "return type(p)(**vars(gradient))",
            "return Params(*map(np.asfortranarray, vars(gradient).values()))",
        ],
    },
)
