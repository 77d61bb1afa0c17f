"""Which lenses a network finds among a user's own galaxies: arcs painted into their images.

`point_spread` holds what blurs an arc, `galaxies` what is known of a galaxy's image, `arcs` the
draw of an arc, `painting` its way into the image, `completeness` the shares found, `test_set` the
folder of images with and without arcs, `measuring` all of it for a run.
"""
