/// The version that all of the project's programs report.
package enum ProgramVersion {
    package static let text = "0.1.0"
}
