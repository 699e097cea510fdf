"""Says what a job of many steps is, and by which conventions trainers differ on it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass, field, fields, replace
from math import prod
from typing import Any, Literal, get_args

ModelName = Literal["linear", "linear_sigmoid", "mlp", "mlp_sigmoid", "conv", "dropout_linear"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Precision = Literal["16-true", "bf16-true", "32-true", "64-true", "16-mixed", "bf16-mixed"]
Squeeze = Literal["last", "all"]
View = Literal["identity", "flip_last", "flip_rows"]
Stage = Literal["validate", "test"]

VIEWS: tuple[str, ...] = get_args(View)
KERNEL = 3
"""Height and width of the kernels of "conv"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """An optimizer with its settings, each the float64 number nearest to what the case says.

    Attributes:
        name: "sgd", "adam" or "adamw".
        lr: The learning rate.
        momentum: Of SGD: v = momentum v + g, from v = g on; the step is lr v.
        nesterov: Of SGD with momentum: the step is lr (g + momentum v).
        weight_decay: lambda; SGD and Adam add lambda p to the gradient, AdamW first multiplies p
            by 1 - lr lambda.
        betas: Of Adam and AdamW.
        eps: Of Adam and AdamW, added to the square root of the corrected second moment.
    """

    name: OptimizerName = "sgd"
    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is done with features, targets and initial parameters.

    The model maps features of shape (N, D) to outputs of shape (N, ``classes``), logits unless its
    name ends in "_sigmoid": "linear" is a matrix and a bias; "mlp" is linear to ``hidden`` units,
    tanh, linear; "conv" takes (N, C, H, W) through ``hidden`` kernels of 3 x 3 without padding,
    tanh, the mean over the image, linear; "dropout_linear" is dropout of everything (p = 1), then
    linear. Batches follow each other in the order of the data, in every epoch.

    Attributes:
        model: Its name.
        hidden: Units of "mlp", kernels of "conv"; 0 otherwise.
        classes: Outputs of the model.
        batches: Samples of each batch of an epoch.
        shards: Where several processes work, the batches of each; ``batches`` is then empty, and
            the samples of a process follow those of the one before.
        sampler_batch: Where a sampler shares the data out between two processes, one sample to
            each in turn, the batch size; both others are then empty.
        epochs: How often the data are gone through.
        accumulate: Batches of a window, whose gradients add up to one step.
        optimizer: None where nothing is trained.
        clip_norm: The largest norm of the gradient of all parameters.
        clip_value: The largest magnitude of an element of the gradient.
        squeeze: What becomes of the outputs before the loss: "last" takes off the last dimension,
            "all" every dimension of one element. Targets then have shape (N,).
        classes_first: Whether outputs and targets are transposed before the loss, to (classes, B).
        precision: What is asked of the trainer, in Lightning's words; None to leave it alone.
        sync: Whether a value logged by several processes is to be brought together.
        stage: Which of two evaluations.
        views: What a prediction is averaged over: "flip_last" reverses the last dimension of the
            features, "flip_rows" the one before.
        validation: Batches of one sample each, from the start of the data, that are validated
            after every epoch; 0 for no validation.
        shuffle: The seed with which the training data are shuffled; None for their order.
        left_in_eval: Whether the model was left in evaluation mode.
        refit: Whether the trainer that has finished is asked to train as many epochs again.
        trainer_arguments: Further keyword arguments of the trainer.
    """

    model: ModelName = "linear"
    hidden: int = 0
    classes: int = 1
    batches: tuple[int, ...] = ()
    shards: tuple[tuple[int, ...], ...] = ()
    sampler_batch: int | None = None
    epochs: int = 1
    accumulate: int = 1
    optimizer: Optimizer | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    squeeze: Squeeze | None = None
    classes_first: bool = False
    precision: Precision | None = None
    sync: bool = True
    stage: Stage = "validate"
    views: tuple[View, ...] = ("identity",)
    validation: int = 0
    shuffle: int | None = None
    left_in_eval: bool = False
    refit: bool = False
    trainer_arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        """The loss that fits the model's outputs: "bce_with_logits", or "bce" of probabilities."""
        return "bce" if self.model.endswith("_sigmoid") else "bce_with_logits"

    @property
    def processes(self) -> int:
        """How many processes work."""
        return 2 if self.sampler_batch is not None else max(1, len(self.shards))

    @property
    def options(self) -> frozenset[str]:
        """What it asks for beyond the defaults, of what an adapter may not offer."""
        asked = {
            given.name
            for given in fields(self)
            if given.name in OPTIONS and getattr(self, given.name) != _DEFAULTS[given.name]
        }
        return frozenset(asked | ({"processes"} if self.processes > 1 else set()))


OPTIONS = frozenset(
    {
        "accumulate",
        "clip_norm",
        "clip_value",
        "squeeze",
        "classes_first",
        "precision",
        "sync",
        "stage",
        "views",
        "validation",
        "shuffle",
        "left_in_eval",
        "refit",
        "trainer_arguments",
    }
)
"""Names of Job's attributes that an adapter declares where it takes them; "processes" besides."""

_DEFAULTS = {given.name: getattr(Job(), given.name) for given in fields(Job)}


def parameter_shapes(
    job: Job, features: tuple[int, ...]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Name and shape of each parameter, in the order in which they follow each other when flat.

    Args:
        job: Its model.
        features: The shape of the features, (N, D), or (N, C, H, W) for "conv".
    """
    channels = features[1]
    weights: list[tuple[int, ...]]
    if job.model == "conv":
        weights = [(job.hidden, channels, KERNEL, KERNEL), (job.classes, job.hidden)]
    elif job.model.startswith("mlp"):
        weights = [(job.hidden, channels), (job.classes, job.hidden)]
    else:
        weights = [(job.classes, channels)]
    return tuple(
        pair
        for index, shape in enumerate(weights)
        for pair in ((f"{index}.weight", shape), (f"{index}.bias", shape[:1]))
    )


def parameter_count(job: Job, features: tuple[int, ...]) -> int:
    """How many numbers all parameters have."""
    return sum(prod(shape) for _, shape in parameter_shapes(job, features))


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """What a trainer decides where the job leaves room; the defaults are the definition.

    v_b is the loss of a batch as the criterion returns it, n_b its number of samples.

    Attributes:
        divisor: What the loss of a batch of a window is multiplied by before its gradient is
            added: n_b over the samples of the window ("samples"), one over the batches that it
            has ("batches"), one over ``accumulate`` ("length"), or one ("one"). Of a loss that is
            a sum, "samples" multiplies by one.
        tail: A window that the end of an epoch leaves short is "stepped"; "carried" into the next
            epoch, and dropped at the end of the job; or "dropped".
        epoch: The value reported for an epoch: sum v_b n_b / sum n_b ("samples"), the mean of v_b
            ("batches"), the running average r = 0.98 r + 0.02 v_b from r = v_1 on, which goes on
            through all epochs ("running"), or the loss of all samples at once ("at_once").
        ranks: How processes come together. "samples": as one process would with all of their
            samples. "equal": gradients, and values reported, are the mean over the processes.
            "own": each process reports its own. "padded": as "samples", of the samples as the
            sampler has filled them up from the start.
        clip_eps: Added to the norm before the gradient is divided by it.
        views: Whether "probabilities" or "logits" are averaged.
        half_is_positive: Whether the probability 0.5 is decided as positive.
        train_mode: Whether training puts the model into training mode.
        refits: Whether a trainer that has finished trains again.
        sanity: Batches that are validated before training.
        computed_in: The dtype whose roundoff the arithmetic has; None for that of the question.
        stored_in: The dtype to which features, targets and parameters are rounded, and in which
            they are kept; None for that of the question.
    """

    divisor: Literal["samples", "batches", "length", "one"] = "samples"
    tail: Literal["stepped", "carried", "dropped"] = "stepped"
    epoch: Literal["samples", "batches", "running", "at_once"] = "samples"
    ranks: Literal["samples", "equal", "own", "padded"] = "samples"
    clip_eps: float = 0.0
    views: Literal["probabilities", "logits"] = "probabilities"
    half_is_positive: bool = False
    train_mode: bool = True
    refits: bool = True
    sanity: int = 0
    computed_in: str | None = None
    stored_in: str | None = None


RUNNING = 0.98
"""The share that a running average keeps of itself."""

DEFINITION = Convention()

_LENGTH = replace(DEFINITION, divisor="length")
CONVENTIONS: Mapping[str, Convention] = {
    "window_by_samples": DEFINITION,
    "window_by_batches": replace(DEFINITION, divisor="batches"),
    "window_by_length_stepped": _LENGTH,
    "window_by_length_carried": replace(_LENGTH, tail="carried"),
    "window_by_length_dropped": replace(_LENGTH, tail="dropped"),
    "window_sum_stepped": replace(DEFINITION, divisor="one"),
    "epoch_by_samples": DEFINITION,
    "epoch_by_batches": replace(DEFINITION, epoch="batches"),
    "epoch_running_098": replace(DEFINITION, epoch="running"),
    "epoch_at_once": replace(DEFINITION, epoch="at_once"),
    "ranks_by_samples": DEFINITION,
    "ranks_equal": replace(DEFINITION, ranks="equal"),
    "ranks_equal_by_batches": replace(DEFINITION, ranks="equal", epoch="batches"),
    "ranks_own": replace(DEFINITION, ranks="own"),
    "ranks_padded": replace(DEFINITION, ranks="padded"),
    "clip_exact": DEFINITION,
    "clip_eps_1e_6": replace(DEFINITION, clip_eps=1e-6),
    "views_by_probabilities": DEFINITION,
    "views_by_logits": replace(DEFINITION, views="logits"),
    "half_is_negative": DEFINITION,
    "half_is_positive": replace(DEFINITION, half_is_positive=True),
    "mode_training": DEFINITION,
    "mode_as_left": replace(DEFINITION, train_mode=False),
    "refit_trains": DEFINITION,
    "refit_does_nothing": replace(DEFINITION, refits=False),
    "sanity_none": DEFINITION,
    "sanity_two_batches": replace(DEFINITION, sanity=2),
    "computed_in_float32": replace(DEFINITION, computed_in="float32"),
    "computed_in_bfloat16": replace(DEFINITION, computed_in="bfloat16"),
    "computed_in_float16": replace(DEFINITION, computed_in="float16"),
    "stored_in_bfloat16": replace(DEFINITION, computed_in="bfloat16", stored_in="bfloat16"),
    "stored_in_float16": replace(DEFINITION, computed_in="float16", stored_in="float16"),
    "stored_in_float64": replace(DEFINITION, computed_in="float64", stored_in="float64"),
}
"""Policy to what is done under it; cases/policies.yaml explains each."""


def convention_of(policy: str | None) -> Convention:
    """What is done under a policy; under none, the definition."""
    return DEFINITION if policy is None else CONVENTIONS[policy]
