"""What Bellhop sends, read by the official Python packages of CloudEvents and Standard Webhooks.

Usage: python verify.py BELLHOP, in an environment with requirements.txt. Run by scripts/test.
"""

import base64, http.server, json, os, subprocess, sys, tempfile, threading

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError

BELLHOP = os.path.abspath(sys.argv[1])
SECRET, OLD_SECRET = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
received = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


EVENTS = [
    {"content": {"type": "acknowledged", "device": "bob"}, "task": {"id": "t1", "name": "fire-alarm"},
     "event_id": "a195f66af5514cacbdbeea09c8e785f6", "timestamp": "2024-08-08T18:25:40.923947Z"},
    {"content": {"type": "ty\"pe %41\r\nX-Evil: 1 €😀"}, "task": {"id": "t \u0001\u202e ünïcode 😀", "name": "<!channel>"},
     "event_id": "id with spaces, ünïcode 😀 and % \"quotes\"", "timestamp": "2024-08-08T18:25:40Z"},
    {"event_id": "bare"},
    {"event_id": "deep", "content": {"list": [1, 2.5, None, True, {"a": []}], "big": 12345678901234567890, "text": "\u2028\u0000\\"}},
]


def check(what, holds, *details):
    if not holds:
        print(f"✘ {what}:", *details, file=sys.stderr)
        sys.exit(1)
    print(f"✔ {what}")


def send(sink, event):
    received.clear()
    with open("event.json", "w") as file:
        json.dump(event, file)
    result = subprocess.run([BELLHOP, "send", sink, "event.json"], capture_output=True, text=True)
    check(f"{sink} takes {event['event_id']!r}", result.returncode == 0 and len(received) == 1, result.stderr)
    return received[0]


def cloudevent(sink, event):
    headers, body = send(sink, event)
    # A receiver's framework takes apart what stands around the media type.
    parsed = from_http_event(HTTPMessage(headers=headers, body=body))
    data = parsed.get_data()
    data = json.loads(data) if isinstance(data, (bytes, str)) else data
    check(f"{sink}: the data is the event", data == event, data)
    check(f"{sink}: specversion, id", (parsed.get_specversion(), parsed.get_id()) == ("1.0", event["event_id"]), parsed.get_id())
    check(f"{sink}: source and type", parsed.get_source() == "/bellhop/relay" and parsed.get_type().startswith("bellhop."))
    if "timestamp" in event:
        check(f"{sink}: time", parsed.get_time().isoformat().startswith(event["timestamp"][:19]), parsed.get_time())
    check(f"{sink}: no header of the event's making", "x-evil" not in headers)
    return parsed


def signed(event):
    headers, body = send("signed", event)
    for secret in (SECRET, OLD_SECRET):
        check("the signature holds for each secret", Webhook(secret).verify(body, headers) == event)
    for name, bad in (("body", (body + b" ", headers)), ("id", (body, {**headers, "webhook-id": "msg_other"}))):
        try:
            Webhook(SECRET).verify(*bad)
            check(f"another {name} is refused", False)
        except WebhookVerificationError:
            print(f"✔ another {name} is refused")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    with tempfile.TemporaryDirectory(prefix="bellhop-interop-") as folder:
        os.chdir(folder)
        with open("bellhop.yaml", "w") as file:
            file.write(f"""
sources: {{ relay: {{ kind: relay_pro, subscriber_id: s, api_key: key123456 }} }}
sinks:
  structured: {{ kind: webhook, url: "{url}", format: cloudevents }}
  binary: {{ kind: webhook, url: "{url}", format: cloudevents_binary }}
  signed: {{ kind: webhook, url: "{url}", signing_secret: ["{SECRET}", "{OLD_SECRET}"] }}
rules: [{{ name: all, send: [structured, binary, signed] }}]
""")
        for event in EVENTS:
            one, other = cloudevent("structured", event), cloudevent("binary", event)
            one, other = one.get_attributes(), other.get_attributes()
            if "timestamp" not in event:  # it happens when it is sent
                one, other = ({**each, "time": None} for each in (one, other))
            check("both modes say the same", one == other, one, other)
            signed(event)
        os.chdir("/")
    print(f"{len(EVENTS)} events, all read by cloudevents and standardwebhooks")


main()
