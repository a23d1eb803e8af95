"""Golden bytes that Python and TypeScript both read; the scripts beside them make them."""

import json
from pathlib import Path
from typing import Any


def read_vectors(name: str) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return vectors
