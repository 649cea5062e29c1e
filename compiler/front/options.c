// Command lines as tables.
#include "compiler/front/options.h"

#include <stdio.h>
#include <string.h>

#include "lang/arena.h"

void options_for_getopt(const struct option_row *rows, size_t count, struct option *options, char *letters)
{
    size_t used = 0, letter = 0;
    letters[letter++] = '+'; // what stands behind the first file is not an option
    for (size_t i = 0; i < count; i++) {
        int argument = rows[i].argument[0] ? required_argument : no_argument;
        if (rows[i].name[0])
            options[used++] = (struct option){rows[i].name, argument, NULL, OPTION_FIRST + (int)i};
        if (rows[i].letter[0]) {
            letters[letter++] = rows[i].letter[0];
            if (argument)
                letters[letter++] = ':';
        }
    }
    options[used] = (struct option){NULL, 0, NULL, 0};
    letters[letter] = '\0';
    opterr = 0; // options_wrong says it
}

const char *options_wrong(const struct option_row *rows, size_t count, const char *word, int option)
{
    static char text[400];
    const struct option_row *row = NULL;
    int length = (int)strcspn(word, "=");
    if (strncmp(word, "--", 2) != 0)
        length = 2, option = option ? option : word[1];
    for (size_t i = 0; i < count && !row; i++)
        if (option == OPTION_FIRST + (int)i || (rows[i].letter[0] && option == rows[i].letter[0]))
            row = &rows[i];
    if (row && row->argument[0])
        snprintf(text, sizeof text, "%.*s needs a value: `%.*s%s%s`", length, word, length, word,
                 row->letter[0] ? " " : "=", row->argument);
    else if (row)
        snprintf(text, sizeof text, "%.*s takes no value", length, word);
    else {
        struct nearest nearest = {.wrong = {word + 2, length > 2 ? (size_t)length - 2 : 0}};
        for (size_t i = 0; i < count && word[1] == '-'; i++)
            if (rows[i].name[0])
                nearest_offer(&nearest, str_from(rows[i].name));
        snprintf(text, sizeof text, nearest.best.length ? "%.*s is no option: did you mean `--%.*s`?"
                                                        : "%.*s is no option",
                 word[1] == '-' ? length : 2, word[1] == '-' ? word : (const char[]){'-', (char)option, '\0'},
                 STR_ARGS(nearest.best));
    }
    return text;
}

void options_print(const struct option_row *rows, size_t count)
{
    enum { COLUMN = 34 };
    for (size_t i = 0; i < count; i++) {
        const struct option_row *row = &rows[i];
        bool choice = strchr(row->argument, '|') || row->is_action;
        char left[160];
        int length = row->letter[0] ? snprintf(left, sizeof left, "  -%s %s", row->letter, row->argument)
                                    : snprintf(left, sizeof left, "  --%s%s%s%s%s", row->name,
                                               !row->argument[0] ? ""
                                               : choice          ? "="
                                                                 : " ",
                                               row->argument, row->files[0] ? " " : "", row->files);
        if (i && row->is_action != rows[i - 1].is_action)
            puts("");
        if (length >= COLUMN)
            printf("%s\n%*s%s\n", left, COLUMN, "", row->help);
        else
            printf("%-*s%s\n", COLUMN, left, row->help);
    }
}
