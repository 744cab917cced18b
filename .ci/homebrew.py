"""Print the Homebrew formula of a release.

    python .ci/homebrew.py OWNER/REPOSITORY dist/rind-VERSION.tar.gz

It needs an environment that has Rind, and asks PyPI where the source distributions of Rind's
dependencies are: those in .ci/lock/build.txt, which must have their hashes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK = Path(__file__).parent / "lock/build.txt"
PYTHON = "python@3.13"
FORMULA = """\
class Rind < Formula
  include Language::Python::Virtualenv

  desc "Run commands inside running containers as if they ran here"
  homepage "https://github.com/{repository}"
  url "https://github.com/{repository}/releases/download/v{version}/rind-{version}.tar.gz"
  sha256 "{sha256}"
  license "MIT"

  depends_on "{python}"

{resources}
  def install
    virtualenv_install_with_resources
    generate_completions_from_executable(bin/"rind", "--completion", shell_parameter_format: :none)
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/rind --version")
  end
end
"""
RESOURCE = """\
  resource "{name}" do
    url "{url}"
    sha256 "{sha256}"
  end
"""


def formula(
    repository: str, version: str, sha256: str, lock: str, sources: Callable[[str, str], str]
) -> str:
    """Return the formula.

    Args:
        repository: on GitHub, as OWNER/NAME.
        version: of the release.
        sha256: of the release's source distribution.
        lock: the text of the lock file.
        sources: returns what PyPI's JSON API says of a version of a project.
    """
    pinned = {name: (number, hashes) for name, number, hashes in _pins(lock)}
    resources = []
    for name in sorted(_needed("rind") - {"rind"}):
        number, hashes = pinned[name]
        url, digest = _sdist(sources(name, number))
        if digest not in hashes:
            sys.exit(f"the lock file lacks the hash of {url}")
        resources.append(RESOURCE.format(name=name, url=url, sha256=digest))
    return FORMULA.format(
        repository=repository,
        version=version,
        sha256=sha256,
        python=PYTHON,
        resources="\n".join(resources),
    )


def _pins(lock: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the name, the version and the hashes of each package in a lock file."""
    for pin in re.split(r"\n(?=[a-z0-9])", lock):
        if match := re.match(r"([a-z0-9-]+)==(\S+)", pin):
            yield match[1], match[2], set(re.findall("sha256:([0-9a-f]{64})", pin))


def _needed(name: str) -> set[str]:
    """Return the names of a package and of its dependencies on macOS with this Python."""
    found, left = set[str](), {name}
    while left:
        one = left.pop()
        found.add(one)
        for text in importlib.metadata.requires(one) or []:
            requirement, _, marker = text.partition(";")
            if not re.search("extra|win32|os_name|python_version|python_full", marker):
                other = re.match(r"[\w.-]+", requirement)
                assert other is not None
                left.add(re.sub(r"[-_.]+", "-", other[0]).lower())
        left -= found
    return found


def _sdist(answer: str) -> tuple[str, str]:
    """Return the URL and the hash of the source distribution in PyPI's answer."""
    said: dict[str, Any] = json.loads(answer)
    (file,) = (file for file in said["urls"] if file["packagetype"] == "sdist")
    return file["url"], file["digests"]["sha256"]


def _ask_pypi(name: str, version: str) -> str:
    with urlopen(f"https://pypi.org/pypi/{name}/{version}/json", timeout=60) as answer:
        text: bytes = answer.read()
    return text.decode()


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 # itself and two more
        sys.exit(__doc__)
    _, _repository, _sdist_path = sys.argv
    _version = Path(_sdist_path).name.removeprefix("rind-").removesuffix(".tar.gz")
    _digest = hashlib.sha256(Path(_sdist_path).read_bytes()).hexdigest()
    print(formula(_repository, _version, _digest, LOCK.read_text(), _ask_pypi), end="")
