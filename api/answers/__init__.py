"""From the store to what a client sees where that is more than a row: catalogues, fronts, event streams.

Enters: the store. Leaves: messages of ``mtnas.messages``. Endpoints call it.
"""
