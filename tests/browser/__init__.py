"""The pages in a real browser, against a server in a process of its own, with a line that can be cut between them."""

import pytest

# So that its assertions tell what they saw.
pytest.register_assert_rewrite("tests.browser.story")
