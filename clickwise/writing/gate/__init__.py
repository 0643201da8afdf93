"""The gate for text: nothing a model wrote is shown unless the item says it.

Pure: texts go in, a judgement comes out; no store, no network, no clock.
"""

from clickwise.writing.gate.gate import METHOD, TextGate
from clickwise.writing.gate.judgement import Draft, Field, Judgement, Reason, Source

__all__ = ["METHOD", "Draft", "Field", "Judgement", "Reason", "Source", "TextGate"]
