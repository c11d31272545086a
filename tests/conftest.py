"""How the property tests search: the same examples in every run, unless a run is asked to look for new ones.

``TAPELOG_HYPOTHESIS=search`` draws fresh examples (the nightly tier does); what it finds becomes a fixed test.
"""

import os

from hypothesis import settings

settings.register_profile("repeat", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("TAPELOG_HYPOTHESIS", "repeat"))
