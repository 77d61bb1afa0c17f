"""The deeplense_substructure data set."""
