"""What is measured, one module for each kind of load."""

from benchmarks.cases import fanout, saved
from benchmarks.figures import Case

CASES: dict[str, Case] = {case.name: case for case in (*fanout.CASES, *saved.CASES)}
