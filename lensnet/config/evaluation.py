"""The section `evaluation`: what is measured of a trained network, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lensnet.config.section import Section

__all__ = ["Evaluation"]


class Evaluation(Section):
    """What is measured on the test split."""

    rotations: int = Field(
        4,
        ge=2,
        le=360,
        description="Angles at which the rotation-invariance is measured, 360 / rotations "
        "degrees apart.",
    )
    precision: Literal["as_trained", "float32"] = Field(
        "as_trained",
        description="In which the rotation-invariance is measured. as_trained: that of "
        "training.precision, in which the run predicts. float32: computed in float32 throughout, "
        "which is what a symmetric network is exact in; all other metrics, and predictions, stay "
        "as trained.",
    )
    average_over: Literal["none", "c2", "c4", "d1", "d2", "d4"] = Field(
        "none",
        description="The group over whose rotations and reflections of an image the trained "
        "network's outputs are averaged: exact invariance for a network without symmetry, at as "
        "many times the cost as the group has elements. The model that is saved averages, so "
        "evaluation, prediction and exports all do; training, and its validation in history.csv, "
        "see the network alone.",
    )
    bootstrap: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Drawings of the examples, with replacement and within each class, by which "
        "the 95 % interval of each metric is measured (bias-corrected and accelerated). 0: no "
        "intervals.",
    )
    calibration: Literal["none", "temperature"] = Field(
        "none",
        description="temperature: the network's logits are divided by one number, fitted to the "
        "validation split (Guo et al. 2017), so that a probability of 0.9 comes true nine times "
        "in ten. It is a layer of the saved model, so evaluation, prediction and exports all have "
        "it; which class is most probable stays.",
    )
    prevalence: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the second class where the network is to be used, such as 0.001 of "
        "the galaxies of a survey: for the purity of a sample there, and how many objects must be "
        "inspected for each one found. Default: these are not given.",
    )
