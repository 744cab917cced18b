"""The pages' shell examples, run unchanged; their Compose files, brought up."""

import fcntl
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine
from console import assert_says, blocks, examples
from processes import sleepers

import rind

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "rind" / "docs"
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
        self.engine.cli("compose", "down", "--volumes", "--timeout", "0", cwd=self.folder)


@pytest.fixture
def alone(engine: TestEngine) -> Iterator[None]:
    """For a test that uses the label app.rind or the README's names: only one at a time may."""
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def compose(engine: TestEngine, tmp_path: Path) -> Iterator[Compose]:
    folder = tmp_path / f"rindtest{os.getpid()}"
    folder.mkdir()
    it = Compose(engine, folder)
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


@pytest.mark.usefixtures("alone")
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


@pytest.mark.usefixtures("alone")
def test_the_examples(compose: Compose, engine: TestEngine, containers: Containers) -> None:
    first, *_ = blocks("yaml", README)
    (service,) = re.findall("image: an_image\n", first)
    in_place = f"image: {engine.images['django']}\n    init: true\n    network_mode: none\n"
    compose.up(first.replace(service, in_place))
    containers("busybox", None, name="rind-readme-plain")
    for page in (README, *((DOCS / name).read_text() for name in ("guide.md", "habits.md"))):
        found = examples(page)
        assert len(found) > 1
        for command, expected in found:
            assert_says(command, expected, {"DOCKER_HOST": engine.host, "HOME": "/nonexistent"})


STAND_INS = {
    "Rails": r"mkdir -p /app/bin; printf '#!/bin/sh\necho Rails 8.0.1\n' >/app/bin/rails",
    "PHP": r"""mkdir -p /app/vendor/bin /app/tests
printf '#!/bin/sh\necho Composer version 2.8.4\n' >/bin/composer
printf '#!/bin/sh\n[ $PWD = /app/tests ] && echo PHPUnit 11.5.2\n' >/app/vendor/bin/phpunit""",
    "Node, with nvm": (
        "mkdir -p /opt/nvm/v22; echo '[[ -n $BASH ]] && PATH=/opt/nvm/v22:$PATH' >/opt/nvm/nvm.sh;"
        r"printf '#!/bin/sh\necho v22.12.0\n' >/opt/nvm/v22/node"
    ),
    "Go": r"""cat >/bin/go <<'X'
#!/bin/sh
[ $PWD = /src ] && [ -w /go ] || exit 1
[ $1 = test ] && exec printf 'ok  \texample.com/shop\t0.004s\n'
echo $GOCACHE
X""",
    "Rust": (
        r"mkdir -p /usr/local/cargo/bin; cd /usr/local/cargo/bin;"
        r"printf '#!/bin/sh\n[ $PWD = /src ] && echo cargo 1.83.0\n' >cargo"
    ),
    "conda": (
        "mkdir -p /opt/conda/etc/profile.d; python3 -m venv --without-pip /opt/conda/envs/shop;"
        "echo 'function conda { PATH=/opt/conda/envs/$2/bin:$PATH; }'"
        " >/opt/conda/etc/profile.d/conda.sh"
    ),
    "tmux, to come back later": r"""cat >/bin/tmux <<'X'
#!/bin/sh
# As the real one does, the server leaves the client's session and parent.
[ $1 = list-sessions ] && { kill -0 $(cat /tmp/server) && exec cat /tmp/session; }
(exec setsid sh -c 'echo $$ >/tmp/server; exec sleep 1000' </dev/null >/dev/null 2>&1 &)
while ! [ -s /tmp/server ]; do :; done
[ $2 = -d ] && echo $4 >/tmp/session && exit
echo client; exec sleep 1000
X""",
    "Database dumps": r"""cat >/bin/pg_dump <<'X'
#!/bin/sh
[ $1 = shop ] && exec head -c 99999 /bin/bash
echo "pg_dump: error: database \"$1\" does not exist" >&2
exit 1
X
printf '#!/bin/sh\n[ "$(md5sum)" = "$(head -c 99999 /bin/bash | md5sum)" ]\n' >/bin/psql""",
}
"""A script that creates a recipe's programs in its container."""

PROGRAMS = "/app/bin/* /app/vendor/bin/* /opt/nvm/v22/* /usr/local/cargo/bin/* /bin/composer"
PROGRAMS += " /bin/go /bin/tmux /bin/pg_dump /bin/psql"


def sections(page: str) -> dict[str, str]:
    """Return the parts of a page by their headings."""
    first, *parts = re.split(r"^##? ", page, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part for part in (first, *parts)}


RECIPES = {
    heading: text
    for name in ("labels.md", "recipes.md")
    for heading, text in sections((DOCS / name).read_text()).items()
    if examples(text)
}


@pytest.mark.newest_engine
@pytest.mark.parametrize("heading", RECIPES)
def test_the_recipes_run(
    compose: Compose, engine: TestEngine, tmp_path: Path, heading: str
) -> None:
    recipe = RECIPES[heading]
    key = "test.recipe"  # tests with the label app.rind run at the same time
    for file in blocks("yaml", recipe):
        override = compose.folder / "compose.override.yaml"
        override.write_text(file.replace("app.rind", key))
    file = compose_file(engine, "django", "      test.unused: x")
    compose.up(file.replace("web:", "db:") if "-s db" in recipe else file)
    name = engine.cli("compose", "ps", "--format", "{{.Name}}", cwd=compose.folder)
    container = TestContainer(engine, name, key)
    if make := STAND_INS.get(heading):
        container.inside(f"{make}\nchmod -f +x {PROGRAMS}; :")
    path = f"{Path(engine.docker).parent}:{os.environ['PATH']}"
    env = container.environ(HOME=str(tmp_path), PATH=path, DOCKER_CONFIG=engine.config)
    for command, expected in examples(recipe):
        assert_says(command, expected, env, compose.folder)


@pytest.mark.newest_engine
def test_a_tmux_session_outlives_its_window(containers: Containers) -> None:
    recipe = RECIPES["tmux, to come back later"]
    [command] = re.findall(r"app\.rind\.command: (.*)", recipe)
    label = f"test.tmux{os.getpid()}"
    container = containers("busybox", "", "--label", f"{label}.command={command}", label=label)
    container.inside(f"{STAND_INS['tmux, to come back later']}\nchmod +x /bin/tmux")
    with container.spawn() as window:
        window.expect("client")
        window.kill(signal.SIGHUP)
        window.expect(pexpect.EOF)
    assert sleepers(container, "1000") == 1  # the server, not the client


def test_the_doctor_example_of_the_troubles_page_runs() -> None:
    page = (DOCS / "troubleshooting.md").read_text()
    ((command, expected),) = examples(page)
    assert_says(command, expected, {"HOME": "/nonexistent"})
    sources = [*(ROOT / "rind").rglob("*.py"), ROOT / ".ci" / "binary" / "launcher.c"]
    text = "".join(path.read_text() for path in sources)
    said = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    assert len(said) > 5
    for message in said:
        assert all(part in text for part in message.split("…")), message


MADE = {"api.md", "options.md"}
"""The pages that are made from the program."""


def test_each_page_begins_with_its_question() -> None:
    pages = [path for path in DOCS.glob("*.md") if path.name not in MADE]
    assert len(pages) > 10
    assert [path.name for path in pages if not path.read_text().splitlines()[2].endswith("?")] == []


def test_the_changelog_begins_with_this_version() -> None:
    log = (ROOT / "CHANGELOG.md").read_text()
    unreleased, newest, *_ = re.findall(r"^## (.*)", log, re.MULTILINE)
    assert (unreleased, newest.partition(" - ")[0]) == ("Unreleased", rind.__version__)


def test_every_link_has_a_target() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")]:
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
        assert f"| {status} |" in (DOCS / "guide.md").read_text()
    assert busybox.rind("true").returncode == 0


def test_every_test_on_the_security_page_exists() -> None:
    page = (DOCS / "security.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in tests] == []
