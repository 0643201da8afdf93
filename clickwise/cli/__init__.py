"""The `clickwise` command: the one place that wires all parts."""

import sys
from collections.abc import Sequence


def main() -> None:
    """Entry point of the command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code (see `clickwise.cli.exits`)."""
    from clickwise.cli.app import run_app

    return run_app(arguments)
