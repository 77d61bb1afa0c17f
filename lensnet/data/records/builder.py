"""The TFDS builder that all data sets of lensnet share."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core import dataset_builder
from tensorflow_datasets.core import splits as tfds_splits

from lensnet.config.dataset import DatasetOptions, DatasetSpec
from lensnet.config.sections import Splits
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.hashing import stable_hash
from lensnet.data.records.index import check_bad, merge_shard_indexes
from lensnet.data.records.lens_config import LensConfig, configured, name_of
from lensnet.data.records.manifest import write_manifest
from lensnet.data.records.sampling import emptied, fresh_sample, most_frequent_shape, read_sample
from lensnet.data.records.shards import Shard, ShardWriter, even_parts, write_with_beam
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.source import Loaded, Source
from lensnet.data.sources.source_factory import make_source
from lensnet.data.sources.splits import SplitPlan
from lensnet.errors import ConfigurationError
from lensnet.progress import track

__all__ = ["LensConfig", "LensDatasetBuilder"]

SHARD_BYTES = 16 * 2**20
"""Bytes of pixels in a shard: many enough shards to shuffle, large enough to read fast."""


class LensDatasetBuilder(
    dataset_builder.FileReaderBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Writes the examples of a source as records, and lists beside them what it did.

    A data set is a folder in `datasets/` with a class named `Builder` that extends this one and
    names its specifications. Records are written shard by shard, each split in the order of its
    ids' hashes, which is as good as shuffled: nothing is sorted in memory or on disk, so that
    preparing takes the same memory for any number of images, and any slice of a split is a fair
    sample of it. TFDS's own shuffling keeps a gigabyte of examples in memory.

    A record holds `image` (H, W, C) float32, `id`, and `label` or `target`.

    Args:
        config: the name of a variant, or a `LensConfig`. One that has not been through `configure`
            is put through it; that is how `tfds build --config '{"variant": ..., ...}'` arrives.
        source_dir: the user's files, as `data.source_dir`.
        options: as `data.options`.
        splits: as `data.splits`.
        seed: as `data.seed`.
        stratify: as `data.stratify`.
        folds: as `training.folds`.
        **kwargs: `data_dir`, `version` and `file_format`, as of every TFDS builder.

    Raises:
        DataError: the files are not what the data set reads.
        ConfigurationError: the options are not of this data set.

    After `import lensnet`, `tfds.load("lens_finding/ground", split="train", builder_kwargs=
    {"source_dir": "~/challenge"})` makes one and reads what it has written.
    """

    VERSION: ClassVar[tfds.core.Version]
    SPECS: ClassVar[tuple[DatasetSpec, ...]] = ()
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The data set's README.md says which files it reads."

    builder_config: LensConfig

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # README and citation lie beside the builder, which TFDS would look for by the name of
        # the package and not find: `lensnet.datasets` lies elsewhere than `lensnet`.
        source_file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if source_file:
            cls.pkg_dir_path = epath.Path(source_file).parent
        cls.BUILDER_CONFIGS = [
            LensConfig(
                name=name_of(spec.variant),
                variant=spec.variant,
                description=spec.summary,
                options=spec.options(),
            )
            for spec in cls.SPECS
        ]

    def __init__(
        self,
        *,
        config: str | LensConfig | None = None,
        source_dir: str | Path | None = None,
        options: DatasetOptions | Mapping[str, Any] | None = None,
        splits: Splits | Mapping[str, Any] | None = None,
        seed: int | None = None,
        stratify: bool | None = None,
        folds: int | None = None,
        **kwargs: Any,
    ):
        given = {
            "source_dir": source_dir,
            "options": options,
            "splits": splits,
            "seed": seed,
            "stratify": stratify,
            "folds": folds,
        }
        given = {key: value for key, value in given.items() if value is not None}
        own = isinstance(config, LensConfig) and config not in self.BUILDER_CONFIGS
        if given or (own and config.source is None):  # type: ignore[union-attr]
            config = self._completed(config, given)
        super().__init__(config=config, **kwargs)

    @classmethod
    def _completed(cls, config: str | LensConfig | None, given: Mapping[str, Any]) -> LensConfig:
        """Returns the configuration that follows from a variant and keyword arguments."""
        if isinstance(config, LensConfig):
            base = config
        elif config is None:
            base = cls.BUILDER_CONFIGS[0]
        else:
            name = config.partition(":")[0]
            base = cls.builder_configs.get(name) or LensConfig(variant=name)
        # A configuration written as JSON may say its variant by its name, as our own ones do.
        named = cls.builder_configs.get(base.name)
        variant = base.variant or (named.variant if named else "")
        keys = ("options", "source_dir", "splits", "seed", "stratify", "folds")
        settings = {**{key: getattr(base, key) for key in keys}, **given}
        if cls.spec(variant).needs_source_dir and settings["source_dir"] is None:
            # The files may still be named when it is prepared, as TFDS's manual directory.
            return LensConfig(name=f"{name_of(variant)}-unlocated", variant=variant, **settings)
        return cls.configure(variant, **settings)

    @classmethod
    def spec(cls, variant: str) -> DatasetSpec:
        """Returns what is known of a variant.

        Raises:
            ConfigurationError: there is no such variant.
        """
        for spec in cls.SPECS:
            if spec.variant == variant:
                return spec
        known = ", ".join(spec.name for spec in cls.SPECS)
        raise ConfigurationError(f'There is no "{cls.name}/{variant}". Known: {known}.')

    @classmethod
    def configure(
        cls,
        variant: str,
        options: DatasetOptions | Mapping[str, Any],
        *,
        source_dir: str | Path | None = None,
        splits: Splits | Mapping[str, Any] | None = None,
        seed: int = 0,
        stratify: bool = True,
        fresh: bool = False,
        folds: int | None = None,
    ) -> LensConfig:
        """Lists the source and returns a configuration that is named after what it found.

        The name ends with a fingerprint of the listing (names, sizes, times), the options, the
        splits, the seed and the builder's version: whatever changes is prepared anew.

        Args:
            variant: the name after the slash in `data.dataset`; "" if there is none.
            options: `data.options`.
            source_dir: the user's files.
            splits: `data.splits`.
            seed: `data.seed`.
            stratify: `data.stratify`.
            fresh: `data.fresh`: of the training images only a sample is prepared.
            folds: `training.folds`.

        Raises:
            DataError: the source holds no examples.
            ConfigurationError: there is no such variant, or the options are not of this data set.
        """
        spec, version = cls.spec(variant), str(cls.VERSION)
        return configured(spec, version, options, source_dir, splits, seed, stratify, fresh, folds)

    @property
    def lacks_files(self) -> bool:
        """Whether nobody has said yet where the files lie that the data set reads."""
        config = self.builder_config
        return self.spec(config.variant).needs_source_dir and config.source_dir is None

    @functools.cached_property
    def source(self) -> Source:
        """Where the examples come from.

        Raises:
            DataError: nobody has said where the files lie.
        """
        config = self.builder_config
        if config.source is not None:
            return config.source
        root = Path(config.source_dir) if config.source_dir is not None else None
        return make_source(self.spec(config.variant), config.options, root, config.seed)

    @functools.cached_property
    def listing(self) -> Listing:
        """The examples."""
        return self.builder_config.listing or self.source.list()

    @functools.cached_property
    def plan(self) -> SplitPlan:
        """How the examples are divided."""
        return self.builder_config.plan_for(self.source)

    @functools.cached_property
    def examples(self) -> dict[str, list[Example]]:
        """The examples of each split, in the order in which they are written."""
        plan, listed = self.plan, self.listing.examples
        of_split: dict[str, list[Example]] = {}
        for example, split in zip(listed, self.source.splits_of(listed, plan), strict=True):
            of_split.setdefault(split, []).append(example)
        if self.builder_config.fresh:
            of_split["train"] = fresh_sample(of_split.get("train", []))
        return {
            split: sorted(of_split.get(split, []), key=lambda e: (stable_hash(e.id), e.id))
            for split in plan.names(of_split)
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
        known = self.source.known_shape()
        return known or most_frequent_shape(self._sample, str(self.builder_config.source_dir))

    @functools.cached_property
    def _sample(self) -> list[Loaded]:
        """The first examples to be written, read to find out their shape, and kept to be written.

        Their order is as good as random, so that they are a fair sample of all.
        """
        with without_astropy_warnings():
            return read_sample(self.source, next(iter(self.examples.values()), []))

    @property
    def info(self) -> tfds.core.DatasetInfo:
        """What TFDS knows of the data set."""
        # TFDS keeps it for ever once made; here it is made anew when the files become known.
        if "_own_info" not in self.__dict__:
            self._own_info = self._info()
        return self._own_info

    def _info(self) -> tfds.core.DatasetInfo:
        shape: tuple[int | None, ...] = (None, None, None)
        if self.lacks_files:
            spec = self.spec(self.builder_config.variant)
            classes = spec.classes
            regression = spec.offers == ("targets",)
        else:
            shape, classes = self.image_shape, self.source.classes
            regression = not classes
        value: dict[str, Any] = (
            {"target": tfds.features.Scalar(dtype=np.float32)}
            if regression
            else {"label": tfds.features.ClassLabel(names=list(classes) if classes else None)}
        )
        image = tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")
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

    def download_and_prepare(self, *, download_config: Any = None, **kwargs: Any) -> None:
        """Prepares the records; see `tfds.core.DatasetBuilder.download_and_prepare`.

        Nothing is downloaded. Where the builder was made without `source_dir`, the files are those
        of `download_config.manual_dir`. With `beam_runner` or `beam_options` there, Apache Beam
        prepares.

        Args:
            download_config: TFDS's `DownloadConfig`.
            **kwargs: as TFDS's.

        Raises:
            DataError: nobody has said where the files lie, or they cannot serve.
        """
        manual_dir = getattr(download_config, "manual_dir", None)
        if self.lacks_files and manual_dir is not None:
            config = self._completed(self.builder_config, {"source_dir": Path(manual_dir)})
            state = {**self._original_state, "file_format": self.info.file_format}
            self.__dict__.clear()
            self.__init__(**{**state, "config": config})  # type: ignore[misc]
        self.source  # noqa: B018  # fails where nobody has said where the files lie
        super().download_and_prepare(download_config=download_config, **kwargs)

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        """Writes records, lists and manifest; called with `data_dir` set to a temporary one.

        Raises:
            DataError: the splits cannot serve, or too many files are bad.
        """
        classes = self.source.classes
        self.plan.check_listed(self.listing.examples, classes)
        planned = {
            split: Counter(example.label or "" for example in examples)
            for split, examples in self.examples.items()
        }
        self.plan.check(planned, classes)
        shards = list(self._shards())
        writer = ShardWriter(self.source, self.image_shape, self.info.file_format)
        runner = getattr(download_config, "beam_runner", None)
        options = getattr(download_config, "beam_options", None)
        if runner is not None or options is not None:
            write_with_beam(writer, shards, runner=runner, options=options)
        else:
            self._write_here(writer, shards)
        directory = Path(self.data_dir)
        merged = merge_shard_indexes(
            directory, (shard.indexes for shard in shards), has_targets=not classes
        )
        count = sum(map(len, self.examples.values()))
        check_bad(merged, count, self.source.max_bad, directory)
        self.plan.check({split: merged.good.get(split, Counter()) for split in planned}, classes)
        self._set_splits(shards, merged.lengths)
        write_manifest(directory)

    def _shards(self) -> Iterator[Shard]:
        height, width, channels = self.image_shape
        per_shard = max(1, SHARD_BYTES // (4 * height * width * channels))
        for split, examples in self.examples.items():
            template = self._get_filename_template(split)
            parts = even_parts(len(examples), -(-len(examples) // per_shard))
            at = 0
            for number, length in enumerate(parts):
                path = template.sharded_filepath(shard_index=number, num_shards=len(parts))
                yield Shard(split, Path(path), tuple(examples[at : at + length]))
                at += length

    def _write_here(self, writer: ShardWriter, shards: Sequence[Shard]) -> None:
        """Writes shards one after the other, their examples loaded ahead by threads."""
        everything = [example for shard in shards for example in shard.examples]
        # The training split comes first, and with it what has been read already.
        sample = self.__dict__.pop("_sample", [])
        with (
            without_astropy_warnings(),
            contextlib.closing(self.source.load(everything[len(sample) :])) as loading,
        ):
            stream: Iterator[Loaded] = iter(
                track(
                    itertools.chain(emptied(sample), loading),
                    f"Preparing {self.name}",
                    total=len(everything),
                )
            )
            for shard in shards:
                writer.write(shard, itertools.islice(stream, len(shard.examples)))
            # Asked for one more, the stream says its last word on the screen.
            for _ in stream:
                raise RuntimeError("The source has loaded more examples than it listed.")

    def _set_splits(self, shards: Sequence[Shard], lengths: Sequence[int]) -> None:
        """Tells TFDS what has been written."""
        infos = []
        for split in self.examples:
            of_split = [place for place, shard in enumerate(shards) if shard.split == split]
            infos.append(
                tfds_splits.SplitInfo(
                    name=split,
                    shard_lengths=[lengths[place] for place in of_split],
                    num_bytes=sum(shards[place].path.stat().st_size for place in of_split),
                    filename_template=self._get_filename_template(split),
                )
            )
        self.info.set_splits(tfds_splits.SplitDict(infos))
