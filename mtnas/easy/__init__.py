"""From a table to a searched network in five lines, in this process and without a service.

Enters: a pandas, polars or pyarrow table, and the tasks. Leaves: predictions, a report, a route, an exported module.
The outermost face beside the command line: it reads ``run``, ``export`` and the catalogue ``search_spaces``.
"""

from mtnas.easy.local_job import Finished, run_locally
from mtnas.easy.route_search import RouteSearch

__all__ = ["Finished", "RouteSearch", "run_locally"]
