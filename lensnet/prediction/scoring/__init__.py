"""Scoring images by the million: partitions that are worked off in any order, once each.

A request (`score_request`) is planned into partitions (`lensnet.prediction.planning`) in a work
folder beside the output (`work_folder`). Each is read (`reading`), scored (`network`,
`batch_size`) and written as a part (`part_table`, `working_off`), by one process, by shards that
know nothing of each other (`shards`) or by the workers of a Dask cluster (`dask_cluster`,
`dask_scoring`, `dask_worker`). When all parts are there they become the output (`merging`).
"""
