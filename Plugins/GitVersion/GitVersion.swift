import Foundation
import PackagePlugin

/// Writes what `git describe` says into a source file at each build, for `bellhop --version`.
@main
struct GitVersion: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let folder = context.pluginWorkDirectoryURL
        let file = folder.appendingPathComponent("GitVersion.swift").path
        // Written only where it changes, so that a build without changes compiles nothing.
        let script = """
            version=$(git -C "$1" describe --tags --always --dirty 2>/dev/null || echo unknown)
            text="enum GitVersion { static let text = \\"$version\\" }"
            [ "$(cat "$2" 2>/dev/null)" = "$text" ] || echo "$text" > "$2"
            """
        return [
            .prebuildCommand(
                displayName: "git describe",
                executable: URL(fileURLWithPath: "/bin/sh"),
                arguments: ["-c", script, "sh", context.package.directoryURL.path, file],
                outputFilesDirectory: folder
            )
        ]
    }
}
