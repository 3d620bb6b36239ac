/// Something that a test needs did not work; the text is for whoever reads the failed run.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
