"""Where documents rest: an append-only log of updates and a snapshot each. Only bytes and numbers pass here."""
