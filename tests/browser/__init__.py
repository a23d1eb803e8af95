"""The pages in a real browser, against a server in a process of its own, with a line that can be cut between them."""
