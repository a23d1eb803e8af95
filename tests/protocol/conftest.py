"""Hypothesis without deadlines: on a busy machine one slow example is no bug. Time is held where a test says so."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
