enum HelpText {
    static let text = """
        pgarchive-wal: gives PostgreSQL the WAL of a pgarchive archive

        USAGE
          pgarchive-wal fetch --archive DIR [options] %f %p
          pgarchive-wal --version

        As a restore_command it reads no settings: all it must know stands in its arguments. What it serves was
        verified first: every page and every record.

        OPTIONS OF FETCH
          --archive DIR            the WAL archive's directory
          --segment-size BYTES     the cluster's wal_segment_size; otherwise taken from the segments
          --system-identifier N    serve only WAL of this cluster
          --path 1@0/5A0,2         the timelines that recovery takes, each with the position where it is left
          --until LSN              end the archive here: zeros after it, then nothing (the end of a record)
          --end-file FILE          touch FILE when PostgreSQL has got everything up to --until
          --wait                   for a standby: wait up to 5 s for the next segment, and hold before a record that
                                   would touch paths outside of the container
          --hold-file FILE         with --wait: says in JSON why the standby stands still; gone when it does not

        EXIT STATUS
          0    served
          1    not there: the end of the archive; with --wait also any trouble, since a standby asks again
          2    with --wait: not a name that PostgreSQL asks for
          200  trouble, a wrong name, command or option: recovery must not go on as if the archive ended here

        EXAMPLE
          restore_command = '/usr/local/bin/pgarchive-wal fetch --archive /var/lib/pgarchive/prod/wal_archive "%f" "%p"'
        """
}
