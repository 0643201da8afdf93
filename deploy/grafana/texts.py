"""What is understood of items, and what is written for their readers."""

from deploy.grafana.panels import Row, lines, number, quantiles

TITLE = "texts"
TELLS = "Understanding and writing, both off the request path: what waits, what was refused."

ROWS = (
    Row(
        title="Now",
        panels=(
            number(
                "Breaker", "0 closed, 1 one try, 2 the language model is left alone", "short",
                "max(clickwise_text_breaker_state)",
            ),
            number(
                "Texts to write", "Items whose texts are not made yet", "short",
                "max(clickwise_text_backlog_items)",
            ),
            number(
                "Items to understand", "Counted once a minute", "short",
                "max(clickwise_understanding_backlog_items)",
            ),
            number(
                "Tokens left today", "Of the budget; 0: nothing is written until midnight UTC",
                "short", "max(clickwise_text_budget_tokens)",
            ),
        ),
    ),
    Row(
        title="Writing",
        panels=(
            lines(
                "Drafts", "By what the gate said", "ops",
                ("sum by (outcome) (rate(clickwise_texts_total[$__rate_interval]))", "{{outcome}}"),
            ),
            lines(
                "Words that items were shown with", "By whose they are", "ops",
                ("sum by (shown) (rate(clickwise_texts_shown_total[$__rate_interval]))",
                 "{{shown}}"),
            ),
            quantiles(
                "Calls of the language model", "By outcome", "clickwise_text_seconds", by="outcome"
            ),
            lines(
                "Calls that came to nothing", "By kind", "ops",
                (("sum by (kind) (rate(clickwise_text_failures_total[$__rate_interval]))"
                 " or vector(0)"), "{{kind}}"),
            ),
            lines(
                "Kept", "Texts of items that changed and said the same; held in memory", "short",
                ("sum(clickwise_text_cache_hits_total)", "kept"),
                ("max(clickwise_texts_held_items)", "held"),
            ),
        ),
    ),
    Row(
        title="Understanding",
        panels=(
            lines(
                "Items understood", "By outcome", "ops",
                ("sum by (outcome) (rate(clickwise_understood_items_total[$__rate_interval]))",
                 "{{outcome}}"),
                ("sum(rate(clickwise_retold_items_total[$__rate_interval]))",
                 "topics told anew"),
            ),
            quantiles("Time of an item", "Not a reader's", "clickwise_understanding_seconds"),
            lines(
                "Processes that work", "By work; 1 of all that share a database", "short",
                ("sum by (work) (clickwise_lease_held)", "{{work}}"),
            ),
        ),
    ),
)  # fmt: skip
