/// Suggestions for words that are nearly right.
package enum Spelling {
    /// The candidate with the fewest edits, when they are few for its length.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let (length, most) = (word.count, max(2, word.count / 3))
        let ranked = candidates.filter { abs($0.count - length) <= most }
            .map { (candidate: $0, distance: distance(word, $0)) }
            .min { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }
        guard let best = ranked, best.distance <= most else { return nil }
        return best.candidate
    }

    /// Levenshtein's distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for column in right.indices {
                let substitution = previous[column] + (right[column] == character ? 0 : 1)
                current.append(min(substitution, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous.last ?? 0
    }
}
