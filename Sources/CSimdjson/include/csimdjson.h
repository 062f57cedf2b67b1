// A C interface to simdjson's DOM parser (libsimdjson, Apache-2.0), the only JSON parser in Bellhop.
//
// The DOM parser is chosen over On-Demand because it validates all of a document, also what nobody reads, at the same
// speed for events of a few hundred bytes. Only the JSON types in BellhopCore include this header.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Readable bytes that must follow every document (SIMDJSON_PADDING); what they hold does not matter.
#define BH_JSON_PADDING 64

typedef struct bh_parser bh_parser;

/// One value of the document that was parsed last. Valid until the parser's next document.
typedef struct {
    const void *document;
    size_t index;
} bh_json;

typedef enum {
    BH_ABSENT = 0,
    BH_NULL,
    BH_BOOL,
    BH_INT,
    BH_UINT,
    BH_DOUBLE,
    BH_STRING,
    BH_ARRAY,
    BH_OBJECT,
    /// An array stands on the way to the field: there may be several values, or none.
    BH_SEVERAL,
} bh_kind;

/// A leaf: what kind it is, and its value. `string` is UTF-8, not terminated, and lives as long as the document.
typedef struct {
    bh_kind kind;
    bool boolean;
    int64_t integer;
    uint64_t unsigned_integer;
    double number;
    const char *string;
    size_t length;
} bh_value;

/// Members or elements of a container, in document order.
typedef struct {
    const void *document;
    size_t index;
    size_t end;
    bool object;
} bh_iterator;

bh_parser *bh_parser_create(void);
void bh_parser_destroy(bh_parser *parser);

/// Parses one document; returns 0, or an error for bh_error_message. Integers beyond 64 bits and numbers beyond
/// binary64 are valid JSON and become the nearest binary64.
int bh_parse(bh_parser *parser, const char *bytes, size_t length, bh_json *root);
const char *bh_error_message(int error);

bh_value bh_read(bh_json value);
bh_iterator bh_iterate(bh_json container);
/// Moves to the next member; false at the end. `key` is set for objects only.
bool bh_next(bh_iterator *iterator, const char **key, size_t *key_length, bh_json *value);
/// The member of that name; the last one where a name stands twice, as most readers take it.
bool bh_member(bh_json object, const char *key, size_t key_length, bh_json *value);

/// The fields that somebody asks for, as a tree. A node's slots are those of everything below it and of itself.
typedef struct {
    uint32_t first_edge;
    uint32_t edge_count;
    uint32_t first_slot;
    uint32_t end_slot;
    /// The slot of this very field, or -1.
    int32_t slot;
} bh_node;

typedef struct {
    const char *name;
    size_t length;
    uint32_t node;
} bh_edge;

/// Fills `values` (one for each slot of node 0) in one walk over the document.
void bh_extract(bh_json root, const bh_node *nodes, const bh_edge *edges, bh_value *values);

#ifdef __cplusplus
}
#endif
