// What a run wrote.
#include "aisbx/runs/log.h"

#include <cjson/cJSON.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 32768, LINE = 8 * PIECE };

static void place_of(const char *run, char path[ID_SIZE + 16])
{
    snprintf(path, ID_SIZE + 16, "logs/%s.jsonl", run);
}

bool log_begin(struct log *log, struct store *store, const char *run)
{
    char path[ID_SIZE + 16];
    place_of(run, path);
    *log = (struct log){.fd = openat(store->folder, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)};
    snprintf(log->run, sizeof log->run, "%s", run);
    return log->fd >= 0 || (warn("the store %s: no log can be written", store->path), false);
}

// The length of the character (RFC 3629) that begins there; 0: none does; -1: it has not all come.
static int character(const unsigned char *at, size_t length)
{
    unsigned first = at[0];
    int size = first < 0x80                    ? 1
               : first >= 0xC2 && first < 0xE0 ? 2
               : first >= 0xE0 && first < 0xF0 ? 3
               : first >= 0xF0 && first < 0xF5 ? 4
                                               : 0;
    for (int i = 1; i < size; i++) {
        if ((size_t)i == length)
            return -1;
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        if (i == 1 && ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ||
                       (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F)))
            return 0;
    }
    return size;
}

static void write_line(struct log *log, int stream, const char *member, const char *text)
{
    char time_text[40];
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(time_text + length, sizeof time_text - length, ".%06ldZ", now.tv_nsec / 1000);
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "time", time_text);
    cJSON_AddStringToObject(line, "stream", stream == 2 ? "stderr" : "stdout");
    cJSON_AddStringToObject(line, "run", log->run);
    cJSON_AddStringToObject(line, member, text);
    char *printed = cJSON_PrintUnformatted(line);
    cJSON_Delete(line);
    if (!printed)
        abort();
    size_t size = strlen(printed);
    printed[size++] = '\n'; // in the place of its NUL
    for (size_t done = 0; done < size && !log->failed;) {
        ssize_t n = write(log->fd, printed + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            log->failed = true;
    }
    free(printed);
}

// Text as it is; bytes that are none in hex.
static size_t write_part(struct log *log, int stream, const unsigned char *data, size_t length, bool last)
{
    char text[2 * PIECE + 1];
    size_t taken = 0;
    int size = 1;
    while (taken < length && data[taken] && (size = character(data + taken, length - taken)) > 0)
        taken += (size_t)size;
    if (taken) {
        memcpy(text, data, taken);
        text[taken] = '\0';
        write_line(log, stream, "text", text);
        return taken;
    }
    if (size < 0 && !last)
        return 0;
    while (taken < length && (!data[taken] || character(data + taken, length - taken) <= 0)) {
        snprintf(text + 2 * taken, 3, "%02x", data[taken]);
        taken++;
    }
    write_line(log, stream, "bytes", text);
    return taken;
}

static void write_piece(struct log *log, int stream, const char *data, size_t length, bool last)
{
    static unsigned char whole[PIECE + 4];
    memcpy(whole, log->rest[stream], log->rests[stream]);
    memcpy(whole + log->rests[stream], data, length);
    length += log->rests[stream];
    log->rests[stream] = 0;
    for (size_t at = 0; at < length;) {
        size_t taken = write_part(log, stream, whole + at, length - at, last || length - at > 3);
        if (!taken) {
            memcpy(log->rest[stream], whole + at, length - at);
            log->rests[stream] = length - at;
            return;
        }
        at += taken;
    }
}

void log_piece(struct log *log, int stream, const char *data, size_t length)
{
    for (size_t done = 0; done < length; done += PIECE)
        write_piece(log, stream, data + done, length - done < PIECE ? length - done : PIECE, false);
}

bool log_end(struct log *log, struct store *store, char digest[DIGEST_SIZE])
{
    char path[ID_SIZE + 16];
    uint64_t bytes;
    for (int stream = 1; stream < 3; stream++)
        write_piece(log, stream, "", 0, true);
    off_t length = lseek(log->fd, 0, SEEK_CUR);
    bool kept = !log->failed && length >= 0;
    *digest = '\0';
    if (kept && length)
        kept = lseek(log->fd, 0, SEEK_SET) == 0 && blob_keep(&store->blobs, log->fd, digest, &bytes);
    int error = errno;
    place_of(log->run, path);
    if (kept) // who follows it has it open
        unlinkat(store->folder, path, 0);
    close(log->fd);
    log->fd = -1;
    errno = error;
    return kept;
}

// ---- showing ------------------------------------------------------------------------------------------------------

static void show_line(const char *line, bool json)
{
    if (json) {
        puts(line);
        return;
    }
    cJSON *object = cJSON_Parse(line);
    const char *stream = cJSON_GetStringValue(cJSON_GetObjectItem(object, "stream")),
               *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, "text")),
               *bytes = cJSON_GetStringValue(cJSON_GetObjectItem(object, "bytes"));
    FILE *to = stream && strcmp(stream, "stderr") == 0 ? stderr : stdout;
    if (text)
        fputs(text, to);
    for (unsigned byte; bytes && sscanf(bytes, "%2x", &byte) == 1; bytes += 2)
        putc((int)byte, to);
    cJSON_Delete(object);
    fflush(to);
}

bool log_show(struct store *store, const char *run, bool json, bool follow)
{
    char path[ID_SIZE + 16], digest[DIGEST_SIZE];
    place_of(run, path);
    int fd = openat(store->folder, path, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) { // it has ended
        if (!store_text(store, digest, sizeof digest, "SELECT log FROM runs WHERE id = ?", "t", run))
            return false;
        file = tmpfile();
        if (!*digest)
            return true; // it wrote nothing
        if (!file || !blob_write(&store->blobs, digest, UINT64_MAX, fileno(file)))
            return warn("the log of %s can't be read", run), false;
        rewind(file);
        follow = false;
    }
    char *line = NULL;
    size_t room = 0;
    for (bool ended = false;;) {
        long at = ftell(file);
        ssize_t n = getline(&line, &room, file);
        if (n > 0 && line[n - 1] == '\n') {
            line[n - 1] = '\0';
            show_line(line, json);
            continue;
        }
        if (!follow || ended)
            break;
        ended = !store_is_marked(store, run); // once more after that: nothing is written any more
        fseek(file, at, SEEK_SET);            // a line whose end has not come
        clearerr(file);
        if (!ended)
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    free(line);
    fclose(file);
    return true;
}
