"""How metrics leave a process of several workers: shared files while it runs, one text for Prometheus."""

from __future__ import annotations

import os
import tempfile


def share_between_workers() -> None:
    """Let all workers of this process count together. Must run before anything imports `prometheus_client`."""
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="hotpass-metrics-"))


def exposition() -> bytes:
    """Every metric of this process and its workers, in Prometheus' text format."""
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
