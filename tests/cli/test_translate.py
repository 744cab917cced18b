from rind.cli.parser import parse
from rind.cli.translate import described, wanted_from
from rind.decide.profile import Profile
from rind.decide.wanted import Wanted


def test_wanted_holds_the_selection_options() -> None:
    options = parse(["-s", "web", "-p", "shop", "--index", "2", "--label", "x", "ls"], {})
    assert wanted_from(options) == Wanted(service="web", project="shop", index=2, label="x")
    assert wanted_from(parse(["--container", "web"], {})) == Wanted(container="web")
    assert wanted_from(parse(["--all=everywhere"], {})) == Wanted(everywhere=True)


def test_wanted_holds_the_paths_among_the_words() -> None:
    words = ["/a/x.py", "x", "--file=/b", "file:///c", "-o", "./d", "--uri=file:///e", "a=/f"]
    assert wanted_from(parse(["--map-paths", *words], {})) == Wanted(
        paths=("/a/x.py", "/b", "/c", "/e"), map_paths=True
    )
    assert wanted_from(parse(["--lsp", "/a"], {})) == Wanted(paths=("/a",), map_paths=True)
    assert wanted_from(parse(["--all", "/a"], {})) == Wanted()


def test_described_prefers_the_users_words() -> None:
    profile = Profile(command="bash -l", shell="/bin/bash")
    assert described(parse(["echo", "a b"], {}), profile) == "echo 'a b'"
    assert described(parse(["-c", "ls $1", "x"], {}), profile) == "-c 'ls $1' x"
    assert described(parse([], {}), profile) == "bash -l"
    assert described(parse([], {}), Profile()) == "/bin/sh"
