"""The README's picture: how its file is made, and that it is what the programs show."""

import fcntl
import time
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import RIND, TestEngine
from picture import COLOURS, drawn
from story import DESCRIPTION, recorded

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "rind" / "docs" / "picture.svg"
SVG = "{http://www.w3.org/2000/svg}"
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


@pytest.fixture
def worktrees(engine: TestEngine, tmp_path: Path) -> Iterator[list[Path]]:
    """Return two worktrees of a Django project, whose stacks are up."""
    folders = [tmp_path / "shop", tmp_path / "shop-cart"]
    folders[0].mkdir()
    (folders[0] / "compose.yaml").write_text(COMPOSE)
    for words in ("init -b main", "add .", "commit -m all", "worktree add -b cart ../shop-cart"):
        subprocess.run(["git", *WHO, *words.split()], cwd=folders[0], check=True, capture_output=True)
    with Path(engine.config, f"{engine.name}.lock").open("w") as lock, ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        t0=time.time()
        engine.cli("tag", engine.images["django"], "shop")
        list(pool.map(lambda folder: engine.cli("compose", "up", "--detach", cwd=folder), folders))
        print("UP", time.time()-t0)
        engine.cli("exec", "shop-web-1", "/venv/bin/python", "manage.py", "migrate")
        database = tmp_path / "db.sqlite3"
        engine.cli("cp", "shop-web-1:/app/db.sqlite3", str(database))
        engine.cli("cp", str(database), "shop-cart-web-1:/app")
        print("MIGRATED", time.time()-t0)
        yield folders
        print("RECORDED", time.time()-t0)
        down = ("compose", "down", "--timeout", "0")
        list(pool.map(lambda folder: engine.cli(*down, cwd=folder), folders))
        engine.cli("rmi", "shop")
        print("DOWN", time.time()-t0)


@pytest.mark.newest_engine
def test_it_is_what_the_programs_show(engine: TestEngine, worktrees: list[Path]) -> None:
    """With RIND_TEST_PICTURE=1 in the environment, the picture is made anew."""
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
    found = drawn(recorded(engine, worktrees, env), DESCRIPTION)
    if os.environ.get("RIND_TEST_PICTURE"):
        PICTURE.write_text(found)
    assert shown(PICTURE.read_text()) == shown(found)


def shown(picture: str) -> set[str]:
    """Return the texts of a picture, but for times, process IDs and the columns' widths."""
    texts = [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]
    dateless = [re.sub(r"^[A-Z][a-z]+ \d\d, \d{4}", "today", text) for text in texts]
    return {
        re.sub(r"\d+( +(second|minute)s?)?", "0", " ".join(text.split())) for text in dateless
    }


def test_the_file_is_safe_to_show_anywhere() -> None:
    text = PICTURE.read_text()
    assert len(text) < 300_000
    root = ET.fromstring(text)
    allowed = {"svg", "title", "desc", "style", "g", "rect", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == allowed
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    for outside in ("url(", "@import", "@font-face", "javascript:", "/tmp/", "/home/", "/root/"):
        assert outside not in text
    assert all(root.findtext(f"{SVG}{name}") for name in ("title", "desc"))
    for asked in ("prefers-color-scheme:dark", "prefers-reduced-motion:no-preference"):
        assert asked in text


@pytest.mark.parametrize("scheme", COLOURS)
def test_its_text_has_contrast(scheme: str) -> None:
    """As WCAG 2.2 asks of text of this size, success criterion 1.4.3."""
    grounds = ("back", "bar", "line", "paper")
    fills = COLOURS[scheme]
    for name in fills.keys() - grounds:
        for ground in ("back", "bar", "paper"):
            light, dark = sorted((luminance(fills[name]), luminance(fills[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
