import threading
from pathlib import Path

import pytest

import rind


def test_files_are_copied_and_plans_shown(blocking_target: rind.SyncTarget, tmp_path: Path) -> None:
    (tmp_path / "from").write_text("x")
    seen: list[threading.Thread] = []
    blocking_target.put(
        tmp_path / "from", "/tmp/x", on_progress=lambda _: seen.append(threading.current_thread())
    )
    assert set(seen) == {threading.current_thread()}
    assert blocking_target.get("/tmp/x", tmp_path / "to").read_text() == "x"
    assert blocking_target.plan(rind.Command(argv=["ls"])).argv == ["ls"]
    assert blocking_target.map_path("/nowhere") == "/nowhere"
    assert blocking_target.refresh().id == blocking_target.container.id
    assert repr(blocking_target).startswith("<SyncTarget ")


def test_mistakes_are_errors(blocking_target: rind.SyncTarget) -> None:
    with pytest.raises(ValueError, match="there is no encoding 'nope'"):
        blocking_target.open_process(["cat"], encoding="nope")
    with pytest.raises(TypeError, match="did you mean workdir"):
        blocking_target.open_process(["cat"], cwd="/")  # type: ignore[call-overload]
    with pytest.raises(rind.UsageError, match="list of words"):
        blocking_target.open_process("cat")  # type: ignore[call-overload]
    with pytest.raises(ZeroDivisionError):
        blocking_target.run(script="echo; sleep 1000", on_output=lambda *_: 1 / 0)
