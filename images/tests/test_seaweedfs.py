"""The SeaweedFS image: what the operator and the services rely on."""

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from images.tests.servers import Launch, Server

pytestmark = pytest.mark.integration

ADMINISTRATOR = ("administrator", "administrator-secret")


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch(
        "seaweedfs",
        8333,
        *(
            "--env",
            f"OBJECTS_ACCESS_KEY={ADMINISTRATOR[0]}",
            "--env",
            f"OBJECTS_SECRET_KEY={ADMINISTRATOR[1]}",
        ),
        ready=("ready",),
    )


def api(server: Server, name: str, key: tuple[str, str] = ADMINISTRATOR) -> Any:
    return boto3.client(
        name,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def user_with_bucket(server: Server, name: str) -> tuple[str, str]:
    """A user who may use one bucket of its own, as the operator makes it; returns the key."""
    iam = api(server, "iam")
    api(server, "s3").create_bucket(Bucket=name)
    iam.create_user(UserName=name)
    statements = [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{name}"]},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": [f"arn:aws:s3:::{name}/*"],
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="bucket", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def refusal(action: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        action(**arguments)
    return str(
        refused.value.response.get("Error", {}).get("Code", refused.value.response["ResponseMetadata"])
    )


def test_user_works_in_its_own_bucket(server: Server) -> None:
    s3 = api(server, "s3", user_with_bucket(server, "own"))
    s3.put_object(Bucket="own", Key="a/b", Body=b"text")
    assert s3.get_object(Bucket="own", Key="a/b")["Body"].read() == b"text"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="own")["Contents"]] == ["a/b"]
    s3.delete_object(Bucket="own", Key="a/b")


def test_user_is_refused_everywhere_else(server: Server) -> None:
    key = user_with_bucket(server, "mine")
    user_with_bucket(server, "theirs")
    s3, iam = api(server, "s3", key), api(server, "iam", key)
    assert refusal(s3.put_object, Bucket="theirs", Key="x", Body=b"") == "AccessDenied"
    assert refusal(s3.list_objects_v2, Bucket="theirs") == "AccessDenied"
    assert refusal(s3.copy_object, Bucket="mine", Key="x", CopySource="theirs/x") == "AccessDenied"
    assert refusal(s3.create_bucket, Bucket="more") == "AccessDenied"
    assert refusal(s3.delete_bucket, Bucket="mine") == "AccessDenied"
    assert "403" in refusal(iam.create_access_key, UserName="theirs")


def test_key_that_was_deleted_opens_nothing(server: Server) -> None:
    old = user_with_bucket(server, "rotated")
    fresh = api(server, "iam").create_access_key(UserName="rotated")["AccessKey"]
    api(server, "iam").delete_access_key(UserName="rotated", AccessKeyId=old[0])
    assert refusal(api(server, "s3", old).list_objects_v2, Bucket="rotated") == "InvalidAccessKeyId"
    api(server, "s3", (fresh["AccessKeyId"], fresh["SecretAccessKey"])).list_objects_v2(Bucket="rotated")


def test_bucket_that_holds_objects_is_not_deleted(server: Server) -> None:
    s3 = api(server, "s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="x", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket="full") == "BucketNotEmpty"


def test_wrong_secret_is_refused(server: Server) -> None:
    wrong = api(server, "s3", (ADMINISTRATOR[0], "wrong"))
    assert refusal(wrong.list_buckets) == "SignatureDoesNotMatch"


def test_inner_ports_listen_on_the_loopback_only(server: Server) -> None:
    for port in (8080, 8888, 9333):
        probe = f"exec 3<> /dev/tcp/$(hostname -i)/{port}"
        assert server.run("bash", "-c", probe).returncode != 0, f"port {port} asks for no credentials"


def test_objects_users_and_policies_survive_a_kill(server: Server) -> None:
    key = user_with_bucket(server, "kept")
    big = b"0123456789abcdef" * (512 * 1024)  # 8 MiB: more than one chunk
    api(server, "s3", key).put_object(Bucket="kept", Key="big", Body=big)
    server.kill_and_start()
    assert api(server, "s3", key).get_object(Bucket="kept", Key="big")["Body"].read() == big
    assert refusal(api(server, "s3", key).create_bucket, Bucket="more") == "AccessDenied"


def test_without_an_administrator_it_says_what_to_do(launch: Launch) -> None:
    server = launch("seaweedfs", 8333, wait=False)
    assert server.exit_code() == 78
    assert "set OBJECTS_ACCESS_KEY and OBJECTS_SECRET_KEY" in server.log()
