"""Judge a submission: run its functions on fresh problems, compare, and give marks by question.

The functions run in `tools.grade.sandbox` on small problems in which no two sizes are equal, so that no
wrong shape fits by accident. What they return is compared here with the reference solution of the
notebook, which the sandbox never sees.
"""

import ast
from dataclasses import dataclass, field

import numpy as np

from tools.grade import sandbox
from tools.grade.submission import FUNCTIONS
from tools.notebook import EXPERIMENT, code_cells, is_definition
from tools.questions import QUESTIONS

TOLERANCE = 1e-5  # of the largest entry: float32 passes, an entry that is 0.01 % off does not
PRINTED_TOLERANCE = 2e-6  # relative: the last printed digit may be rounded the other way
LOOPS_KEEP = 0.75  # of the marks, since the handout asks for vectorised code
FIXED_SIZES_KEEP = 0.75  # for code that is right for the sizes of the assignment only
CHANGED_COSTS = 1.0  # mark, for arguments that are changed in place
PARTS = {"targets": 4.0, "other words of masked positions": 2.0}  # marks of 2.2.1 if it is wrong
ZEROS = 2.0  # for 0 at the positions that are not masked, if a part is right
GROWTH = 40  # by which one size grows when loops are looked for
TRAINED = 2.5  # nats; a network that learned is below this, whatever the order of its batches
PARAMETERS = {  # marks of 2.2.2; the last one is provided but needs the student's derivative
    "output_bias": 1.5,
    "hid_to_output_weights": 2.0,
    "hid_bias": 1.5,
    "embed_to_hid_weights": 2.0,
    "word_embedding_weights": 1.0,
}
PRINTED = {  # marks of 2.2.3
    "loss_derivative": 2.0,
    "output_bias": 1.0,
    "hid_to_output_weights": 1.0,
    "hid_bias": 1.0,
    "embed_to_hid_weights": 1.0,
    "word_embedding_weights": 2.0,
}
GLOVE_NAMES = ("grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde")
LOOK = ": somebody will look at it"
# They call a function again and again; the operations that are counted are the interpreter's.
LOOPS_OF_LIBRARIES = {
    *("map", "filter", "reduce", "accumulate", "starmap"),
    *("fromiter", "fromfunction", "frompyfunc", "vectorize"),
    *("apply_along_axis", "apply_over_axes"),
}
HEAVY = ("IPython", "matplotlib", "sklearn", "textalloc", "threadpoolctl", "tqdm", "checking")


@dataclass(frozen=True)
class Sizes:
    """V words, N in a window, D dimensions, H hidden units, B windows."""

    V: int
    N: int
    D: int
    H: int
    B: int


SMALL = (Sizes(V=13, N=3, D=5, H=7, B=11), Sizes(V=17, N=5, D=4, H=9, B=6))
HOME = Sizes(V=251, N=4, D=16, H=32, B=10)  # V and N of the assignment, for a second chance


@dataclass
class Item:
    """Marks for one thing, with a line that says why."""

    name: str
    marks: float
    out_of: float
    remark: str = ""


@dataclass
class Grade:
    """What was found for a question; a human adds the marks of written answers."""

    number: str
    title: str
    out_of: float
    is_written: bool = False
    items: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    warnings: list = field(default_factory=list)  # for staff alone

    @property
    def marks(self):
        return max(0.0, round(sum(item.marks for item in self.items), 2))


class Reference:
    """What the judge knows of the reference notebook.

    namespace: its definitions, executed; provided: sources of the statements that were handed out,
    and of those in its classes; helpers: those that the functions may need; texts: its Markdown
    cells but the answers; answers: its answers, by question; key: printed gradients, by
    `name[index]`; trials: by function, the calls that judge it. The same seed gives the same
    problems, and so the same marks.
    """

    def __init__(self, notebook, namespace, key, seed=0):
        self.namespace, self.key = namespace, key
        self.helpers, self.provided, self.texts, self.answers = [], set(), set(), {}
        by_id = {question.grade_id: question.number for question in QUESTIONS}
        for cell in notebook.cells:
            metadata = cell.metadata.get("nbgrader", {})
            if metadata.get("solution"):
                if cell.cell_type == "markdown":
                    self.answers[by_id[metadata["grade_id"]]] = cell.source.strip()
            elif cell.cell_type == "markdown":
                self.texts.add(cell.source.strip())
        for cell in code_cells(notebook):
            if not cell.metadata.get("nbgrader", {}).get("solution"):
                is_experiment = EXPERIMENT in cell.metadata.get("tags", [])
                for statement in ast.parse(cell.source).body:
                    self.add_provided(statement, is_experiment)
        self.trials = {function: trials(self, function, seed) for function in FUNCTIONS}

    def add_provided(self, statement, is_experiment):
        self.provided.add(ast.unparse(statement))
        if isinstance(statement, ast.ClassDef):
            self.provided.update(map(ast.unparse, statement.body))
        modules = [alias.name for alias in getattr(statement, "names", [])]
        modules.append(getattr(statement, "module", "") or "")
        is_heavy = any(module.startswith(HEAVY) for module in modules)
        if is_definition(statement) and not (is_experiment or is_heavy):
            self.helpers.append(ast.unparse(statement))


# Problems


def glove_problem(reference, sizes, model, random):
    """Arguments of `grad_GLoVe`, by name, and the right gradients, by name."""
    V, d = sizes.V, sizes.D
    arrays = {
        "W": random.randn(V, d),
        "W_tilde": random.randn(V, d) if model == "asymmetric" else None,
        "b": random.randn(V, 1),
        "b_tilde": random.randn(V, 1) if model == "asymmetric" else None,
        "log_co_occurrence": 2 * random.randn(V, V),
    }
    right = dict(zip(GLOVE_NAMES, reference.namespace["grad_GLoVe"](*arrays.values())))
    return {"function": "grad_GLoVe", "arrays": arrays, "names": GLOVE_NAMES}, right


def network(reference, sizes, random):
    """A model, a masked batch (B, N), its mask (B, N), activations and one-hot targets."""
    vocab = ["[MASK]", *(f"word{i}" for i in range(1, sizes.V))]
    Model, Params = reference.namespace["Model"], reference.namespace["Params"]
    n_in, n_out = sizes.N * sizes.D, sizes.N * sizes.V
    params = Params(
        word_embedding_weights=random.randn(sizes.V, sizes.D),
        embed_to_hid_weights=random.randn(sizes.H, n_in) / np.sqrt(n_in),
        hid_bias=random.randn(sizes.H),
        hid_to_output_weights=random.randn(n_out, sizes.H) / np.sqrt(sizes.H),
        output_bias=random.randn(n_out),
    )
    model = Model(params, vocab)
    words = random.randint(1, sizes.V, size=(sizes.B, sizes.N))
    words[:3] = words[0]  # repeated words
    mask = model.sample_input_mask(sizes.B, random)
    masked = words * (1 - mask)
    return (
        model,
        masked,
        mask,
        model.compute_activations(masked),
        model.indicator_matrix(words * mask),
    )


def derivative_problem(reference, sizes, random):
    """A call of `compute_loss_derivative`, and the right values."""
    model, _, mask, activations, targets = network(reference, sizes, random)
    arguments = {
        "output_activations": activations.output_layer,
        "expanded_target_batch": targets,
        "target_mask": mask[:, :, np.newaxis].astype(targets.dtype),
    }
    right = model.compute_loss_derivative(*arguments.values())
    call = {
        "function": "compute_loss_derivative",
        "arrays": vars(model.params) | arguments,
        "params": list(vars(model.params)),
        "names": ["loss_derivative"],
    }
    return call, {"loss_derivative": right}


def backpropagation_problem(reference, sizes, random):
    """A call of `back_propagate` with the right derivative of the loss, and the right gradient."""
    model, masked, mask, activations, targets = network(reference, sizes, random)
    target_mask = mask[:, :, np.newaxis].astype(targets.dtype)
    derivative = model.compute_loss_derivative(activations.output_layer, targets, target_mask)
    right = vars(model.back_propagate(masked, activations, derivative))
    arguments = {"input_batch": masked} | vars(activations) | {"loss_derivative": derivative}
    call = {
        "function": "back_propagate",
        "arrays": vars(model.params) | arguments,
        "params": list(vars(model.params)),
        "activations": list(vars(activations)),
        "names": list(PARAMETERS),
    }
    return call, dict(right)


def make_problem(reference, function, sizes, model, seed):
    """A call of a function and what it should return; `model` is for GLoVe only."""
    random = np.random.RandomState(seed)
    if function == "grad_GLoVe":
        call, right = glove_problem(reference, sizes, model, random)
    elif function == "compute_loss_derivative":
        call, right = derivative_problem(reference, sizes, random)
    else:
        call, right = backpropagation_problem(reference, sizes, random)
    arrays = {name: sandbox.encode(array) for name, array in call["arrays"].items()}
    return call | {"V": sizes.V, "N": sizes.N, "count": False, "arrays": arrays}, right


@dataclass
class Trial:
    """A call, what it should return, and what it is for."""

    call: dict
    right: dict
    model: str
    where: str  # "small", "home", or the size that grows ("" for none) when operations are counted


def trials(reference, function, seed):
    """All calls by which a function is judged."""
    models = ("asymmetric", "symmetric") if function == "grad_GLoVe" else ("",)
    found = []
    for model in models:
        for number, sizes in enumerate((*SMALL, HOME)):
            call, right = make_problem(reference, function, sizes, model, seed + number)
            found.append(Trial(call, right, model, "home" if sizes is HOME else "small"))
    axes = {"grad_GLoVe": "VD", "compute_loss_derivative": "BV", "back_propagate": "BVDH"}
    for axis in ("", *axes[function]):
        sizes = vars(SMALL[0]) | ({axis: vars(SMALL[0])[axis] + GROWTH} if axis else {})
        call, right = make_problem(reference, function, Sizes(**sizes), models[0], seed)
        found.append(Trial(call | {"count": True}, right, models[0], axis))
    return found


# Comparison


def compare(claim, right):
    """ "" if a returned value is right, else a line that says in which way it is not."""
    if right is None:
        return "" if isinstance(claim, str) and claim == "NoneType" else "not None"
    if isinstance(claim, str):
        return f"{claim} in place of an array"
    if claim.shape != right.shape:
        return f"shape {claim.shape} in place of {right.shape}"
    with np.errstate(all="ignore"):
        claim = claim.astype(np.float64)
    if not np.isfinite(claim).all():
        return "NaN or infinite values"
    largest = np.abs(right).max()
    if np.abs(claim - right).max() <= TOLERANCE * largest:
        return ""
    if not claim.any():
        return "all values are 0"
    factor = np.sum(claim * right) / np.sum(right * right)
    if np.abs(claim - factor * right).max() <= TOLERANCE * np.abs(claim).max():
        return f"{factor:.4g} times the right values"
    n_wrong = np.count_nonzero(np.abs(claim - right) > TOLERANCE * largest)
    return f"{n_wrong} of {right.size} values are wrong"


@dataclass
class Verdict:
    """How the outputs of a function compare, and what else was seen."""

    problems: dict = field(default_factory=dict)  # (model, name) -> "" or what is wrong
    at_home: dict = field(default_factory=dict)  # the same, for the sizes of the assignment
    values: list = field(default_factory=list)  # pairs (claim, right) of the small problems
    changed: set = field(default_factory=set)
    loops: list = field(default_factory=list)  # sizes over which the code loops
    remarks: list = field(default_factory=list)


def run_function(reference, submission, function):
    """Run a function of a submission in the sandbox and compare what it returns: a Verdict."""
    tries = reference.trials[function]
    request = {
        "task": "submission",
        "helpers": reference.helpers,
        "solution": submission.solutions[function],
        "calls": [trial.call for trial in tries],
    }
    outcome = sandbox.run(request)
    answers = {}
    for message in outcome.messages:
        if isinstance(message.get("call"), int):
            answers[message["call"]] = message  # the last one, should the function forge some
    verdict = Verdict()
    for problem in filter(None, [outcome.ending, *map(str, outcome.values("failed"))]):
        verdict.remarks.append(f"{function}: {problem[:300]}")
    for number, trial in enumerate(tries):
        if not trial.call["count"]:
            add_comparison(verdict, trial, answers.get(number, {}))
    verdict.remarks += first_errors(function, answers.values())
    verdict.loops = find_loops(tries, answers, verdict)
    return verdict


def first_errors(function, answers):
    """The first error, as a remark in a list; an empty list if there was none."""
    errors = [str(answer["error"])[:300] for answer in answers if answer.get("error")]
    return [f"{function} {errors[0]}"] if errors else []


def add_comparison(verdict, trial, answer):
    """Compare the values of one answer and add what was found to the verdict."""
    values = answer.get("values")
    values = values if isinstance(values, dict) else {}
    for name, right in trial.right.items():
        key = trial.model, name
        claim = sandbox.decode(values[name]) if name in values else "no result"
        problem = compare(claim, right)
        if trial.where == "home":
            verdict.at_home[key] = problem
        else:
            verdict.problems[key] = verdict.problems.get(key) or problem
            if not isinstance(claim, str):
                verdict.values.append((claim, right))
    changed = answer.get("changed")
    if isinstance(changed, list):
        verdict.changed.update(str(name)[:40] for name in changed)


def find_loops(tries, answers, verdict):
    """Sizes whose growth makes the interpreter do at least one more operation for each index.

    A size at which something fails that is right for small arrays is one of them: code that works
    for small arrays only has something to hide. Nothing is known if the process ended with one of
    those.
    """
    missing = [number for number in range(len(tries)) if number not in answers]
    if missing and tries[missing[0]].where == "small":
        return []
    right_keys = {key for key, problem in verdict.problems.items() if not problem}
    counts = {}
    for number, trial in enumerate(tries):
        if trial.call["count"]:
            answer = answers.get(number, {})
            grown = Verdict()
            add_comparison(grown, trial, answer)
            fails = any(grown.problems.get(key) for key in right_keys)
            operations = answer.get("operations")
            if fails or isinstance(operations, int):
                counts[trial.where] = np.inf if fails else operations
    first = min(counts.get("", 0), 10**9)
    return [axis for axis in counts if axis and counts[axis] - first >= GROWTH]


# Marks


def tensor_item(verdict, key, out_of):
    """Marks for one tensor."""
    model, name = key
    label = f"{name}, {model} model" if model else name
    problem = verdict.problems.get(key, "nothing")
    if not problem:
        return Item(label, out_of, out_of, "right")
    if verdict.at_home.get(key) == "":
        remark = f"right for V = {HOME.V} and N = {HOME.N}, wrong for other sizes ({problem})"
        return Item(label, FIXED_SIZES_KEEP * out_of, out_of, remark)
    return Item(label, 0.0, out_of, problem)


def derivative_items(verdict):
    """2.2.1: 8 marks for the whole, or some for the parts that are right."""
    whole = tensor_item(verdict, ("", "loss_derivative"), 8.0)
    comparable = [pair for pair in verdict.values if pair[0].shape == pair[1].shape]
    if whole.marks or len(comparable) < len(SMALL):
        return [whole]
    items = []
    for name, out_of in PARTS.items():
        is_part = np.less if name == "targets" else np.greater  # than 0, where it is right
        problems = [compare(c[is_part(r, 0)], r[is_part(r, 0)]) for c, r in comparable]
        problem = next(filter(None, problems), "")
        items.append(Item(name, 0.0 if problem else out_of, out_of, problem or "right"))
    is_zero = not any(claim[right == 0].any() for claim, right in comparable)
    earned = ZEROS if is_zero and any(item.marks for item in items) else 0.0
    remark = "0, as they should be" if is_zero else "not 0"
    return [*items, Item("positions that are not masked", earned, ZEROS, remark)]


def function_grade(question, verdict, items):
    """The grade of a function's question, after what loops and changed arguments cost."""
    grade = Grade(question.number, question.title, question.marks, items=items)
    grade.remarks += verdict.remarks
    if verdict.loops and grade.marks:
        names = {"B": "examples", "V": "words", "D": "dimensions", "H": "hidden units"}
        over = ", ".join(names[axis] for axis in verdict.loops)
        lost = (1 - LOOPS_KEEP) * grade.marks
        grade.items.append(Item("vectorised", -lost, 0.0, f"it loops over the {over}"))
    if verdict.changed and grade.marks:
        text = f"it changes {', '.join(sorted(verdict.changed))}"
        grade.items.append(Item("arguments unchanged", -CHANGED_COSTS, 0.0, text))
    return grade


def written_grade(question, submission):
    answer = submission.answers.get(question.number, "")
    remark = "marked by hand" if answer else "no answer was found"
    return Grade(question.number, question.title, question.marks, True, remarks=[remark])


def is_same(value, right):
    return abs(value - right) <= PRINTED_TOLERANCE * abs(right)


def printed_grade(question, submission, reference, wrong):
    """2.2.3: the printed entries against the key, tensor by tensor.

    wrong: names of the tensors that the submission's code gets wrong. What a code cannot have
    computed earns nothing.
    """
    grade = Grade(question.number, question.title, question.marks)
    if not submission.printed:
        grade.remarks.append("the notebook shows no output of print_gradients")
    for name, out_of in PRINTED.items():
        entries = {k: v for k, v in reference.key.items() if k.startswith(name + "[")}
        given = {k: submission.printed[k] for k in entries if k in submission.printed}
        n_right = sum(is_same(value, entries[k]) for k, value in given.items())
        is_right = n_right == len(entries)
        remark = f"{n_right} of {len(entries)} entries are right"
        if is_right and name in wrong:
            remark += f", but the code does not compute them{LOOK}"
            grade.warnings.append(f"{name} is printed, but the code does not compute it")
        marks = out_of if is_right and name not in wrong else 0.0
        grade.items.append(Item(name, marks, out_of, remark))
    return grade


def training_grade(question, submission, grades):
    """2.2.4: a completed run, whose final figures are those of a network that learned.

    grades: those of 2.2.1 and 2.2.2, by question; a network can hardly learn without them.
    """
    grade = Grade(question.number, question.title, question.marks)
    missing = {"training", "validation", "test"} - set(submission.final)
    figures = np.nan_to_num(list(submission.final.values()), nan=np.inf)
    worst = max(figures, default=np.inf)
    unwritten = {"compute_loss_derivative", "back_propagate"} - submission.written
    if unwritten and not missing:
        text = f"printed, but {' and '.join(sorted(unwritten))} cannot have computed them"
        item = Item("final figures", 0.0, 2.0, text + LOOK)
        grade.warnings.append(f"final figures are {text}")
    elif missing:
        item = Item("final figures", 0.0, 2.0, f"not printed: {', '.join(sorted(missing))}")
    elif submission.was_interrupted:
        item = Item("final figures", 1.0, 2.0, "printed, but the training was interrupted")
    elif worst <= TRAINED:
        item = Item("final figures", 2.0, 2.0, f"printed, all at most {TRAINED}")
    else:
        item = Item("final figures", 1.0, 2.0, f"printed, but {worst:.3f} is above {TRAINED}")
    for number in ("2.2.1", "2.2.2"):
        if item.marks and not grades[number].marks:
            grade.warnings.append(f"final figures are printed, but {number} earned nothing")
    grade.items.append(item)
    return grade


def wrong_tensors(grades):
    """Names of the tensors that the code of 2.2.1 and 2.2.2 does not get right.

    A wrong derivative at the outputs spoils everything behind it.
    """
    right = {item.name for item in grades["2.2.1"].items if item.marks > 0}
    if "loss_derivative" not in right:
        return set(PRINTED)
    right |= {item.name for item in grades["2.2.2"].items if item.marks > 0}
    return set(PRINTED) - right


def judge(submission, reference, progress=lambda grades: None):
    """Grades by question of a submission.

    Args:
        submission: `tools.grade.submission.Submission`.
        reference: Reference.
        progress: is called with the grades so far after each question.

    Returns:
        list of Grade, in the order of the handout.
    """
    grades = {}
    for question in QUESTIONS:
        if question.is_written:
            grade = written_grade(question, submission)
        elif question.number == "2.2.3":
            grade = printed_grade(question, submission, reference, wrong_tensors(grades))
        elif question.number == "2.2.4":
            grade = training_grade(question, submission, grades)
        else:
            grade = judge_function(question, submission, reference)
        grade.remarks[:0] = submission.remarks.get(question.number, [])
        grades[question.number] = grade
        progress(list(grades.values()))
    return list(grades.values())


def judge_function(question, submission, reference):
    """Grade of 2.1.3, 2.2.1 or 2.2.2."""
    function = question.grade_id
    if function not in submission.solutions:
        nothing = Item(function, 0.0, question.marks, "not found")
        return Grade(question.number, question.title, question.marks, items=[nothing])
    verdict = run_function(reference, submission, function)
    if function == "compute_loss_derivative":
        items = derivative_items(verdict)
    elif function == "back_propagate":
        items = [tensor_item(verdict, ("", name), marks) for name, marks in PARAMETERS.items()]
    else:
        keys = [key for key in verdict.problems if key[0] == "asymmetric" or "tilde" not in key[1]]
        items = [tensor_item(verdict, key, 1.0) for key in keys]
    grade = function_grade(question, verdict, items)
    if not verdict.loops and (hidden := hidden_loops(submission.solutions[function])):
        grade.warnings.append(f"{function} may loop inside {', '.join(hidden)}")
    return grade


def hidden_loops(source):
    """Names in a text of what may loop without operations that are counted, sorted."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return sorted(names & LOOPS_OF_LIBRARIES)
