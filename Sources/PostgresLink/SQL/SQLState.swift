/// The SQLSTATEs that pgarchive decides by (PostgreSQL: errcodes.txt).
package enum SQLState {
    package static let invalidPassword = "28P01"
    /// No entry in pg_hba.conf, a rejected or unknown role, a failed peer authentication.
    package static let invalidAuthorization = "28000"
    package static let unknownDatabase = "3D000"
    package static let tooManyConnections = "53300"
    package static let cannotConnectNow = "57P03"
    package static let queryCancelled = "57014"
    package static let insufficientPrivilege = "42501"
    package static let duplicateObject = "42710"
    package static let undefinedObject = "42704"
    package static let objectInUse = "55006"
    package static let undefinedFile = "58P01"
    /// Also where another server's shared memory seems to be its own.
    package static let lockFileExists = "F0001"
}
