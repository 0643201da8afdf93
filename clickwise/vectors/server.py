"""The item index on a Qdrant server: a collection per model version, an alias for the live one.

`<prefix>@<model>` holds points whose id is the item's key, with a payload index for every
filter; `<prefix>@live` is the alias. Neither a prefix nor a quoted model has an `@`, so that two
sites never meet in one name (with a hyphen, `a` with the model `b-x` met `a-b` with `x`). Writes
wait until they are applied, so a search that starts afterwards sees them. Faults of the server or
the network become UnavailableError, and a breaker keeps requests from waiting for a server that
is down.

`QdrantClient(":memory:")` serves contract tests: the same calls, brute force in numpy.

Shape suffixes: Q = queries, N = items, D = embedding dimension.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import quote, unquote

import httpx
import msgspec
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from clickwise import logs
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.secret import Secret
from clickwise.tls import trusting
from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.vectors.breaker import Breaker
from clickwise.vectors.payloads import Payload, payload_of, table_of
from clickwise.vectors.port import (
    Float32Array,
    Hits,
    IndexedItem,
    Int64Array,
    ItemTable,
    Removed,
    Where,
)

CA_FILE = "CLICKWISE_QDRANT_CA_FILE"
_POINTS_AT_ONCE = 500
_KEYS_AT_ONCE = 1_000
_WHOLE_NUMBERS = ("kind", "language", "topics", "hidden")
_NUMBERS = ("expires", "published")
_REFUSED = (401, 403)
_BETWEEN = "@"
_BETWEEN_BEFORE = "-"  # in names of programs before this one: they could be two sites'

_log = logs.get(__name__)

T = TypeVar("T")


def connect(
    url: str,
    *,
    api_key: Secret,
    timeout_seconds: float,
    ca_file: str = "",
    prefer_grpc: bool = False,
) -> QdrantClient:
    """A client of a server. Its timeout has whole seconds: a fraction counts as one more.

    `ca_file` are the authorities whose certificate it may show, empty for those of the system.

    Connections are kept open; the client itself would close them after each call to localhost.

    Raises:
        ConfigurationError: `ca_file` cannot be read.
    """
    return QdrantClient(
        url=url,
        api_key=api_key.reveal() or None,
        timeout=math.ceil(timeout_seconds),
        prefer_grpc=prefer_grpc,
        check_compatibility=False,
        verify=trusting(ca_file, CA_FILE) if url.startswith("https:") else True,
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
    )


class ServerIndex:
    """Implements `ItemIndex`; makes its collection when it is missing.

    Raises:
        ConfigurationError: the collection holds vectors of another dimension, or the key is
            refused.
        UnavailableError: the server does not answer.
    """

    def __init__(
        self,
        client: QdrantClient,
        model: ModelVersion,
        dimension: int,
        *,
        prefix: str = "clickwise",
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._dimension = dimension
        self._prefix = prefix
        self._collection = _collection_name(prefix, model)
        self._breaker = Breaker("Qdrant", clock=clock or SystemClock())
        self._call(self._prepare)

    @property
    def model(self) -> ModelVersion:
        """See ItemIndex."""
        return self._model

    @property
    def dimension(self) -> int:
        """See ItemIndex."""
        return self._dimension

    def apply(self, changes: Sequence[IndexedItem | Removed]) -> None:
        """See ItemIndex.

        Raises:
            ValueError: a vector of another dimension; nothing was applied.
        """
        last = {change.key: change for change in changes}
        items = [change for change in last.values() if isinstance(change, IndexedItem)]
        for item in items:
            if item.vector_D.shape != (self._dimension,) or not np.isfinite(item.vector_D).all():
                raise ValueError(
                    f"item {item.id!a}: expected a finite vector of {self._dimension} numbers,"
                    f" got shape {item.vector_D.shape}"
                )
        gone = [change.key for change in last.values() if isinstance(change, Removed)]
        for start in range(0, len(items), _POINTS_AT_ONCE):
            points = [
                models.PointStruct(
                    id=item.key, vector=item.vector_D.tolist(), payload=payload_of(item)
                )
                for item in items[start : start + _POINTS_AT_ONCE]
            ]
            self._call(partial(self._client.upsert, self._collection, points))
        for start in range(0, len(gone), _POINTS_AT_ONCE):
            ids = models.PointIdsList(points=list(gone[start : start + _POINTS_AT_ONCE]))
            self._call(partial(self._client.delete, self._collection, ids))

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """See ItemIndex. One round trip for all queries."""
        queries_QD = np.asarray(queries_QD, np.float32)
        if queries_QD.ndim != 2 or queries_QD.shape[1] != self._dimension or limit < 1:
            raise ValueError(
                f"expected queries of shape (Q, {self._dimension}) and a limit from 1,"
                f" got {queries_QD.shape} and {limit}"
            )
        if not len(queries_QD):
            return []
        wanted = _filter(where)
        requests = [
            models.QueryRequest(query=query, filter=wanted, limit=limit)
            for query in queries_QD.tolist()
        ]
        answers = self._call(lambda: self._client.query_batch_points(self._collection, requests))
        return [
            Hits(
                np.array([point.id for point in answer.points], np.int64),
                np.array([point.score for point in answer.points], np.float32),
            )
            for answer in answers
        ]

    def lookup(self, keys: Sequence[int] | Int64Array) -> ItemTable:
        """See ItemIndex."""
        wanted = [int(key) for key in keys]
        found = {
            int(record.id): record for record in self._retrieve(wanted, fields=True, vectors=True)
        }
        known = [key for key in wanted if key in found]
        vectors_ND = np.array([found[key].vector for key in known], np.float32)
        payloads = [msgspec.convert(found[key].payload, Payload) for key in known]
        return table_of(known, vectors_ND.reshape(-1, self._dimension), payloads)

    def labels(self, keys: Sequence[int]) -> dict[ItemKey, tuple[ItemId, str]]:
        """See ItemIndex."""
        records = self._retrieve([int(key) for key in keys], fields=["id", "title"], vectors=False)
        return {
            ItemKey(int(record.id)): (ItemId(record.payload["id"]), record.payload["title"])
            for record in records
            if record.payload
        }

    def newest(self, limit: int, *, now: float) -> Int64Array:
        """See ItemIndex."""
        order = models.OrderBy(key="published", direction=models.Direction.DESC)
        records, _ = self._call(
            lambda: self._client.scroll(
                self._collection,
                scroll_filter=_filter(Where(now=now)),
                limit=limit,
                order_by=order,
                with_payload=False,
            )
        )
        return np.array([record.id for record in records], np.int64)

    def count(self) -> int:
        """See ItemIndex."""
        return self._call(lambda: self._client.count(self._collection, exact=True)).count

    def close(self) -> None:
        """See ItemIndex."""
        self._client.close()

    def make_live(self) -> None:
        """Point the alias at this model's collection, in one step, where it does not yet."""
        if live_model(self._client, self._prefix) == self._model:
            return
        alias = _alias_name(self._prefix)
        operations: list[models.CreateAliasOperation | models.DeleteAliasOperation] = []
        if live_model(self._client, self._prefix) is not None:
            operations.append(
                models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
            )
        create = models.CreateAlias(collection_name=self._collection, alias_name=alias)
        operations.append(models.CreateAliasOperation(create_alias=create))
        self._call(lambda: self._client.update_collection_aliases(operations))

    def _retrieve(
        self, keys: list[int], *, fields: bool | list[str], vectors: bool
    ) -> list[models.Record]:
        records: list[models.Record] = []
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = list(dict.fromkeys(keys[start : start + _KEYS_AT_ONCE]))
            records += self._call(
                partial(
                    self._client.retrieve,
                    self._collection,
                    part,
                    with_payload=fields,
                    with_vectors=vectors,
                )
            )
        return records

    def _prepare(self) -> None:
        """Make the collection and its payload indexes, as far as they are missing."""
        if not self._client.collection_exists(self._collection):
            self._tell_of_older()
            try:
                self._client.create_collection(
                    self._collection,
                    vectors_config=models.VectorParams(
                        size=self._dimension, distance=models.Distance.DOT
                    ),
                )
            except (UnexpectedResponse, ValueError):
                # Another process may have been quicker.
                if not self._client.collection_exists(self._collection):
                    raise
        vectors = self._client.get_collection(self._collection).config.params.vectors
        size = vectors.size if isinstance(vectors, models.VectorParams) else None
        if size != self._dimension:
            raise ConfigurationError(
                f"collection {self._collection} holds vectors of {size} numbers,"
                f" not {self._dimension}"
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Payload indexes have no effect")
            for field in _WHOLE_NUMBERS:
                schema = models.PayloadSchemaType.INTEGER
                self._client.create_payload_index(self._collection, field, schema)
            for field in _NUMBERS:
                schema = models.PayloadSchemaType.FLOAT
                self._client.create_payload_index(self._collection, field, schema)

    def _tell_of_older(self) -> None:
        """It is left as it is, since it may be another site's; the state fills the new one."""
        older = _BETWEEN_BEFORE.join(self._collection.split(_BETWEEN))
        if self._client.collection_exists(older):
            _log.warning("collection_of_older_name_left", collection=older, now=self._collection)

    def _call(self, call: Callable[[], T]) -> T:
        self._breaker.check()
        try:
            answer = _translated(call)
        except UnavailableError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer


def live_model(client: QdrantClient, prefix: str = "clickwise") -> ModelVersion | None:
    """The model whose collection the alias names; None before the first.

    Raises:
        UnavailableError: the server does not answer.
    """
    for alias in _translated(client.get_aliases).aliases:
        if alias.alias_name == _alias_name(prefix):
            return ModelVersion(unquote(alias.collection_name.rpartition(_BETWEEN)[2]))
    return None


def remove_collection(
    client: QdrantClient, model: ModelVersion, *, prefix: str = "clickwise"
) -> bool:
    """Remove a model's collection; False where there is none.

    Raises:
        UnavailableError: the server does not answer.
    """
    name = _collection_name(prefix, model)
    if not _translated(lambda: client.collection_exists(name)):
        return False
    return _translated(lambda: client.delete_collection(name))


def _collection_name(prefix: str, model: ModelVersion) -> str:
    return f"{prefix}{_BETWEEN}{quote(model, safe='')}"


def _alias_name(prefix: str) -> str:
    return f"{prefix}{_BETWEEN}live"


def _filter(where: Where) -> models.Filter:
    must: list[models.Condition] = [
        models.FieldCondition(key="hidden", match=models.MatchValue(value=0)),
        models.FieldCondition(key="expires", range=models.Range(gt=where.now)),
    ]
    for field, codes in (
        ("kind", where.kinds),
        ("language", where.languages),
        ("topics", where.topics),
    ):
        if codes:
            match = models.MatchAny(any=list(codes))
            must.append(models.FieldCondition(key=field, match=match))
    without = models.HasIdCondition(has_id=list(where.without))
    return models.Filter(must=must, must_not=[without] if where.without else None)


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except ResourceExhaustedResponse as error:
        raise UnavailableError(
            f"Qdrant asks to come back later: {error}",
            retry_after_seconds=float(error.retry_after_s),
        ) from error
    except ResponseHandlingException as error:
        raise UnavailableError(f"Qdrant does not answer: {error}") from error
    except UnexpectedResponse as error:
        if error.status_code in _REFUSED:
            raise ConfigurationError("Qdrant refuses CLICKWISE_QDRANT_API_KEY") from error
        raise UnavailableError(f"Qdrant answers {error.status_code}") from error
