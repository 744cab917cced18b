"""TLS without I/O: bytes in, bytes out.

asyncio's TLS cannot half-close: at the end of its stdin, a command over it would go on for ever.
:class:`ssl.SSLObject` does no I/O: it can send close_notify (RFC 8446, 6.1) and read on.
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
"""What OpenSSL's reasons mean here."""

_UNKNOWN_CA: Final = {18, 19, 20, 21}
"""OpenSSL's numbers for a certificate whose signer it does not know (X509_STORE_CTX_get_error(3),
openssl-verification-options(1))."""


class TlsError(ConnectionError):
    """A connection is not, or no longer, what it should be; it says why."""


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a context for TLS as docker has it: where there is a CA, no other is trusted.

    Raises:
        UsageError: a file is missing, or is none of what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without close_notify, an end is a cut. CPython 3.11.0 to 3.11.3 hide that (gh-95494).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", ssl.Options(0))
    # An engine, which is Go's, never asks for it: who does could be in between.
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
                raise UsageError(f"of the client certificate, there is only {path}")
            context.load_cert_chain(tls.cert, tls.key, password=_no_passphrase)
    except FileNotFoundError as exc:
        raise UsageError(f"for TLS, there is no file {path} (see DOCKER_CERT_PATH)") from exc
    except (ssl.SSLError, OSError) as exc:
        said = exc.strerror if type(exc) is not ssl.SSLError and exc.strerror else "it is not valid"
        raise UsageError(f"cannot use the certificate in {path}: {said}") from exc
    return context


def _no_passphrase() -> str:
    raise UsageError("the client's key has a passphrase; docker's own client takes none either")


class TlsState:
    """One connection's TLS. Sans I/O.

    Args:
        context: from :func:`tls_context`.
        name: the engine's, which its certificate must have.
    """

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=name)

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done, and nothing need be fed for it.

        Raises:
            TlsError: the engine is not the one that it should be, or refuses us.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as exc:
            raise TlsError(_said(exc)) from exc
        return True

    def feed(self, data: bytes) -> None:
        """Take what has come; ``b""`` is the end of the connection."""
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def read(self) -> bytes | None:
        """Return decrypted bytes; ``b""`` at the engine's end, None if more must be fed first.

        Raises:
            TlsError: the connection has ended, and the engine did not say that it would.
        """
        try:
            return self._tls.read(READ_SIZE)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as exc:
            raise TlsError(_said(exc)) from exc

    def write(self, data: bytes) -> bool:
        """Encrypt, for :meth:`to_send`; return whether the engine still takes something."""
        try:
            self._tls.write(data)
        except ssl.SSLError:  # it has refused us; reading says why
            return False
        return True

    def write_eof(self) -> None:
        """Say that nothing more will be written; reading goes on.

        All that was fed must have been read: what is left would be an error to OpenSSL.
        """
        with suppress(ssl.SSLError):  # that the engine has not said so too
            self._tls.unwrap()

    def to_send(self) -> bytes:
        """Return what must be sent now."""
        return self._to_send.read()


def _said(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        what = " (its CA belongs in ca.pem)" if exc.verify_code in _UNKNOWN_CA else ""
        return f"its certificate is not valid: {exc.verify_message}{what}"
    reason = exc.reason or str(exc)
    return f"TLS: {_MEANING.get(reason, reason.lower().replace('_', ' '))}"
