"""raw_sentences.txt: how its grammar is read, what it is made of, and that it agrees."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from tools.common import SENTENCES
from tools.data.corpus import GRAMMAR, GrammarError, load_grammar, parse_grammar, sample_corpus
from tools.data.quality import analogy_share, same_class_share

SMALL = """
class Noun = cat dog
class Rest = the a sees see two cats .   # more words
once Noun
alone a two
feature number = one*3 many
table     (one)  (many)
  see     sees   see
Sentence =
    3 the Subject(number) see(number) the Noun .
    a dog see(one) two|nothing cats .
Subject(one) = Noun
Subject(many) = cats
"""


@pytest.fixture(scope="module")
def sentences():
    return [line.split() for line in SENTENCES.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def grammar():
    return load_grammar()


def test_same_seed_same_bytes_and_the_package_holds_them(grammar):
    saved = SENTENCES.read_text(encoding="utf-8")
    assert saved.startswith(sample_corpus(grammar, 500))
    assert sample_corpus(grammar, 100, seed=7) == sample_corpus(grammar, 100, seed=7)
    assert sample_corpus(grammar, 100, seed=7) != sample_corpus(grammar, 100, seed=8)


# ---------------------------------------------------------------- the profile


def grams(sentences, n):
    return Counter(tuple(s[i : i + n]) for s in sentences for i in range(len(s) - n + 1))


def entropy(counter):
    p = np.fromiter(counter.values(), float)
    p /= p.sum()
    return -np.sum(p * np.log(p))


def test_profile(sentences):
    """Sizes, variety and predictability lie where those of simple written English lie."""
    lengths = np.array([len(sentence) for sentence in sentences])
    one, two, three, four = (grams(sentences, n) for n in (1, 2, 3, 4))
    share = np.sort(list(one.values()))[::-1].cumsum() / lengths.sum()
    shuffled = [tuple(sentence) for sentence in sentences]
    random.Random(1).shuffle(shuffled)
    cut = 4 * len(shuffled) // 5
    seen, held_out = grams(shuffled[:cut], 4), grams(shuffled[cut:], 4)
    new = sum(n for gram, n in held_out.items() if gram not in seen)
    starts, ends = Counter(s[0] for s in sentences), Counter(tuple(s[-3:]) for s in sentences)
    for value, low, high in [
        (len(sentences), 90_000, 115_000),
        (len(one), 250, 250),
        (min(one.values()), 100, 10_000),
        (lengths.min(), 4, 4),
        (lengths.mean(), 7, 8.6),
        (lengths.max(), 16, 45),
        (share[9], 0.28, 0.39),
        (share[49], 0.66, 0.78),
        (share[99], 0.82, 0.92),
        (len(starts), 150, 250),
        (sum(n for _, n in starts.most_common(5)) / len(sentences), 0.30, 0.45),
        (ends.most_common(1)[0][1] / len(sentences), 0, 0.03),
        (np.mean([s[-3] == "," and s[-1] in ".?!" for s in sentences]), 0, 0.05),
        (len(two), 14_000, 30_000),
        (len(three), 85_000, 150_000),
        (len(four) / four.total(), 0.38, 0.56),
        (entropy(one), 4.35, 4.8),
        (entropy(two) - entropy(one), 2.7, 3.5),
        (entropy(three) - entropy(two), 1.9, 2.6),
        (new / held_out.total(), 0.30, 0.48),
    ]:
        assert low <= value <= high


# ---------------------------------------------------------------- agreement, by an independent eye

THIRD = (
    "goes comes eats drinks reads writes buys cooks works plays lives knows thinks says asks likes "
    "wants answers has does is was"
).split()
PLAIN = "live know think say like want have do are were am".split()
PLURAL = "books letters stories songs games men women boys girls children people years".split()
SINGULAR = "book letter story song game man woman boy girl teacher doctor house park year".split()
MODALS = "will can could must should would".split()
WRONG_AFTER = {  # by subject, unless it follows its verb
    "i": {*THIRD, "are", "were"} - {"was"},
    "he": {*PLAIN},
    "she": {*PLAIN},
    "we": {*THIRD, "am"},
    "they": {*THIRD, "am"},
}
VERB_BEFORE = {*"do did does is are was were am have has had n't not and or".split(), *MODALS}
ALWAYS_WRONG_AFTER = (
    dict.fromkeys(["a", "every", "this"], PLURAL)
    | dict.fromkeys(["two", "three", "these", "many"], SINGULAR)
    | dict.fromkeys(MODALS, THIRD)
)


def test_words_agree(sentences):
    """Subjects with verbs, articles and numbers with nouns, and "a" with the sound after it."""
    for sentence in sentences:
        for before, word, after in zip([".", *sentence], sentence, sentence[1:]):
            assert after not in ALWAYS_WRONG_AFTER.get(word, ()), " ".join(sentence)
            assert word != "a" or after[0] not in "aeiou", " ".join(sentence)
            if before not in VERB_BEFORE:
                assert after not in WRONG_AFTER.get(word, ()), " ".join(sentence)


def test_quotation_marks_come_in_pairs_and_a_sentence_ends_once(sentences):
    for sentence in sentences:
        assert sentence.count('"') in (0, 2)
        assert sentence[-1] in {".", "?", "!", '"'}
        assert not re.search(r"[.?!,] [.?!,]", " ".join(sentence))


# ---------------------------------------------------------------- the notation


def test_all_sentences_of_a_small_grammar():
    assert set(sample_corpus(parse_grammar(SMALL), 5, seed=0).splitlines()) == {
        "the cat sees the dog .",
        "the dog sees the cat .",
        "the cats see the cat .",
        "the cats see the dog .",
        "a dog sees cats .",  # "a" and "two" stay alone
    }
    with pytest.raises(GrammarError, match="grammar: found 5 different sentences .*expected 6"):
        sample_corpus(parse_grammar(SMALL), 6, seed=0)


def test_weights_and_ranks():
    text = "class Word = a b c d .\nSentence =\n    3 X X X .\n    d d d .\nX = a|b|c"
    sampled = parse_grammar(text)
    draws = [sample_corpus(sampled, 1, seed=seed).split() for seed in range(3000)]
    assert np.mean([draw[0] == "d" for draw in draws]) == pytest.approx(1 / 4, abs=0.03)
    counts = Counter(word for draw in draws for word in draw)
    assert counts["b"] / counts["a"] == pytest.approx(2**-0.4, abs=0.06)
    assert counts["c"] / counts["a"] == pytest.approx(3**-0.4, abs=0.06)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class Noun = cat dog", "class Noun", r"small:2: found 'class Noun', expected 'class"),
        ("class Noun", "  class Noun", r"small:2: found an indented line"),
        ("class Noun = cat", "class Noun = cats", r"'cats' in two classes"),
        ("once Noun", "once Nouns", r"small:4: found 'Nouns', expected names of classes"),
        ("one*3", "one*x", r"small:6: found 'one\*x', expected 'value'"),
        ("  see     sees   see", "  see  sees", r"small:8: found 1 cells, expected 2"),
        ("(one)  (many)", "(one)  many", r"small:7: found 'many', expected '\(argument"),
        ("Sentence =", "Sentence", r"small:9: found 'Sentence', expected 'Symbol ='"),
        ("Sentence =", "sentence =", r"small:9: found 'sentence', expected 'Symbol'"),
        ("see(number)", "see(numbers)", r"small:10: found the argument 'numbers'"),
        ("see(number)", "see( number)", r"small:10: found 'see\(', expected a word"),
        ("two|nothing", "two||", r"small:11: found 'two\|\|', expected a word"),
        ("    3 the", "    3\n    the", r"small:10: found a weight alone"),
        ("Subject(many) = cats", "", r"small:10: found Subject\(many\), expected a rule"),
        ("sees see two", "sees two", r"small:8: found the word 'see', expected one of a class"),
        ("two cats .   #", "two cats . and #", r"found 'and' in no rule"),
        ("Subject(many)", "Unused = cats\nSubject(many)", r"small:13: found Unused"),
        ("Subject(one) = Noun", "Subject(one) = Subject(one)", r"symbols that never end"),
    ],
)
def test_a_wrong_grammar_is_reported_with_its_place(old, new, message):
    assert old in SMALL
    with pytest.raises(GrammarError, match=message):
        sample_corpus(parse_grammar(SMALL.replace(old, new, 1), "small"), 5)


def test_one_alternative_a_line():
    lines = GRAMMAR.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 150
    assert len([line for line in lines if line.startswith("    ")]) > 500


# ---------------------------------------------------------------- what quality is made of

VOCAB = ["[MASK]", *"abcdefg"]


def test_same_class_share():
    vectors = np.array([[0.9], [1], [1.1], [1.3], [1.6], [2], [5], [5.1]])
    classes = dict.fromkeys("abcdef", "Letter") | {"g": "Other"}
    assert same_class_share(vectors, VOCAB, classes) == 5 / 6  # f's nearest is g, not judged itself


def test_analogy_share():
    vectors = np.array([[1, 9], [0, 0], [0, 1], [2, 0], [2, 2.5], [4, 0], [4, 9], [0.1, 0.9]])
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("x", "y")]
    # b - a + c is nearer to c than to d, but c is no answer: right, as is d - c + a. f is far from
    # all points with e, and f - e + a and f - e + c are nearest to [MASK]: four wrong ones.
    assert analogy_share(vectors, VOCAB, pairs) == (2 / 6, 6)
