"""Several sites on one set of services: what tells the one's share of each from the others'.

Each site has processes of its own, and nothing in memory is shared (ADR 14). `CLICKWISE_SITE` gives
those processes a share of their own of all that *is* shared:

topics, Qdrant collections   `<kafka_topic_prefix>.<site>`
consumer groups              `<kafka_group>.<site>`
PostgreSQL                   the schema `site_<site>`, by the connection's search path
home, archive, bundles       the folder `sites/<site>` in each
MLflow                       experiment and model `<mlflow_name>-<site>`
"""

from typing import TYPE_CHECKING

import msgspec

from clickwise.secret import Secret

if TYPE_CHECKING:
    from clickwise.settings import Settings

_FOLDER = "sites"


def share_of(settings: "Settings") -> "Settings":
    """The settings with its site's share of everything said outright, so that a process that gets
    them by `environment_of` has the same share. Settings without a site come back as they are.
    """
    site = settings.site
    if not site:
        return settings
    return msgspec.structs.replace(
        settings,
        site="",
        home=_inside(settings.home, site),
        kafka_topic_prefix=f"{settings.kafka_topic_prefix}.{site}",
        kafka_group=f"{settings.kafka_group}.{site}",
        database_url=Secret(_with_schema(settings.database_url.reveal(), schema_of(site))),
        archive_url=_inside(settings.archive_url, site) if settings.archive_url else "",
        bundles_url=_inside(settings.bundles_url, site) if settings.bundles_url else "",
        mlflow_name=f"{settings.mlflow_name}-{site}",
    )


def without_share(folder: str, site: str) -> str:
    """The folder that all sites have a share of, from the share of one; without a site as it is."""
    return folder.removesuffix(f"/{_FOLDER}/{site}") if site else folder


def schema_of(site: str) -> str:
    """The PostgreSQL schema of a site; its name needs no quotes."""
    return f"site_{site.replace('-', '_')}"


def _inside(folder: str, site: str) -> str:
    return f"{folder.rstrip('/')}/{_FOLDER}/{site}"


def _with_schema(url: str, schema: str) -> str:
    """A PostgreSQL URL whose connections find and make their tables in `schema`.

    An SQLite file is somebody's own already: by the home where it is in it, and by its path.
    """
    if not url.startswith("postgresql"):
        return url
    address, _, query = url.partition("?")
    parts = [part for part in query.split("&") if part]
    told = f"-csearch_path%3D{schema}"
    for place, part in enumerate(parts):
        if part.startswith("options="):
            parts[place] = f"{part}%20{told}"
            break
    else:
        parts.append(f"options={told}")
    return f"{address}?{'&'.join(parts)}"
