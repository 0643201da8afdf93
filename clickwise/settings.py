"""All settings: one table of names, types, defaults, bounds and when to change each.

The environment is read once, by the command that starts a process (`load`); everything else
receives values. `CLICKWISE_PORT=9000` sets `port`; an unknown `CLICKWISE_...` name stops the
process. `docs/configuration.md` is generated from this module and tested against it.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from clickwise.access import scopes_by_value
from clickwise.errors import ClickwiseError, ConfigurationError
from clickwise.secret import Secret
from clickwise.sites import share_of

PREFIX = "CLICKWISE_"
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@,\[\]]+):[0-9]{1,5}\Z")
_ENDPOINT = re.compile(r"https?://[^\s@/?#]+(/[^\s@?#]*)?\Z")
_ORIGIN = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?\Z|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?\Z"
)
_QDRANT = re.compile(r"https?://[^\s@/]+(/[^\s@]*)?\Z")
# Read by the test suite and the release tooling, not by the program.
FOREIGN = ("CLICKWISE_TEST_", "CLICKWISE_REQUIRE_SERVICES")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. Secrets do not show in `repr`."""

    home: Annotated[
        str,
        Meta(description="Folder of the embedded database, vectors and caches. One per site."),
    ] = ".clickwise"
    site: Annotated[
        str,
        Meta(
            pattern=r"^([a-z][a-z0-9-]{0,29})?$",
            description=(
                "Name of one of several sites on the same services: gives its processes topics, a"
                " database schema, collections and folders of their own (docs/access.md)."
            ),
        ),
    ] = ""
    host: Annotated[
        str,
        Meta(description="Address to listen on. Beyond loopback only with `api_keys` or `access`."),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port of the HTTP interface.")] = 8000
    workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Serving processes. One per core that serving may use."),
    ] = 1
    api_keys: Annotated[
        Secret,
        Meta(
            description=(
                "Comma-separated keys, 16 characters or more each, with every scope but `admin`"
                " (docs/access.md). Empty: those of `clickwise keys`, or no keys."
            )
        ),
    ] = Secret("")
    access: Annotated[
        str,
        Meta(
            pattern="^(auto|keys)$",
            description=(
                "auto: while there is no key at all, this machine alone is answered. keys: never"
                " without a key, for sites whose keys are all those of `clickwise keys`."
            ),
        ),
    ] = "auto"
    oidc_issuer: Annotated[
        str,
        Meta(
            description=(
                "https address of an OpenID Connect issuer, exactly as its tokens name it: they"
                " open beside keys (docs/access.md). Empty: keys alone."
            )
        ),
    ] = ""
    oidc_audience: Annotated[
        str, Meta(description="Audience (`aud`) that a token has to name. With `oidc_issuer`.")
    ] = ""
    oidc_scope_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description=(
                "Claim whose words (or list) say what a token allows; with dots, into objects:"
                " realm_access.roles."
            ),
        ),
    ] = "scope"
    oidc_scopes: Annotated[
        str,
        Meta(
            description=(
                "What those words allow: shop-admins=admin,shop-app=read,... Empty:"
                " clickwise:read allows `read`, and so on."
            )
        ),
    ] = ""
    oidc_ca_file: Annotated[
        str,
        Meta(description="PEM file of the authority that signed the issuer's certificate."),
    ] = ""
    cors_origins: Annotated[
        str,
        Meta(
            description=(
                "Comma-separated origins, such as https://shop.example, whose pages a browser may"
                " let ask here. Empty: none."
            )
        ),
    ] = ""
    tls_certificate: Annotated[
        str,
        Meta(
            description=(
                "PEM certificate chain of the HTTP interface, for TLS 1.2 and 1.3. Workers are"
                " renewed when the file changes. Empty: plain HTTP."
            )
        ),
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM private key that goes with it.")] = ""
    trace_endpoint: Annotated[
        str,
        Meta(
            pattern="^(https?://.*)?$",
            description=(
                "Where traces go: an OpenTelemetry collector's address for OTLP over HTTP, such as"
                " http://collector:4318/v1/traces. Empty: nothing is traced. Needs the extra"
                " `trace`."
            ),
        ),
    ] = ""
    trace_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description=(
                "Share of requests that begin a trace. Requests with a `traceparent` go by that."
                " Lower it where traces cost."
            ),
        ),
    ] = 1.0
    log_level: Annotated[
        str,
        Meta(pattern="^(debug|info|warning|error)$", description="Raise to debug to see batches."),
    ] = "info"
    log_format: Annotated[
        str, Meta(pattern="^(console|json)$", description="json for a log collector.")
    ] = "console"

    mask: Annotated[
        str,
        Meta(
            pattern=r"^ *((title|body)( *, *(title|body))*)? *$",
            description=(
                "Fields of items in which e-mail addresses, telephone and card numbers are masked"
                " before they are stored. Empty where the site alone writes them, and means them"
                " to be read."
            ),
        ),
    ] = "title,body"
    database_url: Annotated[
        Secret,
        Meta(
            description=(
                "SQLAlchemy URL of the state. Empty: SQLite in `home`. For several machines:"
                " postgresql+psycopg://user:password@host/name."
            )
        ),
    ] = Secret("")
    database_timeout_seconds: Annotated[
        float,
        Meta(gt=0, le=60, description="Longest wait for a statement or a connection."),
    ] = 2.0
    database_pool_size: Annotated[
        int, Meta(ge=1, le=100, description="PostgreSQL connections of one process.")
    ] = 4
    dedupe_days: Annotated[
        float,
        Meta(
            ge=7,
            le=3650,
            description="How long event ids are remembered; at least the retention of `events`.",
        ),
    ] = 8.0

    exposure_days: Annotated[
        float,
        Meta(
            ge=1,
            le=3650,
            description=(
                "How long what was shown is kept, in its topic or the embedded log. Why something"
                " was shown cannot be told for longer; the archive has a copy."
            ),
        ),
    ] = 30.0

    kafka_bootstrap: Annotated[
        str,
        Meta(description="host:port list. Empty: the embedded engine, no Kafka."),
    ] = ""
    kafka_topic_prefix: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Topics are `<prefix>.events` ..."),
    ] = "clickwise"
    kafka_group: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{1,100}$",
            description="Consumer group of the stream workers. A new name reads from the start.",
        ),
    ] = "clickwise-streams"
    kafka_partitions: Annotated[
        int,
        Meta(
            ge=1,
            le=1024,
            description="Partitions of each topic: the most stream workers that share the work.",
        ),
    ] = 4
    kafka_replication: Annotated[
        int, Meta(ge=1, le=7, description="Copies of each topic. 3 on a real cluster.")
    ] = 1
    kafka_security_protocol: Annotated[
        str,
        Meta(
            pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
            description="As the broker's listener is set up.",
        ),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        str, Meta(pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$", description="With SASL_... .")
    ] = "PLAIN"
    kafka_username: Annotated[str, Meta(description="With SASL_... .")] = ""
    kafka_password: Annotated[Secret, Meta(description="With SASL_... .")] = Secret("")
    kafka_ca_file: Annotated[
        str, Meta(description="PEM file of the authority that signed the broker's certificate.")
    ] = ""
    kafka_session_timeout_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=300,
            description="After this a dead worker's partitions move. Longer for slow networks.",
        ),
    ] = 6.0
    stream_batch: Annotated[
        int, Meta(ge=1, le=5_000, description="Most messages folded in one transaction.")
    ] = 500
    stream_linger_seconds: Annotated[
        float,
        Meta(ge=0.001, le=1, description="Longest wait for a batch to fill: freshness for rate."),
    ] = 0.01
    stream_metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="Where `clickwise stream` shows /metrics; 0: nowhere."),
    ] = 0
    publish_interval_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="At most one list per user and interval goes to `recommendations`.",
        ),
    ] = 1.0
    startup_timeout_seconds: Annotated[
        float,
        Meta(ge=0, le=3_600, description="How long to wait for Kafka, database and Qdrant."),
    ] = 60.0

    qdrant_url: Annotated[
        str, Meta(description="Qdrant server. Empty: Qdrant Edge, in process, in `home`.")
    ] = ""
    qdrant_api_key: Annotated[Secret, Meta(description="Key of the Qdrant server.")] = Secret("")
    qdrant_ca_file: Annotated[
        str,
        Meta(description="PEM file of the authority that signed the Qdrant server's certificate."),
    ] = ""
    qdrant_timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Longest wait for a vector query.")
    ] = 1.0
    edge_build_after: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Changed items after which Edge's next generation is built.",
        ),
    ] = 1_000
    edge_build_interval_seconds: Annotated[
        float,
        Meta(ge=0.1, le=86_400, description="Build sooner than that when this long has passed."),
    ] = 60.0

    encoder_model: Annotated[
        str,
        Meta(
            description=(
                "`default` (multilingual E5, any language), or a Hugging Face BERT-family folder"
                " or id with safetensors weights. `hashing:384` compares words without a model:"
                " for trials. A change needs all items to be encoded anew."
            )
        ),
    ] = "default"
    encoder_device: Annotated[
        str,
        Meta(pattern="^(auto|cpu|cuda)$", description="cuda fails clearly where there is none."),
    ] = "auto"
    encoder_threads: Annotated[
        int, Meta(ge=1, le=64, description="CPU threads of one encoding.")
    ] = 1
    encoder_batch: Annotated[
        int, Meta(ge=1, le=1_024, description="Most texts encoded at once. Raise on a GPU.")
    ] = 32
    image_encoder: Annotated[
        str,
        Meta(
            description=(
                "How pictures are read (docs/pictures.md): a folder with an ONNX image encoder, or"
                " `vectors:512` (`vectors:NAME:512`) where items bring vectors. Empty: not at all."
                " A change needs all pictures to be sent again."
            )
        ),
    ] = ""

    understand: Annotated[
        bool,
        Meta(
            description=(
                "Understand items (language, keywords, summary, topics) in a process beside the"
                " server. False: where another machine does it, or nobody needs it."
            )
        ),
    ] = True
    words_niceness: Annotated[
        int,
        Meta(
            ge=0,
            le=19,
            description="Priority of the process that understands and writes: 19 gives way to all.",
        ),
    ] = 15
    taxonomy: Annotated[
        str,
        Meta(
            description=(
                "TOML file of the site's topics (docs/text.md). Empty: items have the topics that"
                " they bring."
            )
        ),
    ] = ""

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
    archive_metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="Where `clickwise archive` shows /metrics; 0: nowhere."),
    ] = 0

    bundles_url: Annotated[
        str,
        Meta(
            description=(
                "Folder or fsspec URL that trained bundles are copied to, for other machines."
                " Empty: they stay in `home`."
            )
        ),
    ] = ""
    mlflow_url: Annotated[
        str,
        Meta(description="MLflow server of runs and models. Empty: SQLite in `home`."),
    ] = ""
    mlflow_name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]{1,100}$",
            description="Experiment and registered model in MLflow.",
        ),
    ] = "clickwise"
    train_threads: Annotated[
        int, Meta(ge=1, le=256, description="CPU threads of a training; serving needs cores too.")
    ] = 1
    train_niceness: Annotated[
        int, Meta(ge=0, le=19, description="Priority of a training: 19 gives way to everything.")
    ] = 10
    train_metrics_port: Annotated[
        int,
        Meta(
            ge=0, le=65_535, description="Where `clickwise train loop` shows /metrics; 0: nowhere."
        ),
    ] = 0
    gate_min_gain: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description=(
                "NDCG@10 on later events that a new model must gain, with its whole interval."
                " 0: any gain that is sure."
            ),
        ),
    ] = 0.0
    gate_max_slice_drop: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of its NDCG@10 that a slice (new users, a language ...) may lose.",
        ),
    ] = 0.1
    gate_min_coverage_share: Annotated[
        float,
        Meta(ge=0, le=1, description="Least share of the live model's coverage of the catalogue."),
    ] = 0.5
    gate_max_latency_ratio: Annotated[
        float,
        Meta(gt=0, le=100, description="Most time to score a request, to the live model's."),
    ] = 2.0

    texts: Annotated[
        str,
        Meta(
            pattern="^(off|embedded|url)$",
            description=(
                "Who writes titles, summaries and key points: nobody, the embedded model (to try"
                " it), or the endpoint of `texts_url`."
            ),
        ),
    ] = "off"
    texts_url: Annotated[
        str,
        Meta(description="OpenAI-compatible endpoint, to `/v1`: vLLM, llama.cpp, a hosted one."),
    ] = ""
    texts_model: Annotated[str, Meta(description="Model that the endpoint is asked for.")] = ""
    texts_key: Annotated[Secret, Meta(description="The endpoint's key, if it wants one.")] = Secret(
        ""
    )
    texts_tokens_per_day: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="Budget of prompt and completion tokens, by UTC day. 0: write nothing.",
        ),
    ] = 500_000
    texts_deadline_seconds: Annotated[
        float,
        Meta(gt=0, le=600, description="Longest wait for one text. Longer for a slow model."),
    ] = 60.0
    texts_segments: Annotated[
        int,
        Meta(ge=1, le=16, description="Most groups of readers that an item is written for."),
    ] = 2
    texts_languages: Annotated[
        str,
        Meta(
            pattern="^([a-z]{2,3}(,[a-z]{2,3}){0,7})?$",
            description="Comma-separated, such as en,pt: written in beside an item's own language.",
        ),
    ] = ""
    texts_holdout: Annotated[
        float,
        Meta(
            ge=0,
            le=0.9,
            description="Share of readers who see original titles, to compare click-through.",
        ),
    ] = 0.1
    texts_rejections: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Refused texts that are kept with their reasons."),
    ] = 10_000
    texts_threads: Annotated[
        int, Meta(ge=1, le=64, description="CPU threads of the embedded model.")
    ] = 1

    interests: Annotated[int, Meta(ge=1, le=16, description="Interest vectors per user (K).")] = 4
    history: Annotated[
        int,
        Meta(
            ge=8, le=1_000, description="Newest events that a profile is a fold of (N), at least."
        ),
    ] = 192
    interest_half_life_days: Annotated[
        float, Meta(gt=0, le=3650, description="Shorter for news, longer for courses.")
    ] = 14.0
    trending_half_life_hours: Annotated[
        float, Meta(gt=0, le=8760, description="Shorter for news, longer for courses.")
    ] = 72.0
    candidates: Annotated[
        int, Meta(ge=20, le=1_000, description="Most candidates scored per request.")
    ] = 200
    exploration: Annotated[
        float,
        Meta(ge=0, le=0.5, description="Share of places given to a drawn candidate. 0: none."),
    ] = 0.05
    diversity: Annotated[
        float,
        Meta(ge=0, le=1, description="0: pure score; 1: as varied as can be."),
    ] = 0.2
    topic_share: Annotated[
        float,
        Meta(gt=0, le=1, description="Largest share of each ten places that one topic may take."),
    ] = 0.6
    show_seen: Annotated[
        bool, Meta(description="Recommend items again that the user has engaged with.")
    ] = False
    deadline_seconds: Annotated[
        float, Meta(gt=0, le=30, description="Time of one recommendation, all stages.")
    ] = 0.25

    key_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1_000_000,
            description=(
                "Requests a second of an API key without a rate of its own, for each serving"
                " process; beyond: 429. 0: as many as it likes."
            ),
        ),
    ] = 0.0
    idle_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=3_600,
            description=(
                "Longest wait for a request's headers, and for the next request of an open"
                " connection. Longer than a proxy in front keeps its own open."
            ),
        ),
    ] = 30.0
    max_in_flight: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests of a worker at once; beyond: 429.")
    ] = 128
    max_wait_seconds: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description=(
                "Longest wait of a request for its turn in a worker; who would wait longer is"
                " answered 429 at once. Raise it where late answers are better than none."
            ),
        ),
    ] = 0.03
    max_queued_events: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Events waiting for the log; beyond: 429.")
    ] = 20_000
    max_batch_events: Annotated[
        int, Meta(ge=1, le=10_000, description="Events or items in one request.")
    ] = 1_000
    max_body_bytes: Annotated[
        int, Meta(ge=1_024, le=100_000_000, description="Largest request body.")
    ] = 16_000_000
    max_streams: Annotated[
        int, Meta(ge=0, le=100_000, description="Server-sent streams of a worker at once.")
    ] = 256
    stream_poll_seconds: Annotated[
        float,
        Meta(ge=0.01, le=60, description="How often a server-sent stream looks for a change."),
    ] = 0.1

    @property
    def folder(self) -> Path:
        """`home` as a path."""
        return Path(self.home)

    @property
    def embedded(self) -> bool:
        """True when no Kafka is set: the engine runs in the serving process."""
        return not self.kafka_bootstrap

    @property
    def closed(self) -> bool:
        """True when nobody is answered without a key or a token, whatever keys there are."""
        return self.access == "keys" or bool(self.oidc_issuer)

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins whose pages may ask, one by one."""
        return tuple(one.strip() for one in self.cors_origins.split(",") if one.strip())

    @property
    def keys(self) -> tuple[Secret, ...]:
        """The API keys, one by one."""
        return tuple(Secret(k.strip()) for k in self.api_keys.reveal().split(",") if k.strip())


def load(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from `CLICKWISE_...` variables, then from `overrides` that are not None.

    Raises:
        ConfigurationError: unknown name (with a suggestion), wrong type, out of bounds, or a
            combination that cannot work.

    Where `site` is set it is resolved: see `clickwise.sites`.
    """
    names = Settings.__struct_fields__
    raw: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable.startswith(FOREIGN):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in names:
            raise ConfigurationError(f"unknown setting {variable}{_suggestion(name, names)}")
        raw[name] = text
    raw.update({name: value for name, value in overrides.items() if value is not None})
    try:
        settings = msgspec.convert(raw, Settings, strict=False, dec_hook=_decode_secret)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_explained(str(error))) from error
    _check(settings)
    return share_of(settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The `CLICKWISE_...` variables that give these settings to a child process."""
    variables = {}
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if value == field.default:
            continue
        text = value.reveal() if isinstance(value, Secret) else str(value)
        variables[PREFIX + field.name.upper()] = text
    return variables


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""


# Where msgspec would show a pattern that says less than words.
_WORDS = {"site": "expected a letter, then letters, digits and hyphens, all lower case, up to 30"}


def _explained(message: str) -> str:
    for name in Settings.__struct_fields__:
        at = f" - at `$.{name}`"
        if message.endswith(at):
            said = _WORDS.get(name, message.removesuffix(at))
            return f"{PREFIX}{name.upper()}: {said}"
    return message


def _decode_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if kind is Secret and isinstance(value, Secret):
        return value
    raise NotImplementedError(kind)


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(settings: Settings) -> None:
    if not is_loopback(settings.host) and not settings.keys and not settings.closed:
        raise ConfigurationError(
            f"CLICKWISE_HOST={settings.host} is reachable from other machines: set"
            " CLICKWISE_API_KEYS, or CLICKWISE_ACCESS=keys with keys of `clickwise keys`, or listen"
            " on 127.0.0.1"
        )
    if any(len(key.reveal()) < 16 for key in settings.keys):
        raise ConfigurationError("CLICKWISE_API_KEYS: each key needs 16 characters or more")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise ConfigurationError(
            "CLICKWISE_TLS_CERTIFICATE and CLICKWISE_TLS_KEY go together: set both or none"
        )
    sasl = settings.kafka_bootstrap and settings.kafka_security_protocol.startswith("SASL")
    if sasl and not (settings.kafka_username and settings.kafka_password):
        raise ConfigurationError(
            "CLICKWISE_KAFKA_SECURITY_PROTOCOL is SASL: set CLICKWISE_KAFKA_USERNAME and"
            " CLICKWISE_KAFKA_PASSWORD"
        )
    url = settings.database_url.reveal()
    if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ConfigurationError(
            "CLICKWISE_DATABASE_URL: expected sqlite:///PATH or"
            " postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    if settings.site and url.startswith("sqlite"):
        raise ConfigurationError(
            "CLICKWISE_SITE and CLICKWISE_DATABASE_URL=sqlite:///... do not go together: one file"
            " holds one site. Leave the URL empty (a file in each site's home), or use PostgreSQL"
        )
    if settings.kafka_bootstrap and not url:
        raise ConfigurationError(
            "CLICKWISE_KAFKA_BOOTSTRAP is set: stream workers and servers share their state, set"
            " CLICKWISE_DATABASE_URL too"
        )
    if settings.kafka_bootstrap and not all(
        _BROKER.match(broker.strip()) for broker in settings.kafka_bootstrap.split(",")
    ):
        raise ConfigurationError("CLICKWISE_KAFKA_BOOTSTRAP: expected HOST:PORT[,HOST:PORT...]")
    if settings.qdrant_url and not _QDRANT.match(settings.qdrant_url):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_QDRANT_URL: expected http://HOST[:PORT] or https://HOST[:PORT]; the key"
            " goes into CLICKWISE_QDRANT_API_KEY"
        )
    _check_texts(settings)
    _check_callers(settings)


def _check_texts(settings: Settings) -> None:
    if settings.texts_url and not _ENDPOINT.match(settings.texts_url):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_TEXTS_URL: expected http(s)://HOST[:PORT]/v1; the key goes into"
            " CLICKWISE_TEXTS_KEY"
        )
    if settings.texts == "url" and not (settings.texts_url and settings.texts_model):
        raise ConfigurationError(
            "CLICKWISE_TEXTS=url needs CLICKWISE_TEXTS_URL and CLICKWISE_TEXTS_MODEL"
        )


def _check_callers(settings: Settings) -> None:
    if settings.oidc_issuer and not settings.oidc_audience:
        raise ConfigurationError(
            "CLICKWISE_OIDC_ISSUER is set: set CLICKWISE_OIDC_AUDIENCE too, or tokens for other"
            " services would open this one"
        )
    if settings.oidc_issuer and not _is_issuer(settings.oidc_issuer):
        raise ConfigurationError(  # not quoted: there may be a password in it
            "CLICKWISE_OIDC_ISSUER: expected https://HOST[:PORT][/PATH] (http on loopback alone)"
        )
    try:
        scopes_by_value(settings.oidc_scopes)
    except ClickwiseError as error:
        raise ConfigurationError(f"CLICKWISE_OIDC_SCOPES: {error}") from error
    for origin in settings.origins:
        if not _ORIGIN.match(origin):
            raise ConfigurationError(
                f"CLICKWISE_CORS_ORIGINS: {origin} is no origin; expected https://HOST[:PORT],"
                " in small letters and without a path, and no *"
            )


def _is_issuer(issuer: str) -> bool:
    if not _ENDPOINT.match(issuer):
        return False
    return issuer.startswith("https://") or is_loopback(urlsplit(issuer).hostname or "")
