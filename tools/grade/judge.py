"""Compare what the functions of a submission returned with the reference, and give marks.

Only what is right at the size of the assignment earns marks: that is what trains its network.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, field

import numpy as np

from tools.grade.problems import FUNCTIONS, arguments_of, named_results, problems_of
from tools.grade.sandbox import array_in
from tools.questions import QUESTIONS

TOLERANCE = 1e-5  # of the largest entry: float32 passes, an entry that is 0.01 % off does not
PRINTED_TOLERANCE = 2e-6  # relative: the last printed digit may be rounded the other way
SAME_FACTOR = 1e-5  # relative difference of factors that count as one
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
NO_RESULT = ("nothing", "NoneType")  # where nothing was sent, and for None
FINAL = ("training", "validation", "test")


@dataclass
class Grade:
    """What was found for a question; a human adds the marks of written answers.

    items: dicts with a name, marks, how many there are, and a remark that says why. staff: lines
    for staff alone.
    """

    number: str
    title: str
    out_of: float
    is_written: bool
    items: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    staff: list = field(default_factory=list)

    def add(self, name, marks, out_of, remark):
        self.items.append({"name": name, "marks": marks, "out_of": out_of, "remark": remark})

    @property
    def marks(self):
        return max(0.0, round(sum(item["marks"] for item in self.items), 2))

    def as_dict(self):
        return asdict(self) | {"marks": self.marks}


class Reference:
    """What is right: values for all problems, printed gradients, a figure to be below.

    Args:
        namespace: definitions of the reference notebook, executed on the data of the package.
        key: printed gradients by `name[index]`.
    """

    def __init__(self, namespace, key):
        self.key, self.V = key, len(namespace["vocab"])
        self.right = {
            function: [(problem, solve(function, problem, namespace)) for problem in problems]
            for function in FUNCTIONS
            for problems in [problems_of(function)]
        }
        data = namespace["data"]
        counts = np.bincount(data["train_inputs"].ravel(), minlength=self.V)
        frequencies = np.maximum(counts, 1) / counts.sum()
        self.guessing = -float(np.mean(np.log(frequencies[data["valid_inputs"]])))


def solve(function, problem, namespace):
    """The right results by name, without those that are None."""
    arguments = arguments_of(function, problem, namespace)
    method = namespace.get(function) or getattr(namespace["Model"], function)
    results = named_results(function, method(*arguments))
    return {name: value for name, value in results.items() if value is not None}


# Comparison


@dataclass
class Comparison:
    """What is wrong with a value, "" if nothing is, and the names of the factor to the right one.

    There are names, such as "-1" and "1/B", if it is a simple multiple. They are names because a
    size has other values in other problems.
    """

    problem: str = ""
    names: frozenset = frozenset()


def compare(value, right, sizes):
    """The Comparison of a value, an array or a str that says what was there, with an array.

    sizes: by name, the lengths over which a mean may have been taken in place of a sum.
    """
    if isinstance(value, str):
        return Comparison("no result" if value in NO_RESULT else f"it is a {value}")
    if value.shape != right.shape:
        return Comparison(f"shape {value.shape} in place of {right.shape}")
    with np.errstate(all="ignore"):
        value = value.astype(np.float64)
    if not np.isfinite(value).all():
        return Comparison("NaN or infinite values")
    scale = np.abs(right).max()

    def is_multiple(factor):
        return np.abs(value - factor * right).max() <= TOLERANCE * abs(factor) * scale

    if is_multiple(1.0):
        return Comparison()
    if not value.any():
        return Comparison("all values are 0")
    if not right.any():
        return Comparison("not 0")
    with np.errstate(all="ignore"):
        factor = float(np.sum(value * right) / np.sum(right * right))
    if factor and is_multiple(factor):
        return Comparison(f"{factor:.4g} times the right values", factor_names(factor, sizes))
    n_wrong = np.count_nonzero(np.abs(value - right) > TOLERANCE * scale)
    return Comparison(f"{n_wrong} of {right.size} values are wrong")


def factor_names(factor, sizes):
    """The names of a factor, such as "-1/B", that a forgotten or a needless one gives."""
    known = {"1/2": 0.5, "1": 1.0, "2": 2.0}
    for two in (0.5, 1, 2):
        for size, n in sizes.items():
            known |= {f"{two:g} / ({size})": two / n, f"{two:g} ({size})": two * n}
    known |= {f"-{name}": -value for name, value in known.items()}
    return frozenset(k for k, v in known.items() if abs(factor - v) <= SAME_FACTOR * abs(v))


def worth(comparisons):
    """What a tensor earns, from 0 to 1, and why, from its Comparisons on several problems."""
    problem = next((found.problem for found in comparisons if found.problem), "")
    if not problem:
        return 1.0, "right"
    if names := frozenset.intersection(*(found.names for found in comparisons)):
        return HALF, f"right but for a factor: {problem}, that is {min(names, key=len)}"
    return 0.0, problem


def parts_of(name, value, right):
    """What is compared of a tensor, triples (name, value, right value): of most all of it.

    A loss derivative has two parts, since it has to be 0 where nothing is masked.
    """
    if name != "loss_derivative":
        return [(name, value, right)]
    if isinstance(value, str) or value.shape != right.shape:
        return [(part, value, right) for part in (MASKED, OTHERS)]
    is_masked = right != 0  # softmax is never 0, and no target has a probability of 1
    places = {MASKED: is_masked, OTHERS: ~is_masked}
    return [(part, value[place], right[place]) for part, place in places.items()]


@dataclass
class Verdict:
    """What a function is worth.

    tensors: by (model, name), a pair of what a tensor earns, from 0 to 1, and a line that says
    why. needs_sizes: names of those that are right at the assignment's sizes only. error: the first
    one. changed: names of arguments.
    """

    tensors: dict
    needs_sizes: list
    error: str
    changed: set


def judge_function(function, frames, ending, reference):
    """The Verdict on a function.

    frames: pairs (header, payload) that were sent after it began. ending: how its process ended.
    """
    problems = reference.right[function]
    small = [n for n, (problem, _) in enumerate(problems) if not problem.has_sizes_of_assignment]
    values, error, changed = {}, ending, set()
    for header, payload in frames:
        if isinstance(header.get("array"), list):
            values.setdefault(tuple(map(str, header["array"])), array_in(header, payload))
        if header.get("error") and header.get("problem") not in small:
            error = error or str(header["error"])[:600]
        if isinstance(header.get("changed"), list):
            changed |= {str(name)[:40] for name in header["changed"][:9]}
    at_size, at_others = defaultdict(list), defaultdict(list)
    for number, (problem, right) in enumerate(problems):
        sizes = {"B": problem.B, "N": problem.N, "B N": problem.B * problem.N}
        sizes |= {"V": reference.V, "V V": reference.V**2}
        for name in right:
            value = values.get((str(number), name), "nothing")
            for part, found, expected in parts_of(name, value, right[name]):
                comparisons = at_others if number in small else at_size
                comparisons[problem.model, part].append(compare(found, expected, sizes))
    tensors = {key: worth(found) for key, found in at_size.items()}
    needs_sizes = [k[1] for k in tensors if tensors[k][0] == 1 and worth(at_others[k])[0] < 1]
    return Verdict(tensors, needs_sizes, error, changed)


# Marks


def grade_function(grade, function, verdict, problem, findings):
    """Fill in 2.1.3, 2.2.1 or 2.2.2.

    problem: what keeps the cell from being parsed, or "". findings: lines for staff.
    """
    earning = {key: found for key, found in verdict.tensors.items() if key[1] != PROVIDED}
    for (model, name), (part, remark) in earning.items():
        out_of = WEIGHTS.get(name, grade.out_of / len(earning))
        if name == OTHERS:  # zeros alone earn nothing
            part *= verdict.tensors["", MASKED][0]
        grade.add(f"{name}, {model} model" if model else name, part * out_of, out_of, remark)
    grade.staff += [f"{function} {line}" for line in findings]
    if error := problem or verdict.error:
        if "NotImplementedError" in error:
            error = f"is not written yet, at least in part ({error})"
        grade.remarks.append(f"{function}: {error}")
    if verdict.needs_sizes:
        names = ", ".join(dict.fromkeys(verdict.needs_sizes))
        text = "are right for the sizes of this assignment only, as numbers or global names"
        grade.remarks.append(f"{function}: {names} {text}")
    if verdict.changed and grade.marks:
        text = f"it changes {', '.join(sorted(verdict.changed))}"
        grade.add("arguments unchanged", -CHANGED_COSTS, 0.0, text)


def is_same(value, right):
    return abs(value - right) <= PRINTED_TOLERANCE * abs(right)


def grade_printed(grade, verdicts, printed, reference):
    """Fill in 2.2.3: what was printed and the code computes, tensor by tensor.

    What the code computes decides, so that an output of other code earns nothing; a difference
    between the two is a fact for staff, who know what happened.
    """
    of_derivative = verdicts["compute_loss_derivative"].tensors
    masked, others = of_derivative["", MASKED], of_derivative["", OTHERS]
    derivative = masked if others[0] else others
    gradients = verdicts["back_propagate"].tensors
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


def grade_training(grade, found, grades, reference):
    """Fill in 2.2.4: a completed run, whose final figures are those of a network that learned."""
    missing = [split for split in FINAL if split not in found["final"]]
    worst = max(np.nan_to_num(list(found["final"].values()), nan=np.inf), default=np.inf)
    limit = LEARNED * reference.guessing
    threshold = f"{limit:.2f}, {LEARNED:g} of guessing by frequency"
    without = [number for number in ("2.2.1", "2.2.2") if not grades[number].marks]
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
    """Grades by question's number.

    found: what `tools.grade.inside.judge` sends of a notebook. calls: by function, pairs (frames,
    ending) as for `judge_function`.
    """
    verdicts = {name: judge_function(name, *call, reference) for name, call in calls.items()}
    grades = {}
    for question in QUESTIONS:
        number, name = question.number, question.grade_id
        grade = Grade(number, question.title, question.marks, question.is_written)
        if question.is_written:
            if not found["answers"].get(number):
                grade.remarks.append("no answer was found")
        elif name in FUNCTIONS:
            problem, findings = found["problems"].get(name, ""), found["findings"][name]
            grade_function(grade, name, verdicts[name], problem, findings)
        elif name == "print_gradients":
            grade_printed(grade, verdicts, found["printed"], reference)
        else:
            grade_training(grade, found, grades, reference)
        grades[number] = grade
    return grades
