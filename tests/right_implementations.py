"""A plain model for the tests of the checker, and right implementations in many styles.

``Model`` has what a student is given; what a student writes comes from the tables ``GLOVE``,
``LOSS_DERIVATIVE`` and ``BACK_PROPAGATE`` below, which hold functions by a name that says how they do it.
All of them are right, and the checker has to pass every one.
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
        hidden_layer = 1 / (1 + np.exp(-to_hidden))
        z = hidden_layer @ params.hid_to_output_weights.T + params.output_bias
        chunks = z.reshape(*inputs.shape, len(self.vocab))
        powers = np.exp(chunks - chunks.max(axis=2, keepdims=True))
        output_layer = (powers / powers.sum(axis=2, keepdims=True)).reshape(z.shape)
        return Activations(embedding_layer, hidden_layer, output_layer)

    def compute_loss(self, output_activations, expanded_target_batch):
        return -np.sum(expanded_target_batch * np.log(output_activations + 1e-300))

    def compute_loss_derivative(self, output_activations, expanded_target_batch, target_mask):
        chunks = output_activations.reshape(len(target_mask), target_mask.shape[1], -1)
        return (chunks * target_mask).reshape(output_activations.shape) - expanded_target_batch

    def back_propagate(self, input_batch, activations, loss_derivative):
        hidden = activations.hidden_layer
        to_hidden = loss_derivative @ self.params.hid_to_output_weights * hidden * (1 - hidden)
        to_embedding = (to_hidden @ self.params.embed_to_hid_weights).reshape(*input_batch.shape, -1)
        word_embedding = np.zeros_like(self.params.word_embedding_weights)
        np.add.at(word_embedding, input_batch, to_embedding)
        return Params(
            word_embedding,
            to_hidden.T @ activations.embedding_layer,
            to_hidden.sum(axis=0),
            loss_derivative.T @ hidden,
            loss_derivative.sum(axis=0),
        )


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
