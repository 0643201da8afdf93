"""The Helm chart: valid for the newest Kubernetes, closed, and true to the program."""

import json

import kubernetes_validate
import pytest
import yaml

from deploy.prometheus.rule import ADDRESS
from deploy.settings_schema import SCHEMA, with_names
from tests.deploy.files import DEPLOY, refusal, settings_of

VERSIONS = ("1.35", "1.36", "1.37")
FOREIGN = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1"}  # kinds of operators
KINDS_OF_VALUES = {
    "as they are": {},
    "by KEDA and CPU": {
        "serve.scaling.by": "in-flight",
        "serve.scaling.prometheus": "http://prometheus:9090",
        "stream.scaling.by": "cpu",
        "monitoring.enabled": "true",
    },
    "in stores, with certificates and cards": {
        "shared.enabled": "false",
        "settings.CLICKWISE_ARCHIVE_URL": "s3://site/archive",
        "settings.CLICKWISE_BUNDLES_URL": "s3://site/bundles",
        "settings.CLICKWISE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "kafkaCaSecret": "kafka-ca",
        "image.registry": "registry.example/shop/",
        "image.pullSecrets[0]": "puller",
        "train.processes": "4",
        "train.nodeSelector.accelerator": "h100",
        "networkPolicy.clients[0].podSelector.matchLabels.app": "site",
        "networkPolicy.destinations[0].ipBlock.cidr": "10.0.0.0/8",
        "extraVolumes[0].name": "topics",
        "extraVolumes[0].configMap.name": "site-topics",
        "extraVolumeMounts[0].name": "topics",
        "extraVolumeMounts[0].mountPath": "/etc/clickwise/files",
        "extraVolumeMounts[0].readOnly": "true",
        "settings.CLICKWISE_TAXONOMY": "/etc/clickwise/files/topics.toml",
    },
    "as little as can be": {
        "serve.scaling.by": "none",
        "stream.scaling.by": "none",
        "train.enabled": "false",
        "networkPolicy.enabled": "false",
        "migrate.enabled": "false",
        "topics.create": "false",
    },
}
every_kind = pytest.mark.parametrize("values", KINDS_OF_VALUES.values(), ids=KINDS_OF_VALUES)


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def pods(objects):
    """The pod template of each thing that runs, by its name."""
    found = {}
    for one in of_kind(objects, "Deployment", "Job", "CronJob"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        found[one["metadata"]["name"]] = spec["template"]
    return found


def container(pod):
    (only,) = pod["spec"]["containers"]
    return only


def environment(pod):
    return {one["name"]: one.get("value") for one in container(pod)["env"]}


def test_the_chart_passes_its_linter(helm):
    done = helm.lint()

    assert done.returncode == 0, done.stdout + done.stderr


@every_kind
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_of_this_kubernetes(helm, version, values):
    objects = helm.template(f"{version}.0", **values)

    assert isinstance(objects, list), objects
    for one in objects:
        if one["apiVersion"] not in FOREIGN:
            kubernetes_validate.validate(one, version, strict=True)


def test_these_are_the_newest_versions_whose_schemas_are_known():
    known = kubernetes_validate.__version__.split(".")[:2]

    assert ".".join(known) == VERSIONS[-1]


@every_kind
def test_every_container_runs_a_command_of_the_program(helm, values):
    found = pods(helm.template(**values))

    assert found
    for name, pod in found.items():
        command = container(pod).get("command", [])
        if command:  # torchrun, on the same module
            assert command[0] == "torchrun", name
            assert command[-2:] == ["-m", "clickwise.cli"]
        assert not refusal(container(pod)["args"]), name


@every_kind
def test_every_setting_is_known_and_within_its_bounds(helm, values):
    for pod in pods(helm.template(**values)).values():
        given = {name: value for name, value in environment(pod).items() if value is not None}
        secret = {"CLICKWISE_KAFKA_USERNAME": "site", "CLICKWISE_KAFKA_PASSWORD": "secret"}

        settings = settings_of({**given, **secret})

        assert settings.kafka_bootstrap == "kafka-0:9092,kafka-1:9092"
        assert settings.archive_url
        assert settings.bundles_url


@every_kind
def test_secrets_come_by_reference_alone(helm, values):
    objects = helm.template(**values)

    assert not of_kind(objects, "Secret")
    for pod in pods(objects).values():
        for one in container(pod)["env"]:
            is_secret = one["name"] in {
                "CLICKWISE_API_KEYS", "CLICKWISE_DATABASE_URL", "CLICKWISE_QDRANT_API_KEY",
                "CLICKWISE_KAFKA_USERNAME", "CLICKWISE_KAFKA_PASSWORD", "CLICKWISE_TEXTS_KEY",
                "CLICKWISE_METRICS_KEYS",
            }  # fmt: skip
            assert is_secret == ("valueFrom" in one), one["name"]


@every_kind
def test_no_pod_is_root_or_writes_outside_its_volumes(helm, values):
    for name, pod in pods(helm.template(**values)).items():
        spec, security = pod["spec"], container(pod)["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not security["allowPrivilegeEscalation"]
        assert not spec["automountServiceAccountToken"]
        places = {one["mountPath"] for one in container(pod)["volumeMounts"]}
        assert {"/var/lib/clickwise", "/tmp"} <= places
        assert {one["name"] for one in container(pod)["volumeMounts"]} == {
            one["name"] for one in spec["volumes"]
        }


def test_files_that_settings_name_are_in_every_pod(helm):
    for pod in pods(
        helm.template(**KINDS_OF_VALUES["in stores, with certificates and cards"])
    ).values():
        (mount,) = [one for one in container(pod)["volumeMounts"] if one["name"] == "topics"]
        (volume,) = [one for one in pod["spec"]["volumes"] if one["name"] == "topics"]

        assert volume == {"name": "topics", "configMap": {"name": "site-topics"}}
        assert mount["readOnly"]
        assert environment(pod)["CLICKWISE_TAXONOMY"].startswith(f"{mount['mountPath']}/")


def test_no_pod_is_given_variables_of_services(helm):
    # Those of the Service site-serve or clickwise-serve would be CLICKWISE_SERVE_..., and stop it.
    for pod in pods(helm.template()).values():
        assert pod["spec"]["enableServiceLinks"] is False


def test_every_probe_asks_a_port_and_an_address_that_are_there(helm):
    addresses = {"http": {"/healthz", "/readyz"}, "metrics": {"/metrics"}}
    for pod in pods(helm.template()).values():
        only = container(pod)
        ports = {one["name"]: one["containerPort"] for one in only.get("ports", ())}
        settings = settings_of(
            {name: value for name, value in environment(pod).items() if value is not None}
        )
        listens = {settings.port, settings.stream_metrics_port, settings.archive_metrics_port}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if kind in only:
                asked = only[kind]["httpGet"]
                assert asked["path"] in addresses[asked["port"]]
                assert ports[asked["port"]] in listens


def test_what_runs_all_the_time_is_probed(helm):
    for one in of_kind(helm.template(), "Deployment"):
        assert {"startupProbe", "livenessProbe"} <= container(one["spec"]["template"]).keys()


def test_tables_and_topics_are_made_before_pods_are_replaced_in_that_order(helm):
    jobs = {one["metadata"]["name"]: one for one in of_kind(helm.template(), "Job")}
    notes = {name: one["metadata"]["annotations"] for name, one in jobs.items()}

    assert all(one["helm.sh/hook"] == "pre-install,pre-upgrade" for one in notes.values())
    assert container(pods(jobs.values())["site-migrate"])["args"] == ["migrate"]
    assert container(pods(jobs.values())["site-topics"])["args"] == ["topics", "create"]
    weights = [int(notes[name]["helm.sh/hook-weight"]) for name in ("site-migrate", "site-topics")]
    assert weights == sorted(weights)


@every_kind
def test_a_hook_needs_nothing_that_the_release_makes(helm, values):
    for one in of_kind(helm.template(**values), "Job"):
        for volume in one["spec"]["template"]["spec"]["volumes"]:
            assert "persistentVolumeClaim" not in volume
        assert "serviceAccountName" not in one["spec"]["template"]["spec"]


def test_every_selector_finds_the_pods_that_it_means(helm):
    objects = helm.template(**{"monitoring.enabled": "true"})
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}

    def found(selector):
        wanted = selector.get("matchLabels", selector).items()
        return {name for name, has in labels.items() if wanted <= has.items()}

    (service,) = of_kind(objects, "Service")
    assert found(service["spec"]["selector"]) == {"site-serve"}
    for one in of_kind(objects, "Deployment", "PodDisruptionBudget", "PodMonitor"):
        assert found(one["spec"]["selector"]) == {one["metadata"]["name"]}


def test_stream_workers_follow_the_lag_of_their_own_topic_and_group(helm):
    (scaled,) = of_kind(
        helm.template(**{
            "settings.CLICKWISE_KAFKA_TOPIC_PREFIX": "shop",
            "settings.CLICKWISE_KAFKA_GROUP": "shop-workers",
        }),
        "ScaledObject",
    )  # fmt: skip

    (trigger,) = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"] == {"name": "site-stream"}
    assert trigger["type"] == "kafka"
    assert trigger["metadata"]["topic"] == "shop.events"
    assert trigger["metadata"]["consumerGroup"] == "shop-workers"
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_a_sites_workers_follow_the_lag_of_the_sites_own_topic_and_group(helm):
    (scaled,) = of_kind(helm.template(**{"settings.CLICKWISE_SITE": "books"}), "ScaledObject")
    settings = settings_of({"CLICKWISE_SITE": "books"})

    found = scaled["spec"]["triggers"][0]["metadata"]
    assert found["topic"] == f"{settings.kafka_topic_prefix}.events" == "clickwise.books.events"
    assert found["consumerGroup"] == settings.kafka_group == "clickwise-streams.books"


def test_without_a_prefix_the_lag_is_that_of_the_default_topic_and_group(helm):
    (scaled,) = of_kind(helm.template(), "ScaledObject")
    settings = settings_of({})

    found = scaled["spec"]["triggers"][0]["metadata"]
    assert found["topic"] == f"{settings.kafka_topic_prefix}.events"
    assert found["consumerGroup"] == settings.kafka_group


def test_serving_pods_follow_their_requests_in_flight(helm):
    values = KINDS_OF_VALUES["by KEDA and CPU"]
    (scaled,) = of_kind(helm.template(**values), "ScaledObject")

    (trigger,) = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"] == {"name": "site-serve"}
    assert (
        'clickwise_requests_in_flight{namespace="shop",pod=~"site-serve-.*"}'
        in (trigger["metadata"]["query"])
    )


def test_what_scales_itself_has_no_number_of_its_own(helm):
    counted = {
        one["metadata"]["name"]: "replicas" in one["spec"]
        for one in of_kind(helm.template(), "Deployment")
    }

    assert counted == {"site-serve": False, "site-stream": False, "site-archive": True}


def test_a_refused_model_is_not_trained_again_and_a_lost_node_is(helm):
    for job in of_kind(helm.template(), "CronJob"):
        spec = job["spec"]["jobTemplate"]["spec"]
        refused, lost = spec["podFailurePolicy"]["rules"]
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert (refused["action"], refused["onExitCodes"]["values"]) == ("FailJob", [1, 2])
        assert lost["onPodConditions"][0]["type"] == "DisruptionTarget"


def test_with_torchrun_which_says_1_for_everything_a_trainer_is_tried_again(helm):
    for job in of_kind(helm.template(**{"train.processes": "2"}), "CronJob"):
        refused, _ = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        assert refused["onExitCodes"]["values"] == [2]


def test_figures_are_read_with_a_key_where_keys_are_asked_for(helm):
    monitors = {
        one["metadata"]["name"]: one["spec"]["podMetricsEndpoints"][0]
        for one in of_kind(helm.template(**{"monitoring.enabled": "true"}), "PodMonitor")
    }

    assert monitors["site-serve"]["authorization"]["credentials"]["name"] == "clickwise-metrics"
    assert {one["port"] for one in monitors.values()} == {"http", "metrics"}


def test_the_key_that_prometheus_shows_is_the_one_that_opens_figures_alone(helm):
    objects = helm.template(
        **{"monitoring.enabled": "true", "monitoring.keySecret.name": "scraper"}
    )

    (monitor,) = [
        one["spec"]["podMetricsEndpoints"][0]
        for one in of_kind(objects, "PodMonitor")
        if one["metadata"]["name"] == "site-serve"
    ]
    shown = monitor["authorization"]["credentials"]
    (known,) = [
        one["valueFrom"]["secretKeyRef"]
        for one in container(pods(objects)["site-serve"])["env"]
        if one["name"] == "CLICKWISE_METRICS_KEYS"
    ]
    assert (known["name"], known["key"]) == (shown["name"], shown["key"]) == ("scraper", "key")


def test_of_its_secret_a_site_needs_the_database_alone(helm):
    for pod in pods(helm.template(**{"monitoring.enabled": "true"})).values():
        needed = {
            one["name"]
            for one in container(pod)["env"]
            if "valueFrom" in one and not one["valueFrom"]["secretKeyRef"].get("optional")
        }
        assert needed == {"CLICKWISE_DATABASE_URL"}


def test_figures_have_the_job_names_that_rules_and_dashboards_know(helm):
    known = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    names = {job["job_name"] for job in known["scrape_configs"]}

    for one in of_kind(helm.template(**{"monitoring.enabled": "true"}), "PodMonitor"):
        (rule,) = one["spec"]["podMetricsEndpoints"][0]["relabelings"]
        assert rule["targetLabel"] == "job"
        assert rule["replacement"] in names


def ports_out(helm, **values):
    """Where pods may go, beside DNS."""
    (policy,) = [
        one
        for one in of_kind(helm.template(**values), "NetworkPolicy")
        if one["metadata"]["name"] == "site-all"
    ]
    return [one["port"] for one in policy["spec"]["egress"][1]["ports"]]


@pytest.mark.parametrize(
    ("setting", "value", "ports"),
    [
        ("TRACE_ENDPOINT", "http://collector:4318/v1/traces", {4318}),
        ("TRACE_ENDPOINT", "http://10.0.0.7:14318/v1/traces", {14318}),
        ("TRACE_ENDPOINT", "https://traces.example/v1/traces", {443}),
        ("TRACE_ENDPOINT", "http://traces.example/at:4318/v1/traces", {80}),
        ("KAFKA_BOOTSTRAP", "kafka-bootstrap:9093", {9093}),
        ("KAFKA_BOOTSTRAP", "kafka-0:9093, kafka-1:19093", {9093, 19093}),
        ("QDRANT_URL", "https://qdrant:16333", {16333}),
        ("QDRANT_URL", "http://[fd00::7]:16333", {16333}),
        ("QDRANT_URL", "https://qdrant", {443, 6333}),
        ("MLFLOW_URL", "http://mlflow:8080/path", {8080}),
        ("MLFLOW_URL", "http://name:7777@mlflow", {80}),
        ("TEXTS_URL", "http://gpu-1:8000/v1", {8000}),
        ("TEXTS_URL", "http://gpu-1/v1", {80}),
        ("OIDC_ISSUER", "https://login.example:8443/realms/site", {8443}),
        ("OIDC_ISSUER", "https://login.example", {443}),
        ("ARCHIVE_URL", "hdfs://names:8020/archive", {8020}),
        ("BUNDLES_URL", "s3://site/bundles", set()),
    ],
)
def test_pods_reach_what_the_settings_name(helm, setting, value, ports):
    told = {"networkPolicy.ports": "null"}

    found = ports_out(helm, **told, **{f"settings.CLICKWISE_{setting}": value})

    assert len(found) == len(set(found))
    others = ports_out(helm, **told) if setting not in {"KAFKA_BOOTSTRAP", "QDRANT_URL"} else (
        [6333] if setting == "KAFKA_BOOTSTRAP" else [9092]
    )  # fmt: skip
    assert set(found) == {*others, *ports}


def test_pods_reach_the_ports_that_values_list(helm):
    assert ports_out(helm) == [9092, 5432, 6333, 5000, 443]


def test_prometheus_has_the_rules_of_the_compose_file(helm):
    runbook = "https://wiki.test/runbook"
    written = [
        group
        for file in sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
        for group in yaml.safe_load(file.read_text().replace(ADDRESS, runbook))["groups"]
    ]

    (rule,) = of_kind(
        helm.template(**{
            "monitoring.enabled": "true",
            "monitoring.labels.release": "prometheus",
            "monitoring.runbookUrl": runbook,
        }),
        "PrometheusRule",
    )  # fmt: skip

    assert rule["spec"]["groups"] == written
    assert f'"{runbook}#streamdown"' in json.dumps(written)
    assert rule["metadata"]["labels"]["release"] == "prometheus"  # what its operator looks for


def test_grafana_has_the_dashboards_of_the_compose_file(helm):
    written = {
        path.name: json.loads(path.read_text()) for path in DEPLOY.glob("grafana/dashboards/*.json")
    }

    (found,) = of_kind(helm.template(**{"monitoring.enabled": "true"}), "ConfigMap")

    assert {name: json.loads(text) for name, text in found["data"].items()} == written
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, set()),
        ({"monitoring.enabled": "true"}, {"PodMonitor", "PrometheusRule", "ConfigMap"}),
        (
            {"monitoring.enabled": "true", "monitoring.rules.enabled": "false"},
            {"PodMonitor", "ConfigMap"},
        ),
        (
            {"monitoring.enabled": "true", "monitoring.dashboards.enabled": "false"},
            {"PodMonitor", "PrometheusRule"},
        ),
    ],
)
def test_who_looks_after_it_takes_what_there_is_use_for(helm, values, kinds):
    watching = of_kind(helm.template(**values), "PodMonitor", "PrometheusRule", "ConfigMap")

    assert {one["kind"] for one in watching} == kinds


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"settings.CLICKWISE_KAFKA_BOOTSTRAP": None}, "CLICKWISE_KAFKA_BOOTSTRAP"),
        ({"settings.CLICKWISE_QDRANT_URL": None}, "CLICKWISE_QDRANT_URL"),
        ({"settings.CLICKWISE_PROT": "1"}, "CLICKWISE_PROT"),
        ({"settings.CLICKWISE_API_KEYS": "in-the-open"}, "CLICKWISE_API_KEYS"),
        ({"shared.enabled": "false"}, "CLICKWISE_ARCHIVE_URL"),
        ({"stream.scaling.by": "luck"}, "/stream/scaling/by"),
        ({"serve.replica": "3"}, "replica"),
        ({"serve.scaling.by": "in-flight"}, "serve.scaling.prometheus"),
        ({"monitoring.runbookUrl": "a page"}, "runbookUrl"),
        ({"extraVolumes[0].name": "home"}, "/extraVolumes/0/name"),
        ({"extraVolumeMounts[0].name": "topics"}, "mountPath"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(helm, values, words):
    refused = helm.template(**values)

    assert isinstance(refused, str)
    assert words in refused


def test_the_schema_knows_every_setting():
    text = SCHEMA.read_text()

    assert text == with_names(text), "settings have changed: run `make docs`"
