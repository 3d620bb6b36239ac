import Glibc

/// Named places between durable steps, at which a test can make the process die, fail or stop.
///
/// Armed by `PGARCHIVE_FAULT="NAME=ACTION[@N],…"`: at the N-th passage (1 by default) `exit` leaves at once with
/// status 86 and without any clean-up, `error` throws EIO and `unsupported` EINVAL, `pause` holds this thread for ever,
/// `stop` stops the whole process (SIGSTOP). With `PGARCHIVE_FAULT_MARK=FILE`, FILE is created when one fires, so that
/// a test can wait for it. Unarmed, a point costs one comparison.
package enum FaultPoint {
    package static let exitStatus: Int32 = 86

    package static func pass(_ name: StaticString) throws(SystemError) {
        guard let armed = Armed.shared else { return }
        try armed.pass(name.description)
    }
}
