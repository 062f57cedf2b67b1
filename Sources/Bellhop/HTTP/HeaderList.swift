import BellhopCore
import CCurl

/// A request's header lines as libcurl wants them, in one piece of memory instead of two for each line.
struct HeaderList {
    let first: UnsafeMutablePointer<curl_slist>?
    private let memory: UnsafeMutableRawPointer

    init(_ headers: [HTTPHeader], isPost: Bool) {
        // Else libcurl waits a second for permission to send a body beyond 1 MiB.
        let extra: StaticString = "Expect:"
        let count = headers.count + (isPost ? 1 : 0)
        // `name: value`, and the zero at its end.
        let text = headers.reduce(extra.utf8CodeUnitCount + 1) {
            $0 + $1.name.utf8.count + $1.value.reveal().utf8.count + 3
        }
        let nodeBytes = count * MemoryLayout<curl_slist>.stride
        self.memory = .allocate(byteCount: nodeBytes + text, alignment: MemoryLayout<curl_slist>.alignment)
        let nodes = self.memory.bindMemory(to: curl_slist.self, capacity: count)
        var end = self.memory + nodeBytes
        func add(_ bytes: some Collection<UInt8>) {
            UnsafeMutableRawBufferPointer(start: end, count: bytes.count).copyBytes(from: bytes)
            end += bytes.count
        }
        func begin(_ index: Int) {
            let next = index + 1 < count ? nodes + index + 1 : nil
            (nodes + index).initialize(to: curl_slist(data: end.assumingMemoryBound(to: CChar.self), next: next))
        }
        for (index, header) in headers.enumerated() {
            begin(index)
            add(header.name.utf8)
            // A colon without a value would take libcurl's own header of that name away.
            add(CollectionOfOne(UInt8(ascii: header.value.isEmpty ? ";" : ":")))
            if !header.value.isEmpty { add(CollectionOfOne(UInt8(ascii: " "))) }
            add(header.value.reveal().utf8)
            add(CollectionOfOne(0))
        }
        if isPost {
            begin(count - 1)
            add(UnsafeBufferPointer(start: extra.utf8Start, count: extra.utf8CodeUnitCount))
            add(CollectionOfOne(0))
        }
        self.first = count > 0 ? nodes : nil
    }

    /// Once libcurl has done with it.
    func deallocate() { self.memory.deallocate() }
}
