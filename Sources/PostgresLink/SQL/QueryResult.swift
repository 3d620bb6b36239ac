internal import CLibpq

/// Reads libpq's results.
enum QueryResult {
    static func rows(of result: OpaquePointer) -> [[String?]] {
        let columns = PQnfields(result)
        return (0..<PQntuples(result)).map { row in
            (0..<columns).map { column in
                PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }

    /// The error that a result carries, by the server's SQLSTATE; without one it is libpq's own, of the connection.
    static func error(of result: OpaquePointer, connection: OpaquePointer) -> LinkError {
        let sqlState = field("C", of: result)
        let message =
            field("M", of: result) ?? ConnectionFailure.firstLine(String(cString: PQresultErrorMessage(result)))
            ?? "the server gave no reason"
        return LinkError(
            sqlState.map { LinkError.kind(sqlState: $0) } ?? .unreachable,
            message,
            sqlState: sqlState,
            detail: field("D", of: result),
            hint: field("H", of: result)
        )
    }

    /// A field by its code in the protocol's ErrorResponse ("Error and Notice Message Fields").
    private static func field(_ code: Unicode.Scalar, of result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }
}
