"""The mail sink: what it takes is kept, shown and bounded; the image runs it as its pod does."""

import importlib.util
import json
import smtplib
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from images.tests.servers import Launch, Server
from suuupra.testing.containers import docker

SOURCE = Path(__file__).parents[1] / "mail-sink" / "mail_sink.py"


def _loaded() -> Any:
    # The file is a program of the image and no package of the project.
    spec = importlib.util.spec_from_file_location("mail_sink", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mail_sink"] = module
    spec.loader.exec_module(module)
    return module


sink = _loaded()


def mail(subject: str = "Hello", message_id: str | None = None, text: str = "Hi.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "no-reply@suuupra.example"
    message["To"] = "asha@example.org"
    message["Subject"] = subject
    if message_id:
        message["Message-ID"] = message_id
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    return message


def take(store: Any, message: EmailMessage, to: str = "asha@example.org") -> Any:
    return store.take("no-reply@suuupra.example", [to], message.as_bytes())


def test_what_comes_again_under_its_message_id_is_one_message_with_copies(tmp_path: Path) -> None:
    store = sink.Store(tmp_path)
    take(store, mail(message_id="<a@suuupra.example>"))
    take(store, mail(message_id="<a@suuupra.example>"))
    take(store, mail(message_id="<a@suuupra.example>"), to="ravi@example.org")
    take(store, mail())
    take(store, mail())
    assert [(it.recipients[0], it.copies) for it in store.newest()] == [
        ("asha@example.org", 1),
        ("asha@example.org", 1),
        ("ravi@example.org", 1),
        ("asha@example.org", 2),
    ]
    assert [it.copies for it in store.newest("RAVI@example.org")] == [1]


def test_a_restart_keeps_what_was_taken_and_nothing_that_was_cut_off(tmp_path: Path) -> None:
    store = sink.Store(tmp_path)
    take(store, mail("First"))
    take(store, mail("रसीद"))
    (tmp_path / "000000000003.partial").write_bytes(b"half")
    again = sink.Store(tmp_path)
    again.load()
    assert [it.subject for it in again.newest()] == ["रसीद", "First"]
    assert take(again, mail()).id == 3
    assert not list(tmp_path.glob("*.partial"))


def test_the_oldest_make_room(tmp_path: Path) -> None:
    store = sink.Store(tmp_path, most=3)
    for number in range(5):
        take(store, mail(str(number)))
    assert [it.subject for it in store.newest()] == ["4", "3", "2"]
    small = sink.Store(tmp_path, space=3000)
    small.load()
    take(small, mail("large", text="x" * 800))
    assert next(it.subject for it in small.newest()) == "large"
    assert sum(it.size for it in small.newest()) <= 3000
    assert len(list(tmp_path.iterdir())) == len(small.newest())
    small.clear()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: =?nonsense?B?!!?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xe9",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
    ],
)
def test_whatever_was_taken_can_be_shown(tmp_path: Path, raw: bytes) -> None:
    store = sink.Store(tmp_path)
    kept = store.take("", ["asha@example.org"], raw)
    found = store.read(kept.id)
    assert json.loads(json.dumps(sink.shown(*found)).encode("ascii"))["id"] == kept.id
    assert found[1] == raw


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch("mail-sink", 1025, "--publish", "127.0.0.1::8025", "--tmpfs", "/data:uid=65532,gid=65532")


def api(server: Server, path: str, method: str = "GET") -> Any:
    address = docker("port", server.id, "8025").splitlines()[0]
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.integration
def test_the_server_takes_mail_shows_it_and_forgets_it(server: Server) -> None:
    api(server, "/api/messages", "DELETE")
    message = mail("आपकी रसीद", "<receipt@suuupra.example>", "₹499.00\n.\nend\n")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
        for _ in range(2):
            client.send_message(message)
    (listed,) = api(server, "/api/messages?to=asha@example.org")["messages"]
    assert (listed["subject"], listed["copies"]) == ("आपकी रसीद", 2)
    read = api(server, f"/api/messages/{listed['id']}")
    assert "₹499.00\n.\nend" in read["text"].replace("\r\n", "\n")
    assert "<p>₹499.00" in read["html"]
    assert ["Message-ID", "<receipt@suuupra.example>"] in read["headers"]
    assert api(server, "/api/messages?to=nobody@example.org") == {"messages": []}
    api(server, "/api/messages", "DELETE")
    assert api(server, "/api/messages") == {"messages": []}
    for path in ("/", f"/api/messages/{listed['id']}", "/api/messages/x", "/api/messages/١"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            api(server, urllib.parse.quote(path))
        assert refused.value.code == 404
        refused.value.close()
    assert "asha" not in server.log()


@pytest.mark.integration
def test_a_message_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
        client.ehlo()
        assert int(client.esmtp_features["size"]) == 10 * 1024 * 1024
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@example.org", ["b@example.org"], b"x" * (11 * 1024 * 1024))


@pytest.mark.integration
def test_the_server_ends_in_order(launch: Launch) -> None:
    server = launch("mail-sink", 1025, "--tmpfs", "/data:uid=65532,gid=65532")
    assert server.stop() == 0
