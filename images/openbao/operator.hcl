# What the operator may: say which pods may do what, and clear away what a deleted resource owned. It reads no secret.
path "sys/policies/acl/suuupra-*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "auth/kubernetes/role/suuupra-*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "sys/policies/acl" {
  capabilities = ["list"]
}
path "auth/kubernetes/role" {
  capabilities = ["list"]
}
path "suuupra/metadata/*" {
  capabilities = ["list", "delete"]
}
