"""The file of a search: which keys of an experiment are tried, how, and by which measure."""

from lensnet.config.search.loading import load_search
from lensnet.config.search.plan import SearchPlan

__all__ = ["SearchPlan", "load_search"]
