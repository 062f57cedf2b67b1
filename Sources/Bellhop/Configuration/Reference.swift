/// The reference of all options, from the components' own texts.
package enum Reference {
    package static var text: String {
        var parts = [
            """
            # Every option of Bellhop

            Printed by `bellhop reference`. Values shown are the defaults where there is one. Durations: `500ms 10s 5m 2h 7d`;
            sizes: `64KB 100MB 1GiB`. `${NAME}`, `${NAME:-default}` and `${file:/path}` are expanded inside values.

            ## The configuration file

            ```yaml
            data_dir: ./data        # the spool and its lock; relative paths start at this file's folder
            sources: {}             # names and their options, see below
            sinks: {}
            rules: [rules/]         # files, folders, or rules written here
            network:                # guards every connection, of sources too, by the address it leads to
              deny: [metadata]      # always there; also private, loopback, addresses and ranges like 10.0.0.0/8
              allow: []             # exceptions
            spool:
              keep: 7d              # settled events
              keep_dead_letters: 30d
              max_size: 10GB        # beyond it sources wait
            ```

            ## `admin`

            ```yaml
            \(AdminSettings.reference)
            ```
            """
        ]
        parts += Sources.all.map { Reference.section("source", $0) }
        parts.append(
            "## Options of all sinks over HTTP\n\n```yaml\n\(HTTPPost.reference)\n```"
        )
        parts += Sinks.all.map { Reference.section("sink", $0) }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func section(_ noun: String, _ type: any Component.Type) -> String {
        let common = "\n" + HTTPPost.reference
        let own =
            type.reference.hasSuffix(common)
            ? type.reference.dropLast(common.count) + "\n# … and the options of all sinks over HTTP"
            : type.reference[...]
        return "## \(noun.prefix(1).uppercased() + noun.dropFirst()) `\(type.kind)`\n\n```yaml\n\(own)\n```"
    }
}
