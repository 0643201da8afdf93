"""Are the lists good: clicks, coverage, diversity, new items, sources."""

from deploy.grafana.panels import Row, lines, number

TITLE = "quality"
TELLS = "What readers do with their lists, and what the lists are made of."
# Lists that stream workers publish are not seen until somebody takes them: they do not count.
_SHOWN = 'clickwise_shown_items_total{job="clickwise-serve"'
_TOPICS = 'clickwise_page_topics_ratio{}{{job="clickwise-serve"}}[$__rate_interval]'
_CLICKS = (
    'sum(rate(clickwise_followed_events_total{type="click"}[1d]))'
    f" / (sum(rate({_SHOWN}}}[1d])) > 0)"
)
_COVERAGE = 'max(clickwise_shown_distinct_items{job="clickwise-serve"}) / max(clickwise_items > 0)'
_NEW = (
    f'sum(rate({_SHOWN},age="new"}}[$__rate_interval]))'
    f" / (sum(rate({_SHOWN}}}[$__rate_interval])) > 0)"
)
_DIVERSITY = f"sum(rate({_TOPICS.format('_sum')})) / (sum(rate({_TOPICS.format('_count')})) > 0)"

ROWS = (
    Row(
        title="Now",
        panels=(
            number(
                "Click-through, one day",
                "Clicks that name the list which showed their item, of all items shown. Producers"
                " have to send `request`",
                "percentunit", _CLICKS,
            ),
            number(
                "Coverage",
                "Distinct items among the last 10,000 places of one process, of all items",
                "percentunit", _COVERAGE,
            ),
            number(
                "Diversity", "Distinct first topics of a page, to its items that have one",
                "percentunit", _DIVERSITY,
            ),
            number("New items", "Share of places, published within a day", "percentunit", _NEW),
        ),
    ),
    Row(
        title="Over time",
        panels=(
            lines(
                "Followed", "Events of interest per item shown, by type", "percentunit",
                (("sum by (type) (rate(clickwise_followed_events_total[$__rate_interval]))"
                 f" / scalar(sum(rate({_SHOWN}}}[$__rate_interval])))"), "{{type}}"),
            ),
            lines("Coverage", "Of the catalogue", "percentunit", (_COVERAGE, "coverage")),
            lines(
                "Diversity and new items", "Shares", "percentunit",
                (_DIVERSITY, "diversity"), (_NEW, "new items"),
            ),
            lines(
                "Candidates by source", "Where lists come from", "ops",
                (('sum by (source) (rate(clickwise_candidates_total{job="clickwise-serve"}'
                 "[$__rate_interval]))"), "{{source}}"),
            ),
            lines(
                "Items shown", "By age", "ops",
                (f"sum by (age) (rate({_SHOWN}}}[$__rate_interval]))", "{{age}}"),
            ),
            lines(
                "Dislikes and hides", "Of applied events", "percentunit",
                (('sum(rate(clickwise_events_total{type=~"dislike|hide",outcome="applied"}'
                 '[$__rate_interval])) / sum(rate(clickwise_events_total{outcome="applied"}'
                 "[$__rate_interval]))"), "against"),
            ),
        ),
    ),
)  # fmt: skip
