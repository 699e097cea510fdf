"""PyTorch Lightning: a real Trainer and LightningModule, one fit for a whole group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pytorch_lightning import LightningModule, Trainer

from conformance.adapters import _devices
from conformance.adapters._trainer import Holder, Steps, TrainerBased
from conformance.adapters.jobs import lightning as lightning_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    import torch

    from conformance.model import Answer, Computed, Question


class LightningAdapter(TrainerBased):
    """Each batch is one question; the module's only parameter is the question's input."""

    name: ClassVar[str] = "lightning"
    distributions: ClassVar[tuple[str, ...]] = ("torch", "pytorch-lightning")
    jobs: ClassVar[ModuleType | None] = lightning_jobs

    def evaluate(self, question: Question) -> Computed:
        """Answer with a fit of its own."""
        return _fit([question], keep_going=False).only()

    def evaluate_all(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer with one fit over all questions."""
        return _fit(questions, keep_going=True).answers


class _Batches:
    """A loader; Lightning takes a bare list for a collection of loaders."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions

    def __iter__(self) -> Iterator[Question]:
        return iter(self._questions)

    def __len__(self) -> int:
        return len(self._questions)


class _Module(LightningModule):
    def __init__(self, question: Question, steps: Steps) -> None:
        super().__init__()
        self.model = Holder(question)
        self.steps = steps
        self.targets: torch.Tensor

    def transfer_batch_to_device(self, batch: Question, *_: Any) -> Question:
        # The holder puts a question on its device when it loads it.
        return batch

    def on_train_batch_start(self, batch: Question, batch_idx: int) -> None:  # noqa: ARG002
        self.targets = self.steps.begin(self.model.load(batch))

    def training_step(self, *_: Any) -> torch.Tensor:
        return self.steps.criterion(self.model(), self.targets)

    def on_before_optimizer_step(self, *_: Any) -> None:
        # The one place where gradients are complete, unscaled and unclipped.
        self.steps.finish(self.model.value)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.model.optimizer


@_devices.current_kept()
def _fit(questions: Sequence[Question], *, keep_going: bool) -> Steps:
    steps = Steps(keep_going=keep_going)
    trainer = Trainer(
        **_devices.for_lightning(questions[0].device),
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(_Module(questions[0], steps), _Batches(questions))
    steps.check_count("Lightning", trainer.global_step, len(questions))
    return steps
