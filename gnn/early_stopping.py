"""The best epoch so far: what early stopping looks at, keeps and shows."""

from __future__ import annotations

from torch import Tensor

from gnn.checkpoints import State
from gnn.model import OfferSage

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 12


def sparkline(figures: list[float]) -> str:
    """The last WIDTH figures as a line of blocks, the lowest ▁ and the highest █."""
    shown = figures[-WIDTH:]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    step = (high - low) / (len(BLOCKS) - 1)
    return "".join(BLOCKS[round((figure - low) / step) if step else 0] for figure in shown)


class BestSoFar:
    """The best state so far and how long ago it was."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.epoch, self.figure, self.state = 0, float("-inf"), dict[str, Tensor]()
        self.curve: list[tuple[int, float, float]] = []
        self.since = 0

    def offer(self, epoch: int, loss: float, figure: float, model: OfferSage) -> bool:
        """Take note of a figure; False when it is time to stop."""
        self.curve.append((epoch, loss, figure))
        self.since += 1
        if figure > self.figure:
            self.keep(epoch, figure, model)
        return self.since < self.patience

    def keep(self, epoch: int, figure: float, model: OfferSage) -> None:
        """Take the model as the best one so far."""
        self.epoch, self.figure, self.since = epoch, figure, 0
        self.state = {name: rows.detach().clone() for name, rows in model.state_dict().items()}

    @property
    def is_measured(self) -> bool:
        """Whether any figure was taken."""
        return self.figure > float("-inf")

    def words(self, loss: float) -> str:
        """The last figure, the best and the way there; short, so that a bar has room beside it."""
        figures = [figure for _, _, figure in self.curve]
        best = f"best {self.figure:.4f}"
        return f"loss {loss:.2f} NDCG@20 {figures[-1]:.4f} {best} {sparkline(figures)}"

    def as_state(self) -> State:
        """All of it as plain values and tensors."""
        return {
            "epoch": self.epoch,
            "figure": self.figure,
            "since": self.since,
            "curve": self.curve,
            "state": self.state,
        }

    def take_up(self, kept: State) -> None:
        """Be as it was kept."""
        self.epoch, self.figure, self.since = kept["epoch"], kept["figure"], kept["since"]
        self.curve, self.state = list(kept["curve"]), kept["state"]
