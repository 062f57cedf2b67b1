#include "ccompression.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct bh_decompressor {
    ZSTD_DStream *zstd;
    z_stream gzip;
    bool is_whole;
};

bh_decompressor *bh_decompressor_create(bool zstd) {
    bh_decompressor *decompressor = calloc(1, sizeof(bh_decompressor));
    if (!decompressor) return NULL;
    decompressor->is_whole = true;
    if (zstd) {
        decompressor->zstd = ZSTD_createDStream();
        if (decompressor->zstd) return decompressor;
    } else if (inflateInit2(&decompressor->gzip, 15 + 16) == Z_OK) {
        return decompressor;
    }
    free(decompressor);
    return NULL;
}

void bh_decompressor_destroy(bh_decompressor *decompressor) {
    if (decompressor->zstd) {
        ZSTD_freeDStream(decompressor->zstd);
    } else {
        inflateEnd(&decompressor->gzip);
    }
    free(decompressor);
}

static const char *zstd_step(bh_decompressor *decompressor, const void *in, size_t *in_size, void *out, size_t *out_size) {
    ZSTD_inBuffer input = {in, *in_size, 0};
    ZSTD_outBuffer output = {out, *out_size, 0};
    size_t left = ZSTD_decompressStream(decompressor->zstd, &output, &input);
    *in_size = input.pos;
    *out_size = output.pos;
    if (ZSTD_isError(left)) return ZSTD_getErrorName(left);
    // Asked between two frames, without input, it hints at the next frame's header.
    if (input.pos > 0 || output.pos > 0) decompressor->is_whole = left == 0;
    return NULL;
}

static const char *gzip_step(bh_decompressor *decompressor, const void *in, size_t *in_size, void *out, size_t *out_size) {
    z_stream *stream = &decompressor->gzip;
    stream->next_in = (unsigned char *)in;
    stream->avail_in = (unsigned)*in_size;
    stream->next_out = out;
    stream->avail_out = (unsigned)*out_size;
    if (stream->avail_in > 0) decompressor->is_whole = false;
    int code = inflate(stream, Z_NO_FLUSH);
    *in_size -= stream->avail_in;
    *out_size -= stream->avail_out;
    if (code == Z_STREAM_END) {
        decompressor->is_whole = true;
        inflateReset(stream);
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return stream->msg ? stream->msg : "damaged data";
    }
    return NULL;
}

const char *bh_decompress(bh_decompressor *decompressor, const void *in, size_t *in_size, void *out, size_t *out_size) {
    return decompressor->zstd ? zstd_step(decompressor, in, in_size, out, out_size)
                              : gzip_step(decompressor, in, in_size, out, out_size);
}

bool bh_decompressor_is_whole(const bh_decompressor *decompressor) { return decompressor->is_whole; }
