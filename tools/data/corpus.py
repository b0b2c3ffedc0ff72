"""Sample the corpus, `raw_sentences.txt`, from the grammar in `tools/data/english.grammar`.

    python -m tools.data.corpus

The head of the grammar file explains its notation. Here it goes through four steps:

    parse_grammar    text                       -> Grammar: rules whose arguments hold variables
    ground           Grammar                    -> Rules: every variable replaced by every value
    check_grammar    Grammar, Rules             -> nothing, or a GrammarError that says where
    sample_corpus    Rules, a number and a seed -> sentences

After grounding, each symbol with its arguments is a plain number and the grammar is an ordinary
context-free one, so that sampling needs a stack and nothing else. The only source of randomness is
`random.Random(seed).random()`, whose stream Python promises to keep: the same seed, grammar and
number of sentences give the same bytes on every platform.
"""

import argparse
import itertools
import math
import random
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from tools.common import (
    SENTENCES,
    clear_exit,
    random_seed,
    require_different_files,
    whole_number,
    write_atomically,
)

GRAMMAR = Path(__file__).with_name("english.grammar")
START = "Sentence"
SEED = 5
HOW_MANY = 90_300  # sentences: as many as the windows of data.pk need, and a few per cent more
PICK = 3  # sentences drawn for one that is taken, unless an earlier one shows something new
SHORTEST, LONGEST = 4, 40  # tokens a sentence, punctuation included
DEEPEST = 20  # groups in groups; Python can read some hundreds
MOST_DRAWS = 1000  # in vain, for one sentence, before we call the grammar wrong

CONTINUED = " " * 8
NUMBER = re.compile(r"\d+(\.\d+)?|\.\d+")
NAME = re.compile(r"[A-Za-z]\w*")
CALL = re.compile(r"([A-Za-z]\w*)\(([^()]*)\)")
PIECES = re.compile(r"[\[\]{}|]|[^\s\[\]{}|]+")


class GrammarError(ValueError):
    """The grammar cannot be used; the message names the place, the finding and the remedy."""


@dataclass(frozen=True)
class Call:
    """A symbol with its arguments (names of values or of variables), as it stands in a body."""

    name: str
    args: tuple

    def __str__(self):
        return f"{self.name}({','.join(self.args)})" if self.args else self.name


@dataclass(frozen=True, eq=False)  # compared by identity, which is fast
class Choice:
    """An inline group, `{...}` or `[...]`.

    `options` is a tuple of (weight, body), `args` what the arguments of the Calls in it are.
    """

    options: tuple
    args: frozenset

    @classmethod
    def of(cls, options):
        """Return the Choice between `options`."""
        items = (item for _, body in options for item in body if not isinstance(item, str))
        return cls(tuple(options), frozenset(arg for item in items for arg in item.args))


@dataclass(frozen=True)
class Rule:
    """One alternative of a symbol. A body is a tuple of words (str), Calls and Choices."""

    head: Call
    weight: float
    body: tuple
    place: str  # "file:line", for messages


@dataclass
class Grammar:
    """What a grammar file says, before any variable is replaced."""

    classes: dict = field(default_factory=dict)  # lexical class -> list of words
    features: dict = field(default_factory=dict)  # feature -> {value: weight}
    rules: dict = field(default_factory=dict)  # symbol -> list of Rule
    distinct: list = field(default_factory=list)  # features whose variables differ in value
    once: list = field(default_factory=list)  # classes whose words may occur once a sentence
    apart: list = field(default_factory=list)  # pairs of sets of words that never meet
    spelling: dict = field(default_factory=dict)  # word -> (other spelling, words it goes before)

    def values(self):
        """Return the set of the values of all features."""
        return {value for values in self.features.values() for value in values}


# ---------------------------------------------------------------- text -> Grammar


def parse_grammar(text, name="grammar"):
    """Return the Grammar that `text` describes; `name` is what messages call the file.

    Raises GrammarError with file, line, what was found and what is expected.
    """
    grammar = Grammar()
    head = columns = None  # what an indented line continues: a rule or a table
    for number, line in _logical_lines(text):
        place = f"{name}:{number}"
        keyword, _, rest = line.strip().partition(" ")
        if line[0].isspace():
            if columns is not None:
                _add_table_row(grammar, columns, line.split(), place)
            elif head is not None:
                _add_rules(grammar, head, line, place)
            else:
                raise GrammarError(f"{place}: found an indented line, expected a head before it")
            continue
        head = columns = None
        if keyword == "class":
            class_name, words = _named_list(rest, place)
            if class_name in grammar.classes:
                raise GrammarError(f"{place}: class {class_name} is defined twice, expected once")
            grammar.classes[class_name] = words
        elif keyword == "feature":
            feature, values = _named_list(rest, place)
            grammar.features[feature] = dict(_weighted(value, place) for value in values)
        elif keyword == "once":
            grammar.once += rest.split()
        elif keyword == "distinct":
            grammar.distinct += rest.split()
        elif keyword == "apart":
            grammar.apart.append(_apart(rest, place))
        elif keyword == "spelling":
            word, other, before = _spelling(rest, place)
            grammar.spelling[word] = (other, before)
        elif keyword == "table":
            columns = [_table_column(grammar, column, place) for column in rest.split()]
        else:
            left, equals, right = line.partition("=")
            if not equals:
                raise GrammarError(
                    f"{place}: found {line!r}, expected 'Symbol =', 'class', 'feature', 'table', "
                    "'once', 'distinct', 'apart' or 'spelling'"
                )
            head = _head(grammar, left.strip(), place)
            if right.strip():
                _add_rules(grammar, head, right, place)
    return grammar


def _logical_lines(text):
    """Return a list of (number of its first line, line), comments cut off, continuations joined.

    A line that begins with CONTINUED spaces or more continues the one before it.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].rstrip()
        if line.startswith(CONTINUED) and lines:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        elif line:
            lines.append((number, line))
    return lines


def _named_list(text, place):
    """Split `name = word word ...`."""
    name, equals, items = text.partition("=")
    if not equals or not NAME.fullmatch(name.strip()) or not items.split():
        raise GrammarError(f"{place}: found {text!r}, expected 'name = item item ...'")
    return name.strip(), items.split()


def _weighted(item, place):
    """Split `value*weight`, the weight being 1 if it is left out."""
    value, star, weight = item.partition("*")
    if star and not NUMBER.fullmatch(weight):
        raise GrammarError(f"{place}: found {item!r}, expected 'value' or 'value*weight'")
    return value, float(weight or 1)


def _spelling(text, place):
    """Split `a = an before apple egg ...`."""
    word, other_and_before = _named_list(text, place)
    if len(other_and_before) < 3 or other_and_before[1] != "before":
        raise GrammarError(f"{place}: found {text!r}, expected 'word = other before word ...'")
    return word, other_and_before[0], frozenset(other_and_before[2:])


def _apart(text, place):
    """Split `lunch / dinner evening ...` into two sets of words that never share a sentence."""
    sides = [frozenset(side.split()) for side in text.split("/")]
    if len(sides) != 2 or not all(sides):
        raise GrammarError(f"{place}: found {text!r}, expected 'word ... / word ...'")
    return tuple(sides)


def _arguments(grammar, text, place):
    """Split `a,f`; every argument has to be a value or a variable (a feature and digits)."""
    args = tuple(text.split(","))
    known = grammar.values()
    for arg in args:
        if arg not in known and arg.rstrip("0123456789") not in grammar.features:
            raise GrammarError(
                f"{place}: found the argument {arg!r}, expected one of the features "
                f"{', '.join(grammar.features)} (with digits behind it or not) or of their values"
            )
    return args


def _head(grammar, text, place):
    """Return the Call that stands left of `=`."""
    call = CALL.fullmatch(text)
    if call:
        return Call(call[1], _arguments(grammar, call[2], place))
    if NAME.fullmatch(text) and text[0].isupper():
        return Call(text, ())
    raise GrammarError(f"{place}: found {text!r}, expected 'Symbol' or 'symbol(argument,...)'")


def _table_column(grammar, text, place):
    """Return the arguments in a table's heading, such as `(she,past)`."""
    if not (text.startswith("(") and text.endswith(")")):
        raise GrammarError(f"{place}: found the column {text!r}, expected '(argument,...)'")
    return _arguments(grammar, text[1:-1], place)


def _add_table_row(grammar, columns, cells, place):
    """Add one rule `symbol(column) = cell` for each cell of a table's row but `-`."""
    symbol, *words = cells
    if len(words) != len(columns):
        raise GrammarError(f"{place}: found {len(words)} words, expected {len(columns)} or '-'")
    for args, word in zip(columns, words, strict=True):
        if word != "-":
            rule = Rule(Call(symbol, args), 1.0, (word,), place)
            grammar.rules.setdefault(symbol, []).append(rule)


def _add_rules(grammar, head, text, place):
    """Add the alternatives of one line, `weight body | weight body | ...`."""
    pieces = PIECES.findall(text)
    steps = ((piece in ("{", "[")) - (piece in ("}", "]")) for piece in pieces)
    if max(itertools.accumulate(steps), default=0) > DEEPEST:
        raise GrammarError(
            f"{place}: found more than {DEEPEST} groups in each other, expected fewer: give inner "
            "ones a symbol of their own"
        )
    for weight, body in _alternatives(grammar, pieces[::-1], None, place):
        grammar.rules.setdefault(head.name, []).append(Rule(head, weight, body, place))


def _alternatives(grammar, pieces, closing, place):
    """Read alternatives from the reversed list `pieces` up to `closing` (None: to the end)."""
    options, weight, body = [], None, []
    while True:
        piece = pieces.pop() if pieces else None
        if piece in ("|", closing):
            options.append((1.0 if weight is None else weight, tuple(body)))
            if piece == closing:
                return options
            weight, body = None, []
        elif piece is None or piece in "]}":
            found = "the end of the line" if piece is None else repr(piece)
            expected = "a word or symbol" if closing is None else repr(closing)
            raise GrammarError(f"{place}: found {found}, expected {expected}")
        elif piece == "{":
            body.append(Choice.of(_alternatives(grammar, pieces, "}", place)))
        elif piece == "[":
            body.append(_optional(_alternatives(grammar, pieces, "]", place), place))
        elif NUMBER.fullmatch(piece):
            if body or weight is not None:
                raise GrammarError(
                    f"{place}: found the number {piece} inside a body, expected a weight only "
                    "in front of an alternative"
                )
            weight = float(piece)
        else:
            body.append(_word_or_call(grammar, piece, place))


def _optional(options, place):
    """Return the Choice for `[p body | body]`: with probability p one of the bodies."""
    probability = options[0][0]
    if not 0 < probability < 1:
        raise GrammarError(
            f"{place}: found the probability {probability:g} of a [...], expected one between "
            "0 and 1, as in [.3 word]"
        )
    inside = Choice.of([(1.0, options[0][1]), *options[1:]])
    return Choice.of([(probability, (inside,)), (1.0 - probability, ())])


def _word_or_call(grammar, piece, place):
    """Return a Call for `Symbol` and `symbol(arguments)`, the str itself for a word."""
    call = CALL.fullmatch(piece)
    if call:
        return Call(call[1], _arguments(grammar, call[2], place))
    if "(" in piece or ")" in piece:
        raise GrammarError(f"{place}: found {piece!r}, expected 'symbol(a,b)' without spaces")
    return Call(piece, ()) if piece[0].isupper() else piece


# ---------------------------------------------------------------- Grammar -> ground rules


@dataclass
class Rules:
    """The grammar without variables.

    `symbols[k]` is the printed form of nonterminal k; `cumulative[k]` are the running sums of the
    weights of its alternatives and `bodies[k]` the alternatives: tuples of words (str) and
    nonterminals (int), in REVERSED order, ready to be pushed on a stack. The start symbol is 0.
    """

    symbols: list
    cumulative: list
    bodies: list
    forbidden_twice: frozenset
    apart: list
    spelling: dict


def ground(grammar, start=START):
    """Return the Rules reachable from `start`, with each variable replaced by each value.

    Raises GrammarError if a symbol is used for which no rule fits the arguments.
    """
    numbers, todo = {}, []
    rules = Rules([], [], [], frozenset(), grammar.apart, grammar.spelling)
    rules.forbidden_twice = frozenset(w for c in grammar.once for w in grammar.classes.get(c, ()))

    def number_of(item, env, place):
        """Return the number of the nonterminal `item` (a Call or Choice) under `env`."""
        if isinstance(item, Call):
            key = Call(item.name, tuple(env.get(arg, arg) for arg in item.args))
        else:
            key = (item, tuple((arg, env[arg]) for arg in sorted(item.args & env.keys())))
        if key not in numbers:
            numbers[key] = len(numbers)
            todo.append((key, place))
        return numbers[key]

    def add_alternative(weight, body, env, place, into):
        for full, share in _bindings(grammar, body, env):
            items = (x if isinstance(x, str) else number_of(x, full, place) for x in body)
            into.append((weight * share, tuple(items)[::-1]))

    number_of(Call(start, ()), {}, "start symbol")
    for key, place in todo:  # grows while it is walked through
        alternatives = []
        if isinstance(key, Call):
            for rule in _rules_of(grammar, key.name):
                env = _match(grammar, rule.head.args, key.args)
                if env is not None:
                    add_alternative(rule.weight, rule.body, env, rule.place, alternatives)
        else:
            choice, env = key
            for weight, body in choice.options:
                add_alternative(weight, body, dict(env), place, alternatives)
        weights = [weight for weight, _ in alternatives]
        if not sum(weights) > 0:
            raise GrammarError(
                f"{place}: found the symbol {key}, for which no rule is defined; expected a rule "
                "whose name and arguments fit it (or is it a misspelt word?)"
            )
        rules.symbols.append(str(key) if isinstance(key, Call) else f"a group in {place}")
        rules.cumulative.append(list(itertools.accumulate(weights)))
        rules.bodies.append([body for _, body in alternatives])
    return rules


def _rules_of(grammar, name):
    """Return the rules of a symbol; the name of a lexical class stands for any of its words."""
    if name in grammar.rules:
        return grammar.rules[name]
    words = grammar.classes.get(name, ())
    return [Rule(Call(name, ()), 1.0, (word,), f"class {name}") for word in words]


def _feature(grammar, arg):
    """Return {value: weight} of the feature that the variable `arg` is of, None for a value."""
    return grammar.features.get(arg.rstrip("0123456789"))


def _match(grammar, patterns, args):
    """Return {variable: value} such that the head's arguments become `args`, None if impossible.

    A variable fits the values of its own feature only.
    """
    if len(patterns) != len(args):
        return None
    env = {}
    for pattern, arg in zip(patterns, args, strict=True):
        values = _feature(grammar, pattern)
        if values is None:
            if pattern != arg:
                return None
        elif arg not in values or env.setdefault(pattern, arg) != arg:
            return None
    return env


def _bindings(grammar, body, env):
    """Return a list of (env with a value for each free variable of `body`, their probability)."""
    args = {arg for item in body if not isinstance(item, str) for arg in item.args}
    free = sorted(arg for arg in args - env.keys() if _feature(grammar, arg))
    domains = [_feature(grammar, variable) for variable in free]
    bindings = []
    for values in itertools.product(*domains):
        full = {**env, **dict(zip(free, values, strict=True))}
        if _distinct(grammar, full):
            weights = (domain[value] for domain, value in zip(domains, values, strict=True))
            bindings.append((full, math.prod(weights)))
    total = sum(weight for _, weight in bindings)
    return [(full, weight / total) for full, weight in bindings]


def _distinct(grammar, env):
    """Say whether no two variables of a feature declared `distinct` have the same value."""
    for feature in grammar.distinct:
        values = [v for variable, v in env.items() if variable.rstrip("0123456789") == feature]
        if len(set(values)) < len(values):
            return False
    return True


# ---------------------------------------------------------------- checks


def check_grammar(grammar, rules):
    """Raise GrammarError unless the grammar is complete and nothing in it is left over.

    Looked for: words of no lexical class or of two; words, symbols and rules that no sentence can
    contain; symbols whose expansion can never end.
    """
    class_of = {}
    for name, words in grammar.classes.items():
        for word in words:
            if word in class_of:
                raise GrammarError(
                    f"word {word!r}: found in class {class_of[word]} and in class {name}, "
                    "expected one class a word"
                )
            class_of[word] = name
    for name in grammar.distinct:
        if name not in grammar.features:
            raise GrammarError(f"distinct: found {name}, expected the name of a feature")
    for name in grammar.once:
        if name not in grammar.classes:
            raise GrammarError(f"once: found {name}, expected the name of a class")
    for word in sorted(frozenset().union(*itertools.chain.from_iterable(grammar.apart))):
        if word not in class_of:
            raise GrammarError(f"apart: found {word!r}, expected a word of some class")
    used = {x for bodies in rules.bodies for body in bodies for x in body if isinstance(x, str)}
    used |= {other for other, _ in grammar.spelling.values()}
    homeless = sorted(used - set(class_of))
    if homeless:
        places = ", ".join(f"{word!r} ({_where(grammar, word)})" for word in homeless)
        raise GrammarError(f"words in no class: {places}; expected each in one")
    unused = [f"{word!r} (class {name})" for word, name in class_of.items() if word not in used]
    if unused:
        raise GrammarError(f"no sentence contains {', '.join(unused)}; expected all words in one")
    reached = {symbol.partition("(")[0] for symbol in rules.symbols}
    for name in grammar.rules:
        if name not in reached:
            place = grammar.rules[name][0].place
            raise GrammarError(f"{place}: symbol {name} is never used, expected a use or no rule")
    _check_ends(rules)


def _where(grammar, word):
    """Return the place of the first rule that mentions `word`, in a group or not."""

    def mentions(body):
        return any(
            item == word or isinstance(item, Choice) and any(mentions(b) for _, b in item.options)
            for item in body
        )

    rules = itertools.chain.from_iterable(grammar.rules.values())
    return next((rule.place for rule in rules if mentions(rule.body)), "grammar")


def _check_ends(rules):
    """Raise GrammarError if some symbol has no expansion of finite length."""
    ends = set()
    grown = True
    while grown:
        grown = False
        for k, bodies in enumerate(rules.bodies):
            if k not in ends and any(
                all(isinstance(item, str) or item in ends for item in body) for body in bodies
            ):
                ends.add(k)
                grown = True
    for k, symbol in enumerate(rules.symbols):
        if k not in ends:
            raise GrammarError(
                f"symbol {symbol}: found only rules that lead back to it, expected one that ends"
            )


# ---------------------------------------------------------------- sampling


def load_grammar(path=GRAMMAR):
    """Return (Grammar, Rules) of a grammar file, parsed, grounded and checked."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GrammarError(f"{path}: cannot be read ({error}), expected a UTF-8 text") from error
    grammar = parse_grammar(text, path.name)
    rules = ground(grammar)
    check_grammar(grammar, rules)
    return grammar, rules


def expand(rules, rng):
    """Return the words of one random expansion of the start symbol, as they come."""
    words, stack = [], [0]
    while stack and len(words) <= LONGEST:
        item = stack.pop()
        if isinstance(item, str):
            words.append(item)
            continue
        sums = rules.cumulative[item]
        choice = bisect_right(sums, rng.random() * sums[-1], 0, len(sums) - 1)
        stack.extend(rules.bodies[item][choice])
    return words


def spell(words, spelling):
    """Return `words` with those respelt that depend on the next word ("a" before "apple")."""
    out = list(words)
    for k, (word, following) in enumerate(itertools.pairwise(words)):
        if word in spelling and following in spelling[word][1]:
            out[k] = spelling[word][0]
    return out


def acceptable(words, rules):
    """Say whether a sentence has a fit length, repeats no word and joins none it must not."""
    if not SHORTEST <= len(words) <= LONGEST:
        return False
    content = [word for word in words if word in rules.forbidden_twice]
    in_a_row = any(word == following for word, following in itertools.pairwise(words))
    if len(set(content)) < len(content) or in_a_row:
        return False
    return all(left.isdisjoint(words) or right.isdisjoint(words) for left, right in rules.apart)


def sample_sentence(rules, rng):
    """Return one acceptable sentence, a list of tokens, drawn from `rules`."""
    for _ in range(MOST_DRAWS):
        words = expand(rules, rng)
        if acceptable(words, rules):
            return spell(words, rules.spelling)
    raise GrammarError(
        f"{MOST_DRAWS} expansions in a row were not of {SHORTEST} to {LONGEST} tokens without a "
        "forbidden repetition; expected most to be"
    )


def runs(line, length):
    """Return the runs of `length` tokens in a sentence, a set of tuples."""
    words = line.split(" ")
    return set(zip(*(words[k:] for k in range(length)), strict=False))


def sample_corpus(rules, sentences=HOW_MANY, seed=SEED, progress=False, pick=1):
    """Return a list of `sentences` strings, one sentence each, tokens separated by one space.

    No sentence comes twice. With `pick` above 1, two sentences of three have to hold a run of four
    tokens that has not occurred before, and of up to `pick` sentences drawn we take the first with
    a new pair of neighbors, or else the first of all: a corpus that repeats itself less, and shows
    more of what the grammar can say, teaches a model more.
    """
    rng = random.Random(seed)
    lines = {}  # a dict keeps the order
    pairs, fours = set(), set()
    for number in tqdm(range(sentences), unit=" sentences", disable=not progress):
        found = []
        for _ in range(MOST_DRAWS):
            line = " ".join(sample_sentence(rules, rng))
            if line in lines or (pick > 1 and number % 3 and runs(line, 4) <= fours):
                continue
            found.append(line)
            if len(found) == pick or not runs(line, 2) <= pairs:
                break
        if not found:
            raise GrammarError(
                f"found only {len(lines)} different sentences, expected {sentences}: "
                "ask for fewer or make the grammar richer"
            )
        line = found[0] if runs(found[-1], 2) <= pairs else found[-1]
        lines[line] = None
        pairs |= runs(line, 2)
        fours |= runs(line, 4)
    return list(lines)


@clear_exit(GrammarError)
def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tools.data.corpus",
        description="Sample a corpus, one sentence a line, from a grammar.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("-o", "--output", type=Path, default=SENTENCES, help="file to write")
    parser.add_argument("--grammar", type=Path, default=GRAMMAR, help="grammar to sample from")
    parser.add_argument("--seed", type=random_seed, default=SEED, help="same seed, same bytes")
    parser.add_argument(
        "--sentences", type=whole_number(1), default=HOW_MANY, help="how many to sample"
    )
    args = parser.parse_args(argv)
    require_different_files([("-o", args.output)], [("the grammar", args.grammar)])
    _, rules = load_grammar(args.grammar)
    lines = sample_corpus(rules, args.sentences, args.seed, progress=True, pick=PICK)
    write_atomically(args.output, "".join(f"{line}\n" for line in lines).encode())
    tokens = sum(len(line.split()) for line in lines)
    print(f"{args.output}: {len(lines)} sentences, {tokens} tokens")


if __name__ == "__main__":
    main()
