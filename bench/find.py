"""`find`, and a target that is looked up, in a week of WAL: 40,000 segments with a quarter of a million events."""
import contextlib
import json
import os
import re
import sqlite3
import statistics
import subprocess
import time

from upstream import BIN, CLEAN, PROGRAM, ROOT, Undisturbed, Upstream, command

TABLES = 2000


def run(place, options):
    count = options.rows or 40_000
    bench = Bench(place, options)
    try:
        bench.prepare(count)
        print(f"\nA week of WAL, {count} segments with {bench.events} events, median and range")
        for words in (
            ["find"], ["find", "--dropped", "orders"], ["find", "--deleted", "table_17"], ["find", "table_1234"],
            ["find", "--dropped", "made_5"], ["find", "--since", "2 hours ago", "--limit", "0"],
            ["find", "--xid", "50000"], ["find", "--restore-point", "point 1*"], ["find", "--dropped", "ordres"],
            ["clone", "create", "then", "--before-drop", "orders", "--dry-run"],
        ):
            bench.show(words)
    finally:
        with Undisturbed():
            bench.remove()


class Bench:
    def __init__(self, place, options):
        self.options = options
        self.environment = {**CLEAN, "PGARCHIVE_HOME": os.path.join(place, "home")}
        self.upstream = Upstream(os.path.join(place, "upstream"), {"archive_timeout": "0"})

    def pgarchive(self, *arguments, check=True):
        return command([PROGRAM, *arguments, "--container", "bench"], env=self.environment, check=check).stdout

    def prepare(self, count):
        # Its WAL begins where a week ends.
        data = self.upstream.data
        command([BIN + "/pg_ctl", "-D", data, "-m", "fast", "-w", "stop"], True)
        number = count + 100
        command([BIN + "/pg_resetwal", "-D", data, "-l", f"00000001{number // 256:08X}{number % 256:08X}"], True)
        command([BIN + "/pg_ctl", "-D", data, "-l", self.upstream.place + "/log", "-w", "start"], True)
        for first in range(0, TABLES, 200):
            self.upstream.sql(
                f"do $$ begin for n in {first}..{first + 199} loop "
                "execute format('create table table_%s (a int)', n); end loop; end $$"
            )
        self.upstream.sql("create table orders as select generate_series(1, 1000) a")
        storage = ["--pool-size", self.options.pool_size] if os.getuid() == 0 else []
        self.pgarchive("container", "init", "--upstream", self.upstream.connection, "--upstream-repl",
                       f"host={self.upstream.place} user=postgres", "--checkpoint", "fast", *storage)
        self.pgarchive("container", "stop")
        files = self.upstream.sql(
            "select string_agg(relfilenode::text, ',') from pg_class where relname like 'table_%'"
        )
        database = self.upstream.sql("select oid from pg_database where datname = 'postgres'")
        container = os.path.realpath(os.path.join(self.environment["PGARCHIVE_HOME"], "bench"))
        filled = subprocess.run(
            ["swift", "test", "--filter", "FindBenchmark"], cwd=ROOT, capture_output=True, text=True,
            env=dict(os.environ, PGARCHIVE_BENCH_CONTAINER=container, PGARCHIVE_BENCH_SEGMENTS=str(count),
                     PGARCHIVE_BENCH_FILES=files, PGARCHIVE_BENCH_DATABASE=database),
        )
        if filled.returncode != 0:
            raise SystemExit(filled.stdout + filled.stderr)
        self.pgarchive("container", "start")
        # What is dropped has its name from the standby, which must have been asked by then.
        self.wait(lambda: "nothing of the kind happened to 'orders'\n" in self.pgarchive("find", "--dropped", "orders")
                  and self.names() > TABLES + count / 15)
        self.pgarchive("snapshot", "create", "--name", "before")
        self.upstream.sql("drop table orders")
        self.upstream.sql("insert into table_1 values (1)")
        self.upstream.sql("select pg_switch_wal()")
        self.wait(lambda: "dropped public.orders in postgres" in self.pgarchive("find", "--dropped", "orders"))
        # The supervisor goes once through what is new, and notes which events have their names.
        self.wait(lambda: self.due() == 0)
        status = self.pgarchive("wal_archive", "index")
        self.events = re.search(r"([0-9]+) events", status).group(1)

    def names(self):
        return json.loads(self.pgarchive("wal_archive", "index", "--output", "json"))["extent"]["names"]

    def due(self):
        path = os.path.join(self.environment["PGARCHIVE_HOME"], "bench", "index.sqlite")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as index:
            return index.execute("select count(*) from events where naming = 0").fetchone()[0]

    def wait(self, condition, seconds=300):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit("error: what the benchmark waits for does not come")
            time.sleep(0.2)

    def show(self, words):
        arguments = [PROGRAM, *words, "--container", "bench"]
        seconds = []
        for _ in range(4 * self.options.rounds):
            begin = time.monotonic()
            ended = subprocess.run(arguments, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, check=False, cwd="/")
            seconds.append(time.monotonic() - begin)
            if ended.returncode not in (0, 6):
                raise SystemExit(f"{' '.join(arguments)}\n{ended.stdout}{ended.stderr}")
        values = [value * 1000 for value in seconds]
        print(f"  {' '.join(words):60} {statistics.median(values):7.1f} ms  ({min(values):.1f} to {max(values):.1f})")

    def remove(self):
        for arguments in (["container", "stop"], ["container", "purge", "--force"]):
            self.pgarchive(*arguments, check=False)
        self.upstream.stop()
