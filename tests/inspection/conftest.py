"""A table of scores, and images of some of its candidates."""

import pytest
from scored_candidates import write_images, write_scores


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Returns a folder of images."""
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def scores(images):
    """Returns a table of their scores, beside them."""
    return write_scores(images)
