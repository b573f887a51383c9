"""Envoy's configuration as a pure function of routes, endpoints and settings.

Messages are the JSON form of Envoy's v3 protocol buffers; field names follow the .proto files of Envoy 1.40.
"""
