"""A throwaway PostgreSQL, and the small things that both comparisons need."""
import ctypes
import ctypes.util
import glob
import os
import pwd
import signal
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, ".build", "release", "pgarchive")
BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1]
OWNER = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PG")}


def command(arguments, owner=False, check=True, **more):
    """Runs a program, as the servers' owner when asked; its output is only shown when it fails."""
    if owner and os.getuid() == 0:
        arguments = ["runuser", "-u", OWNER, "--"] + arguments
    more.setdefault("env", CLEAN)
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, cwd="/", **more)
    try:
        output, errors = process.communicate()
    except BaseException:
        end(process)
        raise
    if check and process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}\nended with {process.returncode}\n{output}{errors}")
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def end(process, number=signal.SIGTERM):
    """Ends what was started, which may first put things in order."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Undisturbed:
    """While things are put in order, a signal waits."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self):
        self.noted = None
        self.before = {number: signal.signal(number, self.note) for number in self.signals}

    def note(self, number, _):
        self.noted = number

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)
        if self.noted is not None:
            raise SystemExit(128 + self.noted)


def owned_directory(path):
    os.makedirs(path, exist_ok=True)
    if os.getuid() == 0:
        user = pwd.getpwnam(OWNER)
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


class Upstream:
    def __init__(self, place, settings=None):
        self.place = owned_directory(place)
        self.data = os.path.join(place, "data")
        command([BIN + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8"], True)
        wanted = {
            "listen_addresses": "''", "unix_socket_directories": f"'{place}'", "shared_buffers": "'256MB'",
            "max_wal_size": "'16GB'", "checkpoint_timeout": "'1h'", "wal_keep_size": "'16GB'",
            "synchronous_commit": "off", "autovacuum": "off", **(settings or {}),
        }
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as file:
            file.writelines(f"{key} = {value}\n" for key, value in wanted.items())
        try:
            command([BIN + "/pg_ctl", "-D", self.data, "-l", place + "/log", "-w", "start"], True)
        except BaseException:
            self.stop()
            raise

    @property
    def connection(self):
        return f"host={self.place} user=postgres dbname=postgres"

    def sql(self, text):
        arguments = [BIN + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.connection, "-c", text]
        return command(arguments).stdout.strip()

    def pgbench(self, *arguments):
        command([BIN + "/pgbench", "-h", self.place, "-U", "postgres", *arguments, "postgres"])

    def stop(self):
        command([BIN + "/pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop"], True, check=False)


PAUSED = "select pg_get_wal_replay_pause_state() = 'paused'"


class Asker:
    """libpq by itself: psql's own start would be half of what is measured."""

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("pq"))
        self.library.PQconnectdb.restype = ctypes.c_void_p
        self.library.PQexec.restype = ctypes.c_void_p
        self.library.PQgetvalue.restype = ctypes.c_char_p

    def ask(self, connection, query):
        """The first value of the answer, or None when nobody answers."""
        pq = self.library
        link = ctypes.c_void_p(pq.PQconnectdb(connection.encode()))
        try:
            if pq.PQstatus(link) != 0:
                return None
            result = ctypes.c_void_p(pq.PQexec(link, query.encode()))
            answered = pq.PQresultStatus(result) == 2 and pq.PQntuples(result) > 0
            value = pq.PQgetvalue(result, 0, 0).decode() if answered else None
            pq.PQclear(result)
            return value
        finally:
            pq.PQfinish(link)

    def times(self, connection, begin, give_up=600, promotes=False):
        """Seconds since `begin` until it shows the moment (the table `marker`), and until it accepts writes.

        With `promotes` the server is told to go on once recovery has paused.
        """
        query = "select pg_is_in_recovery() || ' ' || (to_regclass('marker') is not null)"
        shows = None
        while time.monotonic() - begin < give_up:
            answer = self.ask(connection, query)
            if shows is None and answer is not None and answer.endswith("true"):
                shows = time.monotonic() - begin
            if answer is not None and answer.startswith("false"):
                return shows, time.monotonic() - begin
            if promotes and answer is not None and self.ask(connection, PAUSED) == "t":
                promotes = self.ask(connection, "select pg_promote(false)") is None
            time.sleep(0.002)
        raise SystemExit(f"no writable server at {connection} after {give_up} s")


def table(title, unit, samples, reference, higher_is_better):
    """Medians, ranges, and each contender's ratio to the reference within the same round."""
    print(f"\n{title}")
    width = max(len(name) for name in samples)
    for name, values in samples.items():
        ratios = [(value / base) if higher_is_better else (base / value)
                  for value, base in zip(values, samples[reference])]
        print(f"  {name:<{width}}  {statistics.median(values):9.2f} {unit}  "
              f"({min(values):.2f} to {max(values):.2f})  x{statistics.median(ratios):.2f}")
    print(f"  (median, range, and how many times as good as '{reference}', median of the rounds)")
