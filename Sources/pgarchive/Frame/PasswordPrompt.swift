import Glibc
import Platform

/// Asks for a password on the terminal, as libpq's tools do.
enum PasswordPrompt {
    /// Somebody is there to be asked.
    static var isPossible: Bool { (try? Descriptor.open("/dev/tty", O_RDWR)) != nil }

    /// What was typed, without its echo; standard input's first line where there is no terminal.
    static func ask() throws -> String {
        guard let terminal = try? Descriptor.open("/dev/tty", O_RDWR) else {
            StandardError.write("Password: ")
            return readLine() ?? ""
        }
        var before = termios()
        let isKnown = tcgetattr(terminal.raw, &before) == 0
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        if isKnown { tcsetattr(terminal.raw, TCSAFLUSH, &silent) }
        defer { if isKnown { tcsetattr(terminal.raw, TCSAFLUSH, &before) } }
        try terminal.writeAll(Array("Password: ".utf8))
        var typed: [UInt8] = []
        var byte = [UInt8](repeating: 0, count: 1)
        while typed.count < 4096, try byte.withUnsafeMutableBytes({ try terminal.read(into: $0) }) == 1 {
            if byte[0] == UInt8(ascii: "\n") { break }
            typed.append(byte[0])
        }
        try terminal.writeAll([UInt8(ascii: "\n")])
        return String(decoding: typed, as: UTF8.self)
    }
}
