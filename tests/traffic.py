"""What an editor and a language server say to each other, recorded on both sides of Rind."""

import json
import shlex
from pathlib import Path
from urllib.parse import unquote

from rind.decide.messages import Messages

DOCUMENTS = {"text", "newText", "insertText"}


def recorder(program: str, file: str) -> str:
    """Return a script that runs a program, and records its stdin and stdout in two files."""
    file = shlex.quote(file)
    tees = f"< <(exec tee {file}.in) > >(exec tee {file}.out)"
    return f'#!/bin/bash\nexec {shlex.quote(program)} "$@" {tees}\n'


def differing(before: str, after: str, paths: dict[str, str]) -> int:
    """Compare recorded messages before and after Rind; return how many have differing paths.

    Args:
        before: the file of the messages that Rind has read.
        after: the file of those that it has written.
        paths: what Rind should have replaced, and by what; and a `processId` by null.
    """
    count = 0
    recorded = [Messages().feed(Path(file).read_bytes()) for file in (before, after)]
    for read, written in zip(*recorded, strict=True):
        assert with_paths(json.loads(written), {}) == with_paths(json.loads(read), paths)
        assert written == read or json.loads(written) != json.loads(read)
        count += written != read
    return count


def with_paths(value: object, paths: dict[str, str], name: str = "") -> object:
    """Return a message with its paths replaced and unquoted; a document's text stays."""
    if isinstance(value, dict):
        return {with_paths(key, paths): with_paths(item, paths, key) for key, item in value.items()}
    if isinstance(value, list):
        return [with_paths(item, paths, name) for item in value]
    if isinstance(value, str) and name not in DOCUMENTS:
        value = unquote(value)
        for path, other in paths.items():
            value = value.replace(path, other)
    return None if name == "processId" and paths else value
