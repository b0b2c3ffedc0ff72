"""The corpus, `raw_sentences.txt`: sentences drawn from the grammar in `english.grammar`.

The head of the grammar file explains the notation. `load_grammar` reads and checks a file,
`sample_corpus` draws sentences. `random.Random(seed).random()` is the only source of randomness,
and Python promises to keep its stream: the same seed, grammar and number of sentences give the same
bytes everywhere.
"""

import itertools
import random
import re
from bisect import bisect
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

GRAMMAR = Path(__file__).parent / "english.grammar"
START = "Sentence"
NOTHING = "nothing"
SEED = 7
HOW_MANY = 97_000  # sentences: they hold the windows of data.pk and a few per cent more
SHORTEST, LONGEST = 4, 40  # tokens of a sentence, punctuation included
MOST_CHOICES = 40
# Running sums of the weights of the options in "a|b|c", the likeliest first.
RANKED = list(itertools.accumulate(rank**-0.4 for rank in range(1, MOST_CHOICES + 1)))
MOST_DRAWS = 1000  # in vain, one after the other, before the grammar is called wrong

NUMBER = re.compile(r"\d+(\.\d+)?")
SYMBOL = re.compile(r"([A-Za-z]\w*)\((\w+(?:,\w+)*)\)|([A-Z]\w*)")


class GrammarError(ValueError):
    """The grammar cannot be used; the message says where, what was found, what was expected."""

    def __init__(self, place, found, expected):
        super().__init__(f"{place}: found {found}, expected {expected}")


@dataclass(frozen=True)
class Symbol:
    """A symbol with its arguments, which are values or variables of features."""

    name: str
    arguments: tuple = ()

    def __str__(self):
        return f"{self.name}({','.join(self.arguments)})" if self.arguments else self.name


@dataclass(frozen=True)
class Rule:
    """One alternative of `head`: a sequence of choices, each a tuple of Symbols and words."""

    head: Symbol
    weight: float
    body: tuple
    place: str  # "file:line", for messages


@dataclass
class Grammar:
    """What a grammar file says."""

    name: str  # of the file, for messages
    classes: dict = field(default_factory=dict)  # lexical class -> list of words
    features: dict = field(default_factory=dict)  # feature -> {value: weight}
    rules: dict = field(default_factory=dict)  # name of a symbol -> list of Rules
    once: set = field(default_factory=set)  # words that a sentence holds at most once
    alone: list = field(default_factory=list)  # sets of words, a sentence holds at most one of each

    def class_of(self):
        """{word: name of its lexical class}."""
        return {word: name for name, words in self.classes.items() for word in words}

    def feature_of(self, variable):
        """The values {value: weight} of a variable such as `person` or `person2`, or None."""
        return self.features.get(variable.rstrip("0123456789"))

    def alternatives(self, symbol):
        """The (Rule, {variable: value}) that fit a Symbol whose arguments are all values."""
        fitting = []
        for rule in self.rules.get(symbol.name, []):
            parameters = rule.head.arguments
            if len(parameters) == len(symbol.arguments):
                bound = dict(zip(parameters, symbol.arguments, strict=True))
                if all(v == p or v in (self.feature_of(p) or ()) for p, v in bound.items()):
                    fitting.append((rule, bound))
        return fitting

    def free_variables(self, rule):
        """The variables of a rule's body that its head does not bind, in order."""
        atoms = itertools.chain.from_iterable(rule.body)
        variables = [a for atom in atoms if isinstance(atom, Symbol) for a in atom.arguments]
        return [
            variable
            for variable in dict.fromkeys(variables)
            if variable not in rule.head.arguments and self.feature_of(variable)
        ]


# ---------------------------------------------------------------- reading a grammar


def load_grammar(path=GRAMMAR):
    """Read and check the grammar file at `path`. Raises GrammarError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GrammarError(path, f"a file that cannot be read ({error})", "a grammar") from error
    return parse_grammar(text, Path(path).name)


def parse_grammar(text, name="grammar"):
    """The Grammar that `text` describes; `name` is what messages call it. Raises GrammarError."""
    grammar = Grammar(name)
    head = columns = None  # what an indented line continues: a symbol's rules, or a table
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].rstrip()
        place = f"{name}:{number}"
        keyword, *words = line.split() or [""]
        if not keyword:
            continue
        if line[0].isspace():
            if columns is not None:
                _add_row(grammar, columns, [keyword, *words], place)
            elif head is not None:
                _add_rule(grammar, head, [keyword, *words], place)
            else:
                raise GrammarError(place, "an indented line", "'Symbol =' before it")
            continue
        head = columns = None
        if keyword in ("class", "feature"):
            if len(words) < 3 or words[1] != "=":
                raise GrammarError(place, repr(line), f"'{keyword} Name = word ...'")
            if keyword == "class":
                grammar.classes[words[0]] = words[2:]
            else:
                grammar.features[words[0]] = dict(_weighted(word, place) for word in words[2:])
        elif keyword == "once":
            unknown = set(words) - set(grammar.classes)
            if unknown:
                raise GrammarError(place, repr(min(unknown)), "names of classes")
            grammar.once.update(*(grammar.classes[word] for word in words))
        elif keyword == "alone":
            grammar.alone.append(set(words))
        elif keyword == "table":
            columns = [_arguments(grammar, word, place) for word in words]
        elif words[:1] == ["="]:
            head = _symbol(grammar, keyword, place)
            if head is None:
                raise GrammarError(place, repr(keyword), "'Symbol' or 'symbol(argument,...)'")
            if words[1:]:
                _add_rule(grammar, head, words[1:], place)
        else:
            expected = "'Symbol =' or a line that begins with class, feature, table, once or alone"
            raise GrammarError(place, repr(line), expected)
    _check(grammar)
    return grammar


def _weighted(word, place):
    """Split `value*weight`, the weight being 1 if it is left out."""
    value, star, weight = word.partition("*")
    if star and not NUMBER.fullmatch(weight):
        raise GrammarError(place, repr(word), "'value' or 'value*weight'")
    return value, float(weight or 1)


def _symbol(grammar, text, place):
    """The Symbol that `text` is, or None."""
    match = SYMBOL.fullmatch(text)
    if match is None:
        return None
    if match[3]:
        return Symbol(match[3])
    return Symbol(match[1], _arguments(grammar, f"({match[2]})", place))


def _arguments(grammar, text, place):
    """The arguments in `(person,past)`: each is a variable or a value of a feature."""
    if not (text.startswith("(") and text.endswith(")")):
        raise GrammarError(place, repr(text), "'(argument,...)'")
    arguments = tuple(text[1:-1].split(","))
    values = set(itertools.chain.from_iterable(grammar.features.values()))
    for argument in arguments:
        if argument not in values and grammar.feature_of(argument) is None:
            features = ", ".join(grammar.features)
            expected = f"a feature, one of {features}, or one of their values"
            raise GrammarError(place, f"the argument {argument!r}", expected)
    return arguments


def _choice(grammar, text, place):
    """The choice `word|Symbol|...` as a tuple of Symbols and words."""
    atoms = []
    for atom in text.split("|"):
        symbol = _symbol(grammar, atom, place)
        if symbol is None and (not atom or "(" in atom or ")" in atom or NUMBER.fullmatch(atom)):
            expected = (
                "a word, Symbol, symbol(argument,...) without spaces, or some of them with '|' "
                "between them"
            )
            raise GrammarError(place, repr(text), expected)
        atoms.append(symbol or atom)
    if len(atoms) > MOST_CHOICES:
        raise GrammarError(place, f"a choice of {len(atoms)}", f"at most {MOST_CHOICES}")
    return tuple(atoms)


def _add_rule(grammar, head, words, place):
    """Add the alternative `[weight] item item ...` of the symbol `head`."""
    weight = 1.0
    if NUMBER.fullmatch(words[0]):
        weight, words = float(words[0]), words[1:]
    if not words:
        raise GrammarError(place, "a weight alone", "words or symbols after it")
    body = tuple(_choice(grammar, word, place) for word in words)
    grammar.rules.setdefault(head.name, []).append(Rule(head, weight, body, place))


def _add_row(grammar, columns, words, place):
    """Add a rule `symbol(column) = cell` for each cell of a table's row but `-`."""
    symbol, *cells = words
    if len(cells) != len(columns):
        raise GrammarError(place, f"{len(cells)} cells", f"{len(columns)}; '-' leaves one out")
    for arguments, cell in zip(columns, cells, strict=True):
        if cell != "-":
            _add_rule(grammar, Symbol(symbol, arguments), [cell], place)


def _check(grammar):
    """Raise GrammarError unless all that is used is defined, and all that is defined is used."""
    listed = list(itertools.chain.from_iterable(grammar.classes.values()))
    for word in listed:
        if listed.count(word) > 1:
            raise GrammarError(grammar.name, f"{word!r} in two classes", "one")
    for name, words in grammar.classes.items():  # a class is a symbol too
        rule = Rule(Symbol(name), 1.0, (tuple(words),), grammar.name)
        grammar.rules.setdefault(name, [rule])
    todo, seen, used = [(Symbol(START), grammar.name)], {Symbol(START)}, {NOTHING}
    for symbol, place in todo:  # grows while it is walked through
        alternatives = grammar.alternatives(symbol)
        if not alternatives:
            raise GrammarError(place, symbol, "a rule that fits it")
        for rule, bound in alternatives:
            free = grammar.free_variables(rule)
            for values in itertools.product(*map(grammar.feature_of, free)):
                binding = bound | dict(zip(free, values, strict=True))
                for atom in itertools.chain.from_iterable(rule.body):
                    if isinstance(atom, str):
                        used.add(atom)
                        if atom not in listed and atom != NOTHING:
                            raise GrammarError(rule.place, f"the word {atom!r}", "one of a class")
                        continue
                    ground = _ground(atom, binding)
                    if ground not in seen:
                        seen.add(ground)
                        todo.append((ground, rule.place))
    reached = {symbol.name for symbol in seen} | set(grammar.classes)
    for name, (rule, *_) in grammar.rules.items():
        if name not in reached:
            raise GrammarError(rule.place, name, "a symbol that a rule uses")
    for word in listed:
        if word not in used:
            raise GrammarError(grammar.name, f"{word!r} in no rule", "it in one")


# ---------------------------------------------------------------- drawing sentences


def _ground(symbol, binding):
    """The Symbol with its variables replaced by their values."""
    return Symbol(symbol.name, tuple(binding.get(a, a) for a in symbol.arguments))


class Sampler:
    """Draws sentences from a Grammar, with the numbers of `random.Random(seed).random()`."""

    def __init__(self, grammar, seed=SEED):
        self.grammar = grammar
        self.random = random.Random(seed).random
        self.known = {}  # Symbol -> (its alternatives, the running sums of their weights)

    def _pick(self, options, sums):
        """One of `options`, whose weights have the running sums `sums`."""
        last = len(options) - 1
        return options[bisect(sums, self.random() * sums[last], hi=last)]

    def _expand(self, symbol, words):
        """Append to `words` what a random alternative of `symbol` stands for."""
        if symbol not in self.known:
            alternatives = [
                (rule, bound, self.grammar.free_variables(rule))
                for rule, bound in self.grammar.alternatives(symbol)
            ]
            sums = list(itertools.accumulate(rule.weight for rule, _, _ in alternatives))
            self.known[symbol] = alternatives, sums
        rule, bound, free = self._pick(*self.known[symbol])
        binding = dict(bound)
        for variable in free:
            values = self.grammar.feature_of(variable)
            sums = list(itertools.accumulate(values.values()))
            binding[variable] = self._pick(list(values), sums)
        for choice in rule.body:
            atom = self._pick(choice, RANKED)
            if isinstance(atom, Symbol):
                self._expand(_ground(atom, binding), words)
            elif atom != NOTHING:
                words.append(atom)

    def _is_good(self, words):
        """Whether a sentence keeps what the grammar says of its length and of repeated words."""
        repeated = [word for word in set(words) & self.grammar.once if words.count(word) > 1]
        return (
            SHORTEST <= len(words) <= LONGEST
            and not repeated
            and all(sum(map(words.count, alone)) <= 1 for alone in self.grammar.alone)
        )

    def draw(self):
        """A sentence, a list of words, or None if it would not be good. Raises GrammarError."""
        words = []
        try:
            self._expand(Symbol(START), words)
        except RecursionError:
            found = "symbols that never end"
            raise GrammarError(self.grammar.name, found, "an end to each") from None
        return words if self._is_good(words) else None


def sample_corpus(grammar, how_many=HOW_MANY, seed=SEED):
    """Different sentences of a Grammar, `how_many` lines of words separated by spaces.

    Raises GrammarError if the grammar has fewer.
    """
    sampler = Sampler(grammar, seed)
    sentences = {}  # a dict keeps their order
    in_vain = 0
    with tqdm(total=how_many, desc="sentences", leave=False, disable=None) as bar:
        while len(sentences) < how_many:
            words = sampler.draw()
            line = " ".join(words or [])
            in_vain = 0 if words and line not in sentences else in_vain + 1
            if in_vain == MOST_DRAWS:
                found = f"{len(sentences)} different sentences of {SHORTEST} to {LONGEST} words"
                raise GrammarError(grammar.name, found, how_many)
            if in_vain == 0:
                sentences[line] = None
                bar.update()
    return "".join(f"{sentence}\n" for sentence in sentences)
