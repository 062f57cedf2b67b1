// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // A newer toolchain that deprecates something must not stop a newcomer's first build.
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPCodec = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "bellhop",
    products: [
        .executable(name: "bellhop", targets: ["BellhopCLI"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CSimdjson", cxxSettings: [.unsafeFlags(["-O3"])], linkerSettings: [.linkedLibrary("simdjson")]),
        .target(name: "CCompression", linkerSettings: [.linkedLibrary("z"), .linkedLibrary("zstd")]),
        .target(name: "CGlibc"),
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
        .target(name: "BellhopCore", dependencies: ["CGlibc", "CRE2", "CSimdjson", mustache], swiftSettings: settings),
        .target(
            name: "Bellhop",
            dependencies: [
                "BellhopCore", "CCompression", "CCurl", crypto, deque, grdb, heap, lifecycle, logging,
                subprocess, system,
                yams,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BellhopServer",
            dependencies: [
                "Bellhop", "BellhopCore", httpTypes, hummingbird, logging, nio, nioHTTP, nioHTTPCodec, nioHTTPTypes,
                nioPosix,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BellhopSimulator",
            dependencies: ["BellhopCore", nio, nioHTTP, nioPosix],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "BellhopCLI",
            dependencies: [
                "Bellhop", "BellhopCore", "BellhopServer", "BellhopSimulator", "CGlibc", argumentParser,
                asyncAlgorithms, lifecycle,
                logging,
                unixSignals,
            ],
            swiftSettings: settings,
            plugins: ["GitVersion"]
        ),
        .target(
            name: "BellhopTesting",
            dependencies: ["Bellhop", "BellhopCore", "BellhopSimulator", logging],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BellhopCoreTests",
            dependencies: ["BellhopCore", "BellhopSimulator", "BellhopTesting"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BellhopTests",
            dependencies: ["Bellhop", "BellhopCore", "BellhopSimulator", "BellhopTesting", grdb, logging],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BellhopServerTests",
            dependencies: ["Bellhop", "BellhopCore", "BellhopServer", "BellhopTesting", logging],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BellhopCLITests",
            dependencies: ["Bellhop", "BellhopCLI", "BellhopCore", "BellhopSimulator", "BellhopTesting", "CGlibc"],
            swiftSettings: settings
        ),
        .plugin(name: "GitVersion", capability: .buildTool),
    ],
    cxxLanguageStandard: .cxx17
)
