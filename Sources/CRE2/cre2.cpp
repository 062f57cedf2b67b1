#include "cre2.h"

#include <re2/re2.h>

struct bh_regex {
    re2::RE2 regex;
    bh_regex(re2::StringPiece pattern, const re2::RE2::Options &options) : regex(pattern, options) {}
};

bh_regex *bh_regex_create(const char *pattern, size_t length, long max_memory) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(max_memory);
    return new bh_regex(re2::StringPiece(pattern, length), options);
}

const char *bh_regex_error(const bh_regex *regex) {
    return regex->regex.ok() ? nullptr : regex->regex.error().c_str();
}

void bh_regex_destroy(bh_regex *regex) { delete regex; }

bool bh_regex_finds(const bh_regex *regex, const char *text, size_t length) {
    return regex->regex.Match(re2::StringPiece(text, length), 0, length, re2::RE2::UNANCHORED, nullptr, 0);
}
