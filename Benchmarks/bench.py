"""What the benchmark scripts share: HTTP servers on loopback (an API, a receiver), and running and watching bellhop."""

import asyncio, atexit, bisect, ctypes, datetime, json, os, re, signal, sqlite3, socket, statistics, subprocess, sys, tempfile, time
from urllib.parse import parse_qs, urlsplit

BELLHOP = os.environ["BELLHOP"]
PARENT_DIED = 1  # PR_SET_PDEATHSIG
children = []


def start(*command, **options):
    """A process that ends with this one, however this one ends."""
    die = lambda: ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
    options.setdefault("stderr", subprocess.DEVNULL)
    process = subprocess.Popen([str(part) for part in command], preexec_fn=die, **options)
    children.append(process)
    return process


def stop(process):
    """Stops it as an administrator would."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise SystemExit(f"{process.args[:2]} did not end within 30 s of SIGTERM")


@atexit.register
def clean_up():
    for process in children:
        if process.poll() is None:
            process.kill()
            process.wait()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def simulator(*arguments):
    """One of bellhop's own simulators, and its URL."""
    process = start(BELLHOP, "simulate", *arguments, "--port", "0", stdout=subprocess.PIPE, text=True)
    return process, re.search(r"http://127.0.0.1:\d+", process.stdout.readline())[0]


def folder():
    return tempfile.TemporaryDirectory(prefix="bellhop-bench-", ignore_cleanup_errors=True)


def configure(folder, api, sinks, interval="200ms"):
    """A configuration that sends everything to all sinks. No overlap: this API shows every event at once, and in order."""
    with open(f"{folder}/bellhop.yaml", "w") as file:
        print(f"""sources:
  relay: {{ kind: relay_pro, subscriber_id: s, api_key: apikey123, base_url: "{api}", poll_interval: {interval}, overlap: 0s, start_from: 3650d }}
sinks:""", *(f"  {name}: {{ {options} }}" for name, options in sinks.items()), f"""rules:
  - {{ name: all, send: [{", ".join(sinks)}] }}""", sep="\n", file=file)


def run(folder, *arguments):
    return start(BELLHOP, "run", *arguments, cwd=folder, stderr=open(f"{folder}/log", "a"))


def spool(folder, mode="ro"):
    return sqlite3.connect(f"file:{folder}/data/spool.db?mode={mode}", uri=True, isolation_level=None)


def cpu(pid):
    """Seconds of user and system time; also of one that has ended and was not waited for."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, field="VmRSS"):
    """Megabytes; VmHWM is the most there ever was."""
    return int(re.search(rf"{field}:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1000


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def finish(problems):
    """Says what broke; slow is not broken."""
    for problem in problems:
        print(f"BROKEN: {problem}")
    sys.exit(1 if problems else 0)


def event(number, time, prefix):
    """Id, task and JSON, about 340 bytes, of an event at so many microseconds; four make a task, fifty tasks at once."""
    task = f"{prefix}task{number // 200 * 50 + number % 50:017d}"
    step = number % 200 // 50
    content = {"type": ("start", "acknowledged", "timed_out", "end")[step]} | ({"device": "bob"} if step == 1 else {})
    stamp = datetime.datetime.fromtimestamp(time // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    text = json.dumps({
        "category": "tasks", "content": content,
        "task": {"id": task, "name": "panic-room-7", "task_type": {"major": 1, "minor": 4, "name": "alerts", "namespace": "system"}},
        "event_id": f"{prefix}{number:031d}", "timestamp": f"{stamp}.{time % 1_000_000:06d}Z"})
    return f"{prefix}{number:031d}", task, f'{text[:-1]}, "note": "{"x" * (327 - len(text))}"}}'.encode()


class Server:
    """HTTP/1.1 with keep-alive. Before open() and after close() its port is held, and refuses connections."""

    def __init__(self):
        self.connections, self.listener = set(), None
        self.hold(0)

    def hold(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def open(self):
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: Connection(self), sock=self.socket, backlog=1024)

    def close(self):
        if not self.listener:
            return
        self.listener.close()
        self.listener = None
        for connection in list(self.connections):
            connection.transport.abort()
        self.hold(self.port)

    def answer(self, target, body):
        """The answer's body; None: no answer ever comes."""
        return None


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server, self.buffer = server, bytearray()

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, error):
        self.server.connections.discard(self)

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n") + 4) > 3:
            head = bytes(self.buffer[:end])
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + (int(length[1]) if length else 0)
            if len(self.buffer) < whole:
                return
            body = bytes(self.buffer[end:whole])
            del self.buffer[:whole]
            answer = self.server.answer(head.split(b" ", 2)[1].decode(), body)
            if answer is not None:
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))


class Api(Server):
    """The Relay Pro events API: events from `oldest` on, oldest first, a hundred at most."""

    def __init__(self, prefix="e"):
        super().__init__()
        self.prefix, self.times, self.ids, self.texts = prefix, [], [], []
        self.sent = {}  # when an answer first held the event
        self.asked = None  # when the first request came

    def add(self):
        """An event that happens now."""
        now = max(time.time_ns() // 1000, self.times[-1] + 1 if self.times else 0)
        key, _, text = event(len(self.times), now, self.prefix)
        self.times.append(now)
        self.ids.append(key)
        self.texts.append(text)

    async def flow(self, rate, count=None):
        """Adds events at a steady rate, until so many are there or it is cancelled."""
        begin, before = time.monotonic(), len(self.times)
        while count is None or len(self.times) - before < count:
            while len(self.times) - before < min(count or 1e9, (time.monotonic() - begin) * rate):
                self.add()
            await asyncio.sleep(0.005)

    def answer(self, target, body):
        now = time.monotonic()
        self.asked = self.asked or now
        query = parse_qs(urlsplit(target).query)
        oldest = datetime.datetime.fromisoformat(query["oldest"][0].replace("Z", "+00:00"))
        since = oldest - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        first = bisect.bisect_left(self.times, since // datetime.timedelta(microseconds=1))
        page = slice(first, first + min(100, int(query.get("limit", ["100"])[0])))
        for key in self.ids[page]:
            self.sent.setdefault(key, now)
        return b"[" + b",".join(self.texts[page]) + b"]"


class Receiver(Server):
    """A webhook that remembers what came, and when."""

    def __init__(self):
        super().__init__()
        self.came = {}  # when the event came first
        self.last = {}  # the newest event time of each task
        self.repeated, self.problems = 0, []

    def answer(self, target, body):
        got = json.loads(body)
        key, task, stamp = got["event_id"], got["task"]["id"], got["timestamp"]
        if self.came.setdefault(key, now := time.monotonic()) != now:
            self.repeated += 1
        if stamp < self.last.get(task, "") and len(self.problems) < 10:
            self.problems.append(f"of {task}, {stamp} came after {self.last[task]}")
        self.last[task] = max(stamp, self.last.get(task, ""))
        return b"ok"

    async def wait(self, ids, patience):
        """Until all have come, or none of them has for so many seconds; the problems."""
        missing, since = list(ids), time.monotonic()
        while missing and time.monotonic() - since < patience:
            await asyncio.sleep(0.05)
            left = [key for key in missing if key not in self.came]
            if len(left) < len(missing):
                missing, since = left, time.monotonic()
        return self.problems + ([f"{len(missing):,} of {len(ids):,} events did not come"] if missing else [])
