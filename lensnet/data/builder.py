"""The TFDS builder that all data sets of lensnet share."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from lensnet.config.dataset import DatasetOptions
from lensnet.config.sections import Splits
from lensnet.data.fingerprint import fingerprint
from lensnet.data.hashing import stable_hash
from lensnet.data.ledger import QUARANTINE, LedgerWriter
from lensnet.data.listing import Example, Listing
from lensnet.data.manifest import write_manifest
from lensnet.data.sources import Loaded, Source
from lensnet.data.splits import SPLITS, SplitPlan, check_listed, check_splits
from lensnet.errors import DataError
from lensnet.progress import track

__all__ = ["LensConfig", "LensDatasetBuilder"]

SHARD_BYTES = 16 * 2**20
"""Bytes of pixels in a shard: many enough shards to shuffle, large enough to read fast."""

# Shown of the bad files when there are too many.
_SHOWN = 5


@dataclasses.dataclass(eq=False)
class LensConfig(tfds.core.BuilderConfig):
    """What a data set is prepared from. `LensDatasetBuilder.configure` makes and names one.

    Args:
        variant: the name after the slash in `data.dataset`, such as `simulated`; "" if none.
        options: `data.options`.
        source_dir: the user's files; None for data sets that read none.
        splits: `data.splits`.
        seed: the seed of the splits and of simulated images.
        listing: the examples, where they have been listed.
    """

    variant: str = ""
    options: DatasetOptions = dataclasses.field(default_factory=DatasetOptions)
    source_dir: str | None = None
    splits: Splits | None = None
    seed: int = 0
    listing: Listing | None = dataclasses.field(default=None, repr=False)


class LensDatasetBuilder(
    tfds.core.ShardBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Writes the examples of a source as records, and lists beside them what it did.

    A data set is a folder in `datasets/` with a class named `Builder` that extends this one and
    says what its source is. Records are written shard by shard, each split in the order of its
    ids' hashes, which is as good as shuffled: nothing is sorted in memory or on disk, so that
    preparing takes the same memory for any number of images, and any slice of a split is a fair
    sample of it. TFDS's own shuffling keeps a gigabyte of examples in memory.

    A record holds `image` (H, W, C) float32, `id`, and `label` or `target`.
    """

    VERSION: ClassVar[tfds.core.Version]
    builder_config: LensConfig

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # README and citation lie beside the builder, which TFDS would look for by the name of
        # the package and not find: `lensnet.datasets` lies elsewhere than `lensnet`.
        source_file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if source_file:
            cls.pkg_dir_path = epath.Path(source_file).parent

    @classmethod
    @abc.abstractmethod
    def make_source(cls, config: LensConfig) -> Source:
        """Returns where the examples come from.

        Raises:
            DataError: the user's directory is missing or holds no classes.
        """

    @classmethod
    def own_splits(cls, config: LensConfig) -> tuple[str, ...]:
        """Returns the splits that the source itself names; by default () because it names none."""
        return ()

    @classmethod
    def configure(
        cls,
        variant: str,
        options: DatasetOptions,
        *,
        source_dir: Path | None = None,
        splits: Splits | None = None,
        seed: int = 0,
    ) -> LensConfig:
        """Lists the source and returns a configuration that is named after what it found.

        The name ends with a fingerprint of the listing (names, sizes, times), the options, the
        splits, the seed and the builder's version: whatever changes is prepared anew.

        Args:
            variant: the name after the slash in `data.dataset`; "" if there is none.
            options: `data.options`.
            source_dir: the user's files.
            splits: `data.splits`.
            seed: the data seed.

        Raises:
            DataError: the source holds no examples.
        """
        config = LensConfig(
            name="unnamed",
            variant=variant,
            options=options,
            source_dir=str(source_dir) if source_dir is not None else None,
            splits=splits,
            seed=seed,
        )
        source = cls.make_source(config)
        config.listing = source.list()
        settings = {
            "version": str(cls.VERSION),
            "options": options.model_dump(mode="json"),
            "classes": source.classes,
            "splits": cls.plan(config).description,
        }
        digits = fingerprint(settings, source.stamp(config.listing))
        config.name = f"{variant or 'files'}-{digits}"
        return config

    @classmethod
    def plan(cls, config: LensConfig) -> SplitPlan:
        """Returns how the examples are divided."""
        return SplitPlan.make(config.splits, cls.own_splits(config), config.seed)

    @functools.cached_property
    def source(self) -> Source:
        """Where the examples come from."""
        return self.make_source(self.builder_config)

    @functools.cached_property
    def listing(self) -> Listing:
        """The examples."""
        return self.builder_config.listing or self.source.list()

    @functools.cached_property
    def examples(self) -> dict[str, list[Example]]:
        """The examples of each split, in the order in which they are written."""
        plan = self.plan(self.builder_config)
        of_split: dict[str, list[Example]] = {}
        for example in self.listing.examples:
            of_split.setdefault(self.source.split_of(example, plan), []).append(example)
        asked = SPLITS if plan.fractions is not None else (*of_split, *plan.cut)
        return {
            split: sorted(of_split.get(split, []), key=lambda e: (stable_hash(e.id), e.id))
            for split in SPLITS
            if split in asked
        }

    @functools.cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (H, W, C) of the images: of most of them, if they differ.

        Raises:
            DataError: no image can be read.
        """
        if (self.data_path / "features.json").exists():
            prepared = tfds.features.FeatureConnector.from_config(self.data_path)
            return tuple(prepared["image"].shape)
        return self.source.image_shape(self.examples.get("train", []))

    def _info(self) -> tfds.core.DatasetInfo:
        value: dict[str, Any] = (
            {"label": tfds.features.ClassLabel(names=list(self.source.classes))}
            if self.source.classes
            else {"target": tfds.features.Scalar(dtype=np.float32)}
        )
        image = tfds.features.Tensor(shape=self.image_shape, dtype=np.float32, encoding="bytes")
        info = self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {"image": image, **value, "id": tfds.features.Text()}
            ),
            supervised_keys=("image", *value),
            disable_shuffling=True,
        )
        # TFDS's bucket holds nothing of ours, and looking there leaves an empty directory behind.
        info.initialize_from_bucket = lambda: None
        return info

    def _log_download_bytes(self) -> None:
        """Keeps TFDS from printing what it is about to do: lensnet shows its own progress."""

    def _log_download_done(self) -> None:
        """Keeps TFDS from printing that it is done."""

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        """Writes records, lists and manifest; called with `data_dir` set to a temporary one.

        Raises:
            DataError: the splits cannot serve, or too many files are bad.
        """
        classes = self.source.classes
        check_listed(self.listing.examples, classes)
        planned = {
            split: Counter(example.label or "" for example in examples)
            for split, examples in self.examples.items()
        }
        check_splits(planned, classes, warn=False)
        directory = Path(self.data_dir)
        everything = list(itertools.chain.from_iterable(self.examples.values()))
        self._good: dict[str, Counter[str]] = {split: Counter() for split in self.examples}
        self._bad: list[tuple[str, str]] = []
        with (
            contextlib.closing(self.source.load(everything)) as loading,
            LedgerWriter(directory, has_targets=not classes) as self._ledger,
        ):
            self._stream = iter(track(loading, f"Preparing {self.name}", total=len(everything)))
            super()._download_and_prepare(dl_manager, download_config)
            # Asked for one more, the stream says its last word on the screen.
            for _ in self._stream:
                raise RuntimeError("The source has loaded more examples than it listed.")
        self._check_bad(len(everything))
        check_splits(self._good, classes, warn=False)
        write_manifest(directory)

    def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list[Any]]:
        height, width, channels = self.image_shape
        per_shard = max(1, SHARD_BYTES // (4 * height * width * channels))
        return {
            split: [
                functools.partial(self._generate_shard, split, number)
                for number in _even_parts(len(examples), -(-len(examples) // per_shard))
            ]
            for split, examples in self.examples.items()
        }

    def _generate_shard(self, split: str, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields the records of the next `number` examples, those of them that are good."""
        value = "label" if self.source.classes else "target"
        for loaded in itertools.islice(self._stream, number):
            bad = self._problem(loaded)
            if bad is not None:
                self._bad.append(bad)
                self._ledger.bad(*bad)
                continue
            example = loaded.example
            self._good[split][example.label or ""] += 1
            self._ledger.good(loaded, split)
            yield (
                example.id,
                {
                    "image": loaded.image,
                    value: example.label if self.source.classes else loaded.target,
                    "id": example.id,
                },
            )

    def _problem(self, loaded: Loaded) -> tuple[str, str] | None:
        """Returns (file, reason) for an example that is bad, or has another shape."""
        if loaded.error is not None:
            return loaded.error.path, loaded.error.reason
        image, shape = loaded.image, self.image_shape
        if image is not None and image.shape == shape:
            return None
        file = loaded.example.files[0] if loaded.example.files else loaded.example.id
        found = None if image is None else image.shape
        return file, f"shape {found}, the others have {shape}"

    def _check_bad(self, count: int) -> None:
        """Checks how many examples are bad.

        Raises:
            DataError: too many.
        """
        allowed = self.source.max_bad
        if len(self._bad) <= allowed * count:
            return
        # The records are about to be removed; the list of what is wrong with the files stays.
        kept = Path(self.data_dir).parent / QUARANTINE
        (Path(self.data_dir) / QUARANTINE).replace(kept)
        shown = "\n".join(f"  {file}: {reason}" for file, reason in self._bad[:_SHOWN])
        more = len(self._bad) - _SHOWN
        raise DataError(
            f"{len(self._bad)} of {count} examples are bad ({len(self._bad) / count:.1%}; "
            f"data.options.max_bad allows {allowed:.1%}):\n{shown}\n"
            + (f"  and {more} more\n" if more > 0 else "")
            + f"All are listed in {kept}. Mend or remove them, or raise data.options.max_bad to "
            "go on without them."
        )


def _even_parts(total: int, parts: int) -> Sequence[int]:
    """Splits a number into parts that differ by one at most.

    >>> _even_parts(7, 3)
    [2, 2, 3]
    """
    bounds = [total * part // parts for part in range(parts + 1)] if parts else []
    return [high - low for low, high in itertools.pairwise(bounds)]
