"""Several runs as one: the file of `lensnet ensemble`, and what an ensemble's run folder says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lensnet.config.section import Section

__all__ = ["Ensemble", "EnsembleFile", "EnsembleMember", "EnsembleOptions"]


class EnsembleOptions(Section):
    """How the answers of several runs become one."""

    combine: Literal["probabilities", "logits"] = Field(
        "probabilities",
        description="Of what the weighted mean is taken where the task has classes: a regression's "
        "is of its targets, with sigma that of the mixture of Gaussians.",
    )
    weights: Literal["equal", "fitted"] = Field(
        "equal",
        description="fitted: those of the smallest log loss (of a regression the smallest squared "
        "error, or with sigma the largest likelihood) on the validation split, none below 0.",
    )
    select: str | None = Field(
        None,
        description="Greedy forward selection of members (Caruana et al. 2004) by a metric of the "
        "validation split, such as roc_auc, tpr0 or tpr@1e-3. default: the first metric of a "
        "report. Default: all are members.",
    )
    replacement: bool = Field(
        True,
        description="Whether a run may be selected several times, and so count for more.",
    )


class EnsembleFile(EnsembleOptions):
    """What `lensnet ensemble FILE.yaml` reads."""

    name: str = Field(pattern=r"^[\w.+-]+$", description="Also the run folder's name in runs/.")
    experiments: list[str] = Field(
        default_factory=list,
        description="Experiment files, from the folder of this one on. What has no run in runs/ "
        "is fitted.",
    )
    runs: list[str] = Field(
        default_factory=list, description="Run folders, from the working directory on."
    )

    @model_validator(mode="after")
    def _has_members(self) -> EnsembleFile:
        if not self.experiments and not self.runs:
            raise ValueError("an ensemble needs members: name experiments, or runs, or both")
        return self


class EnsembleMember(Section):
    """One of the networks."""

    run: str = Field(description="The run folder that it came from.")
    weight: Annotated[float, Field(ge=0)]


class Ensemble(EnsembleOptions):
    """What the `experiment.yaml` of an ensemble's run folder says beside its data.

    `model` and `training` are then those of its first member.
    """

    members: list[EnsembleMember]
