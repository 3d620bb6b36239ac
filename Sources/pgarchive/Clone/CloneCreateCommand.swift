import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct CloneCreateCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a clone of a snapshot, or of any moment that the archive can reach.",
        usage: """
            pgarchive clone create <name> --at TIME | --lsn LSN | --xid XID | --restore-point NAME |
                                          --before EVENT | --before-drop TABLE | --latest [<options>]
            pgarchive clone create <snapshot> <name> [<target-time>] [<options>]
            pgarchive clone create <branch-point> <name> [<options>]
            """,
        discussion: """
            Give a name and a target, and the snapshot with the least to replay is picked. Or give a snapshot and a \
            name: the clone is then at the snapshot's own moment, or at <target-time>, which must be later.

            TIME is whatever 'date --date' understands; without a zone it is in this host's, or TZ. The clone holds \
            all that committed up to and including that instant; with --exclusive, up to it and without it. LSN, XID \
            and NAME mean what PostgreSQL's recovery_target_lsn, _xid and _name mean. EVENT is the position that \
            'wal_archive events' shows: the clone is in the state just before it, files that it removed included.

            The target is looked up in the WAL first, and printed as an exact instant and position; one that cannot \
            be reached is refused, with the nearest that can on both sides, before anything is made. --dry-run shows \
            the plan: the last transaction in it, the first left out, and how long recovery will take.

            The clone gets a free port of the setting clone.ports. Without --start it is only made, so that you may \
            edit clones/NAME/postgresql.conf before 'clone start'. With it, a clone that does not come up is removed \
            again, and so is one in which a script of --run-sql fails.

            EXAMPLES
              pgarchive clone create look --at '10 minutes ago' --start
              pgarchive clone create then --at '2026-11-21 08:50' --dry-run
              pgarchive clone create before-drop --before-drop shop.public.orders --start
              pgarchive clone create tried --xid 74921 --exclusive --start
              pgarchive clone create now --latest --start
              pgarchive clone create 20261121-082350 test
              pgarchive clone create qa --latest --start --expire 2d --owner qa --note 4.2
              pgarchive clone create masked --latest --run-sql mask.sql --database shop
              pgarchive clone create remote --latest --reachable --password
              pgarchive clone create small --latest --set work_mem=64MB

            EXIT CODES
              2  not a time
              4  the target cannot be reached
              5  interrupted: nothing is left
              6  no such snapshot, or no such drop
              7  the name is taken, or no port is free
              9  WAL on the way is damaged

            SEE ALSO
              snapshot list, clone start, clone psql, clone delete
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The new clone's name; or a snapshot, the name, and perhaps a target time.",
            valueName: "name"
        ),
        completion: .custom { words, _, _ in Completions.origins(words) }
    )
    var words: [String]

    @OptionGroup(title: "Target") var targetOptions: TargetOptions

    @Flag(help: "Start it at once, and return when it takes writes.")
    var start = false

    @OptionGroup(title: "The clone") var termsOptions: CloneTermsOptions

    @OptionGroup(title: "The clone") var setupOptions: CloneSetupOptions

    @Flag(
        name: [.customLong("dry-run"), .customShort("n")],
        help: "Look the target up and show the plan; make nothing."
    )
    var dryRun = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        _ = try request()
    }

    private func request() throws -> CloneRequest {
        try CloneRequest(words: words, options: targetOptions)
    }

    func run(in container: Container) throws {
        let request = try request()
        try Name.check(request.name, what: "clone")
        var terms = try termsOptions.terms()
        try setupOptions.complete(&terms, settings: targetOptions.settings, major: container.identity.major)
        if words.count > 1, let branch = try branchPoint(request, in: container) {
            return try make(request.name, terms, in: container) { create, terms in
                try create.duplicate(source: branch, name: request.name, terms: terms)
            }
        }
        if let hint = request.swapped(among: try SnapshotCatalog(container).all().map(\.name)) {
            throw ArchiveError(.notFound, "there is no snapshot '\(request.target.snapshot ?? "")'", hint: hint)
        }
        let plan = try request.target.plan(in: container, for: "clone create", takesImage: true, global)
        let view = ClonePlanView(
            name: request.name,
            requested: request.target.text,
            plan: plan,
            begin: RecoveryBegin(plan.source(image: ReadyImages(container).image(of: plan.snapshot)), plan, container)
        )
        if dryRun {
            try render.show(view) { _ in view.text }
            return
        }
        render.remark(view.summary)
        try make(request.name, terms, walIsChecked: plan.isWholeRead, in: container) { create, terms in
            try create.run(name: request.name, plan: plan, requested: request.target.text, terms: terms)
        }
    }

    /// The branch point that stands where a snapshot may; it has one moment only.
    private func branchPoint(_ request: CloneRequest, in container: Container) throws -> String? {
        guard let word = words.first, try !SnapshotCatalog(container).all().contains(where: { $0.name == word }),
            let branch = try CloneCatalog(container).listed().first(where: { $0.name == word })
        else { return nil }
        guard branch.isBranch else {
            throw ArchiveError(
                .notFound,
                "there is no snapshot or branch point '\(word)'; it is a clone",
                hint: "'pgarchive clone duplicate \(word) \(request.name)' copies it; 'pgarchive clone snapshot "
                    + "\(word) BRANCH' makes a branch point of it"
            )
        }
        guard words.count == 2, targetOptions.hasNoTarget else {
            throw ArchiveError(
                .usage,
                "'\(word)' is a branch point, and holds one moment only",
                hint: "'pgarchive clone create \(word) \(request.name)' makes a clone of it"
            )
        }
        if dryRun {
            throw ArchiveError(.usage, "a clone of a branch point has nothing to recover, and so no plan to show")
        }
        return word
    }

    /// Makes the clone, and starts it where that was asked for.
    private func make(
        _ name: String,
        _ terms: CloneTerms,
        walIsChecked: Bool = false,
        in container: Container,
        _ make: (CloneCreate, CloneTerms) throws -> CloneRecord
    ) throws {
        let interruption = try Interruption()
        let result = try global.withProgress { progress in
            guard start || setupOptions.needsStart else {
                let create = CloneCreate(container, progress: progress, interruption: interruption)
                return CloneResult(clone: try make(create, terms))
            }
            let made = try CloneMaking(container, progress: progress, interruption: interruption)
                .run(name: name, terms: terms, walIsChecked: walIsChecked, make: make)
            return CloneResult(clone: made.record, started: made.started, passwords: made.passwords)
        }
        try result.show(render, verb: "created")
    }
}

/// What making or starting a clone led to.
struct CloneResult: Encodable {
    var clone: CloneRecord
    var started: CloneServer.Started?
    /// Shown this once.
    var passwords: [RolePassword] = []

    private enum Key: String, CodingKey {
        case clone
        case started
        case passwords
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(clone, forKey: .clone)
        try container.encodeIfPresent(started, forKey: .started)
        if !passwords.isEmpty { try container.encode(passwords, forKey: .passwords) }
    }

    /// Says what was done; passwords also with --quiet, since nobody can find them out later.
    func show(_ render: Render, verb: String) throws {
        let width = passwords.map(\.role.count).max() ?? 0
        let lines = passwords.map { given in
            given.role + String(repeating: " ", count: width - given.role.count + 2) + given.password
        }
        if render.format == .table, render.isQuiet, !lines.isEmpty {
            return try StandardOutput.write(lines.joined(separator: "\n") + "\n")
        }
        let shown = lines.isEmpty ? "" : "\nnew passwords, shown this once:\n" + lines.joined(separator: "\n")
        try render.done(self, sentence(verb: verb) + shown)
    }

    /// Starts a clone.
    static func started(
        _ record: CloneRecord,
        in container: Container,
        walIsChecked: Bool = false,
        global: GlobalOptions,
        interruption: Interruption
    ) throws -> CloneResult {
        let started = try global.withProgress { progress in
            try CloneServer(container, record, walIsChecked: walIsChecked)
                .start(progress: progress, interruption: interruption)
        }
        return CloneResult(clone: try CloneCatalog(container).find(record.name), started: started)
    }

    func sentence(verb: String) -> String {
        guard let started else {
            return
                "clone '\(clone.name)' \(verb) on port \(clone.port); 'pgarchive clone start \(clone.name)' starts it"
        }
        let replayed =
            started.replayedBytes > 0 ? ", \(HumanText.bytes(started.replayedBytes)) of WAL replayed" : ""
        let reach = clone.isReachable ? ", reachable by TLS," : ""
        return "clone '\(clone.name)' is running\(reach) on port \(started.port) after "
            + "\(HumanText.elapsed(seconds: started.seconds))\(replayed)"
    }
}

/// A plan as it is shown.
struct ClonePlanView: Encodable {
    let name: String
    let requested: String
    let plan: RestorePlan
    let debtBytes: UInt64
    private let begin: RecoveryBegin

    private enum CodingKeys: CodingKey {
        case name
        case requested
        case plan
        case debtBytes
    }

    init(name: String, requested: String, plan: RestorePlan, begin: RecoveryBegin? = nil) {
        self.name = name
        self.requested = requested
        self.plan = plan
        self.debtBytes = plan.debtBytes
        self.begin = begin ?? RecoveryBegin(plan)
    }

    /// Two lines: where to, and how.
    var summary: String {
        "recovers to \(plan.stop) on timeline \(plan.path.target)"
            + (plan.lastTransactionTime.map { ", last commit \(HumanText.instant($0))" } ?? "")
            + (plan.firstLeftOut.map { ", first left out \(HumanText.instant($0))" } ?? "") + "\n" + begin.text
    }

    var text: String {
        var lines: [(String, String)] = [
            ("clone", name),
            ("asked for", requested),
            ("snapshot", plan.snapshot),
            ("replay from", "\(plan.redo)"),
            ("stop at", "\(plan.stop)"),
            ("WAL to replay", HumanText.bytes(begin.debtBytes)),
            ("ready in about", HumanText.elapsed(seconds: begin.seconds)),
            ("timelines", "\(plan.path)"),
        ]
        if let time = plan.lastTransactionTime {
            let transaction = plan.lastTransactionID.map { " (transaction \($0))" } ?? ""
            lines.append(("last commit in it", HumanText.instant(time) + transaction))
        }
        if let time = plan.firstLeftOut {
            let transaction = plan.firstLeftOutTransactionID.map { " (transaction \($0))" } ?? ""
            lines.append(("first left out", HumanText.instant(time) + transaction))
        }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { label, value in
            label + String(repeating: " ", count: width - label.count + 2) + value + "\n"
        }.joined()
    }
}
