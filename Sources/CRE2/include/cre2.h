// RE2 (https://github.com/google/re2), which matches in time linear in the text.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bh_regex bh_regex;

/// Compiles; never NULL. `bh_regex_error` is NULL when it succeeded, otherwise what is wrong.
bh_regex *bh_regex_create(const char *pattern, size_t length, long max_memory);
const char *bh_regex_error(const bh_regex *regex);
void bh_regex_destroy(bh_regex *regex);
/// Whether it is found anywhere in the text. May be called from several threads at once.
bool bh_regex_finds(const bh_regex *regex, const char *text, size_t length);

#ifdef __cplusplus
}
#endif
