"""Turns the name of an issue into its address."""

from __future__ import annotations

import re

REPOSITORIES = {
    "pytorch": "pytorch/pytorch",
    "ignite": "pytorch/ignite",
    "lightning": "Lightning-AI/pytorch-lightning",
    "keras": "keras-team/keras",
    "tensorflow": "tensorflow/tensorflow",
    "paddle": "PaddlePaddle/Paddle",
    "mlx": "ml-explore/mlx",
}
_issue = re.compile(r"([a-z]+)#([0-9]+)")


def link(source: str) -> str | None:
    """The https address of ``source``, "pytorch#195529" or an address; None for other text."""
    if source.startswith("https://"):
        return source
    match = _issue.fullmatch(source)
    if match is None or match[1] not in REPOSITORIES:
        return None
    return f"https://github.com/{REPOSITORIES[match[1]]}/issues/{match[2]}"
