"""`clickwise texts compare`: click-through of written against original titles, from the logs."""

from contextlib import ExitStack

from rich.text import Text

from clickwise.archive import open_archive
from clickwise.cli.exits import Exit
from clickwise.cli.homes import need_home
from clickwise.cli.output import console, print_json, print_table
from clickwise.cli.text_logs import archived, logged
from clickwise.cli.wiring import state_of
from clickwise.settings import Settings
from clickwise.writing.comparison import Arm, Comparison, Tally, compare


def compare_texts(settings: Settings, *, json: bool) -> int:
    """Compare what readers did with both kinds of titles, over all that log or archive keeps.

    Raises:
        NotFoundError: there is no site; or the log is Kafka's, and no exposure is archived.
        UnavailableError: database or archive does not answer.
    """
    found = compare(_tallies(settings))
    if json:
        print_json(found)
    else:
        _show(found)
    return Exit.DONE


def _tallies(settings: Settings) -> dict[str, Tally]:
    if not settings.embedded:
        return archived(open_archive(settings.archive_url, home=settings.folder))
    need_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        return logged(state)


def _show(found: Comparison) -> None:
    print_table(
        ("words", "readers", "shown", "clicked", "rate", "95 % interval"),
        [_row("written", found.written), _row("original", found.held)],
    )
    if found.difference is None:
        said = "nothing to compare yet: both kinds need a reader (CLICKWISE_TEXTS_HOLDOUT)"
    else:
        said = (
            f"difference {found.difference:+.4f}, 95 % interval {found.low:+.4f} to"
            f" {found.high:+.4f} (resampling readers)"
        )
    console().print(Text(said))


def _row(name: str, arm: Arm) -> tuple[str, ...]:
    return (
        name,
        str(arm.readers),
        str(arm.shown),
        str(arm.clicked),
        f"{arm.rate:.4f}",
        f"{arm.low:.4f} to {arm.high:.4f}",
    )
