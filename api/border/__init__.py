"""The service's edge, one idea a file: half-sent requests are cut, HEAD asks as GET does.

Enters: connections and ASGI messages. Leaves: requests for the application. ``app`` and ``__main__`` put it together;
``access`` says who may come in and ``security`` what.
"""
