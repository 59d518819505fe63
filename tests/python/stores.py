"""Servers for the tests of URLs: an object store, a proxy in front of it that can fail, and a plain HTTP server."""

import base64
import datetime
import hashlib
import hmac
import http.client
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY_ID = "vecpack"
"""The only access key that the proxy lets through."""


@contextmanager
def object_store():
    """An S3-speaking server of its own process; gives its port."""
    with running([sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"]) as port:
        yield port


AZURITE = os.environ.get("AZURITE") or shutil.which("azurite-blob")
"""The emulator of Azure's blobs, of npm's package `azurite`."""


@contextmanager
def azurite(folder):
    """A server of Azure's blobs, which keeps them in `folder`; gives its port."""
    options = ["--location", str(folder), "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    with running([AZURITE, *options, "--blobPort", "{port}"]) as port:
        yield port


@contextmanager
def running(command):
    """A server of its own process, with a free port in its command; gives the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [part.format(port=port) for part in command]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


@contextmanager
def serving(handler, **attributes):
    """A server on a free loopback port, whose handler finds `attributes` on it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    vars(server).update(attributes, log=[])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(path, ends=datetime.timedelta(days=1), is_ca=False, name="127.0.0.1"):
    """Writes the certificate of a server for the address `name`, signed by itself, and its key to a file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    itself = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "itself")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    made = (
        x509.CertificateBuilder(itself, itself, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + ends)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


def speak_tls(server, certificate):
    """Lets a server answer in TLS. Each connection greets in a thread of its own, by its first read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.greetings = 0

    def verify(request, address):
        server.greetings += 1
        return True

    server.verify_request = verify


class Handler(BaseHTTPRequestHandler):
    """Keeps a log of (method, path, range), and does what the server's `fault` says: a status to answer with, the number of bytes
    of the answer's body after which the connection is cut, or nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.log.append((self.command, self.path, self.headers.get("Range")))
        fault = self.server.fault(self) or {}
        if "status" in fault:
            text = f"<Error><Code>{fault.get('code', 'Fault')}</Code><Message>as told</Message></Error>".encode()
            self.answer(fault["status"], {"Content-Type": "application/xml"}, text)
            return
        status, headers, content = self.respond(body)
        self.answer(status, headers, content, fault.get("cut"))

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def answer(self, status, headers, content, cut=None):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if cut is None else content[:cut])
        if cut is not None:
            self.close_connection = True


class Proxy(Handler):
    """Passes everything on to the object store behind it, if it comes with the right key."""

    def respond(self, body):
        if f"Credential={KEY_ID}/" not in self.headers.get("Authorization", f"Credential={KEY_ID}/"):
            return 403, {}, b"<Error><Code>InvalidAccessKeyId</Code><Message>not known</Message></Error>"
        return self.pass_on(self.path, dict(self.headers), body)

    def pass_on(self, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        skipped = {"connection", "transfer-encoding", "server"}
        headers = {name: value for name, value in headers.items() if name.lower() not in skipped}
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
        connection.close()
        return answer.status, headers, content


class Google(Proxy):
    """Lets the object store speak as Google's do: XML that differs from S3's in a condition, in keys whose slashes are escaped, and in
    what an answer says of the version."""

    def parse_request(self):
        path, question, query = (super().parse_request() and self.path.partition("?")) or ("", "", "")
        self.path = urllib.parse.unquote(path) + question + query
        return path != ""

    def respond(self, body):
        headers = {name.lower(): value for name, value in {**self.headers, **HEADERS}.items()}
        if headers.pop("x-goog-if-generation-match", None) == "0":
            headers["If-None-Match"] = "*"
        status, answer, content = self.pass_on(urllib.parse.quote(self.path, "/?&=%"), headers, body)
        return status, {**answer, "x-goog-generation": "1"}, content


class Azure(Proxy):
    """Passes everything on to the emulator, which checks signatures."""

    def respond(self, body):
        return self.pass_on(self.path, dict(self.headers), body)


class Files(Handler):
    """The server's `files`: with ranges or without, with tags (and what stands before them) or without. Takes files as well."""

    def respond(self, body):
        path, _, _ = self.path.partition("?")
        if self.command == "PUT":
            self.server.files[path] = body
            return 201, {"ETag": '"new"'}, b""
        content = self.server.files.get(path)
        if content is None:
            return 404, {}, b""
        headers = {"Last-Modified": formatdate(self.server.modified, usegmt=True)}
        if self.server.tags is not None:
            headers["ETag"] = f'{self.server.tags}"{hash(content)}"'
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not self.server.ranges or not wanted:
            return 200, {**headers, "Content-Length": str(len(content))}, content
        if not content:
            return 416, {}, b""
        if self.headers.get("If-Match", headers.get("ETag")) != headers.get("ETag"):
            return 412, {}, b""
        start, end = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return 206, headers, content[start : end + 1]


HEADERS = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/us-east-1/s3/aws4_request, Signature=0",
    "Content-Type": "application/octet-stream",
    "x-amz-acl": "public-read",
}


class Bucket:
    """A new bucket of an object store, behind a proxy of its own."""

    def __init__(self, proxy, name, scheme="s3"):
        self.proxy, self.name, self.scheme = proxy, name, scheme
        self.direct("PUT", "")

    def direct(self, method, key, body=None):
        url = f"http://127.0.0.1:{self.proxy.port}/{self.name}/{key}"
        request = urllib.request.Request(url, body, HEADERS, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read()

    def url(self, key=""):
        return f"{self.scheme}://{self.name}/{key}"

    def put(self, key, content):
        self.direct("PUT", key, content)
        return self.url(key)

    def get(self, key):
        return self.direct("GET", key)

    def keys(self, notes=False):
        """The keys of all objects: of those that runs keep for themselves, or of the others."""
        keys = re.findall(r"<Key>(.*?)</Key>", self.direct("GET", "").decode())
        return [key for key in keys if ("_vecpack/" in key) == notes]

    def begin_upload(self, key):
        self.direct("POST", f"{key}?uploads", b"")

    def uploads(self):
        """How many uploads have been begun and not ended."""
        return self.direct("GET", "?uploads").decode().count("<Upload>")

    def requests(self, method=None):
        """What was asked of the proxy: methods, and paths within the bucket with their queries."""
        log = [(done, path.removeprefix(f"/{self.name}/")) for done, path, _ in self.proxy.log]
        return [request for request in log if method in (None, request[0])]


ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that the emulator of Azure has, for everybody."""


class Container(Bucket):
    """A new container of the emulator of Azure, behind a proxy of its own."""

    def __init__(self, proxy, name):
        self.proxy, self.name, self.scheme = proxy, name, "az"
        self.direct("PUT", "?restype=container")

    def direct(self, method, key, body=None):
        path, _, query = f"/{ACCOUNT}/{self.name}/{key}".rstrip("/").replace("/?", "?").partition("?")
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2023-11-03"}
        if method == "PUT":
            headers |= {"Content-Length": str(len(body or b"")), "x-ms-blob-type": "BlockBlob"}
        resource = [f"/{ACCOUNT}{path}"]
        resource += sorted(part.replace("=", ":") for part in query.split("&") if part)
        length = headers.get("Content-Length", "").removeprefix("0")
        kind = "application/octet-stream" if method == "PUT" else ""
        signed = [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
        text = "\n".join([method, "", "", length, "", kind, "", "", "", "", "", "", *signed, *resource])
        digest = hmac.digest(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256)
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        if kind:
            headers["Content-Type"] = kind
        url = f"http://127.0.0.1:{self.proxy.port}{path}" + ("?" + query if query else "")
        request = urllib.request.Request(url, body if method == "PUT" else None, headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read()

    def _names(self, also=""):
        text = self.direct("GET", f"?restype=container&comp=list{also}").decode()
        return re.findall(r"<Name>(.*?)</Name>", text)

    def keys(self, notes=False):
        return [key for key in self._names() if ("_vecpack/" in key) == notes]

    def begin_upload(self, key):
        self.direct("PUT", f"{key}?blockid=AAAA&comp=block", b"part")

    def uploads(self):
        return len(self._names("&include=uncommittedblobs")) - len(self._names())
