"""Which release of a library made something: part of the name of a method."""

from importlib.metadata import version


def released(*distributions: str) -> str:
    """`name-1.2.3` of each, joined by `+`."""
    return "+".join(f"{name}-{version(name)}" for name in distributions)
