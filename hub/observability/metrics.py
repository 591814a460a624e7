"""Every metric of the house, named once; units are suffixes, label values come from enumerations only."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FAST_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("hotpass_http_requests_total", "HTTP requests answered", ("route", "method", "status"))
REQUEST_SECONDS = Histogram(
    "hotpass_http_request_seconds", "Time to answer an HTTP request", ("route",), buckets=FAST_SECONDS
)
REFUSALS = Counter("hotpass_refusals_total", "Requests refused", ("code",))
SECURITY_EVENTS = Counter("hotpass_security_events_total", "Security events noted", ("kind",))
SECURITY_EVENTS_DROPPED = Counter("hotpass_security_events_dropped_total", "Security events that were not written")

CHANGES_SEQUENCED = Counter("hotpass_changes_sequenced_total", "Changes given their place in the total order")
BATCH_CHANGES = Histogram(
    "hotpass_sequencer_batch_changes", "Changes per sequencer batch", buckets=(1, 2, 5, 10, 20, 50, 100, 500, 2000)
)
SEQUENCE_SECONDS = Histogram(
    "hotpass_commit_to_sequence_seconds", "From the write of a batch's first row to its place", buckets=FAST_SECONDS
)
LEADING = Gauge("hotpass_sequencer_leading", "1 while this process leads")
FENCED = Counter("hotpass_sequencer_fenced_total", "Times a leader found a newer term")

CHANGES_DELIVERED = Counter("hotpass_changes_delivered_total", "Changes that passed through this worker")
FRAMES_SENT = Counter("hotpass_frames_sent_total", "Change frames written to clients")
COMMIT_TO_FRAME_SECONDS = Histogram(
    "hotpass_commit_to_frame_seconds", "From a row's write to its frame, sampled", buckets=FAST_SECONDS
)
UNSEEN = Counter("hotpass_unseen_changes_total", "Changes in a topic whose kind has no view of them", ("kind",))
LOG_READS = Counter(
    "hotpass_worker_log_reads_total", "Times a worker read the change log in place of the stream", ("why",)
)
SUBSCRIPTIONS = Counter("hotpass_subscriptions_total", "Subscribe requests answered", ("kind", "outcome"))
SOCKETS = Gauge("hotpass_sockets", "Live sockets of this worker", multiprocess_mode="livesum")
FOLLOWERS = Gauge(
    "hotpass_topic_followers", "Clients of this worker by kind of topic", ("kind",), multiprocess_mode="livesum"
)
UNWATCHED_KITCHENS = Gauge(
    "hotpass_unwatched_kitchens", "Kitchens with orders in hand whose board nobody follows", multiprocess_mode="livemax"
)
SLOW_CLIENTS = Counter("hotpass_slow_clients_total", "Clients that passed their bound, once until they drain")
EVENTS_REFUSED = Counter("hotpass_socket_events_refused_total", "Events of live sockets refused by their rate")
REVOCATIONS = Counter("hotpass_revocations_total", "Topics taken away from live sockets", ("reason",))
POSITIONS = Counter("hotpass_positions_total", "Rider positions", ("outcome",))

LOOP_FAILURES = Counter("hotpass_loop_failures_total", "Times a loop that runs for ever had to begin again", ("loop",))
JOB_RUNS = Counter("hotpass_job_runs_total", "Runs of background jobs", ("job", "outcome"))
JOB_ITEMS = Counter("hotpass_job_items_total", "Rows touched by background jobs", ("job",))
OFFERS_MADE = Counter("hotpass_offers_made_total", "Offers made to riders")
