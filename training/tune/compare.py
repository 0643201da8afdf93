"""Ways of tuning side by side, on one task: quality, what learns, time and memory.

A row is written as soon as it is there, and rows that a file has already are not made again: an
interruption costs one row. What each network thinks of the texts is kept beside, for the ensemble.

Shape suffixes: N = texts, C = classes.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import torch

from clickwise.errors import ConfigurationError
from training.tune.baselines import nearest, tfidf
from training.tune.classify import Epoch, Tuned, casting, network_for, one_hot, tune
from training.tune.course import Course
from training.tune.ensemble import averaged, lessons_from
from training.tune.memory import forget_peak, peak_bytes
from training.tune.mlm import MlmCourse, pretrained
from training.tune.network import logits
from training.tune.probe import probe
from training.tune.report import Scores, macro_f1, scores_of
from training.tune.task import Task, untuned
from training.tune.voices import Voice, Voices
from training.tune.ways import MEMBERS, Attack, Method, is_member, way_named

ATTACK = 0.03
ATTACK_STEPS = 3  # FreeLB's
# Beside all six matrices of a layer, with a rank that learns about as much as beside two.
_WIDE_RANK = 5
_NONE_MADE = f"none of {', '.join(MEMBERS)}, nor a way with a seed such as lora@2, was made"
_MLM_RATE = 5e-5  # bolder than of `tune mlm`: no int8 form is made of it, and classes alone count


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way. `task` names what it was made of: texts, encoder and course. `seconds` are the
    processor's, of training (an ensemble's: of all its members); `wall_seconds` also wait for
    others on the machine. `share` of the encoder's parameters that learned, `layer_share` of
    those outside its vocabulary.
    """

    name: str
    task: str = ""
    test: Scores
    dev_macro_f1: float
    trained: int
    share: float
    layer_share: float
    seconds: float
    wall_seconds: float
    peak_bytes: int
    epochs: int
    note: str = ""


Watch = Callable[[str, Epoch | None], None]
Keep = Callable[[ComparedRow], None]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a way thinks, and what it took."""

    voice: Voice
    trained: int
    seconds: float
    epochs: int = 0
    note: str = ""


def compare(
    task: Task,
    course: Course,
    *,
    rows: Sequence[str],
    file: Path,
    watch: Watch = lambda _name, _epoch: None,
    keep: Keep = lambda _row: None,
) -> list[ComparedRow]:
    """All of `rows`, in their order; `file` (JSON lines) has each once it is made, and `keep` is
    told of it.

    Rows of another task in the file (other texts, encoder or course) are not taken for these.
    """
    mark = mark_of(task, course)
    voices = Voices(file.with_suffix(f".{mark[:12]}.voices"))
    done = {row.name: row for row in read_rows(file) if row.task == mark}
    for name in rows:
        if name in done:
            continue
        watch(name, None)
        forget_peak()
        begun = time.perf_counter()
        made = _made(name, task, course, voices, done, watch)
        row = _row(name, task, made, wall=time.perf_counter() - begun)
        done[name] = msgspec.structs.replace(row, task=mark)
        _append(file, done[name])
        keep(done[name])
    return [done[name] for name in rows]


def mark_of(task: Task, course: Course) -> str:
    """Names all that the rows depend on."""
    digest = blake2b(f"{task.base.weights.checksum} {course}".encode(), digest_size=16)
    for part in (task.parts.train, task.parts.dev, task.parts.test):
        digest.update("\0".join((*part.classes, *part.texts)).encode())
        digest.update(np.ascontiguousarray(part.labels_N).tobytes())
    return digest.hexdigest()


def _append(file: Path, row: ComparedRow) -> None:
    """On a line of its own, also after one that was cut short."""
    with file.open("ab+") as lines:
        if lines.tell():
            lines.seek(-1, os.SEEK_END)
            if lines.read(1) != b"\n":
                lines.write(b"\n")
        lines.write(msgspec.json.encode(row) + b"\n")


def read_rows(file: Path) -> list[ComparedRow]:
    """The rows of a file; a last one that was cut short is left out."""
    if not file.exists():
        return []
    found = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=ComparedRow))
        except msgspec.DecodeError:
            continue
    return found


def _made(
    name: str,
    task: Task,
    course: Course,
    voices: Voices,
    done: Mapping[str, ComparedRow],
    watch: Watch,
) -> _Made:
    match name:
        case "tfidf":
            return _counted(task, voices)
        case "knn":
            return _nearest(task)
        case "probe":
            return _probed(task, course)
        case "ensemble":
            return _ensemble(voices.members(done), done)
        case "ensemble+tfidf":
            return _ensemble(voices.members(done, counted=True), done)
        case "distilled":
            return _distilled(task, course, voices.members(done), watch)
        case "mlm+lora":
            return _after_mlm(task, course, watch)
        case _:
            return _tuned(name, task, course, voices, watch)


def way(name: str, course: Course) -> Course:
    """The course that a way's name stands for; attacks are of the course's strength, where it has
    one.

    Raises:
        ValueError: there is no such way.
    """
    named = way_named(name)
    seed = course.seed if named.seed is None else named.seed
    changed = replace(course, method=named.method, attack=0.0, attack_steps=1, seed=seed)
    if named.matrices is not None:
        changed = replace(
            changed, sizes=replace(course.sizes, rank=_WIDE_RANK, matrices=named.matrices)
        )
    if named.attack is not None:
        steps = 1 if named.attack is Attack.FGM else max(course.attack_steps, ATTACK_STEPS)
        return replace(changed, attack=course.attack or ATTACK, attack_steps=steps)
    if named.augmentation is not None:
        return replace(changed, augmentation=named.augmentation)
    return changed


def _tuned(name: str, task: Task, course: Course, voices: Voices, watch: Watch) -> _Made:
    own = way(name, course)
    work = voices.folder / f"{name}.work"
    tuned = tune(task.base, task.lessons(), own, watch=lambda epoch: watch(name, epoch), work=work)
    made = _asked(task, tuned, with_train=is_member(name))
    if is_member(name):
        voices.keep(name, made.voice)
    for leftover in work.glob("*"):
        leftover.unlink()
    return made


def _asked(task: Task, tuned: Tuned, *, with_train: bool) -> _Made:
    with casting(tuned.course, tuned.network):
        return _Made(
            Voice(
                dev_NC=logits(tuned.network, task.dev_rows),
                test_NC=logits(tuned.network, task.test_rows),
                train_NC=logits(tuned.network, task.train_rows) if with_train else None,
            ),
            trained=tuned.num_trained,
            seconds=tuned.seconds,
            epochs=len(tuned.epochs),
        )


def _counted(task: Task, voices: Voices) -> _Made:
    train, dev, test = task.parts.train, task.parts.dev, task.parts.test
    begun = time.process_time()
    asked = (*dev.texts, *test.texts)
    found_NC, number = tfidf(train.texts, train.labels_N, (dev.texts, dev.labels_N), asked)
    seconds = time.process_time() - begun
    made = _Made(Voice(found_NC[: len(dev)], found_NC[len(dev) :]), number, seconds)
    voices.keep("tfidf", made.voice)
    return made


def _nearest(task: Task) -> _Made:
    train, dev = task.parts.train, task.parts.dev
    begun = time.process_time()
    asked_MD = np.concatenate([task.dev_ND, task.test_ND])
    found_N = nearest(task.train_ND, train.labels_N, (task.dev_ND, dev.labels_N), asked_MD)
    said_NC = one_hot(found_N, len(train.classes))
    seconds = time.process_time() - begun
    return _Made(Voice(said_NC[: len(dev)], said_NC[len(dev) :]), 0, seconds)


def _probed(task: Task, course: Course) -> _Made:
    begun = time.process_time()
    network = network_for(
        task.base,
        replace(course, method=Method.HEAD, dropout=0.0),
        classes=len(task.parts.train.classes),
    )
    network.center(task.train_ND)
    probe(network, task.train_ND, task.lessons().targets_NC)
    found = [
        network.classify(torch.from_numpy(side).to(network.device)).detach().cpu().numpy()
        for side in (task.dev_ND, task.test_ND)
    ]
    learns = network.head.weight.numel() + network.head.bias.numel()
    return _Made(Voice(found[0], found[1]), learns, time.process_time() - begun)


def _ensemble(members: Mapping[str, Voice], done: Mapping[str, ComparedRow]) -> _Made:
    """All members that were made: to choose among them by a small dev part would fit its chance."""
    if not members:
        raise ConfigurationError(f"{_NONE_MADE}: there is nothing to average")
    return _Made(
        Voice(
            dev_NC=averaged([one.dev_NC for one in members.values()]),
            test_NC=averaged([one.test_NC for one in members.values()]),
        ),
        trained=sum(done[name].trained for name in members),
        seconds=sum(done[name].seconds for name in members),
        note=", ".join(members),
    )


def _distilled(task: Task, course: Course, members: Mapping[str, Voice], watch: Watch) -> _Made:
    thought = [one.train_NC for one in members.values() if one.train_NC is not None]
    if not thought:
        raise ConfigurationError(f"{_NONE_MADE}: there is nobody to learn from")
    teacher_NC = averaged(thought)
    lessons = task.lessons(lessons_from(teacher_NC, task.lessons().targets_NC))
    own = replace(course, method=Method.LORA)
    tuned = tune(task.base, lessons, own, watch=lambda epoch: watch("distilled", epoch))
    return _asked(task, tuned, with_train=False)


def _after_mlm(task: Task, course: Course, watch: Watch) -> _Made:
    """Continued pre-training on the texts without their labels, then LoRA."""
    story = pretrained(
        task.base,
        task.train_rows,
        task.dev_rows,
        MlmCourse(
            rate=_MLM_RATE, anchor=0.0, seed=course.seed, bf16=course.bf16, device=course.device
        ),
        fixed=task.fixed,
        watch=lambda _: None,
    )
    base = replace(task.base, weights=story.weights)
    sides = [task.train_rows, task.dev_rows, task.test_rows]
    train_ND, dev_ND, test_ND = untuned(base, sides, course)
    moved = replace(task, base=base, train_ND=train_ND, dev_ND=dev_ND, test_ND=test_ND)
    own = replace(course, method=Method.LORA)
    tuned = tune(base, moved.lessons(), own, watch=lambda epoch: watch("mlm+lora", epoch))
    made = _asked(moved, tuned, with_train=False)
    note = f"held-out loss {story.before:.3f} to {story.after:.3f}"
    return replace(made, seconds=made.seconds + story.seconds, note=note)


def _row(name: str, task: Task, made: _Made, *, wall: float) -> ComparedRow:
    test, dev = task.parts.test, task.parts.dev
    whole = task.base.parameters
    layers = whole - task.base.weights.tensors["words"].size
    return ComparedRow(
        name=name,
        test=scores_of(test.labels_N, made.voice.test_NC.argmax(axis=1), test.classes),
        dev_macro_f1=macro_f1(
            dev.labels_N, made.voice.dev_NC.argmax(axis=1), classes=len(dev.classes)
        ),
        trained=made.trained,
        share=made.trained / whole,
        layer_share=made.trained / layers,
        seconds=made.seconds,
        wall_seconds=wall,
        peak_bytes=peak_bytes(),
        epochs=made.epochs,
        note=made.note,
    )
