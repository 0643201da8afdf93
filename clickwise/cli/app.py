"""The whole command line: every command in its group; their options are in `..._commands`.

Each command loads what it needs when it runs: `--help` is quick.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from clickwise.cli import data_commands, measuring_commands, people_commands, site_commands
from clickwise.cli.exits import Exit, complain, exit_of
from clickwise.cli.key_commands import keys
from clickwise.cli.log_commands import dead_letters, events, index, topics
from clickwise.cli.model_commands import models
from clickwise.cli.text_commands import texts
from clickwise.cli.train_commands import train
from clickwise.cli.tuning_commands import tune
from clickwise.errors import ClickwiseError

app = typer.Typer(
    name="clickwise",
    help="Turns a stream of clicks into recommendations that change before the next page loads.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
docs = typer.Typer(no_args_is_help=True, help="Generated pages of the documentation.")
app.add_typer(topics, name="topics")
app.add_typer(events, name="events")
app.add_typer(index, name="index")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(models, name="models")
app.add_typer(texts, name="texts")
app.add_typer(keys, name="keys")
app.add_typer(docs, name="docs", hidden=True)
app.add_typer(train, name="train")
app.add_typer(tune, name="tune")

# In the order of `--help`.
app.command()(site_commands.up)
app.command()(site_commands.serve)
app.command()(site_commands.stream)
app.command()(site_commands.migrate)
app.command()(site_commands.backup)
app.command()(site_commands.restore)
app.command()(site_commands.demo)
app.command(name="import")(data_commands.import_)
app.command()(data_commands.archive)
app.command()(data_commands.recommend)
app.command()(data_commands.understand)
app.command()(measuring_commands.check)
app.command()(measuring_commands.version)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)(measuring_commands.bench)
app.command()(measuring_commands.evaluate)
app.command()(people_commands.forget)
app.command()(people_commands.export)
app.command()(people_commands.merge)

# Typer carries a copy of click whose exceptions it does not name: the root of those that say
# that a command line is wrong, told from one of them.
_UsageFault = cast(
    "type[typer.BadParameter]",
    next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line; faults become one line on standard error and an exit code."""
    command = typer.main.get_command(app)
    try:
        result = command.main(list(arguments), prog_name="clickwise", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except _UsageFault as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # a group without a command: its help is the message
            typer.echo(message)
        else:
            complain(f"{message} (see clickwise --help)")
        return Exit.USAGE
    except ClickwiseError as error:
        complain(str(error))
        return exit_of(error)
    except BrokenPipeError:
        return Exit.FAILED
    return result if isinstance(result, int) else Exit.DONE


def _show_versions(asked: bool) -> None:
    if asked:
        measuring_commands.version()
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_versions, is_eager=True, help="As `version`."),
    ] = False,
) -> None:
    """Nothing is left to do: what is asked for here has been answered."""
    del version


@docs.command("write")
def docs_write(folder: Annotated[Path, typer.Argument()] = Path("docs")) -> int:
    """Write the pages that are generated from the code."""
    from clickwise.cli.documents import write

    return write(folder)


@docs.command("show")
def docs_show(name: Annotated[Literal["asyncapi", "openapi"], typer.Argument()]) -> int:
    """Print the interface as a document: topics (asyncapi) or HTTP (openapi)."""
    from clickwise.cli.documents import show

    return show(name)
