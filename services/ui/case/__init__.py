"""One case beside the query."""
