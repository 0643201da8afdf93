"""Names that stand for people in an archive, made so that a test can read them."""

from clickwise.archive import Names


def name_of(user: str) -> str:
    """In the place of the database's keyed hash."""
    return f"name-of-{user}"


NAMES = Names.by(name_of)
