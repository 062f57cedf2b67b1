// Reads gzip (zlib) and zstd streams piece by piece.
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct bh_decompressor bh_decompressor;

/// NULL when there is no memory.
bh_decompressor *bh_decompressor_create(bool zstd);
void bh_decompressor_destroy(bh_decompressor *decompressor);

/// Takes up to `*in_size` bytes and gives up to `*out_size`; both say afterwards how many it was. Streams may follow each
/// other. Returns NULL, or what is wrong with the input.
const char *bh_decompress(bh_decompressor *decompressor, const void *in, size_t *in_size, void *out, size_t *out_size);

/// Whether the input may end here: between streams.
bool bh_decompressor_is_whole(const bh_decompressor *decompressor);
