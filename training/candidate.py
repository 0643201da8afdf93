"""A candidate: a network trained on the events before a cut, its ranker, and its exported forms.

The ranker is taught by what serving gives its scorer. So in a full training the network first
learns all but the newest part of the events; served on that part as it is (`Requests`), it shows
what a scorer is given and what was clicked next. Then the network learns that part as well. An
incremental training keeps the scorer of the bundle that it goes on from.

Shape suffixes: N = items that the network knows, C = dimension of the site's text vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from clickwise.bundle import Bundle, load_bundle
from clickwise.bundle.folder import SCORER
from clickwise.errors import BundleError
from clickwise.vectors.port import Float32Array
from training.data import Dataset
from training.distributed import ALONE, World, meet
from training.export import Site, exported_files, in_key_order, write_learned
from training.export_table import ExportTable, forms_of, measured
from training.fit import Epoch
from training.network import Network
from training.parts import Parts, newest_part
from training.ranker import BaseScorer, Ranker, RankerConfig
from training.ranker_fit import (
    FittedRanker,
    Request,
    fit_ranker,
    load_ranker,
    save_ranker,
)
from training.train import Fitted, TrainOptions, fitted
from training.weights import Story, model_of, read_story, sizes_of, story_files

# Of a full training's epochs: for the newest part once the ranker is taught, and for the new
# events of an incremental training; of its seconds as well, for the latter.
NEWEST_SHARE = INCREMENTAL_SHARE = 0.1
EXPORTS = "exports.json"

# Serve a bundle on the events of a dataset from a moment on: what its scorer was given.
Requests = Callable[[Bundle, Dataset, float], Sequence[Request]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle that nobody serves yet, in the folder of its training. `files` and `extras` are
    what a released one is written of; `ranker` is None where none was taught.
    """

    bundle: Bundle
    network: Network
    files: dict[str, bytes]
    extras: dict[str, bytes]
    story: Story
    table: ExportTable | None
    ranker: FittedRanker | None
    epochs: tuple[Epoch, ...]


def _silent(stage: str) -> None:
    del stage


@dataclass(frozen=True, slots=True)
class Trainer:
    """Makes candidates for a site. The folder `work` belongs to one training, so that what lies
    in it is gone on with. `precision` is fp32, int8, fp16, or auto (the table decides). `stage`
    hears of each as it begins, in the process that writes: early, first, ranker, late and export
    in a full training, more and export in an incremental one, whole where there are no `requests`.
    """

    site: Site
    options: TrainOptions
    work: Path
    watch: Callable[[Epoch], None]
    requests: Requests | None = None
    precision: str = "fp32"
    world: World = ALONE
    stage: Callable[[str], None] = _silent

    def course_values(self) -> dict[str, int | float]:
        """How it is trained, by name."""
        return asdict(self.options.course)

    def full(self, parts: Parts, *, now: datetime) -> Candidate | None:
        """From nothing; None in processes that do not write.

        Raises:
            ValueError: nothing to learn from.
        """
        if self.requests is None:
            whole = self._fit(parts.train, self.options, "whole")
            return self._candidate(parts, whole, (whole,), None, now=now)
        begin = newest_part(parts.train)
        early = self._fit(parts.train.before(begin), self.options, "early")
        first = self.work / "first"
        if self.world.writes:
            self.stage("first")
            files = self._files(early, parts.train)
            story = self._story(parts, (early,), None, now=now)
            extras = self._extras(parts.train, early, story)
            write_learned(first, early.network, files, self.site, created=now, extras=extras)
        meet(self.world)
        (base,) = first.iterdir()
        ranker = self._ranker(load_bundle(base), parts.train, begin)
        options = _shortened(self.options, NEWEST_SHARE)
        late = self._fit(parts.train, options, "late", base=base, learn_from=begin)
        return self._candidate(parts, late, (early, late), ranker, now=now)

    def incremental(self, parts: Parts, base: Path, *, now: datetime) -> Candidate | None:
        """From the bundle at `base`, on the events since; None in processes that do not write.

        Raises:
            ValueError: nothing to learn from.
            BundleError: the bundle at `base` was not trained, or its weights cannot be used.
        """
        story = read_story(base)
        if story is None:
            raise BundleError(f"{base}: nothing to go on from, it was not trained")
        options = replace(
            _shortened(self.options, INCREMENTAL_SHARE),
            model=model_of(story),
            budget_seconds=story.full_seconds * INCREMENTAL_SHARE,
        )
        made = self._fit(parts.train, options, "more", base=base, learn_from=parts.learn_from)
        return self._candidate(parts, made, (made,), None, base=base, now=now)

    def _fit(
        self,
        data: Dataset,
        options: TrainOptions,
        name: str,
        *,
        base: Path | None = None,
        learn_from: float | None = None,
    ) -> Fitted:
        if self.world.writes:
            self.stage(name)
        return fitted(
            data,
            options,
            work=self.work / name,
            watch=self.watch,
            base=base,
            learn_from=learn_from,
            world=self.world,
        )

    def _ranker(self, bundle: Bundle, train: Dataset, begin: float) -> FittedRanker | None:
        if self.requests is None or not self.world.writes:
            return None
        self.stage("ranker")
        path, dimension = self.work / "ranker.pt", bundle.manifest.dimension
        found = load_ranker(path, RankerConfig(), dimension=dimension)
        if found is None:
            found = fit_ranker(
                self.requests(bundle, train, begin),
                RankerConfig(),
                dimension=dimension,
                seed=self.options.course.seed,
            )
            save_ranker(path, found)
        return found

    def _candidate(
        self,
        parts: Parts,
        made: Fitted,
        phases: Sequence[Fitted],
        ranker: FittedRanker | None,
        *,
        now: datetime,
        base: Path | None = None,
    ) -> Candidate | None:
        if not self.world.writes:
            return None
        self.stage("export")
        files = self._files(made, parts.data, ranker.scorer if ranker is not None else None)
        if base is not None:
            files[SCORER] = (base / SCORER).read_bytes()
        files, table = self._in_precision(files, made, parts.data)
        story = self._story(parts, phases, base, now=now)
        extras = self._extras(parts.data, made, story)
        if table is not None:
            extras[EXPORTS] = msgspec.json.format(msgspec.json.encode(table), indent=2)
        bundle = write_learned(self.work / "candidate", made.network, files, self.site, created=now)
        epochs = tuple(epoch for one in phases for epoch in one.epochs)
        return Candidate(bundle, made.network, files, extras, story, table, ranker, epochs)

    def _story(
        self, parts: Parts, phases: Sequence[Fitted], base: Path | None, *, now: datetime
    ) -> Story:
        before = read_story(base) if base is not None else None
        made, seconds = phases[-1], sum(one.seconds for one in phases)
        return Story(
            kind="full" if before is None else "incremental",
            base=base.name if base is not None else "",
            seed=self.options.course.seed,
            learned_until=parts.cut,
            seconds=seconds,
            full_seconds=seconds if before is None else before.full_seconds,
            full_made=now if before is None else before.full_made,
            epochs=sum(len(one.epochs) for one in phases),
            quality=made.quality,
            events=len(parts.train.log),
            users=len(np.unique(parts.train.log.users_N)),
            items=len(made.lessons.known_N),
            made=now,
            model=sizes_of(made.network.config),
        )

    def _extras(self, data: Dataset, made: Fitted, story: Story) -> dict[str, bytes]:
        """What a later training starts from."""
        ordered, _ = in_key_order(made.network, made.ids(data))
        return story_files(ordered, story)

    def _files(
        self, made: Fitted, data: Dataset, scorer: BaseScorer | Ranker | None = None
    ) -> dict[str, bytes]:
        return exported_files(
            made.network, made.ids(data), text=self.site.text_dimension, scorer=scorer
        )

    def _in_precision(
        self, files: dict[str, bytes], made: Fitted, data: Dataset
    ) -> tuple[dict[str, bytes], ExportTable | None]:
        validation, wanted = made.lessons.validation, self.precision
        if validation is None:  # nothing to choose by
            return files if wanted in {"auto", "fp32"} else forms_of(files)[wanted], None
        forms = forms_of(files)
        pictures = data.items.pictures
        known = (
            replace(pictures, vectors_IP=pictures.vectors_IP[made.lessons.known_N])
            if pictures is not None
            else None
        )
        table = measured(
            forms, made.network.cpu(), made.ids(data), self._text(made, data), validation, known
        )
        return forms[table.best if wanted == "auto" else wanted], table

    def _text(self, made: Fitted, data: Dataset) -> Float32Array:
        known_N = made.lessons.known_N
        if data.items.text_ID is None:
            return np.zeros((len(known_N), self.site.text_dimension), np.float32)
        return data.items.text_ID[known_N]


def most_epochs(options: TrainOptions, stage: str) -> int:
    """How many epochs a stage that learns may have."""
    whole = stage in {"early", "whole"}
    return (options if whole else _shortened(options, NEWEST_SHARE)).course.epochs


def _shortened(options: TrainOptions, share: float) -> TrainOptions:
    """So much of the epochs, all at the full rate after a short warm-up."""
    course = options.course
    epochs = max(1, round(course.epochs * share))
    return replace(options, course=replace(course, epochs=epochs, decay_after=0, every=1))
