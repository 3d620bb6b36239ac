"""What is done all day, by the clock: commands, the standby's distance, a clone that has nothing to replay."""
import json
import os
import statistics
import subprocess
import threading
import time

from upstream import CLEAN, PROGRAM, Asker, Undisturbed, Upstream, command, end


def run(place, options):
    upstream = Upstream(os.path.join(place, "upstream"), {"archive_timeout": "0"})
    home = os.path.join(place, "home")
    environment = {**CLEAN, "PGARCHIVE_HOME": home}

    def pgarchive(*arguments, check=True):
        return command([PROGRAM, *arguments, "--container", "bench"], env=environment, check=check).stdout

    try:
        upstream.pgbench("-i", "-q", "-s", "10")
        storage = ["--pool-size", options.pool_size] if os.getuid() == 0 else []
        pgarchive("container", "init", "--upstream", upstream.connection, "--upstream-repl",
                  f"host={upstream.place} user=postgres", "--checkpoint", "fast", *storage)
        container = os.path.realpath(os.path.join(home, "bench"))
        count = 4 * options.rounds
        print("\nSmall things, median and range")
        show("pgarchive-wal --version", "ms", [spawned([PROGRAM + "-wal", "--version"], CLEAN) for _ in range(count)])
        status = [PROGRAM, "status", "--quiet", "--container", "bench"]
        show("pgarchive status", "ms", [spawned(status, environment) for _ in range(count)])
        show("a complete segment is replayed after", "ms", [replayed(upstream, container) for _ in range(count)])
        reads, writes = [], []
        for _ in range(options.rounds):
            first, writable = clone(upstream, container, environment, pgarchive)
            reads.append(first)
            writes.append(writable)
        show("a clone with nothing to replay answers after", "ms", reads)
        show("and accepts writes after", "ms", writes)
    finally:
        with Undisturbed():
            for arguments in (["clone", "stop", "--all"], ["container", "stop"], ["container", "purge", "--force"]):
                pgarchive(*arguments, check=False)
            upstream.stop()


def show(name, unit, seconds):
    values = [value * 1000 for value in seconds]
    print(f"  {name:46} {statistics.median(values):7.1f} {unit}  ({min(values):.1f} to {max(values):.1f})")


def spawned(arguments, environment):
    begin = time.monotonic()
    subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, cwd="/")
    return time.monotonic() - begin


def switched(upstream, container):
    """Ends a segment; its end, once it has its name in the archive."""
    upstream.sql("insert into pgbench_history (tid, bid, aid, delta) values (1, 1, 1, 1)")
    name, position = upstream.sql("select pg_walfile_name(pg_current_wal_lsn()), pg_switch_wal()").split("|")
    # The name is given when it is sure that no record goes on in the next segment.
    upstream.sql("select txid_current()")
    while not os.path.exists(os.path.join(container, "wal_archive", name)):
        time.sleep(0.0005)
    return position


def replayed(upstream, container):
    """From a segment's name in the archive to its replay."""
    position = switched(upstream, container)
    begin = time.monotonic()
    with open(os.path.join(container, "standby", "data", "postmaster.pid"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    query = f"select pg_last_wal_replay_lsn() >= '{position}'"
    while Asker().ask(f"host={lines[4]} port={lines[3]} user=postgres dbname=postgres", query) != "t":
        time.sleep(0.001)
    return time.monotonic() - begin


def clone(upstream, container, environment, pgarchive):
    upstream.sql("drop table if exists marker")
    upstream.sql("create table marker ()")
    upstream.sql("checkpoint")
    replayed(upstream, container)
    pgarchive("snapshot", "create", "--name", "now")
    begin = time.monotonic()
    arguments = [PROGRAM, "clone", "create", "b1", "--snapshot", "now", "--start", "--container", "bench"]
    process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
    output = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    try:
        record = os.path.join(container, "clones", "b1", "clone.json")
        while not os.path.exists(record) and process.poll() is None:
            time.sleep(0.001)
        with open(record, encoding="utf-8") as file:
            port = json.load(file)["port"]
        times = Asker().times(f"host={container}/run port={port} user=postgres dbname=postgres", begin, give_up=60)
        process.wait()
    finally:
        end(process)
        reader.join()
    pgarchive("clone", "stop", "b1")
    pgarchive("clone", "delete", "b1")
    pgarchive("snapshot", "delete", "now")
    return times
