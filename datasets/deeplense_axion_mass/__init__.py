"""The deeplense_axion_mass data set."""
