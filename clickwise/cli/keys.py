"""`clickwise keys create|list|rotate|revoke`, on the database that servers follow."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from rich.text import Text

from clickwise.access import Scope, digest_of, new_key, parse_scopes
from clickwise.cli import audited, homes
from clickwise.cli.exits import Exit
from clickwise.cli.options import with_home
from clickwise.cli.output import console, print_json, print_table, progress_console
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, InvalidInputError, NotFoundError
from clickwise.limits import shown
from clickwise.secret import Secret
from clickwise.settings import Settings
from clickwise.state.key_port import KeyStore, StoredKey

MAX_NAME = 100
FIRST = (
    "This is the first key. Until now this machine was answered without one; from now on every"
    " request needs a key, and it stays so when this one is revoked or expires (docs/access.md)."
)


def create_key(
    settings: Settings,
    name: str,
    *,
    scopes: Sequence[str],
    days: float,
    rate: float,
    quota: int,
    json: bool,
) -> int:
    """Make a key and print it; the first one says that it closes the door.

    Raises:
        ConfigurationError: an unknown scope, or a name that is empty, long or not printable.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise ConfigurationError(
            f"NAME: expected 1 to {MAX_NAME} printable characters, got {shown(name)}"
        )
    now = SystemClock().now()
    key_id, key = new_key()
    stored = StoredKey(
        id=key_id,
        digest=digest_of(key.reveal()),
        name=name.strip(),
        scopes=_scopes(scopes),
        rate=rate,
        quota=quota,
        created=now,
        expires=now + timedelta(days=days) if days else None,
    )
    if not settings.database_url.reveal():
        homes.make_home(settings)
    with _opened(settings) as keys:
        first = not (settings.keys or settings.closed or keys.every())
        keys.add(stored)
    audited.note(settings, "keys create", "done", subject=stored.id)
    _tell(stored, key, json=json)
    if first:
        progress_console().print(Text(FIRST), soft_wrap=True)
    return Exit.DONE


def list_keys(settings: Settings, *, json: bool) -> int:
    """List every key, oldest first, without what opens: until when it does, and in which state.

    Raises:
        NotFoundError: there is no such home.
    """
    homes.need_home(settings)
    now = SystemClock().now()
    with _opened(settings) as keys:
        found = keys.every()
        bounded = {key.id: 0 for key in found if key.quota}
        today = keys.spend(bounded, day=now.date()) if bounded else {}
    newer = {key.replaces: key.id for key in found if key.replaces}
    if json:
        print_json(
            [_told(key, now, newer.get(key.id, "")) | {"today": today.get(key.id)} for key in found]
        )
    elif not found:
        console().print(Text("no keys"))
    else:
        print_table(
            ("id", "name", "scopes", "rate", "today", "created", "opens until", "state"),
            [
                (
                    key.id,
                    key.name,
                    " ".join(key.scopes),
                    f"{key.rate:g}" if key.rate else "",
                    f"{today[key.id]} of {key.quota}" if key.quota else "",
                    _moment(key.created),
                    _until(key),
                    _state(key, now, newer.get(key.id, "")),
                )
                for key in found
            ],
        )
    return Exit.DONE


def rotate_key(settings: Settings, key_id: str, *, grace_hours: float, json: bool) -> int:
    """Make a key in place of another one and print it.

    Raises:
        NotFoundError: there is no such home, or no such key.
        ConflictError: the key is revoked, or has another one in its place.
    """
    homes.need_home(settings)
    now = SystemClock().now()
    new_id, key = new_key()
    with _opened(settings) as keys:
        old = _known(settings, keys, key_id)
        stored = StoredKey(
            id=new_id,
            digest=digest_of(key.reveal()),
            name=old.name,
            scopes=old.scopes,
            rate=old.rate,
            quota=old.quota,
            created=now,
            expires=now + (old.expires - old.created) if old.expires else None,
            replaces=old.id,
        )
        keys.rotate(stored, until=now + timedelta(hours=grace_hours))
    audited.note(settings, "keys rotate", "done", subject=old.id)
    _tell(stored, key, json=json)
    return Exit.DONE


def revoke_key(settings: Settings, key_id: str) -> int:
    """Let a key open nothing from now on.

    Raises:
        NotFoundError: there is no such home, or no such key.
    """
    homes.need_home(settings)
    with _opened(settings) as keys:
        _known(settings, keys, key_id)
        keys.revoke(key_id, at=SystemClock().now())
    audited.note(settings, "keys revoke", "done", subject=key_id)
    console().print(Text(f"{key_id} is revoked; servers know within seconds"))
    return Exit.DONE


def _known(settings: Settings, keys: KeyStore, key_id: str) -> StoredKey:
    found = next((one for one in keys.every() if one.id == key_id), None)
    if found is None:
        raise NotFoundError(
            f"there is no key {shown(key_id, 80)}:"
            f" `{with_home('clickwise keys list', settings)}` names them"
        )
    return found


def _scopes(words: Sequence[str]) -> tuple[Scope, ...]:
    try:
        return parse_scopes(words)
    except InvalidInputError as error:
        raise ConfigurationError(f"--scope {shown(','.join(words))}: {error.reason}") from error


@contextmanager
def _opened(settings: Settings) -> Iterator[KeyStore]:
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        yield state.keys


def _tell(stored: StoredKey, key: Secret, *, json: bool) -> None:
    """The key alone on standard output, so that it can be piped where it belongs."""
    if json:
        print_json(_told(stored, stored.created, "") | {"key": key.reveal()})
        return
    print(key.reveal())
    until = f"until {_until(stored)}" if stored.expires else "for ever"
    progress_console().print(
        Text(
            f"{stored.id}: {' '.join(stored.scopes)}, {until}. It is not shown again: a digest is"
            " all that is kept."
        ),
        soft_wrap=True,
    )


def _told(key: StoredKey, now: datetime, newer: str) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "rate": key.rate,
        "quota": key.quota,
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
        "replaces": key.replaces or None,
        "replaced_by": newer or None,
        "state": _condition(key, now, newer),
    }


def _condition(key: StoredKey, now: datetime, newer: str) -> str:
    """In a word. `rotated`: it opens until it expires, beside the one in its place, `newer`."""
    if key.revoked is not None:
        return "revoked"
    if key.expired(now):
        return "expired"
    return "rotated" if newer else "open"


def _state(key: StoredKey, now: datetime, newer: str) -> str:
    word = _condition(key, now, newer)
    return f"{word} to {newer}" if word == "rotated" else word


def _until(key: StoredKey) -> str:
    """The end of what it opens, past or to come."""
    ends = [at for at in (key.revoked, key.expires) if at is not None]
    return _moment(min(ends)) if ends else "for ever"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
