"""The docstrings: every parameter is described, and the stub says the same as the module.

Run with `VECPACK_UPDATE=1` to write the docstrings of the module into the stub.
"""

import ast
import inspect
import os
import re
from pathlib import Path

import jedi
import pytest
import vecpack
import vecpack._vecpack as module

STUB = Path(__file__).parents[2] / "python" / "vecpack" / "_vecpack.pyi"


def definitions(tree):
    """The functions and classes of the stub, each signature of them, and the object of each in the module."""
    for node in tree.body:
        found = getattr(module, getattr(node, "name", ""), None)
        if isinstance(node, ast.FunctionDef) and found is not None:
            yield node, found
        if isinstance(node, ast.ClassDef) and found is not None:
            yield node, found
            for inner in node.body if not node.name.startswith("_") else ():
                if isinstance(inner, ast.FunctionDef):
                    member = inspect.getattr_static(found, inner.name, None)
                    if member is not None and (not inner.name.startswith("__") or inner.name == "__array__"):
                        yield inner, member


def documented(text):
    """Names and texts of the parameters in a docstring of numpydoc."""
    section = re.search(r"^Parameters\n-{10}\n(.*?)(?:\n\n\S+\n-{3,}\n|\Z)", text, re.S | re.M)
    lines = section[1].splitlines() if section else []
    names = [line.split(" : ")[0] for line in lines if re.match(r"\w+ : \S", line)]
    assert len(names) == sum(1 for line in lines if line and not line.startswith(" ")), text
    return names


def updated(source):
    lines = source.splitlines()
    for node, found in reversed(list(definitions(ast.parse(source)))):
        text = inspect.getdoc(found)
        if not text:
            continue
        indent = " " * (node.col_offset + 4)
        quoted = f'{indent}"""{text}'.replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n")
        quoted = re.sub(r"[ ]+$", "", quoted, flags=re.M)
        quoted += f'\n{indent}"""' if "\n" in text else '"""'
        first = node.body[0]
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        if is_text and isinstance(first.value.value, str):
            lines[first.lineno - 1 : first.end_lineno] = quoted.splitlines()
        elif isinstance(node, ast.ClassDef):
            at = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", ()))]) - 1
            lines[at:at] = [*quoted.splitlines(), ""]
        else:
            line = lines[first.lineno - 1]
            lines[first.lineno - 1 : first.end_lineno] = [line[: first.col_offset].rstrip(), *quoted.splitlines()]
    return "\n".join(lines) + "\n"


def test_the_stub_has_the_docstrings_of_the_module():
    source = STUB.read_text()
    if os.environ.get("VECPACK_UPDATE"):
        source = updated(source)
        STUB.write_text(source)
    for node, found in definitions(ast.parse(source)):
        assert ast.get_docstring(node) == inspect.getdoc(found), f"{node.name}: VECPACK_UPDATE=1 pytest {__file__}"


def test_every_parameter_is_described():
    described = 0
    for node, found in definitions(ast.parse(STUB.read_text())):
        if isinstance(node, ast.ClassDef) or node.name.startswith("_restore"):
            continue
        arguments = [*node.args.args, *node.args.kwonlyargs]
        names = [argument.arg for argument in arguments if argument.arg != "self"]
        is_private = node.name.startswith("_") and not node.name.startswith("__")
        if is_private or node.name in ("__arrow_c_stream__", "__arrow_c_array__"):
            continue
        assert documented(inspect.getdoc(found) or "") == names, node.name
        described += len(names)
    assert described > 100


@pytest.mark.parametrize("name", ["scan", "read", "inspect", "to_parquet"])
def test_defaults_are_those_of_the_signature(name):
    function = getattr(vecpack, name)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters.values():
        described = re.search(rf"^{parameter.name} : (.*)$", text, re.M)[1]
        if parameter.default in (None, inspect.Parameter.empty):
            assert "default" not in described, parameter.name
        else:
            assert described.endswith(f", default {parameter.default!r}"), parameter.name


@pytest.mark.parametrize("name", [name for name in vecpack.__all__ if name != "__version__"])
def test_editors_show_a_text_for_every_name(name):
    """jedi is what editors with python-lsp-server and notebooks ask. It reads the package and runs nothing of it."""
    (found,) = jedi.Script(f"import vecpack\nvecpack.{name}").help(2, len("vecpack."))
    assert found.docstring(raw=True) == inspect.getdoc(getattr(vecpack, name))
