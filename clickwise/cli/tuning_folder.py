"""The folder that a tuning leaves: at every moment all of one run, whatever interrupts the next.

<parent>/.<OUT>.making/<OUT>/      what is being made; it has the name that the encoder will have
<parent>/.<OUT>.making/former/     what OUT held, where the file system cannot exchange two folders

What is made is on the disk before it takes OUT's place, in one step. Checkpoints are in OUT: they
go with what they led to.
"""

import ctypes
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clickwise.encoder.recipe import RECIPE_FILES
from clickwise.errors import BundleError, ConfigurationError, ConflictError
from clickwise.understanding.classifier import CARD

WORK = ".work"
REPORT = "report.json"
_FORMER = "former"
_MADE_ANEW = frozenset(
    {WORK, REPORT, CARD, "config.json", "tokenizer.json", "model.safetensors.index.json"}
    | {name.partition("/")[0] for name in RECIPE_FILES}
)
_WEIGHTS = re.compile(r"(model|model-\d+-of-\d+|classifier)\.safetensors(\.part)?")
_HERE = -100  # AT_FDCWD of fcntl.h
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)


def check_out(out: Path) -> None:
    """Return if a folder can take the place of `out`: asked before the work that is to be there.

    Raises:
        ConfigurationError: it cannot.
    """
    target = out.resolve()
    wanted = "name a folder of its own, such as --out tuned"
    if target.exists() and not target.is_dir():
        raise ConfigurationError(f"--out {out} is no folder: {wanted}")
    if Path.cwd().is_relative_to(target):
        raise ConfigurationError(f"--out {out} holds the folder that this is called in: {wanted}")
    if target.is_mount():
        raise ConfigurationError(
            f"--out {out} is a mount point, which nothing can take the place of: name a folder in"
            f" it, such as --out {out / 'tuned'}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = _beside(target)
        beside.mkdir(exist_ok=True)
        with _alone(beside):
            _cleared(beside, target)
    except OSError as error:
        raise ConfigurationError(
            f"--out {out} cannot be made in {target.parent}: {error.strerror}"
        ) from error


@contextmanager
def made_whole(out: Path) -> Iterator[Path]:
    """A new folder of the name of `out`; what the block puts there takes its place in the end, all
    at once. Files in `out` that are no part of a tuning stay.

    Raises:
        BundleError: the block's, with where to find what it refused.
        ConfigurationError: the disk's word, or another command writes the same folder.
    """
    target = out.resolve()
    beside = _beside(target)
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with _alone(beside):
            _cleared(beside, target)
            new = beside / target.name
            new.mkdir()
            try:
                yield new
                if target.exists():
                    shutil.copymode(target, new)
                _sync_all(new)
                put_in_place(new, target, former=beside / _FORMER)
            except BundleError as error:
                raise BundleError(
                    f"{error}; it is in {new} until the next call, and {out} is as it was"
                ) from error
            except BaseException:
                _cleared(beside, target)
                raise
            _cleared(beside, target)
    except OSError as error:
        raise ConfigurationError(f"--out {out} cannot be written: {error.strerror}") from error


def put_in_place(new: Path, target: Path, *, former: Path) -> None:
    """Rename the folder `new` to `target`, in one step also where one stands there, which gets
    `new`'s name. A file system that cannot do that needs two, with `former` between them.

    Raises:
        OSError: it cannot be; what stood there still does.
    """
    if not target.exists():
        new.rename(target)
    elif not _exchanged(new, target):
        target.rename(former)
        try:
            new.rename(target)
        except BaseException:
            former.rename(target)
            raise
    for folder in (target.parent, new.parent):
        _sync(folder)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the two have each other's place now.

    Raises:
        OSError: they could have, and have not.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    if not library.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        return True
    fault = ctypes.get_errno()
    if fault in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(fault, os.strerror(fault), str(other))


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.making")


@contextmanager
def _alone(beside: Path) -> Iterator[None]:
    """While the block runs no other command writes there.

    Raises:
        ConflictError: one does.
    """
    handle = os.open(beside, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"another command writes what it tuned there now: it holds {beside}"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):  # what was refused is in it
                beside.rmdir()
    finally:
        os.close(handle)


def _cleared(beside: Path, target: Path) -> None:
    """Leave nothing beside `target`: what stood there comes back if nothing took its place, and
    what no tuning made goes back to it.
    """
    if not target.exists() and (beside / _FORMER).exists():
        (beside / _FORMER).rename(target)
    for folder in (beside / target.name, beside / _FORMER):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            ours = entry.name in _MADE_ANEW or _WEIGHTS.fullmatch(entry.name)
            if not ours and not (target / entry.name).exists():
                entry.rename(target / entry.name)
        shutil.rmtree(folder, ignore_errors=True)


def _sync_all(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
