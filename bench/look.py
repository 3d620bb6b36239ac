"""From the command to the first row of a moment: pgarchive's looks and ready clones, and pgBackRest's restore."""
import json
import os
import re
import shutil
import subprocess
import threading
import time

from upstream import BIN, CLEAN, OWNER, PROGRAM, Asker, Undisturbed, Upstream, command, end, owned_directory, table

COUNT = "select count(*), sum(abalance) from pgbench_accounts where aid <= 1000"


def run(place, options):
    bench = Bench(place, options)
    try:
        bench.prepare()
        tables = [
            (bench.little, [
                ("psql --at", lambda: bench.look(bench.little)),
                ("clone create --start", lambda: bench.clone(bench.little)),
            ]),
            (bench.much, [
                ("psql --at", lambda: bench.look(bench.much)), ("psql, a later moment", bench.later),
                ("psql, the same again", bench.again), ("clone create --start", lambda: bench.clone(bench.much)),
                ("of a ready image", bench.ready), ("ten of them at once", bench.ten),
            ] + ([("a ready image by hand", lambda: bench.by_hand(1)), ("ten by hand", lambda: bench.by_hand(10))]
                 if bench.image else [])),
        ]
        for moment, kinds in tables:
            if bench.pgbackrest:
                kinds.append(("pgBackRest restore", lambda moment=moment: bench.restore(moment)))
            samples = {}
            for _ in range(options.rounds):
                for name, measure in kinds:
                    samples.setdefault(name, []).append(measure() * 1000)
            title = (f"To the first row, {bench.megabytes} MB, {moment.debt / 1e6:.0f} MB of WAL from the snapshot's "
                     "redo point to the moment")
            reference = "pgBackRest restore" if bench.pgbackrest else "clone create --start"
            table(title, "ms", samples, reference, higher_is_better=False)
        if not bench.pgbackrest:
            print("  (pgBackRest is not installed: apt-get install pgbackrest)")
    finally:
        with Undisturbed():
            bench.remove()


class Moment:
    """When, how much WAL there is from the snapshot's redo point to it, and a table that had just been made."""

    def __init__(self, bench, marker):
        bench.upstream.sql(f"create table {marker} ()")
        self.marker = marker
        self.time = bench.pause()
        self.debt = 0

    def weigh(self, bench):
        plan = bench.pgarchive("clone", "create", "weighed", "--at", self.time, "--dry-run", "--quiet", "--output",
                               "json")
        self.debt = json.loads(plan)["debtBytes"]


class Bench:
    def __init__(self, place, options):
        self.place = place
        self.options = options
        self.home = os.path.join(place, "home")
        self.environment = {**CLEAN, "PGARCHIVE_HOME": self.home}
        self.pgbackrest = shutil.which("pgbackrest")
        self.container = None
        self.image = None
        self.servers = {}
        self.asker = Asker()
        self.number = 0
        self.configuration = os.path.join(place, "pgbackrest.conf")
        settings = {}
        if self.pgbackrest:
            settings = {"archive_mode": "on", "archive_command":
                        f"'pgbackrest --config={self.configuration} --stanza=bench archive-push %p'"}
        self.upstream = Upstream(os.path.join(place, "upstream"), settings)

    def pgarchive(self, *arguments, check=True):
        return command([PROGRAM, *arguments], env=self.environment, check=check).stdout

    def backrest(self, *arguments):
        words = [self.pgbackrest, f"--config={self.configuration}", "--stanza=bench", "--log-level-console=warn"]
        return command(words + list(arguments), owner=True)

    def prepare(self):
        upstream, options = self.upstream, self.options
        if self.pgbackrest:
            self.configure()
            self.backrest("stanza-create")
        upstream.pgbench("-i", "-q", "-s", str(options.scale or 100))
        storage = ["--pool-size", options.pool_size] if os.getuid() == 0 else []
        self.pgarchive("container", "init", "--container", "bench", "--upstream", upstream.connection,
                       "--upstream-repl", f"host={upstream.place} user=postgres", "--checkpoint", "fast", *storage)
        self.container = os.path.realpath(os.path.join(self.home, "bench"))
        upstream.sql("checkpoint")
        self.replay()
        self.pgarchive("snapshot", "create", "--name", "start")
        self.pgarchive("snapshot", "prepare", "start")
        image = os.path.join(self.container, "snapshots", "start", "ready")
        self.image = image if os.getuid() == 0 and os.path.isdir(image + "/data") else None
        if self.pgbackrest:
            self.backrest("backup", "--type=full", "--start-fast")
            # It knows whole seconds, and takes a backup only for what is later.
            time.sleep(2)
        self.megabytes = int(upstream.sql("select sum(pg_database_size(oid)) from pg_database")) // 1000000
        self.start = self.position()
        upstream.pgbench("-n", "-N", "-c", "1", "-t", "300")
        self.little = Moment(self, "little")
        while self.position() - self.start < (options.debt or 100) * 1000000:
            upstream.pgbench("-n", "-N", "-c", "4", "-T", "1")
        self.much = Moment(self, "much")
        upstream.pgbench("-n", "-N", "-c", "1", "-t", "200")
        self.later_moment = self.pause()
        self.replay()
        self.little.weigh(self)
        self.much.weigh(self)

    def configure(self):
        for name in ("repo", "log", "lock", "spool"):
            owned_directory(os.path.join(self.place, name))
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(f"[global]\nrepo1-path={self.place}/repo\nlog-path={self.place}/log\n"
                       f"lock-path={self.place}/lock\nspool-path={self.place}/spool\nprocess-max=2\n"
                       f"compress-type=lz4\nlog-level-file=off\n"
                       f"[bench]\npg1-path={self.upstream.data}\npg1-socket-path={self.upstream.place}\n")
        os.chmod(self.configuration, 0o644)

    def pause(self):
        """A moment at which nothing commits."""
        time.sleep(0.1)
        moment = self.upstream.sql("select clock_timestamp()")
        time.sleep(0.1)
        self.upstream.sql("select txid_current()")
        return moment

    def replay(self):
        """All that was written is in the archive, in complete segments."""
        last = self.upstream.sql("select pg_walfile_name(pg_switch_wal())")
        self.upstream.sql("select txid_current()")
        while not os.path.exists(os.path.join(self.container, "wal_archive", last)):
            time.sleep(0.05)
        time.sleep(2)

    def position(self):
        return int(self.upstream.sql("select pg_current_wal_lsn() - '0/0'"))

    # The contenders: seconds from the command to the first row.

    def psql(self, moment, keep):
        begin = time.monotonic()
        self.pgarchive("psql", "--at", moment, "--keep", keep, "-X", "-A", "-t", "-c", COUNT)
        return time.monotonic() - begin

    def look(self, moment):
        """What it removes at its end is not waited for: a supervisor does that."""
        self.end_looks()
        return self.psql(moment.time, "5")

    def later(self):
        return self.psql(self.later_moment, "5")

    def again(self):
        return self.psql(self.later_moment, "5")

    def end_looks(self):
        for name in os.listdir(os.path.join(self.container, "clones")):
            if name.startswith("look-"):
                self.pgarchive("clone", "stop", name, "-m", "immediate", check=False)
                self.pgarchive("clone", "delete", name, check=False)
        os.sync()

    def started(self, arguments):
        begin = time.monotonic()
        self.number += 1
        name = f"b{self.number}"
        self.ask([name if word == "NAME" else word for word in arguments])
        return name, begin

    def ask(self, words):
        """A clone is made and started, and answers."""
        told = self.pgarchive("clone", "create", *words, "--start")
        port = re.search(r"on port ([0-9]+)", told).group(1)
        if self.asker.ask(f"host={self.container}/run port={port} user=postgres dbname=postgres", COUNT) is None:
            raise SystemExit(f"error: a clone does not answer: {told}")

    def clone(self, moment):
        name, begin = self.started(["NAME", "--at", moment.time])
        seconds = time.monotonic() - begin
        self.discard(name)
        return seconds

    def ready(self):
        name, begin = self.started(["start", "NAME"])
        seconds = time.monotonic() - begin
        self.discard(name)
        return seconds

    def ten(self):
        names = [f"t{self.number}-{number}" for number in range(10)]
        self.number += 1
        begin = time.monotonic()
        works = [threading.Thread(target=self.ask, args=(["start", name],)) for name in names]
        for work in works:
            work.start()
        for work in works:
            work.join()
        seconds = time.monotonic() - begin
        self.discard(*names)
        return seconds

    def by_hand(self, count):
        """The least that clones of an image can cost on this machine: a snapshot, PostgreSQL, the first answer."""
        directories = [os.path.join(self.container, f"hand-{number}") for number in range(count)]
        begin = time.monotonic()
        works = [threading.Thread(target=self.serve, args=(directory,)) for directory in directories]
        for work in works:
            work.start()
        for work in works:
            work.join()
        seconds = time.monotonic() - begin
        for directory in directories:
            end(self.servers.pop(directory))
            command(["btrfs", "subvolume", "delete", directory])
        os.sync()
        return seconds

    def serve(self, directory):
        command(["btrfs", "subvolume", "snapshot", self.image, directory])
        server = [BIN + "/postgres", "-D", directory + "/data", "-c", f"unix_socket_directories={directory}",
                  "-c", "listen_addresses=", "-c", "fsync=off", "-c", "archive_mode=off"]
        server = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] + server
        with open(os.path.join(directory, "log"), "w", encoding="utf-8") as log:
            process = self.servers[directory] = subprocess.Popen(
                server, env=CLEAN, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        while self.asker.ask(f"host={directory} user=postgres dbname=postgres", COUNT) is None:
            if process.poll() is not None:
                raise SystemExit(f"the server ended: see {directory}/log")
            time.sleep(0.002)

    def discard(self, *names):
        for name in names:
            self.pgarchive("clone", "stop", name, "-m", "immediate")
            self.pgarchive("clone", "delete", name)
        os.sync()

    def restore(self, moment):
        """fsync off, as for the others: nobody keeps what is only looked at."""
        target = os.path.join(self.place, "restored")
        shutil.rmtree(target, ignore_errors=True)
        owned_directory(target)
        os.chmod(target, 0o700)
        os.sync()
        begin = time.monotonic()
        self.backrest("restore", f"--pg1-path={target}", "--type=time", f"--target={moment.time}",
                      "--target-action=promote")
        directory = owned_directory(os.path.join(self.place, "hand"))
        server = [BIN + "/postgres", "-D", target, "-c", f"unix_socket_directories={directory}", "-c", "port=5499",
                  "-c", "archive_mode=off", "-c", "fsync=off"]
        if os.getuid() == 0:
            server = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] + server
        with open(os.path.join(directory, "log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen(server, env=CLEAN, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        try:
            link = f"host={directory} port=5499 user=postgres dbname=postgres"
            query = COUNT + f" and to_regclass('{moment.marker}') is not null having count(*) > 0"
            while self.asker.ask(link, query) is None:
                if process.poll() is not None:
                    raise SystemExit(f"the restored server ended: see {directory}/log")
                time.sleep(0.002)
            return time.monotonic() - begin
        finally:
            end(process)
            shutil.rmtree(target, ignore_errors=True)

    def remove(self):
        if self.container is not None or os.path.exists(self.home):
            for arguments in (["clone", "stop", "--all"], ["container", "stop"], ["container", "purge", "--force"]):
                self.pgarchive(*arguments, "--container", "bench", check=False)
        self.upstream.stop()
