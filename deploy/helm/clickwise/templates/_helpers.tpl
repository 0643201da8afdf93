{{/* Labels of a part: call with (dict "root" $ "part" "serve"). */}}
{{- define "clickwise.selector" -}}
app.kubernetes.io/name: clickwise
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "clickwise.labels" -}}
{{ include "clickwise.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "clickwise.name" -}}
{{ printf "%s-%s" .root.Release.Name .part }}
{{- end }}

{{/* Call with (dict "root" $ "target" "serve"). */}}
{{- define "clickwise.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{ if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}clickwise-{{ .target }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* The environment of every process: settings, then secrets by reference. */}}
{{- define "clickwise.environment" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- $_ := required "settings.CLICKWISE_KAFKA_BOOTSTRAP: host:port[,host:port...]" $settings.CLICKWISE_KAFKA_BOOTSTRAP -}}
{{- $_ := required "settings.CLICKWISE_QDRANT_URL: http(s)://host:port" $settings.CLICKWISE_QDRANT_URL -}}
{{- if .Values.shared.enabled -}}
{{- $settings = merge $settings (dict "CLICKWISE_ARCHIVE_URL" "/shared/archive" "CLICKWISE_BUNDLES_URL" "/shared/bundles") -}}
{{- else -}}
{{- $_ := required "settings.CLICKWISE_ARCHIVE_URL, or shared.enabled" $settings.CLICKWISE_ARCHIVE_URL -}}
{{- $_ := required "settings.CLICKWISE_BUNDLES_URL, or shared.enabled" $settings.CLICKWISE_BUNDLES_URL -}}
{{- end -}}
{{- if .Values.kafkaCaSecret -}}
{{- $settings = merge $settings (dict "CLICKWISE_KAFKA_CA_FILE" "/etc/clickwise/kafka/ca.crt") -}}
{{- end -}}
{{- range $name, $value := $settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
- {name: CLICKWISE_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: CLICKWISE_DATABASE_URL}}}
{{- if .Values.monitoring.enabled }}
{{- with .Values.monitoring.keySecret }}
- {name: CLICKWISE_METRICS_KEYS, valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}, optional: true}}}
{{- end }}
{{- else }}
- {name: CLICKWISE_METRICS_KEYS, valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: CLICKWISE_METRICS_KEYS, optional: true}}}
{{- end }}
{{- range $name := list "CLICKWISE_API_KEYS" "CLICKWISE_QDRANT_API_KEY" "CLICKWISE_KAFKA_USERNAME" "CLICKWISE_KAFKA_PASSWORD" "CLICKWISE_TEXTS_KEY" }}
- {name: {{ $name }}, valueFrom: {secretKeyRef: {name: {{ $.Values.secret }}, key: {{ $name }}, optional: true}}}
{{- end }}
{{- end }}

{{- define "clickwise.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What every pod has beside its containers. */}}
{{- define "clickwise.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false  # their variables would be CLICKWISE_..., which no setting is
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.userId }}
  runAsGroup: {{ .Values.userId }}
  fsGroup: {{ .Values.userId }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "clickwise.mounts" -}}
- {name: home, mountPath: /var/lib/clickwise}
- {name: tmp, mountPath: /tmp}
{{- if .Values.shared.enabled }}
- {name: shared, mountPath: /shared}
{{- end }}
{{- if .Values.kafkaCaSecret }}
- {name: kafka-ca, mountPath: /etc/clickwise/kafka, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The volumes but home. */}}
{{- define "clickwise.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
{{- if .Values.shared.enabled }}
- name: shared
  persistentVolumeClaim:
    claimName: {{ .Values.shared.existingClaim | default (include "clickwise.name" (dict "root" . "part" "shared")) }}
{{- end }}
{{- if .Values.kafkaCaSecret }}
- {name: kafka-ca, secret: {secretName: {{ .Values.kafkaCaSecret }}}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The ports that settings name, with spaces between. Those of secrets cannot be seen here. */}}
{{- define "clickwise.named-ports" -}}
{{- $settings := .Values.settings -}}
{{- range splitList "," $settings.CLICKWISE_KAFKA_BOOTSTRAP -}}
{{- regexFind ":[0-9]+$" (trim .) | trimPrefix ":" }} {{ end -}}
{{- range $name := list "QDRANT_URL" "MLFLOW_URL" "TEXTS_URL" "OIDC_ISSUER" "TRACE_ENDPOINT" "ARCHIVE_URL" "BUNDLES_URL" -}}
{{- with get $settings (printf "CLICKWISE_%s" $name) | toString -}}
{{- if contains "://" . -}}
{{- $place := regexFind "^[^/?#]*" (regexReplaceAll "^[^:/]+://" . "") -}}
{{- $port := regexFind ":[0-9]+$" $place | trimPrefix ":" -}}
{{- if and (eq $name "QDRANT_URL") (not $port) }}6333 {{ end -}}{{/* its client's, whatever the scheme */}}
{{- if $port }}{{ $port }} {{ else if hasPrefix "https:" . }}443 {{ else if hasPrefix "http:" . }}80 {{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Over zones and nodes, as far as it goes. Call with (dict "root" $ "part" "serve"). */}}
{{- define "clickwise.spread" -}}
{{- $context := . -}}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "clickwise.selector" $context | nindent 8 }}
{{- end }}
{{- end }}

{{/* Call with the values of a part. */}}
{{- define "clickwise.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
