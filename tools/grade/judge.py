"""Compare what the functions of a submission returned with the reference, and give marks.

Only what is right at the size of the assignment earns marks: that is what trains its network.
"""

import base64
import io
from dataclasses import asdict, dataclass, field
from operator import itemgetter

import numpy as np

import checking
from tools.grade.problems import FUNCTIONS, arguments_of, named_results, problems_of
from tools.questions import QUESTIONS

TOLERANCE = 1e-5  # of the largest entry: float32 passes, an entry that is 0.01 % off does not
PRINTED_TOLERANCE = 2e-6  # relative: the last printed digit may be rounded the other way
HALF = 0.5  # of the marks, for what is right but for a factor or a sign
CHANGED_COSTS = 1.0  # mark, for arguments that are changed in place, which the checker refuses
# A network whose cross-entropy is below this part of that of guessing by frequency has learned.
LEARNED = 0.85
MASKED, OTHERS = "masked positions", "other positions"  # the parts of a loss derivative
WEIGHTS = {MASKED: 6.0, OTHERS: 2.0}  # marks of 2.2.1; elsewhere all tensors earn the same
PROVIDED = "word_embedding_weights"  # whose gradient is handed out, and earns nothing in 2.2.2
PRINTED = {  # marks of 2.2.3
    "loss_derivative": 2.0,
    "output_bias": 1.0,
    "hid_to_output_weights": 1.0,
    "hid_bias": 1.0,
    "embed_to_hid_weights": 1.0,
    "word_embedding_weights": 2.0,
}
FINAL = ("training", "validation", "test")


@dataclass
class Calls:
    """What a process sent of a function.

    values: by (number of the problem, tensor), an array, or a str that says what else was there.
    error: the first one. is_done: whether all was sent. ending: how the process ended, "" if the
    function did not end it.
    """

    values: dict = field(default_factory=dict)
    error: str = ""
    has_changed: bool = False
    is_done: bool = False
    ending: str = ""

    def add(self, header, payload):
        """Take in a line, which may be a forgery: plain values of known types, or nothing."""
        number, name = header.get("problem"), header.get("name")
        if isinstance(name, str) and isinstance(number, int):
            value = str(header["text"])[:80] if "text" in header else array_in(payload)
            self.values.setdefault((number, name), value)
        self.error = self.error or str(header.get("error", ""))[:600]
        self.has_changed |= header.get("changed") is True
        self.is_done |= header.get("done") is True


def array_in(payload):
    """The array in the base64 of a .npy file, which may be a forgery, or a str that says so."""
    try:
        content = io.BytesIO(base64.b64decode(payload))
        array = np.lib.format.read_array(content, allow_pickle=False)
    except Exception:  # what a forgery makes of it
        return "no array"
    return array if array.dtype.kind in "biuf" else "no numbers"


class Reference:
    """What is right: values for all problems, printed gradients, a figure to be below.

    Args:
        namespace: definitions of the reference notebook, executed on the data of the package.
        key: printed gradients by `name[index]`.
    """

    def __init__(self, namespace, key):
        self.key, self.V = key, len(namespace["vocab"])
        self.right = {function: solutions(function, namespace) for function in FUNCTIONS}
        data = namespace["data"]
        counts = np.bincount(data["train_inputs"].ravel(), minlength=self.V)
        frequencies = np.maximum(counts, 1) / counts.sum()
        self.guessing = -float(np.mean(np.log(frequencies[data["valid_inputs"]])))


def solutions(function, namespace):
    """Pairs of a problem and the right results by name, without those that are None."""
    method = namespace.get(function) or getattr(namespace["Model"], function)
    found = []
    for problem in problems_of(function):
        results = named_results(function, method(*arguments_of(function, problem, namespace)))
        found.append((problem, {k: v for k, v in results.items() if v is not None}))
    return found


# Comparison


def compare(value, right, sizes, where=...):
    """What a tensor earns, from 0 to 1, and why.

    Args:
        value: an array, or a str that says what else was there.
        right: an array.
        sizes: by name, the lengths over which a mean may have been taken in place of a sum.
        where: index of the part of the arrays that counts.
    """
    if isinstance(value, str):
        return 0.0, "no result" if value == "None" else f"found {value}"
    if value.shape != right.shape:
        return 0.0, f"shape {value.shape} in place of {right.shape}"
    tolerance = TOLERANCE * np.abs(right).max()  # of the whole array, as the checker's is
    with np.errstate(all="ignore"):
        value, right = value[where].astype(np.float64), right[where]
        n_wrong = np.count_nonzero(~(np.abs(value - right) <= tolerance))  # NaN is wrong, too
    if not n_wrong:
        return 1.0, "right"
    if not np.isfinite(value).all():
        return 0.0, "NaN or infinite values"
    if not right.any():
        return 0.0, "not 0"
    relation = checking.relation(value, right, sizes)
    part = HALF if " times " in relation else 0.0
    return part, relation or f"{n_wrong} of {right.size} values are wrong"


def parts_of(name, right):
    """The parts of a tensor that are compared: by name, the index of their entries.

    A loss derivative has two, since it has to be 0 where nothing is masked.
    """
    if name != "loss_derivative":
        return {name: ...}
    is_masked = right != 0  # softmax is never 0, and no target has a probability of 1
    return {MASKED: is_masked, OTHERS: ~is_masked}


def judge_tensors(function, values, reference):
    """What the results of a function are worth, on problems of the assignment's sizes and others.

    Returns two dicts from (model, part) to the worst of what `compare` returns.
    """
    found = {True: {}, False: {}}  # by whether the sizes are those of the assignment
    for number, (problem, right) in enumerate(reference.right[function]):
        sizes = {"B": problem.B, "N": problem.N, "(B N)": problem.B * problem.N}
        sizes |= {"V": reference.V, "(V V)": reference.V**2}
        worst = found[problem.V is None]
        for name, array in right.items():
            value = values.get((number, name), "None")
            for part, where in parts_of(name, array).items():
                key, result = (problem.model, part), compare(value, array, sizes, where)
                worst[key] = min(worst.get(key, result), result, key=itemgetter(0))
    return found[True], found[False]


# Marks


@dataclass
class Grade:
    """What is known of a question.

    items: dicts with a name, marks, how many there are, and a remark that says why. staff: lines
    for staff alone. A human adds the marks of written answers.
    """

    number: str
    title: str
    is_written: bool
    out_of: float
    marks: float = 0.0
    items: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    staff: list = field(default_factory=list)

    def add(self, name, marks, out_of, remark):
        """Add an item, and its marks."""
        self.items.append({"name": name, "marks": marks, "out_of": out_of, "remark": remark})
        self.marks = max(0.0, round(sum(item["marks"] for item in self.items), 2))


def automatic(result):
    """The questions of a result that need no human."""
    return [question for question in result["questions"] if not question["is_written"]]


def totals(result):
    """Marks that were given automatically, and how many there are."""
    questions = automatic(result)
    return [round(sum(question[key] for question in questions), 2) for key in ("marks", "out_of")]


def grade_function(grade, function, calls, tensors):
    """Fill in 2.1.3, 2.2.1 or 2.2.2. tensors: as `judge_tensors` returns them."""
    at_size, at_others = tensors
    earning = {key: found for key, found in at_size.items() if key[1] != PROVIDED}
    for (model, name), (part, remark) in earning.items():
        out_of = WEIGHTS.get(name, grade.out_of / len(earning))
        if name == OTHERS:  # zeros alone earn nothing
            part *= at_size["", MASKED][0]
        grade.add(f"{name}, {model} model" if model else name, part * out_of, out_of, remark)
    if error := calls.ending or calls.error:
        if error.startswith("NotImplementedError"):
            error = "is not written yet, at least in part"
        grade.remarks.append(f"{function}: {error}")
    rigid = [key[1] for key in at_size if at_size[key][0] == 1 and at_others[key][0] < 1]
    if rigid:
        text = (
            "right for the sizes of this assignment only, which are numbers or global names in it"
        )
        grade.remarks.append(f"{function}: {text}: {', '.join(dict.fromkeys(rigid))}")
    if calls.has_changed and grade.marks:
        grade.add("arguments unchanged", -CHANGED_COSTS, 0.0, "it changes an argument in place")


def is_same(value, right):
    return abs(value - right) <= PRINTED_TOLERANCE * abs(right)


def grade_printed(grade, derivatives, gradients, printed, reference):
    """Fill in 2.2.3: what was printed and the code computes, tensor by tensor.

    What the code computes decides, so that an output of other code earns nothing; a difference
    between the two is a fact for staff, who know what happened. derivatives, gradients: what
    2.2.1 and 2.2.2 are worth at the assignment's sizes.
    """
    derivative = min(derivatives.values())
    if not printed:
        grade.remarks.append("the notebook shows no output of print_gradients")
    for name, out_of in PRINTED.items():
        # All gradients follow from the derivative, with its factor.
        part, why = min(derivative, gradients.get(("", name), derivative))
        key = {entry: v for entry, v in reference.key.items() if entry.startswith(f"{name}[")}
        shown = {entry: printed[entry] for entry in key if entry in printed}
        n_right = sum(is_same(value, key[entry]) for entry, value in shown.items())
        remark = f"{n_right} of {len(key)} printed entries are right; computed: {why}"
        if len(shown) < len(key):
            part, remark = 0.0, f"{len(shown)} of {len(key)} entries are printed"
        elif (part == 1.0) != (n_right == len(key)):
            grade.staff.append(f"{name}: {remark}")
        grade.add(name, part * out_of, out_of, remark)


def grade_training(grade, figures, without, reference):
    """Fill in 2.2.4: a completed run, whose final figures are those of a network that learned.

    figures: the final cross-entropies by split. without: numbers of the questions that earned
    nothing, although training needs them.
    """
    missing = [split for split in FINAL if split not in figures]
    worst = max(np.nan_to_num(list(figures.values()), nan=np.inf), default=np.inf)
    limit = LEARNED * reference.guessing
    threshold = f"{limit:.2f}, {LEARNED:g} of guessing by frequency"
    if missing:
        marks, remark = 0.0, f"not printed: {', '.join(missing)}"
    elif without:
        marks, remark = 0.0, f"they are printed, but {' and '.join(without)} earned nothing"
        grade.staff.append(f"final figures: {remark}")
    elif worst > limit:
        marks, remark = 1.0, f"printed, {worst:.3f} is above {threshold}"
    else:
        marks, remark = 2.0, f"printed, all at most {threshold}"
    grade.add("final figures", marks, grade.out_of, remark)


def judge(found, calls, reference):
    """The questions with marks: dicts with the fields of Grade.

    found: what `tools.grade.inside.judge` sends of a notebook. calls: by function, its Calls.
    """
    grades = {q.grade_id: Grade(q.number, q.title, q.is_written, q.marks) for q in QUESTIONS}
    for grade in grades.values():
        if grade.is_written and not found["answers"].get(grade.number):
            grade.remarks.append("no answer was found in a text cell")
    tensors = {name: judge_tensors(name, calls[name].values, reference) for name in FUNCTIONS}
    for name in FUNCTIONS:
        grade_function(grades[name], name, calls[name], tensors[name])
        grades[name].staff += [f"{name} {line}" for line in found["findings"].get(name, [])]
    network = [name for name in FUNCTIONS if name != "grad_GLoVe"]
    worths = [tensors[name][0] for name in network]
    grade_printed(grades["print_gradients"], *worths, found["printed"], reference)
    without = [grades[name].number for name in network if not grades[name].marks]
    grade_training(grades["train"], found["final"], without, reference)
    return [asdict(grade) for grade in grades.values()]
