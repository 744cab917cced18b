"""What Rind itself says: one line on stderr, nothing that could move a cursor."""

__all__ = ["clean", "line"]


def clean(text: str) -> str:
    """Return ``text`` on one line, without a control or other unprintable character.

    Names, labels and messages come from containers and engines: written as they are, an escape
    sequence in them would reach the terminal.
    """
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())


def line(text: str) -> str:
    """Return ``text`` as a line of ours."""
    return f"rind: {clean(text)}\n"
