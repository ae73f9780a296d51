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
{{- $settings := pick .Values "watchNamespaces" "logLevel" "registry" "serving" "gateway" "prometheus" "rollouts" "allowed" "podSecurity" "retirementGraceSeconds" "resyncSeconds" "concurrency" "lease" -}}
{{- range $section := list "registry" "prometheus" -}}
{{- $given := index $.Values $section -}}
{{- $told := omit $given "credentialsSecretName" "tlsSecretName" -}}
{{- if $given.credentialsSecretName -}}
{{- $told = set $told "credentialsDir" (include "fairlead.credentialsDir" $section) -}}
{{- end -}}
{{- if $given.tlsSecretName -}}
{{- $told = set $told "tlsDir" (include "fairlead.tlsDir" $section) -}}
{{- end -}}
{{- $settings = set $settings $section $told -}}
{{- end -}}
{{- $gateway := set (omit .Values.gateway "networkPolicy") "clusterRole" (include "fairlead.gatewayRole" .) -}}
{{- $settings = set $settings "gateway" $gateway -}}
{{- toYaml $settings -}}
{{- end -}}

{{- /* What a namespace's gateway may read, and the names under which the operator makes its objects. */ -}}
{{- define "fairlead.gatewayRole" -}}
{{ include "fairlead.fullname" . }}-gateway
{{- end -}}

{{- define "fairlead.gatewayRules" -}}
- apiGroups: [fairlead.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
{{- end -}}

{{- define "fairlead.gatewaySelector" -}}
app.kubernetes.io/name: fairlead-gateway
app.kubernetes.io/component: gateway
{{- end -}}

{{- /* The operator reads files there, and reads them anew when the Secret changes: it has no verb on Secrets. */ -}}
{{- define "fairlead.credentialsDir" -}}
/run/secrets/fairlead-{{ . }}
{{- end -}}

{{- define "fairlead.tlsDir" -}}
/run/secrets/fairlead-{{ . }}-tls
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
# Each namespace's gateway. The operator may bind what a gateway reads, and nothing else; where the namespaces are
# named, the chart has bound it.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, list, watch{{ if not .Values.watchNamespaces }}, create, patch{{ end }}]
{{- if not .Values.watchNamespaces }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [{{ include "fairlead.gatewayRole" . }}]
  verbs: [bind]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, get, list, patch]
{{- end -}}

{{- /*
One egress rule for a URL. A Service's name leads to its namespace, on any port: a policy sees the pod's port, and the
URL holds the Service's. Any other name leads to the URL's port, at any address.
*/ -}}
{{- define "fairlead.egressTo" -}}
{{- $url := urlParse . -}}
{{- $hostname := regexReplaceAll ":[0-9]+$" $url.host "" -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
# {{ $hostname }}
{{- if regexMatch "^[^.]+[.][^.]+[.]svc([.]|$)" $hostname }}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ index (splitList "." $hostname) 1 }}}
{{- else }}
- ports:
    - {protocol: TCP, port: {{ $port }}}
{{- end }}
{{- end -}}
