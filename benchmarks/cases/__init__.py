"""What is measured, one module for each kind of load."""

from benchmarks.cases import connections, fanout, growth, loading, saved
from benchmarks.figures import Case

CASES: dict[str, Case] = {
    case.name: case for case in (*fanout.CASES, *saved.CASES, *connections.CASES, *loading.CASES, *growth.CASES)
}
