"""What is known of data: profiles of columns, kinds inferred from them, checks of requests, giveaways.

Enters: tables and requests. Leaves: profiles, problems and warnings. Reads ``columns`` and ``sources``.
"""
