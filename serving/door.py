"""What all requests of one process share."""

from dataclasses import dataclass

from clickwise.audit import AuditLog
from clickwise.masking import Masking
from serving.admission import Admission
from serving.callers import Callers
from serving.health import ReadyProbe
from serving.parts import Parts
from serving.quotas import Quotas
from serving.rates import Rates
from serving.stream import StreamHub


@dataclass(frozen=True, slots=True)
class Door:
    """The parts, and the bounds around them. `document` is the OpenAPI document as JSON."""

    parts: Parts
    callers: Callers
    rates: Rates
    quotas: Quotas
    audit: AuditLog
    admission: Admission
    streams: StreamHub
    ready: ReadyProbe
    heartbeat_seconds: float
    document: bytes
    masking: Masking
