"""From the archive to what training reads, with a sheet that says what the data is like."""

from training.prepare.archive import Prepared, prepare
from training.prepare.drift import Drift
from training.prepare.figures import data_sheet
from training.prepare.report import markdown, read_sheet, write_sheet
from training.prepare.sheet import DataSheet, Intake

__all__ = [
    "DataSheet",
    "Drift",
    "Intake",
    "Prepared",
    "data_sheet",
    "markdown",
    "prepare",
    "read_sheet",
    "write_sheet",
]
