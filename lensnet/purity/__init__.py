"""The score above which candidates are pure enough, with what can be claimed of it and for whom.

`bounds` holds what is known of rates from counts, `choosing` the choice of a threshold that does
not spoil the claim, `conformal` p-values of the objects of a survey, `score_mixture` and
`feature_shift` the tests of whether a survey is what the calibration was. None needs a model.
"""
