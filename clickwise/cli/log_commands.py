"""The commands on what travels and what is built of it: topics, events, index, dead letters."""

from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from

topics = typer.Typer(no_args_is_help=True, help="The Kafka topics.")
events = typer.Typer(no_args_is_help=True, help="The log of events.")
index = typer.Typer(no_args_is_help=True, help="The vector index (Qdrant Edge).")
dead_letters = typer.Typer(no_args_is_help=True, help="Messages that could not be applied.")


@topics.command("create")
def topics_create(json: Json = False) -> int:
    """Create what is missing; existing topics are left as they are."""
    from clickwise.cli.topics import create

    return create(settings_from(), json=json)


@topics.command("check")
def topics_check(json: Json = False) -> int:
    """Compare the topics with what the program needs; 1 if they differ."""
    from clickwise.cli.topics import check as run

    return run(settings_from(), json=json)


@topics.command("show")
def topics_show(json: Json = False) -> int:
    """Show the table of topics; needs no Kafka."""
    from clickwise.cli.topics import show

    return show(settings_from(), json=json)


@events.command("tail")
def events_tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    last: Annotated[int, typer.Option("-n", min=0, help="So many of the newest.")] = 10,
    user: Annotated[str, typer.Option(help="Only this user's.")] = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Show events as they are in the log."""
    from clickwise.cli.tailing import tail

    return tail(settings_from(home=home), follow=follow, last=last, user=user, json=json)


@index.command("build")
def index_build(
    loop: Annotated[bool, typer.Option("--loop", help="Again whenever enough changed.")] = False,
    home: Home = None,
) -> int:
    """Build the next generation of the index now."""
    from clickwise.cli.indexing import build

    return build(settings_from(home=home), loop=loop)


@dead_letters.command("list")
def dead_letters_list(
    pending: Annotated[bool, typer.Option("--pending", help="Not replayed yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
    home: Home = None,
) -> int:
    """List dead letters, newest first."""
    from clickwise.cli.dead_letters import list_letters

    return list_letters(settings_from(home=home), pending=pending, limit=limit, json=json)


@dead_letters.command("show")
def dead_letters_show(
    letter: Annotated[int, typer.Argument(min=1)], json: Json = False, home: Home = None
) -> int:
    """Show one with its bytes."""
    from clickwise.cli.dead_letters import show_letter

    return show_letter(settings_from(home=home), letter, json=json)


@dead_letters.command("replay")
def dead_letters_replay(
    letter: Annotated[int | None, typer.Argument(min=1)] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not replayed.")] = False,
    json: Json = False,
    home: Home = None,
) -> int:
    """Put one, or all, back into their topics once the cause is mended."""
    from clickwise.cli.dead_letters import replay_letters

    return replay_letters(settings_from(home=home), letter, every=every, json=json)
