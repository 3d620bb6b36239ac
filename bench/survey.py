"""One pass over WAL, every checksum, files in the page cache: `inspect --stats` and `pg_waldump --stats`."""
import os
import shutil
import time

from receive import fill
from upstream import BIN, PROGRAM, Undisturbed, Upstream, command, owned_directory, table


def run(place, options):
    upstream = Upstream(os.path.join(place, "upstream"))
    directory = owned_directory(os.path.join(place, "segments"))
    try:
        start = upstream.sql("select pg_walfile_name(pg_current_wal_lsn())")
        upstream.sql("select pg_create_physical_replication_slot('kept', true)")
        fill(upstream, options.segments)
        last = upstream.sql("select pg_walfile_name(pg_current_wal_lsn())")
        source = os.path.join(upstream.data, "pg_wal")
        names = sorted(name for name in os.listdir(source) if len(name) == 24 and start < name < last)
        for name in names:
            shutil.copy(os.path.join(source, name), os.path.join(directory, name))
    finally:
        with Undisturbed():
            upstream.stop()
    size = 16777216
    first, end = (f"{int(name[8:16], 16):X}/{int(name[16:], 16) * size % 2**32:X}" for name in (names[0], last))
    volume = len(names) * size
    contenders = {
        "pg_waldump --stats": [BIN + "/pg_waldump", "--stats", "-p", directory, names[0], names[-1]],
        "pgarchive inspect --stats": [PROGRAM, "wal_archive", "inspect", "-D", directory, f"{first}..{end}"],
    }
    rates = {name: [] for name in contenders}
    for number in range(-1, options.rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            begin = time.monotonic()
            command(contenders[name])
            if number >= 0:  # the first round fills the page cache
                rates[name].append(volume / (time.monotonic() - begin) / 1e6)
    table(f"One pass over {len(names)} segments", "MB/s", rates, "pg_waldump --stats", higher_is_better=True)
