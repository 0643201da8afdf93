"""What a start says at once. The first one of a home makes its text encoder, half a minute's work
behind a second of imports: so this module imports next to nothing.
"""

from pathlib import Path

from rich.text import Text

from clickwise import logs
from clickwise.cli.output import progress_console
from clickwise.settings import Settings

_log = logs.get(__name__)


def say_first_start(settings: Settings, folder: Path) -> None:
    """Say on standard error that the home `folder` gets its text encoder, if it has none yet."""
    encoders = folder / "models" / "encoders"
    made = encoders.is_dir() and any(not one.name.startswith(".") for one in encoders.iterdir())
    if made or settings.encoder_model.startswith("hashing:"):
        return
    say(settings, f"first start on {folder}: making its text encoder, about half a minute ...")


def say(settings: Settings, what: str) -> None:
    """A line on standard error; a record where a log collector reads it."""
    if settings.log_format == "json":
        logs.configure(level=settings.log_level, output=settings.log_format)
        _log.info("starting", doing=what)
        return
    progress_console().print(Text(what), soft_wrap=True)
