"""Addresses: what is this machine, what is one server, and where servers may send a client."""

from __future__ import annotations

import pytest

from minpack.net.address import host_of, is_loopback, may_lead, origin_of


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "a.localhost", "localhost.", "127.0.0.1", "127.255.0.9", "::1", "[::1]"]
)
def test_this_machine(host: str) -> None:
    """RFC 6761 and RFC 1122 reserve these."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["localhost.example", "notlocalhost", "127.0.0.1.example", "128.0.0.1", "10.0.0.1", "127.1", "", "0.0.0.0", "::2"],
)
def test_other_machines(host: str) -> None:
    """What only looks like it, or is written so that few programs know it."""
    assert not is_loopback(host)


def test_one_server() -> None:
    """Scheme, host and port, the usual one too."""
    assert origin_of("https://a.example/x?y") == origin_of("https://u:p@A.example:443") == ("https", "a.example", 443)
    assert origin_of("http://a:80/") == origin_of("http://a") != origin_of("https://a:80")
    assert host_of("http://u:p@[::1]:80/x") == "::1"
    for wrong in ("http://[", "http://a:b/", "http://a:99999/"):
        with pytest.raises(ValueError):
            origin_of(wrong)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("https://a.example/", "https://b.example/"),
        ("http://a.example/", "https://b.example/"),
        ("http://a.example/", "http://b.example:8080/"),
        ("https://a.example/", "https://8.8.8.8/"),
        ("https://a.example/", "https://[2001:4860:4860::8888]/"),
        ("https://10.0.0.1/", "https://10.0.0.1:8443/"),
        ("http://127.0.0.1:5000/", "http://localhost:5001/token"),
        ("http://localhost:5000/", "http://[::1]:5001/token"),
    ],
)
def test_where_servers_may_lead(here: str, there: str) -> None:
    """Other servers of the internet, the same host, and from this machine to itself."""
    assert may_lead(here, there)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "x.localhost",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
        ),
        *("100.64.0.1", "[::1]", "[::]", "[fe80::1%25eth0]", "[fd00:ec2::254]", "[::ffff:10.0.0.1]", "2130706433"),
        *("127.1", "0x7f000001", "0177.0.0.1", "10.1", "0xa.1"),
    ],
)
@pytest.mark.parametrize("here", ["https://a.example/", "https://8.8.8.8/", "https://10.9.9.9/"])
def test_where_no_server_may_lead(here: str, host: str) -> None:
    """Numbers of inner networks in every form that getaddrinfo(3) takes, and this machine."""
    assert not may_lead(here, f"https://{host}/")


@pytest.mark.parametrize(
    "there", ["http://a.example/", "file:///etc/passwd", "ftp://a.example/", "//a.example/", "javascript:x", ""]
)
def test_tls_is_not_left(there: str) -> None:
    """From https to https alone, and never to anything but the web."""
    assert not may_lead("https://a.example/", there)
