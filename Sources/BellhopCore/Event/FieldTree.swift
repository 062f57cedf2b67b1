import CSimdjson

/// The fields that a rule set asks for, as one tree, so that an event is walked once and the rest of it costs nothing.
///
/// Each path has a slot: the index of its value in ``FieldValues``.
package struct FieldTree: Sendable {
    package private(set) var paths: [FieldPath] = []
    private var slots: [FieldPath: Int] = [:]
    private let flat: FlatTree

    package init(_ paths: some Sequence<FieldPath>) {
        let root = Branch()
        for path in paths { root.insert(path.names[...]) }
        let flat = FlatTree(root)
        self.flat = flat
        self.paths = flat.paths
        for (slot, path) in flat.paths.enumerated() { self.slots[path] = slot }
    }

    package func slot(of path: FieldPath) -> Int? { self.slots[path] }
    package var isEmpty: Bool { self.paths.isEmpty }

    func withUnsafeTree(_ body: (UnsafePointer<bh_node>, UnsafePointer<bh_edge>) -> Void) {
        body(self.flat.nodes, self.flat.edges)
    }
}

/// The values that one event has in the fields of a ``FieldTree``; reused from event to event.
final class FieldValues {
    private let values: UnsafeMutableBufferPointer<bh_value>

    init(_ tree: FieldTree) {
        self.values = .allocate(capacity: max(tree.paths.count, 1))
        self.values.initialize(repeating: bh_value())
    }

    deinit { self.values.deallocate() }

    func read(_ document: JSON, _ tree: FieldTree) {
        guard !tree.isEmpty, let start = self.values.baseAddress else { return }
        document.extract(tree, into: start)
    }

    /// Nil when an array stands on the way: then only a walk over the document can tell.
    subscript(slot: Int) -> JSONLeaf? {
        let value = self.values[slot]
        return value.kind == BH_SEVERAL ? nil : JSONLeaf(raw: value)
    }
}

private final class Branch {
    var children: [(name: String, branch: Branch)] = []
    var isField = false

    func insert(_ names: ArraySlice<String>) {
        guard let name = names.first else {
            self.isField = true
            return
        }
        let child: Branch
        // By bytes: Swift's == takes different spellings of é for the same, JSON names are code points.
        if let known = self.children.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            child = known.branch
        } else {
            child = Branch()
            self.children.append((name, child))
        }
        child.insert(names.dropFirst())
    }
}

/// The tree as the C walker reads it. Slots are numbered depth first, so those below a node are one range.
// @unchecked: everything is written in `init` and only read afterwards.
private final class FlatTree: @unchecked Sendable {
    let nodes: UnsafeMutablePointer<bh_node>
    let edges: UnsafeMutablePointer<bh_edge>
    private(set) var paths: [FieldPath] = []
    private var names: [UnsafeMutableBufferPointer<CChar>] = []

    init(_ root: Branch) {
        var count = 0
        func measure(_ branch: Branch) {
            count += 1
            for child in branch.children { measure(child.branch) }
        }
        measure(root)
        self.nodes = .allocate(capacity: count)
        self.edges = .allocate(capacity: count)
        var nextNode: UInt32 = 1
        var nextEdge: UInt32 = 0
        func lay(_ branch: Branch, at index: UInt32, path: [String]) {
            var node = bh_node()
            node.first_slot = UInt32(self.paths.count)
            node.slot = -1
            if branch.isField {
                node.slot = Int32(self.paths.count)
                self.paths.append(FieldPath(path))
            }
            node.first_edge = nextEdge
            node.edge_count = UInt32(branch.children.count)
            nextEdge += node.edge_count
            let firstChild = nextNode
            nextNode += node.edge_count
            for (offset, child) in branch.children.enumerated() {
                let childIndex = firstChild + UInt32(offset)
                let name = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(child.name.utf8.count, 1))
                _ = name.update(fromContentsOf: child.name.utf8.map { CChar(bitPattern: $0) })
                self.names.append(name)
                self.edges[Int(node.first_edge) + offset] = bh_edge(
                    name: name.baseAddress,
                    length: child.name.utf8.count,
                    node: childIndex
                )
                lay(child.branch, at: childIndex, path: path + [child.name])
            }
            node.end_slot = UInt32(self.paths.count)
            self.nodes[Int(index)] = node
        }
        lay(root, at: 0, path: [])
    }

    deinit {
        for name in self.names { name.deallocate() }
        self.nodes.deallocate()
        self.edges.deallocate()
    }
}
