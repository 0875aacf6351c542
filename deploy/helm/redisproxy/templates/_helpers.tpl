{{- define "redisproxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "redisproxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "redisproxy.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "redisproxy.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* A Deployment's selector cannot change: these two labels are all of it, for ever. */}}
{{- define "redisproxy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "redisproxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "redisproxy.labels" -}}
{{ include "redisproxy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* name, labels and annotations of an object: (dict "root" $ "name" "..." "labels" {...} "annotations" {...}) */}}
{{- define "redisproxy.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "redisproxy.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "redisproxy.serviceName" -}}
{{- tpl .Values.service.name . | default (include "redisproxy.fullname" .) -}}
{{- end -}}

{{- define "redisproxy.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "redisproxy.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "redisproxy.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A number of a million or more must not become 1e+06, and YAML's yes is a boolean. */}}
{{- define "redisproxy.settings" -}}
{{- range $name, $value := . }}
{{ $name }} = {{ if kindIs "bool" $value }}{{ ternary "yes" "no" $value }}{{ else if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ $value }}{{ end }}
{{- end }}
{{- end -}}

{{- define "redisproxy.listen" -}}
{{- $root := .root }}
{{- range .root.Values.listeners.addresses }}

[listen {{ if contains ":" . }}[{{ . }}]{{ else }}{{ . }}{{ end }}:{{ $.port }}]
master = {{ $root.Values.master.name }}
route = {{ $.route }}
{{- include "redisproxy.settings" $root.Values.settings.listen }}
{{- with $root.Values.tls.clients }}
{{- if .enabled }}
tls = yes
tls_cert = /etc/redisproxy-tls/clients/tls.crt
tls_key = /etc/redisproxy-tls/clients/tls.key
{{- if .caKey }}
tls_ca = /etc/redisproxy-tls/clients/ca.crt
tls_verify_clients = {{ .verify }}
{{- end }}
{{- if ne .userFrom "no" }}
tls_user_from = {{ .userFrom }}
tls_users_password_file = /etc/redisproxy-auth/users/users
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "redisproxy.config" -}}
{{- $sentinels := list }}
{{- if not .Values.master.sentinels }}
{{- fail "master.sentinels: at least one Sentinel, as host:port; a file of presets/ has them" }}
{{- end }}
{{- range .Values.master.sentinels }}
{{- $sentinels = append $sentinels (tpl . $) }}
{{- end -}}
[proxy]
http = {{ if contains ":" .Values.http.address }}[{{ .Values.http.address }}]{{ else }}{{ .Values.http.address }}{{ end }}:{{ .Values.http.port }}
admin = /run/redisproxy/admin.sock
drain_delay = {{ .Values.drain.delaySeconds }}s
drain_timeout = {{ .Values.drain.timeoutSeconds }}s
{{- if .Values.tls.http.enabled }}
http_tls_cert = /etc/redisproxy-tls/http/tls.crt
http_tls_key = /etc/redisproxy-tls/http/tls.key
{{- if .Values.tls.http.caKey }}
http_tls_ca = /etc/redisproxy-tls/http/ca.crt
{{- end }}
{{- end }}
{{- include "redisproxy.settings" .Values.settings.proxy }}

[master {{ .Values.master.name }}]
sentinels = {{ join ", " $sentinels }}
{{- if .Values.auth.existingSecret }}
{{- with .Values.auth.username }}
username = {{ . }}
{{- end }}
password_file = /etc/redisproxy-auth/redis/password
{{- end }}
{{- if .Values.sentinelAuth.existingSecret }}
{{- with .Values.sentinelAuth.username }}
sentinel_username = {{ . }}
{{- end }}
sentinel_password_file = /etc/redisproxy-auth/sentinel/password
{{- end }}
{{- with .Values.tls.backend }}
{{- if or (ne .nodes "disable") (ne .sentinels "disable") }}
tls = {{ .nodes }}
sentinel_tls = {{ .sentinels }}
{{- if .existingSecret }}
{{- if .caKey }}
tls_ca = /etc/redisproxy-tls/backend/ca.crt
{{- end }}
{{- if .certKey }}
tls_cert = /etc/redisproxy-tls/backend/tls.crt
tls_key = /etc/redisproxy-tls/backend/tls.key
{{- end }}
{{- end }}
{{- with .serverName }}
tls_server_name = {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- include "redisproxy.settings" .Values.settings.master }}
{{- include "redisproxy.listen" (dict "root" . "port" .Values.listeners.write.port "route" "master") }}
{{- if .Values.listeners.read.enabled }}
{{- include "redisproxy.listen" (dict "root" . "port" .Values.listeners.read.port "route" "replica") }}
{{- end }}
{{- if .Values.listeners.split.enabled }}
{{- include "redisproxy.listen" (dict "root" . "port" .Values.listeners.split.port "route" "split") }}
{{- end }}
{{- with .Values.extraConfig }}

{{ tpl . $ | trim }}
{{- end }}
{{ end -}}

{{/* The secrets that are mounted: a list of {name, path, secret, items {key: file}}. */}}
{{- define "redisproxy.secrets" -}}
{{- $all := list }}
{{- with .Values.auth }}{{ if .existingSecret }}
{{- $all = append $all (dict "name" "auth" "path" "/etc/redisproxy-auth/redis" "secret" .existingSecret "items" (dict "password" .passwordKey)) }}
{{- end }}{{ end }}
{{- with .Values.sentinelAuth }}{{ if .existingSecret }}
{{- $all = append $all (dict "name" "sentinel-auth" "path" "/etc/redisproxy-auth/sentinel" "secret" .existingSecret "items" (dict "password" .passwordKey)) }}
{{- end }}{{ end }}
{{- with .Values.tls.clientUsers }}{{ if .existingSecret }}
{{- $all = append $all (dict "name" "client-users" "path" "/etc/redisproxy-auth/users" "secret" .existingSecret "items" (dict "users" .usersKey)) }}
{{- end }}{{ end }}
{{- with .Values.tls.backend }}{{ if and .existingSecret (or (ne .nodes "disable") (ne .sentinels "disable")) }}
{{- $all = append $all (dict "name" "backend-tls" "path" "/etc/redisproxy-tls/backend" "secret" .existingSecret "items" (dict "ca.crt" .caKey "tls.crt" .certKey "tls.key" (ternary .keyKey "" (ne .certKey "")))) }}
{{- end }}{{ end }}
{{- with .Values.tls.clients }}{{ if .enabled }}
{{- $all = append $all (dict "name" "clients-tls" "path" "/etc/redisproxy-tls/clients" "secret" (required "tls.clients.existingSecret: the Secret with the certificate that clients see" .existingSecret) "items" (dict "ca.crt" .caKey "tls.crt" .certKey "tls.key" .keyKey)) }}
{{- end }}{{ end }}
{{- with .Values.tls.http }}{{ if .enabled }}
{{- $all = append $all (dict "name" "http-tls" "path" "/etc/redisproxy-tls/http" "secret" (required "tls.http.existingSecret: the Secret with the certificate of the HTTP endpoint" .existingSecret) "items" (dict "ca.crt" .caKey "tls.crt" .certKey "tls.key" .keyKey)) }}
{{- end }}{{ end }}
{{- toJson $all }}
{{- end -}}

{{- define "redisproxy.volumes" -}}
- name: config
  configMap:
    name: {{ tpl .Values.existingConfigMap . | default (include "redisproxy.fullname" .) }}
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- range include "redisproxy.secrets" . | fromJsonArray }}
- name: {{ .name }}
  secret:
    secretName: {{ tpl .secret $ }}
    defaultMode: 288 # 0440, which YAML 1.1 and 1.2 read differently
    items:
    {{- range $file, $key := .items }}
    {{- if $key }}
      - key: {{ $key }}
        path: {{ $file }}
    {{- end }}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whole folders, no subPath: what changes in a Secret arrives in the pod, and the proxy reads it again. */}}
{{- define "redisproxy.volumeMounts" -}}
- name: config
  mountPath: /etc/redisproxy
  readOnly: true
{{- range include "redisproxy.secrets" . | fromJsonArray }}
- name: {{ .name }}
  mountPath: {{ .path }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "redisproxy.probe" -}}
httpGet:
  path: {{ .path }}
  port: probe
  {{- if .root.Values.tls.http.enabled }}
  scheme: HTTPS
  {{- end }}
{{ toYaml .timing }}
{{- end -}}
