"""All settings: one table of names, types, defaults, bounds and when to change each.

A setting stands in the module of its subject, and there, at once, are its type, its default and its
sentence in `docs/configuration.md` (`make docs` writes that page and the chart's schema):

access         folder, address, keys, tokens, certificate
watching       traces and logs
state          the database and how long things are kept
kafka          the broker, the stream workers, what they publish
vectors        Qdrant
understanding  encoders, languages, topics
archive        the archive
training       MLflow, trainings, the gate
texts          the language model and its budget
lists          profiles, candidates, ranking
limits         rates, waits, sizes of a serving process

`whole` has all of them in one struct, `checks` what must go together. The environment is read once,
by the command that starts a process (`environment.load`); everything else receives values.
`CLICKWISE_PORT=9000` sets `port`; an unknown `CLICKWISE_...` name stops the process.
"""

from clickwise.settings.checks import is_loopback
from clickwise.settings.environment import PREFIX, environment_of, load
from clickwise.settings.whole import Settings

__all__ = ["PREFIX", "Settings", "environment_of", "is_loopback", "load"]
