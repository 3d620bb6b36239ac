"""One segment into an archive and out of it: pgarchive-wal, and what stands in people's archive_command."""
import os
import shutil
import subprocess
import time

import library
import receive
from upstream import CLEAN, PROGRAM, Undisturbed, Upstream, table

HELPER = PROGRAM + "-wal"
SEGMENT = 16 << 20
COMPRESS = {"zst": ["zstd", "-q", "-1"], "lz4": ["lz4", "-q", "-1"], "gz": ["gzip", "-q", "-6"]}


def run(place, options):
    upstream = Upstream(os.path.join(place, "upstream"))
    try:
        receive.fill(upstream, options.segments)
        directory = os.path.join(upstream.data, "pg_wal")
        last = upstream.sql("select pg_walfile_name(pg_current_wal_lsn())")
        names = sorted(name for name in os.listdir(directory) if len(name) == 24 and name < last)[-options.segments:]
        segments = os.path.join(place, "data", "pg_wal")
        os.makedirs(segments)
        for name in names:
            shutil.copy(os.path.join(directory, name), segments)
    finally:
        with Undisturbed():
            upstream.stop()
    os.sync()
    push(place, segments, names, options.rounds)
    fetch(place, segments, names, options.rounds)
    if os.getuid() == 0 and shutil.which("mkfs.xfs"):
        reflink(place, segments, names, options.rounds)


def timed(arguments, place):
    begin = time.monotonic()
    subprocess.run(arguments, env=CLEAN, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, cwd=place)
    return (time.monotonic() - begin) * 1000


def push(place, segments, names, rounds):
    archive = os.path.join(place, "archive")
    shell = 'cp "$1" "$2.tmp" && sync "$2.tmp" && mv "$2.tmp" "$2"'
    contenders = {
        "cp, fsync, rename": lambda name: ["sh", "-c", shell, "sh", f"{segments}/{name}", f"{archive}/{name}"],
        "pgarchive-wal push": lambda name: [HELPER, "push", "--to", archive, f"{segments}/{name}"],
    }
    samples = {}
    for number in range(rounds):
        for tool in list(contenders)[::-1] if number % 2 else contenders:
            os.mkdir(archive)
            os.sync()
            each = [timed(contenders[tool](name), place) for name in names]
            samples.setdefault(tool, []).append(sum(each) / len(each))
            shutil.rmtree(archive)
    table("A segment into an archive, durably", "ms", samples, "cp, fsync, rename", higher_is_better=False)


def fetch(place, segments, names, rounds):
    archive = os.path.join(place, "compressed")
    for suffix in ("", *COMPRESS):
        os.mkdir(archive)
        for name in names:
            path = os.path.join(archive, f"{name}.{suffix}" if suffix else name)
            with open(path, "wb") as file:
                subprocess.run([*COMPRESS.get(suffix, ["cat"]), *(["-c"] if suffix else []), f"{segments}/{name}"],
                               stdout=file, check=True)
        os.sync()
        tool = COMPRESS[suffix][0] + " -d" if suffix else "cp"
        command = f'{tool} <"$1" >"$2"' if suffix else 'cp "$1" "$2"'
        by_hand = lambda name, to: ["sh", "-c", command, "sh",  # noqa: E731
                                    os.path.join(archive, f"{name}.{suffix}" if suffix else name), to]
        samples = compare(place, archive, names, rounds, tool, by_hand)
        title = f"A segment out of an archive, {suffix or 'plain'}: checked by fetch, not by {tool}"
        if suffix:
            alone = f"lib{tool.split()[0]} alone, into memory"
            samples[alone] = [of_library(archive, names, suffix) for _ in range(rounds)]
        table(title, "ms", samples, tool, higher_is_better=False)
        shutil.rmtree(archive)


def compare(place, archive, names, rounds, tool, by_hand):
    target = os.path.join(place, "RECOVERYXLOG")
    ours = lambda name, to: [HELPER, "fetch", "--from", archive, name, to]  # noqa: E731
    samples = {}
    for number in range(rounds):
        for who, arguments in sorted({tool: by_hand, "pgarchive-wal fetch": ours}.items(), reverse=number % 2 == 1):
            each = []
            for name in names:
                if os.path.exists(target):
                    os.unlink(target)
                each.append(timed(arguments(name, target), place))
            samples.setdefault(who, []).append(sum(each) / len(each))
    return samples


def of_library(archive, names, suffix):
    each = []
    for name in names:
        with open(os.path.join(archive, f"{name}.{suffix}"), "rb") as file:
            each.append(library.milliseconds(suffix, file.read(), SEGMENT))
    return sum(each) / len(each)


def reflink(place, segments, names, rounds):
    """Archive and server on one filesystem that shares blocks."""
    image, mount = os.path.join(place, "xfs.img"), os.path.join(place, "xfs")
    os.mkdir(mount)
    with open(image, "wb") as file:
        file.truncate(len(names) * SEGMENT + (1 << 30))
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        archive = os.path.join(mount, "archive")
        shutil.copytree(segments, archive)
        os.sync()
        samples = compare(mount, archive, names, rounds, "cp --reflink", lambda name, to: [
            "cp", "--reflink=always", f"{archive}/{name}", to])
        title = "A segment out of an archive on the same xfs: checked by fetch, not by cp"
        table(title, "ms", samples, "cp --reflink", higher_is_better=False)
    finally:
        with Undisturbed():
            subprocess.run(["umount", mount], check=False)
            os.unlink(image)
