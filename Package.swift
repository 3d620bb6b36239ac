// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

// The scanner touches every byte of WAL; unoptimised it is fifty times slower, and with it each test that fetches.
let optimisedSettings = settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "pgarchive",
    products: [
        .executable(name: "pgarchive", targets: ["pgarchive"]),
        .executable(name: "pgarchive-wal", targets: ["pgarchive-wal"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .target(name: "CCRC32C", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "CPlatform"),
        .target(name: "CLibpq"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CBtrfs", providers: [.apt(["libbtrfsutil-dev"])]),

        .target(name: "WALFormat", dependencies: ["CCRC32C"], swiftSettings: optimisedSettings),
        .target(name: "ArchiveModel", dependencies: ["WALFormat"], swiftSettings: settings),
        .target(name: "Platform", dependencies: ["CPlatform", "CBtrfs"], swiftSettings: settings),
        .target(
            name: "WALStore",
            dependencies: ["WALFormat", "ArchiveModel", "Platform", "CZstd", "CZlib", "CLZ4"],
            swiftSettings: settings
        ),
        .target(
            name: "PostgresLink",
            dependencies: ["WALFormat", "ArchiveModel", "Platform", "CLibpq"],
            swiftSettings: settings
        ),
        .target(
            name: "ArchiveEngine",
            dependencies: [
                "WALFormat", "ArchiveModel", "Platform", "WALStore", "PostgresLink", "CSQLite",
                .product(name: "TOMLKit", package: "TOMLKit"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "pgarchive",
            dependencies: [
                "WALFormat", "ArchiveModel", "Platform", "WALStore", "PostgresLink", "ArchiveEngine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "pgarchive-wal",
            dependencies: ["WALFormat", "ArchiveModel", "Platform", "WALStore"],
            swiftSettings: settings,
            // Started for every segment that is replayed: without libraries to load in a third of the time. lld does
            // not warn of calls that would load some and are never made.
            linkerSettings: [.unsafeFlags(["-static-executable", "-use-ld=lld"], .when(configuration: .release))]
        ),
        .target(
            name: "ArchiveTesting",
            dependencies: [
                "WALFormat", "ArchiveModel", "Platform", "WALStore", "PostgresLink", "ArchiveEngine", "CZstd",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "WALFormatTests",
            dependencies: ["WALFormat", "CCRC32C", "CZstd", "ArchiveTesting"],
            resources: [.copy("Fixtures")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ArchiveModelTests",
            dependencies: ["ArchiveModel", "WALFormat", "ArchiveTesting"],
            swiftSettings: settings
        ),
        .testTarget(name: "PlatformTests", dependencies: ["Platform", "ArchiveTesting"], swiftSettings: settings),
        .testTarget(
            name: "WALStoreTests",
            dependencies: ["WALStore", "WALFormat", "Platform", "ArchiveTesting"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PostgresLinkTests",
            dependencies: ["PostgresLink", "ArchiveModel", "WALFormat", "Platform", "ArchiveTesting"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ArchiveEngineTests",
            dependencies: [
                "ArchiveEngine", "ArchiveModel", "WALFormat", "WALStore", "PostgresLink", "Platform", "ArchiveTesting",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "pgarchive", "ArchiveEngine", "ArchiveModel", "WALFormat", "Platform", "ArchiveTesting",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Golden"],
            swiftSettings: settings
        ),
        .testTarget(name: "TidyTests", swiftSettings: settings),
        .testTarget(
            name: "Scenarios",
            dependencies: [
                "ArchiveEngine", "ArchiveModel", "WALFormat", "WALStore", "PostgresLink", "Platform", "ArchiveTesting",
            ],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
