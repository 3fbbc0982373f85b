"""What the web process counts as it happens. Labels have few values: no ids, no paths, no names of people or files."""

from prometheus_client import CollectorRegistry, Counter, Gauge, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

REQUESTS = Counter(
    "transcribe_requests", "Requests answered (status 0: the client left).", ["method", "status"], registry=REGISTRY
)
SOCKETS = Gauge("transcribe_sockets_open", "Live pages that this process serves.", registry=REGISTRY)
UPLOADS = Gauge("transcribe_uploads_in_flight", "Requests that carry a recording in at this moment.", registry=REGISTRY)
UPLOADED_BYTES = Counter("transcribe_uploaded_bytes", "Bytes of such requests that came.", registry=REGISTRY)
