"""TLS without I/O: bytes in, bytes out.

asyncio's TLS cannot half-close, so a command over it would never see the end of its stdin.
:class:`ssl.SSLObject`, which does no I/O, can send close_notify (RFC 8446, 6.1) and read on.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from rind.errors import UsageError
from rind.transport.wire import READ_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.endpoint.docker_config import Tls

__all__ = ["TlsError", "TlsState", "tls_context"]

_MEANING: Final = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there",
    "UNEXPECTED_EOF_WHILE_READING": "it was cut off",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate: cert.pem and key.pem",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refuses; does it want a client certificate?",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know who has signed the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired",
}
"""OpenSSL's reasons, explained for an engine."""

_UNKNOWN_CA: Final = {18, 19, 20, 21}
"""OpenSSL's errors for a certificate with an unknown signer (X509_STORE_CTX_get_error(3),
openssl-verification-options(1))."""


class TlsError(ConnectionError):
    """TLS failed, at the handshake or later. The message says why."""


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a context for TLS by docker's rule: a CA in ``tls`` replaces the system's CAs.

    Raises:
        UsageError: a file is missing or invalid.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An end without close_notify is a truncation. CPython 3.11.0 to 3.11.3 hide it (gh-95494).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", ssl.Options(0))
    # A server in Go, such as an engine, never renegotiates. A peer that tries to may be an
    # attacker in between.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    path: str | None = None
    try:
        if path := tls.ca:
            context.load_verify_locations(path)
        elif tls.verify:
            context.load_default_certs()
        if path := tls.cert or tls.key:
            if not tls.cert or not tls.key:
                raise UsageError(
                    f"the client certificate is incomplete: there is only {path}, "
                    "but it needs cert.pem and key.pem"
                )
            context.load_cert_chain(tls.cert, tls.key, password=_no_passphrase)
    except FileNotFoundError as exc:
        raise UsageError(
            f"there is no file {path}, which TLS needs: set DOCKER_CERT_PATH to the folder with it"
        ) from exc
    except (ssl.SSLError, OSError) as exc:
        # OpenSSL's own text is jargon, the operating system's is not.
        why = exc.strerror if type(exc) is not ssl.SSLError and exc.strerror else "it is not valid"
        raise UsageError(f"cannot use the certificate in {path}: {why}") from exc
    return context


def _no_passphrase() -> str:
    raise UsageError(
        "the client's key has a passphrase, which neither docker nor Rind supports: remove it "
        "with: openssl pkey -in key.pem -out NEW"
    )


class TlsState:
    """One connection's TLS. Sans I/O.

    Args:
        context: from :func:`tls_context`.
        name: the engine's host name, which its certificate must contain.
    """

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=name)

    def shake_hands(self) -> bool:
        """Continue the handshake; return whether it is complete, without the need to feed more.

        Raises:
            TlsError: the engine's certificate is not valid, or the engine refuses us.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as exc:
            raise TlsError(_reason(exc)) from exc
        return True

    def feed(self, data: bytes) -> None:
        """Add received bytes; ``b""`` is the end of the connection."""
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def read(self) -> bytes | None:
        """Return decrypted bytes; ``b""`` after close_notify, None if more must be fed first.

        Raises:
            TlsError: the connection ended without close_notify, or TLS failed otherwise.
        """
        try:
            return self._tls.read(READ_SIZE)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as exc:
            raise TlsError(_reason(exc)) from exc

    def write(self, data: bytes) -> bool:
        """Encrypt ``data`` for :meth:`to_send`; return whether the engine accepts more."""
        try:
            self._tls.write(data)
        except ssl.SSLError:  # the engine has refused us: read() raises the reason
            return False
        return True

    def write_eof(self) -> None:
        """Queue close_notify for :meth:`to_send`: stop writing, keep reading.

        Read all bytes that were fed before: unread ones are an error to OpenSSL.
        """
        with suppress(ssl.SSLError):  # the engine's own close_notify has not arrived yet
            self._tls.unwrap()

    def to_send(self) -> bytes:
        """Return the encrypted bytes that must be sent now."""
        return self._to_send.read()


def _reason(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        remedy = " (its CA belongs in ca.pem)" if exc.verify_code in _UNKNOWN_CA else ""
        return f"its certificate is not valid: {exc.verify_message}{remedy}"
    reason = exc.reason or str(exc)
    return f"TLS: {_MEANING.get(reason, reason.lower().replace('_', ' '))}"
