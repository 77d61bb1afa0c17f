"""The examples of another data set and graded candidates as one source of examples."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lensnet.data.files.decoding import DecodedImage
from lensnet.data.files.file_reader import FileReader
from lensnet.data.sources.file_source import FileLoader, FileSource
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.folds import splits_of_fold
from lensnet.data.sources.source import Loaded, Shape
from lensnet.data.sources.source_factory import make_source
from lensnet.data.sources.splits import SPLITS, SplitPlan
from lensnet.datasets.graded.candidate_splits import HELD_OUT, split_of
from lensnet.datasets.graded.candidate_table import Candidate, find_table, read_candidates
from lensnet.datasets.graded.options import Options

__all__ = ["PREFIX", "WEIGHT", "GradedSource"]

PREFIX = "graded/"
"""What the ids of candidates begin with, so that none is that of an example of the base."""

WEIGHT = "weight"
"""Name in an example's metadata of how much it counts: 1 of the base's."""

_NAMED = 3


class CandidateLoader(FileLoader):
    """Loads candidates as the files of the base's kind are read.

    A candidate may also be one whole image, as `lensnet learn` cuts it, where the base has a file
    for each band.
    """

    def __init__(self, reader: FileReader, root: Path):
        super().__init__(reader, root)
        self._whole = replace(reader, bands=None, hdu=None)

    def read(self, example: Example) -> DecodedImage:
        """Returns a candidate's image; see `FileLoader`."""
        paths = [os.path.join(self.root or "", file) for file in example.files]
        if len(paths) == 1 and paths[0].lower().endswith(".npy"):
            return self._whole.read(paths)
        if len(paths) > 1 and self.reader.bands is None:
            hdu = self.reader.hdu
            return self.reader.read(
                paths, hdu if isinstance(hdu, tuple) else [self.reader.hdu] * len(paths)
            )
        return self.reader.read(paths)


class GradedSource:
    """Another data set whose splits stay what they are, and graded candidates.

    Args:
        source_dir: the folder that holds the table of candidates, or the table.
        options: the data set that they are added to, and how.

    Raises:
        DataError: the table, or the base's files, are missing or not what is read.
    """

    def __init__(self, source_dir: Path, options: Options):
        base = options.known_base
        self.base = make_source(base.spec, base.checked_options, base.path, base.seed)
        self.table = find_table(source_dir, options.candidates)
        self.options = options
        self.classes = self.base.classes
        self.splits = (*SPLITS, HELD_OUT)
        self.max_bad = max(options.max_bad, self.base.max_bad)
        self._loader = CandidateLoader(FileReader.from_options(options), self.table.parent)

    # --- listing ------------------------------------------------------------------------------

    def list(self) -> Listing:
        """Lists the base's examples and then the candidates; see `Source`.

        A candidate whose image is one of the base's, which may be tested on, is left out.
        """
        listed = self.base.list()
        known = self._images_of_base(listed.examples)
        candidates: dict[str, Example] = {}
        left_out = []
        for one in read_candidates(self.table):
            places = {self._resolved(one.origin), *map(self._resolved, one.files)} - {""}
            if places & known:
                left_out.append(one.id)
                continue
            example = self._example(one)
            if example.id in candidates:
                problem = f'the id "{one.id}" stands in a row above, too'
                name = f"{example.id} ({len(candidates)})"
                example = replace(example, id=name, problem=problem)
            candidates[example.id] = example
        remarks = listed.remarks
        if left_out:
            remarks += (
                f"{len(left_out)} candidates, such as {', '.join(left_out[:_NAMED])}, are left "
                f"out: their images are of {self.options.known_base.dataset} already.",
            )
        examples = (*listed.examples, *candidates.values())
        return replace(listed, examples=examples, remarks=remarks)

    def splits_of(self, examples: Sequence[Example], plan: SplitPlan) -> Sequence[str]:
        """Returns the split of each example; see `Source`.

        The base's are divided as if there was nothing else.
        """
        of_base = [example for example in examples if not _is_candidate(example)]
        splits = iter(self._splits_of_base(of_base))
        return [
            example.split or "train" if _is_candidate(example) else next(splits)
            for example in examples
        ]

    def known_shape(self) -> Shape | None:
        """Returns the shape of the base's images where it is known; see `Source`."""
        return self.base.known_shape()

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields what the base does, and the name, size and time of the candidates' files."""
        of_base = tuple(e for e in listing.examples if not _is_candidate(e))
        yield from self.base.fingerprint_entries(replace(listing, examples=of_base))
        yield str(self.table.resolve())
        yield _entry(self.table)
        for example in listing.examples[len(of_base) :]:
            yield from (_entry(self.table.parent / name) for name in example.files)

    def _splits_of_base(self, examples: Sequence[Example]) -> Sequence[str]:
        base = self.options.known_base
        plan = SplitPlan.make(
            base.splits,
            self.base.splits,
            base.seed,
            # As `configured` has it: simulated images are divided by their number.
            stratify=base.stratify and base.spec.simulator is None,
            folds=base.folds,
        )
        found = self.base.splits_of(examples, plan)
        if base.folds is None or base.fold is None:
            return found
        of_fold = splits_of_fold(base.folds, base.fold)
        names = {
            fold: split for split in SPLITS for fold in str(getattr(of_fold, split)).split("+")
        }
        return [names[fold] for fold in found]

    def _example(self, one: Candidate) -> Example:
        problem = one.problem
        if problem is None and one.label not in self.classes:
            problem = f'its label is "{one.label}", none of {", ".join(self.classes)}'
        options = self.options
        return Example(
            id=PREFIX + one.id,
            files=one.files,
            label=one.label if one.label in self.classes else None,
            split=one.split or split_of(one.group or one.id, options.held_out, options.validation),
            group=one.group and PREFIX + one.group,
            problem=problem and f"{self.table.name}: {problem}",
            metadata=((WEIGHT, one.weight),),
        )

    def _images_of_base(self, examples: Sequence[Example]) -> set[str]:
        """Returns the paths of the base's files, where it has some."""
        if not isinstance(self.base, FileSource):
            return set()
        root = os.path.abspath(self.base.root)
        return {os.path.normpath(os.path.join(root, f)) for e in examples for f in e.files}

    def _resolved(self, name: str) -> str:
        return name and os.path.normpath(os.path.join(os.path.abspath(self.table.parent), name))

    # --- reading ------------------------------------------------------------------------------

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Loads examples of either kind, in order; see `Source`."""
        of_base = [example for example in examples if not _is_candidate(example)]
        candidates = [example for example in examples if _is_candidate(example)]
        with (
            contextlib.closing(self.base.load(of_base)) as from_base,
            contextlib.closing(self._loader.load(candidates)) as graded,
        ):
            yield from _in_order(examples, from_base, graded)


def _in_order(
    examples: Iterable[Example], from_base: Iterator[Loaded], graded: Iterator[Loaded]
) -> Iterator[Loaded]:
    for example in examples:
        if _is_candidate(example):
            yield next(graded)
        else:
            loaded = next(from_base)
            yield replace(loaded, metadata={**loaded.metadata, WEIGHT: 1.0})


def _is_candidate(example: Example) -> bool:
    return example.id.startswith(PREFIX)


def _entry(path: Path) -> str:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return f"{path}\0unreadable"
    return f"{path}\0{status.st_size}\0{status.st_mtime_ns}"
