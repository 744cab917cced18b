import pytest

from rind.decide.start_failure import is_podman_failure, start_failure

RUNC = "OCI runtime exec failed: exec failed: unable to start container process: {}: unknown\r\n"


# Podman 4.3 and 5.8.
PODMAN = (
    "Error: runc: exec failed: unable to start container process: {}: {}\n"
    "Error: read unixpacket @->/proc/self/fd/14/attach: read: connection reset by peer\n"
)
NOT_FOUND = 'exec: "x": executable file not found in $PATH'
NO_FOLDER = 'chdir to cwd ("/x") set in config.json failed: no such file or directory'
INVOKED = "OCI runtime attempted to invoke a command that was not found"


OLD_RUNC = "container_linux.go:380: starting container process caused"


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (
            RUNC.format('exec: "x": executable file not found in $PATH'),
            127,
            "x: not found in the PATH of web, where",
        ),
        (RUNC.format('exec: "/x": stat /x: no such file or directory'), 127, "/x: not found"),
        (RUNC.format('exec: "/etc": permission denied'), 126, "/etc: permission denied"),
        (RUNC.format("exec /x: exec format error"), 126, "exec /x: exec format error"),
        (RUNC.format("argument list too long"), 126, "argument list too long"),
        (
            RUNC.format('chdir to cwd ("/x") set in config.json failed: no such file or directory'),
            125,
            "there is no directory /x",
        ),
        (
            RUNC.format('chdir to cwd ("/x y") set in config.json failed: permission denied'),
            125,
            "the directory '/x y': permission denied",
        ),
        ("unable to find user x: no matching entries in passwd file", 125, "unable to find user x"),
        (
            RUNC.replace("unable to start container process", OLD_RUNC).format(
                'exec: "x": executable file not found in $PATH'
            ),
            127,
            "x: not found in the PATH of web, where no pre-step ran",
        ),
        (f"Container {'0f' * 32} is paused, unpause it before exec", 125, "Container web is"),
        (
            "creating new parent process: lstat /proc/9/ns/ipc: no such file or directory",
            125,
            "creating new parent process: lstat /proc/9/ns/ipc: no such file or directory (web)",
        ),
        (RUNC.format('exec: "/proc/9/ns/x": no such file or directory'), 127, "/proc/9/ns/x: not"),
        ("something new", 125, "something new (web)"),
        ("cannot exec in a stopped state", 125, "cannot exec in a stopped state (web)"),
        (
            PODMAN.format('exec: "x": executable file not found in $PATH', INVOKED),
            127,
            "x: not found",
        ),
        (PODMAN.format('exec: "/x": permission denied', "OCI permission denied"), 126, "/x: perm"),
        (
            PODMAN.format(
                'chdir to cwd ("/x") set in config.json failed: no such file or directory', INVOKED
            ),
            125,
            "there is no directory /x",
        ),
        ("", 125, "the engine does not say why (web)"),
    ],
)
def test_start_failures_have_one_status_and_no_noise(text: str, status: int, said: str) -> None:
    error = start_failure(text, "web")
    assert error.exit_status == status
    assert error.is_final != ("(web)" in str(error) or "is paused" in text)
    assert str(error).startswith(f"cannot start the command: {said}")
    assert "OCI" not in str(error)
    assert not str(error).endswith("unknown")


def test_podmans_message_is_distinguished_from_output() -> None:
    assert is_podman_failure(PODMAN.format('exec: "x": not found', INVOKED))
    assert is_podman_failure(
        "Error: runc: exec failed: Cwd must be an absolute path: OCI runtime error\n"
    )
    for text in ("", "Error: no", "sh: x: not found", "an OCI runtime\nError: OCI runtime"):
        assert not is_podman_failure(text)
