"""`clickwise recommend USER`: the list, where each item comes from, and why."""

from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from rich.text import Text

from clickwise.cli import homes
from clickwise.cli.exits import Exit
from clickwise.cli.following import encoder_progress
from clickwise.cli.http import HttpSite
from clickwise.cli.output import console, plain, print_json, print_table
from clickwise.cli.wiring import open_core
from clickwise.errors import InvalidInputError
from clickwise.limits import check_id
from clickwise.recommend.answers import Answer, Because, RecommendRequest
from clickwise.settings import Settings


def recommend(
    settings: Settings, user: str, *, limit: int, explain: bool, json: bool, url: str
) -> int:
    """Show the list that a request would get now.

    Raises:
        NotFoundError: there is no such home.
    """
    check_id(user, "USER")
    request = RecommendRequest(user=user, limit=limit, explain=explain)
    answer = _over_http(settings, url, request) if url else _here(settings, request)
    if json:
        print_json(answer)
    else:
        show(answer)
    return Exit.DONE


def _here(settings: Settings, request: RecommendRequest) -> Answer:
    homes.need_home(settings)
    with ExitStack() as stack:
        with encoder_progress() as follow:
            core = open_core(settings, stack, progress=follow)
        core.shelf.refresh()
        return core.recommend(request)


def _over_http(settings: Settings, url: str, request: RecommendRequest) -> Answer:
    path = f"/v1/users/{quote(request.user or '', safe='')}/recommendations"
    with HttpSite(url, settings) as site:
        data = site.get(path, limit=request.limit, explain=str(request.explain).lower())
    try:
        return msgspec.convert(data, Answer)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{url} gave no list: {error}") from error


def show(answer: Answer) -> None:
    """A table for people."""
    now = datetime.now(UTC)
    print_table(
        ("#", "title", "score", "from", "why", "because"),
        [
            (
                str(one.position + 1),
                one.title,
                f"{one.score:.3f}",
                " ".join(one.sources),
                one.reason.text,
                "; ".join(told(because, now) for because in one.reason.because),
            )
            for one in answer.items
        ],
    )
    out = console()
    if answer.empty_reason:
        out.print(Text(f"nothing to show: {answer.empty_reason}"))
    plural = "" if answer.events_applied == 1 else "s"
    out.print(
        Text(
            f"profile version {answer.profile_version},"
            f" {answer.events_applied} event{plural} applied,"
            f" model {answer.model}, policy {answer.policy}"
        )
    )
    if answer.degraded:
        out.print(Text(f"degraded: {', '.join(answer.degraded)}"))
    if answer.left_out:
        parts = (f"{number} {why}" for why, number in answer.left_out.items() if number)
        out.print(plain(f"left out: {', '.join(parts) or 'nothing'}"))


def told(because: Because, now: datetime) -> str:
    """An event of the user's own, in a few words."""
    return f"{because.type} {because.title!r}, {ago((now - because.time).total_seconds())}"


def ago(seconds: float) -> str:
    """A duration as people say it."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
