// What a command was seen to do.
#include "compiler/learn/seen.h"

#include <string.h>

#include "compiler/sets/net_range.h"

struct seen *seen_new(struct arena *arena)
{
    struct seen *seen = NEW(arena, struct seen);
    *seen = (struct seen){
        .arena = arena, .path_index = {.arena = arena}, .call_index = {.arena = arena}, .net_index = {.arena = arena}};
    return seen;
}

// Room for one more in a list of pointers; lists double.
static void *grown(struct arena *arena, void *list, size_t count)
{
    if (count & (count - 1) || count == 1)
        return list;
    return arena_grow(arena, list, count * sizeof(void *), (count ? 2 * count : 2) * sizeof(void *));
}

struct seen_path *seen_path_add(struct seen *seen, struct str path, unsigned verbs, uint64_t count)
{
    struct seen_path *known = map_get(&seen->path_index, path);
    if (!known) {
        known = NEW(seen->arena, struct seen_path);
        *known = (struct seen_path){.path = str_copy(seen->arena, path)};
        map_put(&seen->path_index, known->path, known);
        seen->paths = grown(seen->arena, seen->paths, seen->path_count);
        seen->paths[seen->path_count++] = known;
    }
    known->verbs |= verbs;
    known->count += count;
    return known;
}

void seen_call_add(struct seen *seen, uint32_t number, const uint64_t arguments[SYSCALL_ARGUMENTS], uint64_t count)
{
    struct seen_call call = {.number = number};
    memcpy(call.arguments, arguments, sizeof call.arguments);
    struct str key = str_copy(seen->arena, (struct str){(const char *)&call, offsetof(struct seen_call, count)});
    struct seen_call *known = map_get(&seen->call_index, key);
    if (!known) {
        known = NEW(seen->arena, struct seen_call);
        *known = call;
        map_put(&seen->call_index, key, known);
        seen->calls = grown(seen->arena, seen->calls, seen->call_count);
        seen->calls[seen->call_count++] = known;
    }
    known->count += count;
}

void seen_net_add(struct seen *seen, const struct net_point *point, uint64_t count)
{
    // Of where a name leads, only that it is private makes another rule.
    struct net_point kept = *point;
    kept.anywhere = point->place == NET_NAME;
    struct text text = {.arena = seen->arena};
    net_point_print(&text, &kept);
    if (kept.anywhere && net_is_private(point->address))
        text_addf(&text, " private");
    struct str key = text_str(&text);
    struct seen_net *known = map_get(&seen->net_index, key);
    if (!known) {
        known = NEW(seen->arena, struct seen_net);
        *known = (struct seen_net){.point = kept};
        known->point.name = str_copy(seen->arena, point->name);
        map_put(&seen->net_index, key, known);
        seen->nets = grown(seen->arena, seen->nets, seen->net_count);
        seen->nets[seen->net_count++] = known;
    }
    known->count += count;
}

// ---- as JSON ------------------------------------------------------------------------------------------------------

enum { VERSION = 1 };

// A path may be any bytes; JSON is text. Hex, as it is for machines only.
static struct str hex_of(struct arena *arena, struct str bytes)
{
    struct text text = {.arena = arena};
    for (size_t i = 0; i < bytes.length; i++)
        text_addf(&text, "%02x", (unsigned char)bytes.text[i]);
    return text_str(&text);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool bytes_of(struct arena *arena, struct str hex, struct str *bytes)
{
    char *data = arena_alloc(arena, hex.length / 2 + 1);
    for (size_t i = 0; i + 1 < hex.length; i += 2) {
        int high = digit(hex.text[i]), low = digit(hex.text[i + 1]);
        if (high < 0 || low < 0 || high + low == 0)
            return false;
        data[i / 2] = (char)(high << 4 | low);
    }
    *bytes = (struct str){data, hex.length / 2};
    return hex.length % 2 == 0;
}

struct str seen_write(struct arena *arena, const struct seen *seen)
{
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_seen", VERSION);
    json_member_number(w, "runs", seen->runs);
    json_key(w, "command");
    json_open(w, '[');
    for (size_t i = 0; i < seen->command_count; i++)
        json_string(w, hex_of(arena, seen->command[i]));
    json_close(w, ']');
    json_member(w, "cwd", hex_of(arena, seen->cwd));
    json_member(w, "home", hex_of(arena, seen->home));
    json_member_number(w, "memory", seen->memory);
    json_member_number(w, "processes", seen->processes);
    json_member_number(w, "wall", seen->wall);
    json_member_number(w, "files", seen->files);
    json_key(w, "paths");
    json_open(w, '[');
    for (size_t i = 0; i < seen->path_count; i++) {
        const struct seen_path *path = seen->paths[i];
        json_open(w, '[');
        json_string(w, hex_of(arena, path->path));
        json_number(w, path->verbs);
        json_number(w, path->count);
        json_number(w, (uint64_t)path->folder | (uint64_t)path->made << 1);
        json_close(w, ']');
    }
    json_close(w, ']');
    json_key(w, "calls");
    json_open(w, '[');
    for (size_t i = 0; i < seen->call_count; i++) {
        const struct seen_call *call = seen->calls[i];
        json_open(w, '[');
        json_number(w, call->number);
        json_number(w, call->count);
        for (int k = 0; k < SYSCALL_ARGUMENTS; k++)
            json_number(w, call->arguments[k]);
        json_close(w, ']');
    }
    json_close(w, ']');
    json_key(w, "net");
    json_open(w, '[');
    for (size_t i = 0; i < seen->net_count; i++) {
        const struct seen_net *net = seen->nets[i];
        json_open(w, '[');
        json_number(w, net->point.verb);
        json_number(w, net->point.protocol);
        json_number(w, net->point.place);
        json_number(w, (uint64_t)(net->point.address >> 64));
        json_number(w, (uint64_t)net->point.address);
        json_string(w, hex_of(arena, net->point.name));
        json_number(w, net->point.port);
        json_number(w, net->count);
        json_close(w, ']');
    }
    json_close(w, ']');
    json_close(w, '}');
    return text_str(&text);
}

// The elements of an array that must be so many, the strings among them (bits of `strings`) as bytes. False when it is
// something else.
static bool row_of(struct arena *arena, const struct json *row, size_t count, unsigned strings,
                   const struct json *fields[], struct str *bytes)
{
    if (row->kind != JSON_ARRAY || row->count != count)
        return false;
    size_t i = 0;
    for (const struct json *field = row->first; field; field = field->next, i++) {
        fields[i] = field;
        if (field->kind != (strings >> i & 1 ? JSON_STRING : JSON_NUMBER) ||
            (field->kind == JSON_STRING && !bytes_of(arena, field->text, bytes)))
            return false;
    }
    return true;
}

static uint64_t number_of(const struct json *whole, const char *key)
{
    const struct json *value = json_get(whole, key);
    return value && value->kind == JSON_NUMBER ? value->number : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool seen_read(struct seen *seen, struct str text, const char **why)
{
    size_t where;
    struct arena *arena = seen->arena;
    const struct json *whole = json_parse(arena, text, why, &where), *fields[2 + SYSCALL_ARGUMENTS];
    struct str bytes;
    if (!whole)
        return false;
    *why = "it is no record of what a command was seen to do, or of another version";
    const struct json *paths = json_get(whole, "paths"), *calls = json_get(whole, "calls"),
                      *nets = json_get(whole, "net"), *command = json_get(whole, "command");
    const struct json *cwd = json_get(whole, "cwd"), *home = json_get(whole, "home");
    if (number_of(whole, "sbx_seen") != VERSION || !paths || !calls || !nets || !command || !cwd || !home ||
        paths->kind != JSON_ARRAY || calls->kind != JSON_ARRAY || nets->kind != JSON_ARRAY ||
        command->kind != JSON_ARRAY || cwd->kind != JSON_STRING || home->kind != JSON_STRING)
        return false;
    for (int adds = 0; adds < 2; adds++) { // first all of it is looked at
        for (const struct json *row = paths->first; row; row = row->next) {
            if (!row_of(arena, row, 4, 1, fields, &bytes) || !bytes.length || bytes.text[0] != '/' ||
                fields[1]->number & ~(uint64_t)VERB_FILES)
                return false;
            struct seen_path *path =
                adds ? seen_path_add(seen, bytes, (unsigned)fields[1]->number, fields[2]->number) : NULL;
            if (path) {
                path->folder |= fields[3]->number & 1;
                path->made |= fields[3]->number >> 1 & 1;
            }
        }
        for (const struct json *row = calls->first; row; row = row->next) {
            uint64_t arguments[SYSCALL_ARGUMENTS];
            if (!row_of(arena, row, 2 + SYSCALL_ARGUMENTS, 0, fields, &bytes) || fields[0]->number >= UINT32_MAX)
                return false;
            for (int k = 0; k < SYSCALL_ARGUMENTS; k++)
                arguments[k] = fields[2 + k]->number;
            if (adds)
                seen_call_add(seen, (uint32_t)fields[0]->number, arguments, fields[1]->number);
        }
        for (const struct json *row = nets->first; row; row = row->next) {
            if (!row_of(arena, row, 8, 1 << 5, fields, &bytes) || fields[0]->number & ~(uint64_t)VERB_NET ||
                fields[2]->number > NET_UNIX || fields[6]->number > UINT16_MAX)
                return false;
            struct net_point point = {.verb = (unsigned)fields[0]->number,
                                      .protocol = (unsigned)fields[1]->number,
                                      .place = (enum net_place)fields[2]->number,
                                      .address = (net_address)fields[3]->number << 64 | fields[4]->number,
                                      .name = bytes,
                                      .port = (uint16_t)fields[6]->number};
            if (adds)
                seen_net_add(seen, &point, fields[7]->number);
        }
    }
    if (!bytes_of(arena, cwd->text, &seen->cwd) || !bytes_of(arena, home->text, &seen->home))
        return false;
    seen->command = NEW_ARRAY(arena, struct str, command->count + 1);
    seen->command_count = 0;
    for (const struct json *word = command->first; word; word = word->next)
        if (word->kind == JSON_STRING && bytes_of(arena, word->text, &bytes))
            seen->command[seen->command_count++] = bytes;
    seen->runs += number_of(whole, "runs");
    seen->memory = larger(seen->memory, number_of(whole, "memory"));
    seen->processes = larger(seen->processes, number_of(whole, "processes"));
    seen->wall = larger(seen->wall, number_of(whole, "wall"));
    seen->files = larger(seen->files, number_of(whole, "files"));
    return true;
}
