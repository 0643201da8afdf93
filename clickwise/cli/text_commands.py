"""The commands `clickwise texts ...`."""

from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from

texts = typer.Typer(
    no_args_is_help=True, help="Words written for readers: what stands, and a person's word on it."
)

ItemArgument = Annotated[str, typer.Argument(help="Id of the item.")]
FieldOption = Annotated[
    str, typer.Option("--field", help="title, summary or key_points. Missing: all.")
]
SegmentOption = Annotated[
    str, typer.Option("--segment", help="Readers, as `texts list` names them. Missing: all.")
]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Rows.")]


@texts.command("list")
def list_(limit: Limit = 20, json: Json = False, home: Home = None) -> int:
    """List what is written, newest first."""
    from clickwise.cli.texts import list_texts

    return list_texts(settings_from(home=home), limit=limit, json=json)


@texts.command()
def show(item: ItemArgument, json: Json = False, home: Home = None) -> int:
    """Show an item's own words, what was written, decided and refused."""
    from clickwise.cli.texts import show_item

    return show_item(settings_from(home=home), item, json=json)


@texts.command()
def block(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Show an item in its own words, and write none."""
    from clickwise.cli.texts import block as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def edit(
    item: ItemArgument,
    text: Annotated[str, typer.Argument(help="The words; key points one per line.")],
    field: Annotated[str, typer.Option("--field", help="title, summary or key_points.")] = "title",
    segment: SegmentOption = "",
    home: Home = None,
) -> int:
    """Show these words as long as the item has the title that it has now."""
    from clickwise.cli.texts import edit as run

    return run(settings_from(home=home), item, field=field, segment=segment, text=text)


@texts.command()
def pin(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Keep what is written now, whatever becomes of the item."""
    from clickwise.cli.texts import pin as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def unblock(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Take back what was decided: block, edit or pin."""
    from clickwise.cli.texts import unblock as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def rejections(
    item: Annotated[str, typer.Option("--item", help="Of this item alone.")] = "",
    limit: Limit = 20,
    json: Json = False,
    home: Home = None,
) -> int:
    """List what the gate refused and why, newest first."""
    from clickwise.cli.texts import rejections as run

    return run(settings_from(home=home), item=item, limit=limit, json=json)


@texts.command()
def compare(json: Json = False, home: Home = None) -> int:
    """Compare click-through of written and original titles, with intervals."""
    from clickwise.cli.text_comparison import compare_texts

    return compare_texts(settings_from(home=home), json=json)
