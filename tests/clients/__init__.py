"""Clients of other makers and our own provider as a package, each as a project of its own would have it."""
