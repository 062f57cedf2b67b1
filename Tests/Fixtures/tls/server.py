"""An HTTPS server on loopback that answers 200 to everything. Usage: server.py CERTIFICATE [--client-ca FILE] [--tls12]"""
import http.server, ssl, sys


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        subject = self.connection.getpeercert() or {}
        body = str(subject.get("subject", "nobody")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
if "--client-ca" in sys.argv:
    context.load_verify_locations(sys.argv[sys.argv.index("--client-ca") + 1])
    context.verify_mode = ssl.CERT_REQUIRED
if "--tls12" in sys.argv:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("port %d." % server.server_port, file=sys.stderr, flush=True)
server.serve_forever()
