"""The authorities whose certificates this process accepts."""

import functools
import ssl

import httpx


@functools.cache
def authorities(*, trust_env: bool = True) -> ssl.SSLContext:
    """httpx's own choice, read once: a client that reads it for itself takes a thirtieth of a second to make.

    Without `trust_env` the environment's SSL_CERT_FILE and SSL_CERT_DIR are not looked at.
    """
    return httpx.create_ssl_context(trust_env=trust_env)
