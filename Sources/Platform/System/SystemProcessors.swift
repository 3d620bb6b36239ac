import Glibc

/// This machine's processors.
package enum SystemProcessors {
    package static var count: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}
