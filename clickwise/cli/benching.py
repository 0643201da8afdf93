"""`clickwise bench`: hands over to `clickwise.bench`, and to the one that needs the training."""

from collections.abc import Sequence

import typer

from clickwise.cli.exits import Exit


def bench(arguments: Sequence[str]) -> int:
    """Run a benchmark's own command line."""
    from clickwise.cli.bench_train import app

    command = typer.main.get_command(app)
    result = command.main(list(arguments), prog_name="clickwise bench", standalone_mode=False)
    return result if isinstance(result, int) else Exit.DONE
