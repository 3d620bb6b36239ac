"""Catching up with WAL that waits upstream: everybody gets a slot that begins at the same position."""
import os
import shutil
import time

from upstream import BIN, PROGRAM, Undisturbed, Upstream, command, owned_directory, table

MODES = {"default": [], "synchronous": ["--synchronous"], "no-sync": ["--no-sync"]}


def run(place, options):
    upstream = Upstream(os.path.join(place, "upstream"))
    try:
        upstream.sql("select pg_create_physical_replication_slot('origin', true)")
        end = fill(upstream, options.segments)
        rates = {}
        for number in range(options.rounds):
            contenders = [(tool, mode) for mode in MODES for tool in ("pg_receivewal", "pgarchive")]
            for tool, mode in contenders[::-1] if number % 2 else contenders:
                seconds, volume = catch_up(upstream, place, tool, mode, end)
                rates.setdefault(f"{tool}, {mode}", []).append(volume / seconds / 1e6)
        for mode in MODES:
            samples = {name: rates[name] for name in (f"pg_receivewal, {mode}", f"pgarchive, {mode}")}
            title = f"Catching up {options.segments} segments, {mode}"
            table(title, "MB/s", samples, f"pg_receivewal, {mode}", higher_is_better=True)
    finally:
        with Undisturbed():
            upstream.stop()


def fill(upstream, segments):
    """Writes WAL of the usual kind until there are enough segments; returns its end."""
    start = int(upstream.sql("select pg_current_wal_lsn() - '0/0'"))
    upstream.pgbench("-i", "-q", "-s", "20")
    while int(upstream.sql("select pg_current_wal_lsn() - '0/0'")) - start < segments * 16777216:
        upstream.pgbench("-n", "-N", "-c", "4", "-T", "2")
    upstream.sql("select pg_switch_wal()")
    end = upstream.sql("select pg_current_wal_lsn()")
    upstream.sql("checkpoint")  # pg_receivewal only stops at what lies beyond the end
    return end


def catch_up(upstream, place, tool, mode, end):
    upstream.sql("select pg_copy_physical_replication_slot('origin', 'round')")
    directory = owned_directory(os.path.join(place, "received"))
    os.sync()
    program = [BIN + "/pg_receivewal"] if tool == "pg_receivewal" else [PROGRAM, "wal_archive", "receive"]
    arguments = ["-D", directory, "-S", "round", "-d", upstream.connection, "-E", end, "-n"] + MODES[mode]
    begin = time.monotonic()
    command(program + arguments, owner=True)
    seconds = time.monotonic() - begin
    volume = sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory)
                 if len(name) == 24)
    shutil.rmtree(directory)
    # The server notices after a moment that the connection is gone; until then the slot cannot be dropped.
    while upstream.sql("select active from pg_replication_slots where slot_name = 'round'") == "t":
        time.sleep(0.01)
    upstream.sql("select pg_drop_replication_slot('round')")
    return seconds, volume
