"""Jobs in the store: submit, claim, hold, move between states, settle, delete; and their events.

Enters: requests of faces and of lease holders. Leaves: records. Every write of a holder first proves its lease.
"""
