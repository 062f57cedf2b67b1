#include "ccurl.h"

#include <netinet/in.h>
#include <sys/socket.h>

void bh_global_init(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }
const char *bh_version(void) { return curl_version_info(CURLVERSION_NOW)->version; }

bh_easy *bh_easy_create(void) { return (bh_easy *)curl_easy_init(); }
void bh_easy_destroy(bh_easy *easy) { curl_easy_cleanup((CURL *)easy); }
void bh_easy_reset(bh_easy *easy) { curl_easy_reset((CURL *)easy); }

CURLcode bh_easy_set_long(bh_easy *easy, CURLoption option, long value) {
    return curl_easy_setopt((CURL *)easy, option, value);
}

CURLcode bh_easy_set_offset(bh_easy *easy, CURLoption option, int64_t value) {
    return curl_easy_setopt((CURL *)easy, option, (curl_off_t)value);
}

CURLcode bh_easy_set_string(bh_easy *easy, CURLoption option, const char *value) {
    return curl_easy_setopt((CURL *)easy, option, value);
}

CURLcode bh_easy_set_pointer(bh_easy *easy, CURLoption option, const void *value) {
    return curl_easy_setopt((CURL *)easy, option, value);
}

CURLcode bh_easy_set_headers(bh_easy *easy, struct curl_slist *headers) {
    return curl_easy_setopt((CURL *)easy, CURLOPT_HTTPHEADER, headers);
}

CURLcode bh_easy_set_writer(bh_easy *easy, bh_write_callback callback, void *context) {
    CURLcode code = curl_easy_setopt((CURL *)easy, CURLOPT_WRITEFUNCTION, callback);
    return code != CURLE_OK ? code : curl_easy_setopt((CURL *)easy, CURLOPT_WRITEDATA, context);
}

CURLcode bh_easy_set_header_reader(bh_easy *easy, bh_write_callback callback, void *context) {
    CURLcode code = curl_easy_setopt((CURL *)easy, CURLOPT_HEADERFUNCTION, callback);
    return code != CURLE_OK ? code : curl_easy_setopt((CURL *)easy, CURLOPT_HEADERDATA, context);
}

CURLcode bh_easy_set_prereq(bh_easy *easy, bh_prereq_callback callback, void *context) {
    CURLcode code = curl_easy_setopt((CURL *)easy, CURLOPT_PREREQFUNCTION, callback);
    return code != CURLE_OK ? code : curl_easy_setopt((CURL *)easy, CURLOPT_PREREQDATA, context);
}

CURLcode bh_easy_set_opensocket(bh_easy *easy, bh_opensocket_callback callback, void *context) {
    CURLcode code = curl_easy_setopt((CURL *)easy, CURLOPT_OPENSOCKETFUNCTION, callback);
    return code != CURLE_OK ? code : curl_easy_setopt((CURL *)easy, CURLOPT_OPENSOCKETDATA, context);
}

const uint8_t *bh_address_bytes(const struct curl_sockaddr *address, long *count) {
    const struct sockaddr *plain = &address->addr;
    switch (plain->sa_family) {
    case AF_INET: *count = 4; return (const uint8_t *)&((const struct sockaddr_in *)plain)->sin_addr;
    case AF_INET6: *count = 16; return (const uint8_t *)&((const struct sockaddr_in6 *)plain)->sin6_addr;
    default: *count = 0; return NULL;
    }
}

curl_socket_t bh_open_socket(const struct curl_sockaddr *address) {
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

long bh_easy_status(bh_easy *easy) {
    long status = 0;
    curl_easy_getinfo((CURL *)easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

long bh_easy_sent(bh_easy *easy) {
    long sent = 0;
    curl_easy_getinfo((CURL *)easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent;
}

void *bh_easy_context(bh_easy *easy) {
    char *context = NULL;
    curl_easy_getinfo((CURL *)easy, CURLINFO_PRIVATE, &context);
    return context;
}

bh_multi *bh_multi_create(long connections) {
    CURLM *multi = curl_multi_init();
    if (multi != NULL) curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
    return (bh_multi *)multi;
}

void bh_multi_destroy(bh_multi *multi) { curl_multi_cleanup((CURLM *)multi); }
CURLMcode bh_multi_add(bh_multi *multi, bh_easy *easy) { return curl_multi_add_handle((CURLM *)multi, (CURL *)easy); }

CURLMcode bh_multi_remove(bh_multi *multi, bh_easy *easy) {
    return curl_multi_remove_handle((CURLM *)multi, (CURL *)easy);
}

CURLMcode bh_multi_perform(bh_multi *multi, int *running) { return curl_multi_perform((CURLM *)multi, running); }

CURLMcode bh_multi_poll(bh_multi *multi, int milliseconds) {
    return curl_multi_poll((CURLM *)multi, NULL, 0, milliseconds, NULL);
}

CURLMcode bh_multi_wakeup(bh_multi *multi) { return curl_multi_wakeup((CURLM *)multi); }

bh_easy *bh_multi_finished(bh_multi *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read((CURLM *)multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return (bh_easy *)message->easy_handle;
        }
    }
    return NULL;
}
