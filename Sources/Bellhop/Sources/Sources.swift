/// Every kind of source. Adding one is a file of its own and a line here.
package enum Sources {
    package static let all: [any Source.Type] = [
        RelayProSource.self, TrieveSource.self, HTTPPollSource.self, HooksSource.self, FileSource.self,
    ]
}
