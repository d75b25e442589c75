"""Object storage for `ml fetch`: a folder behind HTTP, or behind TLS with a certificate authority of the tests' own."""

import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EXTENSIONS = """
[req]
distinguished_name = nobody
[nobody]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[here]
subjectAltName = IP:127.0.0.1
authorityKeyIdentifier = keyid
[elsewhere]
subjectAltName = DNS:storage.example
authorityKeyIdentifier = keyid
"""


def packed(models: Path, to: Path) -> tuple[str, str]:
    """Pack a version of a registry, as docs/machine-learning.md tells, and give its name and the archive's SHA-256."""
    version = next(models.glob("*/model.json")).parent
    with tarfile.open(to, "w") as archive:
        archive.add(version, version.name)
    return version.name, sha256(to.read_bytes()).hexdigest()


def certificates(folder: Path) -> Path:
    """Make an authority and what it signs, `here.pem` for 127.0.0.1 and `elsewhere.pem`; give the authority's."""
    (folder / "openssl.cnf").write_text(EXTENSIONS, encoding="utf-8")
    new = ["openssl", "req", "-config", "openssl.cnf", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("authority", "here", "elsewhere"):
        signed = [] if name == "authority" else ["-CA", "authority.pem", "-CAkey", "authority.key"]
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        command = [*new, "-subj", f"/CN={name}", "-extensions", name, *files, *signed]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "authority.pem"


@contextmanager
def storage(folder: Path, certificate: Path | None = None, moved_to: str = "") -> Iterator[tuple[str, list[str]]]:
    """Offer a folder's files; give the address, and what is asked for. Whatever is, it may be said to have moved."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not moved_to:
                super().do_GET()
                return
            self.send_response(302)
            self.send_header("location", moved_to)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        # Who does not trust it hangs up in the middle of this, which is the connection's own thread to find out.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
