"""The halo_mass data set."""
