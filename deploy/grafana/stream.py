"""The event door: lag, batches, dead letters, what is written, the archive."""

from deploy.grafana.panels import Row, lines, number, quantiles

TITLE = "stream"
TELLS = "Whether every message is applied once, and how far behind the workers are."

ROWS = (
    Row(
        title="Now",
        panels=(
            number("Messages not applied", "All topics", "short", "sum(clickwise_lag_messages)"),
            number(
                "Workers", "That answer Prometheus", "short",
                'sum(up{job="clickwise-stream"} or vector(0))',
            ),
            number(
                "Dead letters, one day", "See `clickwise dead-letters list`", "short",
                "sum(increase(clickwise_dead_letters_total[1d])) or vector(0)",
            ),
            number(
                "Partitions without a copy", "Fewer copies in step than there should be", "short",
                "max(clickwise_under_replicated_partitions)",
            ),
        ),
    ),
    Row(
        title="Workers",
        panels=(
            lines(
                "Lag by topic", "Messages not applied yet", "short",
                ("sum by (topic) (clickwise_lag_messages)", "{{topic}}"), limit=5_000.0,
            ),
            lines(
                "Lag by partition", "One that stands out: a worker is stuck, or a key is hot",
                "short", ("clickwise_lag_messages", "{{topic}} {{partition}}"),
            ),
            quantiles("Batches", "Folded and committed", "clickwise_batch_seconds", by="handler"),
            lines(
                "Messages in a batch", "On average", "short",
                (("sum by (handler) (rate(clickwise_batch_messages_sum[$__rate_interval]))"
                 " / sum by (handler) (rate(clickwise_batch_messages_count[$__rate_interval]))"),
                 "{{handler}}"),
            ),
            lines(
                "Conflicts", "Batches redone because somebody else wrote first", "ops",
                (("sum by (handler) (rate(clickwise_conflicts_total[$__rate_interval]))"
                 " or vector(0)"), "{{handler}}"),
            ),
            lines(
                "Guests merged", "By outcome", "ops",
                ("sum by (outcome) (rate(clickwise_merges_total[$__rate_interval])) or vector(0)",
                 "{{outcome}}"),
            ),
            lines(
                "Personal data masked", "In the text of items, by kind", "ops",
                ("sum by (kind) (rate(clickwise_masked_total[$__rate_interval])) or vector(0)",
                 "{{kind}}"),
            ),
            lines(
                "Profiles dropped", "Not seen for CLICKWISE_PROFILE_DAYS, in an hour", "short",
                ("sum(increase(clickwise_profiles_expired_total[1h])) or vector(0)", "profiles"),
            ),
            lines(
                "Dead letters", "By topic and reason", "ops",
                ("sum by (topic, reason) (rate(clickwise_dead_letters_total[$__rate_interval]))",
                 "{{topic}}: {{reason}}"),
            ),
        ),
    ),
    Row(
        title="Queues and topics",
        panels=(
            lines(
                "Entries waiting", "By queue", "short",
                ("sum by (queue) (clickwise_queue_length)", "{{queue}}"),
            ),
            lines(
                "Entries dropped", "Should be 0", "ops",
                ("sum by (queue) (rate(clickwise_dropped_total[$__rate_interval])) or vector(0)",
                 "{{queue}}"),
            ),
            lines(
                "Messages written", "By topic and outcome", "ops",
                ("sum by (topic, outcome) (rate(clickwise_published_total[$__rate_interval]))",
                 "{{topic}}: {{outcome}}"),
            ),
            lines(
                "Fields that no schema knows", "A producer sends something new", "ops",
                ("sum by (message) (rate(clickwise_unknown_fields_total[$__rate_interval]))",
                 "{{message}}"),
            ),
        ),
    ),
    Row(
        title="Archive",
        panels=(
            lines(
                "Behind", "Since it last held all that was there", "s",
                ("time() - max(clickwise_archive_complete_timestamp_seconds > 0)", "archive"),
                limit=3_600.0,
            ),
            lines(
                "Rows written", "By stream", "ops",
                ("sum by (stream) (rate(clickwise_archive_rows_total[$__rate_interval]))",
                 "{{stream}}"),
            ),
            lines(
                "Files", "Small ones are merged", "short",
                ("max by (stream) (clickwise_archive_files)", "{{stream}}"),
            ),
            lines(
                "Messages lost", "Forgotten by the log before they were archived", "short",
                ("sum(clickwise_archive_lost_total) or vector(0)", "lost"),
            ),
        ),
    ),
)  # fmt: skip
