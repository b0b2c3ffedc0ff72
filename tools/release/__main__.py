"""Make the zip for students: the notebook without its solutions, and all that they need.

    python -m tools.release -o hw1.zip
    python -m tools.release -o hw1.zip --term 2026 --key key.txt --staff staff

Solutions become stubs that name their question, answers become "YOUR ANSWER HERE", outputs go.
Before the zip is written, the reference solution has to pass its own checks on the files of this
release, and all files are searched for expressions of the solutions, sentences of the answers and
printed gradients. If a check fails or a trace is found, nothing is written.

With --term the zip holds a partially trained model of that term's own, so the printed gradients of
other terms are no help; the same term gives the same model again. --staff writes a folder for the
staff: the reference notebook, run from top to bottom on the files of this release, so that it
prints the gradients of this term. Students must not get it, nor the key.

The text goes into the zip if the data were made from it: the file of --sentences, or else
raw_sentences.txt beside the data. So does a file LICENSE-DATA beside the data.
"""

import copy
import logging
from pathlib import Path

import checking
from tools.common import (
    DATA,
    NOTEBOOK,
    PARTIALLY_TRAINED,
    SENTENCES,
    clear_exit,
    command_parser,
    require_different_files,
    require_writable,
    write_atomically,
    zip_bytes,
)
from tools.notebook import NotebookError, clean, notebook_bytes, read_notebook, run
from tools.reference import add_key_arguments, key_inputs, read_key
from tools.release.students_zip import (
    DATA_LICENCE,
    ReleaseError,
    require_no_traces,
    student_files,
    traces_of_solutions,
    window_not_in,
)

FOLDER = "hw1"  # in the zip
STAFF_FILES = ("checking.py", DATA.name, PARTIALLY_TRAINED.name)  # beside the notebook


def parse_arguments():
    parser = command_parser(__doc__)
    add = parser.add_argument
    add("-o", "--output", required=True, type=Path, help="the zip for students")
    add_key_arguments(parser)
    add("--sentences", type=Path, help="the text of which the data were made")
    add("--key", type=Path, metavar="FILE", help="write the answer key, for staff")
    add("--staff", type=Path, metavar="FOLDER", help="write the executed reference, for staff")
    return parser.parse_args()


def require_outputs(arguments):
    """Raise an error if a file cannot be written, or would overwrite another one.

    Raises SameFileError, ReleaseError and OSError.
    """
    staff = arguments.staff
    outputs = [("-o", arguments.output), ("--key", arguments.key), ("--staff", staff)]
    if staff:
        outputs += [("--staff", staff / name) for name in (*STAFF_FILES, NOTEBOOK.name)]
    text = arguments.sentences or text_beside(arguments.data)
    require_different_files(outputs, [*key_inputs(arguments), ("the text", text)])
    for path in (arguments.output, arguments.key):
        if path is not None:
            require_writable(path)
    if staff is not None and staff.exists() and not staff.is_dir():
        raise ReleaseError(f"{staff}: found a file; expected a folder, or the name of a new one")


def text_beside(data_path):
    return data_path.with_name(SENTENCES.name)


def choose_text(arguments):
    """The text of the data as bytes, or None, and a line that says which it is.

    Raises ReleaseError if the text that is asked for is not that of the data, OSError.
    """
    path = arguments.sentences or text_beside(arguments.data)
    if not (arguments.sentences or path.is_file()):
        return None, f"without a text: there is no {path}"
    content = path.read_bytes()
    try:
        window = window_not_in(content.decode("utf-8-sig"), checking.load_data(arguments.data))
    except UnicodeDecodeError:
        problem = "found no UTF-8 text"
    else:
        if window is None:
            return content, f"with the text {path}"
        problem = f"found no {window!r} in its lines, a window of {arguments.data}"
    if arguments.sentences:
        raise ReleaseError(f"{path}: {problem}; expected the text of which the data were made")
    return None, f"without the text {path}: {problem}"


def write_staff_folder(folder, reference, files):
    """Write the reference notebook with the outputs of a run on the files of a release.

    files: dict from names to bytes, as `student_files` returns it.
    Raises NotebookError if a cell fails, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in STAFF_FILES:
        write_atomically(folder / name, files[name])
    notebook = copy.deepcopy(reference)
    run(notebook, folder)
    clean(notebook)
    write_atomically(folder / NOTEBOOK.name, notebook_bytes(notebook))


@clear_exit(ReleaseError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    logging.disable()  # nbgrader logs what it also raises
    require_outputs(arguments)
    reference = read_notebook(arguments.notebook)
    key_lines, model = read_key(arguments)
    text, about_text = choose_text(arguments)
    licence = arguments.data.with_name(DATA_LICENCE)
    data_files = {DATA.name: arguments.data.read_bytes(), PARTIALLY_TRAINED.name: model}
    data_files |= {SENTENCES.name: text} if text is not None else {}
    data_files |= {DATA_LICENCE: licence.read_bytes()} if licence.is_file() else {}
    files = student_files(reference, data_files)
    traces = traces_of_solutions(reference, key_lines)
    require_no_traces(files, traces)

    zipped = zip_bytes({f"{FOLDER}/{name}": content for name, content in files.items()})
    write_atomically(arguments.output, zipped)
    print(f"{arguments.output}: {len(files)} files, without any of {len(traces)} solution traces")
    print(f"{arguments.output}: {about_text}")
    if arguments.key:
        write_atomically(arguments.key, "\n".join([*key_lines, ""]).encode())
        print(f"{arguments.key}: the answer key, for staff")
    if arguments.staff:
        write_staff_folder(arguments.staff, reference, files)
        print(f"{arguments.staff}: the reference notebook with this release's outputs, for staff")


if __name__ == "__main__":
    main()
