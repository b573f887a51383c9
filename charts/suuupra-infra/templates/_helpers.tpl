{{/* Labels that select the pods of a server. Takes the server's name. */}}
{{- define "infra.selector" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/component: server
{{- end }}

{{/* Labels of everything that belongs to a server. Takes (list root name). */}}
{{- define "infra.labels" -}}
{{- $root := index . 0 -}}
{{ include "infra.selector" (index . 1) }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/part-of: suuupra
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Image reference. Takes (list root name). */}}
{{- define "infra.image" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
image: {{ printf "%s/%s:%s" $root.Values.images.repository $name (get $root.Values.images.tags $name) | quote }}
imagePullPolicy: {{ $root.Values.images.pullPolicy }}
{{- end }}

{{/* What restricted Pod Security asks of a pod. The images run as 65532. */}}
{{- define "infra.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What restricted Pod Security asks of a container, and a root file system that nobody writes. */}}
{{- define "infra.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Settings as environment of an image: PREFIX_SET_<NAME>. Takes (list prefix settings). */}}
{{- define "infra.settings" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
- {name: {{ printf "%s_SET_%s" $prefix ($name | upper | replace "." "_" | replace "-" "_") }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{/* The claim of a server's data. Takes (list root size). */}}
{{- define "infra.claim" -}}
{{- $root := index . 0 -}}
- metadata:
    name: data
    labels: {app.kubernetes.io/part-of: suuupra}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with $root.Values.storageClassName }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources: {requests: {storage: {{ index . 1 }}}}
{{- end }}

{{/*
A value of a Secret, base64: the one in the cluster, else a new random one. A Secret is generated once and survives
upgrades, and, being kept, an uninstall: as the data it protects does. Takes (list root secret key length).
*/}}
{{- define "infra.generated" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- if $found }}{{ get $found.data (index . 2) }}{{ else }}{{ randAlphaNum (index . 3 | int) | b64enc }}{{ end }}
{{- end }}

{{/* As infra.generated, 32 bytes of chance in base64 (twice: as a text, and as every value of a Secret). Takes (list root secret key). */}}
{{- define "infra.generatedKey" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- if $found }}{{ get $found.data (index . 2) }}{{ else }}{{ randBytes 32 | b64enc }}{{ end }}
{{- end }}

{{/* Address of a server, own or external. Takes (list root server field own). */}}
{{- define "infra.address" -}}
{{- $root := index . 0 -}}
{{- $server := index . 1 -}}
{{- $field := index . 2 -}}
{{- $settings := get $root.Values $server -}}
{{- if $settings.enabled -}}
{{ index . 3 }}
{{- else -}}
{{ get $settings.external $field | required (printf "%s.external.%s: say where %s is, because %s.enabled is false" $server $field $server $server) }}
{{- end -}}
{{- end }}

{{/* host:port of a URL; the port that its scheme stands for where it names none. */}}
{{- define "infra.hostPort" -}}
{{- $url := urlParse . -}}
{{- if contains ":" $url.host -}}
{{ $url.host }}
{{- else -}}
{{ printf "%s:%s" $url.host (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end -}}
{{- end }}
