"""Prepared by Apache Beam, a data set is what it is when one process prepares it."""

import pickle
import random
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lensnet.data import prepare
from lensnet.data.records import builder as builder_module
from lensnet.data.records.shards import ShardWriter
from lensnet.errors import ConfigurationError, DataError


def contents(directory):
    """Every file of prepared data that does not name its directory."""
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.name not in ("manifest.json", "dataset_info.json")
    }


@pytest.fixture
def many_shards(monkeypatch):
    """Three images a shard: more than ten shards, so that their order by number shows."""
    monkeypatch.setattr(builder_module, "SHARD_BYTES", 3 * 8 * 8 * 4)


@pytest.fixture
def source(write_folder):
    """Forty images, one of them bad and one of them with gaps."""
    source = write_folder({"a": 20, "b": 20})
    (source / "a" / "3.npy").write_bytes(b"")
    holed = np.load(source / "b" / "4.npy")
    holed[2, 5] = np.nan
    np.save(source / "b" / "4.npy", holed)
    return source


@pytest.fixture
def options():
    return {"options": {"max_bad": 0.1}, "normalization": "none"}


def test_shards_written_by_workers_of_their_own(
    source, make_experiment, tmp_path, many_shards, options, monkeypatch
):
    """What a Beam runner does, without Beam: any order, twice over, from what lies on disk."""
    here = prepare(make_experiment(source, **options))
    written = []

    def write_apart(shard_writer, listed, **_):
        orders = []
        for shard in listed:
            shard.work_item.write_bytes(pickle.dumps(shard))
            orders.append(shard.work_item)
        random.Random(0).shuffle(orders)
        worker = pickle.loads(pickle.dumps(shard_writer))
        for order in [*orders, orders[2]]:
            worker.write_work_item(str(order))
            written.append(order.name)
        for order in orders:
            order.unlink()

    monkeypatch.setattr(builder_module, "write_with_beam", write_apart)
    monkeypatch.setattr("lensnet.data.records.preparation.pipeline_options", list)
    there = prepare(
        make_experiment(source, data_dir=str(tmp_path / "there"), **options), beam_options=[]
    )
    assert len(written) > 12
    assert contents(there.directory) == contents(here.directory)
    assert dict(there.quarantine) == dict(here.quarantine) == {"a/3.npy": "the file is empty"}


def test_without_beam_its_options_are_an_error(source, make_experiment, options, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lensnet\[beam\]'"):
        prepare(make_experiment(source, **options), beam_options=[])


# --- with Beam itself -----------------------------------------------------------------------------


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam")


@pytest.mark.parametrize("flags", [[], ["runner=DirectRunner", "direct_num_workers=2"]], ids=str)
def test_direct_runner(beam, source, make_experiment, tmp_path, many_shards, options, flags):
    here = prepare(make_experiment(source, **options))
    there = prepare(
        make_experiment(source, data_dir=str(tmp_path / "there"), **options), beam_options=flags
    )
    assert len(list(there.directory.glob("*-train.tfrecord*"))) > 10
    assert contents(there.directory) == contents(here.directory)
    assert dict(there.quarantine) == {"a/3.npy": "the file is empty"}
    batches = zip(here.batches("train", 8), there.batches("train", 8), strict=True)
    for (one, _), (other, _) in batches:
        np.testing.assert_array_equal(one, other)


def test_beam_through_tfds(beam, source, tmp_path, many_shards):
    from apache_beam.options.pipeline_options import PipelineOptions

    train = tfds.load(
        "image_folder",
        split="train",
        data_dir=tmp_path / "there",
        builder_kwargs={"source_dir": source, "options": {"max_bad": 0.1}},
        download_and_prepare_kwargs={
            "download_config": tfds.download.DownloadConfig(beam_options=PipelineOptions())
        },
    )
    assert {record["image"].shape for record in train} == {(8, 8, 1)}


def test_simulated_images_by_beam(beam, make_experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(builder_module, "SHARD_BYTES", 5 * 16 * 16 * 4)
    options = {
        "dataset": "deeplense_substructure/simulated",
        "options": {"image_size": 16, "examples_per_class": 10},
    }
    here = prepare(make_experiment(None, **options))
    there = prepare(
        make_experiment(None, data_dir=str(tmp_path / "there"), **options), beam_options=[]
    )
    assert contents(there.directory) == contents(here.directory)


def test_too_many_bad_files(beam, source, make_experiment):
    with pytest.raises(DataError, match="1 of 40 examples are bad"):
        prepare(make_experiment(source), beam_options=[])


def test_a_worker_that_fails_leaves_nothing_finished(
    beam, source, make_experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr(ShardWriter, "write", lambda self, shard: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare(make_experiment(source), beam_options=[])
    left = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {".lock", "metadata.json"}
