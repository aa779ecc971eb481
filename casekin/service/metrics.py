"""Requests counted and timed for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram's buckets."""


class Metrics:
    """Counts and durations of requests, by route, method and class of status."""

    def __init__(self) -> None:
        # A registry of its own: in the global one only the first application of a process would be counted.
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._requests = Counter(
            "http_requests_total", "Requests answered", ("handler", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request to the end of its answer",
            ("handler", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        """By route, method and class of status: looking labels up anew costs more than counting."""

    def observe(self, handler: str, method: str, status: int, seconds: float) -> None:
        """Count a request to the route `handler`, a template as ``/v1/cases/{case_id}``."""
        key = (handler, method, status // 100)
        if (found := self._children.get(key)) is None:
            found = (
                self._requests.labels(handler, method, f"{status // 100}xx"),
                self._seconds.labels(handler, method),
            )
            self._children[key] = found
        count, duration = found
        count.inc()
        duration.observe(seconds)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
