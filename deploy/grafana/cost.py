"""What it takes: processor, memory, disk, tokens; in all, and for a thousand lists."""

from deploy.grafana.panels import Row, lines, number

TITLE = "cost"
TELLS = "What each part uses, so that a price can be put on a thousand lists."
_LISTS = (
    'sum(rate(clickwise_recommend_seconds_count{job="clickwise-serve",stage="total"}'
    "[$__rate_interval]))"
)

ROWS = (
    Row(
        title="Now",
        panels=(
            number(
                "Cores in use", "All parts", "short",
                "sum(rate(clickwise_cpu_seconds_total[$__rate_interval]))",
            ),
            number("Memory", "All parts", "bytes", "sum(clickwise_memory_bytes)"),
            number(
                "CPU time per 1,000 lists", "Of all parts, events and trainings included", "s",
                "1000 * sum(rate(clickwise_cpu_seconds_total[$__rate_interval]))"
                f" / ({_LISTS} > 0)",
            ),
            number(
                "Tokens, one day", "Of the language model", "short",
                "sum(increase(clickwise_text_tokens_total[1d])) or vector(0)",
            ),
        ),
    ),
    Row(
        title="Over time",
        panels=(
            lines(
                "Cores by part", "", "short",
                ("sum by (part) (rate(clickwise_cpu_seconds_total[$__rate_interval]))",
                 "{{part}}"),
            ),
            lines(
                "Memory by part", "", "bytes",
                ("sum by (part) (clickwise_memory_bytes)", "{{part}}"),
            ),
            lines(
                "Disk in use", "Of the disk that holds the part's home", "percentunit",
                ("1 - clickwise_disk_free_bytes / clickwise_disk_size_bytes",
                 "{{part}} {{instance}}"), limit=0.85,
            ),
            lines(
                "Serving time per 1,000 lists", "CPU time of the servers alone", "s",
                (('1000 * sum(rate(clickwise_cpu_seconds_total{part="serve"}[$__rate_interval]))'
                 f" / ({_LISTS} > 0)"), "serve"),
            ),
            lines(
                "Tokens", "By kind; the day's budget is a setting", "short",
                ("sum by (kind) (rate(clickwise_text_tokens_total[$__rate_interval]))", "{{kind}}"),
            ),
            lines(
                "Texts encoded", "By servers and workers", "ops",
                ("sum(rate(clickwise_encoded_texts_total[$__rate_interval]))", "texts"),
            ),
        ),
    ),
)  # fmt: skip
