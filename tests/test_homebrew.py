"""The Homebrew formula: its shape, by the rules of ``brew style`` and ``brew audit``."""

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("homebrew", ROOT / ".ci/homebrew.py")
assert _spec is not None
assert _spec.loader is not None
homebrew = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(homebrew)
LOCK = (ROOT / ".ci/lock/build.txt").read_text()


def pypi(name: str, version: str) -> str:
    """Answer as PyPI does, with one of the hashes in the lock file."""
    pin = re.search(
        rf"^{name}=={re.escape(version)}.*?sha256:(\w+)", LOCK, re.MULTILINE | re.DOTALL
    )
    assert pin is not None
    url = f"https://files.pythonhosted.org/packages/{name}-{version}"
    files = [
        {"packagetype": "bdist_wheel", "url": f"{url}.whl", "digests": {"sha256": "0" * 64}},
        {"packagetype": "sdist", "url": f"{url}.tar.gz", "digests": {"sha256": pin[1]}},
    ]
    return json.dumps({"urls": files})


def test_the_formula_follows_homebrews_rules() -> None:
    text = homebrew.formula("me/rind", "1.2.3", "f" * 64, LOCK, pypi)
    lines = text.splitlines()
    assert lines[0] == "class Rind < Formula"
    assert not [line for line in lines if len(line) > 118 or line != line.rstrip()]
    assert "\n\n\n" not in text
    found = re.search('desc "(.*)"', text)
    assert found is not None
    description = found[1]
    assert len(f"rind: {description}") <= 80
    assert description[0].isupper()
    assert not re.match("(A|An|The|Rind) ", description)
    assert not description.endswith(".")
    order = [
        "desc",
        "homepage",
        "url",
        "sha256",
        "license",
        "depends_on",
        "resource",
        "def",
        "test",
    ]
    places = [text.index(f"\n  {word} ") for word in order]
    assert places == sorted(places)
    assert "/v1.2.3/rind-1.2.3.tar.gz" in text
    # Every block ends.
    assert len(re.findall(r"\b(?:do|def|class)\b", text)) == len(re.findall(r"\bend\b", text))
    names = re.findall(r'resource "(.*)" do', text)
    assert names == sorted(names)
    assert {"aiodocker", "aiohttp", "multidict", "prompt-toolkit", "wcwidth", "yarl"} <= {*names}
    assert not {"hatchling", "build", "rind"} & {*names}
    urls = re.findall(r'^    url "https://files.*/(.*)-.*\.tar\.gz"$', text, re.MULTILINE)
    assert urls == names
