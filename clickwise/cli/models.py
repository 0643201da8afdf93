"""`clickwise models promote|rollback|canary|shadow|withdraw|status|prune`."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.text import Text

from clickwise import logs
from clickwise.cli import homes, release_status, releasing, retention
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.output import console, print_json, print_table, progress_console
from clickwise.cli.recommending import ago
from clickwise.cli.registry import follow_roles
from clickwise.cli.release_site import Told
from clickwise.cli.releasing import Released
from clickwise.releases.folders import BUILT_IN
from clickwise.settings import Settings
from clickwise.state.port import Role

_STEPS = {
    "checked": "the bundle is whole",
    "named": "named as the candidate; its items are being indexed",
    "indexed": "its items are indexed",
    "warmed": "open in every process of this machine",
    "live": "live",
    "announced": "announced",
    "swapped": "answering",
    "canary": "on trial",
    "shadow": "on trial",
}


def promote(settings: Settings, bundle: str, *, url: str, encoder: str, json: bool) -> int:
    """Make a bundle the live model."""
    with audited(settings, "models promote"), _told(settings, json=json) as told:
        done = releasing.promote(settings, bundle, url=url, encoder=encoder, told=told)
        follow_roles(settings)
    if not url and not settings.embedded:
        progress_console().print(
            Text("other machines need the bundle's files: give --url where they do not share them")
        )
    return _shown(done, json=json)


def rollback(settings: Settings, *, json: bool) -> int:
    """Make the previous model live again."""
    with audited(settings, "models rollback"), _told(settings, json=json) as told:
        done = releasing.rollback(settings, told=told)
        follow_roles(settings)
    return _shown(done, json=json)


def try_on(
    settings: Settings,
    role: Role,
    bundle: str,
    *,
    share: float,
    url: str,
    encoder: str,
    json: bool,
) -> int:
    """Try a bundle on a share of users, or of requests."""
    with audited(settings, f"models {role}"), _told(settings, json=json) as told:
        done = releasing.try_on(
            settings, role, bundle, share=share, url=url, encoder=encoder, told=told
        )  # fmt: skip
    return _shown(done, json=json)


def withdraw(settings: Settings) -> int:
    """End every trial."""
    logs.configure(level="warning", output=settings.log_format)
    with audited(settings, "models withdraw"):
        gone = releasing.withdraw(settings)
    console().print(Text(f"withdrawn: {', '.join(gone)}"))
    return Exit.DONE


def status(settings: Settings, *, json: bool) -> int:
    """Show the models in use.

    Raises:
        NotFoundError: there is no such home.
    """
    homes.need_home(settings)
    logs.configure(level="warning", output=settings.log_format)
    found = release_status.status(settings)
    if json:
        print_json(found)
        return Exit.DONE
    print_table(
        ("role", "version", "since", "share", "dimension", "indexed", "processes", "bundle"),
        [
            (
                one.role,
                one.version,
                ago(one.age_seconds),
                f"{one.share:g}" if one.share else "",
                "" if one.dimension is None else str(one.dimension),
                "" if one.indexed is None else f"{one.indexed:,}",
                str(one.processes or ""),
                "built in" if one.url == BUILT_IN else one.url,
            )
            for one in found.roles
        ],
    )
    if not found.roles:
        console().print(Text("no model is named yet: the first start of a server names day 0"))
    elif found.seen or found.rebuild_done:
        console().print(Text(f"profiles rebuilt for it: {_rebuilt(found)}"))
    return Exit.DONE


def _rebuilt(found: release_status.Status) -> str:
    if not found.seen:
        return "none; nobody had one when it went live"
    state = "done" if found.rebuild_done else "under way"
    return f"{found.rebuilt:,} of {found.seen:,} seen, {state}"


def prune(settings: Settings, *, keep: int, json: bool) -> int:
    """Remove the bundles that nobody needs, but for the newest `keep`."""
    logs.configure(level="warning", output=settings.log_format)
    with train_extra(), audited(settings, "models prune"):
        done = retention.prune(settings, keep=keep)
    if json:
        print_json(done)
        return Exit.DONE
    print_table(
        ("what", "name", "bytes", "done"),
        [
            *(("bundle", one.version, f"{one.size_bytes:,}", "removed") for one in done.bundles),
            *(("index", one.space, _size(one.size_bytes), "removed") for one in done.indexes),
            *(("", one.name, "", f"kept: {one.reason}") for one in done.kept),
        ],
    )
    console().print(
        Text(
            f"{len(done.bundles)} bundles and {len(done.indexes)} indexes removed:"
            f" {done.size_bytes:,} bytes"
        )
    )
    return Exit.DONE


def _size(size_bytes: int | None) -> str:
    return "on the Qdrant server" if size_bytes is None else f"{size_bytes:,}"


@contextmanager
def _told(settings: Settings, *, json: bool) -> Iterator[Told]:
    """Says each step on standard error as it is done."""
    logs.configure(level="warning", output=settings.log_format)
    out = progress_console()

    def tell(step: str) -> None:
        if not json:
            out.print(Text(_STEPS.get(step, step)))

    yield tell


def _shown(done: Released, *, json: bool) -> int:
    if json:
        print_json(done)
        return Exit.DONE
    before = f", before it {done.before}" if done.before else ""
    where = f"; {done.swapped} of {done.processes} processes" if done.processes else ""
    console().print(Text(f"{done.version}{before}; {done.seconds:.1f} s{where}"))
    return Exit.DONE
