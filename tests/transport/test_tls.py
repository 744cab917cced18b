"""The settings of TLS; test_tls_wire.py uses them."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from tls_peer import issued

from rind.endpoint.docker_config import Tls
from rind.errors import UsageError
from rind.transport.tls import tls_context


def test_invalid_files_are_reported(tmp_path: Path) -> None:
    good = issued(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    for tls, why in (
        (Tls("/nope/ca.pem", None, None, verify=True), "there is no file /nope/ca.pem"),
        (Tls(good.ca, good.cert, None, verify=True), "the client certificate is incomplete"),
        (Tls(good.ca, None, good.key, verify=True), "the client certificate is incomplete"),
        (Tls(good.ca, good.cert, good.cert, verify=True), "cannot use the certificate in"),
        (Tls(good.ca, good.cert, issued(other).key, verify=True), "cannot use the certificate in"),
        (Tls(str(tmp_path), None, None, verify=True), "Is a directory|it is not valid"),
    ):
        with pytest.raises(UsageError, match=why):
            tls_context(tls)
    (tmp_path / "ca.pem").write_text("x")
    with pytest.raises(
        UsageError, match=r"cannot use the certificate in .*/ca.pem: it is not valid"
    ):
        tls_context(good)


def test_a_key_with_a_passphrase_is_rejected(tmp_path: Path) -> None:
    tls = issued(tmp_path)
    assert tls.key is not None
    key = serialization.load_pem_private_key(Path(tls.key).read_bytes(), None)
    Path(tls.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="has a passphrase"):
        tls_context(tls)


def test_certificates_are_verified_without_a_named_ca() -> None:
    context = tls_context(Tls(None, None, None, verify=True))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_an_end_without_close_notify_is_not_hidden() -> None:
    """Early versions of Python 3.11 set OpenSSL to hide it; test_tls_wire.py tests the effect."""
    hidden = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    assert not tls_context(Tls(None, None, None, verify=True)).options & hidden
