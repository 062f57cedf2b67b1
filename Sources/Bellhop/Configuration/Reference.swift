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
            """
        ]
        parts += Sources.all.map { Reference.section("source", $0) }
        parts += Sinks.all.map { Reference.section("sink", $0) }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func section(_ noun: String, _ type: any Component.Type) -> String {
        "## \(noun.prefix(1).uppercased() + noun.dropFirst()) `\(type.kind)`\n\n```yaml\n\(type.reference)\n```"
    }
}
