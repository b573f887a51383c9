# What an empty server is given, once, with a root token that it revokes itself: nobody ever has one.
initialize "engine" {
  request "secrets" {
    operation = "update"
    path      = "sys/mounts/suuupra"
    data      = { type = "kv", options = { version = "2" } }
  }
}

initialize "operator" {
  request "method" {
    operation = "update"
    path      = "sys/auth/userpass"
    data      = { type = "userpass" }
  }
  request "policy" {
    operation = "update"
    path      = "sys/policies/acl/operator"
    data = {
      policy = {
        eval_source = "file"
        eval_type   = "string"
        path        = "/etc/openbao/operator.hcl"
      }
    }
  }
  request "user" {
    operation = "update"
    path      = "auth/userpass/users/operator"
    data = {
      password = {
        eval_source = "file"
        eval_type   = "string"
        path        = "/tmp/password"
      }
      token_policies          = ["operator"]
      token_no_default_policy = true
      token_ttl               = "15m"
      token_max_ttl           = "15m"
    }
  }
}

initialize "pods" {
  request "method" {
    operation = "update"
    path      = "sys/auth/kubernetes"
    data      = { type = "kubernetes" }
  }
}
