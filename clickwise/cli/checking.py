"""`clickwise check`: everything that can be wrong around a process, and what to do about it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from clickwise.cli import access_checks, checks, content_checks
from clickwise.cli.exits import Exit
from clickwise.cli.options import settings_from
from clickwise.cli.output import console, plain, print_json
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings
from clickwise.state.faults import SchemaError

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


class Finding(msgspec.Struct, frozen=True):
    """One line: `level` is ok, warn or fail; `advice` is what to do when it is not ok."""

    name: str
    level: str
    text: str
    advice: str = ""


Check = Callable[[Settings], Iterable[checks.Seen]]
ALL: Mapping[str, Check] = checks.ALL | content_checks.ALL | access_checks.ALL
ADVICE = checks.ADVICE | content_checks.ADVICE | access_checks.ADVICE


def check(overrides: Mapping[str, object], *, json: bool) -> int:
    """Look at everything; 1 if something fails."""
    return _told(list(findings_for(overrides)), json=json)


def check_deep(overrides: Mapping[str, object], *, json: bool) -> int:
    """The same, and every stored thing is read; 1 if something fails."""
    from clickwise.cli import deep_certificates, deep_checks, deep_kafka

    more = deep_checks.ALL | deep_certificates.ALL | deep_kafka.ALL
    return _told(list(findings_for(overrides, more)), json=json)


def _told(findings: Sequence[Finding], *, json: bool) -> int:
    if json:
        print_json({"ok": all(one.level != "fail" for one in findings), "findings": findings})
    else:
        _show(findings)
    return Exit.FAILED if any(one.level == "fail" for one in findings) else Exit.DONE


def findings_for(
    overrides: Mapping[str, object], more: Mapping[str, Check] | None = None
) -> Iterable[Finding]:
    """Findings one by one, of `more` checks at the end; without sound settings there is nothing
    else to look at.
    """
    home, host, port = (overrides.get(name) for name in ("home", "host", "port"))
    try:
        settings = settings_from(
            home=home if isinstance(home, Path) else None,
            host=host if isinstance(host, str) else None,
            port=port if isinstance(port, int) else None,
        )
    except ClickwiseError as error:
        yield Finding("settings", "fail", str(error), "correct it in the environment")
        return
    yield Finding("settings", "ok", "all known and within their bounds")
    for name, look in {**ALL, **(more or {})}.items():
        try:
            for seen in look(settings):
                yield Finding(name, seen.level, seen.text, seen.advice)
        except SchemaError:
            yield Finding(name, "ok", checks.MADE_LATER)
        except ClickwiseError as error:
            yield Finding(name, "fail", str(error), ADVICE.get(name, ""))
        except OSError as error:  # of a file or folder that the settings name
            yield Finding(name, "fail", f"{error.filename}: {error.strerror}", ADVICE.get(name, ""))


def _show(findings: Iterable[Finding]) -> None:
    out = console()
    for one in findings:
        line = Text.assemble(
            (f"{one.level:<5}", _STYLES[one.level]), (f"{one.name:<10}", "bold"), plain(one.text)
        )
        out.print(line, soft_wrap=True)
        if one.advice and one.level != "ok":
            out.print(Text(f"{'':<15}-> {one.advice}"), soft_wrap=True)
