"""collabdoc beside its peers: `python -m benchmarks.run` (README.md says what is measured and how)."""
