"""The lexical classes of the words, and how well an embedding finds them again."""

from collections import Counter

import numpy as np

from tools.make_corpus import GRAMMAR, load_grammar

SMALLEST = 6  # words; a smaller class says little about an embedding


def load_classes(path=GRAMMAR):
    """Return {word: name of its class}, from the lexicon of the grammar file at `path`.

    Raises tools.make_corpus.GrammarError if the grammar cannot be used.
    """
    grammar, _ = load_grammar(path)
    return {word: name for name, words in grammar.classes.items() for word in words}


def nearest_words(embeddings):
    """Return for each row of `embeddings` (V, D) the index of the nearest other row, (V,).

    Row 0, [MASK], is nobody's nearest word: it is no word.
    """
    embeddings = np.asarray(embeddings, dtype=float)
    squares = (embeddings**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * embeddings @ embeddings.T
    np.fill_diagonal(distances, np.inf)
    distances[:, 0] = np.inf
    return distances.argmin(axis=1)


def same_class_share(embeddings, vocab, classes, smallest=SMALLEST):
    """Return the share of words whose nearest word belongs to their own class.

    embeddings: (V, D), a row a word of `vocab`, whose first entry is [MASK].
    classes: {word: class}, as load_classes() returns it.
    smallest: words of classes with fewer members are not judged, but may be nearest words.
    Raises ValueError if the arguments do not fit together or no word can be judged.
    """
    if np.ndim(embeddings) != 2 or len(embeddings) != len(vocab):
        raise ValueError(
            f"found embeddings of shape {np.shape(embeddings)} for {len(vocab)} words, "
            "expected one row a word"
        )
    unknown = [word for word in vocab[1:] if word not in classes]
    if unknown:
        raise ValueError(f"found words without a class: {unknown[:5]}, expected all in `classes`")
    class_of = [None, *(classes[word] for word in vocab[1:])]
    size = Counter(class_of[1:])
    judged = [k for k in range(1, len(vocab)) if size[class_of[k]] >= smallest]
    if not judged:
        raise ValueError(f"found no class with {smallest} words or more, expected at least one")
    nearest = nearest_words(embeddings)
    return float(np.mean([class_of[nearest[k]] == class_of[k] for k in judged]))
