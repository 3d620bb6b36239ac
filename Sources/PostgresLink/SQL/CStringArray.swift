internal import Glibc

/// Arrays of C strings, ended by a null pointer, for the time of one call.
enum CStringArray {
    static func with<Result>(
        _ strings: [String?],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let array = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: strings.count + 1)
        array.initialize(repeating: nil, count: strings.count + 1)
        for (index, string) in strings.enumerated() { array[index] = string.flatMap { UnsafePointer(strdup($0)) } }
        defer {
            for index in strings.indices { free(UnsafeMutableRawPointer(mutating: array[index])) }
            array.deallocate()
        }
        return body(array)
    }
}
