"""The archive: events, exposures and items as Parquet, on a folder or any fsspec URL.

`streams` writes it, `training` reads it; what both must know is here. `layout` says which files
count (the manifest), `store` where bytes lie, `commits` how a new manifest takes the place of
the one before, `columns` what is in the files, `names` what stands for people in them.
"""

from clickwise.archive.commits import Archive, open_archive
from clickwise.archive.layout import ArchivedFile, Gap, Manifest, Mark, Span, Stream
from clickwise.archive.names import Names
from clickwise.archive.store import LocalStore, Store, StoredFile, is_remote, open_store

__all__ = [
    "Archive",
    "ArchivedFile",
    "Gap",
    "LocalStore",
    "Manifest",
    "Mark",
    "Names",
    "Span",
    "Store",
    "StoredFile",
    "Stream",
    "is_remote",
    "open_archive",
    "open_store",
]
