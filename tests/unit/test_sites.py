"""A site's share of what several sites have in common."""

import pytest
from sqlalchemy import make_url

from clickwise.cli import homes
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings, environment_of, load
from clickwise.sites import schema_of

DATABASE = "postgresql+psycopg://me:secret@box/all"
SHARED = {
    "CLICKWISE_HOME": "/srv/clickwise/",
    "CLICKWISE_KAFKA_BOOTSTRAP": "box:9092",
    "CLICKWISE_DATABASE_URL": DATABASE,
    "CLICKWISE_ARCHIVE_URL": "s3://bucket/archive",
    "CLICKWISE_BUNDLES_URL": "s3://bucket/bundles/",
}
NAMED = (  # every setting that names something which two processes may have in common
    "home", "kafka_topic_prefix", "kafka_group", "database_url", "archive_url", "bundles_url",
    "mlflow_name",
)  # fmt: skip


def site(name, **more):
    return load({**SHARED, "CLICKWISE_SITE": name, **more})


@pytest.mark.case(20)
def test_two_sites_of_equal_settings_have_no_name_in_common():
    red, blue, none = site("red"), site("blue"), load(SHARED)

    for name in NAMED:
        assert len({str(_plain(getattr(one, name))) for one in (red, blue, none)}) == 3, name


def _plain(value):
    return value.reveal() if hasattr(value, "reveal") else value


@pytest.mark.case(20)
@pytest.mark.parametrize(
    "folder_of",
    [
        homes.vectors_folder,  # Edge
        homes.bundles_folder,
        homes.encoder_folder,  # encoders that were downloaded or made
        homes.metrics_folder,
        homes.database_url,
        lambda settings: settings.folder / "training" / "archive-cache",  # of a remote archive
    ],
)
def test_no_cache_on_disk_is_two_sites(folder_of):
    alone = {"CLICKWISE_KAFKA_BOOTSTRAP": "", "CLICKWISE_DATABASE_URL": ""}
    both = [site(name, **alone) for name in ("a", "a-b")]

    assert all(f"{one.home}/" in str(folder_of(one)) for one in both)
    assert len({str(folder_of(one)) for one in both}) == 2


def test_each_service_is_told_the_share_in_its_own_words():
    red = site("red-wine")

    assert red.kafka_topic_prefix == "clickwise.red-wine"
    assert red.kafka_group == "clickwise-streams.red-wine"
    assert red.home == "/srv/clickwise/sites/red-wine"
    assert red.archive_url == "s3://bucket/archive/sites/red-wine"
    assert red.mlflow_name == "clickwise-red-wine"
    url = make_url(red.database_url.reveal())
    assert url.query == {"options": "-csearch_path=site_red_wine"}
    assert (url.password, url.database) == ("secret", "all")


def test_what_a_url_tells_the_server_already_is_kept():
    red = site("red", CLICKWISE_DATABASE_URL=f"{DATABASE}?sslmode=require&options=-cwork_mem%3D8MB")

    query = make_url(red.database_url.reveal()).query
    assert query == {"sslmode": "require", "options": "-cwork_mem=8MB -csearch_path=site_red"}


def test_a_child_process_gets_the_same_share_and_not_a_share_of_it():
    red = site("red")

    assert load(environment_of(red)) == red


def test_without_a_site_nothing_changes():
    assert load({}) == Settings()
    assert load(SHARED).database_url.reveal() == DATABASE


def test_names_that_differ_have_schemas_that_differ():
    assert schema_of("a-b") != schema_of("ab")
    for name in ("a_b", "A", "9a", "-a", "a b", "a" * 31, "a.b"):
        with pytest.raises(ConfigurationError, match="CLICKWISE_SITE: expected a letter"):
            load({"CLICKWISE_SITE": name})


def test_a_file_that_all_sites_would_share_is_refused():
    with pytest.raises(ConfigurationError, match="one file holds one site"):
        load({"CLICKWISE_SITE": "red", "CLICKWISE_DATABASE_URL": "sqlite:////srv/all.sqlite"})
