enum HelpText {
    static let text = """
        pgarchive-wal: takes PostgreSQL's WAL into an archive, and gives it back

        USAGE:
          pgarchive-wal push --to DIR %p
          pgarchive-wal push --archive DIR --system-identifier N [options] %p
          pgarchive-wal fetch --from DIR %f %p
          pgarchive-wal fetch --archive DIR [options] %f %p
          pgarchive-wal --version

        PostgreSQL runs push as its archive_command, and fetch as its restore_command.
        Both read no settings: all that they must know stands in their arguments.

        Push stores a segment, a timeline history or a backup file under its name, and
        succeeds only when all of it is durable. It checks each page and each record,
        never overwrites, and makes no directory. The same content again is success,
        also where a compressed copy is there; other content is refused, and both are
        kept. What it stores belongs to one cluster.

        Fetch verifies what it serves first: every page and every record.

        OPTIONS OF PUSH:
          --to DIR               any directory, for one cluster
          --archive DIR          the wal_archive of a container; pgarchive prints the
                                 whole command where wal.ingest asks for one
          --system-identifier N  take only WAL of this cluster
          --segment-size BYTES   the cluster's wal_segment_size; otherwise taken from
                                 the segment

        OPTIONS OF FETCH:
          --from DIR             any directory of WAL: plain segments, or compressed by
                                 zstd, gzip or lz4; a partial one where WAL ends
          --archive DIR          the WAL archive of a container
          --segment-size BYTES   the cluster's wal_segment_size; otherwise taken
                                 from the segments
          --system-identifier N  serve only WAL of this cluster
          --path 1@0/5A0,2       the timelines that recovery takes, each with the
                                 position where it is left
          --new-timeline         the server is promoted beside the archive's: let it
                                 take no timeline that the archive has
          --until LSN            serve WAL up to here, the end of a record; the rest
                                 of its segment is zeros, what follows is not there
          --checked              all WAL up to --until was checked just now: complete
                                 segments are served by reference, without reading
          --ahead                segments that pgarchive has prepared beside the server
                                 are taken
          --end-file FILE        make FILE when PostgreSQL asks for what lies beyond
                                 --until; when it asks again, wait for as long as
                                 FILE is old, at most 5 minutes, or until promotion
          --wait                 for a standby: wait up to 5 s for the next segment,
                                 and hold before a record that would touch paths
                                 outside of the container
          --hold-file FILE       with --wait: says in JSON why the standby stands
                                 still; there is no such file while it does not

        EXIT STATUS OF PUSH (PostgreSQL keeps the file, and asks again, unless 0):
          0    stored, or there already: durable
          1    trouble with a disk, or with the connection to it
          2    a wrong option, or no name that PostgreSQL archives
          4    refused: of another cluster, segment size or timeline
          6    the archive's directory is not there, or the file
          7    the archive has other content under that name
          9    not WAL, or damaged: replay would end there

        EXIT STATUS OF FETCH:
          0    served
          1    not there: the end of the archive; for a standby (--wait, or --from with
               a standby.signal) any trouble too, since it asks again
          2    with --wait: not a name that PostgreSQL asks for
          200  trouble, or a wrong name, command or option: recovery must not go on
               as if the archive ended here

        EXAMPLES:
          archive_command = 'pgarchive-wal push --to /srv/wal "%p"'
          restore_command = 'pgarchive-wal fetch --from /srv/wal "%f" "%p"'
          pgarchive-wal fetch --from /srv/wal 000000010000000000000001 /tmp/segment
        """
}
