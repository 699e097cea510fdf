"""Trainers that predict or decide something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.networks import sigmoid

from .trainers import OtherJob, WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Job


class LogitsPredicted(WrongTrainer):
    """Logits are returned as probabilities."""

    def probability(self, logits: Any) -> Any:
        return logits


class SigmoidTwice(WrongTrainer):
    """A second sigmoid is applied to probabilities."""

    def probability(self, logits: Any) -> Any:
        return sigmoid(super().probability(logits))


class SigmoidAfterSigmoid(WrongTrainer):
    """A sigmoid is applied to the outputs of a model that ends in one."""

    def probability(self, logits: Any) -> Any:
        found = super().probability(logits)
        return sigmoid(found) if self.job.loss == "bce" else found


class SoftmaxOverClasses(WrongTrainer):
    """Several classes are taken for exclusive, with probabilities that add up to 1."""

    def probability(self, logits: Any) -> Any:
        if self.job.classes == 1:
            return super().probability(logits)
        powers = np.exp(logits)
        return powers / powers.sum(axis=-1, keepdims=True)


class SigmoidOfLargeExponential(WrongTrainer):
    """The sigmoid is e / (1 + e) with e = exp x, infinity over infinity."""

    def probability(self, logits: Any) -> Any:
        return np.exp(logits) / (1 + np.exp(logits))


class SigmoidByTanh(WrongTrainer):
    """The sigmoid is (1 + tanh(x / 2)) / 2, which cancels far below 0."""

    def probability(self, logits: Any) -> Any:
        return (1 + np.tanh(logits / 2)) / 2


class ProbabilitiesClipped(WrongTrainer):
    """Probabilities are clipped to [1e-7, 1 - 1e-7]."""

    def probability(self, logits: Any) -> Any:
        return np.clip(super().probability(logits), 1e-7, 1 - 1e-7)


class ProbabilitiesOfThreeDecimals(WrongTrainer):
    """Probabilities are rounded to three decimals, for a file."""

    def joined(self, batches: Sequence[Any]) -> Any:
        return np.round(super().joined(batches), 3)


class ProbabilitiesOfFloat16(WrongTrainer):
    """Probabilities pass through float16."""

    def joined(self, batches: Sequence[Any]) -> Any:
        return super().joined(batches).astype(np.float16)


class ProbabilityOfNegative(WrongTrainer):
    """The probability of the other class is returned."""

    def probability(self, logits: Any) -> Any:
        return super().probability(-logits)


class PredictionWithoutUnevenBatch(OtherJob):
    """A batch smaller than the first is left out of the prediction."""

    operation = "predict"

    def other(self, job: Job) -> dict[str, Any]:
        return {"batches": tuple(size for size in job.batches if size >= job.batches[0])}


class BatchesStacked(WrongTrainer):
    """Batches are stacked, which gives equal ones a dimension too many."""

    def joined(self, batches: Sequence[Any]) -> Any:
        return np.stack(batches)


class BatchesStackedBackwards(WrongTrainer):
    """The batches of a prediction are joined in the wrong order."""

    def joined(self, batches: Sequence[Any]) -> Any:
        return super().joined(batches[::-1])


class BatchesJoinedAlongClasses(WrongTrainer):
    """Predictions of equal batches are joined along the classes."""

    def joined(self, batches: Sequence[Any]) -> Any:
        if len({batch.shape for batch in batches}) > 1:
            return super().joined(batches)
        return np.concatenate(batches, axis=-1)


class FirstBatchRepeated(WrongTrainer):
    """Every batch that is as large as the first has its predictions, from a buffer."""

    def joined(self, batches: Sequence[Any]) -> Any:
        first = batches[0]
        return super().joined([first if each.shape == first.shape else each for each in batches])


class DecidedByLogit(WrongTrainer):
    """The threshold of 0.5 is put to the logit."""

    def decide(self, predicted: Any) -> Any:
        return np.log(predicted / (1 - predicted)) > 0.5


class DecidedByNearlyHalf(WrongTrainer):
    """What is within 1e-5 of 0.5 counts as 0.5."""

    def decide(self, predicted: Any) -> Any:
        return super().decide(np.where(np.isclose(predicted, 0.5, rtol=1e-5), 0.5, predicted))


class DecidedByLargestClass(WrongTrainer):
    """Of several classes only the most probable is decided as positive."""

    def decide(self, predicted: Any) -> Any:
        if self.job.classes == 1:
            return super().decide(predicted)
        return predicted == predicted.max(axis=-1, keepdims=True)


class DecidedTheOtherWay(WrongTrainer):
    """Positive is decided as negative."""

    def decide(self, predicted: Any) -> Any:
        return predicted < 0.5


class ViewsSummed(WrongTrainer):
    """The probabilities of views are summed up."""

    def averaged(self, logits: Sequence[Any]) -> Any:
        return super().averaged(logits) * len(logits)


class ViewsOfLargest(WrongTrainer):
    """The largest probability of all views counts."""

    def averaged(self, logits: Sequence[Any]) -> Any:
        return self.probability(np.max(logits, axis=0))


class ViewsByGeometricMean(WrongTrainer):
    """The mean of views is the geometric one, of the probability of the positive class alone."""

    def averaged(self, logits: Sequence[Any]) -> Any:
        powers = [np.log(self.probability(each)) for each in logits]
        return np.exp(sum(powers) / len(powers))


class ViewsIgnored(OtherJob):
    """Only the sample as it is counts, whatever the views."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"views": ("identity",)}


class FirstViewOnly(OtherJob):
    """Only the first view counts."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"views": job.views[:1]}


class ViewsOnce(OtherJob):
    """A view that is asked for twice counts once."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"views": tuple(dict.fromkeys(job.views))}


class FlipOfTheBatch(WrongTrainer):
    """Samples are flipped, and not features."""

    def view(self, features: Any, view: str) -> Any:
        return features if view == "identity" else features[::-1]


class FlipsExchanged(WrongTrainer):
    """Images are mirrored for upside down, and upside down for mirrored."""

    def view(self, features: Any, view: str) -> Any:
        other = {"flip_last": "flip_rows", "flip_rows": "flip_last"}
        return super().view(features, other.get(view, view) if features.ndim == 4 else view)


class FlipOfAllDimensions(WrongTrainer):
    """A flip turns rows and columns of an image both."""

    def view(self, features: Any, view: str) -> Any:
        turned = view != "identity" and features.ndim == 4
        return features[..., ::-1, ::-1] if turned else super().view(features, view)
