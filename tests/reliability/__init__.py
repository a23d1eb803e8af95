"""Programs that try to break the promises, each with a short form that runs as a test."""
