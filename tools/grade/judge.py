"""Compare what the functions of a submission returned with the reference, and give marks.

Only what is right at the size of the assignment earns marks: that is what trains its network.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from tools.grade.problems import FUNCTIONS, TENSORS, arguments_of, named_results, problems_of
from tools.grade.sandbox import array_in
from tools.questions import QUESTIONS

TOLERANCE = 1e-5  # of the largest entry: float32 passes, an entry that is 0.01 % off does not
PRINTED_TOLERANCE = 2e-6  # relative: the last printed digit may be rounded the other way
SAME_FACTOR = 1e-5  # relative difference of factors that count as one
HALF = 0.5  # of the marks, for what is right but for a factor or a sign
CHANGED_COSTS = 1.0  # mark, for arguments that are changed in place, which the checker refuses
# A network whose cross-entropy is below this part of that of guessing by frequency has learned.
LEARNED = 0.85
ELSEWHERE = 2.0  # marks of 2.2.1 for 0 at positions that are not masked, if the others are right
WEIGHTS = {  # marks of 2.2.2; what follows for the embedding is provided
    "hid_to_output_weights": 2.0,
    "output_bias": 2.0,
    "embed_to_hid_weights": 2.0,
    "hid_bias": 2.0,
}
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
NUMBERS = {question.grade_id: question.number for question in QUESTIONS}


@dataclass
class Item:
    """Marks for one thing, with a line that says why."""

    name: str
    marks: float
    out_of: float
    remark: str = ""


@dataclass
class Grade:
    """What was found for a question; a human adds the marks of written answers.

    staff: lines for staff alone.
    """

    number: str
    title: str
    out_of: float
    is_written: bool = False
    items: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    staff: list = field(default_factory=list)

    @property
    def marks(self):
        return max(0.0, round(sum(item.marks for item in self.items), 2))

    def as_dict(self):
        return asdict(self) | {"marks": self.marks}


class Reference:
    """What is right: values for all problems, printed gradients, a figure to be below.

    Args:
        namespace: definitions of the reference notebook, executed on the data of the package.
        key: printed gradients by `name[index]`.
        seed: of the problems.
    """

    def __init__(self, namespace, key, seed=0):
        self.key, self.seed, self.V = key, seed, len(namespace["vocab"])
        self.right = {
            function: [self.solve(function, problem, namespace) for problem in problems]
            for function in FUNCTIONS
            for problems in [problems_of(function, seed)]
        }
        data = namespace["data"]
        counts = np.bincount(data["train_inputs"].ravel(), minlength=len(data["vocab"]))
        frequencies = np.maximum(counts, 1) / counts.sum()
        self.guessing = -float(np.mean(np.log(frequencies[data["valid_inputs"]])))

    @staticmethod
    def solve(function, problem, namespace):
        arguments = arguments_of(function, problem, namespace)
        method = namespace.get(function) or getattr(namespace["Model"], function)
        return problem, named_results(function, method(*arguments))


# Comparison


@dataclass
class Comparison:
    """How a value compares with the right one.

    factor: the value is that many times the right one; None if it is no simple multiple. names:
    of the factor, "-1" or "1/B", since a size has other values in other problems. problem: what is
    wrong, "" if nothing is.
    """

    factor: float = None
    names: frozenset = frozenset()
    problem: str = ""


def compare(value, right, sizes):
    """A Comparison of a value, an array or a str that says what was there, with an array or None.

    sizes: by name, the lengths over which a mean may have been taken in place of a sum.
    """
    if right is None:
        is_right = isinstance(value, str) and value == "NoneType"
        return Comparison(1.0 if is_right else None, problem="" if is_right else "not None")
    if isinstance(value, str):
        return Comparison(problem="no result" if value in NO_RESULT else f"it is a {value}")
    if value.shape != right.shape:
        return Comparison(problem=f"shape {value.shape} in place of {right.shape}")
    with np.errstate(all="ignore"):
        value = value.astype(np.float64)
    if not np.isfinite(value).all():
        return Comparison(problem="NaN or infinite values")

    def is_multiple(factor):
        allowed = TOLERANCE * abs(factor) * np.abs(right).max()
        return np.abs(value - factor * right).max() <= allowed

    if is_multiple(1.0):
        return Comparison(1.0)
    if not value.any():
        return Comparison(problem="all values are 0")
    with np.errstate(all="ignore"):
        factor = float(np.sum(value * right) / np.sum(right * right))
    if factor and is_multiple(factor):
        names = factor_names(factor, sizes)
        return Comparison(factor, names, f"{factor:.4g} times the right values")
    n_wrong = np.count_nonzero(np.abs(value - right) > TOLERANCE * np.abs(right).max())
    return Comparison(problem=f"{n_wrong} of {right.size} values are wrong")


def factor_names(factor, sizes):
    """The names of a factor, such as "-1/B", that a forgotten or a needless one gives."""
    known = {"1/2": 0.5, "1": 1.0, "2": 2.0}
    for two in (0.5, 1, 2):
        for size, n in sizes.items():
            known |= {f"{two:g} / ({size})": two / n, f"{two:g} ({size})": two * n}
    known |= {f"-{name}": -value for name, value in known.items()}
    return frozenset(k for k, v in known.items() if abs(factor - v) <= SAME_FACTOR * abs(v))


@dataclass
class Verdict:
    """What a function is worth.

    tensors: by (model, name), a pair of what a tensor earns, from 0 to 1, and a line that says
    why. needs_sizes: those that are right at the assignment's sizes only. elsewhere: whether a loss
    derivative is 0 where nothing is masked. error: the first one.
    """

    tensors: dict = field(default_factory=dict)
    elsewhere: bool = False
    error: str = ""
    changed: set = field(default_factory=set)
    needs_sizes: list = field(default_factory=list)


def judge_function(function, frames, ending, reference):
    """The Verdict on a function.

    frames: pairs (header, payload) that were sent after it began. ending: how its process ended.
    """
    verdict, values, errors = Verdict(), {}, []
    for header, payload in frames:
        if isinstance(header.get("array"), list):
            values.setdefault(tuple(map(str, header["array"])), array_in(header, payload))
        if header.get("error"):
            errors.append((header.get("problem"), str(header["error"])[:600]))
        if isinstance(header.get("changed"), list):
            verdict.changed |= {str(name)[:40] for name in header["changed"][:9]}
    found, masked, elsewhere = {}, [], []
    problems = reference.right[function]
    for number, (problem, right) in enumerate(problems):
        sizes = {"B": problem.B, "N": problem.N, "B N": problem.B * problem.N}
        sizes |= {"V": reference.V, "V V": reference.V**2}
        for name in TENSORS[function]:
            value = values.get((str(number), name), "nothing")
            result = compare(value, right[name], sizes)
            if not problem.has_sizes_of_assignment:
                if result.problem:
                    verdict.needs_sizes.append((problem.model, name))
                continue
            found.setdefault((problem.model, name), []).append(result)
            if function == "compute_loss_derivative":
                parts = parts_of(value, right[name], sizes)
                masked.append(parts[0])
                elsewhere.append(parts[1])
    verdict.tensors = {key: worth(results) for key, results in found.items()}
    verdict.needs_sizes = [key for key in verdict.needs_sizes if verdict.tensors[key][0] == 1]
    if masked and not verdict.tensors["", "loss_derivative"][0]:
        verdict.tensors["", "masked positions"] = worth(masked)
        verdict.elsewhere = all(elsewhere)
    at_size = [text for number, text in errors if is_at_size(number, problems)]
    verdict.error = ending or next(iter(at_size), "")
    return verdict


def is_at_size(number, problems):
    """Whether an error belongs to a problem of the assignment's sizes, or to none."""
    if type(number) is not int or not 0 <= number < len(problems):
        return True
    return problems[number][0].has_sizes_of_assignment


def worth(results):
    """What a tensor earns, from 0 to 1, and why, from its Comparisons on several problems."""
    problem = next((result.problem for result in results if result.problem), "")
    if not problem:
        return 1.0, "right"
    if names := frozenset.intersection(*(result.names for result in results)):
        return HALF, f"right but for a factor: {problem}, that is {min(names, key=len)}"
    return 0.0, problem


def parts_of(value, right, sizes):
    """Of a loss derivative, the Comparison where something is masked; whether it is 0 elsewhere."""
    if isinstance(value, str) or value.shape != right.shape:
        return Comparison(problem="no result"), False
    is_masked = right != 0  # softmax is never 0, and no target has a probability of 1
    return compare(value[is_masked], right[is_masked], sizes), not value[~is_masked].any()


# Marks


def tensor_item(verdict, key, out_of):
    """Marks for one tensor."""
    model, name = key
    part, remark = verdict.tensors[key]
    return Item(f"{name}, {model} model" if model else name, part * out_of, out_of, remark)


def function_items(function, verdict, out_of):
    """Marks for the tensors of a function."""
    if function == "back_propagate":
        return [tensor_item(verdict, ("", name), marks) for name, marks in WEIGHTS.items()]
    if function == "grad_GLoVe":  # in the symmetric model the others are None
        keys = [k for k in verdict.tensors if k[0] == "asymmetric" or "tilde" not in k[1]]
        return [tensor_item(verdict, key, out_of / len(keys)) for key in keys]
    if ("", "masked positions") not in verdict.tensors:
        return [tensor_item(verdict, ("", "loss_derivative"), out_of)]
    item = tensor_item(verdict, ("", "masked positions"), out_of - ELSEWHERE)
    part, _ = verdict.tensors["", "masked positions"]
    marks = part * ELSEWHERE if verdict.elsewhere else 0.0
    remark = "0, as they should be" if verdict.elsewhere else "not 0"
    return [item, Item("positions that are not masked", marks, ELSEWHERE, remark)]


def function_grade(question, verdict, problem, staff):
    """Grade of 2.1.3, 2.2.1 or 2.2.2. problem: what keeps the cell from being parsed, or ""."""
    function = question.grade_id
    grade = Grade(question.number, question.title, question.marks)
    grade.items = function_items(function, verdict, question.marks)
    grade.staff = [f"{function} {line}" for line in staff]
    if error := problem or verdict.error:
        if "NotImplementedError" in error:
            error = f"is not written yet, at least in part ({error})"
        grade.remarks.append(f"{function}: {error}")
    if verdict.needs_sizes:
        names = ", ".join(dict.fromkeys(name for _, name in verdict.needs_sizes))
        text = "are right for the sizes of this assignment only, as numbers or global names"
        grade.remarks.append(f"{function}: {names} {text}")
    if verdict.changed and grade.marks:
        text = f"it changes {', '.join(sorted(verdict.changed))}"
        grade.items.append(Item("arguments unchanged", -CHANGED_COSTS, 0.0, text))
    return grade


def is_same(value, right):
    return abs(value - right) <= PRINTED_TOLERANCE * abs(right)


def printed_grade(question, verdicts, printed, reference):
    """2.2.3: what was printed and the code computes, tensor by tensor.

    What the code computes decides, so that an output of other code earns nothing; a difference
    between the two is a fact for staff, who know what happened.
    """
    grade = Grade(question.number, question.title, question.marks)
    derivative = verdicts["compute_loss_derivative"].tensors["", "loss_derivative"]
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
        grade.items.append(Item(name, part * out_of, out_of, remark))
    return grade


def training_grade(question, found, grades, reference):
    """2.2.4: a completed run, whose final figures are those of a network that learned."""
    grade = Grade(question.number, question.title, question.marks)
    missing = [split for split in FINAL if split not in found["final"]]
    worst = max(np.nan_to_num(list(found["final"].values()), nan=np.inf), default=np.inf)
    limit = LEARNED * reference.guessing
    without = [n for n in ("2.2.1", "2.2.2") if not grades[n].marks]
    marks, remark = 0.0, f"not printed: {', '.join(missing)}"
    if not missing and without:
        remark = f"they are printed, but {' and '.join(without)} earned nothing"
        grade.staff.append(f"final figures: {remark}")
    elif not missing:
        is_below = worst <= limit
        marks = 1.0 if found["was_interrupted"] or not is_below else 2.0
        relation = "all at most" if is_below else f"{worst:.3f} is above"
        remark = f"printed, {relation} {limit:.2f}, {LEARNED:g} of guessing by frequency"
        remark = "the training was interrupted" if found["was_interrupted"] else remark
    grade.items.append(Item("final figures", marks, question.marks, remark))
    return grade


def judge(found, verdicts, reference):
    """Grades by question's number.

    found: what `tools.grade.inside.read` returns. verdicts: by function.
    """
    grades = {}
    for question in QUESTIONS:
        function = question.grade_id
        if question.is_written:
            grade = Grade(question.number, question.title, question.marks, True)
            if not found["answers"].get(question.number):
                grade.remarks.append("no answer was found")
        elif function in FUNCTIONS:
            problem, staff = found["problems"].get(function, ""), found["findings"][function]
            grade = function_grade(question, verdicts[function], problem, staff)
        elif function == "print_gradients":
            grade = printed_grade(question, verdicts, found["printed"], reference)
        else:
            grade = training_grade(question, found, grades, reference)
        grades[question.number] = grade
    return grades
