"""The sections of an experiment file as strict, frozen pydantic models.

A key that is not here is an error, and so is a value of another type. The descriptions go into
the JSON schema (`lensnet fit --print-schema`), by which editors complete keys.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lensnet.config.augmentation import Augmentation, Flip, Rotate90
from lensnet.config.averaging import WeightAverage
from lensnet.config.control import Checkpoints, TimeBudget
from lensnet.config.evaluation import Evaluation
from lensnet.config.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanSquaredError,
)
from lensnet.config.normalization import Normalization
from lensnet.config.optimizers import Adam, AdamW, Optimizer
from lensnet.config.repetition import Repetition
from lensnet.config.schedules import ConstantSchedule, CosineSchedule, Schedule
from lensnet.config.section import Section
from lensnet.errors import ConfigurationError
from lensnet.symmetry import Symmetry

__all__ = [
    "Adam",
    "AdamW",
    "Augmentation",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "ConstantSchedule",
    "CosineSchedule",
    "Data",
    "DropBlock",
    "Evaluation",
    "Head",
    "MeanSquaredError",
    "Model",
    "Normalization",
    "Section",
    "Splits",
    "Tracking",
    "Training",
]


# --- data -----------------------------------------------------------------------------------------


class Splits(Section):
    """How the examples are divided: three fractions, or three slices of the builder's splits."""

    train: float | str = Field(0.8, description='A fraction, or TFDS slicing: "train[:90%]".')
    validation: float | str = Field(0.1, description="Chooses the best epoch.")
    test: float | str = Field(0.1, description="Measured once, at the end.")

    @model_validator(mode="after")
    def _all_fractions_or_all_slices(self) -> Splits:
        values = (self.train, self.validation, self.test)
        if all(isinstance(value, str) for value in values):
            return self
        fractions = [value for value in values if not isinstance(value, str)]
        if len(fractions) < len(values):
            raise ValueError(
                "train, validation and test are either three fractions or three slices of the "
                f"builder's splits; got {values}"
            )
        if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
            raise ValueError(
                f"the fractions must be above 0 and add up to 1; got {fractions}, which add up "
                f"to {sum(fractions):g}"
            )
        return self

    @property
    def are_fractions(self) -> bool:
        """Whether the splits are fractions, not slices."""
        return not isinstance(self.train, str)


class Data(Section):
    """What to learn from, and how an image becomes the network's input."""

    dataset: str = Field(description='A builder, or "builder/config"; see `lensnet datasets`.')
    source_dir: str | None = Field(
        None, description="The user's own files, for data sets that read files."
    )
    data_dir: str | None = Field(
        None,
        description="Where prepared records go. Default: $LENSNET_DATA_DIR, else ~/.cache/lensnet.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="What the data set takes; see `lensnet datasets`."
    )
    splits: Splits | None = Field(
        None,
        description="Default: the data set's own splits where it has them, else 0.8, 0.1, 0.1.",
    )
    seed: int = Field(
        0,
        ge=0,
        description="Seed of the splits and of simulated images. The experiment's seed has no part "
        "in it, so that networks of several seeds are tested on the same images.",
    )
    stratify: bool = Field(
        True,
        description="Each class of fewer than 2,000 examples, and a regression's targets, are "
        "divided exactly by the fractions; a new file then moves the examples at the two cuts. "
        "false: the hash of an example's id decides alone, and no new file moves any.",
    )
    crop: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="The square of so many pixels a side in the middle of each image is all that "
        "is taken, before anything else. It must be odd or even as the images are, so that their "
        "middle is its own. Default: the whole image.",
    )
    image_size: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="Images are resized to this many pixels a side, antialiased, after `crop`. "
        "Default: their own size.",
    )
    repeat_channels: int | None = Field(
        None,
        ge=2,
        le=16,
        description="Repeats the band of one-band images so many times, for networks that take "
        "no fewer. Default: the bands of the data.",
    )
    normalization: Normalization = Field(
        Normalization(),
        description="How pixel values become the network's input, per band: a scale's name, or "
        "clip, stretch and scale.",
    )
    target_transform: Literal["standardised", "log10", "none"] = Field(
        "standardised",
        description="In what form the targets of a regression are learned. standardised: with "
        "mean 0 and standard deviation 1 over the training split. log10: their logarithms, "
        "standardised. none: as they are. Predictions and metrics are in the target's own unit in "
        "any case.",
    )
    balance: Literal["none", "oversample", "balanced", "class_weights"] = Field(
        "none",
        description="How unequal classes are treated, in the training split alone. oversample: "
        "smaller classes are repeated until each is as large as the largest, which makes an epoch "
        "longer. balanced: each batch draws from all classes equally, an epoch being as long as "
        "ever. class_weights: the loss counts all classes alike.",
    )
    example_weights: str | None = Field(
        None,
        description="Name of a number that is known of each image (the metadata in examples.csv), "
        "by which it is weighed in the loss of training, beside `balance`; the mean is made 1.",
    )
    fresh: bool = Field(
        False,
        description="For simulated data sets: every epoch has new images, simulated while the "
        "network trains. None is seen twice, or written to disk. Validation and test stay the "
        "same.",
    )
    augmentation: list[Augmentation] = Field(
        [Augmentation(flip=Flip()), Augmentation(rotate90=Rotate90())],
        description="Random changes of training images, in order; each follows from the seed, the "
        "epoch and the example alone.",
    )

    @field_validator("augmentation")
    @classmethod
    def _each_once(cls, chosen: list[Augmentation]) -> list[Augmentation]:
        names = [augmentation.name for augmentation in chosen]
        if len(set(names)) < len(names):
            raise ValueError(f"each augmentation may stand once; got {names}")
        return chosen


# --- model ----------------------------------------------------------------------------------------


class Head(Section):
    """The dense layers between the pooled features and the output."""

    units: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=list, description="Sizes of the dense layers before the output layer."
    )
    normalization: Literal["none", "batch"] = Field(
        "none", description="Normalisation after each of those dense layers."
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout after each of them, or before the output if none."
    )


class DropBlock(Section):
    """Drops square blocks of maps in training, fields as a whole (Ghiasi et al. 2018)."""

    rate: float = Field(0.1, gt=0, lt=1, description="Share of the pixels that is dropped.")
    block_size: int = Field(7, ge=1, description="Side of the blocks, in pixels of the map.")
    stages: int = Field(
        2, ge=1, description="How many of the network's last stages: after each normalisation."
    )


class Model(Section):
    """The network."""

    backbone: str = Field(description="A name of the zoo; see `lensnet models`.")
    symmetry: str = Field(
        "none",
        description="none; c4, d4; c8, d8, c16, d16 (exact at multiples of 90 degrees); rot4, "
        "rot8, rot16; or rot4_inputs.",
    )
    width: float = Field(1.0, gt=0, le=16, description="Multiplier of every channel count.")
    width_policy: Literal["flops", "parameters", "fields"] = Field(
        "flops",
        description="What a symmetric network has in common with the plain one at width 1: its "
        "multiply-adds, its parameters, or as many fields as the plain one has channels.",
    )
    weights: str | None = Field(
        None,
        description="Weights to start from: a .keras or .safetensors file, a run folder, or "
        "timm/<name>.<tag>.",
    )
    head: Head = Field(default_factory=lambda: Head())
    l2: float = Field(
        0.0,
        ge=0,
        description="Factor of the sum of squares of the kernels, of convolutions and of the head, "
        "that is added to the loss. Decoupled weight decay is the optimizer's.",
    )
    drop_block: DropBlock | None = Field(
        None, description="DropBlock in the last stages. Default: none."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="What the backbone's family takes beside these."
    )

    @field_validator("symmetry")
    @classmethod
    def _symmetry_exists(cls, name: str) -> str:
        try:
            return str(Symmetry.parse(name))
        except ConfigurationError as error:
            raise ValueError(str(error)) from None


# --- training -------------------------------------------------------------------------------------


class EarlyStopping(Section):
    """Training ends when the monitored value has not improved for `patience` epochs."""

    monitor: str = Field("val_loss", description="A column of history.csv.")
    patience: int = Field(5, ge=1, description="Epochs without an improvement.")
    min_delta: float = Field(0.0, ge=0, description="The least that counts as one.")


class Training(Repetition):
    """How the network is fitted."""

    epochs: int = Field(10, ge=1, description="Passes over the training split, at most.")
    steps_per_epoch: int | None = Field(
        None,
        ge=1,
        description="With data.fresh: how many batches an epoch has. Default: as many as the "
        "training split would fill.",
    )
    batch_size: int = Field(
        64, ge=1, description="Of all replicas together, each of which gets one image at least."
    )
    optimizer: Optimizer = Field(default_factory=AdamW)
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        description="Batches whose mean gradient makes one step of the optimizer, as if they had "
        "been one (but for normalisation by the batch). It must divide the batches of an epoch.",
    )
    schedule: Schedule = Field(default_factory=CosineSchedule)
    weight_averaging: WeightAverage | None = Field(
        None,
        description="Which mean of the weights is validated and saved, in place of the weights "
        "that the training goes on with.",
    )
    loss: Loss = Field(description="Default: the one that fits the task.")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32",
        description="mixed: weights stay float32, layers compute in half precision, to whose "
        "rounding alone a symmetric network is then invariant.",
    )
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = Field(
        "auto", description="auto: mirrored where there are two GPUs or more, else one_device."
    )
    synchronize_normalization: bool = Field(
        True,
        description="With several devices: batch normalisation by the statistics of the whole "
        "batch, as on one. false: by those of each device's own part.",
    )
    jit_compile: bool | Literal["auto"] = Field(
        "auto",
        description="XLA. auto: off on a CPU, where it is slower, and with several GPUs, where "
        "TensorFlow cannot; on elsewhere.",
    )
    trainable: Literal["all", "last_stage", "head"] = Field(
        "all",
        description="What is trained: all; the last stage and the head; or the head alone. The "
        "rest keeps the weights that it starts from.",
    )
    learning_rate_factors: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="Multiplies the learning rate of stages, such as {layer1: 0.1, head: 1}. The "
        "head is what follows the last stage.",
    )
    early_stopping: EarlyStopping | None = Field(default_factory=EarlyStopping)
    checkpoint: Checkpoints = Field(
        default_factory=Checkpoints,
        description="How often the state is written from which --resume goes on.",
    )
    time_budget: TimeBudget | None = Field(
        None,
        description="Training ends with the step that exceeds it, such as 2h30m, counted over "
        "resumed runs; that epoch is validated, and the best model measured, as ever.",
    )

    @model_validator(mode="before")
    @classmethod
    def _names_have_defaults(cls, raw: Any) -> Any:
        """Lets `optimizer: {learning_rate: 1e-4}` keep the default optimizer."""
        if not isinstance(raw, dict):
            return raw
        defaults = {"optimizer": AdamW().name, "schedule": CosineSchedule().name}
        named = {
            key: {"name": name, **raw[key]}
            for key, name in defaults.items()
            if isinstance(raw.get(key), dict)
        }
        return {**raw, **named}


# --- tracking -------------------------------------------------------------------------------------


class WandB(Section):
    """Weights & Biases, where the package is installed (`pip install lensnet[wandb]`)."""

    project: str = Field(description="The project that the run goes to.")
    entity: str | None = Field(None, description="User or team. Default: yours.")
    mode: Literal["online", "offline", "disabled"] = Field(
        "online", description="offline: for `wandb sync` later."
    )


class Tracking(Section):
    """Where the history goes beside history.csv."""

    tensorboard: bool = Field(True, description="Event files under `tensorboard/`.")
    wandb: WandB | None = None
