"""What the flags and policies of cases mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Sentence = Annotated[str, msgspec.Meta(min_length=1)]


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a flag or a policy means, why it matters, and where to read on."""

    means: Sentence
    matters: Sentence
    links: list[str] = []


@dataclass(frozen=True, slots=True)
class Glossary:
    """The flags and the policies that are explained, by name."""

    flags: Mapping[str, Explanation] = field(default_factory=dict)
    policies: Mapping[str, Explanation] = field(default_factory=dict)
