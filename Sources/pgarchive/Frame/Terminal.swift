import Glibc

/// What is known of the terminal, if there is one.
enum Terminal {
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// The width of the terminal, or 80.
    static var columns: Int {
        var size = winsize()
        for descriptor in [STDOUT_FILENO, STDERR_FILENO]
        where ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 {
            return max(40, Int(size.ws_col))
        }
        return 80
    }

    /// Characters beyond ASCII may be shown.
    static var showsUnicode: Bool {
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            guard let value = environment(name), !value.isEmpty else { continue }
            let lower = value.lowercased()
            return lower.contains("utf-8") || lower.contains("utf8")
        }
        return false
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

/// Colours, where a person looks and wants them (`NO_COLOR`, see no-color.org).
struct Palette: Sendable {
    let isOn: Bool

    init(descriptor: Int32) {
        let refused = Terminal.environment("NO_COLOR").map { !$0.isEmpty } ?? false
        self.isOn = Terminal.isTerminal(descriptor) && !refused && Terminal.environment("TERM") != "dumb"
    }

    init(isOn: Bool) {
        self.isOn = isOn
    }

    func red(_ text: String) -> String { wrap(text, "31") }
    func green(_ text: String) -> String { wrap(text, "32") }
    func yellow(_ text: String) -> String { wrap(text, "33") }
    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
