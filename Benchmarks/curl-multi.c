/*
 * POSTs each line of a file to a URL with libcurl's multi interface and nothing else: what a sender on libcurl could do
 * at best, to compare Bellhop with. HTTP/1.1, connections kept alive, easy handles used again, answers thrown away, the
 * headers that Bellhop sends. Prints deliveries per second; exits with 1 when any was not answered with 2xx.
 *
 * cc -O2 curl-multi.c -o curl-multi -lcurl; ./curl-multi URL FILE [IN_FLIGHT]
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct slot {
    CURL *easy;
    struct curl_slist *headers;
    char *id, *timestamp; /* inside the header lines, written anew for each delivery */
};

static size_t discard(char *bytes, size_t size, size_t count, void *context) { return size * count; }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void prepare(struct slot *slot, const char *url) {
    slot->headers = curl_slist_append(NULL, "Content-Type: application/json");
    slot->headers = curl_slist_append(slot->headers, "webhook-id: msg_00000000000000000000000000000000");
    slot->headers = curl_slist_append(slot->headers, "webhook-timestamp: 0000000000");
    slot->headers = curl_slist_append(slot->headers, "Expect:");
    slot->id = strchr(slot->headers->next->data, '_') + 1;
    slot->timestamp = strchr(slot->headers->next->next->data, ' ') + 1;
    slot->easy = curl_easy_init();
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->easy, CURLOPT_URL, url);
    curl_easy_setopt(slot->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, discard);
}

int main(int count, char **arguments) {
    FILE *file = count > 2 ? fopen(arguments[2], "r") : NULL;
    int slots = count > 3 ? atoi(arguments[3]) : 64, running = 0;
    if (!file || slots < 1) return fprintf(stderr, "usage: %s URL FILE [IN_FLIGHT]\n", arguments[0]), 64;
    char **bodies = NULL, *line = NULL;
    size_t *sizes = NULL, room = 0;
    long total = 0, next = 0, done = 0, failed = 0;
    for (ssize_t size; (size = getline(&line, &room, file)) > 0; line = NULL, room = 0) {
        bodies = realloc(bodies, (total + 1) * sizeof *bodies);
        sizes = realloc(sizes, (total + 1) * sizeof *sizes);
        bodies[total] = line;
        sizes[total++] = line[size - 1] == '\n' ? size - 1 : size;
    }

    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)slots);
    struct slot *all = calloc(slots, sizeof *all), **idle = calloc(slots, sizeof *idle);
    for (int index = 0; index < slots; index++) prepare(idle[index] = &all[index], arguments[1]);
    double start = now();
    for (int free = slots; done < total;) {
        while (free > 0 && next < total) {
            struct slot *slot = idle[--free];
            snprintf(slot->id, 33, "%032lx", next);
            snprintf(slot->timestamp, 11, "%010ld", (long)time(NULL));
            curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sizes[next]);
            curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, bodies[next++]);
            curl_multi_add_handle(multi, slot->easy);
        }
        curl_multi_perform(multi, &running);
        int left;
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
            long status = 0;
            struct slot *slot;
            CURL *easy = message->easy_handle;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
            if (message->data.result != CURLE_OK || status / 100 != 2) failed++;
            curl_multi_remove_handle(multi, easy);
            idle[free++] = slot;
            done++;
        }
        if (done < total && !(free > 0 && next < total)) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%.0f deliveries/s, %ld failed\n", total / (now() - start), failed);
    return failed > 0;
}
