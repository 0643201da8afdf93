"""When a certificate ends, read from its file with the standard library alone.

X.509 (RFC 5280, 4.1): Certificate holds TBSCertificate, which holds an optional version [0], then
serial number, signature algorithm, issuer, and validity: two times, as UTCTime or GeneralizedTime.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from clickwise.errors import ConfigurationError

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def first_end(path: Path) -> datetime:
    """When the first of a PEM file's certificates to end does so.

    Raises:
        ConfigurationError: it cannot be read, or holds no certificate.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    blocks = [block.partition(_END)[0] for block in text.split(_BEGIN)[1:]]
    if not blocks:
        raise ConfigurationError(f"{path} holds no certificate in PEM")
    try:
        return min(_end(ssl.PEM_cert_to_DER_cert(_BEGIN + block + _END)) for block in blocks)
    except (ValueError, IndexError) as error:
        raise ConfigurationError(f"{path} holds a damaged certificate") from error


def _end(der: bytes) -> datetime:
    certificate = _parts(_inside(der))[0][1]
    fields = [one for one in _parts(certificate) if one[0] != _VERSION]
    kind, moment = _parts(fields[3][1])[1]
    text = moment.decode("ascii").removesuffix("Z")
    if kind == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _inside(der: bytes) -> bytes:
    (kind, content), *_ = _parts(der)
    if kind != _SEQUENCE:
        raise ValueError("no sequence")
    return content


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """The elements in a sequence's content: tag and content of each."""
    found, at = [], 0
    while at < len(der):
        kind, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise ValueError("cut off")
        found.append((kind, der[at : at + length]))
        at += length
    return found
