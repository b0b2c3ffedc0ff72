"""The corpus: what it is made of, how English it is as far as a program can tell, its grammar."""

import re
from collections import Counter

import numpy as np
import pytest

from tools.common import SENTENCES
from tools.data.corpus import (
    GRAMMAR,
    PICK,
    SEED,
    GrammarError,
    check_grammar,
    ground,
    load_grammar,
    main,
    parse_grammar,
    sample_corpus,
)
from tools.data.quality import load_classes, nearest_words, same_class_share


@pytest.fixture(scope="module")
def text():
    return SENTENCES.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sentences(text):
    return [line.split(" ") for line in text.splitlines()]


@pytest.fixture(scope="module")
def bigrams(sentences):
    return Counter(pair for s in sentences for pair in zip(s, s[1:]))


@pytest.fixture(scope="module")
def loaded():
    return load_grammar()


# ------------------------------------------------------------------------------ the file


def test_it_begins_with_what_the_grammar_makes(loaded, text):
    _, rules = loaded
    assert sample_corpus(rules, 1000, SEED, pick=PICK) == text.splitlines()[:1000]


@pytest.mark.slow
def test_the_command_makes_the_same_bytes_again(tmp_path, text):
    copy = tmp_path / "again.txt"
    main(["-o", str(copy)])
    assert copy.read_bytes() == text.encode()
    assert list(tmp_path.iterdir()) == [copy]  # no temporary file is left behind


def test_another_seed_makes_another_corpus(loaded):
    _, rules = loaded
    assert sample_corpus(rules, 50, seed=1) == sample_corpus(rules, 50, seed=1)
    assert sample_corpus(rules, 50, seed=1) != sample_corpus(rules, 50, seed=2)


def test_form_of_the_file(text, sentences):
    assert text.endswith("\n") and "\n\n" not in text and "\r" not in text
    assert re.fullmatch(r"[a-z',.?!\" \n]+", text)
    assert all(token for sentence in sentences for token in sentence)  # one space, nowhere two


def test_vocabulary_and_lengths(sentences):
    counts = Counter(token for sentence in sentences for token in sentence)
    lengths = [len(sentence) for sentence in sentences]
    assert len(counts) == 250
    assert min(counts.values()) >= 100
    assert min(lengths) == 4 and 16 <= max(lengths) <= 45
    assert 7.0 <= np.mean(lengths) <= 8.6
    assert sum(length - 3 for length in lengths) >= 465_500 * 1.01  # the windows of data.pk


def test_no_sentence_occurs_twice(text):
    lines = text.splitlines()
    assert len(set(lines)) == len(lines)


def entropy(counts):
    p = np.array(list(counts.values())) / sum(counts.values())
    return -(p * np.log(p)).sum()


def test_diversity(sentences, bigrams):
    """Entropies in nats, ranges around those of a published corpus of this kind."""
    words = Counter(word for s in sentences for word in s)
    triples = Counter(three for s in sentences for three in zip(s, s[1:], s[2:]))
    windows = Counter(four for s in sentences for four in zip(s, s[1:], s[2:], s[3:]))
    assert 4.35 <= entropy(words) <= 4.80
    assert 2.70 <= entropy(bigrams) - entropy(words) <= 3.50
    assert 1.90 <= entropy(triples) - entropy(bigrams) <= 2.60
    assert 11_000 <= len(bigrams) <= 30_000
    assert 0.38 <= len(windows) / windows.total() <= 0.56
    for top, low, high in [(10, 0.28, 0.39), (50, 0.66, 0.78), (100, 0.82, 0.92)]:
        assert low <= sum(n for _, n in words.most_common(top)) / words.total() <= high
    assert len({s[0] for s in sentences}) >= 120


# ------------------------------------------------------------------------------ English

SINGULAR, OTHER = "he she it", "i you we they"
THIRD = "goes comes eats drinks reads writes buys makes works plays likes wants knows thinks says"
THIRD += " asks lives"
BASE = "go come eat drink read write buy make work play like want know think say ask live"
PAST = "went came ate drank wrote bought made worked played liked wanted knew thought said asked"
PAST += " lived"
MODAL = "can could will would should must"

NEVER = [  # first words, second words
    ("he she it", "are were am"),
    ("i", "is has does 's"),
    ("you we they", "am was 's has does"),
    (OTHER, THIRD),
    (MODAL, f"{THIRD} {PAST} am is are was were has had does did going eating been"),
    ("to", f"{PAST} {THIRD} am is are was were has had going eating"),
    ("n't", f"{THIRD} went ate drank wrote knew am is are was were"),
    ("do does did", "am is are was were be been has had going eating"),
    ("a", "an office old a the my your his her our their men women children friends"),
    ("an", "book man woman teacher song bread school park a an the my"),
    ("this that", "men women children people friends books songs letters"),
    ("these many two three four five six seven", "man woman boy girl book song letter story car"),
    ("me him them", "am are goes wants i he she we they"),
    ("the a an my your our their", "i he she we they me him us them is are was were , . ? !"),
    ("to with for from about of at", "i he she we they"),
    ("am is are was were", f"{THIRD} {PAST} go come eat want know"),
    ("very", "tea bread man woman"),
]
NEVER_AT_THE_START = [  # there the first word is the subject
    ("i", f"are were {THIRD}"),
    (SINGULAR, f"have do {BASE.replace('read', '')}"),
    ("you we they", "is am was has does"),
    ("do have are were", "he she"),
    ("does has is", OTHER),
]


def test_agreement_errors_never_occur(bigrams):
    for first, second in NEVER:
        for pair in ((a, b) for a in first.split() for b in second.split()):
            assert pair not in bigrams, f"{' '.join(pair)}: {bigrams[pair]} times"


def test_agreement_errors_never_occur_at_the_start(sentences):
    starts = {tuple(s[:2]) for s in sentences} | {tuple(s[1:3]) for s in sentences if s[0] == '"'}
    for first, second in NEVER_AT_THE_START:
        for pair in ((a, b) for a in first.split() for b in second.split()):
            assert pair not in starts


def test_no_word_is_said_twice_in_a_row(bigrams):
    assert [a for a, b in bigrams if a == b] == []


def test_present_tense_after_a_subject(bigrams):
    """The other side of agreement: what has to occur does."""
    for subject in SINGULAR.split()[:2]:
        for verb in THIRD.split():
            assert (subject, verb) in bigrams
    for subject in OTHER.split():
        for verb in BASE.split():
            assert (subject, verb) in bigrams


def test_ends_and_quotation_marks(sentences):
    for s in sentences:
        assert s[-1] in {".", "?", "!", '"'}
        assert s.count('"') % 2 == 0
        assert s[0] == '"' or s[0].isalpha()


# ------------------------------------------------------------------------------ the grammar

SMALL = """
class Noun = cat dog
class Rest = the . sees an a egg and
once Noun
spelling a = an before egg
feature n = one*3 two
distinct n
table (one) (two)
  Pick cat dog
Sentence =
    2 the Pick(n) sees the Pick(n2) .
    [.5 the] cat sees {a | the} egg .
"""


def grammar_of(text):
    grammar = parse_grammar(text, "small")
    rules = ground(grammar)
    check_grammar(grammar, rules)
    return rules


def test_notation():
    text = SMALL.replace(" and\n", "\n")
    lines = sample_corpus(grammar_of(text), 6, seed=3)
    assert sorted(lines) == [
        "cat sees an egg .",
        "cat sees the egg .",
        "the cat sees an egg .",
        "the cat sees the dog .",
        "the cat sees the egg .",
        "the dog sees the cat .",
    ]


def test_words_that_stay_apart():
    text = SMALL.replace(" and\n", "\n").replace("once Noun", "once Noun\napart dog egg / the")
    assert sample_corpus(grammar_of(text), 1, seed=3) == ["cat sees an egg ."]
    with pytest.raises(GrammarError, match="found only 1 different"):
        sample_corpus(grammar_of(text), 2, seed=3)


def test_continued_lines_and_comments():
    text = SMALL.replace(" and\n", "\n").replace(
        "{a | the} egg", "# more below\n        {a |\n\t  the} egg"
    )
    with pytest.raises(GrammarError, match="small:12: found the end of the line"):
        grammar_of(text)  # a tab is not eight spaces
    assert sample_corpus(grammar_of(text.replace("\t", " " * 8)), 6, seed=3) == sample_corpus(
        grammar_of(SMALL.replace(" and\n", "\n")), 6, seed=3
    )


def test_weights():
    text = "class Word = a b c d\nSentence = a b c a | 3 a b c d"
    rules = grammar_of(text)
    assert rules.cumulative[0] == [1, 4]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class Noun = cat dog", "class Noun", r"small:2: found 'Noun', expected 'name = "),
        ("class Noun = cat dog", "  cat dog", r"small:2: found an indented line"),
        ("Sentence =", "Sentence", r"small:10: found 'Sentence', expected 'Symbol ='"),
        ("sees the Pick(n2)", "sees the Pick(m)", r"small:11: found the argument 'm'"),
        ("sees the Pick(n2)", "sees the Pick(n, n2)", r"small:11: found 'Pick\(n,'"),
        ("sees the Pick(n2)", "sees the Nobody", r"small:11: found the symbol Nobody"),
        ("sees the Pick(n2)", "sees the 3 cat", r"small:11: found the number 3 inside a body"),
        ("[.5 the]", "[5 the]", r"small:12: found the probability 5 "),
        ("{a | the}", "{a | the", r"small:12: found the end of the line, expected '}'"),
        ("{a | the}", "a | the}", r"small:12: found '}'"),
        ("  Pick cat dog", "  Pick cat", r"small:9: found 1 words, expected 2"),
        ("one*3", "one*x", r"small:6: found 'one\*x'"),
        ("sees {a", "likes {a", r"words in no class: 'likes' \(small:12\)"),
        (" and\n", " cat\n", r"word 'cat': found in class Noun and in class Rest"),
        ("once Noun", "once Noun\napart cat", r"small:5: found 'cat', expected 'word"),
        ("once Noun", "once Noun\napart cat / cow", r"apart: found 'cow', expected a word"),
        ("once Noun", "once Nouns", r"once: found Nouns"),
        ("distinct n", "distinct m", r"distinct: found m"),
        ("Sentence =", "Unused = egg\nSentence =", r"symbol Unused is never used"),
        ("{a | the} egg .", "{a | the} egg Loop .\nLoop = the Loop", r"only rules that lead back"),
        (" and\n", " and but\n", r"no sentence contains 'and' \(class Rest\), 'but'"),
    ],
)
def test_a_wrong_grammar_is_reported(old, new, message):
    text = SMALL if " and" in old else SMALL.replace(" and\n", "\n")
    assert old in text
    with pytest.raises(GrammarError, match=message):
        grammar_of(text.replace(old, new))


def test_groups_may_stand_in_each_other_but_not_without_end():
    def nested(depth):
        group = "{" * depth + " a " + "}" * depth
        return f"class Word = a b c d\nSentence = {group} b [.5 {group}] c d"

    grammar_of(nested(19))
    with pytest.raises(GrammarError, match="small:2: found more than 20 groups in each other"):
        grammar_of(nested(21))


def test_more_sentences_than_the_grammar_has():
    rules = grammar_of(SMALL.replace(" and\n", "\n"))
    with pytest.raises(GrammarError, match="found only 6 different sentences, expected 7"):
        sample_corpus(rules, 7, seed=0)


def test_a_failed_command_writes_nothing(tmp_path, capsys):
    grammar = tmp_path / "wrong.grammar"
    grammar.write_text("Sentence = nothing .\n")
    with pytest.raises(SystemExit, match="1"):
        main(["--grammar", str(grammar), "-o", str(tmp_path / "out.txt")])
    assert "words in no class: '.' (wrong.grammar:1)" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="1"):
        main(["--grammar", str(tmp_path / "none"), "-o", str(tmp_path / "out.txt")])
    assert "cannot be read" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [grammar]


def test_the_grammar_is_no_thin_template(loaded):
    grammar, rules = loaded
    assert sum(len(alternatives) for alternatives in grammar.rules.values()) > 500
    assert all(len(line) < 1000 for line in GRAMMAR.read_text(encoding="utf-8").splitlines())


# ------------------------------------------------------------------------------ word classes


def test_classes_cover_the_vocabulary(sentences):
    classes = load_classes()
    assert set(classes) == {token for sentence in sentences for token in sentence}
    sizes = Counter(classes.values())
    assert sum(size for size in sizes.values() if size >= 6) > 200
    assert classes["monday"] == classes["friday"] == "Day"


def test_same_class_share_written_out():
    vocab = ["[MASK]", *"abcdef"]
    classes = dict(zip("abcdef", "xxxyyz"))
    points = np.array([[0.0], [1.0], [1.1], [5.0], [5.1], [2.0], [0.0]])
    # a-b and b-a agree; c (5.0) and d (5.1): x and y; e (2.0) has b; f is alone in its class.
    assert nearest_words(points).tolist()[1:] == [2, 1, 4, 3, 2, 1]
    assert same_class_share(points, vocab, classes, smallest=3) == pytest.approx(2 / 3)
    assert same_class_share(points, vocab, classes, smallest=2) == pytest.approx(2 / 5)
    with pytest.raises(ValueError, match="no class with 4 words"):
        same_class_share(points, vocab, classes, smallest=4)
    with pytest.raises(ValueError, match="one row a word"):
        same_class_share(points[:3], vocab, classes)
    with pytest.raises(ValueError, match="words without a class: \\['f'\\]"):
        same_class_share(points, vocab, {k: v for k, v in classes.items() if k != "f"})
