"""A plain model for the tests of the checker, and right implementations in many styles.

`Model` has what a student is given. What a student writes is in the lists `GLOVE`,
`LOSS_DERIVATIVE` and `BACK_PROPAGATE`; the name of a function says how it does it. The checker has
to pass every one.
"""

from dataclasses import dataclass

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

    def compute_loss(self, output_activations, expanded_target_batch):
        return -np.sum(expanded_target_batch * np.log(output_activations + 1e-300))

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


def glove_in_loops(W, W_tilde, b, b_tilde, log_co_occurrence):
    """The derivative of each square, added to what it depends on."""
    is_symmetric = W_tilde is None
    gradients = [None if p is None else np.zeros_like(p) for p in (W, W_tilde, b, b_tilde)]
    grad_W, grad_W_tilde, grad_b, grad_b_tilde = gradients
    if is_symmetric:
        W_tilde, grad_W_tilde, b_tilde, grad_b_tilde = W, grad_W, b, grad_b
    for i in range(len(W)):
        for j in range(len(W)):
            residual = W[i] @ W_tilde[j] + b[i, 0] + b_tilde[j, 0] - log_co_occurrence[i, j]
            grad_W[i] += 2 * residual * W_tilde[j]
            grad_W_tilde[j] += 2 * residual * W[i]
            grad_b[i] += 2 * residual
            grad_b_tilde[j] += 2 * residual
    return tuple(gradients)


def glove_by_einsum(W, W_tilde, b, b_tilde, log_co_occurrence):
    if W_tilde is None:
        residual = np.einsum("ik,jk->ij", W, W) + b + b.T - log_co_occurrence
        both = residual + residual.T
        grad_b = np.einsum("ij->i", both)[:, None]
        return 2 * np.einsum("ij,jk->ik", both, W), None, 2 * grad_b, None
    residual = np.einsum("ik,jk->ij", W, W_tilde) + b + b_tilde.T - log_co_occurrence
    return (
        2 * np.einsum("ij,jk->ik", residual, W_tilde),
        2 * np.einsum("ij,ik->jk", residual, W),
        2 * np.einsum("ij->i", residual)[:, None],
        2 * np.einsum("ij->j", residual)[:, None],
    )


def glove_expanded(W, W_tilde, b, b_tilde, log_co_occurrence):
    """Never forms the residual: its four terms are multiplied out."""
    is_symmetric = W_tilde is None
    U, c = (W, b) if is_symmetric else (W_tilde, b_tilde)
    n = len(W)
    X = log_co_occurrence

    def side(A, B, a, b, X):
        grad_A = 2 * (A @ (B.T @ B) + a * B.sum(axis=0) + b.T @ B - X @ B)
        grad_a = 2 * (A @ B.sum(axis=0)[:, None] + n * a + b.sum() - X.sum(axis=1, keepdims=True))
        return grad_A, grad_a

    (grad_W, grad_b), (grad_U, grad_c) = side(W, U, b, c, X), side(U, W, c, b, X.T)
    if is_symmetric:
        return grad_W + grad_U, None, grad_b + grad_c, None
    return grad_W, grad_U, grad_b, grad_c


def glove_in_place(W, W_tilde, b, b_tilde, log_co_occurrence):
    """In-place work on arrays of its own."""
    is_symmetric = W_tilde is None
    U, c = (W, b) if is_symmetric else (W_tilde, b_tilde)
    residual = W @ U.T
    residual += b
    residual += c.T
    residual -= log_co_occurrence
    residual *= 2
    if is_symmetric:
        residual += residual.T.copy()
        return residual @ W, None, residual.sum(axis=1)[:, np.newaxis], None
    return (
        residual @ U,
        np.asfortranarray(residual.T @ W),
        residual.sum(axis=1).reshape(-1, 1),
        np.atleast_2d(residual.sum(axis=0)).T,
    )


def glove_row_by_row(W, W_tilde, b, b_tilde, log_co_occurrence):
    """The asymmetric gradient in both models; the symmetric one adds its halves."""
    if W_tilde is None:
        halves = glove_row_by_row(W, W.copy(), b, b.copy(), log_co_occurrence)
        return halves[0] + halves[1], None, halves[2] + halves[3], None
    rows = [w @ W_tilde.T + b_i + b_tilde[:, 0] for w, b_i in zip(W, b, strict=True)]
    residual = np.array(rows) - log_co_occurrence
    return (
        2 * np.array([row @ W_tilde for row in residual]),
        2 * np.array([column @ W for column in residual.T]),
        2 * np.array([[row.sum()] for row in residual]),
        2 * np.array([[column.sum()] for column in residual.T]),
    )


GLOVE = [
    grad_GLoVe,
    glove_in_loops,
    glove_by_einsum,
    glove_expanded,
    glove_in_place,
    glove_row_by_row,
]


# compute_loss_derivative(self, output_activations, expanded_target_batch, target_mask)


def derivative_in_loops(self, y, t, m):
    B, N, _ = m.shape
    V = len(self.vocab)
    derivative = np.zeros_like(y)
    for i in range(B):
        for n in range(N):
            if m[i, n, 0]:
                for j in range(n * V, (n + 1) * V):
                    derivative[i, j] = y[i, j] - t[i, j]
    return derivative


def derivative_with_repeated_mask(self, y, t, m):
    return (y - t) * np.repeat(m[:, :, 0], len(self.vocab), axis=1)


def derivative_with_negative_zeros(self, y, t, m):
    derivative = (y - t) * np.repeat(m[:, :, 0], len(self.vocab), axis=1)
    return np.where(derivative == 0, -0.0, derivative)


def derivative_by_where(self, y, t, m):
    chunks = (y - t).reshape(len(m), m.shape[1], -1)
    return np.where(m, chunks, 0.0).reshape(len(y), -1)


def derivative_on_a_copy(self, y, t, m):
    derivative = y.copy()
    derivative[t == 1] -= 1
    for n in range(m.shape[1]):
        derivative[:, n * len(self.vocab) : (n + 1) * len(self.vocab)] *= m[:, n]
    return derivative


def derivative_of_extended_precision(self, y, t, m):
    chunks = (y.astype(np.longdouble) - t).reshape(*m.shape[:2], -1)
    return (chunks * m).reshape(y.shape).astype(np.float64)


def derivative_in_a_buffer(self, y, t, m):
    """The same array is returned again and again, filled again."""
    if getattr(type(self), "buffer", None) is None or type(self).buffer.shape != y.shape:
        type(self).buffer = np.empty_like(y)
    type(self).buffer[:] = Model.compute_loss_derivative(self, y, t, m)
    return type(self).buffer


LOSS_DERIVATIVE = [
    Model.compute_loss_derivative,
    derivative_in_loops,
    derivative_with_repeated_mask,
    derivative_with_negative_zeros,
    derivative_by_where,
    derivative_on_a_copy,
    derivative_of_extended_precision,
    derivative_in_a_buffer,
]


# back_propagate(self, input_batch, activations, loss_derivative)


def back_in_loops(self, input_batch, activations, loss_derivative):
    """Unit by unit, window by window."""
    params, V = self.params, len(self.vocab)
    D = params.word_embedding_weights.shape[1]
    gradient = Params(*(np.zeros_like(array) for array in vars(params).values()))
    for i, window in enumerate(input_batch):
        hidden, d = activations.hidden_layer[i], loss_derivative[i]
        to_hidden = np.zeros(len(hidden))
        for j in range(len(window) * V):
            gradient.output_bias[j] += d[j]
            for k in range(len(hidden)):
                gradient.hid_to_output_weights[j, k] += d[j] * hidden[k]
                to_hidden[k] += d[j] * params.hid_to_output_weights[j, k]
        for k in range(len(hidden)):
            to_hidden[k] *= hidden[k] * (1 - hidden[k])
            gradient.hid_bias[k] += to_hidden[k]
            for n, word in enumerate(window):
                for e in range(D):
                    weight = params.embed_to_hid_weights[k, n * D + e]
                    value = params.word_embedding_weights[word, e]
                    gradient.embed_to_hid_weights[k, n * D + e] += to_hidden[k] * value
                    gradient.word_embedding_weights[word, e] += to_hidden[k] * weight
    return gradient


def finished(self, i, a, d, word_embedding_of):
    """The plain gradient; that of the embeddings is a function of the derivatives (B, N, D)."""
    h = d @ self.params.hid_to_output_weights * a.hidden_layer * (1 - a.hidden_layer)
    e = (h @ self.params.embed_to_hid_weights).reshape(*i.shape, -1)
    return Params(
        output_bias=d.sum(axis=0),
        hid_to_output_weights=d.T @ a.hidden_layer,
        hid_bias=h.sum(axis=0),
        embed_to_hid_weights=h.T @ a.embedding_layer,
        word_embedding_weights=word_embedding_of(e),
    )


def back_by_indicator(self, i, a, d):
    one_hot = self.indicator_matrix(i, mask_zero_index=False).reshape(*i.shape, -1)
    return finished(self, i, a, d, lambda e: np.tensordot(one_hot, e, axes=((0, 1), (0, 1))))


def back_by_bincount(self, i, a, d):
    def word_embedding(e):
        columns = e.reshape(-1, e.shape[2]).T
        counts = [np.bincount(i.ravel(), column, minlength=len(self.vocab)) for column in columns]
        return np.stack(counts, axis=1)

    return finished(self, i, a, d, word_embedding)


def back_by_sorting(self, i, a, d):
    def word_embedding(e):
        order = np.argsort(i, axis=None, kind="stable")
        words, starts = np.unique(i.ravel()[order], return_index=True)
        gradient = np.zeros_like(self.params.word_embedding_weights)
        gradient[words] = np.add.reduceat(e.reshape(i.size, -1)[order], starts, axis=0)
        return gradient

    return finished(self, i, a, d, word_embedding)


def back_by_words(self, i, a, d):
    return finished(
        self,
        i,
        a,
        d,
        lambda e: np.array([e[i == word].sum(axis=0) for word in range(len(self.vocab))]),
    )


def back_by_einsum(self, i, a, d):
    params = self.params
    slope = np.einsum("bh,bh->bh", a.hidden_layer, 1 - a.hidden_layer)
    h = np.einsum("bo,oh,bh->bh", d, params.hid_to_output_weights, slope, optimize=True)
    gradient = np.zeros_like(params.word_embedding_weights)
    weights = params.embed_to_hid_weights.reshape(len(h[0]), i.shape[1], -1)
    for window, rows in zip(i, np.einsum("bh,hnd->bnd", h, weights), strict=True):
        for word, row in zip(window, rows, strict=True):
            gradient[word] += row
    return Params(
        gradient,
        np.einsum("bh,be->he", h, a.embedding_layer),
        np.einsum("bh->h", h),
        np.einsum("bo,bh->oh", d, a.hidden_layer),
        np.einsum("bo->o", d),
    )


def back_window_by_window(self, i, a, d):
    total = None
    for row in range(len(i)):
        part = type(a)(*(layer[row : row + 1] for layer in vars(a).values()))
        gradient = Model.back_propagate(self, i[row : row + 1], part, d[row : row + 1])
        arrays = list(vars(gradient).values())
        total = arrays if total is None else [x + y for x, y in zip(total, arrays, strict=True)]
    return Params(*total)


def back_in_place(self, i, a, d):
    """In-place work on arrays of its own."""
    h = d @ self.params.hid_to_output_weights
    h *= a.hidden_layer
    h *= 1 - a.hidden_layer
    gradient = Params(*(np.zeros_like(array) for array in vars(self.params).values()))
    gradient.output_bias += d.sum(axis=0)
    np.matmul(d.T, a.hidden_layer, out=gradient.hid_to_output_weights)
    gradient.hid_bias[:] = h.sum(axis=0)
    gradient.embed_to_hid_weights += h.T @ a.embedding_layer
    e = h @ self.params.embed_to_hid_weights
    np.add.at(gradient.word_embedding_weights, i.ravel(), e.reshape(i.size, -1))
    return gradient


def back_at_masked_positions(self, i, a, d):
    """Only the chunk of the hidden word: the derivative is 0 in the others."""
    N, V = i.shape[1], len(self.vocab)
    h = np.zeros_like(a.hidden_layer)
    gradient = Params(*(np.zeros_like(array) for array in vars(self.params).values()))
    for n in range(N):
        rows, chunk = i[:, n] == 0, slice(n * V, (n + 1) * V)
        part = d[rows, chunk]
        h[rows] += part @ self.params.hid_to_output_weights[chunk]
        gradient.hid_to_output_weights[chunk] = part.T @ a.hidden_layer[rows]
        gradient.output_bias[chunk] = part.sum(axis=0)
    h *= a.hidden_layer * (1 - a.hidden_layer)
    gradient.hid_bias = h.sum(axis=0)
    gradient.embed_to_hid_weights = h.T @ a.embedding_layer
    np.add.at(
        gradient.word_embedding_weights,
        i,
        (h @ self.params.embed_to_hid_weights).reshape(*i.shape, -1),
    )
    return gradient


def back_with_own_activations(self, i, a, d):
    """The layers computed again, in extended precision."""
    params = self.params
    x = params.word_embedding_weights[i].reshape(len(i), -1).astype(np.longdouble)
    hidden = 1 / (1 + np.exp(-(x @ params.embed_to_hid_weights.T + params.hid_bias)))
    own = Activations(x.astype(float), hidden.astype(float), a.output_layer)
    return Model.back_propagate(self, i, own, d)


def back_of_other_memory_order(self, i, a, d):
    gradient = Model.back_propagate(self, i, a, np.asfortranarray(d))
    return Params(*(np.asfortranarray(array) for array in vars(gradient).values()))


def back_that_relies_on_the_mask(self, i, a, d):
    """The loss does not depend on what is shown, so its derivative there is 0."""
    assert not d.reshape(*i.shape, -1)[i > 0].any()
    return Model.back_propagate(self, i, a, d)


BACK_PROPAGATE = [
    Model.back_propagate,
    back_in_loops,
    back_by_indicator,
    back_by_bincount,
    back_by_sorting,
    back_by_words,
    back_by_einsum,
    back_window_by_window,
    back_in_place,
    back_at_masked_positions,
    back_with_own_activations,
    back_of_other_memory_order,
    back_that_relies_on_the_mask,
]
