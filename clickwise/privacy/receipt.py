"""What an erasure leaves: whom it was about as a hash, when, and what each store did.

The checksum is keyed with the database's own number: only this site can make a receipt, and only
it can tell a true one.
"""

from datetime import datetime

import msgspec

from clickwise.errors import InvalidInputError
from clickwise.privacy.port import Erased
from clickwise.state.people_port import People

FORMAT = 1


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Proof of an erasure. `user` is a keyed hash of the id, `also` of the person's other ids;
    `seal` the checksum of the rest.
    """

    format: int = FORMAT
    user: str
    also: tuple[str, ...] = ()
    forgotten: datetime
    stores: tuple[Erased, ...]
    seal: str = ""


def sealed(receipt: Receipt, people: People) -> Receipt:
    """The receipt with its checksum."""
    return msgspec.structs.replace(receipt, seal=people.seal(_content(receipt)))


def receipt_of(data: bytes, people: People) -> Receipt:
    """A receipt that this site gave.

    Raises:
        InvalidInputError: it is none, was changed since, or is another site's.
    """
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"not a receipt of an erasure: {error}") from error
    if receipt.seal != people.seal(_content(receipt)):
        raise InvalidInputError("the receipt was changed, or another site gave it")
    return receipt


def _content(receipt: Receipt) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(receipt, seal=""))
