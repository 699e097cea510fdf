"""The frozen records that a run file is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


GradeName = Annotated[str, msgspec.Meta(pattern=r"\A(?:exact|faithful|accurate|coarse|wrong)\Z")]
"""The name of a model.Grade; whoever reads a run file may rely on it."""

Hex = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{2})*\Z")]
"""Whole bytes."""

NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""As far as every reader of JSON counts without a gap."""


# gc=False: the records of a run are many, and none can be part of a cycle.
class OutputResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
        bits: Raw little-endian bytes in hex, for outputs of at most 256 bytes, or 8,192 of a job.
        digest: SHA-256 of the raw bytes of larger ones.
        message: Why it is wrong, in a sentence.
    """

    grade: GradeName
    ulp: NonNegative | None = None
    ratio: NonNegative | None = None
    policy: str | None = None
    ulps: Annotated[Sequence[NonNegative | None], msgspec.Meta(max_length=64)] = ()
    dtype: str | None = None
    shape: Sequence[Count] | None = None
    bits: Hex | None = None
    digest: Hex | None = None
    message: str | None = None


Status = Literal["passed", "failed", "deviates", "not_run"]
Fault = Literal["broken", "crashed", "timed_out"]


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="result"):
    """What became of one (case, adapter, device, dtype).

    Attributes:
        status: "deviates" is a known wrong answer; "not_run" carries its ``reason``.
        grade: Name of the worst output's grade; None when not run.
        outputs: Output name to its grading.
        raised: Type and message of an exception, whether due or not.
        fault: What kept the adapter from giving an answer at all; no deviation excuses it.
        repeated: How often it was asked in this run, where that is more than once; the worst of
            the answers is the one told of here.
        varied: Of a question asked more than once, the outputs whose bits were not the same each
            time; "an error" where only some of the answers were one.
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
    grade: GradeName | None = None
    outputs: Mapping[str, OutputResult] = {}
    raised: str | None = None
    fault: Fault | None = None
    repeated: Annotated[int, msgspec.Meta(ge=2, le=2**53)] | None = None
    varied: Sequence[str] = ()
    reason: str | None = None
    deviation: str | None = None
    since: str | None = None
    declined: Sequence[str] = ()
    ms: NonNegative | None = None


class NotRun(msgspec.Struct, frozen=True, kw_only=True, tag="not_run"):
    """A whole (adapter, device) that was not run: the items it would have had, and why."""

    adapter: str
    device: str
    items: Count
    reason: str


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header"):
    """What a run was made with, and on what.

    Attributes:
        format: "bce-conformance-run/1".
        started: UTC, ISO 8601.
        versions: Distribution name to version, of the suite and of each framework.
        machine: Facts such as "platform", "processor", "cores", "threads".
        devices: Device to its name, and for CUDA its driver.
        settings: Device to what else may change the numbers that it gives, such as the versions of
            driver and libraries, and whether TF32 or only deterministic algorithms are allowed.
        options: The options of the run, as given.
        corpus: Digest of all case digests.
        cases: How many cases the corpus has.
    """

    format: str
    started: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    devices: Mapping[str, str]
    settings: Mapping[str, Mapping[str, str]] = {}
    options: Mapping[str, str]
    corpus: str
    cases: Count


class Footer(msgspec.Struct, frozen=True, kw_only=True, tag="footer"):
    """The end of a complete run: counts by status, and a digest of the lines above it."""

    counts: Mapping[str, Count]
    digest: str


class Merged(msgspec.Struct, frozen=True, kw_only=True, tag="merged"):
    """The beginning of a file that holds several runs, each whole, from its header on.

    Attributes:
        format: That of the runs.
        runs: How many follow.
    """

    format: str
    runs: Count


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read back; ``footer`` is None when it was cut short.

    Runs that were merged into one file have its path in common.
    """

    path: Path
    header: Header
    results: Sequence[Result]
    not_run: Sequence[NotRun] = field(default=())
    footer: Footer | None = None


def version_of(header: Header, adapter: str) -> str:
    """The version behind an adapter, without its local part ("+cpu"); "" if the header has none.

    It is looked up by the adapter's own name, then by "pytorch-" + name, then likewise by what
    stands before a colon or a hyphen: that of "torch:module" is torch's.
    """
    head = adapter.partition(":")[0].partition("-")[0]
    names = (adapter, f"pytorch-{adapter}", head, f"pytorch-{head}")
    version = next((header.versions[name] for name in names if name in header.versions), "")
    return version.partition("+")[0]
