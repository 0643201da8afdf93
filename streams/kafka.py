"""Kafka's clients and how they log in: with `tail`, the one module that imports aiokafka.

Faults of the client become UnavailableError where a later try may succeed, ConfigurationError
where it never will (no such topic, not allowed).

Nothing here makes a topic but `create_topics`: a stock broker makes one of each name that it is
asked for, as no topic of ours is, unless the question says not to.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

import aiokafka.admin.client
import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownProducerId,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from clickwise.errors import (
    ClickwiseError,
    ConfigurationError,
    TooLargeError,
    UnavailableError,
)
from clickwise.settings import Settings
from clickwise.tls import trusting

# No client of aiokafka has an option for it: all of this process, Faust's too, ask like this.
for _module in (aiokafka.client, aiokafka.admin.client):
    _module.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)

_NOT_ALLOWED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
# After these an idempotent producer writes nothing any more.
_SESSION_LOST = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)
MAX_REQUEST_BYTES = 8_000_000
# Error codes of a topic that is there, or is not.
_SETTLED = (0, UnknownTopicOrPartitionError.errno)
REQUEST_SECONDS = 10.0
LOOKS = 50  # for topics that were just made, a tenth of a second apart
DELIVERY_SECONDS = 30.0
SLACK_SECONDS = 5.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be written to a topic; without `partition` the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic to create; `configuration` holds the broker's own names."""

    name: str
    partitions: int
    replication: int
    configuration: dict[str, str]


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the broker has it."""

    name: str
    partitions: int
    replication: int
    configuration: dict[str, str]


def bootstrap_servers(settings: Settings) -> list[str]:
    """The `host:port` entries of the setting."""
    return [entry.strip() for entry in settings.kafka_bootstrap.split(",") if entry.strip()]


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS side of the connection, None where the listener has none."""
    if "SSL" not in settings.kafka_security_protocol:
        return None
    return trusting(settings.kafka_ca_file, "CLICKWISE_KAFKA_CA_FILE")


def translated(error: Exception, what: str) -> ClickwiseError:
    """The fault of our tree for a fault of the client."""
    name = type(error).__name__
    if isinstance(error, MessageSizeTooLargeError):
        return TooLargeError(f"{what}: the broker takes no message of this size")
    if isinstance(error, UnknownTopicOrPartitionError):
        return ConfigurationError(f"{what}: no such topic; run `clickwise topics create`")
    if isinstance(error, _NOT_ALLOWED):
        return ConfigurationError(f"{what}: Kafka does not allow it ({name})")
    if isinstance(error, KafkaTimeoutError):  # the client's own: nothing was sent in time
        return UnavailableError(f"{what}: no answer in time")
    if isinstance(error, KafkaError) and not error.retriable and type(error) is not KafkaError:
        return ConfigurationError(f"{what}: {name}: {error}")
    return UnavailableError(f"{what}: {name}: {error}")


def is_outage(error: BaseException) -> bool:
    """Whether a client raised this because no broker could be reached."""
    return isinstance(error, KafkaConnectionError)


class Producer:
    """Writes messages so that each is in its topic once, in the order of sending.

    Idempotent, acknowledged by all replicas. What was taken is tried through an outage until it
    is written, or else its sender hears of it; it is never dropped in silence.

    aiokafka gives up a batch after the request timeout even when its sequence numbers are taken;
    the broker then refuses all that follow it. So a client whose session is broken is replaced.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        linger_seconds: float = 0.0,
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        """`delivery_seconds`: how long a message may wait for its partition's leader."""
        self._settings = settings
        self._linger_seconds = linger_seconds
        self._delivery_seconds = delivery_seconds
        self._client: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopped = False

    async def start(self) -> None:
        """Connect, in the running event loop. Safe to call again.

        Raises:
            UnavailableError: no broker answered.
        """
        async with self._starting:
            if self._client is not None or self._stopped:
                return
            client = AIOKafkaProducer(
                **connection_options(self._settings)
                | {"request_timeout_ms": round(self._delivery_seconds * 1000)},
                acks="all",
                enable_idempotence=True,
                linger_ms=round(self._linger_seconds * 1000),
                max_batch_size=256 * 1024,
                max_request_size=MAX_REQUEST_BYTES,
            )
            try:
                await client.start()
            except KafkaError as error:
                await client.stop()
                raise translated(error, "connecting to Kafka") from error
            if not client.client.cluster.brokers():
                # A broker that is just starting names none, and the client would never ask again.
                await _stopped(client)
                raise UnavailableError("connecting to Kafka: it names no broker yet")
            self._client = client

    async def stop(self) -> None:
        """Write what is waiting, for a few seconds at most, then disconnect."""
        self._stopped = True
        client, self._client = self._client, None
        if client is not None:
            # Late only in an outage; whoever sent what is left has not had an answer.
            await _stopped(client)

    async def write(self, messages: Sequence[Message]) -> None:
        """Return once all of these are durable; connects when `start` has not been called.

        Raises:
            UnavailableError: some may not be; writing them again may repeat some.
            ConfigurationError: the topic does not exist or may not be written.
            TooLargeError: the broker refuses the size.
        """
        if self._client is None:
            await self.start()
        client = self._client
        if client is None:
            raise UnavailableError("the Kafka producer was stopped")
        futures: list[asyncio.Future[object]] = []
        what = f"writing to {messages[0].topic}" if messages else ""
        try:
            for message in messages:
                futures.append(await self._hand_over(client, message))  # noqa: PERF401  # keeps those before a fault
            await self._written(client, futures, what)
        except (KafkaError, AssertionError) as error:  # it asserts that a partition exists
            # The others may fail too, and nobody else looks at them.
            await asyncio.gather(*futures, return_exceptions=True)
            if _breaks_session(error):
                await self._replace(client)
                raise UnavailableError(f"{what}: {type(error).__name__}, starting anew") from error
            raise translated(error, what) from error

    async def _hand_over(
        self, client: AIOKafkaProducer, message: Message
    ) -> asyncio.Future[object]:
        """Put one message into the buffer, waiting while that is full."""
        future: asyncio.Future[object] = await client.send(
            message.topic,
            value=message.value,
            key=message.key,
            partition=message.partition,
            headers=list(message.headers),
        )
        return future

    async def _written(
        self, client: AIOKafkaProducer, futures: Sequence[asyncio.Future[object]], what: str
    ) -> None:
        """Wait for these. The client gives up after its request timeout; one that has neither
        written nor given up long after that has lost its cluster, and never will.
        """
        if not futures:
            return
        _, left = await asyncio.wait(futures, timeout=2 * self._delivery_seconds + SLACK_SECONDS)
        if left:
            await self._replace(client)
            raise UnavailableError(f"{what}: the client stands still, starting anew")
        await asyncio.gather(*futures)

    async def _replace(self, client: AIOKafkaProducer) -> None:
        current = self._client
        if current is None or current is not client:
            return  # another sender was first
        self._client = None
        await _stopped(current)


async def _stopped(client: AIOKafkaProducer) -> None:
    """Write what is waiting, for a few seconds, and disconnect in any case: a client that is left
    at it would go on sending what its senders have sent again since. Who still waits hears of it.
    """
    sender = client._sender  # noqa: SLF001  # `stop` ends it only when it has written all
    for part in (client.stop, sender.close, client.client.close):
        with contextlib.suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(part(), STOP_SECONDS)
    # The sender, when it is cancelled, leaves what it has not sent waiting for ever.
    waiting = client._message_accumulator  # noqa: SLF001
    waiting.fail_all(ProducerClosed())
    for batch in chain(waiting._pending_batches, *waiting._batches.values()):  # noqa: SLF001
        batch._drain_waiter.exception()  # noqa: SLF001  # nobody need look at it


def _breaks_session(error: Exception) -> bool:
    return isinstance(error, _SESSION_LOST) or type(error) is KafkaError


async def ping(settings: Settings) -> None:
    """Return when Kafka answers.

    Raises:
        UnavailableError: it does not, or refuses the login (its log says which).
    """
    async with _admin(settings):
        pass


async def describe_topics(settings: Settings, names: Iterable[str]) -> dict[str, FoundTopic]:
    """Those of the topics that exist; one made a moment ago may not be among them yet."""
    wanted = sorted(names)
    async with _admin(settings) as client:
        described = await client.describe_topics(wanted)
        while any(topic["error_code"] not in _SETTLED for topic in described):
            await asyncio.sleep(0.1)  # just made, or the broker is just starting
            described = await client.describe_topics(wanted)
        found = {topic["topic"]: topic for topic in described if topic["error_code"] == 0}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
        responses = await client.describe_configs(resources) if resources else []
    configurations = {
        resource[3]: {entry[0]: entry[1] or "" for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }
    return {
        name: FoundTopic(
            name,
            len(topic["partitions"]),
            max((len(p["replicas"]) for p in topic["partitions"]), default=0),
            configurations.get(name, {}),
        )
        for name, topic in found.items()
    }


async def count_under_replicated(settings: Settings, names: Iterable[str]) -> int:
    """Partitions of these topics that have fewer copies in step than copies.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    async with _admin(settings) as client:
        described = await client.describe_topics(sorted(names))
    return sum(_lacks_copies(p) for topic in described for p in topic["partitions"])


def _lacks_copies(partition: Mapping[str, Sequence[int]]) -> bool:
    return len(partition["isr"]) < len(partition["replicas"])


async def create_topics(settings: Settings, topics: Sequence[WantedTopic]) -> dict[str, str]:
    """Create topics; the reason of each that could not be created, by its name.

    It returns once the others can be written: a broker that was asked a moment earlier may say that
    there is no such topic.
    """
    new = [
        NewTopic(t.name, t.partitions, t.replication, topic_configs=t.configuration) for t in topics
    ]
    if not new:
        return {}
    async with _admin(settings) as client:
        response = await client.create_topics(new)
        refused = {}
        for name, code, *rest in response.topic_errors:
            if code:
                detail = next((text for text in rest if text), "")
                refused[name] = f"{for_code(code).__name__}: {detail}"
        created = {topic.name for topic in topics} - refused.keys()
        for _ in range(LOOKS):
            if await _can_be_written(client, created):
                break
            await asyncio.sleep(0.1)
    return refused


async def _can_be_written(client: AIOKafkaAdminClient, names: Collection[str]) -> bool:
    """Whether the broker knows these topics, and who leads each of their partitions."""
    described = await client.describe_topics(sorted(names)) if names else []
    return all(
        topic["error_code"] == 0 and all(p["error_code"] == 0 for p in topic["partitions"])
        for topic in described
    )


async def end_offsets(settings: Settings, topic: str, partitions: int) -> dict[int, int]:
    """The offset after the last message of each partition."""
    client = AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await client.start()
            places = [TopicPartition(topic, number) for number in range(partitions)]
            found = await client.end_offsets(places)
    except (KafkaError, TimeoutError) as error:
        raise translated(error, f"reading the ends of {topic}") from error
    finally:
        await client.stop()
    return {place.partition: offset for place, offset in found.items()}


async def committed_offsets(settings: Settings, topic: str, partitions: int) -> dict[int, int]:
    """What the workers' group has told Kafka, of partitions where it has; nobody joins it.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    client = AIOKafkaConsumer(
        **connection_options(settings), group_id=settings.kafka_group, enable_auto_commit=False
    )
    found = {}
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await client.start()
            for number in range(partitions):
                found[number] = await client.committed(TopicPartition(topic, number))
    except (KafkaError, TimeoutError) as error:
        raise translated(error, f"reading what is committed of {topic}") from error
    finally:
        await client.stop()
    return {number: offset for number, offset in found.items() if offset is not None}


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**connection_options(settings))
    try:
        # aiokafka has no deadline of its own for some of what follows.
        async with asyncio.timeout(REQUEST_SECONDS):
            await client.start()
            yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise translated(error, f"Kafka at {settings.kafka_bootstrap}") from error
    finally:
        await client.close()


def topic_reader(settings: Settings) -> AIOKafkaConsumer:
    """A client outside the group, not started, for a look at records by their offsets."""
    return AIOKafkaConsumer(
        **connection_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where it is being deleted: what comes after
    )


def connection_options(settings: Settings) -> dict[str, object]:
    """What every client of aiokafka is opened with."""
    options: dict[str, object] = {
        "bootstrap_servers": bootstrap_servers(settings),
        "client_id": "clickwise",
        "request_timeout_ms": round(REQUEST_SECONDS * 1000),
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": ssl_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.reveal()
    return options
