"""The image_folder data set."""
