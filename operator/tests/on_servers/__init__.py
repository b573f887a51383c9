"""What the operator says to backing servers, to real ones. No cluster is needed."""
