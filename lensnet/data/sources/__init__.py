"""What a data set lists and loads: the user's files, a simulator, or whatever it brings."""
