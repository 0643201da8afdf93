"""Cursors carry what was delivered."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clickwise.recommend.cursor import decode_cursor, encode_cursor, was_delivered

keys = st.lists(st.integers(0, 2**63 - 1), unique_by=lambda key: key & 0xFFFFFFFF, max_size=50)


@given(keys, keys)
def test_what_was_delivered_comes_back(first, second):
    cursor = encode_cursor(decode_cursor(None), np.array(first, np.int64))
    cursor = encode_cursor(decode_cursor(cursor), np.array(second, np.int64))

    delivered = decode_cursor(cursor)

    assert was_delivered(delivered, np.array(first + second, np.int64)).all()
    assert len(delivered) == len(first) + len(second)
