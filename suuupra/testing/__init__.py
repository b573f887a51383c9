"""Tests against real servers: `pytest_plugins = ["suuupra.testing.plugin"]`, then ask for fixtures by name.

| fixture            | per     | what it is                                                                    |
| ------------------ | ------- | ----------------------------------------------------------------------------- |
| `postgres`         | session | PostgreSQL from our image, on a random port of 127.0.0.1                      |
| `kafka`            | session | Kafka from our image, likewise; can be paused and resumed                     |
| `objects`          | session | SeaweedFS from our image, likewise                                            |
| `valkey`           | session | Valkey from our image, likewise                                               |
| `openbao`          | session | OpenBao from our image, likewise                                              |
| `database_url`     | test    | a fresh migrated database of the service whose folder the test lies in        |
| `database`         | test    | the same as `suuupra.db.Database`, with the rights of a pod, not of an owner  |
| `topics`           | test    | makes Kafka topics, and deletes them after the test                           |
| `bucket`           | test    | an empty bucket as `suuupra.objects.ObjectStore`                              |
| `secrets`          | test    | suuupra.secrets_store.SecretsStore in memory; `secrets_kept` is what it keeps |
| `mail_server`      | test    | an SMTP server in this process that keeps what it takes, with faults on demand |
| `clock`            | test    | a FakeClock                                                                   |
| `token`            | test    | `token("creator")`: a bearer token of the test issuer                         |
| `service_settings` | test    | the service's Settings with every server filled in                            |
| `client`           | test    | an anonymous httpx client on the service's app; `client_as(role)` with a token |

A test outside services/NAME/tests says `@pytest.mark.service("name")`. Containers carry the label `suuupra.test`;
they go when the session ends, also on Ctrl-C, and what a killed session left behind goes when the next one starts.
A service as a process of its own, to be killed, is `suuupra.testing.forking.start("suuupra", "work", "payments", …)`.
Several pytest processes share the files of one run by `SUUUPRA_TEST_SHARE` (suuupra.testing.sharing).
`SUUUPRA_TEST_IMAGES="postgres=repository/postgres:tag,kafka=…"` picks images; else the newest built ones are used.
"""
