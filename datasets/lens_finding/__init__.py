"""The lens_finding data set."""
