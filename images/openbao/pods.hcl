# In a cluster: pods log in with their projected tokens, and the API server is asked whose they are, with the
# server's own service account (system:auth-delegator).
initialize "cluster" {
  request "kubernetes" {
    operation = "update"
    path      = "auth/kubernetes/config"
    data      = { kubernetes_host = "https://kubernetes.default.svc" }
  }
}
