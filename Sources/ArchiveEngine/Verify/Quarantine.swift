import Platform

/// Where files of an archive go that another has taken the place of: kept, and never deleted by us.
package enum Quarantine {
    package static let directoryName = "quarantine"
}
