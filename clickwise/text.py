"""The text of an item that is encoded."""

from clickwise.items import Item


def item_text(item: Item) -> str:
    """Title, topics, body, as one text."""
    return ". ".join([item.title, ", ".join(item.topics), item.body])[:2000]
