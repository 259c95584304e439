"""Which device a training runs on, and the way there; whatever is drawn is drawn on the CPU."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from core.errors import InputError

DEVICES = ("auto", "cpu", "cuda")
CPU = torch.device("cpu")
T = TypeVar("T")


def device_named(name: str) -> torch.device:
    """One of DEVICES -> the device; ``auto`` takes a GPU when there is one.

    Raises:
        InputError: for another name, and for ``cuda`` where torch finds no GPU.
    """
    if name not in DEVICES:
        raise InputError(f"There is no device {name!r}.", mend=f"Use {', '.join(DEVICES)}.")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("torch finds no GPU here.", mend="Use --device cpu, or auto.")
    return torch.device("cuda") if there and name != "cpu" else CPU


def moved(tree: T, device: torch.device) -> T:
    """The same tensor, tuple, mapping or dataclass with every tensor in it on ``device``."""
    if isinstance(tree, Tensor):
        return cast(T, tree.to(device))
    if isinstance(tree, tuple):
        parts = [moved(part, device) for part in tree]
        made: Any = type(tree)
        return cast(T, made(*parts) if hasattr(tree, "_fields") else made(parts))
    if isinstance(tree, dict):
        return cast(T, {key: moved(value, device) for key, value in tree.items()})
    if is_dataclass(tree) and not isinstance(tree, type):
        kept = {f.name: moved(getattr(tree, f.name), device) for f in fields(tree) if f.init}
        return type(tree)(**kept)
    return tree
