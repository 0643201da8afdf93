"""The documentation page: one file with no outside parts, under a strict content policy.

The page reads `/openapi.json` and builds itself with `textContent` only, so that no text of
the document can become markup. Its script and style are allowed by their hashes.
"""

import base64
import hashlib
from importlib.resources import files


def _read(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_SCRIPT = _read("page.js")
_STYLE = _read("page.css")

PAGE: bytes = (
    _read("page.html").replace("/*style*/", _STYLE).replace("/*script*/", _SCRIPT).encode()
)
POLICY: str = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)};"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
