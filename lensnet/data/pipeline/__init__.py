"""From records to batches: splits in memory or on disk, preprocessing, shuffling, balance."""
