"""The house's floors: what imports what, read from the sources."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "rind"

# From the bottom up: a module imports from floors below its own only.
FLOORS = [
    {"errors", "terminal", "modes", "workdir", "scripts", "tasks", "quoting"},
    {"host_processes", "roots"},
    {"frames", "local", "endpoint", "profile", "keys", "failures", "ending"},
    {"command", "selection"},
    {"folders"},
    {"plan"},
    {"stream", "streams", "answers"},
    {"engine"},
    {"looks"},
    {"leash"},
    {"reaper"},
    {"inspection"},
    {"receiver"},
    {"process"},
    {"piped", "attach"},
    {"target"},
    {"client"},
    {"api"},
    {"cli.report", "cli.run", "cli.shim", "cli.variables"},
    {"cli.options", "cli.signals"},
    {"cli.asked", "cli.prefix", "cli.picker"},
    {"cli.fanout", "cli.show"},
    {"cli.session"},
    {"cli.completion"},
    {"cli.program"},
    {"cli.main"},
]
DOORS = {
    "aiodocker": {"engine"},
    "aiohttp": {"engine", "stream"},
    "prompt_toolkit": {"cli.picker"},
}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return names


def test_imports_never_run_up() -> None:
    floor_of = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    for name, tree in modules().items():
        if name in {"__init__", "__main__", "cli"}:
            continue
        for imported in imports(tree):
            if imported.startswith("rind."):
                below = imported.removeprefix("rind.")
                assert floor_of[below] < floor_of[name], f"{name} imports {below}"


def test_each_library_has_its_doors() -> None:
    for name, tree in modules().items():
        for imported in imports(tree):
            allowed = DOORS.get(imported.partition(".")[0])
            assert allowed is None or name in allowed, f"{name} imports {imported}"


def test_the_command_line_is_built_on_the_api() -> None:
    below = {f"rind.{it}" for it in ("engine", "stream", "leash", "reaper")}
    for name, tree in modules().items():
        if name.startswith("cli."):
            assert not imports(tree) & below, name


def test_the_library_never_prints_or_exits() -> None:
    for name, tree in modules().items():
        if name.startswith("cli") or name == "__main__":
            continue
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        used = {function.id for function in calls if isinstance(function, ast.Name)}
        assert not used & {"print", "exit", "quit", "input"}, name
        assert "sys" not in imports(tree), name


def test_every_module_has_its_test() -> None:
    tests = Path(__file__).parent
    for name in modules():
        if name.endswith("__init__") or name in {"__main__", "cli", "errors"}:
            continue
        *folders, last = name.split(".")
        assert tests.joinpath(*folders, f"test_{last}.py").exists(), name
