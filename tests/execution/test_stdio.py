"""The valid values for a stream."""

from rind.execution.stdio import PIPE, has_fileno


def test_only_files_and_descriptors_have_a_fileno() -> None:
    assert has_fileno(0)
    assert not has_fileno(PIPE)
    assert not has_fileno(b"bytes")
