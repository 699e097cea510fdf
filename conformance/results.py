"""The frozen records that a run file is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class OutputResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One graded output.

    Attributes:
        grade: Name of the worst element's grade.
        ulp: Largest error against the truth, in ulp; None where one cannot be told (a NaN, a
            wrong shape, a missing output). An infinite answer counts as 2**(emax + 1).
        ratio: Largest error over the largest error that "coarse" allows; None likewise.
        policy: The policy whose truth it was graded against.
        ulps: Error of each element in C order, for outputs of at most 64 compared elements.
        dtype: The dtype returned.
        shape: The shape returned.
        bits: Raw little-endian bytes in hex, for outputs of at most 256 bytes.
        digest: SHA-256 of the raw bytes of larger ones.
        message: Why it is wrong, in a sentence.
    """

    grade: str
    ulp: float | None = None
    ratio: float | None = None
    policy: str | None = None
    ulps: Sequence[float | None] = ()
    dtype: str | None = None
    shape: Sequence[int] | None = None
    bits: str | None = None
    digest: str | None = None
    message: str | None = None


Status = Literal["passed", "failed", "deviates", "not_run"]


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="result"):
    """What became of one (case, adapter, device, dtype).

    Attributes:
        status: "deviates" is a known wrong answer; "not_run" carries its ``reason``.
        grade: Name of the worst output's grade; None when not run.
        outputs: Output name to its grading.
        raised: Type and message of an exception, whether due or not.
        reason: Why it was not run, or what is wrong.
        declined: Outputs that the case asks for and the adapter does not offer.
        deviation: The issue link of the deviation that it matches.
        since: The day on which that deviation was written down, ISO 8601.
        ms: Milliseconds; within a bulk evaluation, the group's time shared equally.
    """

    case: str
    sha256: str
    adapter: str
    device: str
    dtype: str
    status: Status
    grade: str | None = None
    outputs: Mapping[str, OutputResult] = {}
    raised: str | None = None
    reason: str | None = None
    deviation: str | None = None
    since: str | None = None
    declined: Sequence[str] = ()
    ms: float | None = None


class NotRun(msgspec.Struct, frozen=True, kw_only=True, tag="not_run"):
    """A whole (adapter, device) that was not run: the items it would have had, and why."""

    adapter: str
    device: str
    items: int
    reason: str


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header"):
    """What a run was made with, and on what.

    Attributes:
        format: "bce-conformance-run/1".
        started: UTC, ISO 8601.
        versions: Distribution name to version, of the suite and of each framework.
        machine: Facts such as "platform", "processor", "cores", "threads".
        devices: Device to its name, and for CUDA its driver.
        options: The options of the run, as given.
        corpus: Digest of all case digests.
        cases: How many cases the corpus has.
    """

    format: str
    started: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    devices: Mapping[str, str]
    options: Mapping[str, str]
    corpus: str
    cases: int


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag="footer"):
    """The end of a complete run: counts by status, and a digest of the lines above it."""

    counts: Mapping[str, int]
    digest: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read back; ``footer`` is None when it was cut short."""

    path: Path
    header: Header
    results: Sequence[Result]
    not_run: Sequence[NotRun] = field(default=())
    footer: Footer | None = None
