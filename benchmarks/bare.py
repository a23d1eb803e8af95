"""pycrdt by itself: `bare.py open|loaded UPDATE...` loads each file into a document and prints JSON."""

import json
import sys
import time
from pathlib import Path

from pycrdt import Doc, Text

ROLLUP = Path("/proc/self/smaps_rollup")


def load(update: bytes) -> Doc[Text]:
    doc = Doc[Text]()
    doc.apply_update(update)
    return doc


def pss_bytes() -> int:
    line = next(line for line in ROLLUP.read_text().splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def main(what: str, *files: str) -> None:
    updates = [Path(file).read_bytes() for file in files]
    load(updates[0] if what == "loaded" else b"\x00\x00")
    before_bytes, began_s = pss_bytes(), time.perf_counter()
    docs = [load(update) for update in updates]
    took_s, after_bytes = time.perf_counter() - began_s, pss_bytes()
    print(json.dumps({"documents": len(docs), "took_s": took_s, "bytes": after_bytes - before_bytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
