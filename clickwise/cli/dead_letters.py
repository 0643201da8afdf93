"""`clickwise dead-letters list|show|replay`."""

from collections.abc import Iterator
from contextlib import ExitStack

from rich.text import Text

from clickwise.cli import homes
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit, complain
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, plain, print_json, print_table
from clickwise.cli.wiring import state_of
from clickwise.errors import ClickwiseError, ConfigurationError, NotFoundError
from clickwise.settings import Settings
from clickwise.state.port import DeadLetter, State

PAGE = 500
SHOWN_BYTES = 100_000


def list_letters(settings: Settings, *, pending: bool, limit: int, json: bool) -> int:
    """Newest first.

    Raises:
        NotFoundError: there is no such home.
    """
    homes.need_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        letters = state.dead_letters(limit=limit, pending_only=pending)
    if json:
        print_json([_told(letter) for letter in letters])
        return Exit.DONE
    if not letters:
        console().print(Text("no dead letters"))
        return Exit.DONE
    print_table(
        ("id", "at", "topic", "partition", "offset", "reason", "detail", "replayed"),
        [
            (
                str(one.id),
                one.at.isoformat(timespec="seconds"),
                one.topic,
                str(one.partition),
                str(one.offset),
                one.reason,
                one.detail[:80],
                one.replayed.isoformat(timespec="seconds") if one.replayed else "",
            )
            for one in letters
        ],
    )
    return Exit.DONE


def show_letter(settings: Settings, letter: int, *, json: bool) -> int:
    """One, with its key and bytes.

    Raises:
        NotFoundError: there is no such home, or no such letter.
    """
    homes.need_home(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        found = state.dead_letter(letter)
    if found is None:
        raise NotFoundError(f"no dead letter {letter}")
    told = _told(found) | {"key": _text(found.key), "value": _text(found.value)}
    if json:
        print_json(told)
        return Exit.DONE
    for name, value in told.items():
        console().print(Text.assemble((f"{name:<10}", "bold"), plain(str(value))), soft_wrap=True)
    return Exit.DONE


def replay_letters(settings: Settings, letter: int | None, *, every: bool, json: bool) -> int:
    """One or all that were not replayed; 1 if one could not be.

    Raises:
        ConfigurationError: neither or both are asked for, or the site is embedded.
    """
    if every == (letter is not None):
        raise ConfigurationError("expected the id of a dead letter, or --all, and not both")
    if settings.embedded:
        raise ConfigurationError(
            "dead letters come from Kafka and go back there: set CLICKWISE_KAFKA_BOOTSTRAP"
        )
    with kafka_extra():
        from streams.dead_letters import replay

    replayed: list[int] = []
    failed: dict[int, str] = {}
    with ExitStack() as stack, audited(settings, "dead-letters replay") as ending:
        state = state_of(settings, stack)
        state.migrate()
        for number in [letter] if letter is not None else list(_pending(state)):
            try:
                replay(settings, state, number)
            except ClickwiseError as error:
                if letter is not None or error.retryable:
                    raise
                failed[number] = str(error)
                ending.fault = "incomplete"
            else:
                replayed.append(number)
    if json:
        print_json({"replayed": replayed, "failed": {str(k): v for k, v in failed.items()}})
    else:
        console().print(Text(f"{len(replayed)} replayed"))
        for number, reason in failed.items():
            complain(f"dead letter {number}: {reason}")
    return Exit.FAILED if failed else Exit.DONE


def _pending(state: State) -> Iterator[int]:
    """Ids of all that were not replayed, oldest first."""
    ids: list[int] = []
    before: int | None = None
    while page := state.dead_letters(limit=PAGE, before=before, pending_only=True):
        ids += [one.id for one in page]
        before = page[-1].id
    return reversed(ids)


def _told(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "at": letter.at,
        "replayed": letter.replayed,
        "bytes": len(letter.value or b""),
    }


def _text(content: bytes | None) -> str | None:
    """Bytes as text; what is not UTF-8 as escapes, so that nothing is hidden."""
    if content is None:
        return None
    return content[:SHOWN_BYTES].decode(errors="backslashreplace")
