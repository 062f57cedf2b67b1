// Typed wrappers for libcurl's variadic functions, which Swift cannot call. Only Sources/Bellhop/HTTP includes this.
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct bh_easy bh_easy;
typedef struct bh_multi bh_multi;

typedef size_t (*bh_write_callback)(char *bytes, size_t size, size_t count, void *context);
/// Returns CURL_PREREQFUNC_OK or CURL_PREREQFUNC_ABORT; called once each time a request is sent.
typedef int (*bh_prereq_callback)(void *context, char *remote, char *local, int remote_port, int local_port);

/// Returns a socket for a connection to the address, or CURL_SOCKET_BAD where none may be made.
typedef curl_socket_t (*bh_opensocket_callback)(void *context, curlsocktype purpose, struct curl_sockaddr *address);

void bh_global_init(void);
const char *bh_version(void);

bh_easy *bh_easy_create(void);
void bh_easy_destroy(bh_easy *easy);
void bh_easy_reset(bh_easy *easy);
CURLcode bh_easy_set_long(bh_easy *easy, CURLoption option, long value);
CURLcode bh_easy_set_offset(bh_easy *easy, CURLoption option, int64_t value);
CURLcode bh_easy_set_string(bh_easy *easy, CURLoption option, const char *value);
CURLcode bh_easy_set_pointer(bh_easy *easy, CURLoption option, const void *value);
CURLcode bh_easy_set_headers(bh_easy *easy, struct curl_slist *headers);
CURLcode bh_easy_set_writer(bh_easy *easy, bh_write_callback callback, void *context);
CURLcode bh_easy_set_header_reader(bh_easy *easy, bh_write_callback callback, void *context);
CURLcode bh_easy_set_prereq(bh_easy *easy, bh_prereq_callback callback, void *context);
CURLcode bh_easy_set_opensocket(bh_easy *easy, bh_opensocket_callback callback, void *context);
/// The address in network order: 4 or 16 bytes, none for other families.
const uint8_t *bh_address_bytes(const struct curl_sockaddr *address, long *count);
curl_socket_t bh_open_socket(const struct curl_sockaddr *address);
long bh_easy_status(bh_easy *easy);
/// Bytes of request sent so far, headers included: 0 means the receiver cannot have seen anything.
long bh_easy_sent(bh_easy *easy);
void *bh_easy_context(bh_easy *easy);

bh_multi *bh_multi_create(long connections);
void bh_multi_destroy(bh_multi *multi);
CURLMcode bh_multi_add(bh_multi *multi, bh_easy *easy);
CURLMcode bh_multi_remove(bh_multi *multi, bh_easy *easy);
CURLMcode bh_multi_perform(bh_multi *multi, int *running);
CURLMcode bh_multi_poll(bh_multi *multi, int milliseconds);
/// The only function that another thread may call.
CURLMcode bh_multi_wakeup(bh_multi *multi);
/// The next transfer that ended, or NULL.
bh_easy *bh_multi_finished(bh_multi *multi, CURLcode *result);
