"""A small OpenID Connect issuer on loopback, over HTTPS: it serves its keys, and signs tokens.

    with OidcIssuer(folder) as issuer:
        issuer.url, issuer.ca_file              # for the settings
        issuer.token(scope="clickwise:read")    # signed by its present key
        issuer.rotate()                         # from now on by another one
        issuer.hang()                           # it takes connections and says nothing

It is also what a test needs to sign what nobody should: every claim and header can be another one.
"""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from clickwise.testing.certificates import Authority

AUDIENCE = "clickwise-test"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class IssuerKey:
    """A key that can sign: of RS256, ES256 or EdDSA."""

    def __init__(self, key_id: str, algorithm: str = "RS256") -> None:
        self.id = key_id
        self.algorithm = algorithm
        self.private: PrivateKey
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
            public = RSAAlgorithm.to_jwk(self.private.public_key())
        elif algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.private.public_key())
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = OKPAlgorithm.to_jwk(self.private.public_key())
        self.public = {**json.loads(public), "kid": key_id, "alg": algorithm, "use": "sig"}


class OidcIssuer:
    """See the module. `asked` counts the requests for its keys."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder, name="issuer-authority")
        pair = authority.issue("issuer")
        self.ca_file = str(authority.file)
        self.asked = 0
        self.keys = [IssuerKey("first")]
        self.status = 200
        self._free = threading.Event()
        self._free.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}/shop"
        self.named = self.url  # what its discovery document says

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a server that takes its tokens."""
        return {
            "CLICKWISE_OIDC_ISSUER": self.url,
            "CLICKWISE_OIDC_AUDIENCE": AUDIENCE,
            "CLICKWISE_OIDC_CA_FILE": self.ca_file,
        }

    def token(
        self,
        *,
        key: IssuerKey | None = None,
        headers: dict[str, object] | None = None,
        now: float | None = None,
        **claims: object,
    ) -> str:
        """A token of five minutes; `claims` go before what is usual, None leaves one out."""
        signer = key if key is not None else self.keys[-1]
        now = time.time() if now is None else now
        usual: dict[str, object] = {
            "iss": self.url, "aud": AUDIENCE, "sub": "somebody@mail.test", "iat": now,
            "exp": now + 300, "scope": "clickwise:read",
        }  # fmt: skip
        held = {name: value for name, value in (usual | claims).items() if value is not None}
        named = {"kid": signer.id} | (headers or {})
        return jwt.encode(held, signer.private, algorithm=signer.algorithm, headers=named)

    def rotate(self, algorithm: str = "RS256") -> None:
        """Sign with a new key, and no more tell of the others."""
        self.keys = [IssuerKey(f"key-{time.monotonic_ns()}", algorithm)]

    def hang(self) -> None:
        """Take connections and answer nothing, until `resume`."""
        self._free.clear()

    def resume(self) -> None:
        """Answer again."""
        self._free.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._free.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> bytes:
        self._free.wait(60.0)
        if path.endswith("/.well-known/openid-configuration"):
            document: object = {"issuer": self.named, "jwks_uri": f"{self.url}/keys"}
        else:
            self.asked += 1
            document = {"keys": [key.public for key in self.keys]}
        return json.dumps(document).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Either document."""
                body = issuer._answer(self.path)
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
