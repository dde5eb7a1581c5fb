"""From encoded rows to batches on a device: in memory, streamed from disk, or by tasks that own their rows.

Enters: ``EncodedData``. Leaves: batches. Everything in ``training`` may read it; it reads ``data`` alone.
"""
