"""The pages' shell examples, run unchanged; the README's Compose file, brought up."""

import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine
from console import assert_says, blocks, examples

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


class Compose:
    """A compose project of the test's own."""

    def __init__(self, engine: TestEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def up(self, file: str) -> None:
        (self.folder / "compose.yaml").write_text(file)
        self.engine.cli("compose", "up", "--detach", cwd=self.folder)

    def down(self) -> None:
        self.engine.cli("compose", "down", "--timeout", "0", cwd=self.folder)


@pytest.fixture
def compose(engine: TestEngine, tmp_path: Path) -> Iterator[Compose]:
    folder = tmp_path / f"rindtest{os.getpid()}"
    folder.mkdir()
    it = Compose(engine, folder)
    # It uses the label app.rind and the README's names, so only one test at a time may run it.
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield it
        it.down()


def compose_file(engine: TestEngine, image: str, labels: str) -> str:
    return f"""\
services:
  web:
    image: {engine.images[image]}
    init: true
    network_mode: none
    labels:
{labels}
"""


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("django", '      app.rind: "source /venv/bin/activate"'),
        ("django", "      - app.rind=source /venv/bin/activate"),
        ("busybox", "      - app.rind"),
        ("busybox", "      app.rind:"),
    ],
    ids=["map", "list", "list-no-value", "map-no-value"],
)
def test_labels_as_compose_writes_them(
    compose: Compose, engine: TestEngine, image: str, labels: str
) -> None:
    compose.up(compose_file(engine, image, labels))
    done = subprocess.run(
        [RIND, "sh", "-c", "echo $VIRTUAL_ENV; cat /etc/hostname"],
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )
    assert (done.stdout.splitlines()[0] == "/venv") == (image == "django")
    container = engine.cli("compose", "ps", "-q", cwd=compose.folder)
    assert done.stdout.splitlines()[1] == container[:12]


@pytest.mark.parametrize("page", ["README.md", "rind/docs/guide.md"])
def test_the_examples(
    compose: Compose, engine: TestEngine, containers: Containers, page: str
) -> None:
    first, *_ = blocks("yaml", README)
    (service,) = re.findall("image: an_image\n", first)
    in_place = f"image: {engine.images['django']}\n    init: true\n    network_mode: none\n"
    compose.up(first.replace(service, in_place))
    containers("busybox", None, name="rind-readme-plain")
    found = examples((ROOT / page).read_text())
    assert len(found) > 4
    for command, expected in found:
        assert_says(command, expected, {"DOCKER_HOST": engine.host, "HOME": "/nonexistent"})


STAND_INS = {
    "Rails": r"mkdir -p /app/bin; printf '#!/bin/sh\necho Rails 8.0.1\n' >/app/bin/rails",
    "Node, with nvm": (
        "mkdir -p /opt/nvm/v22; echo '[[ -n $BASH ]] && PATH=/opt/nvm/v22:$PATH' >/opt/nvm/nvm.sh;"
        r"printf '#!/bin/sh\necho v22.12.0\n' >/opt/nvm/v22/node"
    ),
    "conda": (
        "mkdir -p /opt/conda/etc/profile.d; python3 -m venv --without-pip /opt/conda/envs/shop;"
        "echo 'function conda { PATH=/opt/conda/envs/$2/bin:$PATH; }'"
        " >/opt/conda/etc/profile.d/conda.sh"
    ),
    "Database dumps": r"""cat >/bin/pg_dump <<'X'
#!/bin/sh
[ $1 = shop ] && exec head -c 99999 /bin/bash
echo "pg_dump: error: database \"$1\" does not exist" >&2
exit 1
X
printf '#!/bin/sh\n[ "$(md5sum)" = "$(head -c 99999 /bin/bash | md5sum)" ]\n' >/bin/psql""",
}
"""A script that creates a recipe's programs in its container."""

RECIPES = (ROOT / "rind" / "docs" / "recipes.md").read_text()


@pytest.mark.newest_engine
@pytest.mark.parametrize("heading", re.findall(r"^## (?!Git)(.*)", RECIPES, re.MULTILINE))
def test_the_recipes_run(
    compose: Compose, engine: TestEngine, tmp_path: Path, heading: str
) -> None:
    recipe = RECIPES.split(f"## {heading}\n")[1].split("\n## ")[0]
    # Other tests' containers run on the engine at the same time.
    key = "test.recipe"
    labels = "".join(blocks("yaml", recipe)).replace("app.rind", key)
    file = compose_file(engine, "django", indent(labels or f"{key}:", " " * 6))
    compose.up(file.replace("web:", "db:") if "-s db" in recipe else file)
    name = engine.cli("compose", "ps", "--format", "{{.Name}}", cwd=compose.folder)
    container = TestContainer(engine, name, key)
    if make := STAND_INS.get(heading):
        container.inside(f"{make}; chmod -f +x /app/bin/* /opt/nvm/v22/* /bin/pg_dump /bin/psql; :")
    found = examples(recipe)
    assert found
    for command, expected in found:
        # Only this test's container, of those with the label.
        named = "-s db" if "-s db" in command else f"--container {container.name}"
        narrowed = command.replace("rind ", f"rind {named} ", 1).replace("-s db -s db", "-s db")
        assert_says(narrowed, expected, container.environ(HOME=str(tmp_path)), tmp_path)


def test_the_doctor_example_of_the_troubles_page_runs() -> None:
    page = (ROOT / "rind" / "docs" / "troubleshooting.md").read_text()
    ((command, expected),) = examples(page)
    assert_says(command, expected, {"HOME": "/nonexistent"})
    sources = [*(ROOT / "rind").rglob("*.py"), ROOT / ".ci" / "binary" / "launcher.c"]
    text = "".join(path.read_text() for path in sources)
    said = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    assert len(said) > 5
    for message in said:
        assert all(part in text for part in message.split("…")), message


def test_every_link_has_a_target() -> None:
    for page in [ROOT / "README.md", *(ROOT / "rind" / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
            path, _, heading = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), (page, link)
            anchors = {
                re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
                for title in re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            }
            assert not heading or heading in anchors, (page, link)


def test_both_commands_exist_and_are_executable() -> None:
    root = Path(__file__).parents[1]
    for command in ("tests/demo", "tests/run"):
        assert f"./{command}" in README
        assert os.access(root / command, os.X_OK)


def test_exit_statuses_are_documented(busybox: TestContainer) -> None:
    for status in ("124", "125", "126", "127", "128+n", "141"):
        assert f"| {status} |" in (ROOT / "rind" / "docs" / "guide.md").read_text()
    assert busybox.rind("true").returncode == 0


def test_every_test_on_the_security_page_exists() -> None:
    page = (ROOT / "rind" / "docs" / "security.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in tests] == []
