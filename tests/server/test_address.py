"""Whose a connection is: of what proxies say only what the operator's own say counts."""

import ipaddress

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from collabdoc.server.address import client_address

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["unknown"], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.7, nonsense"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("::ffff:10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::"),
        ("127.0.0.1", [], ""),
        ("::1", [], ""),
        ("0.0.0.0", [], ""),
    ],
)
def test_the_last_address_that_a_proxy_of_ours_saw_counts(peer: str, said: list[str], expected: str) -> None:
    headers = HTTPHeaders({"Host": "test", "X-Real-Ip": "192.0.2.9"})
    for each in said:
        headers.add("X-Forwarded-For", each)
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/ws", "HTTP/1.1"), headers=headers)
    request.remote_ip = peer
    proxies = [ipaddress.ip_network(each) for each in PROXIES]
    assert client_address(request, proxies) == expected
