"""The fits_catalog data set."""
