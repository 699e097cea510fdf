"""Reads the payload of a page, as columns.py and payload.py lay it out."""

from __future__ import annotations

import base64
import gzip
import json
import re
from itertools import accumulate, pairwise
from typing import Any


def payload(page: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The head of a page's payload, and its columns by name."""
    packed = re.search(r'id="payload">([^<]*)<', page)
    assert packed is not None
    raw = gzip.decompress(base64.b64decode(packed[1]))
    end = 4 + int.from_bytes(raw[:4], "little")
    head: dict[str, Any] = json.loads(raw[4:end])
    columns = {}
    for name, width, length in head["columns"]:
        planes = [raw[end + plane * length :][:length] for plane in range(width)]
        columns[name] = [int.from_bytes(number, "little") for number in zip(*planes, strict=True)]
        end += width * length
    assert len(raw) == end
    return head, columns


def details(page: str) -> list[dict[str, Any]]:
    """The details of each case."""
    _, columns = payload(page)
    raw = bytes(columns["details"])
    bounds = pairwise([0, *accumulate(columns["cases.detail"])])
    return [json.loads(raw[start:end]) for start, end in bounds]
