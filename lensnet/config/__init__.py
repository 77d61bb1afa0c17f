"""The experiment file: its schema, and how it is read, checked and written."""

from lensnet.config.experiment import Experiment
from lensnet.config.loading import json_schema, load, place_of, to_yaml

__all__ = ["Experiment", "json_schema", "load", "place_of", "to_yaml"]
