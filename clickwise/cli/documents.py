"""`clickwise docs write`: the generated pages, with the one that only serving can make."""

from pathlib import Path

from clickwise import reference
from clickwise.cli.exits import Exit
from serving.openapi import openapi


def openapi_document() -> str:
    """The HTTP interface as an OpenAPI document."""
    return reference.document(openapi())


PAGES: reference.Pages = {**reference.PAGES, "openapi.json": openapi_document}


def write(folder: Path) -> int:
    """Write every page and name its path."""
    for path in reference.write_pages(folder, PAGES):
        print(path)
    return Exit.DONE


def show(name: str) -> int:
    """Print one document."""
    print(PAGES[f"{name}.json"](), end="")
    return Exit.DONE
