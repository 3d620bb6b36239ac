extension String {
    /// By scalar: a quote with a combining sign behind it is one Character, but two to whom the quotes are for.
    package func replacingScalar(_ scalar: Unicode.Scalar, with replacement: String) -> String {
        var scalars = String.UnicodeScalarView()
        for each in unicodeScalars {
            if each == scalar {
                scalars.append(contentsOf: replacement.unicodeScalars)
            } else {
                scalars.append(each)
            }
        }
        return String(scalars)
    }
}
