"""A server of a chosen moment: pgarchive's clone, and point-in-time recovery by hand from the very same snapshot."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from upstream import BIN, CLEAN, OWNER, PROGRAM, Asker, Undisturbed, Upstream, command, end, owned_directory, table

TUNED = {"shared_buffers": "2GB", "recovery_prefetch": "off", "fsync": "off"}
BY_HAND = {
    "by hand, as usual": {"shared_buffers": "128MB"},
    "by hand, tuned": TUNED,
    # Promoted at the pause there is no checkpoint to wait for.
    "by hand, at its best": {**TUNED, "recovery_target_action": "pause"},
}


def run(place, options):
    upstream = Upstream(os.path.join(place, "upstream"))
    archive = Archive(place, upstream, options)
    try:
        archive.prepare(options)
        reads, writes = {}, {}
        contenders = ["pgarchive"] + list(BY_HAND)
        for number in range(options.rounds):
            for name in contenders[::-1] if number % 2 else contenders:
                first, writable = archive.clone() if name == "pgarchive" else archive.by_hand(name)
                reads.setdefault(name, []).append(first)
                writes.setdefault(name, []).append(writable)
        title = f"A clone, {(options.scale or 30) * 15} MB, {archive.debt / 1e6:.0f} MB of WAL to replay"
        table(f"{title}: until it shows the moment", "s", reads, "by hand, at its best", higher_is_better=False)
        table(f"{title}: until it accepts writes", "s", writes, "by hand, at its best", higher_is_better=False)
    finally:
        with Undisturbed():
            archive.remove()
            upstream.stop()


class Archive:
    def __init__(self, place, upstream, options):
        self.place = place
        self.upstream = upstream
        self.home = os.path.join(place, "home")
        self.container = None
        self.asker = Asker()
        self.environment = {**CLEAN, "PGARCHIVE_HOME": self.home}

    def pgarchive(self, *arguments, check=True):
        return command([PROGRAM, *arguments], env=self.environment, check=check).stdout

    def prepare(self, options):
        self.upstream.pgbench("-i", "-q", "-s", str((options.scale or 30)))
        storage = ["--pool-size", options.pool_size] if os.getuid() == 0 else []
        self.pgarchive("container", "init", "--container", "bench", "--upstream", self.upstream.connection,
                       "--upstream-repl", f"host={self.upstream.place} user=postgres", "--checkpoint", "fast", *storage)
        self.container = os.path.realpath(os.path.join(self.home, "bench"))
        self.pgarchive("snapshot", "create", "--name", "start")
        start = self.position()
        while self.position() - start < (options.debt or 400) * 1000000:
            self.upstream.pgbench("-n", "-N", "-c", "4", "-T", "2")
        self.debt = self.position() - start
        self.upstream.sql("create table marker ()")
        self.moment = self.upstream.sql("select clock_timestamp()")
        self.upstream.sql("create table after_the_moment ()")
        # By hand only complete segments can be used.
        last = self.upstream.sql("select pg_walfile_name(pg_switch_wal())")
        self.upstream.sql("select txid_current()")
        while not os.path.exists(os.path.join(self.container, "wal_archive", last)):
            time.sleep(0.05)

    def position(self):
        return int(self.upstream.sql("select pg_current_wal_lsn() - '0/0'"))

    def clone(self):
        """Measured from outside: asked over and over, as for the ones by hand."""
        begin = time.monotonic()
        arguments = [PROGRAM, "clone", "create", "b1", "--snapshot", "start", "--at", self.moment, "--start"]
        process = subprocess.Popen(arguments, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
        output = []
        reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
        reader.start()
        try:
            record = os.path.join(self.container, "clones", "b1", "clone.json")
            while not os.path.exists(record) and process.poll() is None:
                time.sleep(0.001)
            if os.path.exists(record):
                with open(record, encoding="utf-8") as file:
                    port = json.load(file)["port"]
                times = self.asker.times(f"host={self.container}/run port={port} user=postgres dbname=postgres", begin)
            process.wait()
        finally:
            end(process)
            reader.join()
        if process.returncode != 0:
            raise SystemExit(f"clone create ended with {process.returncode}\n{''.join(output)}")
        self.pgarchive("clone", "stop", "b1")
        self.pgarchive("clone", "delete", "b1")
        os.sync()
        return times

    def by_hand(self, name):
        """What a good administrator types: copy the snapshot, set a recovery target, start."""
        work = os.path.join(self.container, "clones", ".by-hand")
        begin = time.monotonic()
        source = os.path.join(self.container, "snapshots", "start", "root")
        if shutil.which("btrfs") and command(["btrfs", "subvolume", "snapshot", source, work], check=False).returncode:
            command(["cp", "-a", "--reflink=auto", source, work])
        data = os.path.join(work, "data")
        for stale in ("postmaster.pid", "standby.signal", "postgresql.auto.conf"):
            if os.path.exists(os.path.join(data, stale)):
                os.unlink(os.path.join(data, stale))
        run_directory = owned_directory(os.path.join(self.place, "hand"))
        self.configure(data, run_directory, BY_HAND[name])
        server = [BIN + "/postgres", "-D", data, "-c", f"config_file={run_directory}/postgresql.conf"]
        if os.getuid() == 0:
            server = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] + server
        with open(os.path.join(run_directory, "log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen(server, env=CLEAN, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        try:
            times = self.asker.times(f"host={run_directory} port=5499 user=postgres dbname=postgres", begin,
                                     promotes="recovery_target_action" in BY_HAND[name])
        finally:
            end(process, signal.SIGQUIT)
        if shutil.which("btrfs") and command(["btrfs", "subvolume", "delete", work], check=False).returncode:
            shutil.rmtree(work)
        os.sync()
        return times

    def configure(self, data, directory, settings):
        wanted = {
            "listen_addresses": "", "unix_socket_directories": directory, "port": "5499", "hot_standby": "on",
            "hba_file": f"{directory}/pg_hba.conf", "max_connections": "100", "archive_mode": "off",
            "restore_command": f"cp {self.container}/wal_archive/%f %p", "recovery_target_time": self.moment,
            "recovery_target_action": "promote", "recovery_target_timeline": "latest", **settings,
        }
        with open(f"{directory}/postgresql.conf", "w", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in wanted.items())
        with open(f"{directory}/pg_hba.conf", "w", encoding="utf-8") as file:
            file.write("local all all trust\n")
        command(["touch", os.path.join(data, "recovery.signal")], owner=True)

    def remove(self):
        if self.container is None and not os.path.exists(self.home):
            return
        for arguments in (["clone", "stop", "--all"], ["container", "stop"], ["container", "purge", "--force"]):
            self.pgarchive(*arguments, "--container", "bench", check=False)
