"""Generates the page of every public name from the docstrings.

    python tests/reference.py

writes the page to `rind/docs/api.md`; a test fails if that file is not current.
"""

import ast
import inspect
import re
import textwrap
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import rind

PAGE = Path(__file__).parents[1] / "rind" / "docs" / "api.md"
OPENING = """\
# Every name of the library

Made from the docstrings, whose examples are run by tests. The page on the [library](library.md)
shows them in context; another one describes their [stability](stability.md). A name that is missing
here is internal.
"""
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
_ENTRY = re.compile(r"    ([\w*, ]+): (.*)")


def reference() -> str:
    """Return the page."""
    found = {name: getattr(rind, name) for name in rind.__all__}
    kinds = {
        "Functions": [name for name, it in found.items() if inspect.isroutine(it)],
        "Classes": [
            name
            for name, it in found.items()
            if inspect.isclass(it) and not issubclass(it, BaseException)
        ],
        "Errors": [
            name
            for name, it in found.items()
            if inspect.isclass(it) and issubclass(it, BaseException)
        ],
    }
    rest = [name for name in found if name not in {one for of in kinds.values() for one in of}]
    pages = [OPENING]
    for kind, names in kinds.items():
        pages.append(f"## {kind}\n")
        for name in names:
            pages += described(name, found[name])
    pages.append("## Constants and types\n")
    pages += [f"- `{name}`: {constant(name)}" for name in rest]
    return "\n".join(pages).rstrip() + "\n"


def constant(name: str) -> str:
    """Return a constant's docstring: the string after its assignment in the source."""
    tree = ast.parse(Path(inspect.getfile(import_module(f"rind.{rind._HOMES[name]}"))).read_text())
    for assigned, following in pairwise(tree.body):
        match assigned, following:
            case (
                ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if found == name:
                return " ".join(marked_down(text).split())
    raise LookupError(f"{name} has no docstring")


def described(name: str, it: object) -> list[str]:
    """Return the section of one name, with the methods of a class."""
    parts = [f"### {name}\n", signature(name, it), marked_down(inspect.getdoc(it) or "")]
    if inspect.isclass(it) and issubclass(it, BaseException):
        (base, *_) = it.__bases__
        parts[1] = f"A `{base.__name__}`.\n" if base.__module__.startswith("rind") else ""
    elif inspect.isclass(it):
        for member, value in vars(it).items():
            if member.startswith("_") or "Internal: " in (inspect.getdoc(value) or "Internal: "):
                continue
            if isinstance(value, property):
                parts += [f"#### {name}.{member}\n", marked_down(inspect.getdoc(value) or "")]
            elif inspect.isroutine(value):
                text = marked_down(inspect.getdoc(value) or "")
                parts += [f"#### {name}.{member}\n", signature(member, value), text]
    return [part for part in parts if part]


def signature(name: str, it: object) -> str:
    """Return the call of a function or class, as code; empty if users do not call it."""
    is_made_by_us = inspect.isclass(it) and not hasattr(it, "__match_args__")
    if not callable(it) or is_made_by_us:
        return ""
    try:
        found = inspect.signature(it)
    except (TypeError, ValueError):
        return ""
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
        if parameter.name != "self"
    ]
    words = re.sub(r" at 0x[0-9a-f]+", "", str(inspect.Signature(plain)))
    for number, constant_name in ((rind.PIPE, "PIPE"), (rind.DEVNULL, "DEVNULL")):
        words = words.replace(f"={number}", f"={constant_name}")
    prefix = "await " if inspect.iscoroutinefunction(it) else ""
    whole = textwrap.fill(f"{prefix}{name}{words}", 100, subsequent_indent="    ")
    return f"```text\n{whole}\n```\n"


def _role(match: re.Match[str]) -> str:
    """Return the text of a docstring's reference to a name, as short as Sphinx shows it."""
    return f"`{match[2].rpartition('.')[2] if match[1] else match[2]}`"


def marked_down(text: str) -> str:
    """Return a docstring in Markdown: its examples fenced, its sections lists."""
    text = re.sub(r":\w+:`(~?)([^`]*)`", _role, text)
    text = text.replace("``", "`")
    lines: list[str] = []
    section = fenced = False
    for line in text.splitlines():
        if fenced and line and not line.startswith("    "):
            while not lines[-1]:
                lines.pop()
            lines += ["```", ""]
            fenced = False
        if match := _SECTION.fullmatch(line):
            section = True
            lines.append(f"{match[1]}:\n")
        elif section and (match := _ENTRY.fullmatch(line)):
            lines.append(f"- `{match[1]}`: {match[2]}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        elif not section and line.startswith("    "):
            lines += [] if fenced else ["```python"]
            fenced = True
            lines.append(line[4:])
        else:
            section = section and not line
            lines.append(line)
    if fenced:
        lines.append("```")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference())
