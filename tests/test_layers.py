"""The architecture: which package may import which, read from the sources."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "rind"

# From the bottom up: a package imports from those on lower floors only. Modules of the top level
# are floors of their own.
FLOORS = [
    {"base"},
    {"errors"},
    {"model"},
    {"decide", "endpoint", "terminal"},
    {"transport"},
    {"engine"},
    {"reaper"},
    {"execution"},
    {"files", "find"},
    {"attach", "keywords", "process"},
    {"signatures"},
    {"target"},
    {"client"},
    {"oneshot"},
    {"sync"},
    {"cli"},
]
DOORS = {
    "aiodocker": {"engine.pooled"},
    "aiohttp": {"engine.pooled"},
    "prompt_toolkit": {"cli.running.picker"},
}
DOTLESS = {"__init__", "__main__"}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if path.name != "__init__.py" or path.parent == PACKAGE:
            found[name] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module) -> set[str]:
    """Return the modules that a module imports, ``rind.x.y`` where it is one of ours."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            base = node.module or ""
            for alias in node.names:
                path = PACKAGE.parent / Path(*base.split("."), f"{alias.name}.py")
                names.add(f"{base}.{alias.name}" if path.exists() else base)
    return names


def ours(tree: ast.Module) -> set[str]:
    return {name.removeprefix("rind.") for name in imports(tree) if name.startswith("rind.")}


def test_imports_go_only_to_lower_floors() -> None:
    floor_of = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    for name, tree in modules().items():
        package = name.partition(".")[0]
        for imported in ours(tree) if package not in DOTLESS else ():
            other = imported.partition(".")[0]
            below = floor_of[other] < floor_of[package]
            assert below or other == package, f"{name} imports {imported}"


def test_the_documentation_lists_the_floors() -> None:
    page = (PACKAGE.parent / ".github" / "CONTRIBUTING.md").read_text()
    drawing = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [line.partition("  ")[0] for line in drawing] == [
        ", ".join(sorted(floor)) for floor in reversed(FLOORS)
    ]


def test_imports_have_no_cycle() -> None:
    graph = {name: ours(tree) for name, tree in modules().items() if name not in DOTLESS}
    done: set[str] = set()
    while ready := {name for name, needs in graph.items() if name not in done and needs <= done}:
        done |= ready
    assert done == set(graph), f"circles among {sorted(set(graph) - done)}"


def test_packages_are_empty() -> None:
    for package in PACKAGE.rglob("__init__.py"):
        if package.parent != PACKAGE:
            (docstring,) = ast.parse(package.read_text()).body
            assert isinstance(docstring, ast.Expr)


def test_only_doors_import_a_library() -> None:
    for name, tree in modules().items():
        for imported in imports(tree):
            allowed = DOORS.get(imported.partition(".")[0])
            assert allowed is None or name in allowed, f"{name} imports {imported}"


def test_the_command_line_is_built_on_the_api() -> None:
    for name, tree in modules().items():
        if name.startswith("cli."):
            below = {name for name in ours(tree) if name.startswith(("engine.", "reaper."))}
            below |= {name for name in ours(tree) if name.startswith("transport.")}
            assert below <= {"transport.frames"}, name


def test_the_library_never_prints_or_exits() -> None:
    for name, tree in modules().items():
        if name.startswith("cli") or name == "__main__":
            continue
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        used = {function.id for function in calls if isinstance(function, ast.Name)}
        assert not used & {"print", "exit", "quit", "input"}, name
        of_sys = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "sys"
        }
        # base.light looks whether asyncio is loaded.
        assert of_sys <= {"platform"} | ({"modules"} if name == "base.light" else set()), name
        assert not [1 for node in ast.walk(tree) if getattr(node, "module", "") == "sys"], name


def test_every_module_has_its_test() -> None:
    tests = Path(__file__).parent
    for name in modules():
        if name.endswith("__init__") or name in {
            "__main__",
            "cli",
            "errors",
            "model",
        }:
            continue
        *folders, last = name.split(".")
        assert tests.joinpath(*folders, f"test_{last}.py").exists(), name
