// The rules of Tests/TidyTests over the tree that is named, without building the package. Exits 1 with findings.
import Foundation

let root = CommandLine.arguments.dropFirst().first ?? FileManager.default.currentDirectoryPath
let findings = Tidy.findings(in: try SourceTree(root: root))
for finding in findings { print(finding) }
exit(findings.isEmpty ? 0 : 1)
