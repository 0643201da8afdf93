"""How soon a click changes what is shown."""

from deploy.grafana.panels import Row, lines, number, quantiles

TITLE = "freshness"
TELLS = "From an event to the profile that holds it, and to the first list that rests on it."
_PROFILE = "clickwise_event_to_profile_seconds"
_LIST = "clickwise_event_to_recommendation_seconds"

ROWS = (
    Row(
        title="Now",
        panels=(
            number(
                "Event to profile, p99", "From receipt; the promise: within 1 s", "s",
                f'histogram_quantile(0.99, sum by (le) (rate({_PROFILE}_bucket{{since="receipt"}}'
                "[$__rate_interval])))",
            ),
            number(
                "Event to list, p99", "From receipt to the next answer that its user asked for",
                "s",
                f'histogram_quantile(0.99, sum by (le) (rate({_LIST}_bucket{{since="receipt"}}'
                "[$__rate_interval])))",
            ),
            number(
                "Within a second", "Share of events, one hour", "percentunit",
                '1 - clickwise:slo_errors:ratio_rate1h{slo="freshness"}',
            ),
            number(
                "Messages not applied", "All topics", "short", "sum(clickwise_lag_messages)"
            ),
        ),
    ),
    Row(
        title="Over time",
        panels=(
            quantiles(
                "Event to profile", "receipt: our part; event: with the producer's delay", _PROFILE,
                by="since",
            ),
            quantiles(
                "Event to list", "As above; it waits for the user to ask", _LIST, by="since"
            ),
            lines(
                "Events by outcome", "stale: older than the window; duplicate: known id", "ops",
                ("sum by (outcome) (rate(clickwise_events_total[$__rate_interval]))",
                 "{{outcome}}"),
            ),
            lines(
                "Events by type", "Applied ones", "ops",
                (('sum by (type) (rate(clickwise_events_total{outcome="applied"}'
                 "[$__rate_interval]))"), "{{type}}"),
            ),
            lines(
                "Items in the index", "And those not in the built generation yet", "short",
                ("max(clickwise_items)", "items"),
                ("max(clickwise_index_delta_items)", "in the delta"),
            ),
            quantiles("Encoding", "New items by stage", "clickwise_encoder_seconds", by="stage"),
        ),
    ),
)  # fmt: skip
