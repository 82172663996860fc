{{/* A name that a Service may have. It leaves room for the longest suffix; names of CronJobs have 52 letters at most. */}}
{{- define "bulkfax.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- end -}}
{{- $name = $name | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $name) }}{{ $name = printf "r-%s" $name }}{{ end -}}
{{- $name | trunc 43 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select pods; never change them. Takes a dict of root and component. */}}
{{- define "bulkfax.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* All labels. Takes a dict of root and component. */}}
{{- define "bulkfax.labels" -}}
{{ include "bulkfax.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* The metadata of an object. Takes a dict of root, component, name, and optionally labels and annotations. */}}
{{- define "bulkfax.metadata" -}}
metadata:
  name: {{ include "bulkfax.fullname" .root }}{{ with .name }}-{{ . }}{{ end }}
  labels:
    {{- include "bulkfax.labels" . | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* One job name for each installation, containing "bulkfax": dashboard and rules tell installations apart by it. */}}
{{- define "bulkfax.job" -}}
{{ printf "bulkfax/%s/%s" .Release.Namespace .Release.Name }}
{{- end -}}

{{- define "bulkfax.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "bulkfax.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "bulkfax.publicUrl" -}}
{{- $inside := printf "http://%s-web.%s.svc:%v" (include "bulkfax.fullname" .) .Release.Namespace .Values.service.port -}}
{{- .Values.settings.publicUrl | default (ternary $inside "" .Values.emulator.enabled) -}}
{{- end -}}

{{/* The environment of every process. It is the same for all, so that their settings agree. */}}
{{- define "bulkfax.env" -}}
{{- range $name := list "BULKFAX_REDIS_URL" "BULKFAX_SINCH__PROJECT_ID" "BULKFAX_SINCH__KEY_ID" "BULKFAX_SINCH__KEY_SECRET" "BULKFAX_API_KEYS" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret }}, key: {{ $name }}}
{{- end }}
{{- range $name := list "BULKFAX_BROKER_URL" "BULKFAX_CALLBACK_KEYS" "BULKFAX_API_KEYS_ALLOW_WARNINGS" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret }}, key: {{ $name }}, optional: true}
{{- end }}
{{- $emulator := printf "http://%s-emulator.%s.svc" (include "bulkfax.fullname" .) .Release.Namespace }}
{{- $inside := .Values.emulator.enabled }}
{{- with .Values.settings }}
- name: BULKFAX_SINCH__RATE_PER_SECOND
  value: {{ .ratePerSecond | quote }}
- name: BULKFAX_SINCH__RATE_PER_MINUTE
  value: {{ int64 .ratePerMinute | quote }}
- name: BULKFAX_SINCH__RATE_PER_DAY
  value: {{ int64 .ratePerDay | quote }}
- name: BULKFAX_SINCH__MAX_IN_FLIGHT
  value: {{ int64 .maxInFlight | quote }}
- name: BULKFAX_SINCH__CONNECTIONS
  value: {{ int64 .connections | quote }}
- name: BULKFAX_REDIS_WAIT_REPLICAS
  value: {{ int64 .redisWaitReplicas | quote }}
- name: BULKFAX_REDIS_DURABILITY
  value: {{ .redisDurability }}
- name: BULKFAX_SINCH__AUTH
  value: {{ .auth }}
{{- with ternary $emulator .baseUrl $inside }}
- name: BULKFAX_SINCH__BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- with ternary (printf "%s/oauth2/token" $emulator) .authUrl $inside }}
- name: BULKFAX_SINCH__AUTH_URL
  value: {{ . | quote }}
{{- end }}
- name: BULKFAX_PUBLIC_URL
  value: {{ include "bulkfax.publicUrl" $ | quote }}
- name: BULKFAX_DEFAULT_COUNTRY
  value: {{ .defaultCountry | quote }}
- name: BULKFAX_DOCUMENTS_MAX_BYTES
  value: {{ int64 .documentsMaxBytes | quote }}
- name: BULKFAX_WEBHOOK_PRIVATE_ADDRESSES
  value: {{ .webhookPrivateAddresses | quote }}
- name: BULKFAX_LOG_LEVEL
  value: {{ .logLevel }}
- name: BULKFAX_LOG_FORMAT
  value: {{ .logFormat }}
{{- end }}
{{- if .Values.policy }}
- name: BULKFAX_POLICY_FILE
  value: /etc/bulkfax/policy/policy.toml
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The part of every pod before its containers. Takes a dict of root and component. Scheduling values of the component
replace those of all.
*/}}
{{- define "bulkfax.pod" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .component | default dict -}}
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "bulkfax.serviceAccountName" .root }}
automountServiceAccountToken: false
# Otherwise Kubernetes sets variables such as BULKFAX_PORT for a Service of that name, and bulkfax refuses unknown settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with $own.nodeSelector | default $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations | default $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity | default $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName | default $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.topologySpreadConstraints | default $values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- else }}
{{- if $values.topologySpread }}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "bulkfax.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
{{- if $values.policy }}
  - name: policy
    configMap: {name: {{ include "bulkfax.fullname" .root }}-policy}
{{- end }}
{{- with $values.redis.tlsSecret }}
  - name: redis-tls
    secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with $values.extraVolumes }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* The part that all containers share. */}}
{{- define "bulkfax.container" -}}
{{- with .Values.image }}
image: "{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}"
imagePullPolicy: {{ .pullPolicy }}
{{- end }}
workingDir: /tmp
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- if .Values.policy }}
  - {name: policy, mountPath: /etc/bulkfax/policy, readOnly: true}
{{- end }}
{{- if .Values.redis.tlsSecret }}
  - {name: redis-tls, mountPath: /etc/bulkfax/redis, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* The environment of a process without API: where it exports its metrics, and where its loops show that they move. */}}
{{- define "bulkfax.background" -}}
- name: BULKFAX_HOST
  value: 0.0.0.0
- name: BULKFAX_METRICS_PORT
  value: {{ int64 .Values.metricsPort | quote }}
- name: BULKFAX_ALIVE_DIR
  value: /tmp/alive
{{- end -}}

{{/*
Ports and probes of a process without API. The probes read the age of files that its loops touch. They ask neither Redis
nor the API, so Redis that is away restarts nothing.
*/}}
{{- define "bulkfax.probes" -}}
{{- if .Values.metricsPort }}
ports:
  - {name: metrics, containerPort: {{ .Values.metricsPort }}}
{{- end }}
startupProbe:
  exec: {command: [bulkfax, alive]}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 36
livenessProbe:
  exec: {command: [bulkfax, alive]}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 2
{{- end -}}

{{/* Labels and annotations of the pods of a component. Takes a dict of root and component. */}}
{{- define "bulkfax.podMetadata" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .component | default dict -}}
labels:
  {{- include "bulkfax.labels" . | nindent 2 }}
  {{- with merge dict ($own.podLabels | default dict) $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # the policy is read only at the start, so a changed policy restarts the pods
  checksum/policy: {{ $values.policy | sha256sum }}
  {{- with merge dict ($own.podAnnotations | default dict) $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The head of a Deployment, up to its pod. Takes a dict of root and component. */}}
{{- define "bulkfax.deployment" -}}
{{- $own := index .root.Values .component -}}
apiVersion: apps/v1
kind: Deployment
{{ include "bulkfax.metadata" (dict "root" .root "component" .component "name" .component) }}
spec:
  {{- if not (dig "autoscaling" "kind" "" $own) }}
  replicas: {{ $own.replicas }}
  {{- end }}
  {{- with $own.strategy }}
  strategy: {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels: {{- include "bulkfax.selector" . | nindent 6 }}
  template:
    metadata: {{- include "bulkfax.podMetadata" . | nindent 6 }}
    spec:
      {{- include "bulkfax.pod" . | nindent 6 }}
{{- end -}}
