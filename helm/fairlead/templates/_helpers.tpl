{{- define "fairlead.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fairlead.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "fairlead.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository .tag -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The settings file: the values that are the operator's, under the same names. */ -}}
{{- define "fairlead.config" -}}
{{- if ge (int .Values.lease.renewSeconds) (int .Values.lease.durationSeconds) -}}
{{- fail (printf "lease.renewSeconds: expected less than lease.durationSeconds (%v), got %v" .Values.lease.durationSeconds .Values.lease.renewSeconds) -}}
{{- end -}}
{{- pick .Values "watchNamespaces" "logLevel" "registry" "serving" "allowed" "podSecurity" "retirementGraceSeconds" "resyncSeconds" "concurrency" "lease" | toYaml -}}
{{- end -}}

{{- /* What the operator may do where it watches. No Secret, no pods/log, nothing with a wildcard. */ -}}
{{- define "fairlead.rules" -}}
- apiGroups: [fairlead.dev]
  resources: [modeldeployments, trainingjobs]
  verbs: [get, list, watch]
- apiGroups: [fairlead.dev]
  resources: [modeldeployments/status, trainingjobs/status]
  verbs: [get, patch]
- apiGroups: [apps]
  resources: [controllerrevisions, deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, get, list, patch]
{{- end -}}
