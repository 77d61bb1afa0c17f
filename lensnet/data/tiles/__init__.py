"""Surveys that lie in many mosaics: which of them holds a position's cutout whole."""

from __future__ import annotations

from lensnet.data.tiles.tile import Tile
from lensnet.data.tiles.tile_index import Located, TileIndex
from lensnet.data.tiles.tile_listing import list_tiles
from lensnet.data.tiles.tile_reading import read_tiles

__all__ = ["Located", "Tile", "TileIndex", "list_tiles", "read_tiles"]
