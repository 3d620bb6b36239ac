import ArchiveEngine
import ArgumentParser
import Glibc

enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    case table
    case json
}

/// Shows results: the one place that decides between a person's form and a program's.
struct Render {
    let format: OutputFormat
    let isQuiet: Bool
    let isVerbose: Bool
    let palette = Palette(descriptor: STDOUT_FILENO)

    /// Shows a result: as JSON the model itself, otherwise the text made from it.
    func show<Model: Encodable>(_ model: Model, as text: (Palette) -> String) throws {
        switch format {
        case .json: try StandardOutput.write(try JSONFile.text(model))
        case .table: try StandardOutput.write(text(palette))
        }
    }

    /// Shows a list; `--quiet` leaves only the names, one a line.
    func list<Element: Encodable>(
        _ elements: [Element],
        name: (Element) -> String,
        table: (Palette) -> String
    ) throws {
        switch format {
        case .json: try StandardOutput.write(try JSONFile.text(elements))
        case .table where isQuiet: try StandardOutput.write(elements.map { name($0) + "\n" }.joined())
        case .table: try StandardOutput.write(table(palette))
        }
    }

    /// Says what was done; as JSON the thing that it was done to.
    func done<Model: Encodable>(_ model: Model, _ sentence: @autoclosure () -> String) throws {
        switch format {
        case .json: try StandardOutput.write(try JSONFile.text(model))
        case .table where isQuiet: break
        case .table: try StandardOutput.write(CommandHint.complete(sentence()) + "\n")
        }
    }

    /// A remark beside the result.
    func remark(_ text: @autoclosure () -> String) {
        if !isQuiet { StandardError.write(CommandHint.complete(text()) + "\n") }
    }

    /// What only --verbose shows.
    func verbose(_ text: @autoclosure () -> String) {
        if isVerbose { StandardError.write(text() + "\n") }
    }

    /// Something that a user should look at.
    func warning(_ text: String) {
        StandardError.write(
            Palette(descriptor: STDERR_FILENO).yellow("warning:") + " " + CommandHint.complete(text) + "\n"
        )
    }
}

/// What a command that makes nothing says of itself as JSON.
struct Outcome: Encodable {
    let done: String
    var names: [String] = []
}
