internal import Glibc

/// Arrays of C strings, ended by a null pointer, for the time of one call.
enum CStringArray {
    static func with<Result>(
        _ strings: [String?],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        var copies = strings.map { string in string.flatMap { UnsafePointer(strdup($0)) } }
        copies.append(nil)
        defer {
            for copy in copies { free(UnsafeMutableRawPointer(mutating: copy)) }
        }
        return copies.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("the array has its ending") }
            return body(start)
        }
    }
}
