"""Does it recommend well, for whom, and how sure is that? Protocols, metrics, tests, reports."""
