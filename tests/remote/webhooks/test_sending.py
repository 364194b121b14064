"""What is sent to a webhook, and to which addresses nothing is."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mlproj.errors import UsageError
from mlproj.model.webhooks import Answered, Outgoing, WebhookRules
from mlproj.remote.webhooks.addresses import is_allowed
from mlproj.remote.webhooks.sending import GuardedSender
from tests.certificates import self_signed
from tests.webhook_receiver import HOLD, Receiver, receiving

PUBLIC = "93.184.215.14"
NEAR = GuardedSender(WebhookRules(private=True, timeout_s=1.0))
FAR = GuardedSender(WebhookRules(http=True, timeout_s=1.0))


def sent(sender: GuardedSender, url: str, secret: str | None = None) -> Answered:
    return sender.send(Outgoing(url=url, body='{"a": 1}', delivery_id="d", secret=secret))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "[fec0::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[::ffff:0:127.0.0.1]",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
    ],
)
def test_nothing_is_sent_into_the_own_network(host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:8443/x"):
        with pytest.raises(UsageError, match=r"non-public|resolve"):
            FAR.refuse(url)
        answered = sent(FAR, url)
        assert answered.status is None and answered.error


def test_what_is_of_this_link_is_never_sent_to() -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "168.63.129.16", "0.0.0.0"):
        assert not is_allowed(ipaddress.ip_address(address), private=True)
    for address in ("10.0.0.1", "127.0.0.1", "::1", "fd12::1", PUBLIC):
        assert is_allowed(ipaddress.ip_address(address), private=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "hooks.example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://example.org/",
        "https://",
        "https://ada:secret@example.org/",
        "https://example.org:99999/",
        "https://exämple.org/",
        "https://example.org/a b",
        "https://example.org/\r\nX: y",
        "https://" + "a" * 600,
        "https://no.such.host.invalid/",
    ],
)
def test_what_is_no_address_for_it_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        GuardedSender(WebhookRules()).refuse(url)
    assert "secret" not in refused.value.message


def test_plain_http_goes_to_this_machine_alone_even_where_private_addresses_are_allowed() -> None:
    NEAR.refuse("http://127.0.0.1:1/")
    with pytest.raises(UsageError, match="http"):
        NEAR.refuse("http://10.0.0.1/")
    NEAR.refuse("https://10.0.0.1/")


class Names:
    """Answers for a name, one after the other, in place of the resolver's."""

    def __init__(self, patch: pytest.MonkeyPatch, *addresses: str) -> None:
        self._left = list(addresses)
        self._real = socket.getaddrinfo
        self.asked = 0
        patch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host != "hooks.example.org":
            return self._real(host, port, *rest, **named)
        self.asked += 1
        address = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_that_leads_elsewhere_later_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        port = receiver.uri.rpartition(":")[2]
        names = Names(monkeypatch, PUBLIC, "127.0.0.1")
        url = f"http://hooks.example.org:{port}/"
        FAR.refuse(url)
        assert "127.0.0.1" in (sent(FAR, url).error or "")
        assert names.asked == 2, "the address that was looked at is the one that is called"
        assert not receiver.heard()


def test_a_name_is_asked_for_once_for_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        port = receiver.uri.rpartition(":")[2]
        names = Names(monkeypatch, "127.0.0.1", "127.0.0.2")
        assert sent(NEAR, f"http://hooks.example.org:{port}/").accepted
        assert names.asked == 1
        assert receiver.heard()[0].headers["Host"] == f"hooks.example.org:{port}"


def test_the_certificate_is_that_of_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "DNS:hooks.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    Names(monkeypatch, "127.0.0.1")
    with receiving(context) as receiver:
        port = receiver.uri.rpartition(":")[2]
        stranger = sent(NEAR, f"https://hooks.example.org:{port}/")
        assert stranger.again and "CERTIFICATE_VERIFY_FAILED" in (stranger.error or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert sent(NEAR, f"https://hooks.example.org:{port}/").accepted
        assert "CERTIFICATE_VERIFY_FAILED" in (sent(NEAR, receiver.uri).error or "")
        monkeypatch.delenv("SSL_CERT_FILE")


@pytest.fixture
def receiver() -> Any:
    with receiving() as made:
        yield made


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers["/"] = [307]
    receiver.headers["Location"] = f"{receiver.uri}/elsewhere"
    answered = sent(NEAR, receiver.uri)
    assert (answered.status, answered.accepted, answered.again) == (307, False, False)
    assert len(receiver.heard()) == 1 and not receiver.heard("/elsewhere")


def test_proxies_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent(NEAR, receiver.uri).accepted
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("status", "again"), [(200, False), (204, False), (400, False), (404, False), (429, True), (503, True)]
)
def test_what_may_pass_is_tried_again(receiver: Receiver, status: int, again: bool) -> None:
    receiver.answers["/"] = [status]
    receiver.headers["Retry-After"] = "7"
    answered = sent(NEAR, receiver.uri)
    assert (answered.status, answered.accepted, answered.again) == (status, status < 300, again)
    assert answered.wait == (7.0 if again else None)


def test_it_is_signed_as_mlflow_signs(receiver: Receiver) -> None:
    assert sent(NEAR, f"{receiver.uri}/hook?key=1", "the secret").accepted
    (heard,) = receiver.heard("/hook?key=1")
    assert heard.signed_by("the secret") and not heard.signed_by("another")
    assert abs(int(heard.headers["X-MLflow-Timestamp"]) - time.time()) < 30
    assert heard.headers["Content-Type"] == "application/json" and heard.body == b'{"a": 1}'
    sent(NEAR, receiver.uri)
    assert "X-MLflow-Signature" not in receiver.heard()[0].headers


def test_nobody_is_waited_for_longer_than_it_takes(receiver: Receiver) -> None:
    receiver.answers["/"] = [HOLD]
    began = time.monotonic()
    assert sent(NEAR, receiver.uri) == Answered(error="no answer within 1 s", again=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It takes the connection, and goes on to answer a little of a header, for ever.
        silent.settimeout(5)
        dripping = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        def drip() -> None:
            connection, _ = silent.accept()
            with connection:
                for _ in range(100):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        answered = sent(NEAR, dripping)
        thread.join()
    assert answered == Answered(error="no answer within 1 s", again=True)
    assert time.monotonic() - began < 4
    gone = sent(NEAR, "http://127.0.0.1:9/hook?token=abc")
    assert gone.again and gone.error == "Connection refused"
