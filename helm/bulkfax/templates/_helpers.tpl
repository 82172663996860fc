{{- define "bulkfax.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
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

{{/* The environment of every process. It is the same for all, so that their settings agree. */}}
{{- define "bulkfax.env" -}}
{{- range $name := list "BULKFAX_REDIS_URL" "BULKFAX_SINCH__PROJECT_ID" "BULKFAX_SINCH__KEY_ID" "BULKFAX_SINCH__KEY_SECRET" "BULKFAX_API_KEYS" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret }}, key: {{ $name }}}
{{- end }}
{{- range $name := list "BULKFAX_BROKER_URL" "BULKFAX_CALLBACK_KEYS" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.existingSecret }}, key: {{ $name }}, optional: true}
{{- end }}
{{- with .Values.settings }}
- name: BULKFAX_SINCH__RATE_PER_SECOND
  value: {{ .ratePerSecond | quote }}
- name: BULKFAX_SINCH__RATE_PER_MINUTE
  value: {{ int64 .ratePerMinute | quote }}
- name: BULKFAX_SINCH__RATE_PER_DAY
  value: {{ int64 .ratePerDay | quote }}
- name: BULKFAX_REDIS_WAIT_REPLICAS
  value: {{ int64 .redisWaitReplicas | quote }}
- name: BULKFAX_SINCH__AUTH
  value: {{ .auth }}
{{- with .baseUrl }}
- name: BULKFAX_SINCH__BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- with .authUrl }}
- name: BULKFAX_SINCH__AUTH_URL
  value: {{ . | quote }}
{{- end }}
- name: BULKFAX_PUBLIC_URL
  value: {{ .publicUrl | quote }}
- name: BULKFAX_DEFAULT_COUNTRY
  value: {{ .defaultCountry | quote }}
- name: BULKFAX_LOG_LEVEL
  value: {{ .logLevel }}
- name: BULKFAX_LOG_FORMAT
  value: {{ .logFormat }}
{{- end }}
{{- if .Values.policy }}
- name: BULKFAX_POLICY_FILE
  value: /etc/bulkfax/policy.toml
{{- end }}
{{- end -}}

{{/* The part of every pod before its containers. */}}
{{- define "bulkfax.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
# Otherwise Kubernetes sets variables such as BULKFAX_PORT for a Service of that name, and bulkfax refuses unknown settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
{{- if .Values.policy }}
  - name: policy
    configMap: {name: {{ include "bulkfax.fullname" . }}-policy}
{{- end }}
{{- end -}}

{{/* The part that all containers share. */}}
{{- define "bulkfax.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
workingDir: /tmp
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- if .Values.policy }}
  - {name: policy, mountPath: /etc/bulkfax, readOnly: true}
{{- end }}
{{- end -}}

{{/* The head of a Deployment, up to its pod. Takes a dict of root and component. */}}
{{- define "bulkfax.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "bulkfax.fullname" .root }}-{{ .component }}
  labels: {{- include "bulkfax.labels" . | nindent 4 }}
spec:
  replicas: {{ (index .root.Values .component).replicas }}
  selector:
    matchLabels: {{- include "bulkfax.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "bulkfax.labels" . | nindent 8 }}
        {{- with .root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # the policy is read only at the start, so a changed policy restarts the pods
        checksum/policy: {{ .root.Values.policy | sha256sum }}
        {{- with .root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "bulkfax.pod" .root | nindent 6 }}
{{- end -}}
