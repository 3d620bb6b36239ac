enum HelpText {
    static let text = """
        pgarchive-wal: gives PostgreSQL the WAL of a pgarchive archive

        USAGE:
          pgarchive-wal fetch --archive DIR [options] %f %p
          pgarchive-wal --version

        PostgreSQL runs it as the restore_command of a standby and of a clone, which
        pgarchive writes; nobody need run it by hand. It reads no settings: all that
        it must know stands in its arguments. What it serves was verified first:
        every page and every record.

        OPTIONS OF FETCH:
          --archive DIR          the WAL archive's directory
          --segment-size BYTES   the cluster's wal_segment_size; otherwise taken
                                 from the segments
          --system-identifier N  serve only WAL of this cluster
          --path 1@0/5A0,2       the timelines that recovery takes, each with the
                                 position where it is left
          --until LSN            serve WAL up to here, the end of a record; the rest
                                 of its segment is zeros, what follows is not there
          --checked              all WAL up to --until was checked just now: complete
                                 segments are served by reference, without reading
          --end-file FILE        make FILE when PostgreSQL asks for what lies beyond
                                 --until; when it asks again, wait for as long as
                                 FILE is old, at most 5 minutes, or until promotion
          --wait                 for a standby: wait up to 5 s for the next segment,
                                 and hold before a record that would touch paths
                                 outside of the container
          --hold-file FILE       with --wait: says in JSON why the standby stands
                                 still; there is no such file while it does not

        EXIT STATUS:
          0    served
          1    not there: the end of the archive; with --wait any trouble too, since
               a standby asks again
          2    with --wait: not a name that PostgreSQL asks for
          200  trouble, or a wrong name, command or option: recovery must not go on
               as if the archive ended here

        EXAMPLES:
          restore_command = 'pgarchive-wal fetch --archive /srv/wal "%f" "%p"'
          pgarchive-wal fetch --archive /srv/wal 000000010000000000000001 /tmp/segment
        """
}
