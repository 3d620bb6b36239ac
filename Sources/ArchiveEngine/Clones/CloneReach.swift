import ArchiveModel
import Foundation
import Platform

/// A clone that listens beyond this host: by TLS and with passwords only.
struct CloneReach {
    private let container: Container
    private let record: CloneRecord

    init(_ container: Container, _ record: CloneRecord) {
        self.container = container
        self.record = record
    }

    private var paths: ClonePaths { container.paths.clone(record.name) }

    static let authentication = """
        # The Unix socket lies in a directory that belongs to the container's owner alone.
        local all all trust
        # Over the network by TLS, with a password; the clone does not start with anything weaker in this file.
        hostssl all all all scram-sha-256
        """ + "\n"

    /// On the command line, where nothing in the clone's files weakens it.
    var settings: [(name: String, value: String)] {
        [
            ("listen_addresses", "*"),
            ("ssl", "on"),
            ("ssl_cert_file", paths.certificate),
            ("ssl_key_file", paths.certificateKey),
            ("ssl_min_protocol_version", "TLSv1.2"),
        ]
    }

    /// A key and a certificate of its own, signed by itself; `sslrootcert` of its clients.
    func writeCertificate() throws {
        let host = ProcessInfo.processInfo.hostName
        do {
            try SystemTool.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
                    "-days", "3650", "-subj", "/CN=\(host.prefix(64).filter { $0 != "/" })",
                    "-addext", "subjectAltName=DNS:\(host),DNS:localhost,IP:127.0.0.1,IP:::1",
                    "-keyout", paths.certificateKey, "-out", paths.certificate,
                ],
                timeoutSeconds: 30
            )
            try DurableFile.syncFile(paths.certificateKey)
            try DurableFile.syncFile(paths.certificate)
        } catch let error as SystemError where error.errno == ENOENT && error.path == "openssl" {
            throw ArchiveError(
                .refused,
                "a clone is reachable by TLS only, and the program 'openssl' that makes its certificate is missing",
                hint: "install the package openssl"
            )
        } catch let error as ToolFailure {
            throw ArchiveError(
                .failed,
                "no certificate could be made for the clone: \(error)",
                hint: "without --reachable the clone listens on this host only"
            )
        }
    }

    /// Its user may have edited pg_hba.conf: nobody gets in by less than TLS and SCRAM.
    func requireSafe() throws {
        let text = try FileTree.readText(paths.hostBasedAuthentication)
        guard let line = Self.weakLine(text) else { return }
        throw ArchiveError(
            .refused,
            "clone '\(record.name)' listens beyond this host, and a line of its pg_hba.conf lets others in too easily: "
                + "\(line)",
            hint: "lines for the network there are 'hostssl … scram-sha-256', or 'reject'"
        )
    }

    /// The first line of a pg_hba.conf by which somebody may come over the network without TLS and a password.
    static func weakLine(_ text: String) -> String? {
        // A backslash continues a line.
        for line in text.replacingOccurrences(of: "\\\n", with: " ").split(whereSeparator: \.isNewline) {
            let words = words(line)
            guard let kind = words.first, kind != "local" else { continue }
            guard words.count >= 5 else { return String(line) }
            // Between address and method may stand a mask.
            let isMask = words[4].allSatisfy { $0.isHexDigit || $0 == "." || $0 == ":" } && words.count > 5
            let method = isMask ? words[5] : words[4]
            if method == "reject" || (kind == "hostssl" && ["scram-sha-256", "cert"].contains(method)) { continue }
            return String(line)
        }
        return nil
    }

    private static func words(_ line: Substring) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in line {
            if character == "\"" {
                isQuoted.toggle()
                word.append(character)
            } else if character == "#", !isQuoted {
                break
            } else if character == " " || character == "\t", !isQuoted {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
