"""The archive of events, exposures and items."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.understanding import UnderstandingSettings


class ArchiveSettings(UnderstandingSettings, frozen=True, kw_only=True):
    """The archive and who writes it."""

    archive_url: Annotated[
        str,
        Meta(
            description=(
                "Folder of the archive of events, exposures and items, or a URL that fsspec knows"
                " (s3://bucket/path; its client logs in as it does elsewhere). Empty: `archive` in"
                " `home`."
            )
        ),
    ] = ""
    archive_interval_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="Pause of `clickwise archive`. Longer: fewer, larger files at first.",
        ),
    ] = 300.0
    archive_file_rows: Annotated[
        int,
        Meta(
            ge=1_000,
            le=10_000_000,
            description=(
                "Events of a full file (of exposures a twentieth, of items a tenth). Fewer where"
                " memory is short."
            ),
        ),
    ] = 500_000
    archive_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description=(
                "How long events and exposures stay in the archive, by day of receipt; 7 or more."
                " Trainings learn from no more than that. 0: until their person is forgotten."
            ),
        ),
    ] = 0
    archive_metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="Where `clickwise archive` shows /metrics; 0: nowhere."),
    ] = 0
