"""Which model answers, how it came, how candidates fare beside it."""

from deploy.grafana.panels import Row, lines, number

TITLE = "models"
TELLS = "The model in use, trainings and the gate, trials, what a change of models costs."

ROWS = (
    Row(
        title="Now",
        panels=(
            number(
                "Age of the model", "Since it was made", "s",
                "time() - max(clickwise_model_created_timestamp_seconds)",
            ),
            number(
                "Live models", "More than 1 for long: a process has not come along", "short",
                "count(count by (version) (clickwise_model_info == 1))",
            ),
            number(
                "Passed the gate, one week", "Of the models that were trained", "short",
                'sum(increase(clickwise_gate_outcomes_total{outcome="passed"}[7d])) or vector(0)',
            ),
            number(
                "Answers of two models", "Refused; always 0", "short",
                "sum(clickwise_mixed_vectors_total)",
            ),
        ),
    ),
    Row(
        title="In use",
        panels=(
            lines(
                "Processes by model", "By its role", "short",
                ("sum by (role, version) (clickwise_releases_open_processes)",
                 "{{role}} {{version}}"),
            ),
            lines(
                "Swaps", "p99, from seeing another live model to answering with it", "s",
                ("histogram_quantile(0.99, sum by (le) (rate(clickwise_swap_seconds_bucket[1h])))",
                 "p99"),
            ),
            lines(
                "Profiles folded anew", "After a promotion", "ops",
                ("sum by (where) (rate(clickwise_rebuilt_profiles_total[$__rate_interval]))",
                 "{{where}}"),
                ("max(clickwise_rebuild_seen_profiles)", "looked at, all"),
            ),
            lines(
                "Index generations", "Number in use; builds of an hour", "short",
                ("max(clickwise_index_generation)", "generation"),
                ("sum(increase(clickwise_index_build_seconds_count[1h]))", "builds"),
            ),
        ),
    ),
    Row(
        title="Trainings and trials",
        panels=(
            lines(
                "The gate", "Outcomes of a day", "short",
                ("sum by (outcome) (increase(clickwise_gate_outcomes_total[1d]))", "{{outcome}}"),
            ),
            lines(
                "Time of a training", "On average, one day", "s",
                (("sum by (kind) (increase(clickwise_training_seconds_sum[1d]))"
                 " / sum by (kind) (increase(clickwise_training_seconds_count[1d]))"), "{{kind}}"),
            ),
            lines(
                "Canary", "Positive events per list, live and canary", "short",
                (("sum by (role) (rate(clickwise_trial_events_total[$__rate_interval]))"
                 " / sum by (role) (rate(clickwise_trial_answers_total[$__rate_interval]))"),
                 "{{role}}"),
            ),
            lines(
                "Shadow", "What its lists have in common with the answers, on average",
                "percentunit",
                (("sum(rate(clickwise_shadow_overlap_ratio_sum[$__rate_interval]))"
                 " / sum(rate(clickwise_shadow_overlap_ratio_count[$__rate_interval]))"),
                 "overlap"),
                (("sum(rate(clickwise_shadow_rank_correlation_sum[$__rate_interval]))"
                 " / sum(rate(clickwise_shadow_rank_correlation_count[$__rate_interval]))"),
                 "rank correlation"),
            ),
        ),
    ),
)  # fmt: skip
