"""All settings in one struct.

Each module of settings adds its own to those of the module before it; this is the end of the chain:

    access, watching, state, kafka, vectors, understanding, archive, training, texts, lists, limits

Hence the order of `docs/configuration.md`. A chain, since structs with fields cannot be mixed: a
class of two of them has no layout.
"""

from clickwise.settings.limits import LimitsSettings


class Settings(LimitsSettings, frozen=True, kw_only=True):
    """Everything that can be set. Secrets do not show in `repr`."""
