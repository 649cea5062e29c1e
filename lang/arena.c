// Memory and text of one compilation: the arena, strings, growing text, a hash map, edit distance.
#include "lang/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// Large enough for the C library to map it: the kernel's pages are zero, and cost only when touched. The first one is
// for arenas that hold a line.
enum { FIRST_BLOCK = 4 * 1024, BLOCK = 256 * 1024, ALIGNMENT = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) char data[];
};

struct arena {
    struct block *blocks;
    char *region; // shared: address space that pages come from as they are touched; NULL: blocks come from the heap
    size_t region_used, region_size;
    size_t bytes; // of all blocks
    struct allotment *limit;
};

struct allotment { // of arena_within
    jmp_buf out;
    size_t bytes;    // the most that the arena may have
    size_t steps;    // since the clock was looked at
    uint64_t begun;  // when it was looked at first, in nanoseconds; 0: not yet, as in any usual compilation
    uint64_t length; // nanoseconds from then on
};

#define REGION_MOST ((size_t)4 << 30)
#define REGION_LEAST ((size_t)2 << 20)

static int exhausted_status = 3;

void arena_exhausted_exits(int status)
{
    exhausted_status = status;
}

static void out_of_memory(void)
{
    fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
    exit(exhausted_status);
}

enum { STEPS_OF_CLOCK = 1 << 18, STEPS_OF_BLOCK = STEPS_OF_CLOCK / 64 };

void arena_spend(struct arena *arena, size_t steps)
{
    struct allotment *limit = arena->limit;
    if (!limit || (limit->steps += steps) < STEPS_OF_CLOCK)
        return;
    limit->steps = 0;
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    uint64_t time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    limit->begun = limit->begun ? limit->begun : time;
    if (time - limit->begun > limit->length)
        longjmp(limit->out, ARENA_OUT_OF_TIME);
}

enum arena_end arena_within(struct arena *arena, size_t bytes, unsigned seconds, void (*work)(void *), void *context)
{
    struct allotment limit = {.bytes = arena->bytes + bytes, .length = seconds * (uint64_t)1000000000};
    if (arena->limit) {
        work(context);
        return ARENA_DONE;
    }
    arena->limit = &limit;
    enum arena_end end = (enum arena_end)setjmp(limit.out);
    if (end == ARENA_DONE)
        work(context);
    arena->limit = NULL;
    return end;
}

struct allotment *arena_suspend(struct arena *arena)
{
    struct allotment *limit = arena->limit;
    arena->limit = NULL;
    return limit;
}

void arena_resume(struct arena *arena, struct allotment *limit)
{
    arena->limit = limit;
    if (limit)
        limit->begun = 0;
}

static struct block *block_new(struct arena *arena, size_t size)
{
    size_t whole = (sizeof(struct block) + size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (arena->limit && whole > arena->limit->bytes - arena->bytes)
        longjmp(arena->limit->out, ARENA_OUT_OF_MEMORY);
    arena_spend(arena, STEPS_OF_BLOCK);
    arena->bytes += whole;
    struct block *block = arena->region && whole <= arena->region_size - arena->region_used
                              ? (struct block *)(arena->region + arena->region_used)
                              : NULL;
    if (arena->region)
        arena->region_used += whole;
    else
        block = calloc(1, whole);
    if (!block)
        out_of_memory();
    block->size = size;
    return block;
}

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory();
    return arena;
}

struct arena *arena_new_shared(void)
{
    size_t size = REGION_MOST;
    char *region = MAP_FAILED;
    for (; region == MAP_FAILED && size >= REGION_LEAST; size /= 2) // half of what is left, where that is limited
        region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return NULL;
    struct arena *arena = arena_new();
    arena->region = region;
    arena->region_size = 2 * size;
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    if (arena->region)
        munmap(arena->region, arena->region_size);
    for (struct block *block = arena->region ? NULL : arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2 && arena->limit)
        longjmp(arena->limit->out, ARENA_OUT_OF_MEMORY);
    if (bytes > SIZE_MAX / 2)
        out_of_memory();
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct block *block = arena->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t usual = block ? BLOCK : FIRST_BLOCK;
        struct block *fresh = block_new(arena, bytes > usual ? bytes : usual);
        if (block && bytes > usual) { // a large piece does not end the block that small ones still fit into
            fresh->next = block->next;
            block->next = fresh;
            fresh->used = bytes;
            return fresh->data;
        }
        fresh->next = block;
        arena->blocks = block = fresh;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void *arena_grow(struct arena *arena, void *old, size_t old_bytes, size_t new_bytes)
{
    void *memory = arena_alloc(arena, new_bytes);
    if (old_bytes)
        memcpy(memory, old, old_bytes);
    return memory;
}

void *scratch_alloc(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        out_of_memory();
    return memory;
}

struct str str_from(const char *text)
{
    return (struct str){text, strlen(text)};
}

struct str str_copy(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.length + 1);
    if (s.length)
        memcpy(copy, s.text, s.length);
    return (struct str){copy, s.length};
}

struct str str_vformat(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return (struct str){text, (size_t)length};
}

struct str str_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str s = str_vformat(arena, format, args);
    va_end(args);
    return s;
}

bool str_equal(struct str a, struct str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.text, b.text, a.length) == 0);
}

bool str_is(struct str s, const char *text)
{
    return str_equal(s, str_from(text));
}

int str_compare(struct str a, struct str b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.text, b.text, common) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.length >= prefix.length && memcmp(s.text, prefix.text, prefix.length) == 0;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = (text->length + length + 1) * 2;
        if (capacity < 128)
            capacity = 128;
        text->data = arena_grow(text->arena, text->data, text->length, capacity);
        text->capacity = capacity;
    }
    if (length)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_addf(struct text *text, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if ((size_t)length < sizeof small) {
        text_add(text, small, (size_t)length);
        return;
    }
    va_start(args, format);
    struct str s = str_vformat(text->arena, format, args);
    va_end(args);
    text_add(text, s.text, s.length);
}

struct str text_str(struct text *text)
{
    return text->data ? (struct str){text->data, text->length} : STR("");
}

struct map_entry {
    struct str key;
    void *value;
    uint64_t hash;
};

static uint64_t hash_of(struct str s) // FNV-1a
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.length; i++)
        hash = (hash ^ (unsigned char)s.text[i]) * 1099511628211u;
    return hash;
}

static struct map_entry *slot_for(struct map_entry *entries, size_t capacity, struct str key, uint64_t hash)
{
    for (size_t i = hash & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        struct map_entry *entry = &entries[i];
        if (!entry->value || (entry->hash == hash && str_equal(entry->key, key)))
            return entry;
    }
}

void *map_get(const struct map *map, struct str key)
{
    return map->count ? slot_for(map->entries, map->capacity, key, hash_of(key))->value : NULL;
}

void *map_put(struct map *map, struct str key, void *value)
{
    if ((map->count + 1) * 4 > map->capacity * 3) {
        size_t capacity = map->capacity ? map->capacity * 2 : 16;
        struct map_entry *entries = NEW_ARRAY(map->arena, struct map_entry, capacity);
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].value)
                *slot_for(entries, capacity, map->entries[i].key, map->entries[i].hash) = map->entries[i];
        map->entries = entries;
        map->capacity = capacity;
    }
    uint64_t hash = hash_of(key);
    struct map_entry *entry = slot_for(map->entries, map->capacity, key, hash);
    if (entry->value)
        return entry->value;
    *entry = (struct map_entry){key, value, hash};
    map->count++;
    return NULL;
}

// Optimal string alignment distance (Levenshtein with swaps of neighbours); names longer than the table are far away.
static int edit_distance(struct str a, struct str b)
{
    enum { LONGEST = 40 };
    if (a.length > LONGEST || b.length > LONGEST)
        return LONGEST;
    int d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= a.length; i++)
        d[i][0] = (int)i;
    for (size_t j = 0; j <= b.length; j++)
        d[0][j] = (int)j;
    for (size_t i = 1; i <= a.length; i++)
        for (size_t j = 1; j <= b.length; j++) {
            int best = d[i - 1][j - 1] + (a.text[i - 1] != b.text[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a.text[i - 1] == b.text[j - 2] && a.text[i - 2] == b.text[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[a.length][b.length];
}

void nearest_offer(struct nearest *nearest, struct str candidate)
{
    if (!nearest->wrong.length)
        return;
    int limit = nearest->wrong.length < 2 ? 0 : nearest->wrong.length <= 3 ? 1 : (int)nearest->wrong.length / 3;
    long difference = (long)nearest->wrong.length - (long)candidate.length;
    if (difference > limit || -difference > limit)
        return;
    int distance = edit_distance(nearest->wrong, candidate);
    if (distance <= limit && (!nearest->best.length || distance < nearest->distance)) {
        nearest->distance = distance;
        nearest->best = candidate;
    }
}
