"""Commands for whoever runs a service: its database, and whether all is well.

Enters: the folder of the service's state. Leaves: text and exit statuses. They work without the service.
"""
