# One server, whose storage and whose clients are in one cluster. The entrypoint adds where it listens and stores.
ui           = false
api_addr     = "http://127.0.0.1:8200"
cluster_addr = "http://127.0.0.1:8201"

# The key lies in a file, so a restarted pod unseals itself. See README.md for what that means.
seal "static" {
  current_key_id = "1"
  current_key    = "file:///tmp/seal-key"
}

# The one user has a password of 40 random characters. Locking it out would only serve who wants to stop the operator.
user_lockout "userpass" {
  disable_lockout = true
}
