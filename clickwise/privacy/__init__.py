"""Erasing a person, telling what is known of them, and proving the erasure.

`port` is what each place that keeps people's data can do; `tables` and `archive` are two of
them (topics are `streams.personal_topics`); `people` walks over all of them; `receipt` is what
an erasure leaves. `unseen` is no erasure: profiles that go by age.
"""

from clickwise.privacy.people import People, Verification
from clickwise.privacy.port import Erased, PersonalStore
from clickwise.privacy.receipt import Receipt

__all__ = ["Erased", "People", "PersonalStore", "Receipt", "Verification"]
