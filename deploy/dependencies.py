"""Prints what `pyproject.toml` asks for, one requirement a line: a layer without the program.

    python dependencies.py pyproject.toml kafka,texts

The layers of an image that are large then change with pyproject.toml and constraints.txt alone.
"""

import sys
import tomllib
from pathlib import Path


def requirements(project: Path, extras: list[str]) -> list[str]:
    """The requirements of a project and of some of its extras."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    wanted: list[str] = list(table["dependencies"])
    for extra in extras:
        wanted += table["optional-dependencies"][extra]
    return wanted


if __name__ == "__main__":
    names = [name for name in sys.argv[2].split(",") if name]
    print("\n".join(requirements(Path(sys.argv[1]), names)))
