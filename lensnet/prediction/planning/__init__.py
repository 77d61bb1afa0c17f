"""What a user asks to be scored, planned in one pass and then read in any order.

`plan` lists the inputs once, whatever their number, and writes them as partitions: Parquet files
`rows-00000.parquet`, ... of a few thousand rows in a folder, and `plan.json` last, without which
the folder is no plan. `Plan.open` opens it, in this process or another; `Plan.partition` gives the
rows of a partition, and `Plan.load` their images, in the same order.

**Inputs** (`inputs` of `plan`, as on the command line):

- image files (.npy, FITS, PNG, JPEG), and folders that are searched through all folders below;
- patterns such as `"cutouts/**/*_g.fits"`, where no file has that very name;
- `@list.txt`, a text file with an input a line (`--list list.txt` is the same);
- stacks: HDF5 and `.npy` files, FITS cubes and columns of Parquet files, of many images each;
- tables (`lensnet.data.tables`) with columns of files, or of right ascension and declination.

**`InputOptions`** are the options of the command line, each None or () unless it is given:

- `--id-column`, `--ra-column`, `--dec-column`: columns of tables; else those of the training table,
  or the usual names (`ra`, `RAJ2000`, `ALPHA_J2000`, ... in any case), whichever are there.
- `--file-column`, once for each band in the order of the channels; else as above.
- `--mosaics`: a pattern of FITS mosaics to cut positions out of, once for each band in the order of
  the channels, or one pattern with `{band}`, for which `--bands g,r,i` (or the run's bands) stand;
  `tiles/*.fits[SCI]` names the extension. With it, a table's rows are positions.
- `--size`: pixels a side to cut out (`64`), or arcseconds (`16arcsec`); else the training's, or the
  network's own.

A partition has the columns `row` (int64, the place in the whole input), `id`, `file` (text: see
`lensnet.prediction.planning.file_names`; of stacks with the image's number, `X.npy[3]`), `problem`
(null, or why there is nothing to score), `ra`, `dec` (degrees, null where unknown), `tile` (index
into `Plan.tiles`, whose `name` is what a table of scores shows), `index` (in a stack), and the
columns of the catalogue as `input_<name>`, with `unit` and `description` in the metadata of the
fields. No module in here needs TensorFlow or Keras.

The calls:

    plan(experiment, native_shape, inputs, folder, *, rows=8192, options=InputOptions(),
         origin={...}) -> Plan        # origin: what plan.json keeps of the run and its model
    Plan.open(folder) -> Plan         # raises RunError where there is no whole plan
    Plan.partitions -> int; Plan.rows -> int; Plan.tiles; Plan.origin
    Plan.carried -> pyarrow.Schema    # the catalogue's columns, by their own names
    Plan.partition(number) -> pyarrow.Table
    Plan.load(rows, ahead=128) -> Iterator[lensnet.data.sources.source.Loaded]
"""

from __future__ import annotations

from lensnet.prediction.planning.input_kinds import check_inputs
from lensnet.prediction.planning.input_options import InputOptions, parse_size
from lensnet.prediction.planning.loaded_input import Input
from lensnet.prediction.planning.plan import Plan, input_entries, plan

__all__ = ["Input", "InputOptions", "Plan", "check_inputs", "input_entries", "parse_size", "plan"]
