#include "csimdjson.h"

#include <simdjson.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

using simdjson::dom::document;
using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

static_assert(BH_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "documents need more padding");

struct bh_parser {
    simdjson::dom::parser dom;
    std::string repaired;
};

namespace {

inline tape_ref ref(bh_json value) { return tape_ref(static_cast<const document *>(value.document), value.index); }
inline bh_json json(const tape_ref &tape) { return bh_json{tape.doc, tape.json_index}; }

inline bool is_number_character(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// RFC 8259 §6, so that the repair never makes valid what was not.
bool is_json_number(const std::string &text) {
    size_t at = 0;
    auto digits = [&] {
        size_t begin = at;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') at++;
        return at - begin;
    };
    if (at < text.size() && text[at] == '-') at++;
    size_t first = at;
    size_t count = digits();
    if (count == 0 || (count > 1 && text[first] == '0')) return false;
    if (at < text.size() && text[at] == '.') {
        at++;
        if (digits() == 0) return false;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) at++;
        if (digits() == 0) return false;
    }
    return at == text.size();
}

bool fits_64_bits(const std::string &text) {
    if (text.find_first_of(".eE") != std::string::npos) return false;
    errno = 0;
    if (text[0] == '-') {
        (void)std::strtoll(text.c_str(), nullptr, 10);
    } else {
        (void)std::strtoull(text.c_str(), nullptr, 10);
    }
    return errno == 0;
}

/// simdjson refuses numbers beyond 64 bits and binary64, which JSON allows. This writes the document again with those
/// numbers as their nearest binary64.
void repair_numbers(const char *bytes, size_t length, std::string &out) {
    out.clear();
    out.reserve(length + BH_JSON_PADDING);
    bool in_string = false;
    for (size_t at = 0; at < length;) {
        char c = bytes[at];
        if (in_string || !(c == '-' || (c >= '0' && c <= '9'))) {
            if (in_string && c == '\\' && at + 1 < length) out.push_back(bytes[at++]);
            if (c == '"') in_string = !in_string;
            out.push_back(bytes[at++]);
            continue;
        }
        size_t end = at;
        while (end < length && is_number_character(bytes[end])) end++;
        std::string text(bytes + at, end - at);
        at = end;
        if (!is_json_number(text) || fits_64_bits(text)) {
            out += text;
            continue;
        }
        double value = std::strtod(text.c_str(), nullptr);
        if (std::isinf(value)) value = std::copysign(std::numeric_limits<double>::max(), value);
        char written[40];
        std::snprintf(written, sizeof written, "%.17g", value);
        out += written;
        if (std::strpbrk(written, ".e") == nullptr) out += ".0";
    }
}

void mark(bh_value *values, const bh_node &node, bh_kind kind) {
    for (uint32_t slot = node.first_slot; slot < node.end_slot; slot++) values[slot].kind = kind;
}

void extract(const tape_ref &tape, const bh_node *nodes, const bh_edge *edges, uint32_t at, bh_value *values) {
    const bh_node &node = nodes[at];
    switch (tape.tape_ref_type()) {
    case tape_type::START_ARRAY:
        mark(values, node, BH_SEVERAL);
        return;
    case tape_type::START_OBJECT: {
        // A name that stands twice: the last one counts, with nothing left of the one before.
        mark(values, node, BH_ABSENT);
        if (node.slot >= 0) values[node.slot].kind = BH_OBJECT;
        if (node.edge_count == 0) return;
        const bh_edge *first = edges + node.first_edge;
        const bh_edge *last = first + node.edge_count;
        tape_ref member(tape.doc, tape.json_index + 1);
        size_t end = tape.matching_brace_index() - 1;
        while (member.json_index < end) {
            std::string_view key = member.get_string_view();
            member.json_index++;
            for (const bh_edge *edge = first; edge < last; edge++) {
                if (edge->length == key.size() && std::memcmp(edge->name, key.data(), key.size()) == 0) {
                    extract(member, nodes, edges, edge->node, values);
                    break;
                }
            }
            member.json_index = member.after_element();
        }
        return;
    }
    default:
        mark(values, node, BH_ABSENT);
        if (node.slot >= 0) values[node.slot] = bh_read(json(tape));
    }
}

}  // namespace

bh_parser *bh_parser_create(void) { return new bh_parser(); }
void bh_parser_destroy(bh_parser *parser) { delete parser; }

int bh_parse(bh_parser *parser, const char *bytes, size_t length, bh_json *root) {
    simdjson::dom::element element;
    auto error = parser->dom.parse(bytes, length, false).get(element);
    if (error == simdjson::NUMBER_ERROR) {
        repair_numbers(bytes, length, parser->repaired);
        error = parser->dom.parse(parser->repaired).get(element);
    }
    // Node 0 of the tape is the root marker; the root value follows it.
    *root = bh_json{&parser->dom.doc, 1};
    return error;
}

const char *bh_error_message(int error) {
    return simdjson::error_message(static_cast<simdjson::error_code>(error));
}

bh_value bh_read(bh_json value) {
    tape_ref tape = ref(value);
    bh_value out{};
    switch (tape.tape_ref_type()) {
    case tape_type::NULL_VALUE: out.kind = BH_NULL; break;
    case tape_type::TRUE_VALUE: out.kind = BH_BOOL; out.boolean = true; break;
    case tape_type::FALSE_VALUE: out.kind = BH_BOOL; break;
    case tape_type::INT64: out.kind = BH_INT; out.integer = tape.next_tape_value<int64_t>(); break;
    case tape_type::UINT64: out.kind = BH_UINT; out.unsigned_integer = tape.next_tape_value<uint64_t>(); break;
    case tape_type::DOUBLE: out.kind = BH_DOUBLE; out.number = tape.next_tape_value<double>(); break;
    case tape_type::STRING: {
        std::string_view text = tape.get_string_view();
        out.kind = BH_STRING;
        out.string = text.data();
        out.length = text.size();
        break;
    }
    case tape_type::START_ARRAY: out.kind = BH_ARRAY; break;
    case tape_type::START_OBJECT: out.kind = BH_OBJECT; break;
    default: break;
    }
    return out;
}

bh_iterator bh_iterate(bh_json container) {
    tape_ref tape = ref(container);
    tape_type type = tape.tape_ref_type();
    if (type != tape_type::START_ARRAY && type != tape_type::START_OBJECT) {
        return bh_iterator{container.document, 0, 0, false};
    }
    return bh_iterator{
        container.document, container.index + 1, tape.matching_brace_index() - 1, type == tape_type::START_OBJECT};
}

bool bh_next(bh_iterator *iterator, const char **key, size_t *key_length, bh_json *value) {
    if (iterator->index >= iterator->end) return false;
    tape_ref tape(static_cast<const document *>(iterator->document), iterator->index);
    if (iterator->object) {
        std::string_view name = tape.get_string_view();
        *key = name.data();
        *key_length = name.size();
        tape.json_index++;
    }
    *value = json(tape);
    iterator->index = tape.after_element();
    return true;
}

bool bh_member(bh_json object, const char *key, size_t key_length, bh_json *value) {
    bh_iterator members = bh_iterate(object);
    if (!members.object) return false;
    bool found = false;
    const char *name;
    size_t length;
    bh_json member;
    while (bh_next(&members, &name, &length, &member)) {
        if (length == key_length && std::memcmp(name, key, length) == 0) {
            *value = member;
            found = true;
        }
    }
    return found;
}

void bh_extract(bh_json root, const bh_node *nodes, const bh_edge *edges, bh_value *values) {
    mark(values, nodes[0], BH_ABSENT);
    extract(ref(root), nodes, edges, 0, values);
}
