/*
 * Sends requests that are ready, each once, over so many connections that are kept alive: the next when the one before has
 * been answered. The file holds for each four bytes of length (little endian) and the request as it goes over the wire.
 * Writes the number (from 0) of each request that was answered with 2xx to standard output as soon as it is; a connection
 * that breaks is not opened again. At the end a line on standard error: requests answered, with 2xx, and seconds.
 *
 * cc -O2 http-load.c -o http-load; ./http-load PORT FILE [CONNECTIONS]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int socket;
    long request;
    char answer[16384];
    size_t got;
};

static const char **starts;
static unsigned *sizes;
static long total, next, answered, accepted, open_connections;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void end(struct connection *connection) {
    if (connection->socket >= 0) close(connection->socket), open_connections--;
    connection->socket = -1;
}

static void send_next(struct connection *connection) {
    if (next >= total) { end(connection); return; }
    connection->request = next++;
    connection->got = 0;
    const char *at = starts[connection->request];
    for (size_t left = sizes[connection->request]; left > 0;) {
        ssize_t sent = send(connection->socket, at, left, MSG_NOSIGNAL);
        if (sent < 0) { end(connection); return; }
        at += sent, left -= sent;
    }
}

/* The answer's length once it is whole, 0 before. */
static size_t whole(struct connection *connection) {
    connection->answer[connection->got] = 0;
    char *body = strstr(connection->answer, "\r\n\r\n");
    if (!body) return 0;
    char *length = strcasestr(connection->answer, "\r\ncontent-length:");
    size_t size = body + 4 - connection->answer + (length && length < body ? strtoul(length + 17, NULL, 10) : 0);
    return connection->got >= size ? size : 0;
}

static void receive(struct connection *connection) {
    ssize_t count = recv(connection->socket, connection->answer + connection->got,
                         sizeof connection->answer - 1 - connection->got, 0);
    if (count <= 0) { end(connection); return; }
    connection->got += count;
    if (!whole(connection)) return;
    answered++;
    if (!strncmp(connection->answer, "HTTP/1.1 2", 10)) accepted++, printf("%ld\n", connection->request);
    send_next(connection);
}

int main(int count, char **arguments) {
    int file = count > 2 ? open(arguments[2], O_RDONLY) : -1, wanted = count > 3 ? atoi(arguments[3]) : 64;
    struct stat status;
    if (file < 0 || fstat(file, &status)) return fprintf(stderr, "usage: %s PORT FILE [CONNECTIONS]\n", arguments[0]), 64;
    char *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    for (char *at = bytes; at < bytes + status.st_size; at += sizes[total++] + 4) {
        starts = realloc(starts, (total + 1) * sizeof *starts);
        sizes = realloc(sizes, (total + 1) * sizeof *sizes);
        memcpy(&sizes[total], at, 4);
        starts[total] = at + 4;
    }
    int poll = epoll_create1(0);
    struct connection *all = calloc(wanted, sizeof *all);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    double start = now();
    for (int index = 0; index < wanted; index++) {
        int one = 1;
        all[index].socket = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(all[index].socket, (struct sockaddr *)&address, sizeof address)) return perror("connect"), 1;
        setsockopt(all[index].socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[index]};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[index].socket, &event);
        open_connections++;
        send_next(&all[index]);
    }
    while (open_connections > 0) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, 10000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) { fprintf(stderr, "no answer for 10 s\n"); break; }
        for (int index = 0; index < ready; index++) receive(events[index].data.ptr);
        fflush(stdout);
    }
    fprintf(stderr, "%ld %ld %.3f\n", answered, accepted, now() - start);
    return 0;
}
