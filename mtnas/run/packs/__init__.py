"""From planned trials to outcomes: plan -> pack -> run -> outcome.

Enters: trials as planned (``planned``), sized (``sizing``) and put together (``packing``). Leaves: outcomes.
``pack_task`` travels to an executor, ``execute`` does it there, ``pack_events`` return; phases call ``train_planned``.
"""
