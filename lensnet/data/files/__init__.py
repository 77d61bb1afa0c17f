"""From a file as found in the wild to an image, or to one short reason why not: a format a file."""
