"""Writes the names of the settings into the chart's values.schema.json: `make docs` runs it.

    python -m deploy.settings_schema

With them a values file that names a setting that is none is refused before anything is installed.
Left out: secrets, which come by reference, and what the chart itself sets for each part.
"""

import json
from pathlib import Path

import msgspec

from clickwise.secret import Secret
from clickwise.settings import PREFIX, Settings

SCHEMA = Path(__file__).with_name("helm") / "clickwise" / "values.schema.json"
OF_THE_CHART = frozenset(
    {"home", "host", "port", "workers", "tls_certificate", "tls_key", "kafka_username"}
    | {"stream_metrics_port", "archive_metrics_port", "train_metrics_port"}
)


def names() -> list[str]:
    """The variables that `settings` of the chart may hold."""
    return [
        PREFIX + field.name.upper()
        for field in msgspec.structs.fields(Settings)
        if not isinstance(field.default, Secret) and field.name not in OF_THE_CHART
    ]


def with_names(schema: str) -> str:
    """The schema's text with the settings of this version."""
    document = json.loads(schema)
    document["properties"]["settings"]["propertyNames"]["enum"] = names()
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(with_names(SCHEMA.read_text()))
