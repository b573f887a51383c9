{{/* Labels that select the operator's pods. */}}
{{- define "suuupra.selector" -}}
app.kubernetes.io/name: suuupra-operator
app.kubernetes.io/component: operator
{{- end }}

{{/* Labels of everything in the release. */}}
{{- define "suuupra.labels" -}}
{{ include "suuupra.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: suuupra
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.images.tags.operator | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "suuupra.image" -}}
{{ printf "%s/operator:%s" .Values.images.repository .Values.images.tags.operator }}
{{- end }}

{{/* What restricted Pod Security asks of a pod. */}}
{{- define "suuupra.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What restricted Pod Security asks of a container, and a root file system that nobody writes. */}}
{{- define "suuupra.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
