import ArgumentParser
import Bellhop
import BellhopCore

struct DeliveriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliveries",
        abstract: "What became of events.",
        discussion: "'retry' and 'discard' are for deliveries that are held, unless --state says otherwise.",
        subcommands: [List.self, Show.self, Retry.self, Discard.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List deliveries, newest first.")

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @OptionGroup var state: StateOption

        func run() async throws { try await self.spool.list(self.filter.filter(states: self.state.states)) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell one delivery's story: its event, and every attempt."
        )

        @OptionGroup var spool: SpoolOptions
        @Argument(help: "The delivery's number.")
        var id: Int64

        func run() async throws { try await self.spool.show(self.id) }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send held deliveries again; pending ones at once.",
            discussion: DeliveryChange.discussion
        )

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @OptionGroup var state: StateOption
        @OptionGroup var selection: SelectionOptions

        func run() async throws {
            try await self.spool.change(.retry, self.filter.filter(states: self.state.changeable), self.selection)
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Settle held deliveries as not wanted any more.",
            discussion: DeliveryChange.discussion
        )

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @OptionGroup var state: StateOption
        @OptionGroup var selection: SelectionOptions

        func run() async throws {
            try await self.spool.change(.discard, self.filter.filter(states: self.state.changeable), self.selection)
        }
    }
}

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Deliveries that were given up.",
        subcommands: [List.self, Show.self, Retry.self, Discard.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List dead letters, newest first.")

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions

        func run() async throws { try await self.spool.list(self.filter.filter(states: ["dead"])) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell a dead letter's story: its event, every attempt, and the last answer."
        )

        @OptionGroup var spool: SpoolOptions
        @Argument(help: "The delivery's number.")
        var id: Int64

        func run() async throws { try await self.spool.show(self.id, state: "dead") }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try dead letters again.",
            discussion: DeliveryChange.discussion
        )

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @OptionGroup var selection: SelectionOptions

        func run() async throws {
            try await self.spool.change(.retry, self.filter.filter(states: ["dead"]), self.selection)
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Settle dead letters as not wanted any more.",
            discussion: DeliveryChange.discussion
        )

        @OptionGroup var spool: SpoolOptions
        @OptionGroup var filter: FilterOptions
        @OptionGroup var selection: SelectionOptions

        func run() async throws {
            try await self.spool.change(.discard, self.filter.filter(states: ["dead"]), self.selection)
        }
    }
}

struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "What became of an event: the rules that matched, its deliveries, every attempt."
    )

    @OptionGroup var spool: SpoolOptions
    @Argument(help: "The event's id, as its source gave it.")
    var id: String

    func run() async throws { try await self.spool.why(self.id) }
}
