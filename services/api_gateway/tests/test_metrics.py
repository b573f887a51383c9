"""Envoy's figures under the platform's names."""

from services.api_gateway.usecases.metrics import under_our_names

ENVOY = """# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_cluster_name="content"} 7
# TYPE envoy_suuupra_gateway_duration histogram
envoy_suuupra_gateway_duration_bucket{route="content GET /v1",method="GET",status="200",le="2.5"} 3
envoy_suuupra_gateway_duration_bucket{route="content GET /v1",method="GET",status="200",le="+Inf"} 4
envoy_suuupra_gateway_duration_sum{route="content GET /v1",method="GET",status="200"} 1500
envoy_suuupra_gateway_duration_count{route="content GET /v1",method="GET",status="200"} 4
envoy_suuupra_gateway_duration_bucket{route="content GET /v1",method="GET",status="204",le="2.5"} 1
envoy_suuupra_gateway_duration_bucket{route="content GET /v1",method="GET",status="204",le="+Inf"} 1
envoy_suuupra_gateway_duration_sum{route="content GET /v1",method="GET",status="204"} 500
envoy_suuupra_gateway_duration_count{route="content GET /v1",method="GET",status="204"} 1
"""

OURS = """# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_cluster_name="content"} 7
suuupra_http_request_duration_seconds_bucket{route="content GET /v1",method="GET",status="2xx",le="0.0025"} 4
suuupra_http_request_duration_seconds_bucket{route="content GET /v1",method="GET",status="2xx",le="+Inf"} 5
suuupra_http_request_duration_seconds_sum{route="content GET /v1",method="GET",status="2xx"} 2
suuupra_http_request_duration_seconds_count{route="content GET /v1",method="GET",status="2xx"} 5
suuupra_gateway_answers_total{route="content GET /v1",method="GET",status="200"} 4
suuupra_gateway_answers_total{route="content GET /v1",method="GET",status="204"} 1
"""


def test_codes_become_classes_milliseconds_seconds_and_nothing_is_lost() -> None:
    assert under_our_names(ENVOY) == OURS


def test_text_without_requests_passes_unchanged() -> None:
    plain = ENVOY.split("# TYPE envoy_suuupra")[0]
    assert under_our_names(plain) == plain
