"""What small jobs leave out whose tests are about something else than models of one task.

tests/run/task_models and tests/run/phases/test_ensemble.py have these; growing trees takes longer than a small search.
"""

NO_MODELS = {"boosted_trees": False, "linear_models": False}
