"""Writes certificates for engines that speak TLS. Run it with the folder for them.

It runs in the virtual environment, which has its dependencies.
"""

import sys
from pathlib import Path

import trustme


def main(folder: Path) -> None:
    """Write ca.pem, and the certificates of a server (127.0.0.1, localhost) and of a client."""
    folder.mkdir(parents=True)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    for issued, certificate, key in (
        (ca.issue_cert("localhost", "127.0.0.1"), "server.pem", "server-key.pem"),
        (ca.issue_cert("client@example.org"), "cert.pem", "key.pem"),  # docker's names
    ):
        issued.cert_chain_pems[0].write_to_path(folder / certificate)
        issued.private_key_pem.write_to_path(folder / key)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
