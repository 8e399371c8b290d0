"""What a training strategy is. The methods here are those of a model that every process holds whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Callable

from ....config.compose import Configuration

if TYPE_CHECKING:
    import torch


class Strategy(ABC):
    """How a run is spread over its processes."""

    name: str
    """Value of ``run.strategy``."""
    words: str
    """Said behind the number of processes when the run starts; empty for what goes without saying."""
    can_answer: bool
    """Whether the trained model can answer in the same run."""
    stops_on_device: bool
    """Whether the optimizer itself can leave out a step by a flag on the GPU, for which the host need not wait."""

    def refusals(self, configuration: Configuration) -> list[str]:
        """One line for each part of the run that the strategy cannot do; checked before anything is loaded."""
        return []

    def refusals_here(self, processes: int) -> list[str]:
        """One line for each thing that is missing on this machine."""
        return []

    @abstractmethod
    def place(self, model: Any, device: Any, precision: str) -> Any:
        """The model where it has to be before it is prepared, its frozen weights in the run's precision."""

    @abstractmethod
    def prepare(self, accelerator: Any, model: Any, make_optimizer: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The model as it is called in training, and its optimizer. Raises ConfigError where it cannot be."""

    def no_sync(self, accelerator: Any, model: Any) -> AbstractContextManager[Any]:
        """While it is open gradients are added up on each process and not exchanged."""
        context: AbstractContextManager[Any] = accelerator.no_sync(model)
        return context

    def backward(self, accelerator: Any, loss: torch.Tensor) -> None:
        """Add the gradients of a loss."""
        accelerator.backward(loss)

    def clip(self, accelerator: Any, parameters: Sequence[Any], max_norm: float) -> torch.Tensor:
        """Clip the gradient to ``max_norm``; its norm before, a scalar, the same on all processes."""
        norm: torch.Tensor = self.whole(accelerator.clip_grad_norm_(parameters, max_norm))
        return norm

    def gather_weights(self, model: torch.nn.Module) -> dict[str, torch.Tensor]:
        """Trained tensors, whole, by upstream's names, on the CPU; all processes must call this."""
        from ....toolkit.checkpoint import trainable_state  # late: loads torch

        return trainable_state(model, self.whole)

    def gather_optimizer(self, optimizer: Any) -> dict[str, Any]:
        """An optimizer's ``state_dict`` with whole tensors; all processes must call this."""
        state = optimizer.state_dict()
        entries = {
            number: {key: self.whole(value) for key, value in entry.items()} for number, entry in state["state"].items()
        }
        return {**state, "state": entries}

    def load_optimizer(self, optimizer: Any, state: Mapping[str, Any]) -> None:
        """Load a whole ``state_dict``; all processes must call this.

        Whether steps are fused is a matter of this device, not of the one that wrote the state.
        """
        tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        groups = [
            {**theirs, "fused": own.get("fused")} for theirs, own in zip(state["param_groups"], optimizer.param_groups)
        ]
        optimizer.load_state_dict(
            {
                "param_groups": [*groups, *state["param_groups"][len(groups) :]],
                "state": {
                    number: {key: self.spread_like(tensors[number], value) for key, value in entry.items()}
                    for number, entry in state["state"].items()
                },
            }
        )

    def whole(self, value: Any) -> Any:
        """A tensor gathered from all processes, which must all call this; anything else as it is."""
        return value

    def spread_like(self, tensor: Any, value: Any) -> Any:
        """``value``, whole, spread over the processes as ``tensor`` is."""
        return value
