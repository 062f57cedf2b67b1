"""The simulated Trieve server and `bellhop get` against the vendor's OpenAPI text (Tests/Fixtures/trieve-openapi.yaml).

Usage: python trieve.py BELLHOP. Run by scripts/test.
"""

import json, os, re, subprocess, sys, tempfile, urllib.error, urllib.request, yaml
from openapi_schema_validator import OAS30Validator

BELLHOP = os.path.abspath(sys.argv[1])
spec = yaml.safe_load(open(os.path.join(os.path.dirname(__file__), "../Fixtures/trieve-openapi.yaml")))
schemas = spec["components"]["schemas"]


def check(what, holds, *details):
    if not holds:
        print(f"✘ {what}:", *details, file=sys.stderr)
        sys.exit(1)
    print(f"✔ {what}")


def main():
    server = subprocess.Popen([BELLHOP, "simulate", "trieve", "--port", "0", "--events", "50"], stdout=subprocess.PIPE, text=True)
    try:
        first, second = server.stdout.readline(), server.stdout.readline()
        url = re.search(r"http://127.0.0.1:\d+", first)[0]
        dataset, event = first.split("dataset ")[1].strip(), second.split("an event: ")[1].strip()

        def ask(path, key="Bearer tr-key123"):
            request = urllib.request.Request(url + path, headers={"Authorization": key, "TR-Dataset": dataset})
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)

        status, body = ask(f"/api/analytics/events/{event}")
        check("an event is EventData", status == 200 and not list(OAS30Validator(schemas["EventData"]).iter_errors(body)), status, body)
        for path, key, expected in [("/api/analytics/events/x", None, 400), (f"/api/analytics/events/{event}", "no-such-key", 401),
                                    ("/api/analytics/events/00000000-0000-0000-0000-000000000000", None, 500)]:
            status, body = ask(path, *([key] if key else []))
            errors = list(OAS30Validator(schemas["ErrorResponseBody"]).iter_errors(body))
            check(f"HTTP {expected} has an ErrorResponseBody", status == expected and not errors, status, body)

        with tempfile.TemporaryDirectory(prefix="bellhop-interop-") as folder:
            with open(f"{folder}/bellhop.yaml", "w") as file:
                file.write(f"""
sources: {{ shop: {{ kind: trieve, dataset: {dataset}, api_key: "${{KEY:-tr-key123}}", base_url: "{url}" }} }}
sinks: {{ audit: {{ kind: file, path: audit.ndjson }} }}
rules: [{{ name: pro, match: {{ event.kind: event, metadata.plan: [pro, free] }}, send: [audit] }}]
""")

            def get(*words, **environment):
                return subprocess.run([BELLHOP, "get", "shop", *words], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)

            found = get(event)
            fetched = json.loads(found.stdout)
            check("bellhop get prints EventData, on one line", found.returncode == 0 and found.stdout.count("\n") == 1
                  and not list(OAS30Validator(schemas["EventData"]).iter_errors(fetched)) and fetched["id"] == event, found.stderr)
            check("not found is 1", get("00000000-0000-0000-0000-000000000000").returncode == 1)
            check("not permitted is 77", get(event, KEY="no-such-key").returncode == 77)
            forwarded = get(event, "--forward")
            with open(f"{folder}/audit.ndjson") as audit:
                lines = audit.read().splitlines()
            check("--forward delivers it through the rules", forwarded.returncode == 0 and [json.loads(line)["id"] for line in lines] == [event], forwarded.stderr)
            server.terminate()
            server.wait()
            check("not reachable is 75", get(event).returncode == 75)
    finally:
        server.kill()
    print("the simulated Trieve server and bellhop get agree with the vendor's OpenAPI text")


main()
