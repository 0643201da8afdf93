"""What an item says (F_c), and the words that stand for a reader's interest (F_u).

What is imported here is what reads: the libraries that understand load with `understander`, in the
process that does so.
"""

from clickwise.understanding.interest import interest_words
from clickwise.understanding.shown import ItemUnderstanding, shown, understood
from clickwise.understanding.understanding import Keyword, TopicWeight, Understanding

__all__ = [
    "ItemUnderstanding",
    "Keyword",
    "TopicWeight",
    "Understanding",
    "interest_words",
    "shown",
    "understood",
]
