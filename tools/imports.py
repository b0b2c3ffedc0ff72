"""Which modules of the package a program needs: what a zip that holds the program has to hold."""

import ast

from tools.files import ROOT


def imported_names(path):
    """Names of the modules that a Python file may import: "a.b" and "a.b.c" for `a.b import c`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def with_imports(programs):
    """Paths, relative to the package, of programs and all its modules that they import."""
    found, to_visit = set(), [ROOT / name for name in programs]
    while to_visit:
        path = to_visit.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        to_visit.append(path.parent / "__init__.py")
        for name in imported_names(path):
            to_visit.append(ROOT / (name.replace(".", "/") + ".py"))
            to_visit.append(ROOT / name.replace(".", "/") / "__init__.py")
    templates = {path.with_suffix(".typ") for path in found}
    found |= {path for path in templates if path.is_file()}
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
