"""From a request to a job: planning, checking, costing, and jobs that build on others.

Enters: what a client sent. Leaves: a queued job, or a problem document. Endpoints call it; it never loads torch.
"""
