// Laying out a policy file.
//
// Words come from the scanner, comments from the gaps between them. A statement is tried on one line; where it does not
// fit it is filled, with breaks before the words that start a clause and after commas.
#include "lang/format.h"

#include <stdlib.h>
#include <string.h>

#include "lang/parse.h"

enum { INDENT = 4, COLUMNS = 120 };

struct comment {
    struct str text;
    bool own_line;     // nothing but white space before it
    unsigned newlines; // in the gap in front of it
    struct comment *next;
};

struct word {
    struct str text;
    struct comment *comments; // between the word before and this one
    unsigned newlines;        // in front of it, behind the last comment
};

struct layout {
    struct arena *arena;
    struct word *words;
    size_t count;
    struct text out;
    unsigned column; // of what is written next, from 0
};

static bool is(const struct layout *l, size_t word, const char *text)
{
    return word < l->count && str_is(l->words[word].text, text);
}

static unsigned width_of(struct str text) // in code points
{
    unsigned width = 0;
    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.text[i] & 0xC0) != 0x80;
    return width;
}

// ---- words and comments -------------------------------------------------------------------------------------------

static void read_gap(struct arena *arena, struct str text, size_t from, size_t to, bool line_start, struct word *word)
{
    struct comment **last = &word->comments;
    unsigned newlines = 0;
    for (size_t i = from; i < to; i++) {
        if (text.text[i] == '\n')
            newlines++;
        if (text.text[i] != '#')
            continue;
        size_t end = i;
        while (end < to && text.text[end] != '\n')
            end++;
        size_t trimmed = end;
        while (trimmed > i && strchr(" \t\r", text.text[trimmed - 1]))
            trimmed--;
        struct comment *comment = NEW(arena, struct comment);
        *comment = (struct comment){{text.text + i, trimmed - i}, newlines > 0 || line_start, newlines, NULL};
        *last = comment;
        last = &comment->next;
        newlines = 0;
        line_start = false;
        i = end - 1;
    }
    word->newlines = newlines;
}

// The words of a source and, as one empty word, its end. Returns how many words, or -1 where it has syntax errors.
static long read_words(struct arena *arena, const struct source *source, struct word **words)
{
    struct token_list tokens = {0};
    if (!parse_tokens(arena, source, &tokens, NULL))
        return -1;
    *words = NEW_ARRAY(arena, struct word, tokens.count + 1);
    size_t at = 0;
    for (size_t i = 0; i <= tokens.count; i++) {
        size_t start = i < tokens.count ? tokens.spans[i].start : source->text.length,
               end = i < tokens.count ? tokens.spans[i].end : start;
        struct word *word = &(*words)[i];
        word->text = (struct str){source->text.text + start, end - start};
        read_gap(arena, source->text, at, start, i == 0, word);
        at = end;
    }
    return (long)tokens.count;
}

// ---- spaces -------------------------------------------------------------------------------------------------------

struct statement {
    size_t first, end; // words; `end` is its `;`, or the `{` of its block
    bool has_block;
};

static bool is_list_brace(const struct layout *l, const struct statement *s, size_t word)
{
    return is(l, word, "{") && (is(l, word - 1, "in") || is(l, word - 1, ":") || is(l, s->first, "group"));
}

static bool space_between(const struct layout *l, const struct statement *s, size_t word) // in front of it
{
    const char *none_before[] = {";", ",", ")", ".", ".."}, *none_after[] = {"(", ".", ".."};
    for (size_t i = 0; i < sizeof none_before / sizeof *none_before; i++)
        if (is(l, word, none_before[i]))
            return false;
    for (size_t i = 0; i < sizeof none_after / sizeof *none_after; i++)
        if (is(l, word - 1, none_after[i]))
            return false;
    bool parameters = is(l, s->first, "policy");
    if (is(l, word, ":"))
        return false;
    if (is(l, word - 1, ":")) // a parameter's type, but not an endpoint's port
        return parameters && (is(l, word - 3, "(") || is(l, word - 3, ","));
    if (is(l, word, "("))
        return !(parameters || is(l, s->first, "use") || is(l, s->first, "within"));
    return true;
}

// Where a line may end: in front of a word that starts a clause, and after a comma.
static bool may_break(const struct layout *l, size_t word)
{
    static const char *const starts[] = {"and", "or", "where", "because", "with", "except", "from", "else", "if", "|"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (is(l, word, starts[i]))
            return true;
    return is(l, word - 1, ",");
}

// ---- writing ------------------------------------------------------------------------------------------------------

static void put(struct layout *l, struct str text)
{
    text_add(&l->out, text.text, text.length);
    l->column += width_of(text);
}

static void new_line(struct layout *l, unsigned indent)
{
    if (l->out.length && l->out.data[l->out.length - 1] != '\n')
        text_add(&l->out, "\n", 1);
    for (unsigned i = 0; i < indent; i++)
        text_add(&l->out, " ", 1);
    l->column = indent;
}

static void empty_line(struct layout *l)
{
    if (l->out.length > 1 && l->out.data[l->out.length - 1] != '\n')
        text_add(&l->out, "\n", 1);
    if (l->out.length > 1 && l->out.data[l->out.length - 2] != '\n')
        text_add(&l->out, "\n", 1);
    l->column = 0;
}

// The comments in front of a word. Returns true when the word has to start a line.
static bool put_comments(struct layout *l, const struct word *word, unsigned indent, bool keep_empty)
{
    bool any = false;
    for (const struct comment *c = word->comments; c; c = c->next) {
        if (c->own_line || l->out.length == 0) {
            if (c->newlines > 1 && keep_empty && l->out.length)
                empty_line(l);
            new_line(l, indent);
        } else if (l->out.length && l->out.data[l->out.length - 1] != ' ') {
            put(l, STR(" "));
        }
        put(l, c->text);
        keep_empty = true;
        any = true;
    }
    return any;
}

static bool has_comments(const struct layout *l, size_t first, size_t end) // in front of words first + 1 .. end
{
    for (size_t i = first + 1; i <= end && i < l->count; i++)
        if (l->words[i].comments)
            return true;
    return false;
}

static unsigned length_of(const struct layout *l, const struct statement *s, size_t first,
                          size_t end) // of the words first..end on one line
{
    unsigned length = 0;
    for (size_t i = first; i <= end && i < l->count; i++)
        length += (i > first && space_between(l, s, i)) + width_of(l->words[i].text);
    return length;
}

// How far the words from `word` reach until the line may end again.
static unsigned piece_length(const struct layout *l, const struct statement *s, size_t word)
{
    size_t end = word;
    while (end < s->end && !may_break(l, end + 1) && !is_list_brace(l, s, end))
        end++;
    return length_of(l, s, word, end);
}

static void put_filled(struct layout *l, const struct statement *s, unsigned indent)
{
    unsigned inner = indent + INDENT; // of what goes on on further lines
    bool in_list = false;             // a list that stands on lines of its own
    for (size_t i = s->first; i <= s->end; i++) {
        bool broken = i > s->first && put_comments(l, &l->words[i], inner, false);
        bool space = i > s->first && space_between(l, s, i);
        if (in_list && is(l, i, "}")) {
            in_list = false;
            new_line(l, indent);
        } else if (broken) {
            new_line(l, inner);
        } else if (i > s->first && may_break(l, i) && l->column + space + piece_length(l, s, i) > COLUMNS &&
                   l->column > inner) {
            new_line(l, inner);
        } else if (space) {
            put(l, STR(" "));
        }
        put(l, l->words[i].text);
        if (!is_list_brace(l, s, i))
            continue;
        size_t close = i;
        while (close < s->end && !is(l, close, "}"))
            close++;
        if (l->column + length_of(l, s, i, close) > COLUMNS || has_comments(l, i, close)) {
            in_list = true;
            put_comments(l, &l->words[i + 1], inner, false);
            l->words[i + 1].comments = NULL; // said
            new_line(l, inner);
            i++;
            put(l, l->words[i].text);
        }
    }
}

static void put_statement(struct layout *l, const struct statement *s, unsigned indent)
{
    if (l->column + length_of(l, s, s->first, s->end) <= COLUMNS && !has_comments(l, s->first, s->end)) {
        for (size_t i = s->first; i <= s->end; i++) {
            if (i > s->first && space_between(l, s, i))
                put(l, STR(" "));
            put(l, l->words[i].text);
        }
        return;
    }
    put_filled(l, s, indent);
}

// ---- blocks -------------------------------------------------------------------------------------------------------

static struct statement statement_at(const struct layout *l, size_t first)
{
    struct statement s = {first, first, false};
    for (size_t i = first; i < l->count; i++) {
        s.end = i;
        if (is(l, i, ";"))
            return s;
        if (is_list_brace(l, &s, i)) {
            while (i < l->count && !is(l, i, "}"))
                i++;
            s.end = i;
            if (is(l, first, "group")) // ends with its list
                return s;
            continue;
        }
        if (is(l, i, "{")) {
            s.has_block = true;
            return s;
        }
    }
    return s;
}

static size_t closing_brace(const struct layout *l, size_t open)
{
    size_t depth = 0;
    for (size_t i = open; i < l->count; i++) {
        depth += is(l, i, "{");
        if (is(l, i, "}") && --depth == 0)
            return i;
    }
    return l->count;
}

// A block on one line: where its author wrote it so, it fits, and has no comments.
static bool fits_on_line(const struct layout *l, size_t open, size_t close)
{
    unsigned length = l->column;
    for (size_t i = open; i <= close; i++) {
        if (i > open && (l->words[i].newlines || l->words[i].comments))
            return false;
        struct statement all = {open, close,
                                false}; // spaces as inside of a statement; parameters do not stand in blocks
        length += width_of(l->words[i].text) + space_between(l, &all, i);
    }
    return length <= COLUMNS;
}

static size_t put_block(struct layout *l, size_t open, unsigned indent, bool on_line);

// Statements from `first` up to `end`, a closing brace or the end of the file.
static void put_statements(struct layout *l, size_t first, size_t end, unsigned indent, bool on_line)
{
    bool single_line = true; // what was written last stands on one line
    for (size_t i = first; i < end;) {
        struct statement s = statement_at(l, i);
        struct word *word = &l->words[i];
        bool start = i == first;
        if (on_line) {
            put(l, STR(" "));
        } else {
            bool keep_empty = !start || indent == 0;
            bool commented = put_comments(l, word, indent, keep_empty && l->out.length > 0);
            if (word->newlines > 1 && (commented || keep_empty) && l->out.length)
                empty_line(l);
            bool beside = !start && !commented && !word->newlines && single_line && !s.has_block &&
                          !is(l, i, "policy") && l->column + 1 + length_of(l, &s, s.first, s.end) <= COLUMNS &&
                          !has_comments(l, s.first, s.end);
            if (beside)
                put(l, STR(" "));
            else if (l->out.length)
                new_line(l, indent);
        }
        size_t before = l->out.length;
        put_statement(l, &s, indent);
        i = s.end + 1;
        if (s.has_block)
            i = put_block(l, s.end, indent, on_line);
        single_line = !memchr(l->out.data + before, '\n', l->out.length - before);
    }
}

// The block whose `{` has been written. Returns the word behind its `}`.
static size_t put_block(struct layout *l, size_t open, unsigned indent, bool on_line)
{
    size_t close = closing_brace(l, open);
    if (on_line || fits_on_line(l, open, close)) {
        put_statements(l, open + 1, close, indent, true);
        put(l, close > open + 1 ? STR(" }") : STR("}"));
        return close + 1;
    }
    put_statements(l, open + 1, close, indent + INDENT, false);
    put_comments(l, &l->words[close], indent + INDENT, close > open + 1);
    new_line(l, indent);
    put(l, STR("}"));
    return close + 1;
}

// ---- all ----------------------------------------------------------------------------------------------------------

// The words and comments of two texts, in their order.
static bool same_content(struct arena *arena, const struct source *a, struct str b)
{
    struct source other = {.number = a->number, .name = a->name, .text = b};
    struct word *words[2];
    long counts[2] = {read_words(arena, a, &words[0]), read_words(arena, &other, &words[1])};
    bool same = counts[0] == counts[1];
    const struct comment *comments[2] = {NULL, NULL};
    size_t next[2] = {0, 0};
    for (long i = 0; same && i < counts[0]; i++)
        same = str_equal(words[0][i].text, words[1][i].text);
    for (;;) { // comments, which may have come to stand in front of another word
        for (int k = 0; k < 2; k++)
            while (!comments[k] && next[k] <= (size_t)counts[k])
                comments[k] = words[k][next[k]++].comments;
        if (!same || !comments[0] || !comments[1])
            return same && !comments[0] && !comments[1];
        same = str_equal(comments[0]->text, comments[1]->text);
        comments[0] = comments[0]->next;
        comments[1] = comments[1]->next;
    }
}

const struct str *format_source(struct arena *arena, const struct source *source)
{
    struct layout l = {.arena = arena, .out = {.arena = arena}};
    long count = read_words(arena, source, &l.words);
    if (count < 0)
        return NULL;
    l.count = (size_t)count;
    put_statements(&l, 0, l.count, 0, false);
    put_comments(&l, &l.words[l.count], 0, true);
    if (l.out.length && l.out.data[l.out.length - 1] != '\n')
        text_add(&l.out, "\n", 1);
    struct str *result = NEW(arena, struct str);
    *result = l.out.length ? text_str(&l.out) : STR("");
    if (!same_content(arena, source, *result))
        abort();
    return result;
}
