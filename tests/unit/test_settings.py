"""Settings: what is refused, with which words, and what never shows."""

from typing import get_args, get_type_hints

import pytest

from clickwise.errors import ConfigurationError
from clickwise.secret import Secret
from clickwise.settings import Settings, environment_of, is_loopback, load

KEY = "a-key-of-20-letters!"


def test_nothing_set_gives_the_defaults():
    assert load({}) == Settings()


@pytest.mark.parametrize("days", ["1", "6"])
def test_an_archive_shorter_than_the_logs_is_refused(days):
    with pytest.raises(ConfigurationError, match=f"CLICKWISE_ARCHIVE_DAYS={days}: .* 7 days"):
        load({"CLICKWISE_ARCHIVE_DAYS": days})

    assert load({"CLICKWISE_ARCHIVE_DAYS": "7"}).archive_days == 7


def test_profiles_that_go_before_their_events_are_forgotten_are_refused():
    with pytest.raises(ConfigurationError, match=r"PROFILE_DAYS=10 is less than .*DEDUPE_DAYS=20"):
        load({"CLICKWISE_PROFILE_DAYS": "10", "CLICKWISE_DEDUPE_DAYS": "20"})

    assert load({"CLICKWISE_PROFILE_DAYS": "8"}).profile_days == 8.0
    assert load({"CLICKWISE_PROFILE_DAYS": "0", "CLICKWISE_DEDUPE_DAYS": "20"}).profile_days == 0


def test_variables_of_others_are_left_alone():
    assert load({"PATH": "/bin", "CLICKWISE_TEST_QDRANT_URL": "x"}) == Settings()


def test_an_unknown_variable_stops_with_a_suggestion():
    with pytest.raises(ConfigurationError, match=r"did you mean CLICKWISE_PORT\?"):
        load({"CLICKWISE_PROT": "9000"})


def test_texts_in_other_languages_than_an_items_own_cannot_be_asked_for():
    with pytest.raises(ConfigurationError, match="unknown setting CLICKWISE_TEXTS_LANGUAGES"):
        load({"CLICKWISE_TEXTS_LANGUAGES": "pt"})


def test_a_variable_like_none_gets_no_suggestion():
    with pytest.raises(ConfigurationError) as caught:
        load({"CLICKWISE_XQZZY": "1"})

    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLICKWISE_PORT", "70000"),
        ("CLICKWISE_PORT", "http"),
        ("CLICKWISE_WORKERS", "0"),
        ("CLICKWISE_EXPLORATION", "0.9"),
        ("CLICKWISE_LOG_LEVEL", "loud"),
        ("CLICKWISE_SHOW_SEEN", "perhaps"),
        ("CLICKWISE_KAFKA_TOPIC_PREFIX", "no spaces"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(variable, text):
    with pytest.raises(ConfigurationError, match=variable):
        load({variable: text})


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_white_space_around_a_value_is_no_part_of_it(name):
    value = getattr(Settings(), name)
    text = value.reveal() if isinstance(value, Secret) else str(value)

    assert load({f"CLICKWISE_{name.upper()}": f" {text}\n"}) == Settings()


def test_a_line_break_opens_no_door_and_ends_no_secret():
    settings = load(
        {
            "CLICKWISE_ACCESS": "keys\n",
            "CLICKWISE_TEXTS_KEY": "sk-1\n",
            "CLICKWISE_DATABASE_URL": "postgresql+psycopg://u@h/d\r\n",
        }
    )

    assert settings.closed
    assert settings.texts_key.reveal() == "sk-1"
    assert settings.database_url.reveal() == "postgresql+psycopg://u@h/d"


def test_an_option_and_the_processes_that_inherit_it_have_the_same_value():
    settings = load({}, home="/srv/site\n")

    assert settings.home == load(environment_of(settings)).home == "/srv/site"


def test_options_win_over_the_environment_and_missing_ones_do_not():
    settings = load({"CLICKWISE_PORT": "9000"}, port=9001, host=None)

    assert settings.port == 9001
    assert settings.host == Settings().host


@pytest.mark.case(20)
def test_secrets_do_not_show():
    settings = load(
        {
            "CLICKWISE_API_KEYS": KEY,
            "CLICKWISE_METRICS_KEYS": "a-key-of-the-metrics",
            "CLICKWISE_DATABASE_URL": "postgresql+psycopg://u:hunter2@h/d",
            "CLICKWISE_QDRANT_API_KEY": "qdrant-secret",
        }
    )

    shown = f"{settings!r} {settings} {[settings.api_keys]} {settings.keys_of_metrics}"

    assert not any(word in shown for word in (KEY, "of-the-metrics", "hunter2", "qdrant-secret"))
    assert settings.keys[0].matches(KEY)
    assert settings.keys_of_metrics[0].matches("a-key-of-the-metrics")


@pytest.mark.case(20)
def test_a_refusal_does_not_quote_a_secret():
    with pytest.raises(ConfigurationError) as caught:
        load({"CLICKWISE_DATABASE_URL": "mysql://u:hunter2@h/d"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])  # noqa: S104
def test_beyond_loopback_it_wants_keys(host):
    with pytest.raises(ConfigurationError, match="CLICKWISE_API_KEYS"):
        load({"CLICKWISE_HOST": host})

    assert load({"CLICKWISE_HOST": host, "CLICKWISE_API_KEYS": KEY}).host == host
    assert load({"CLICKWISE_HOST": host, "CLICKWISE_ACCESS": "keys"}).host == host
    assert load({"CLICKWISE_HOST": host, "CLICKWISE_METRICS_KEYS": KEY}).closed


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_none(host):
    assert is_loopback(host)
    assert load({"CLICKWISE_HOST": host}).keys == ()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CLICKWISE_API_KEYS": "short"}, "16 characters"),
        ({"CLICKWISE_METRICS_KEYS": f"{KEY},short"}, "CLICKWISE_METRICS_KEYS.*16 characters"),
        ({"CLICKWISE_API_KEYS": KEY, "CLICKWISE_METRICS_KEYS": KEY}, "a key of its own"),
        ({"CLICKWISE_TLS_KEY": "k.pem"}, "go together"),
        ({"CLICKWISE_KAFKA_BOOTSTRAP": "h:1"}, "CLICKWISE_DATABASE_URL"),
        ({"CLICKWISE_DATABASE_URL": "mysql://h/d"}, "postgresql"),
        (
            {
                "CLICKWISE_KAFKA_BOOTSTRAP": "h:1",
                "CLICKWISE_DATABASE_URL": "sqlite:///x",
                "CLICKWISE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            },
            "CLICKWISE_KAFKA_USERNAME",
        ),
    ],
)
def test_what_does_not_go_together_is_told(environment, words):
    with pytest.raises(ConfigurationError, match=words):
        load(environment)


def test_a_child_process_gets_the_same_settings():
    settings = load(
        {
            "CLICKWISE_API_KEYS": f"{KEY},{KEY}2",
            "CLICKWISE_SHOW_SEEN": "true",
            "CLICKWISE_EXPLORATION": "0.125",
            "CLICKWISE_HOME": "/a b/c",
            "CLICKWISE_DATABASE_URL": "sqlite:///x",
        }
    )

    assert load(environment_of(settings)) == settings


def test_every_setting_has_a_sentence():
    hints = get_type_hints(Settings, include_extras=True)

    assert all(get_args(hint)[1].description for hint in hints.values())


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLICKWISE_QDRANT_URL", "http://user:hunter2@qdrant:6333"),
        ("CLICKWISE_QDRANT_URL", "https://hunter2@qdrant"),
        ("CLICKWISE_QDRANT_URL", "qdrant:6333"),
        ("CLICKWISE_QDRANT_URL", "http://"),
        ("CLICKWISE_KAFKA_BOOTSTRAP", "broker"),
        ("CLICKWISE_KAFKA_BOOTSTRAP", "kafka://broker:9092"),
        ("CLICKWISE_KAFKA_BOOTSTRAP", "u:hunter2@broker:9092"),
        ("CLICKWISE_KAFKA_BOOTSTRAP", "broker:9092,"),
        ("CLICKWISE_DEDUPE_DAYS", "6.9"),
    ],
)
def test_addresses_and_days_that_cannot_work_are_refused_unquoted(variable, text):
    with pytest.raises(ConfigurationError, match=variable) as caught:
        load({"CLICKWISE_DATABASE_URL": "sqlite:///x", variable: text})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLICKWISE_QDRANT_URL", "http://127.0.0.1:6333"),
        ("CLICKWISE_QDRANT_URL", "https://vectors.test/behind/proxy/"),
        ("CLICKWISE_KAFKA_BOOTSTRAP", "a:9092,b.test:9093, [::1]:9094"),
        ("CLICKWISE_DEDUPE_DAYS", "7"),
    ],
)
def test_addresses_and_days_that_work_are_taken(variable, text):
    load({"CLICKWISE_DATABASE_URL": "sqlite:///x", variable: text})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"oidc_issuer": "https://login.test"}, "CLICKWISE_OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://login.test", "oidc_audience": "a"}, "CLICKWISE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://u:p@login.test", "oidc_audience": "a"}, "CLICKWISE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://login.test/?a=b", "oidc_audience": "a"}, "CLICKWISE_OIDC_ISSUER"),
        ({"oidc_scopes": "shop"}, "CLICKWISE_OIDC_SCOPES"),
        ({"oidc_scopes": "shop=all"}, "CLICKWISE_OIDC_SCOPES"),
        ({"cors_origins": "*"}, "CLICKWISE_CORS_ORIGINS"),
        ({"cors_origins": "https://shop.test/"}, "CLICKWISE_CORS_ORIGINS"),
        ({"cors_origins": "null"}, "CLICKWISE_CORS_ORIGINS"),
    ],
)
def test_what_would_open_more_than_meant_is_refused_by_name(changed, told):
    with pytest.raises(ConfigurationError, match=told):
        load({}, **changed)


def test_an_issuer_closes_the_door_to_those_without_a_key():
    settings = load({}, host="192.0.2.1", oidc_issuer="https://login.test/x", oidc_audience="a")

    assert settings.closed
