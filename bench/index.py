"""Look-ups in an index of a million made rows: the segment of a time, of a transaction, of a position."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(place, options):
    rows = options.rows or 1_000_000
    environment = dict(os.environ, PGARCHIVE_BENCH_SEGMENTS=str(rows))
    print(f"\nlooking up among {rows} segments (a test of the debug build; most of the work is SQLite's)")
    output = subprocess.run(
        ["swift", "test", "--filter", "IndexBenchmark"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    lines = [line for line in output.stdout.splitlines() if line.startswith("bench: ")]
    if output.returncode != 0 or not lines:
        raise SystemExit(output.stdout + output.stderr)
    for line in lines:
        print("  " + line.removeprefix("bench: "))
