"""Do readers get answers: promises, requests, stages, what fell back."""

from deploy.grafana.panels import Row, lines, number, quantiles

TITLE = "service"
TELLS = "Whether readers get their lists, in time and whole."
_API = 'route=~".* /v1/.*"'
_ANSWERS = 'sum(rate(clickwise_recommend_seconds_count{stage="total"}[$__rate_interval]))'

ROWS = (
    Row(
        title="Promises",
        panels=(
            number(
                "Servers that answer", "0: nobody is served", "short",
                'sum(up{job="clickwise-serve"} or vector(0))',
            ),
            number(
                "Lists a second", "What readers ask for", "reqps",
                'sum(rate(clickwise_recommend_seconds_count{job="clickwise-serve",stage="total"}'
                "[$__rate_interval]))",
            ),
            number(
                "Least budget left", "Of the 30 days' error budgets; below 0: a promise is broken",
                "percentunit", "min(clickwise:slo_budget_left:ratio)",
            ),
            number(
                "Alerts that fire", "Each has its section in docs/runbook.md", "short",
                'count(ALERTS{alertstate="firing"}) or vector(0)',
            ),
            lines(
                "Error budget left", "By promise, of 30 days", "percentunit",
                ("clickwise:slo_budget_left:ratio", "{{slo}}"),
            ),
            lines(
                "Bad events, one hour", "docs/monitoring.md says what each promise allows",
                "percentunit", ("clickwise:slo_errors:ratio_rate1h", "{{slo}}"),
            ),
        ),
    ),
    Row(
        title="Requests",
        panels=(
            lines(
                "Requests by route", "", "reqps",
                (f"sum by (route) (rate(clickwise_requests_total{{{_API}}}[$__rate_interval]))",
                 "{{route}}"),
            ),
            lines(
                "Requests by status", "429, 503: more than it can do; other 5xx: faults", "reqps",
                (f"sum by (status) (rate(clickwise_requests_total{{{_API}}}[$__rate_interval]))",
                 "{{status}}"),
            ),
            lines(
                "Refused requests", "No key, a wrong one, too much, malformed: the audit log",
                "reqps",
                ("sum by (reason) (rate(clickwise_refused_requests_total[$__rate_interval]))",
                 "{{reason}}"),
            ),
            quantiles(
                "Time to answer a list", "The promise: 99 % within 100 ms",
                "clickwise_request_seconds", only='{route=~".*recommendations"}',
            ),
            quantiles(
                "Stages of a list", "Where the time goes", "clickwise_recommend_seconds", by="stage"
            ),
            lines(
                "In flight", "Requests and streams now", "short",
                ("sum(clickwise_requests_in_flight)", "requests"),
                ("sum(clickwise_streams_open)", "streams"),
            ),
        ),
    ),
    Row(
        title="Less than whole",
        panels=(
            lines(
                "Degraded answers", "Share of answers in which a stage fell back, by cause",
                "percentunit",
                (("sum by (cause) (rate(clickwise_degraded_total[$__rate_interval]))"
                  f" / scalar({_ANSWERS})"),
                 "{{cause}}"),
                limit=0.05,
            ),
            lines(
                "Empty answers", "By cause", "reqps",
                ("sum by (cause) (rate(clickwise_empty_answers_total[$__rate_interval]))",
                 "{{cause}}"),
            ),
            lines(
                "Faults", "By kind and place", "ops",
                ("sum by (kind, where) (rate(clickwise_errors_total[$__rate_interval]))",
                 "{{kind}} in {{where}}"),
            ),
            lines(
                "What it stands on", "1 while it answers every process", "short",
                ("min by (dependency) (clickwise_dependency_up)", "{{dependency}}"),
            ),
            lines(
                "Time since the start", "Of each process; it falls with a new start", "s",
                ("time() - clickwise_start_timestamp_seconds", "{{job}} {{instance}}"),
            ),
        ),
    ),
)  # fmt: skip
