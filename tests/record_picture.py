"""Makes the README's picture anew, when it is named: `./tests/run tests/record_picture.py`.

It takes half a minute on a busy machine, so no run of all tests does it.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import RIND, TestEngine
from picture import PICTURE, drawn
from story import DESCRIPTION, TITLE, recorded

COMPOSE = """\
services:
  web:
    image: shop
    init: true
    network_mode: none
    labels:
      app.rind: "source /venv/bin/activate"
      app.rind.env.DJANGO_RUNSERVER_HIDE_WARNING: "true"
"""
WHO = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
GIT = ["init -b main", "add .", "commit -m all", "worktree add -b cart ../shop-cart"]


@pytest.fixture
def worktrees(engine: TestEngine, tmp_path: Path) -> Iterator[list[Path]]:
    """Return two worktrees of a Django project, whose stacks are up."""
    folders = [tmp_path / "shop", tmp_path / "shop-cart"]
    folders[0].mkdir()
    (folders[0] / "compose.yaml").write_text(COMPOSE)
    for words in GIT:
        git = ["git", *WHO, *words.split()]
        subprocess.run(git, cwd=folders[0], check=True, capture_output=True)
    # With the label app.rind itself: one at a time on an engine.
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock, ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def compose(*words: str) -> None:
            list(pool.map(lambda folder: engine.cli("compose", *words, cwd=folder), folders))

        engine.cli("tag", engine.images["django"], "shop")
        try:
            compose("up", "--detach")
            _migrate(engine, tmp_path / "db.sqlite3")
            yield folders
        finally:
            compose("down", "--timeout", "0")
            engine.cli("rmi", "shop")


def _migrate(engine: TestEngine, database: Path) -> None:
    """Make the database in one container, and copy it into the other."""
    engine.cli("exec", "shop-web-1", "/venv/bin/python", "manage.py", "migrate")
    engine.cli("cp", "shop-web-1:/app/db.sqlite3", str(database))
    engine.cli("cp", str(database), "shop-cart-web-1:/app")


@pytest.mark.newest_engine
def test_record(engine: TestEngine, worktrees: list[Path]) -> None:
    tools = [Path(RIND).parent, Path(engine.docker).parent]
    env = {
        "PATH": os.pathsep.join([*map(str, tools), os.environ["PATH"]]),
        "HOME": str(worktrees[0].parent),
        "DOCKER_HOST": engine.host,
        "DOCKER_CONFIG": engine.config,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        **engine.variables,
    }
    PICTURE.write_text(drawn(recorded(engine, worktrees, env), TITLE, DESCRIPTION))
